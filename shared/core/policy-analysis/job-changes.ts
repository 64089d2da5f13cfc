// What a job would have to be so that a rule matches it, in words for its developer. The changes of a rule are together necessary and
// sufficient.

import { isFixed, isNotRequested, type Unmet } from './nearest-rules.ts';
import { isLiteral } from './texts.ts';

export interface JobChange {
  /** The claims that it changes. */
  readonly claims: readonly string[];
  /** Whether the developer of the job can do it. */
  readonly possible: boolean;
  /** Sentences. */
  readonly text: string;
}

/** @param requested the claims that the job has requested with `--claim` */
export function jobChanges(unmet: readonly Unmet[], requested: readonly string[]): JobChange[] {
  const notRequested = unmet.filter(isNotRequested).map(({ claim }) => claim);
  const others = unmet.filter((one) => !isNotRequested(one));
  const tag = others.find(({ claim }) => claim === 'build_tag');
  const branch = others.find(({ claim }) => claim === 'build_branch');
  // A build of a tag has the tag in build_branch.
  const ofRef = tag ? [refChange(tag, branch)] : branch ? [branchChange(branch)] : [];
  const rest = others.filter((one) => one !== tag && one !== branch);
  return [
    ...(notRequested.length > 0 ? [requestChange(notRequested, requested)] : []),
    ...ofRef,
    ...rest.map((one) => ({ claims: [one.claim], possible: !isFixed(one), text: textOf(one) })),
  ];
}

function requestChange(claims: readonly string[], requested: readonly string[]): JobChange {
  const flags = [...claims]
    .sort()
    .map((claim) => `--claim ${claim}`)
    .join(' ');
  const all = [...new Set([...requested, ...claims])].sort().join(', ');
  return {
    claims,
    possible: true,
    text: `Request the job token with ${flags}. In the plugin, set claims: [${all}]. The rule then compares ${claims.length === 1 ? 'its value' : 'their values'}.`,
  };
}

function branchChange({ claim, needs }: Unmet): JobChange {
  return { claims: [claim], possible: true, text: `Build ${oneOf('the branch', 'a branch', needs)}.` };
}

function refChange(tag: Unmet, branch: Unmet | undefined): JobChange {
  const claims = ['build_tag', ...(branch ? ['build_branch'] : [])];
  if (tag.needs.length === 0) {
    const which = branch ? oneOf('the branch', 'a branch', branch.needs) : 'the branch';
    return { claims, possible: true, text: `Build ${which}, and not a tag. The rule does not name build_tag.` };
  }
  const text = `Build ${oneOf('the tag', 'a tag', tag.needs)}.`;
  if (!branch) return { claims, possible: true, text };
  const also = `build_branch has the tag too, and must match ${anyOf(branch.needs)}.`;
  return { claims, possible: true, text: `${text} ${also}` };
}

const SOURCES: Readonly<Record<string, string>> = {
  ui: "in Buildkite's web interface",
  api: "with Buildkite's API",
  webhook: 'by a push or a pull request',
  trigger_job: 'by a trigger step',
  schedule: 'by a schedule',
};

function textOf({ claim, needs }: Unmet): string {
  const [only = ''] = needs;
  const single = needs.length === 1 && isLiteral(only);
  if (claim.startsWith('agent_tag:')) {
    const name = claim.slice('agent_tag:'.length);
    return single
      ? `Send the step to other agents: agents: { ${name}: ${JSON.stringify(only)} }.`
      : `Send the step to agents whose tag ${name} matches ${anyOf(needs)}.`;
  }
  switch (claim) {
    case 'build_commit':
      return `Build ${oneOf('the commit', 'a commit', needs)}.`;
    case 'build_source':
      return needs.every((source) => Object.hasOwn(SOURCES, source))
        ? `Start the build ${needs.map((source) => `${SOURCES[source]} (${source})`).join(' or ')}.`
        : `Start the build so that build_source matches ${anyOf(needs)}.`;
    case 'step_key':
      return single ? `Give the step the key ${only}.` : `Give the step a key that matches ${anyOf(needs)}.`;
    case 'queue_key':
      return single
        ? `Send the step to another queue: agents: { queue: ${JSON.stringify(only)} }.`
        : `Send the step to a queue whose key matches ${anyOf(needs)}.`;
    case 'queue_id':
      return `Send the step to ${oneOf('the queue with the ID', 'a queue with an ID', needs)}.`;
    case 'runner_environment':
      return `Send the step to agents with the runner_environment ${anyOf(needs)}.`;
    case 'pipeline_id':
    case 'pipeline_slug':
      return `${needs.length > 1 && needs.every(isLiteral) ? `Only the pipelines ${needs.join(' and ')} match` : `Only jobs of ${oneOf('the pipeline', 'a pipeline', needs)} match`}. A job cannot change its pipeline.`;
    case 'cluster_id':
    case 'cluster_name':
      return `Only jobs in ${oneOf('the cluster', 'a cluster', needs)} match. An administrator of Buildkite chooses the cluster of a pipeline.`;
    case 'agent_id':
      return `Only jobs on ${oneOf('the agent', 'an agent', needs)} match. Buildkite chooses the agent.`;
    case 'organization_id':
      return 'The job is of another organization.';
    default:
      return `Only jobs whose ${claim} matches ${anyOf(needs)} match. Buildkite chooses the value.`;
  }
}

function oneOf(theOne: string, some: string, patterns: readonly string[]): string {
  const [only = ''] = patterns;
  return patterns.length === 1 && isLiteral(only) ? `${theOne} ${only}` : `${some} that matches ${anyOf(patterns)}`;
}

function anyOf(patterns: readonly string[]): string {
  return patterns.join(' or ');
}
