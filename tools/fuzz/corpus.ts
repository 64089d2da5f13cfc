// The inputs that are kept for a target: one JSON object a line, with the input as text, or as base64 where it is no UTF-8.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';

export interface Kept {
  readonly input: Buffer;
  /** What the input showed before it was fixed. Such an input is kept whatever it covers. */
  readonly found?: string;
}

export function readCorpus(name: string): Kept[] {
  const file = fileOf(name);
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8').split('\n').filter(Boolean).map(parse);
}

export function writeCorpus(name: string, kept: readonly Kept[]): void {
  writeFileSync(fileOf(name), kept.map((one) => `${print(one)}\n`).join(''));
}

function fileOf(name: string): URL {
  return new URL(`corpora/${name}.jsonl`, import.meta.url);
}

function parse(line: string): Kept {
  const { text, base64, found } = JSON.parse(line) as { text?: string; base64?: string; found?: string };
  const input = text === undefined ? Buffer.from(base64 ?? '', 'base64') : Buffer.from(text);
  return { input, ...(found === undefined ? {} : { found }) };
}

function print({ input, found }: Kept): string {
  const text = input.toString('utf8');
  return JSON.stringify({
    ...(Buffer.from(text).equals(input) ? { text } : { base64: input.toString('base64') }),
    found,
  });
}
