// What the last run of `npm run bench -- --history` measured, where it has an aim, for docs/VERIFICATION.md.

import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { type Blocks, table } from './markdown.ts';

const runSchema = z.object({
  at: z.iso.datetime(),
  version: z.string(),
  node: z.string(),
  cores: z.number(),
  figures: z.array(
    z.object({
      section: z.string(),
      label: z.string(),
      value: z.number(),
      unit: z.string(),
      aim: z.number().optional(),
    }),
  ),
});

/** @param root of the repository, with a slash at its end */
export function speedTables(root: string): Blocks {
  const last = readFileSync(`${root}bench/history.jsonl`, 'utf8').trim().split('\n').at(-1) ?? '';
  const { at, version, node, cores, figures } = runSchema.parse(JSON.parse(last));
  const rows = figures
    .filter(({ aim }) => aim !== undefined)
    .map(({ section, label, value, unit, aim = Number.NaN }) => [
      `${section}: ${label}`,
      `${Number(value.toPrecision(3))} ${unit}`.trim(),
      `${aim}${value > aim ? ', missed' : ''}`,
    ]);
  return {
    speed: [
      `Measured ${at.slice(0, 10)}, version ${version}, Node ${node}, ${cores} cores.`,
      '',
      table(['figure', 'measured', 'at most'], rows),
    ].join('\n'),
  };
}
