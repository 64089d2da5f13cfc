// The JSON Schema of the policy file, for editors: made of the schema that parses, and of what the parser checks in code as far
// as JSON Schema can say it. It refuses nothing that the parser accepts; the parser refuses more. Its keywords mean the same in
// draft-07, because many editors know no later draft.

import * as z from 'zod';
import { WARNING_CODES } from '../policy-warnings/codes.ts';
import { AGENT_TAG } from './claims.ts';
import { DESCRIPTIONS } from './descriptions.ts';
import { GRANT_COLLECTION } from './document-path.ts';
import { PIPELINE_NAME } from './pipelines.ts';
import { policySchema } from './policy.ts';
import { claimPatterns, isUuidClaim, MATCH_KEYS, SCOPING_KEYS, UUID } from './rule.ts';

type JsonSchema = z.core.JSONSchema.BaseSchema;

const NAME = '[A-Za-z0-9_-]{1,128}';
const WILDCARD = '[A-Za-z_][A-Za-z0-9_]{0,63}';
const SEGMENT = `(?:${NAME}|\\{${WILDCARD}\\})`;
/** Collections and documents alternate, and {name=**} is any number of segments. */
const DOCUMENT_PATH = `^(?!${GRANT_COLLECTION}/)${NAME}/(?:(?:${SEGMENT}/)*\\{${WILDCARD}=\\*\\*\\}|${SEGMENT}(?:/${SEGMENT}/${SEGMENT})*)$`;

/** What the parser checks in code, by the path of the schema that it is added to. */
const CHECKED_IN_CODE: Readonly<Record<string, JsonSchema>> = {
  accept: { propertyNames: { enum: WARNING_CODES } },
  'credentials.*.accept': { propertyNames: { enum: WARNING_CODES } },
  'rules.*.accept': { propertyNames: { enum: WARNING_CODES } },
  'environments.*.require.*': { anyOf: [{ enum: [...MATCH_KEYS] }, { pattern: AGENT_TAG.source }] },
  'credentials.*': exactlyOne('firestore', 'serviceAccount', 'storage'),
  'credentials.*.firestore.allow.*.path': { pattern: DOCUMENT_PATH },
  'credentials.*.serviceAccount': exactlyOne('email', 'pool'),
  'credentials.*.storage': exactlyOne('serviceAccount', 'pool'),
  'rules.*.match': {
    properties: Object.fromEntries(MATCH_KEYS.map((key) => [key, { $ref: `#/$defs/${definitionFor(key)}` }])),
    patternProperties: { [AGENT_TAG.source]: { $ref: '#/$defs/patterns' } },
    additionalProperties: false,
    anyOf: SCOPING_KEYS.map((key) => ({ required: [key] })),
    not: { required: ['pipeline', 'pipeline_id'] },
  },
};

/** @returns a schema of draft 2020-12 that describes each key */
export function policyJsonSchema(): JsonSchema {
  const { $schema, ...policy } = toJsonSchema(policySchema);
  const { $schema: _, ...patterns } = toJsonSchema(claimPatterns);
  return {
    ...($schema && { $schema }),
    title: 'Keydesk policy',
    ...complete(policy, []),
    $defs: {
      patterns,
      uuids: oneOrMore({ type: 'string', maxLength: 256, pattern: `\\*|${UUID.source}` }),
      names: oneOrMore({
        anyOf: [
          { type: 'string', pattern: PIPELINE_NAME.source },
          { type: 'integer', minimum: 1 },
        ],
      }),
    },
  };
}

function toJsonSchema(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, { io: 'input' });
}

function definitionFor(key: string): 'names' | 'uuids' | 'patterns' {
  if (key === 'pipeline') return 'names';
  return isUuidClaim(key) ? 'uuids' : 'patterns';
}

function exactlyOne(...keys: readonly string[]): JsonSchema {
  return { oneOf: keys.map((key) => ({ required: [key] })) };
}

function oneOrMore(item: JsonSchema): JsonSchema {
  return { anyOf: [item, { type: 'array', minItems: 1, items: item }] };
}

/** Adds what is checked in code and the descriptions, to `schema` and to the schemas in it. */
function complete(schema: JsonSchema, path: readonly string[]): JsonSchema {
  const name = path.join('.');
  const { properties, items, additionalProperties, ...rest } = { ...schema, ...CHECKED_IN_CODE[name] };
  const description = DESCRIPTIONS[name];
  return {
    ...(description === undefined ? {} : { description }),
    ...rest,
    ...(items && { items: completeInner(items, [...path, '*']) }),
    ...(properties && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([key, inner]) => [key, completeInner(inner, [...path, key])]),
      ),
    }),
    ...(additionalProperties !== undefined && {
      additionalProperties: completeInner(additionalProperties, [...path, '*']),
    }),
  };
}

function completeInner<T>(schema: T, path: readonly string[]): T | JsonSchema {
  return isSchema(schema) ? complete(schema, path) : schema;
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
