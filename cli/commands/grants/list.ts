// `keydesk grants list`: who holds what now, or could use what at a time.

import { Command } from '@commander-js/extra-typings';
import type { GrantList } from '../../../shared/core/operator-api/grant-list.ts';
import { READER_ROUTES } from '../../../shared/core/operator-api/reader.ts';
import { visible } from '../../../shared/core/policy/visible-text.ts';
import { plural } from '../../../shared/core/policy-history/words.ts';
import { readPeople } from '../../buildkite-people.ts';
import { readFilters, withPeriod } from '../../grants/filters.ts';
import { whyNoEvidence } from '../../grants/nothing-found.ts';
import { readAllGrants, summaryLine } from '../../grants/pages.ts';
import { approverOf, tableLines } from '../../grants/table.ts';
import { impersonateOption, openOperatorApi, readerOption, reportFailures } from '../../operator-api.ts';
import { examples } from '../../options.ts';
import { EXIT, note, print, printJson, warn } from '../../terminal.ts';

export const listCommand = withPeriod(new Command('list'))
  .summary('who holds what now, or could use what on a day')
  .description(
    `List grants: live ones, or with a period those that could be used in it. A grant counts from its first request until its access ended; while that end is not on record, until its last token expires. Times are UTC. Clocks of the functions may differ by 90 seconds. Records are kept for 400 days.

Whether a grant was used is not in the ledger: see docs/AUDIT.md.

Exit code 1: nothing was found and that proves nothing, because a name is not known or the ledger does not cover the period.`,
  )
  .optionsGroup('Options:')
  .option('--json', 'the grants as JSON')
  .addOption(readerOption())
  .addOption(impersonateOption())
  .addHelpText(
    'after',
    examples(
      'grants list',
      'grants list --environment production --day 2026-11-24',
      'grants list --pipeline web --state all --json',
    ),
  )
  .action(({ reader: url, impersonate, json, ...options }) =>
    reportFailures(async () => {
      const filters = readFilters(options);
      const call = await openOperatorApi('reader', READER_ROUTES, { url, impersonate });
      const found = await readAllGrants(call, filters);
      const noEvidence = found.grants.length > 0 ? [] : await whyNoEvidence(call, found);
      if (noEvidence.length > 0) process.exitCode = EXIT.failure;
      if (json) printJson(found);
      else await showList(found);
      for (const line of noEvidence) warn(line);
    }),
  );

async function showList(found: Omit<GrantList, 'next_cursor'>): Promise<void> {
  const approvers = found.grants.flatMap((grant) => approverOf(grant) ?? []);
  const organization = String(found.grants[0]?.job.organization_slug ?? '');
  const { show, hint } = await readPeople(organization, approvers);
  for (const line of tableLines(found.grants, process.stdout.columns ?? Number.POSITIVE_INFINITY, show)) print(line);
  if (hint !== undefined) note(hint);
  for (const line of unreadableLines(found.unreadable)) warn(line);
  note(summaryLine({ ...found, count: found.grants.length }));
  for (const line of hints(found)) note(line);
}

export function unreadableLines(unreadable: GrantList['unreadable']): string[] {
  if (unreadable.length === 0) return [];
  return [
    `${plural(unreadable.length, 'record')} cannot be read. Nobody knows whether they match:`,
    ...unreadable.map(({ grant_id, error }) => visible(`  ${grant_id}  ${error}`)),
  ];
}

function hints({ grants, filters, unknown }: Omit<GrantList, 'next_cursor'>): string[] {
  if (grants.length > 0 || unknown.length > 0) return [];
  return [
    ...(filters.state === 'live'
      ? ['Only live grants were searched. For ended ones add --state all, or a period.']
      : []),
    ...(filters.pipeline?.includes('-')
      ? ['A grant whose job token had no pipeline_id is found by the slug of its pipeline alone.']
      : []),
    ...(filters.token_sha256 === undefined
      ? []
      : ['The hash of a token is dropped at the first issuance after the token has expired.']),
  ];
}
