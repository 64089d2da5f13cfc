// What the benchmarks share: medians, tables with their aims, and what surrounds the functions.

import type { FakeBuildkite } from '../sandbox/fakes/buildkite/buildkite.ts';
import type { FakeGoogle } from '../sandbox/fakes/google/google.ts';

export interface Surroundings {
  readonly buildkite: FakeBuildkite;
  readonly google: FakeGoogle;
  readonly settings: Readonly<Record<string, string>>;
}

/** A figure of a run. `aim` is the most that it should be. */
export interface Figure {
  readonly section: string;
  readonly label: string;
  readonly value: number;
  readonly unit: string;
  readonly aim?: number;
}

/** All figures of this run, in their order. */
export const figures: Figure[] = [];
let section = '';

export function title(text: string): void {
  section = text;
  process.stdout.write(`\n${text}\n${'-'.repeat(text.length)}\n`);
}

/** Prints a figure and keeps it. @param note what else the line says */
export function row(
  label: string,
  value: number,
  unit: string,
  note = '',
  { aim }: { readonly aim?: number } = {},
): void {
  figures.push({ section, label, value: Number(value.toPrecision(4)), unit, ...(aim === undefined ? {} : { aim }) });
  const judged = aim === undefined ? '' : `aim: at most ${aim}${value <= aim ? '' : ', MISSED'}`;
  const notes = [note, judged].filter((text) => text !== '').join('; ');
  process.stdout.write(
    `${label.padEnd(58)} ${value.toFixed(value < 10 ? 2 : 0).padStart(8)} ${unit.padEnd(6)} ${notes}\n`,
  );
}

export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** By the nearest rank. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN;
}

export async function milliseconds(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

/** Medians of `rounds` runs of each, taken in turn so that a busy moment meets them all. */
export async function inTurn<Name extends string>(
  rounds: number,
  runs: Readonly<Record<Name, () => Promise<number>>>,
): Promise<Record<Name, number>> {
  const names = Object.keys(runs) as Name[];
  const taken = new Map<Name, number[]>(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round += 1) for (const name of names) taken.get(name)?.push(await runs[name]());
  return Object.fromEntries(names.map((name) => [name, median(taken.get(name) ?? [])])) as Record<Name, number>;
}
