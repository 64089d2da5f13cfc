// A fake of the `buildkite-agent` command, as a step has it on its PATH. It requests the job's OIDC token from Buildkite, and
// accepts the secrets to redact from the job's log. It is as strict as the real one, but never retries.
// A step starts it several times, so it loads no package.
// Source: https://buildkite.com/docs/agent/cli/reference/oidc and /redactor.

import { appendFileSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { systemClock } from '../../../shared/runtime/clock.ts';
import { withTimeout } from '../../../shared/runtime/errors.ts';

/** Names the file in place of the Job API's redactor: one JSON string a line. */
const REDACTED = 'BUILDKITE_FAKE_REDACTED';
const JWT_TYPE = 'urn:ietf:params:oauth:token-type:jwt';

class Fatal extends Error {}

const COMMANDS: Readonly<Record<string, (args: string[]) => Promise<void> | void>> = {
  'oidc request-token': requestToken,
  'redactor add': addToRedactor,
};

async function requestToken(args: string[]): Promise<void> {
  const { values, positionals } = parse(args, {
    audience: { type: 'string' },
    lifetime: { type: 'string', default: '0' },
    claim: { type: 'string', multiple: true },
    format: { type: 'string', default: 'jwt' },
  });
  if (positionals.length > 0) throw new Fatal(`unexpected argument ${positionals[0]}`);
  if (values.format !== 'jwt' && values.format !== 'gcp') throw new Fatal(`invalid format: ${values.format}`);
  if (!/^-?[0-9]+$/.test(values.lifetime)) throw new Fatal(`invalid value "${values.lifetime}" for flag -lifetime`);
  if (values.lifetime.startsWith('-')) throw new Fatal(`lifetime ${values.lifetime} must be a non-negative integer.`);
  const claims = (values.claim ?? [process.env.BUILDKITE_OIDC_TOKEN_CLAIMS ?? '']).flatMap((list) => list.split(','));
  const token = await sendRequest({
    ...(values.audience ? { audience: values.audience } : {}),
    ...(Number(values.lifetime) > 0 ? { lifetime: Number(values.lifetime) } : {}),
    ...(claims.some(Boolean) ? { claims: claims.filter(Boolean) } : {}),
  });
  const printed = { id_token: token, token_type: JWT_TYPE, version: 1, success: true };
  process.stdout.write(`${values.format === 'gcp' ? JSON.stringify(printed) : token}\n`);
}

async function sendRequest(request: object): Promise<string> {
  const url = `${needed('BUILDKITE_AGENT_ENDPOINT')}/jobs/${needed('BUILDKITE_JOB_ID')}/oidc/tokens`;
  const pending = fetch(url, {
    method: 'POST',
    headers: {
      authorization: `Token ${needed('BUILDKITE_AGENT_ACCESS_TOKEN')}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify(request),
    redirect: 'error',
  });
  const response = await withTimeout({ clock: systemClock, milliseconds: 10_000, dependency: `POST ${url}` }, pending);
  const member = response.ok ? 'token' : 'message';
  const { [member]: text } = (await response.json()) as Record<string, unknown>;
  if (typeof text !== 'string') throw new Fatal(`POST ${url}: the response has no ${member}`);
  if (response.ok) return text;
  throw new Fatal(`POST ${url}: ${response.status} ${text}`);
}

function addToRedactor(args: string[]): void {
  const { values, positionals } = parse(args, { format: { type: 'string', default: 'none' } });
  if (values.format !== 'none' && values.format !== 'json')
    throw new Fatal(`invalid format: ${values.format}, must be one of ["json" "none"]`);
  const [file = '-', ...more] = positionals;
  if (more.length > 0) throw new Fatal(`unexpected argument ${more[0]}`);
  process.stderr.write(`INFO   Reading secrets from ${file === '-' ? '(stdin)' : file} for redaction\n`);
  const content = readFileSync(file === '-' ? 0 : file, 'utf8');
  const secrets = values.format === 'none' ? [content.trim()] : Object.values(flatObject(content));
  const redacted = process.env[REDACTED];
  if (!redacted) throw new Fatal('failed to create Job API client: BUILDKITE_AGENT_JOB_API_SOCKET empty or undefined');
  appendFileSync(redacted, secrets.map((secret) => `${JSON.stringify(secret)}\n`).join(''));
}

function flatObject(content: string): Record<string, string> {
  try {
    const object = JSON.parse(content) as unknown;
    if (isFlat(object)) return object;
  } catch {
    // As any other text that is no such object.
  }
  throw new Fatal('failed to parse secrets');
}

function isFlat(object: unknown): object is Record<string, string> {
  if (typeof object !== 'object' || object === null || Array.isArray(object)) return false;
  return Object.values(object).every((value) => typeof value === 'string');
}

type Flags = Readonly<Record<string, { type: 'string'; default?: string; multiple?: boolean }>>;

function parse<const F extends Flags>(args: string[], options: F) {
  try {
    return parseArgs({ args, options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new Fatal((error as Error).message);
  }
}

function needed(name: string): string {
  const value = process.env[name];
  if (!value) throw new Fatal(`Missing ${name}`);
  return value;
}

const [group, name, ...args] = process.argv.slice(2);
try {
  if (group === '--version') {
    process.stdout.write('buildkite-agent version 3.107.0, build 0\n');
    process.exit(0);
  }
  const command = COMMANDS[`${group} ${name}`];
  if (!command) throw new Fatal(`no such command: ${[group, name].filter(Boolean).join(' ')}`);
  await command(args);
} catch (error) {
  process.stderr.write(`buildkite-agent: fatal: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
