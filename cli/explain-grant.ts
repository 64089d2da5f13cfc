// Prints why Firestore's rules allow or deny a request with a token of Keydesk.

import { existsSync } from 'node:fs';
import type { GrantDetails } from '../shared/core/operator-api/grant.ts';
import { READER_ROUTES } from '../shared/core/operator-api/reader.ts';
import { visible } from '../shared/core/policy/visible-text.ts';
import {
  type ACCESS_VERBS,
  type AccessCheck,
  type AccessExplanation,
  explainAccess,
  type Introspection,
  introspectionSchema,
} from '../shared/core/security-rules/explain-access.ts';
import { shellCommand } from '../shared/core/shell-quote.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import { endOf } from './grants/end-of-grant.ts';
import { isGrantId } from './grants/grant-id.ts';
import { readInput } from './input.ts';
import { openOperatorApi } from './operator-api.ts';
import { readDeployablePolicy, readText } from './policy-file.ts';
import { EXIT, fail, print, printJson } from './terminal.ts';

interface Request {
  /** A file with the response of `/introspect`, or `-`; or the id of a grant, which the function `reader` looks up. */
  readonly grant: string;
  readonly reader: string | undefined;
  readonly impersonate: string | undefined;
  readonly path: string;
  readonly verb: (typeof ACCESS_VERBS)[number];
  readonly policyFile: string;
  readonly rulesFile: string | undefined;
  readonly json: boolean;
}

const VERDICTS: Readonly<Record<AccessExplanation['verdict'], string>> = {
  denied: 'The generated rules deny the request:',
  allowed: 'The generated rules allow the request, as far as this command can see:',
  unknown: 'This command cannot tell whether the generated rules allow the request:',
};

export async function explainGrant(request: Request): Promise<void> {
  const { path, verb, policyFile, rulesFile, json } = request;
  const { policy, sha256 } = readDeployablePolicy(policyFile);
  const { grant, end = undefined } =
    isGrantId(request.grant) && !existsSync(request.grant)
      ? await lookUpGrant(request)
      : { grant: readGrant(request.grant) };
  const explanation = explainAccess({
    ...{ grant, end, path, verb, policy },
    rules: rulesFile === undefined ? undefined : readText(rulesFile),
    now: systemClock.now(),
  });
  const { verdict, checks, database, allow } = explanation;
  if (json) {
    printJson({ verdict, ...{ path, verb, policy_sha256: sha256 }, ...database, checks, allow: allow ?? null });
    return;
  }
  print(VERDICTS[verdict]);
  for (const check of checks) for (const line of checkLines(check)) print(line);
  for (const line of whatElse(explanation, policyFile, rulesFile)) print(line);
}

async function lookUpGrant({ grant: id, reader: url, impersonate }: Request) {
  const call = await openOperatorApi('reader', READER_ROUTES, { url, impersonate });
  const grant = await call('getGrant', { params: { id } });
  return { grant: toIntrospection(grant), end: endOf(grant) };
}

/** What `/introspect` would return for the token of a grant that lives longest. */
function toIntrospection(grant: GrantDetails): Introspection {
  const { state, tokens, expires_at, credential, environment, ended_at } = grant;
  const ends = tokens.map((token) => Math.min(Date.parse(token.expires_at), Date.parse(expires_at)));
  // Rules look at the grant, and it is open in these states alone.
  if (ends.length === 0 || (state !== 'active' && state !== 'issuing'))
    return { active: false, credential, environment };
  const exp = Math.floor(Math.max(...ends) / 1000);
  return { active: true, exp, credential, environment, renewable: ended_at === null };
}

function readGrant(file: string): Introspection {
  const name = file === '-' ? 'standard input' : file;
  let json: unknown;
  try {
    json = JSON.parse(readInput(file));
  } catch {
    return fail(EXIT.failure, `${name}: It is not JSON. Give the response of POST /introspect.`);
  }
  const parsed = introspectionSchema.safeParse(json);
  return parsed.success
    ? parsed.data
    : fail(EXIT.failure, `${name}: It has no member active. Give the response of POST /introspect.`);
}

function checkLines({ check, result, text, fix, yaml = [] }: AccessCheck): string[] {
  return [
    `  ${result.padEnd(7)}  ${check}: ${text}`,
    ...(fix === undefined ? [] : [`           What to do: ${fix}`]),
    ...(yaml.length > 0 ? ['           An entry of allow that opens it. It widens the policy:'] : []),
    ...yaml.map((line) => `             ${line}`),
  ].map(visible);
}

function whatElse(
  { verdict, database }: AccessExplanation,
  policyFile: string,
  rulesFile: string | undefined,
): string[] {
  // What the policy denies, no deployed version of its rules should allow.
  if (!database || verdict === 'denied') return [];
  const { project, database: id } = database;
  const check = shellCommand`keydesk rules check --policy ${policyFile} --project ${project} --database ${id} --file ${rulesFile ?? 'FILE'}`;
  return [
    'The deployed rules may be older than the policy. Save the rules that the Firebase console shows to FILE, and run:',
    `  ${check}`,
    'If they agree, check that the request has the token of this grant, and that App Check is not enforced for Firestore.',
    'docs/CLIENTS.md lists requests that no rule can allow.',
  ];
}
