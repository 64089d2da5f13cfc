// A policy with the warnings about it, for the commands that show them.

import { createLocator, type LoadedPolicy } from '../shared/core/policy/parse-yaml.ts';
import { readWrittenPolicy } from '../shared/core/policy/written-policy.ts';
import type { CheckedPolicy } from '../shared/core/policy-warnings/accepted.ts';
import { checkPolicy } from '../shared/core/policy-warnings/check.ts';
import type { PolicyWarning } from '../shared/core/policy-warnings/codes.ts';
import { createProblemPrinter, readDeployablePolicy } from './policy-file.ts';
import { EXIT, note } from './terminal.ts';

interface Checked extends LoadedPolicy, Omit<CheckedPolicy, 'problems'> {
  readonly text: string;
  /** The warnings that the file does not accept, for people: with their source lines. */
  readonly show: (stream: NodeJS.WriteStream) => string[];
  /** "file:line:column" of a warning. */
  readonly placeOf: (warning: PolicyWarning) => string;
}

/** As readDeployablePolicy; also ends the process when the file accepts a warning that there is not. */
export function readCheckedPolicy(file: string): Checked {
  const { text, ...loaded } = readDeployablePolicy(file);
  const { warnings, accepted, problems } = checkPolicy(loaded.policy, readWrittenPolicy(text));
  const locate = createLocator(text);
  if (problems.length > 0) {
    const print = createProblemPrinter({ file, text, stream: process.stderr });
    for (const problem of problems) note(print({ severity: 'error', ...locate(problem) }));
    process.exit(EXIT.failure);
  }
  return {
    ...loaded,
    text,
    warnings,
    accepted,
    show: (stream) => {
      const print = createProblemPrinter({ file, text, stream });
      const located = warnings.map((warning) => ({ code: warning.code, ...locate(warning) }));
      located.sort((left, right) => left.line - right.line || left.column - right.column);
      return located.map((warning) => print({ severity: 'warning', ...warning }));
    },
    placeOf: (warning) => {
      const { line, column } = locate(warning);
      return `${file}:${line}:${column}`;
    },
  };
}
