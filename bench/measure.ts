// What the benchmarks share: medians, tables, and what surrounds the functions.

import type { FakeBuildkite } from '../sandbox/fakes/buildkite/buildkite.ts';
import type { FakeGoogle } from '../sandbox/fakes/google/google.ts';

export interface Surroundings {
  readonly buildkite: FakeBuildkite;
  readonly google: FakeGoogle;
  readonly settings: Readonly<Record<string, string>>;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
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

export function title(text: string): void {
  process.stdout.write(`\n${text}\n${'-'.repeat(text.length)}\n`);
}

export function row(label: string, value: number, unit: string, note = ''): void {
  process.stdout.write(
    `${label.padEnd(58)} ${value.toFixed(value < 10 ? 2 : 0).padStart(8)} ${unit.padEnd(6)} ${note}\n`,
  );
}
