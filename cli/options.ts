// Options that several commands have, and the form of their examples.

import { Option } from '@commander-js/extra-typings';
import { DEFAULT_POLICY_FILE } from '../shared/core/settings.ts';
import { shellQuote } from '../shared/core/shell-quote.ts';
import { EXIT, fail } from './terminal.ts';

/** KEYDESK_POLICY is also what the token function reads. */
export function defaultPolicy(): string {
  return process.env.KEYDESK_POLICY || DEFAULT_POLICY_FILE;
}

export function policyOption() {
  return new Option('--policy <file>', 'policy file').default(
    defaultPolicy(),
    `KEYDESK_POLICY, else ${DEFAULT_POLICY_FILE}`,
  );
}

/** For `addHelpText('after', …)`: command lines, each without `keydesk`. */
export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ keydesk ${line}`).join('\n')}`;
}

/** The start of a command line that explains decisions of the policy in `file`. */
export function explainWith(file: string): string {
  return file === defaultPolicy() ? 'keydesk policy explain' : `keydesk policy explain --policy ${shellQuote(file)}`;
}

/** The value of an option that a command needs. Commander would ask for it before it reports an unknown option. */
export function required<Value>(value: Value | undefined, flags: string): Value {
  return value ?? fail(EXIT.usage, `${flags} is required.`);
}

/** Collects an option that may be given several times. */
export function collect(value: string, values: readonly string[] = []): string[] {
  return [...values, value];
}
