// What a fuzz target is: a parser that meets the outside, with what must hold for every input. A file in targets/ exports one
// as `target`, and its name is the file's.

import { readdirSync, readFileSync } from 'node:fs';

export interface Target {
  /** Whose input it is, and what must hold, in one sentence. */
  readonly claim: string;
  /** Files of the product that it is about: their coverage is reported, and their texts are words for new inputs. */
  readonly files: readonly string[];
  /** Inputs to begin with, in which every part of the format occurs. */
  readonly seeds: readonly string[];
  /** Bytes of the longest input; 4 KiB by default. */
  readonly longest?: number;
  /** Gives the parser one input. @throws Error when something that must hold does not, or when the parser throws */
  readonly run: (input: Buffer) => void | Promise<void>;
}

const FOLDER = new URL('targets/', import.meta.url);
export const ROOT = new URL('../../', import.meta.url);

export const TARGETS: readonly string[] = readdirSync(FOLDER)
  .map((file) => file.replace(/\.ts$/, ''))
  .sort();

export async function loadTarget(name: string): Promise<Target> {
  const { target } = (await import(new URL(`${name}.ts`, FOLDER).href)) as { readonly target: Target };
  return target;
}

/** Strings in quotes and names with an underscore, which are mostly names on the wire. */
const WORD = /'((?:[^'\\\n]|\\.){1,60})'|\b([a-z]+(?:_[a-z0-9]+)+)\b/g;

/** What the source of the parser is looking for. */
export function wordsOf({ files }: Target): string[] {
  const texts = files.map((file) => readFileSync(new URL(file, ROOT), 'utf8').replaceAll(/^import .*$/gm, ''));
  return [
    ...new Set(texts.flatMap((text) => [...text.matchAll(WORD)].map(([, quoted, name]) => quoted ?? name ?? ''))),
  ];
}

/** Says what must hold. */
export function demand(holds: boolean, claim: string): asserts holds {
  if (!holds) throw new Error(`does not hold: ${claim}`);
}

/** Both as JSON, whose members may have any order. */
export function demandEqual(actual: unknown, expected: unknown, claim: string): void {
  const [one, other] = [actual, expected].map((value) => JSON.stringify(sorted(value)));
  demand(one === other, `${claim}: ${one?.slice(0, 300)} is not ${other?.slice(0, 300)}`);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return members.sort(([one], [other]) => (one < other ? -1 : 1)).map(([name, member]) => [name, sorted(member)]);
}
