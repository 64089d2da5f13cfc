// What Stryker wrote in its report, and what is to say about it. Pure.
// Source: https://github.com/stryker-mutator/mutation-testing-elements/tree/master/packages/report-schema

import * as z from 'zod';
import type { Explanation } from './explanations.ts';

/** Lines and columns count from 1. */
const position = z.object({ line: z.number(), column: z.number() });

export const reportSchema = z.object({
  files: z.record(
    z.string(),
    z.object({
      source: z.string(),
      mutants: z.array(
        z.object({
          mutatorName: z.string(),
          replacement: z.string(),
          status: z.enum(['Killed', 'Timeout', 'Survived', 'NoCoverage', 'Ignored', 'RuntimeError', 'CompileError']),
          location: z.object({ start: position, end: position }),
        }),
      ),
    }),
  ),
});
type Report = z.output<typeof reportSchema>;
type Location = Report['files'][string]['mutants'][number]['location'];

export interface Mutant {
  /** Path in the repository. */
  readonly file: string;
  readonly lines: { readonly first: number; readonly last: number };
  /** The lines as they are, and as the mutant has them, with single spaces. */
  readonly from: string;
  readonly becomes: string;
  readonly survived: boolean;
}

/** Without those that Stryker did not run: of what runs once at import, and of what does not load. */
export function mutantsOf({ files }: Report): Mutant[] {
  return Object.entries(files).flatMap(([file, { source, mutants }]) =>
    mutants
      .filter(({ status }) => ['Killed', 'Timeout', 'Survived', 'NoCoverage'].includes(status))
      .map(({ replacement, status, location }) => ({
        file,
        lines: { first: location.start.line, last: location.end.line },
        from: oneLine(linesOf(source, location).join('\n')),
        becomes: oneLine(replaceIn(source, location, replacement)),
        survived: status === 'Survived' || status === 'NoCoverage',
      })),
  );
}

/** The mutants, where one that survived may be among `again`, judged by more tests. */
export function judgedAgain(mutants: readonly Mutant[], again: readonly Mutant[]): Mutant[] {
  const killed = new Set(again.filter(({ survived }) => !survived).map(keyOf));
  return mutants.map((mutant) => ({ ...mutant, survived: mutant.survived && !killed.has(keyOf(mutant)) }));
}

interface Row {
  readonly file: string;
  readonly mutants: number;
  readonly killed: number;
  readonly explained: number;
}

export interface Judgement {
  readonly rows: readonly Row[];
  /** Survivors that nobody has explained. */
  readonly left: readonly Mutant[];
  /** Explanations of mutants of these files that did not survive, or are no more. */
  readonly stale: readonly Explanation[];
}

export function judge(mutants: readonly Mutant[], explanations: readonly Explanation[]): Judgement {
  const explained = new Set(explanations.map(keyOf));
  const survivors = mutants.filter(({ survived }) => survived);
  const surviving = new Set(survivors.map(keyOf));
  const byFile = Map.groupBy(mutants, ({ file }) => file);
  return {
    rows: [...byFile].map(([file, ofFile]) => ({
      file,
      mutants: ofFile.length,
      killed: ofFile.filter(({ survived }) => !survived).length,
      explained: ofFile.filter((mutant) => mutant.survived && explained.has(keyOf(mutant))).length,
    })),
    left: survivors.filter((mutant) => !explained.has(keyOf(mutant))),
    stale: explanations.filter((explanation) => byFile.has(explanation.file) && !surviving.has(keyOf(explanation))),
  };
}

/** With single spaces, so that a change of format changes nothing. */
export function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}

function keyOf({ file, from, becomes }: Pick<Mutant, 'file' | 'from' | 'becomes'>): string {
  return JSON.stringify([file, from, becomes]);
}

function linesOf(source: string, { start, end }: Location): string[] {
  return source.split('\n').slice(start.line - 1, end.line);
}

function replaceIn(source: string, location: Location, replacement: string): string {
  const lines = linesOf(source, location);
  const before = lines[0]?.slice(0, location.start.column - 1) ?? '';
  const after = lines.at(-1)?.slice(location.end.column - 1) ?? '';
  return before + replacement + after;
}
