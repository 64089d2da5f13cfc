// The table of what `keydesk doctor --live --json` writes, from its schema.

import type * as z from 'zod';
import { documentSchema } from '../../cli/live/document.ts';
import { type Blocks, name, table } from './markdown.ts';
import { defOf } from './schema-type.ts';

export function liveTables(): Blocks {
  return { 'live document': table(['field', 'meaning'], rowsOf(documentSchema, '')) };
}

/** A row for each field, and for each member behind a dot. Those of a distribution are named in it. */
function rowsOf(schema: z.ZodType, path: string): string[][] {
  return Object.entries(defOf(schema).shape ?? {}).flatMap(([key, field]) => {
    const { description } = field;
    const { type, element } = defOf(field);
    const inner = type === 'array' && element ? element : field;
    const own = `${path}${key}${type === 'array' ? '[]' : ''}`;
    if (description === undefined) throw new Error(`${own} has no description`);
    return [[name(own), `${description}.`], ...rowsOf(inner, `${own}.`)];
  });
}
