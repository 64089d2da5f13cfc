// Explains what a job would receive, and why or why not: claims as a person typed them in, the decision of decide.ts and its
// trace in words out.

import { revocationOf } from '../kinds/kinds.ts';
import { isMatchableClaim, isOptionalClaim, type JobClaims, parseClaims } from './claims.ts';
import { clauseLines, conditionClauses } from './condition-words.ts';
import { needsPipeline } from './conditions.ts';
import { type ConditionalDecision, type Decision, decide, type RuleTrace } from './decide.ts';
import { formatDuration } from './duration.ts';
import type { Pipelines } from './pipelines.ts';
import type { Policy } from './policy.ts';
import type { Rule } from './rule.ts';
import { readWrittenClaims } from './written-claims.ts';

/** The claims that every job token has. No rule is matched against these values. */
export const PLACEHOLDER_CLAIMS = {
  pipeline_slug: '-',
  build_number: 1,
  build_branch: '-',
  build_commit: '-',
  job_id: '00000000-0000-4000-8000-000000000000',
  agent_id: '00000000-0000-4000-8000-000000000000',
};

/**
 * Reads `NAME=VALUE`s. `pipeline=NAME` takes a name from the policy's `pipelines`. The organization is the policy's. An empty
 * value leaves a claim out, so `organization_id=` leaves out the organization's id.
 * @param credentials names of those that are asked about; none for all
 * @returns the claims of such a job's token, or all problems
 */
export function parseJob(
  policy: Policy,
  written: readonly string[],
  credentials: readonly string[] = [],
): { claims: JobClaims } | { problems: string[] } {
  const read = readWrittenClaims(policy, written);
  // A misspelt claim is missing too.
  if ('problems' in read) return read;
  const { claims: provided } = read;
  const problems: string[] = [];
  for (const claim of Object.keys(PLACEHOLDER_CLAIMS)) {
    const rule = policy.rules.find(
      ({ match, grants }) =>
        Object.hasOwn(match, claim) && (credentials.length === 0 || grants.some((name) => credentials.includes(name))),
    );
    if (rule && !provided.has(claim))
      problems.push(
        `${claim} is missing: every job has one, and rule "${rule.name}" looks at it. Add --claim ${claim}=VALUE`,
      );
  }
  if (problems.length > 0) return { problems };
  const build_number = provided.get('build_number');
  const parsed = parseClaims({
    ...PLACEHOLDER_CLAIMS,
    organization_slug: policy.organization.slug,
    organization_id: policy.organization.id,
    ...Object.fromEntries(provided),
    ...(build_number === undefined ? {} : { build_number: Number(build_number) }),
  });
  if ('invalidClaim' in parsed) {
    const claim = parsed.invalidClaim;
    return {
      problems: [`${claim} cannot be "${provided.get(claim)}" in a job token: give a value that Buildkite makes`],
    };
  }
  const { id } = policy.organization;
  const { organization_id } = parsed.claims;
  if (id !== undefined && organization_id !== undefined && organization_id !== id)
    return {
      problems: [
        "organization_id does not match the policy's organization.id: Keydesk rejects every token of another organization",
      ],
    };
  return parsed;
}

/** The flags that `buildkite-agent oidc request-token` needs, so that the token has the claims that the policy looks at. */
export function claimFlags(policy: Policy, claims: JobClaims): string[] {
  const usedClaims = new Set(policy.rules.flatMap(({ match }) => Object.keys(match)));
  if (policy.organization.id !== undefined) usedClaims.add('organization_id');
  if (policy.rules.some(({ conditions }) => needsPipeline(conditions))) usedClaims.add('pipeline_id');
  const has = (claim: string) => claims.agentTags.has(claim) || claims[claim as keyof JobClaims] !== undefined;
  return [...usedClaims]
    .filter((claim) => isMatchableClaim(claim) && isOptionalClaim(claim) && has(claim))
    .sort()
    .map((claim) => `--claim ${claim}`);
}

/** For each credential, the decision and its reasons, in lines for a terminal. */
export function explainDecisions(
  policy: Policy,
  claims: JobClaims,
  names: readonly string[] = Object.keys(policy.credentials),
): string[] {
  return names.flatMap((name) => describeDecision(name, decide(policy, claims, name), policy.pipelines));
}

/** The same decisions as data. */
export function decideEach(policy: Policy, claims: JobClaims, names: readonly string[]): object[] {
  return names.map((name) => {
    const decision = decide(policy, claims, name);
    if (decision.outcome === 'granted') {
      const { credential, rule, trace } = decision;
      const { environment, ttl } = credential;
      return {
        credential: name,
        outcome: 'granted',
        rule,
        environment,
        ttl,
        revocation: revocationOf(credential),
        trace,
      };
    }
    if (decision.outcome === 'conditional') {
      const { rules, trace } = decision;
      return {
        ...{ credential: name, outcome: 'conditional' },
        rules: rules.map((rule) => ({ rule: rule.name, conditions: rule.conditions })),
        trace,
      };
    }
    return { credential: name, ...decision };
  });
}

function describeDecision(name: string, decision: Decision, pipelines: Pipelines): string[] {
  if (decision.outcome === 'granted') {
    const { credential, rule } = decision;
    return [`${name}: granted by "${rule}", ${revocationOf(credential)}, ${formatDuration(credential.ttl)}`];
  }
  if (decision.outcome === 'conditional') return conditionalLines(name, decision);
  const missing =
    decision.reason === 'claims_missing'
      ? `: the job must request its token with ${decision.missing.map((claim) => `--claim ${claim}`).join(' ')}`
      : '';
  const tried = decision.trace.filter(({ outcome }) => outcome !== 'other_credential');
  return [
    `${name}: refused, ${decision.reason}${missing}`,
    ...(tried.length > 0
      ? tried.map((rule) => `  ${explainRule(rule, pipelines)}`)
      : ['  no rule grants it to any job: add it to the grants of a rule']),
  ];
}

/** What must be true beyond the claims, for each rule that would then grant. */
export function conditionalLines(name: string, { credential, rules }: ConditionalDecision): string[] {
  return [
    `${name}: granted if the conditions hold, ${revocationOf(credential)}, ${formatDuration(credential.ttl)}`,
    ...conditionsOfRules(rules),
  ];
}

/** What each of the rules demands beyond the claims. */
export function conditionsOfRules(rules: readonly Rule[]): string[] {
  return rules.flatMap(({ name, conditions }, index) =>
    clauseLines(index === 0 ? 'if' : 'or if', conditionClauses(conditions), name).map((line) => `  ${line}`),
  );
}

function explainRule({ rule, outcome, checks, condition, reason }: RuleTrace, pipelines: Pipelines): string {
  switch (outcome) {
    case 'granted':
      return `rule "${rule}" matches`;
    case 'conditional':
      return `rule "${rule}" matches if its conditions hold`;
    case 'condition_unmet':
    case 'condition_unknown':
    case 'approval_pending':
      return `rule "${rule}": ${condition} does not hold${reason === undefined ? '' : `, ${reason}`}`;
    case 'other_credential':
      return `rule "${rule}" grants other credentials`;
    case 'tag_not_allowed':
      return `rule "${rule}": the build is of a tag, and the rule names build_branch without build_tag`;
    case 'claim_mismatch': {
      const wrong = checks.filter(({ matched }) => !matched);
      const each = wrong.map(({ claim, patterns, value }) => {
        const named = (text: string) => (claim === 'pipeline_id' ? withPipelineName(text, pipelines) : text);
        const allowed = patterns.map(named).join(' or ');
        return value === null
          ? `${claim} is not given, the rule needs ${allowed}`
          : `${claim} is "${named(value)}", the rule needs ${allowed}`;
      });
      return `rule "${rule}": ${each.join('; ')}`;
    }
  }
}

function withPipelineName(id: string, pipelines: Pipelines): string {
  const named = Object.entries(pipelines).find(([, uuid]) => uuid === id);
  return named ? `${id} (${named[0]})` : id;
}
