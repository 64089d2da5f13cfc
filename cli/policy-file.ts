// How the commands read files. Knows nothing about what the files hold.

import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { checkPolicyText } from '../shared/core/policy/check-text.ts';
import type { LoadedPolicy } from '../shared/core/policy/parse-yaml.ts';
import type { LocatedProblem } from '../shared/core/policy/places.ts';
import { renderProblem, type Severity } from '../shared/core/policy/render-problem.ts';
import { generatedRulesProblems } from '../shared/core/security-rules/limits.ts';
import { EXIT, fail, note, paint } from './terminal.ts';

/** The policy in a file and the file's text, or the end of the process with every problem in it. */
export function readPolicy(file: string): LoadedPolicy & { readonly text: string } {
  const text = readText(file);
  const result = checkPolicyText(text);
  if ('policy' in result) return { ...result, text };
  const print = createProblemPrinter({ file, text, stream: process.stderr });
  for (const problem of result.problems) note(print({ severity: 'error', ...problem }));
  process.exit(EXIT.failure);
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
export function readDeployablePolicy(file: string): ReturnType<typeof readPolicy> {
  const loaded = readPolicy(file);
  const problems = generatedRulesProblems(loaded.policy);
  if (problems.length > 0) fail(EXIT.failure, problems.map((problem) => `${file}: ${problem}`).join('\n'));
  return loaded;
}

export function readText(file: string): string {
  try {
    const bytes = readFileSync(file);
    return isUtf8(bytes) ? bytes.toString('utf8') : fail(EXIT.failure, `${file} is not UTF-8`);
  } catch (error) {
    return fail(EXIT.failure, `${file} cannot be read: ${error instanceof Error ? error.message : error}`);
  }
}
