// How the commands read files. Knows nothing about what the files hold.

import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { type LoadedPolicy, parsePolicy } from '../shared/core/policy/parse-yaml.ts';
import { generatedRulesProblems } from '../shared/core/security-rules/limits.ts';
import { EXIT, fail } from './terminal.ts';

/** The policy in a file and the file's text, or the end of the process with every problem in it. */
export function readPolicy(file: string): LoadedPolicy & { readonly text: string } {
  const text = readText(file);
  const result = parsePolicy(text, file);
  return 'problems' in result ? fail(EXIT.failure, result.problems.join('\n')) : { ...result, text };
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
