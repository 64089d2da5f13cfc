// Prints why Firestore's rules allow or deny a request with a token of Keydesk.

import { visible } from '../shared/core/policy/visible-text.ts';
import {
  type ACCESS_VERBS,
  type AccessCheck,
  type AccessExplanation,
  explainAccess,
  introspectionSchema,
} from '../shared/core/security-rules/explain-access.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import { readInput } from './input.ts';
import { readDeployablePolicy, readText } from './policy-file.ts';
import { EXIT, fail, print, printJson } from './terminal.ts';

interface Request {
  /** A file with the response of `/introspect`, or `-`. */
  readonly grant: string;
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

export function explainGrant({ grant: file, path, verb, policyFile, rulesFile, json }: Request): void {
  const { policy, sha256 } = readDeployablePolicy(policyFile);
  const explanation = explainAccess({
    ...{ grant: readGrant(file), path, verb, policy },
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

function readGrant(file: string) {
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
  if (!database) return [];
  const { project, database: id } = database;
  const check = `keydesk rules check --policy ${policyFile} --project ${project} --database '${id}' --file ${rulesFile ?? 'FILE'}`;
  const deployed = [
    'The deployed rules may be older than the policy. Save the rules that the Firebase console shows to FILE, and run:',
    `  ${check}`,
  ];
  if (verdict === 'denied') return deployed;
  return [
    ...deployed,
    'If they agree, check that the request has the token of this grant, and that App Check is not enforced for Firestore.',
    'docs/CLIENTS.md lists requests that no rule can allow.',
  ];
}
