// The claims of a step's job token, as far as the environment variables of the step say them. A step can set the variables itself, so
// they prove nothing. Source: buildkite.com/docs/pipelines/configure/environment-variables.

import { AGENT_TAG, isClaimValue, mayBeAbsent } from '../policy/claims.ts';
import type { Policy } from '../policy/policy.ts';
import { isUuidClaim } from '../policy/rule.ts';
import { visible } from '../policy/visible-text.ts';
import type { PartialJob } from './partial-job.ts';

const VARIABLES: Readonly<Record<string, string>> = {
  BUILDKITE_ORGANIZATION_SLUG: 'organization_slug',
  BUILDKITE_ORGANIZATION_ID: 'organization_id',
  BUILDKITE_PIPELINE_SLUG: 'pipeline_slug',
  BUILDKITE_PIPELINE_ID: 'pipeline_id',
  BUILDKITE_BRANCH: 'build_branch',
  BUILDKITE_TAG: 'build_tag',
  BUILDKITE_COMMIT: 'build_commit',
  BUILDKITE_SOURCE: 'build_source',
  BUILDKITE_STEP_KEY: 'step_key',
  BUILDKITE_BUILD_ID: 'build_id',
  BUILDKITE_BUILD_NUMBER: 'build_number',
  BUILDKITE_CLUSTER_ID: 'cluster_id',
  BUILDKITE_CLUSTER_NAME: 'cluster_name',
  BUILDKITE_COMPUTE_TYPE: 'runner_environment',
  BUILDKITE_JOB_ID: 'job_id',
  BUILDKITE_AGENT_ID: 'agent_id',
};

const TAG_VARIABLE = 'BUILDKITE_AGENT_META_DATA_';

/** In a cluster, the tag `queue` of an agent is the key of its queue. No variable has the UUID of the queue. */
const QUEUE_VARIABLE = `${TAG_VARIABLE}QUEUE`;

export function isStep(variables: Readonly<Record<string, string | undefined>>): boolean {
  return Boolean(variables.BUILDKITE_JOB_ID);
}

/** @returns the claims; none outside of a step. Or what is wrong with a variable */
export function readStepClaims(
  policy: Policy,
  variables: Readonly<Record<string, string | undefined>>,
): { job: PartialJob } | { problems: string[] } {
  const job = new Map<string, string | null>();
  const problems: string[] = [];
  const ofQueue = variables.BUILDKITE_CLUSTER_ID ? [[QUEUE_VARIABLE, 'queue_key'] as const] : [];
  for (const [variable, claim] of [...variablesFor(policy), ...ofQueue]) {
    const value = variables[variable];
    if (value === undefined) continue;
    if (value === '') {
      if (mayBeAbsent(claim)) job.set(claim, null);
      continue;
    }
    const text = toClaimValue(claim, value);
    if (isClaimValue(claim, text)) job.set(claim, text);
    else problems.push(`${variable} is "${visible(value)}", and ${claim} cannot have that value`);
  }
  return problems.length > 0 ? { problems } : { job };
}

/**
 * Of an agent's tags those that rules name: a variable has the name in capitals. Tags that share a variable are not known: it has the value
 * of one of them.
 */
function variablesFor({ rules }: Policy): [variable: string, claim: string][] {
  const tags = new Set(rules.flatMap(({ match }) => Object.keys(match).filter((claim) => AGENT_TAG.test(claim))));
  const variables = [...tags].map((claim): [string, string] => [variableOf(claim), claim]);
  const isShared = (variable: string) => variables.filter(([other]) => other === variable).length > 1;
  return [...Object.entries(VARIABLES), ...variables.filter(([variable]) => !isShared(variable))];
}

function variableOf(tag: string): string {
  return `${TAG_VARIABLE}${tag.slice('agent_tag:'.length).toUpperCase()}`;
}

function toClaimValue(claim: string, value: string): string {
  if (claim === 'runner_environment' && value === 'hosted') return 'buildkite-hosted';
  return isUuidClaim(claim) ? value.toLowerCase() : value;
}
