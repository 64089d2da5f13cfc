// A policy with the warnings about it, for the commands that show them.

import type { ReadPolicy } from '../shared/core/policy/parse-yaml.ts';
import { byPlace } from '../shared/core/policy/places.ts';
import type { AcceptedWarning } from '../shared/core/policy-warnings/accepted.ts';
import { checkPolicy } from '../shared/core/policy-warnings/check.ts';
import type { PolicyWarning } from '../shared/core/policy-warnings/codes.ts';
import { createProblemPrinter, printProblems, readDeployablePolicy } from './policy-file.ts';
import { EXIT } from './terminal.ts';

interface Checked extends ReadPolicy {
  /** Those that the file does not accept, and those that it does, in the order of the file. */
  readonly warnings: readonly Located<PolicyWarning>[];
  readonly accepted: readonly Located<AcceptedWarning>[];
  /** Makes text for people of a warning that the file does not accept, with its source line. */
  readonly show: (warning: PolicyWarning, stream: NodeJS.WriteStream) => string;
}

type Located<Warning> = Warning & { readonly line: number; readonly column: number };

/** As readDeployablePolicy; also ends the process for what is certainly wrong and harms no function. */
export function readCheckedPolicy(file: string): Checked {
  const read = readDeployablePolicy(file);
  const { text, locate } = read;
  const { warnings, accepted, problems } = checkPolicy(read);
  if (problems.length > 0) {
    printProblems([{ file, text, problems: problems.map((problem) => locate(problem)) }]);
    process.exit(EXIT.failure);
  }
  const inOrder = <Warning extends PolicyWarning>(found: readonly Warning[]): Located<Warning>[] =>
    found
      .map((warning) => {
        const { line, column } = locate(warning);
        return { ...warning, line, column };
      })
      .sort(byPlace);
  return {
    ...read,
    warnings: inOrder(warnings),
    accepted: inOrder(accepted),
    show: ({ code, ...problem }, stream) =>
      createProblemPrinter({ file, text, stream })({ severity: 'warning', code, ...locate(problem) }),
  };
}
