// Makes the JSON Schema of a file that people write out of the schema that parses it, for editors.

import * as z from 'zod';

export type JsonSchema = z.core.JSONSchema.BaseSchema;

export function toJsonSchema(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, { io: 'input' });
}

/** By the path of a schema, with `*` in place of the names of a map and of the items of a list. */
interface Additions {
  /** What the parser checks in code. */
  readonly checkedInCode: Readonly<Record<string, JsonSchema>>;
  readonly descriptions: Readonly<Record<string, string>>;
}

/** Adds to `schema` and to the schemas in it. */
export function completeSchema(schema: JsonSchema, additions: Additions, path: readonly string[] = []): JsonSchema {
  const name = path.join('.');
  const { properties, items, additionalProperties, ...rest } = { ...schema, ...additions.checkedInCode[name] };
  const description = additions.descriptions[name];
  const inner = <T>(part: T, step: string): T | JsonSchema =>
    isSchema(part) ? completeSchema(part, additions, [...path, step]) : part;
  return {
    ...(description === undefined ? {} : { description }),
    ...rest,
    ...(items && { items: inner(items, '*') }),
    ...(properties && {
      properties: Object.fromEntries(Object.entries(properties).map(([key, part]) => [key, inner(part, key)])),
    }),
    ...(additionalProperties !== undefined && { additionalProperties: inner(additionalProperties, '*') }),
  };
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
