// What pipelines could reach: the credentials that rules of the policies in force granted to some of their jobs.

import { describeAccess, revocationOf } from '../kinds/kinds.ts';
import type { Policy } from '../policy/policy.ts';
import type { PartialJob } from '../policy-analysis/partial-job.ts';
import { whatJobsGet } from '../policy-analysis/what.ts';
import type { Pipeline } from './pipelines.ts';
import type { PolicyInForce, PolicyText } from './policies-in-force.ts';

export interface ReachableCredential {
  readonly credential: string;
  readonly environment: string;
  /** `some_jobs`: those that meet conditions of the rules apart from the pipeline. `cannot_tell`: the question was too large. */
  readonly for: 'all_jobs' | 'some_jobs' | 'cannot_tell';
  readonly rules: readonly string[];
  readonly policy_sha256s: readonly string[];
}

/** A rule that names no pipeline, or patterns of slugs alone: pipelines that no grant is of may get its credentials. */
export interface OpenRule {
  readonly rule: string;
  readonly credentials: readonly string[];
  /** Patterns; empty where the rule has none: see its other conditions in the policy. */
  readonly pipeline_slugs: readonly string[];
  readonly policy_sha256s: readonly string[];
}

/** What a credential opened by one or more of the policies. */
export interface CredentialAccess {
  readonly credential: string;
  readonly environment: string;
  readonly kind: string;
  readonly revocation: 'immediate' | 'propagating' | 'expiry';
  /** Seconds. */
  readonly ttl: number;
  readonly access: readonly string[];
  readonly policy_sha256s: readonly string[];
}

type Readable = readonly { readonly sha256: string; readonly policy: Policy }[];

/** Those whose text is known. */
export function readablePolicies(policies: readonly PolicyInForce[], texts: ReadonlyMap<string, PolicyText>): Readable {
  return policies.flatMap(({ sha256 }) => {
    const text = texts.get(sha256);
    return text && 'policy' in text ? [{ sha256, policy: text.policy }] : [];
  });
}

const STRENGTH = ['some_jobs', 'cannot_tell', 'all_jobs'] as const;

/** @param environment undefined for all */
export function reachOf(
  pipeline: Pipeline,
  policies: Readable,
  environment: string | undefined,
): ReachableCredential[] {
  const found = new Map<string, { strength: number; rules: Set<string>; sha256s: Set<string>; environment: string }>();
  for (const { sha256, policy } of policies)
    for (const job of jobsOf(pipeline, policy))
      for (const { credential, answer, granting } of whatJobsGet(policy, job)) {
        const of = policy.credentials[credential]?.environment ?? '';
        if (answer === 'never' || (environment !== undefined && of !== environment)) continue;
        const known = found.get(`${of}\n${credential}`) ?? newReach(of);
        found.set(`${of}\n${credential}`, known);
        const strength = STRENGTH.indexOf(
          answer === 'granted' ? 'all_jobs' : answer === 'conditional' ? 'some_jobs' : 'cannot_tell',
        );
        known.strength = Math.max(known.strength, strength);
        for (const { rule } of granting) known.rules.add(rule);
        known.sha256s.add(sha256);
      }
  return [...found]
    .map(([key, { strength, rules, sha256s, environment: of }]) => ({
      credential: key.slice(of.length + 1),
      environment: of,
      for: STRENGTH[strength] ?? 'cannot_tell',
      rules: [...rules].sort(),
      policy_sha256s: [...sha256s],
    }))
    .sort((one, other) => (one.credential < other.credential ? -1 : 1));
}

function newReach(environment: string) {
  return { strength: 0, rules: new Set<string>(), sha256s: new Set<string>(), environment };
}

/** All jobs of the pipeline, under each slug that it is known to have had. */
function jobsOf({ id, slugs, lacks_id }: Pipeline, { organization }: Policy): PartialJob[] {
  const stated = new Map<string, string | null>([['organization_slug', organization.slug]]);
  if (organization.id !== undefined) stated.set('organization_id', organization.id);
  if (id !== null) stated.set('pipeline_id', id);
  else if (lacks_id) stated.set('pipeline_id', null);
  if (slugs.length === 0) return [stated];
  return slugs.map((slug) => new Map([...stated, ['pipeline_slug', slug]]));
}

export function openRules(policies: Readable, environment: string | undefined): OpenRule[] {
  const found = new Map<string, Omit<OpenRule, 'policy_sha256s'> & { policy_sha256s: string[] }>();
  for (const { sha256, policy } of policies)
    for (const { name: rule, match, grants } of policy.rules) {
      if (match.pipeline_id?.some((pattern) => !pattern.includes('*'))) continue;
      const pipeline_slugs = (match.pipeline_slug ?? []).filter((pattern) => pattern.includes('*'));
      if (match.pipeline_slug !== undefined && pipeline_slugs.length === 0) continue;
      const credentials = grants.filter(
        (name) => environment === undefined || policy.credentials[name]?.environment === environment,
      );
      if (credentials.length === 0) continue;
      const key = JSON.stringify([rule, credentials, pipeline_slugs]);
      const known = found.get(key) ?? { rule, credentials, pipeline_slugs, policy_sha256s: [] };
      found.set(key, known);
      known.policy_sha256s.push(sha256);
    }
  return [...found.values()];
}

export function credentialAccess(policies: Readable, environment: string | undefined): CredentialAccess[] {
  const found = new Map<string, CredentialAccess & { readonly policy_sha256s: string[] }>();
  for (const { sha256, policy } of policies)
    for (const [name, credential] of Object.entries(policy.credentials)) {
      if (environment !== undefined && credential.environment !== environment) continue;
      const access = {
        credential: name,
        environment: credential.environment,
        kind: credential.kind,
        revocation: revocationOf(credential),
        ttl: credential.ttl,
        access: [...describeAccess(credential)],
      };
      const key = JSON.stringify(access);
      const known = found.get(key) ?? { ...access, policy_sha256s: [] };
      found.set(key, known);
      known.policy_sha256s.push(sha256);
    }
  return [...found.values()].sort((one, other) => (one.credential < other.credential ? -1 : 1));
}
