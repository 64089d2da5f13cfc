// The tables about events, their fields and the codes of failures, from the catalogue of events.

import type * as z from 'zod';
import type { Fields } from '../../shared/audit/events/definition.ts';
import { sharedFields } from '../../shared/audit/events/fields.ts';
import { recordFields } from '../../shared/audit/events/grant.ts';
import { REFUSAL_FIELDS } from '../../shared/audit/events/refusal.ts';
import { type AuditEventName, EVENTS, fieldsOf } from '../../shared/audit/events.ts';
import { FAILURE_CODES } from '../../shared/core/failure-code.ts';
import { JOB_TOKEN_REASONS } from '../../shared/core/oauth/refusal.ts';
import { name, sections, table } from './markdown.ts';
import { defOf, typeOf } from './schema-type.ts';

interface Definition {
  readonly means: string;
  readonly fields: Fields;
  readonly severity: string | { readonly of: readonly string[] };
  readonly labels?: Readonly<Record<string, string>>;
}
const events: readonly (readonly [string, Definition])[] = Object.entries(EVENTS).map(([event, definition]) => [
  event,
  { ...definition, fields: fieldsOf(event as AuditEventName) },
]);
const record = recordFields(sharedFields());

export function auditTables(): string {
  return sections(
    '### Events',
    table(
      ['event', 'severity', 'means'],
      events.map(([event, { severity, means }]) => [
        name(event),
        typeof severity === 'string' ? severity : severity.of.join(', '),
        means,
      ]),
    ),
    '### Fields of each event',
    'A field with `?` may be missing. *The record* is the grant as it is stored: see [Fields of the record](#fields-of-the-record).',
    table(
      ['event', 'labels', 'fields'],
      events.map(([event, { labels = {}, fields }]) => [
        name(event),
        Object.keys(labels).map(name).join(', ') || 'none',
        event === 'grant.refused' ? '`reason`, `credential`?, `job`?; by reason, see below' : fieldNames(fields),
      ]),
    ),
    '### Fields of `grant.refused` by reason',
    'Each is there where its value is known.',
    table(['reason', 'fields'], [...refusalRows()]),
    '### Fields of the record',
    table(['field', 'type', 'holds'], fieldRows([['', record]])),
    '### Other fields',
    table(
      ['field', 'type', 'holds'],
      fieldRows(
        events.map(([event, { fields }]) => [event, fields]),
        record,
      ),
    ),
    '### Codes of failures',
    table(
      ['code', 'means'],
      Object.entries(FAILURE_CODES).map(([code, means]) => [name(code), means]),
    ),
  );
}

/** Reasons that have the same fields are in one row. */
function* refusalRows(): Generator<string[]> {
  const reasons = Object.entries<readonly string[]>(REFUSAL_FIELDS).map(([reason, fields]) => ({
    reason: (JOB_TOKEN_REASONS as readonly string[]).includes(reason) ? '`job_token_…`' : name(reason),
    fields: fields.map(name).join(', ') || 'none',
  }));
  for (const fields of new Set(reasons.map((row) => row.fields)))
    yield [[...new Set(reasons.filter((row) => row.fields === fields).map(({ reason }) => reason))].join(', '), fields];
}

function fieldNames(fields: Fields): string {
  const names = Object.entries(fields).map(([field, schema]) => [field, optional(schema)] as const);
  const ofRecord = Object.keys(record);
  const isOfGrant = ofRecord.every((field) => field in fields);
  const others = names.filter(([field]) => !isOfGrant || !ofRecord.includes(field));
  const listed = others.map(([field, mayBeMissing]) => `${name(field)}${mayBeMissing ? '?' : ''}`);
  return [...(isOfGrant ? ['the record'] : []), ...listed].join(', ') || 'none';
}

/** A field that means the same in several events has one row. Otherwise each row names its events. */
function fieldRows(owners: readonly (readonly [string, Fields])[], known: Fields = {}): string[][] {
  const rows = new Map<string, { field: string; schema: z.ZodType; of: string[] }>();
  for (const [event, fields] of owners)
    for (const [field, schema] of Object.entries(fields)) {
      const meaning = descriptionOf(schema);
      if (field in known && descriptionOf(known[field] as z.ZodType) === meaning) continue;
      const key = `${field}: ${meaning}`;
      const row = rows.get(key) ?? { field, schema, of: [] };
      rows.set(key, { ...row, of: [...row.of, event] });
    }
  const all = [...rows.values()];
  return all.map(({ field, schema, of }) => {
    const isOnly = all.filter((row) => row.field === field).length === 1 && !(field in known);
    return [
      isOnly ? name(field) : `${name(field)} of ${of.map(name).join(', ')}`,
      typeOf(schema),
      descriptionOf(schema),
    ];
  });
}

/** `optional()` and `nullable()` keep the description of what they wrap. */
function descriptionOf(schema: z.ZodType): string {
  const { innerType } = defOf(schema);
  return schema.description ?? (innerType ? descriptionOf(innerType) : '');
}

function optional(schema: z.ZodType): boolean {
  return defOf(schema).type === 'optional';
}
