// The JSON Schema of the policy file, for editors: made of the schema that parses, and of what the parser checks in code as far
// as JSON Schema can say it. It refuses nothing that the parser accepts; the parser refuses more. Its keywords mean the same in
// draft-07, because many editors know no later draft.

import { WARNING_CODES } from '../policy-warnings/codes.ts';
import { AGENT_TAG } from './claims.ts';
import { CONDITIONS } from './conditions.ts';
import { DESCRIPTIONS } from './descriptions.ts';
import { GRANT_COLLECTION } from './document-path.ts';
import { CLAIM_PATTERNS, MATCH_CONDITION_PROPERTIES, PATTERN_DEFINITIONS } from './match-json-schema.ts';
import { policySchema } from './policy.ts';
import { MATCH_KEYS, SCOPING_KEYS } from './rule.ts';
import { completeSchema, type JsonSchema, toJsonSchema } from './schema-parts.ts';

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
  'environments.*.require.*': { anyOf: [{ enum: [...MATCH_KEYS, ...CONDITIONS] }, { pattern: AGENT_TAG.source }] },
  'credentials.*': exactlyOne('firestore', 'serviceAccount', 'storage'),
  'credentials.*.firestore.allow.*.path': { pattern: DOCUMENT_PATH },
  'credentials.*.serviceAccount': { ...exactlyOne('email', 'pool'), not: { required: ['email', 'retiring'] } },
  'credentials.*.storage': {
    ...exactlyOne('serviceAccount', 'pool'),
    not: { required: ['serviceAccount', 'retiring'] },
  },
  'rules.*.match': {
    ...CLAIM_PATTERNS,
    properties: { ...CLAIM_PATTERNS.properties, ...MATCH_CONDITION_PROPERTIES },
    anyOf: SCOPING_KEYS.map((key) => ({ required: [key] })),
    not: { required: ['pipeline', 'pipeline_id'] },
  },
};

/** @returns a schema of draft 2020-12 that describes each key */
export function policyJsonSchema(): JsonSchema {
  const { $schema, ...policy } = toJsonSchema(policySchema);
  return {
    ...($schema && { $schema }),
    title: 'Keydesk policy',
    ...completeSchema(policy, { checkedInCode: CHECKED_IN_CODE, descriptions: DESCRIPTIONS }),
    $defs: PATTERN_DEFINITIONS,
  };
}

function exactlyOne(...keys: readonly string[]): JsonSchema {
  return { oneOf: keys.map((key) => ({ required: [key] })) };
}
