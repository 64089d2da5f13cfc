// `keydesk grants show`: the whole history of one grant.

import { Command } from '@commander-js/extra-typings';
import { READER_ROUTES } from '../../../shared/core/operator-api/reader.ts';
import type { ReadPolicy } from '../../../shared/core/policy/parse-yaml.ts';
import { systemClock } from '../../../shared/runtime/clock.ts';
import { API_TOKEN_VARIABLE } from '../../api-token.ts';
import { readPeople } from '../../buildkite-people.ts';
import { parseGrantId } from '../../grants/grant-id.ts';
import { historyLines, historyOf, peopleIn } from '../../grants/history.ts';
import type { ReaderApi } from '../../grants/pages.ts';
import { reachOf } from '../../grants/reach.ts';
import { impersonateOption, openOperatorApi, readerOption, reportFailures } from '../../operator-api.ts';
import { examples } from '../../options.ts';
import { readDeployablePolicy } from '../../policy-file.ts';
import { EXIT, fail, note, print, printJson } from '../../terminal.ts';
import { readTokenSha256 } from '../../token-hash.ts';

export const showCommand = new Command('show')
  .summary('the whole history of one grant')
  .description(
    `Show one grant: the job, the rule and the policy, what it could reach, its tokens by hash, its end and who ended it, how long that took, the queries for what it touched, and what is not known.

People are shown by UUID. Their names too, if ${API_TOKEN_VARIABLE} is a Buildkite API token with the scope read_organizations.`,
  )
  .argument('[id]', 'the id of the grant: see "keydesk grants list"')
  .option('--token <file>', 'the grant of this access token; - reads it from standard input')
  .option(
    '--policy <file>',
    'the policy that allowed it, for paths and verbs. Its SHA-256 must be the one of the grant',
  )
  .option('--json', 'the history as JSON')
  .addOption(readerOption())
  .addOption(impersonateOption())
  .addHelpText(
    'after',
    examples(
      'grants show 5f1d7a84f8f5a2c6e0b9c3d4e5f60718',
      'grants show 5f1d7a84f8f5a2c6e0b9c3d4e5f60718 --policy policy.yaml --json',
      'grants show --token - < leaked-token.txt',
    ),
  )
  .action((written, { token, policy: file, json, reader: url, impersonate }) =>
    reportFailures(async () => {
      if ((written === undefined) === (token === undefined)) fail(EXIT.usage, 'Give the id of a grant, or --token.');
      const id = written === undefined ? undefined : parseGrantId(written);
      const token_sha256 = token === undefined ? undefined : readTokenSha256(token);
      const given = file === undefined ? undefined : { file, policy: readDeployablePolicy(file) };
      const call = await openOperatorApi('reader', READER_ROUTES, { url, impersonate });
      const found = id ?? (await idOfToken(call, token_sha256 ?? ''));
      const grant = await call('getGrant', { params: { id: found } });
      const history = historyOf(grant, reachOf(grant, given), new Date(systemClock.now()).toISOString());
      if (json) return printJson(history);
      const people = await readPeople(String(grant.job.organization_slug), peopleIn(grant));
      for (const line of historyLines(history, { person: people.show, team: teamNames(given?.policy) })) print(line);
      if (people.hint !== undefined) note(people.hint);
    }),
  );

/** A team's name in the policy with the UUID, or the UUID alone. */
function teamNames(read: ReadPolicy | undefined): (id: string) => string {
  const names = new Map(Object.entries(read?.policy.teams ?? {}).map(([name, id]) => [id, name]));
  return (id) => (names.has(id) ? `${names.get(id)} (${id})` : id);
}

async function idOfToken(call: ReaderApi, token_sha256: string): Promise<string> {
  const { grants, unreadable } = await call('listGrants', { query: { token_sha256, state: 'all' } });
  const id = grants[0]?.grant_id ?? unreadable[0]?.grant_id;
  return (
    id ??
    fail(
      EXIT.failure,
      `No grant on record has a token with the SHA-256 ${token_sha256}. Either Keydesk did not issue it, or it has expired and its hash was dropped. Keydesk's log has the hash of each token: deploy/audit/token.logql.`,
    )
  );
}
