// How the commands read files. Knows nothing about what the files hold.

import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { checkPolicyText } from '../shared/core/policy/check-text.ts';
import type { ReadPolicy } from '../shared/core/policy/parse-yaml.ts';
import type { LocatedProblem } from '../shared/core/policy/places.ts';
import { renderProblem, type Severity } from '../shared/core/policy/render-problem.ts';
import { generatedRulesProblems } from '../shared/core/security-rules/limits.ts';
import { EXIT, fail, note, paint, printJsonError } from './terminal.ts';

export const NAME_POLICY = 'Name the policy with --policy or KEYDESK_POLICY.';

/**
 * The policy in a file, or the end of the process with every problem in it.
 * @param advice for a file that does not exist
 */
export function readPolicy(file: string, advice = `${NAME_POLICY} To start one: keydesk init.`): ReadPolicy {
  return toPolicy(readBytes(file, advice), file);
}

/** The policy in the bytes of a file, or the end of the process. @param file its name in messages */
export function toPolicy(bytes: Buffer, file: string): ReadPolicy {
  const text = toPolicyText(bytes, file);
  const result = checkPolicyText(text);
  if ('policy' in result) return result;
  printProblems([{ file, text, problems: result.problems }]);
  process.exit(EXIT.failure);
}

/** Shows problems on standard error, and with --json as data. */
export function printProblems(
  files: readonly { readonly file: string; readonly text: string; readonly problems: readonly LocatedProblem[] }[],
): void {
  for (const { file, text, problems } of files) {
    const print = createProblemPrinter({ file, text, stream: process.stderr });
    for (const problem of problems) note(print({ severity: 'error', ...problem }));
  }
  const places = files.flatMap(({ file, problems }) =>
    problems.map(({ line, column, where, message }) => ({ file, line, column, where, message })),
  );
  const names = files.map(({ file }) => file).join(', ');
  printJsonError(`${names}: ${places.length} ${places.length === 1 ? 'problem' : 'problems'}`, places);
}

/** Shows problems of a file with their source lines, in colour when `stream` is a terminal. */
export function createProblemPrinter({
  file,
  text,
  stream,
}: {
  file: string;
  text: string;
  stream: NodeJS.WriteStream;
}) {
  const colours = { error: 'red', warning: 'yellow' } as const;
  const inColour = (severity: Severity, plain: string) => paint(colours[severity], plain, stream);
  return (problem: LocatedProblem & { severity: Severity; code?: string }) =>
    renderProblem(problem, { file, text, paint: inColour });
}

/** As readPolicy; also ends the process when the security rules of the policy exceed Firestore's limits. */
export function readDeployablePolicy(file: string): ReadPolicy {
  const loaded = readPolicy(file);
  const problems = generatedRulesProblems(loaded.policy);
  if (problems.length > 0) fail(EXIT.failure, problems.map((problem) => `${file}: ${problem}`).join('\n'));
  return loaded;
}

/** The text of a file that is not a policy. */
export function readText(file: string): string {
  try {
    const bytes = readFileSync(file);
    return isUtf8(bytes) ? bytes.toString('utf8') : fail(EXIT.failure, `${file} is not UTF-8. Save it as UTF-8.`);
  } catch (error) {
    return fail(EXIT.failure, `${file} ${readError(error)}`);
  }
}

/** What is not UTF-8 has the replacement character, which is a problem with a place. */
function toPolicyText(bytes: Buffer, file: string): string {
  const utf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
  return utf16 ? fail(EXIT.failure, `${file} is UTF-16. Save it as UTF-8.`) : bytes.toString('utf8');
}

function readBytes(file: string, advice: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    return fail(EXIT.failure, `${file} ${readError(error)}${isMissing(error) ? ` ${advice}` : ''}`);
  }
}

/** Why a file cannot be read, in words that follow its name. */
export function readError(error: unknown): string {
  return READ_ERRORS[codeOf(error)] ?? `cannot be read: ${error instanceof Error ? error.message : error}`;
}

function isMissing(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes(codeOf(error));
}

function codeOf(error: unknown): string {
  return String(error instanceof Error && 'code' in error ? error.code : undefined);
}

const READ_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist.',
  ENOTDIR: 'does not exist.',
  EISDIR: 'is a folder. Name a file in it.',
  EACCES: 'cannot be read: you have no permission for it.',
};
