// The tables of the policy reference: the claims that rules match, and the warnings of `keydesk policy check`.

import {
  CLAIM_VALUES,
  type ClaimSource,
  isMatchableClaim,
  isOptionalClaim,
  sourceOfClaim,
} from '../../shared/core/policy/claims.ts';
import type { MATCH_KEYS } from '../../shared/core/policy/rule.ts';
import { WARNING_CODES, WARNINGS } from '../../shared/core/policy-warnings/codes.ts';
import { type Blocks, name, names, table } from './markdown.ts';

const TAG = 'agent_tag:NAME';

const SOURCES: Readonly<Record<ClaimSource, string>> = {
  buildkite: 'Buildkite',
  author: 'the author of the build',
  agent: 'the configuration of agents and queues',
};

/** What a claim holds where no list says it, and what else to know about who chooses it. */
const FACTS: Readonly<
  Record<(typeof MATCH_KEYS)[number] | typeof TAG, { readonly values?: string; readonly note?: string }>
> = {
  pipeline: { values: 'a name from `pipelines`; stands for `pipeline_id`' },
  organization_id: { values: 'UUID' },
  pipeline_id: { values: 'UUID' },
  pipeline_slug: { values: 'slug', note: 'an administrator can rename a pipeline' },
  cluster_id: { values: 'UUID' },
  cluster_name: { values: 'name', note: 'an administrator can rename a cluster' },
  queue_id: { values: 'UUID', note: 'a step chooses among the queues of its cluster' },
  queue_key: { values: 'key', note: 'a step chooses among the queues of its cluster' },
  [TAG]: { values: 'text', note: 'a step chooses among agents' },
  agent_id: { values: 'UUID', note: 'a step chooses the queue' },
  runner_environment: { note: 'a step chooses the queue' },
  build_source: { note: '`webhook` does not tell a fork pull request from a push' },
  build_number: { values: 'number' },
  build_id: { values: 'UUID' },
  job_id: { values: 'UUID' },
  build_branch: { values: 'branch', note: 'also of a fork pull request' },
  build_tag: { values: 'tag; absent from builds without one' },
  build_commit: { values: 'commit; can be `HEAD`' },
  step_key: { values: 'key of the step', note: 'anybody who can change the steps, also by `pipeline upload`' },
};

export function policyTables(): Blocks {
  return {
    claims: table(
      ['claim', 'values', 'who chooses it'],
      Object.entries(FACTS).map(([claim, { values, note }]) => {
        const source = SOURCES[isMatchableClaim(claim) ? sourceOfClaim(claim) : 'buildkite'];
        const isOptional = isMatchableClaim(claim) && isOptionalClaim(claim);
        return [
          `${name(claim)}${isOptional ? '¹' : ''}`,
          values ?? names(CLAIM_VALUES[claim] ?? []),
          note === undefined ? source : `${source}; ${note}`,
        ];
      }),
    ),
    warnings: table(
      ['warning', 'when', 'what to do'],
      WARNING_CODES.map((code) => [name(code), WARNINGS[code].when, WARNINGS[code].whatToDo]),
    ),
  };
}
