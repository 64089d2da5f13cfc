// The JSON Schema of claims with patterns, as rules have them in `match`.

import { AGENT_TAG } from './claims.ts';
import { createdBySchema, teamConditionSchema } from './conditions.ts';
import { PIPELINE_NAME } from './pipelines.ts';
import { claimPatterns, isUuidClaim, MATCH_KEYS, UUID } from './rule.ts';
import { type JsonSchema, toJsonSchema } from './schema-parts.ts';

const { $schema: _, ...patterns } = toJsonSchema(claimPatterns);

/** The `$defs` that {@link CLAIM_PATTERNS} refers to. */
export const PATTERN_DEFINITIONS: Readonly<Record<string, JsonSchema>> = {
  patterns,
  uuids: oneOrMore({ type: 'string', maxLength: 256, pattern: `\\*|${UUID.source}` }),
  names: oneOrMore({
    anyOf: [
      { type: 'string', pattern: PIPELINE_NAME.source },
      { type: 'integer', minimum: 1 },
    ],
  }),
};

/** The keys of `match`. */
export const CLAIM_PATTERNS: JsonSchema = {
  properties: Object.fromEntries(MATCH_KEYS.map((key) => [key, { $ref: `#/$defs/${definitionFor(key)}` }])),
  patternProperties: { [AGENT_TAG.source]: { $ref: '#/$defs/patterns' } },
  additionalProperties: false,
};

const { $schema: _1, ...team } = toJsonSchema(teamConditionSchema);
const { $schema: _2, ...created_by } = toJsonSchema(createdBySchema);

/** The keys of `match` that are no claims. */
export const MATCH_CONDITION_PROPERTIES = { team, created_by };

function definitionFor(key: string): 'names' | 'uuids' | 'patterns' {
  if (key === 'pipeline') return 'names';
  return isUuidClaim(key) ? 'uuids' : 'patterns';
}

function oneOrMore(item: JsonSchema): JsonSchema {
  return { anyOf: [item, { type: 'array', minItems: 1, items: item }] };
}
