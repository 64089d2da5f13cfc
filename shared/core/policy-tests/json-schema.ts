// The JSON Schema of test files, for editors. It refuses nothing that the parser accepts; the parser refuses more, because it knows the
// policy.

import { AGENT_TAG } from '../policy/claims.ts';
import { agentConditionSchema, approvalSchema } from '../policy/conditions.ts';
import { DESCRIPTIONS } from '../policy/descriptions.ts';
import { CLAIM_PATTERNS, MATCH_CONDITION_PROPERTIES, PATTERN_DEFINITIONS } from '../policy/match-json-schema.ts';
import { MATCH_KEYS } from '../policy/rule.ts';
import { completeSchema, type JsonSchema, toJsonSchema } from '../policy/schema-parts.ts';
import { testFileSchema } from './test-file.ts';

const JOB: JsonSchema = { $ref: '#/$defs/job' };
const VALUE: JsonSchema = { type: ['string', 'integer'], maxLength: 1024 };
const MATCHES: JsonSchema = {
  anyOf: [{ $ref: '#/$defs/match' }, { type: 'array', minItems: 1, items: { $ref: '#/$defs/match' } }],
};
const alone = (...keys: readonly string[]): JsonSchema => ({ oneOf: keys.map((key) => ({ required: [key] })) });

/** By path, with `*` for the items of a list. */
const CHECKED_IN_CODE: Readonly<Record<string, JsonSchema>> = {
  '': { anyOf: [{ required: ['cases'] }, { required: ['statements'] }] },
  job: JOB,
  'cases.*': { anyOf: ['gets', 'granted', 'refused'].map((key) => ({ required: [key] })) },
  'cases.*.job': JOB,
  'statements.*': alone('never', 'always'),
  'statements.*.never': alone('environment', 'credential', 'path', 'bucket'),
  'statements.*.for': MATCHES,
  'statements.*.unless': MATCHES,
};

const { $schema: _1, ...approval } = toJsonSchema(approvalSchema);
const { $schema: _2, ...agent } = toJsonSchema(agentConditionSchema);
const CONDITION_PROPERTIES = { ...MATCH_CONDITION_PROPERTIES, approval, agent };

const LIKE_A_RULE =
  'A map from claims to patterns, read like the match of a rule: all must match, and a list means any of its patterns. It may have the conditions team, created_by, approval and agent too. A list of maps means any of them.';

const TEST_DESCRIPTIONS: Readonly<Record<string, string>> = {
  version: 'The version of this format.',
  job: 'Claims of the job of every case, unless the case has its own.',
  cases: 'Jobs, each with what it gets.',
  'cases.*': 'A case: one job, and what it gets. It has gets, or granted, or refused, or granted and refused.',
  'cases.*.name': 'A name that no other case of the file has.',
  'cases.*.job':
    "The claims of the job's token, each with one value. pipeline takes a name from pipelines. A claim that is not here is not in the token, and an empty value leaves one out. The organization is the policy's.",
  'cases.*.conditions':
    'What is so beyond the claims of the token, for rules with conditions. What is left out is not so: {} for nothing. Without it, the case expects nothing of credentials that are granted on conditions.',
  'cases.*.conditions.team': 'The teams that the pipeline belongs to: a map with name and access, or a list of them.',
  'cases.*.conditions.created_by': 'The person who started the build.',
  'cases.*.conditions.created_by.team': 'The teams of that person.',
  'cases.*.conditions.approved':
    'The block step that was unblocked: a map with step, by (the teams of the person), ago, and approver: creator where that person started the build. Or a list of them.',
  'cases.*.conditions.reason': 'The reason that the metadata of the build state, for break-glass access.',
  'cases.*.conditions.agent': 'The token of the machine that the request carries.',
  'cases.*.conditions.agent.provider': 'A name from identityProviders.',
  'cases.*.conditions.agent.claims': 'Every claim that the provider declares, each with its value.',
  'cases.*.conditions.agent.claims.*': 'The value.',
  'cases.*.gets': 'Every credential that the job gets, and no other. [] for a job that gets nothing.',
  'cases.*.granted': 'Credentials that the job gets.',
  'cases.*.refused': 'Credentials that the job does not get.',
  statements:
    'What holds for all jobs. Each is proven for every job token that Keydesk accepts, or refuted with an example.',
  'statements.*': 'A statement: exactly one of never and always.',
  'statements.*.name': 'What the output calls it. Without a name, the output says what it says.',
  'statements.*.never': 'What no job gets: exactly one of environment, credential, path and bucket.',
  'statements.*.never.environment': 'Every credential of these environments.',
  'statements.*.never.credential': 'These credentials.',
  'statements.*.never.path':
    'Every credential that opens one of these documents by its allow, such as config/{document=**}.',
  'statements.*.never.verb': 'The verbs that the statement is about; without them, all.',
  'statements.*.never.database': 'Names from databases; without them, all databases.',
  'statements.*.never.bucket': 'Every credential that opens a part of these buckets.',
  'statements.*.never.prefix': 'The names of objects begin with this; without it, all objects.',
  'statements.*.always': 'What every job gets that meets for.',
  'statements.*.always.credential': 'These credentials, each of them.',
  'statements.*.for': `The jobs that the statement is about; without it, all. ${LIKE_A_RULE}`,
  'statements.*.unless': `The jobs that the statement is not about. ${LIKE_A_RULE}`,
  'statements.*.assume':
    'By the name of a credential, why its service accounts do not open the path or the bucket: three words or more. Their IAM roles are not in the policy.',
};

/** As in a rule, which has some of them in `match`. */
function conditionDescriptions(): [string, string][] {
  return Object.entries(DESCRIPTIONS).flatMap(([path, text]): [string, string][] => {
    const [, name, rest = ''] = /^rules\.\*\.(?:match\.)?(team|created_by|approval|agent)(\..*)?$/.exec(path) ?? [];
    return name === undefined ? [] : [[`match.${name}${rest}`, text]];
  });
}

/** @returns a schema of draft 2020-12 that describes each key */
export function testsJsonSchema(): JsonSchema {
  const { $schema, ...tests } = toJsonSchema(testFileSchema);
  const definitions: JsonSchema = {
    properties: {
      match: {
        ...{ type: 'object', minProperties: 1, ...CLAIM_PATTERNS },
        properties: { ...CLAIM_PATTERNS.properties, ...CONDITION_PROPERTIES },
      },
      job: {
        type: 'object',
        properties: Object.fromEntries(MATCH_KEYS.map((key) => [key, VALUE])),
        patternProperties: { [AGENT_TAG.source]: VALUE },
        additionalProperties: false,
      },
    },
  };
  const descriptions = Object.fromEntries([
    ...MATCH_KEYS.flatMap((key) => {
      const description = DESCRIPTIONS[`rules.*.match.${key}`] ?? '';
      return [
        [`match.${key}`, description],
        [`job.${key}`, description],
      ];
    }),
    ...conditionDescriptions(),
  ]);
  const { properties } = completeSchema(definitions, { checkedInCode: {}, descriptions });
  return {
    ...($schema && { $schema }),
    title: 'Tests of a Keydesk policy',
    ...completeSchema(tests, { checkedInCode: CHECKED_IN_CODE, descriptions: TEST_DESCRIPTIONS }),
    $defs: { ...(properties as Readonly<Record<string, JsonSchema>>), ...PATTERN_DEFINITIONS },
  };
}
