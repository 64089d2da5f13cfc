// The policy of `npm start -- --approvals`: examples/approvals and examples/break-glass together.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { parse, stringify } from 'yaml';
import { ROOT } from '../functions.ts';

type Data = Readonly<Record<string, unknown>>;

/** Writes it into a folder of its own. */
export function writeApprovalsPolicy(): { readonly file: string; readonly remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'keydesk-approvals-'));
  const file = join(folder, 'policy.yaml');
  writeFileSync(file, approvalsPolicyText());
  return { file, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

export function approvalsPolicyText(): string {
  const texts = ['approvals', 'break-glass'].map((name) =>
    readFileSync(join(ROOT, 'examples', name, 'policy.yaml'), 'utf8'),
  );
  return stringify(mergeExamples(texts.map((text) => parse(text) as Data)));
}

/** Rules of all, in their order. @throws Error where one name means different things in two of them */
export function mergeExamples([first = {}, ...others]: readonly Data[]): Data {
  let merged = first;
  for (const other of others)
    for (const [key, value] of Object.entries(other)) merged = { ...merged, [key]: merge(key, merged[key], value) };
  return merged;
}

function merge(path: string, one: unknown, other: unknown): unknown {
  if (one === undefined || isDeepStrictEqual(one, other)) return other;
  if (Array.isArray(one) && Array.isArray(other)) return [...one, ...other];
  if (!isData(one) || !isData(other) || path.includes('.'))
    throw new Error(`examples/approvals and examples/break-glass differ in ${path}: give it one value, or two names`);
  const entries = Object.entries(other).map(([name, value]) => [name, merge(`${path}.${name}`, one[name], value)]);
  return { ...one, ...Object.fromEntries(entries) };
}

function isData(value: unknown): value is Data {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
