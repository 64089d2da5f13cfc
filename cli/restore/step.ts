// One step of a restore: what of it is done, which commands do the rest, what it proves and what comes next.

import { visible } from '../../shared/core/policy/visible-text.ts';
import { EXIT, print, printJson } from '../terminal.ts';

export interface Item {
  readonly done: boolean;
  /** What is so when it is done, or what is not so yet. */
  readonly what: string;
  /** What does it, or who. */
  readonly commands: readonly string[];
}

export interface Step {
  readonly step: 'close' | 'database' | 'switch' | 'hold' | 'replay' | 'open';
  readonly items: readonly Item[];
  /** Once all is done. */
  readonly proves: string;
  /** What it does not prove. */
  readonly not_proven: readonly string[];
  /** The command line of the next step; null: there is none. */
  readonly next: string | null;
  /** What a program reads of it, with --json. */
  readonly result?: unknown;
}

export function isDone({ items }: Pick<Step, 'items'>): boolean {
  return items.every(({ done }) => done);
}

export function report(step: Step, json: true | undefined): void {
  if (json) printJson({ ...step, done: isDone(step) });
  else for (const line of stepLines(step)) print(visible(line));
  if (!isDone(step)) process.exitCode = EXIT.failure;
}

function stepLines(step: Step): string[] {
  const { items, proves, not_proven, next } = step;
  const lines = items.flatMap(({ done, what, commands }) => [
    `${done ? 'done ' : 'to do'}  ${what}`,
    ...(done ? [] : commands.map((command) => `         ${command}`)),
  ]);
  if (!isDone(step)) return [...lines, '', `Do what is to be done. Then run this command again.`];
  return [
    ...lines,
    '',
    `Proven: ${proves}`,
    ...not_proven.map((what) => `Not proven: ${what}`),
    ...(next === null ? [] : [`Next: ${next}`]),
  ];
}

export function item(
  done: boolean,
  { yes, no }: { readonly yes: string; readonly no: string },
  ...commands: string[]
): Item {
  return { done, what: done ? yes : no, commands };
}
