// The tables about stored documents: the fields of each collection, when documents are deleted, and what is indexed.

import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { COLLECTIONS, type Collection } from '../../shared/ledger/collections.ts';
import { type Blocks, name, names, table } from './markdown.ts';
import { defOf, typeOf } from './schema-type.ts';

const indexFile = z.object({
  indexes: z.array(z.object({ collectionGroup: z.string(), fields: z.array(z.object({ fieldPath: z.string() })) })),
  fieldOverrides: z.array(
    z.object({ collectionGroup: z.string(), fieldPath: z.string(), ttl: z.boolean().default(false) }),
  ),
});

/** A field of a collection; a member has its name behind a dot. */
interface Field {
  readonly name: string;
  readonly type: string;
  /** The kinds of records that have it, or the functions; empty when all have it. */
  readonly kinds: readonly string[];
}

/** @param root of the repository, with a slash at its end */
export function storageTables(root: string): Blocks {
  const { indexes, fieldOverrides } = indexFile.parse(
    JSON.parse(readFileSync(`${root}firestore.indexes.json`, 'utf8')),
  );
  const collections = Object.entries(COLLECTIONS);
  const exempt = (collection: string, field: string) =>
    fieldOverrides.some((each) => each.collectionGroup === collection && each.fieldPath === field);
  return {
    ...Object.fromEntries(collections.map(([collection, definition]) => [collection, fieldTable(definition)])),
    deletion: table(
      ['collection', 'field of the TTL policy', 'deleted'],
      collections.map(([collection, { kept }]) => {
        const ttl = fieldOverrides.filter((each) => each.collectionGroup === collection && each.ttl);
        if (ttl.length > 0 !== (kept !== undefined))
          throw new Error(`${collection} is kept for a time and has no TTL policy, or the other way around`);
        return [
          name(collection),
          names(ttl.map(({ fieldPath }) => fieldPath)) || 'none',
          kept ? `${kept.days} days after ${kept.after}` : 'never',
        ];
      }),
    ),
    indexes: table(
      ['collection', 'indexes of several fields', 'fields with an index of their own'],
      collections.map(([collection, definition]) => [
        name(collection),
        indexes
          .filter(({ collectionGroup }) => collectionGroup === collection)
          .map(({ fields }) => fields.map(({ fieldPath }) => name(fieldPath)).join(' + '))
          .join('; ') || 'none',
        names(indexedFields(definition, (field) => exempt(collection, field))) || 'none',
      ]),
    ),
  };
}

/** An exemption of an object or a list holds for its members too. Members of a list have no index of their own. */
function indexedFields(definition: Collection, exempt: (field: string) => boolean): string[] {
  const fields = fieldsOf(definition);
  const isObject = (field: Field) => field.type.startsWith('object');
  return fields
    .filter((field) => {
      const outer = fields.filter((each) => field.name.startsWith(`${each.name}.`));
      return !isObject(field) && outer.every((each) => isObject(each) && !exempt(each.name)) && !exempt(field.name);
    })
    .map((field) => field.name);
}

function fieldTable(definition: Collection): string {
  return table(
    ['field', 'type', 'holds'],
    fieldsOf(definition)
      .filter((field) => field.name !== 'schema_version')
      .map((field) => {
        const description = definition.fields[field.name];
        if (description === undefined) throw new Error(`the field ${field.name} has no description`);
        const only = field.kinds.length > 0 && !field.name.includes('.') ? onlyOf(definition, field.kinds) : '';
        return [name(field.name), field.type, `${description}${only}`];
      }),
  );
}

function onlyOf({ schema }: Collection, kinds: readonly string[]): string {
  const one = defOf(schema).discriminator ?? 'kind';
  return `. Only of the ${kinds.length > 1 ? `${one}s` : one} ${kinds.map(name).join(' and ')}`;
}

/** Every field that documents of a collection have. */
function fieldsOf({ schema, added = {} }: Collection): Field[] {
  const { options = [schema], discriminator = 'kind' } = defOf(schema);
  const all = options.flatMap((option) => {
    const { shape = {} } = defOf(option);
    const named = shape[discriminator];
    const kind = named ? typeOf(named).replaceAll('`', '') : '';
    return membersOf(shape, '').map((member) => ({ ...member, kind }));
  });
  const written = membersOf({ ...added, schema_version: z.int() }, '').map((member) => ({ ...member, kinds: [] }));
  const read = [...new Set(all.map((member) => member.name))].map((field) => {
    const found = all.filter((member) => member.name === field);
    return {
      name: field,
      // Values that are named for several kinds are named once.
      type: [...new Set(found.flatMap(({ type }) => type.split(', ')))].join(', '),
      kinds: found.length < options.length ? found.map(({ kind }) => kind) : [],
    };
  });
  return [...read, ...written];
}

function membersOf(shape: Readonly<Record<string, z.ZodType>>, outer: string): { name: string; type: string }[] {
  return Object.entries(shape).flatMap(([key, schema]) => {
    const field = `${outer}${key}`;
    const inner = unwrap(schema);
    const { element, shape: members } = defOf(inner);
    const itemMembers = element && defOf(unwrap(element)).shape;
    const type = storedType(field, members ? 'object' : itemMembers ? 'list of objects' : typeOf(inner));
    const nested = members ?? itemMembers;
    return [{ name: field, type: `${type}${missing(schema)}` }, ...(nested ? membersOf(nested, `${field}.`) : [])];
  });
}

/** Times are numbers in Keydesk and timestamps in Firestore: shared/firestore/client.ts. */
function storedType(field: string, type: string): string {
  return type === 'number' && /_(at|until|since)$/.test(field) ? 'timestamp' : type;
}

function unwrap(schema: z.ZodType): z.ZodType {
  const { type, innerType } = defOf(schema);
  return innerType && ['optional', 'nullable', 'default'].includes(type) ? unwrap(innerType) : schema;
}

function missing(schema: z.ZodType): string {
  const { type, innerType } = defOf(schema);
  const rest = innerType ? missing(innerType) : '';
  if (type === 'nullable') return `, or \`null\`${rest}`;
  return type === 'optional' ? `, or absent${rest}` : rest;
}
