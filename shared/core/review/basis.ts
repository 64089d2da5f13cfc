// Whether a policy confirms a grant: it has the rule, the rule grants the credential, and the job on record meets what the rule demands.
// A record that was written by hand, or changed, need not.

import { CONDITIONS, type Conditions } from '../policy/conditions.ts';
import { matchesPattern } from '../policy/pattern.ts';
import type { Policy } from '../policy/policy.ts';
import { demandsOf } from '../policy-analysis/jobs.ts';
import type { GrantRow } from './row.ts';

/** @returns why the policy does not confirm the grant, as a clause; undefined when it does, as far as the record has the job's claims */
export function basisProblem(row: GrantRow, { organization, credentials, rules, teams }: Policy): string | undefined {
  const { credential: name, environment, job, tokens_issued } = row;
  const credential = Object.hasOwn(credentials, name) ? credentials[name] : undefined;
  if (!credential) return `the policy has no credential ${name}`;
  if (credential.environment !== environment)
    return `the credential is of the environment ${credential.environment}, not of ${environment}`;
  const rule = rules.find((one) => one.name === row.rule);
  if (!rule) return `the policy has no rule ${JSON.stringify(row.rule)}`;
  if (!rule.grants.includes(name)) return `the rule ${JSON.stringify(row.rule)} does not grant ${name}`;
  if (job.organization_slug !== organization.slug) return 'the job is of another organization';
  if (organization.id !== undefined && job.organization_id !== organization.id)
    return 'the job is of another organization, by its UUID';
  const unmet = demandsOf(rule.match).find(([claim, { absent, patterns }]) => {
    // Not every claim is on record, and one that the first token lacked may be in a later one.
    if (!Object.hasOwn(job, claim) || (job[claim] === null && tokens_issued > 1)) return false;
    const value = job[claim] ?? null;
    return value === null ? !absent : !patterns.some((pattern) => matchesPattern(pattern, `${value}`));
  });
  if (unmet) return `the job's ${unmet[0]} does not match the rule ${JSON.stringify(row.rule)}`;
  const lacking = CONDITIONS.find((condition) => !holdsByRecord(condition, rule.conditions, row.conditions, teams));
  return lacking && `the record does not say that ${lacking} of the rule ${JSON.stringify(row.rule)} held`;
}

/** Whether the record has what the condition demands, as it was at the latest issuance. */
function holdsByRecord(
  condition: (typeof CONDITIONS)[number],
  { team, created_by, approval, agent }: Conditions,
  recorded: GrantRow['conditions'],
  teams: Policy['teams'],
): boolean {
  switch (condition) {
    case 'team':
      return !team || recorded?.team?.id === teams[team.name];
    case 'created_by':
      return !created_by || recorded?.created_by?.team_id === teams[created_by.team];
    case 'approval':
      return (
        !approval ||
        (recorded?.approval?.team_id === teams[approval.by] && recorded?.approval?.step_key === approval.step)
      );
    case 'agent':
      return (
        !agent ||
        (recorded?.agent?.provider === agent.provider &&
          Object.entries(agent.claims).every(([name, values]) => values.includes(recorded?.agent?.claims[name] ?? '')))
      );
  }
}
