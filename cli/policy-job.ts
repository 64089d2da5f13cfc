// What a job would be given, and why or why not: the desk's own decision and its trace, in words. Pure: claims as somebody
// typed them in, text out. Decides nothing itself.

import {
  isMatchableClaim,
  isOptionalClaim,
  type JobClaims,
  MATCHABLE_CLAIMS,
  parseClaims,
} from '../shared/core/policy/claims.ts';
import { type Decision, decide, type RuleTrace } from '../shared/core/policy/decide.ts';
import type { Policy } from '../shared/core/policy/policy.ts';
import { inMinutes, revocationOf } from './policy-table.ts';

/** What every job token has: stand-ins that no rule is ever held against. */
const PLACEHOLDER_CLAIMS = {
  pipeline_slug: '-',
  build_number: 1,
  build_branch: '-',
  build_commit: '-',
  job_id: '00000000-0000-4000-8000-000000000000',
  agent_id: '00000000-0000-4000-8000-000000000000',
};

/**
 * Reads `NAME=VALUE`s. The organization is the policy's; `organization_id=` leaves its id out, as any empty value does.
 * @returns the claims of such a job's token, or all that is wrong
 */
export function parseJob(policy: Policy, written: readonly string[]): { claims: JobClaims } | { problems: string[] } {
  const provided = new Map<string, string>();
  const problems: string[] = [];
  for (const one of written) {
    const cut = one.indexOf('=');
    const claim = one.slice(0, cut);
    if (cut < 1) problems.push(`"${one}" is not NAME=VALUE`);
    else if (!isMatchableClaim(claim))
      problems.push(
        `${claim} is not a claim a rule can name: known are ${MATCHABLE_CLAIMS.join(', ')} and agent_tag:NAME`,
      );
    else if (provided.has(claim)) problems.push(`${claim} is given twice`);
    else provided.set(claim, one.slice(cut + 1));
  }
  for (const claim of Object.keys(PLACEHOLDER_CLAIMS)) {
    const rule = policy.rules.find(({ match }) => Object.hasOwn(match, claim));
    if (rule && !provided.has(claim))
      problems.push(`every job has a ${claim}, and the rule "${rule.name}" looks at it: add --claim ${claim}=…`);
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
    return { problems: [`${claim} cannot be "${provided.get(claim)}" in a job token`] };
  }
  const { id } = policy.organization;
  const { organization_id } = parsed.claims;
  if (id !== undefined && organization_id !== undefined && organization_id !== id)
    return { problems: [`organization_id is another than the policy's: the desk takes no token of such a job at all`] };
  return parsed;
}

/** The flags without which `oidc request-token` would leave out what the job is said to have and the policy looks at. */
export function claimFlags(policy: Policy, claims: JobClaims): string[] {
  const usedClaims = new Set(policy.rules.flatMap(({ match }) => Object.keys(match)));
  if (policy.organization.id !== undefined) usedClaims.add('organization_id');
  const has = (claim: string) => claims.agentTags.has(claim) || claims[claim as keyof JobClaims] !== undefined;
  return [...usedClaims]
    .filter((claim) => isMatchableClaim(claim) && isOptionalClaim(claim) && has(claim))
    .sort()
    .map((claim) => `--claim ${claim}`);
}

/** For each credential, what the desk would decide and why. */
export function explainDecisions(
  policy: Policy,
  claims: JobClaims,
  names: readonly string[] = Object.keys(policy.credentials),
): string[] {
  return names.flatMap((name) => describeDecision(name, decide(policy, claims, name)));
}

/** The same for a program. */
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
    return { credential: name, ...decision };
  });
}

function describeDecision(name: string, decision: Decision): string[] {
  if (decision.outcome === 'granted') {
    const { credential, rule } = decision;
    return [`${name}: granted by "${rule}", ${revocationOf(credential)}, ${inMinutes(credential.ttl)}`];
  }
  const missing =
    decision.reason === 'claims_missing'
      ? `: the job must ask for ${decision.missing.map((claim) => `--claim ${claim}`).join(' ')}`
      : '';
  const tried = decision.trace.filter(({ outcome }) => outcome !== 'other_credential');
  return [
    `${name}: refused, ${decision.reason}${missing}`,
    ...(tried.length > 0 ? tried.map((rule) => `  ${explainRule(rule)}`) : ['  no rule grants it to any job']),
  ];
}

function explainRule({ rule, outcome, checks }: RuleTrace): string {
  switch (outcome) {
    case 'granted':
      return `"${rule}" fits`;
    case 'other_credential':
      return `"${rule}" grants others`;
    case 'tag_not_allowed':
      return `"${rule}" names build_branch and not build_tag, so it lets no tag build through`;
    case 'claim_mismatch': {
      const wrong = checks.filter(({ matched }) => !matched);
      const each = wrong.map(
        ({ claim, patterns, value }) =>
          `${claim} is ${value === null ? 'not given, so' : `"${value}",`} not ${patterns.join(' or ')}`,
      );
      return `"${rule}": ${each.join('; ')}`;
    }
  }
}
