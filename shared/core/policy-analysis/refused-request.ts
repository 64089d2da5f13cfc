// What the audit lines of one request say: whether it was refused, why, and who can change it. The compiler checks that every reason has
// somebody who can.

import type { Refusal } from '../oauth/refusal.ts';
import {
  type Advice,
  AGENT_TOKEN_ADVICE,
  APPROVAL_ADVICE,
  CONDITION_ADVICE,
  JOB_TOKEN_ADVICE,
  REFUSAL_ADVICE,
} from '../oauth/refusal-advice.ts';
import { parseClaims } from '../policy/claims.ts';
import type { RuleTrace } from '../policy/decide.ts';
import { visible } from '../policy/visible-text.ts';
import type { AuditLine } from './audit-line.ts';
import { explainTrace, type RefusedExplanation } from './explain-job.ts';

export type RequestOutcome =
  | { readonly outcome: 'refused' | 'granted' | 'failed'; readonly line: AuditLine }
  | { readonly outcome: 'other'; readonly lines: readonly AuditLine[] };

const OUTCOMES = [
  ['refused', 'grant.refused'],
  ['granted', 'grant.issued'],
  ['failed', 'request.failed'],
  ['failed', 'request.timed_out'],
] as const;

/** @param lines of one request, one at least */
export function outcomeOf(lines: readonly AuditLine[]): RequestOutcome {
  for (const [outcome, event] of OUTCOMES) {
    const line = lines.find((one) => one.event === event);
    if (line) return { outcome, line };
  }
  return { outcome: 'other', lines };
}

/** What every line has, and what is only for the logger. */
const NO_FACTS = ['event', 'request_id', 'severity', 'message', 'schema_version', 'truncated'];

/** What happened: the values in a line, by their names. */
export function valuesIn(line: AuditLine): readonly (readonly [name: string, value: string])[] {
  return Object.entries(line).flatMap(([name, value]) =>
    NO_FACTS.includes(name) || name.includes('/') || !['string', 'number', 'boolean'].includes(typeof value)
      ? []
      : [[name, String(value)] as const],
  );
}

/** Who can change that a request is refused. */
export type Side = 'job' | 'team' | 'policy' | 'operators' | 'time';

const SIDES: Readonly<Record<Refusal['reason'], readonly Side[]>> = {
  job_token_missing: ['job'],
  job_token_malformed: ['job'],
  job_token_type_not_allowed: ['job'],
  job_token_algorithm_not_allowed: ['job'],
  job_token_header_not_allowed: ['job'],
  job_token_key_id_missing: ['job'],
  job_token_key_unknown: ['operators'],
  job_token_signature_invalid: ['job'],
  job_token_issuer_wrong: ['job', 'operators'],
  job_token_audience_wrong: ['job', 'policy'],
  job_token_time_claim_invalid: ['job'],
  job_token_expired: ['job'],
  job_token_not_yet_valid: ['job', 'operators'],
  job_token_issued_in_future: ['job', 'operators'],
  job_token_lifetime_too_long: ['job', 'policy'],
  job_token_claim_invalid: ['job'],
  job_token_organization_wrong: ['policy'],
  agent_token_malformed: ['job'],
  agent_token_type_not_allowed: ['job'],
  agent_token_algorithm_not_allowed: ['job', 'policy'],
  agent_token_header_not_allowed: ['job'],
  agent_token_key_id_missing: ['job'],
  agent_token_key_unknown: ['job', 'policy'],
  agent_token_signature_invalid: ['job'],
  agent_token_issuer_wrong: ['job', 'policy'],
  agent_token_audience_wrong: ['job', 'policy'],
  agent_token_time_claim_invalid: ['job'],
  agent_token_expired: ['job'],
  agent_token_not_yet_valid: ['job', 'operators'],
  agent_token_issued_in_future: ['job', 'operators'],
  agent_token_lifetime_too_long: ['job', 'policy'],
  agent_token_claim_invalid: ['job', 'policy'],
  agent_token_key_not_looked_up: ['time', 'operators'],
  job_token_key_not_looked_up: ['time', 'operators'],
  parameter_missing: ['job'],
  parameter_repeated: ['job'],
  parameter_invalid: ['job'],
  body_not_allowed: ['job'],
  grant_type_not_supported: ['job'],
  claims_missing: ['job'],
  unknown_credential: ['job', 'policy'],
  no_matching_rule: ['job', 'policy'],
  approval_pending: ['job', 'time'],
  approval_not_accepted: ['job', 'policy'],
  conditions_unknown: ['time', 'operators'],
  agent_token_missing: ['job', 'policy'],
  job_ended: ['job'],
  grant_revoked: ['job'],
  credential_changed: ['job'],
  live_token_limit: ['job', 'time'],
  rate_limited: ['job', 'policy', 'time'],
  pipeline_grant_limit: ['time', 'policy'],
  pool_exhausted: ['time', 'policy'],
  blocked: ['operators'],
  grant_busy: ['time'],
  google_refused: ['operators'],
  dependency_unavailable: ['time', 'operators'],
  too_many_lookups: ['time'],
  not_found: ['job'],
  method_not_allowed: ['job'],
  content_type_not_supported: ['job'],
  request_too_large: ['job'],
};

const BY_RULES = ['claims_missing', 'unknown_credential', 'no_matching_rule'] as const;

export interface ReasonExplanation {
  readonly reason: string;
  /** Empty for a reason that this version does not know. */
  readonly sides: readonly Side[];
  readonly when: string;
  readonly whatToDo: string;
  /** Fields of the line that depend on the reason. */
  readonly facts: readonly (readonly [name: string, value: string])[];
}

export function explainReason(line: AuditLine): ReasonExplanation {
  const reason = line.reason ?? 'not known';
  const all: Readonly<Record<string, { when: string; whatToDo: string }>> = {
    ...{ ...JOB_TOKEN_ADVICE, ...AGENT_TOKEN_ADVICE },
    ...REFUSAL_ADVICE,
  };
  const advice = approvalAdvice(line) ?? (Object.hasOwn(all, reason) ? all[reason] : undefined);
  if (isByConditions(line)) return { reason, ...explainConditions(line), facts: factsOf(line) };
  return {
    reason,
    sides: advice ? sidesOf(line, reason as Refusal['reason']) : [],
    when: toPlain(withTeam(line, advice?.when) ?? 'This version of keydesk does not know the reason.'),
    whatToDo: toPlain(advice?.whatToDo ?? 'Install the version of keydesk that is deployed.'),
    facts: factsOf(line),
  };
}

/** Somebody who is no member may become one. */
function sidesOf({ problem }: AuditLine, reason: Refusal['reason']): readonly Side[] {
  return problem === 'approver_not_in_team' ? ['job', 'team', 'policy'] : SIDES[reason];
}

function withTeam({ team }: AuditLine, text: string | undefined): string | undefined {
  return team === undefined ? text : text?.replace('the team `by`', () => `the team ${visible(team)}`);
}

const CONDITION_SIDES: Readonly<Record<keyof typeof CONDITION_ADVICE, readonly Side[]>> = {
  pipeline_not_in_team: ['team', 'policy'],
  team_access_too_low: ['team', 'policy'],
  creator_unverified: ['job', 'policy'],
  creator_unknown: ['job', 'policy'],
  creator_not_in_team: ['job', 'team', 'policy'],
  agent_token_missing: ['job', 'policy'],
  agent_of_other_provider: ['job', 'policy'],
  agent_claims_differ: ['job', 'policy'],
};
const SIDE_ORDER = ['job', 'team', 'policy', 'operators', 'time'] as const;

/** Whether the claims of the job match a rule, and only its conditions do not hold. */
export function isByConditions({ reason, trace = [] }: AuditLine): boolean {
  return reason === 'no_matching_rule' && trace.some(({ outcome }) => outcome === 'condition_unmet');
}

function explainConditions({ trace = [] }: AuditLine): Pick<ReasonExplanation, 'sides' | 'when' | 'whatToDo'> {
  const advice: Readonly<Record<string, Advice>> = { ...APPROVAL_ADVICE, ...CONDITION_ADVICE };
  const sides: Readonly<Record<string, readonly Side[]>> = CONDITION_SIDES;
  const known = trace.flatMap(({ outcome, reason = '' }) =>
    outcome === 'condition_unmet' && Object.hasOwn(advice, reason) ? [reason] : [],
  );
  const reasons = [...new Set(known)];
  const who = new Set(reasons.flatMap((reason) => sides[reason] ?? SIDES.approval_not_accepted));
  return {
    sides: SIDE_ORDER.filter((side) => who.has(side)),
    when: 'The claims of the job match a rule of the policy, and a condition of the rule does not hold.',
    whatToDo:
      reasons.length === 0
        ? 'Install the version of keydesk that is deployed.'
        : toPlain(reasons.map((reason) => advice[reason]?.whatToDo ?? '').join(' Or: ')),
  };
}

function approvalAdvice({ reason, problem }: AuditLine): Advice | undefined {
  const known: Readonly<Record<string, Advice>> = APPROVAL_ADVICE;
  return reason === 'approval_not_accepted' && typeof problem === 'string' && Object.hasOwn(known, problem)
    ? known[problem]
    : undefined;
}

/** Whether the rules of the policy decided, so that its line has the claims of the job. */
export function isByRules(reason: string | undefined): reason is (typeof BY_RULES)[number] {
  return (BY_RULES as readonly (string | undefined)[]).includes(reason);
}

/** The explanation from the line alone; undefined where the rules did not decide, or the line was cut. */
export function explainFromLine({
  reason,
  credential,
  job,
  trace,
  missing = [],
}: AuditLine): RefusedExplanation | undefined {
  const parsed = parseClaims(job);
  if (!isByRules(reason) || credential === undefined || !trace || 'invalidClaim' in parsed) return undefined;
  return explainTrace(credential, reason, { trace: trace.map(withoutAbsent), missing, claims: parsed.claims });
}

/** A field that is absent is not there. */
export function withoutAbsent({
  condition,
  reason,
  team,
  ...traced
}: NonNullable<AuditLine['trace']>[number]): RuleTrace {
  return {
    ...traced,
    ...(condition && { condition }),
    ...(reason !== undefined && { reason }),
    ...(team !== undefined && { team }),
  };
}

const FACTS = [
  'detail',
  'received',
  'expected',
  'hint',
  'step',
  'problem',
  'unknown',
  'team',
  'providers',
  'ended_at',
  'grant_id',
  'live_grants',
  'limit',
  'pool_size',
  'free_at',
  'kill_switch_id',
  'dependency',
  'code',
  'error',
  'cause',
  'google_code',
  'permission',
  'api',
  'consumer',
  'service_account',
  'allow',
  'retry_after_s',
];

function factsOf(line: AuditLine): [string, string][] {
  const values: Readonly<Record<string, unknown>> = line;
  return FACTS.flatMap((name): [string, string][] => {
    const written = values[name];
    const value = Array.isArray(written) ? written.map(String).join(', ') : written;
    return typeof value === 'string' || typeof value === 'number' ? [[name, visible(String(value))]] : [];
  });
}

/** Markdown of a page in docs/, as plain text. */
function toPlain(markdown: string): string {
  return markdown
    .replaceAll(/\[([^\]]+)\]\(#[^)]*\)/g, '$1 (docs/TROUBLESHOOTING.md)')
    .replaceAll(/\[([^\]]+)\]\(([^)#]+)(?:#[^)]*)?\)/g, '$1 (docs/$2)')
    .replaceAll('`', '');
}
