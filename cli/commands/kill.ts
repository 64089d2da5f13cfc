// `keydesk kill`: the kill switch. Ends every live grant that it selects, and with --block keeps new ones from being issued until the
// block is removed. The function `admin` does it, and writes the audit events with the e-mail address of the person who runs this.

import { Command } from '@commander-js/extra-typings';
import { ADMIN_ROUTES, type KillResponse } from '../../shared/core/operator-api/admin.ts';
import type { GrantSummary } from '../../shared/core/operator-api/grant.ts';
import { describeSelector, fromWire, selectorOnWire } from '../../shared/core/operator-api/selector.ts';
import { visible } from '../../shared/core/policy/visible-text.ts';
import { plural } from '../../shared/core/policy-history/words.ts';
import { randomUuid, systemClock } from '../../shared/runtime/clock.ts';
import { confirm } from '../confirm.ts';
import { adminOption, impersonateOption, openOperatorApi, reportFailures } from '../operator-api.ts';
import { examples } from '../options.ts';
import { EXIT, fail, note, print, printJson } from '../terminal.ts';
import { parseAgo } from '../time-options.ts';
import { readTokenSha256 } from '../token-hash.ts';
import { parseUserUuid, parseUuid } from '../uuid-option.ts';

const SELECTORS = {
  jobId: 'job_id',
  pipelineId: 'pipeline_id',
  pipelineSlug: 'pipeline_slug',
  branch: 'build_branch',
  agentId: 'agent_id',
  credential: 'credential',
  environment: 'environment',
  policySha256: 'policy_sha256',
  approver: 'approved_by',
  since: 'issued_since',
} as const;

export const killCommand = new Command('kill')
  .summary('end access now, and keep it ended')
  .description(
    'End every live grant that is selected, and list what stays accepted and until when. Of the selectors, all that are given must match.',
  )
  .usage('SELECTOR... --reason WHY [--block] [--dry-run]')
  .optionsGroup('Selectors:')
  .option('--token <file>', 'the grant of this access token; - reads it from standard input')
  .option('--pipeline <name>', 'grants of this pipeline, by its name in the policy')
  .option('--job-id <uuid>', 'grants of this job', parseUuid)
  .option('--pipeline-id <uuid>', 'grants of this pipeline', parseUuid)
  .option('--pipeline-slug <slug>', 'grants of this pipeline')
  .option('--branch <name>', 'grants of builds of this branch')
  .option('--agent-id <uuid>', 'grants of jobs on this agent', parseUuid)
  .option('--credential <name>', 'grants of this credential')
  .option('--environment <name>', 'grants of this environment')
  .option('--policy-sha256 <sha256>', 'grants that this policy allowed')
  .option('--approver <uuid>', 'grants that this Buildkite user approved', parseUserUuid)
  .option('--since <time>', 'a token was issued then or later, such as 2026-11-24T10:00:00Z or 2h', parseAgo)
  .option('--all', 'every live grant; asks before it acts')
  .optionsGroup('Options:')
  .option('--reason <why>', 'why, for the record')
  .option('--block', 'also refuse new requests that match, until "keydesk blocks remove"')
  .option('--unknown-ok', 'with --block: also block names that no grant on record has')
  .option('--dry-run', 'only list what would be ended')
  .option('--resume <id>', 'continue an act that was interrupted', parseUuid)
  .option('--yes', 'do not ask: for --all, and for --since alone with --block')
  .option('--json', 'the response of the function admin')
  .addOption(adminOption())
  .addOption(impersonateOption())
  .addHelpText(
    'after',
    `${examples(
      'kill --environment staging --dry-run',
      'kill --pipeline web --reason "leaked token" --block',
      'kill --token - --reason "leaked token" < leaked-token.txt',
    )}

Exit code 1: nothing matches, or something is not finished.`,
  )
  .action((options) => reportFailures(() => kill(options)));

type KillOptions = ReturnType<typeof killCommand.opts>;

async function kill(options: KillOptions): Promise<void> {
  const target = targetOf(options);
  const reason = options.reason?.trim() || (options.dryRun ? 'dry run' : undefined);
  if (reason === undefined) fail(EXIT.usage, '--reason is missing: the record says why.');
  if (options.unknownOk && !options.block) fail(EXIT.usage, '--unknown-ok is for a block: add --block.');
  const question = options.dryRun || options.yes ? undefined : questionAbout(options, target);
  if (question !== undefined && !(await confirm(question))) fail(EXIT.failure, 'Nothing was done.');
  const id = options.resume ?? randomUuid(systemClock);
  const call = await openOperatorApi('admin', ADMIN_ROUTES, { url: options.admin, impersonate: options.impersonate });
  if (!options.dryRun) note(`The act has the id ${id}. If this is interrupted, run it again with --resume ${id}.`);
  const response = await call('kill', {
    body: {
      id,
      ...target,
      reason,
      block: options.block ?? false,
      unknown_ok: options.unknownOk ?? false,
      resume: options.resume !== undefined,
      dry_run: options.dryRun ?? false,
    },
  });
  if (options.json) printJson(response);
  else for (const line of response.dry_run ? dryRunLines(response, options) : resultLines(response)) print(line);
  if (response.counts.unfinished > 0 || response.counts.ambiguous > 0) process.exitCode = EXIT.failure;
}

function targetOf(options: KillOptions) {
  const named = Object.entries(SELECTORS).flatMap(([option, field]) => {
    const value = options[option as keyof typeof SELECTORS];
    return value === undefined ? [] : [[field, value] as const];
  });
  const { pipeline } = options;
  const selects = named.length > 0 || pipeline !== undefined;
  const given = [options.token !== undefined, options.all === true, selects].filter(Boolean).length;
  if (given === 0) fail(EXIT.usage, 'Nothing is selected. Run "keydesk kill --help" for the selectors.');
  if (given > 1) fail(EXIT.usage, 'Use --token alone, or --all alone, or the other selectors.');
  if (options.token !== undefined) return { token_sha256: readTokenSha256(options.token) };
  if (options.all) return { all: true };
  const selector = selectorOnWire.safeParse(Object.fromEntries(named));
  if (selector.success) return { selector: selector.data, ...(pipeline === undefined ? {} : { pipeline }) };
  const problems = selector.error.issues.map(({ path: [field], message }) => `${flagOf(String(field))}: ${message}`);
  return fail(EXIT.usage, problems.join('\n'));
}

/** What to ask before an order that reaches everybody. Undefined for one that names what it reaches. */
function questionAbout({ block, all }: KillOptions, target: ReturnType<typeof targetOf>): string | undefined {
  const blocked = block ? ' and refuse every new request, until the block is removed' : '';
  if (all) return `End every live grant of this deployment${blocked}?`;
  if (!block || !('selector' in target) || target.pipeline !== undefined) return undefined;
  const { issued_since, ...named } = target.selector;
  if (issued_since === undefined || Object.keys(named).length > 0) return undefined;
  return `Every new request has a time after --since. End every grant that was issued since${blocked}?`;
}

function flagOf(field: string): string {
  const [option = field] = Object.entries(SELECTORS).find(([, name]) => name === field) ?? [];
  return `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function dryRunLines(
  { selector, selected, counts, unfinished, ambiguous }: KillResponse,
  { block }: KillOptions,
): string[] {
  return [
    `Would end ${plural(counts.selected, 'live grant')}: ${visible(describeSelector(fromWire(selector)))}`,
    ...selected.map((grant) => `  ${nameOf(grant)}  ${grant.revocation}`),
    ...(counts.still_accepted > 0
      ? [`${counts.still_accepted} of them cannot be revoked. They would not be renewed, and expire.`]
      : []),
    ...shorter(selected, counts.selected),
    ...(counts.unfinished > 0 ? [`${counts.unfinished} could not be looked at. They may match:`] : []),
    ...unfinished.map(({ grant_id, error }) => `  ${grant_id ?? '-'}  ${visible(error)}`),
    ...ambiguousLines(ambiguous, counts.ambiguous),
    ...(block ? ['New requests that match would be refused, until "keydesk blocks remove".'] : []),
  ];
}

function resultLines({ selector, counts, still_accepted, unfinished, ambiguous, block_id }: KillResponse): string[] {
  return [
    `Selected ${plural(counts.selected, 'live grant')}: ${visible(describeSelector(fromWire(selector)))}`,
    `  ${counts.revoked} revoked: the rules of the database reject their tokens`,
    `  ${counts.disabled} account disabled. Google may accept tokens of the account for some time`,
    `  ${counts.expired} had expired`,
    `  ${counts.ended_before} had been ended by something else`,
    `  ${counts.still_accepted} cannot be revoked. They are not renewed, and their tokens stay accepted until they expire`,
    ...still_accepted.map((grant) => `    ${nameOf(grant)}  accepted until ${grant.accepted_until ?? 'now'}`),
    ...shorter(still_accepted, counts.still_accepted),
    ...(counts.unfinished > 0
      ? [`  ${counts.unfinished} not finished: the sweep goes on with those that are on record as ending`]
      : []),
    ...unfinished.map((left) => `    ${left.grant_id ?? '-'}  ${visible(left.error)}${acceptedAtTheLatest(left)}`),
    ...shorter(unfinished, counts.unfinished),
    ...ambiguousLines(ambiguous, counts.ambiguous),
    block_id === null
      ? 'Nothing is blocked: jobs that match get new grants.'
      : `New requests that match are refused until: keydesk blocks remove ${block_id}`,
  ];
}

function acceptedAtTheLatest({ grant_id, accepted_until }: KillResponse['unfinished'][number]): string {
  if (grant_id === null) return '';
  return accepted_until === null
    ? '; not known until when its tokens are accepted'
    : `; its tokens may be accepted until ${accepted_until} at the latest`;
}

/** What a response leaves out of a list. */
function shorter(listed: readonly unknown[], count: number): string[] {
  const more = count - listed.length;
  return more > 0 ? [`    and ${more} more. See: keydesk grants list`] : [];
}

function ambiguousLines(ambiguous: readonly GrantSummary[], count: number): string[] {
  if (count === 0) return [];
  return [
    `${plural(count, 'live grant')} without a pipeline_id, left alone: whether they are selected is not known.`,
    ...ambiguous.map((grant) => `  ${nameOf(grant)}`),
    ...shorter(ambiguous, count),
    'End those with --pipeline-slug.',
  ];
}

function nameOf({ grant_id, credential, job }: GrantSummary): string {
  return visible(`${grant_id}  ${credential} of job ${job.job_id} (${job.pipeline_slug} #${job.build_number})`);
}
