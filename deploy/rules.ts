// Deploys a database's security rules by the Firebase Rules API: makes a ruleset and points the database's release at it in
// one request, so that there is no moment without rules. Terraform's own resource deletes the release first. Refuses to
// lose rules that the file does not hold. Says what it does; safe to repeat. Google documents up to ten minutes until released rules are in
// force everywhere: this script sees the release and not that.
// Source: firebase.google.com/docs/reference/rules/rest/v1 (projects.rulesets, projects.releases).

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import * as z from 'zod';
import { normalizeHandWritten } from '../shared/core/security-rules/generate.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import { errorMessage } from '../shared/runtime/errors.ts';
import { createHttpClient, type JsonResponse } from '../shared/runtime/http-client.ts';
import { messageOf, operatorToken } from './operator-token.ts';

const USAGE = `usage: deploy/rules.sh [--overwrite] PROJECT DATABASE FILE
  PROJECT    the project of the database
  DATABASE   its id, such as '(default)'
  FILE       the rules, as keydesk rules write leaves them
  --overwrite  also lose rules of others that FILE does not hold`;
const MARK = '// keydesk:begin';
/** The rules that Firestore gives a new database in production mode. They count as no rules. */
const CLOSED = /^(match\/\{[a-z]+=\*\*\}\{allowread,write:iffalse;\})?$/;

const { overwrite, project, database, file } = readArguments();
const api = process.env.KEYDESK_FIREBASERULES_URL ?? 'https://firebaserules.googleapis.com';
const release = `projects/${project}/releases/cloud.firestore${database === '(default)' ? '' : `/${database}`}`;
const name = `${project}/${database}`;
const wanted = readFile(file);
if (!wanted.includes(MARK)) fail(`${file} holds no rules of Keydesk's (${MARK}): run keydesk rules write first`);
const accessToken = operatorToken(fail);

const live = await liveRules();
if (live?.text === wanted) {
  console.log(`${name}: these rules are released already`);
} else {
  if (live && !overwrite) refuseToLose(live.text);
  const source = { files: [{ name: 'firestore.rules', content: wanted }] };
  const made = await call('rulesets', { method: 'POST', path: `projects/${project}/rulesets`, json: { source } });
  const { name: rulesetName } = z.object({ name: z.string() }).parse(made.json);
  if (live)
    await call('releases', { method: 'PATCH', path: release, json: { release: { name: release, rulesetName } } });
  else
    await call('releases', {
      method: 'POST',
      path: `projects/${project}/releases`,
      json: { name: release, rulesetName },
    });
  const now = await liveRules();
  if (now?.text !== wanted) fail(`${name}: the API took the rules, but others are released: look at ${release}`);
  console.log(
    `${name}: released the rules of ${file} (${rulesetName}). Google documents up to ten minutes until they are in force`,
  );
}

/** The rules that are released; undefined when the database has none. */
async function liveRules(): Promise<{ readonly text: string } | undefined> {
  const released = await call('releases', { path: release }, 404);
  if (released.status === 404) return undefined;
  const { rulesetName } = z.object({ rulesetName: z.string() }).parse(released.json);
  const ruleset = await call('rulesets', { path: rulesetName });
  const { source } = z
    .object({ source: z.object({ files: z.array(z.object({ content: z.string() })) }) })
    .parse(ruleset.json);
  return { text: source.files.map(({ content }) => content).join('\n') };
}

/**
 * Released rules that are not Keydesk's must not be lost unnoticed: the file has to contain them. If they contain Keydesk's
 * mark, they come from an earlier version of the file, and their owner may have changed them on purpose.
 */
function refuseToLose(text: string): void {
  const [theirs, held] = [normalizeHandWritten(text), normalizeHandWritten(wanted)];
  if (CLOSED.test(theirs) || theirs === held || (text.includes(MARK) && !CLOSED.test(held))) return;
  console.error(text);
  fail(
    `${name} has the rules above, and ${file} does not hold them: nothing was changed. Put them into ${file} around Keydesk's marks, or say --overwrite`,
  );
}

async function call(
  action: string,
  request: { readonly method?: 'POST' | 'PATCH'; readonly path: string; readonly json?: unknown },
  allowed?: number,
): Promise<JsonResponse> {
  const { path, ...more } = request;
  const headers = { authorization: `Bearer ${accessToken}`, 'x-goog-user-project': project };
  const url = `${api}/v1/${path}`;
  const pending = createHttpClient(systemClock)({
    dependency: `firebaserules ${action}`,
    url,
    headers,
    deadlineMs: 30_000,
    ...more,
  });
  const response = await pending.catch((error: unknown) => fail(`${name}: ${errorMessage(error)}`));
  if (response.status === 200 || response.status === allowed) return response;
  const said = messageOf(response);
  return fail(`${name}: firebaserules ${action} returned ${response.status}${said && `: ${said}`}`);
}

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      options: { overwrite: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
      allowPositionals: true,
    });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    const [project = '', database = '', file = '', ...rest] = positionals;
    if (
      !/^[a-z0-9.:-]+$/.test(project) ||
      !/^(\(default\)|[a-z][a-z0-9-]*)$/.test(database) ||
      !file ||
      rest.length > 0
    )
      throw new Error('PROJECT, DATABASE and FILE are needed');
    return { ...values, project, database, file };
  } catch (error) {
    return fail(`${error instanceof Error ? error.message : error}\n${USAGE}`, 2);
  }
}

function readFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    return fail(`${path} cannot be read: ${error instanceof Error ? error.message : error}`);
  }
}

function fail(message: string, code = 1): never {
  console.error(`rules.sh: ${message}`);
  process.exit(code);
}
