// Keys of `match` that are no claims of a Buildkite job token: what was probably meant. Names of environment variables and of the
// conditionals of pipelines are common. Source: buildkite.com/docs/agent/cli/reference/oidc, buildkite.com/docs/pipelines/environment-variables.

import { closestName } from '../closest-name.ts';
import { AGENT_TAG } from './claims.ts';
import { MATCH_KEYS } from './rule.ts';

/** By what people call it, without BUILDKITE_ and build. in front. */
const CLAIMS: Readonly<Record<string, string>> = {
  branch: 'build_branch',
  tag: 'build_tag',
  commit: 'build_commit',
  source: 'build_source',
  number: 'build_number',
  step: 'step_key',
  key: 'step_key',
  step_id: 'step_key',
  queue: 'queue_key',
  cluster: 'cluster_id',
  organization: 'organization_id',
  org: 'organization_id',
  agent: 'agent_id',
  job: 'job_id',
  build: 'build_id',
  pipeline_name: 'pipeline',
  slug: 'pipeline_slug',
  agent_meta_data_queue: 'agent_tag:queue',
  branches: 'build_branch',
  tags: 'build_tag',
  commits: 'build_commit',
  sources: 'build_source',
  steps: 'step_key',
  queues: 'queue_key',
  clusters: 'cluster_id',
  pipelines: 'pipeline',
};

/** @returns the key of `match` that was probably meant: one that is in `free`, if it is near by its letters only */
export function meantClaim(key: string, free: readonly string[]): string | undefined {
  const name = key
    .replace(/[^A-Za-z0-9:]+/g, '_')
    .toLowerCase()
    .replace(/^buildkite_/, '');
  const [, tag] = /^(?:agents?|agent[-_]?tags?)[.=/-](.+)$/i.exec(key) ?? [];
  if (tag !== undefined && AGENT_TAG.test(`agent_tag:${tag}`)) return `agent_tag:${tag}`;
  const bare = name.replace(/^build_/, '');
  const known = Object.hasOwn(CLAIMS, name) ? CLAIMS[name] : Object.hasOwn(CLAIMS, bare) ? CLAIMS[bare] : undefined;
  return MATCH_KEYS.find((claim) => claim === name) ?? known ?? closestName(name, free);
}

/** Of a key that has the tag in its value: `agent_tag: queue=deploy`, `agents: { queue: deploy }`. */
export function agentTagMistake(key: string, value: unknown): string | undefined {
  if (!/^(?:agents?|agent[-_]?tags?)$/i.test(key)) return undefined;
  const [first] = Array.isArray(value) ? value : [value];
  const map = typeof first === 'object' && first !== null ? Object.entries(first)[0] : undefined;
  const [name, tag] = map ?? String(first).split('=', 2);
  const isTag = AGENT_TAG.test(`agent_tag:${name}`) && ['string', 'number'].includes(typeof tag);
  if (/^agent$/i.test(key) && !isTag) return undefined;
  const fact = `"${key}" is not a claim that a rule can match. The name of an agent tag is part of the key.`;
  return `${fact} Write ${isTag ? `agent_tag:${name}: ${tag}` : 'agent_tag:NAME: VALUE'}.`;
}

/** @param meant as meantClaim has it */
export function unknownClaim(key: string, meant: string | undefined, present: boolean): string {
  if (key === 'sub')
    return 'A rule cannot match "sub", because the job chooses its form. Match separate claims, such as pipeline and build_branch.';
  if (key.startsWith('agent_tag:'))
    return `"${key}" does not name an agent tag. Write agent_tag:NAME, where NAME has letters, digits, _, . and -.`;
  const fact = `"${key}" is not a claim that a rule can match.`;
  if (meant === undefined) return `${fact} The keys of match are ${MATCH_KEYS.join(', ')} and agent_tag:NAME.`;
  return present ? `${fact} "${meant}" is, and this rule has it: remove one.` : `${fact} Did you mean "${meant}"?`;
}
