// What somebody must explain: what a review names by itself.

import type { ActView } from '../operator-api/review.ts';
import type { Policy } from '../policy/policy.ts';
import { basisProblem } from './basis.ts';
import type { CrossCheck } from './cross-check.ts';
import type { DoctorReport } from './doctor.ts';
import type { GrantRow } from './row.ts';

export const FINDING_CODES = {
  basis_not_confirmed: 'The policy on record does not confirm these grants',
  issued_without_line: 'Issuances are on record that the audit log does not have',
  end_without_line: 'Ends are on record that the audit log does not have',
  line_without_grant: 'The audit log has grants that are not on record',
  act_without_line: 'Acts of the kill switch are on record that the audit log does not have',
  line_without_act: 'The audit log has acts of the kill switch that are not on record',
  touch_without_grant: "Google's log has grants that are not on record",
  break_glass: 'These were issued by a rule for emergencies: each is owed a look',
  expired_not_revoked: 'These ended, could have been revoked, and were accepted until they expired',
  end_not_reported: 'These could have been revoked, and expired without a recorded end of the job',
  accepted_after_end: 'These have ended, and are still accepted',
  overdue: 'The time of these is up, and their end is not on record',
  act_missing: 'These were ended by an act of the kill switch that is not on record',
  doctor_findings: 'The doctor found this, and no exception accepts it',
} as const;
export type FindingCode = keyof typeof FINDING_CODES;

export interface Finding {
  readonly code: FindingCode;
  readonly text: string;
  readonly items: readonly { readonly grant_id: string | null; readonly detail: string }[];
}

interface Evidence {
  readonly rows: readonly GrantRow[];
  /** Those whose text is known, by SHA-256. */
  readonly policies: ReadonlyMap<string, Policy>;
  /** Milliseconds since the epoch: the beginning of the period. */
  readonly from: number;
  /** Also of some days before the period. */
  readonly acts: readonly ActView[];
  /** Ids. */
  readonly unreadableActs: ReadonlySet<string>;
  readonly crossCheck: CrossCheck | undefined;
  readonly touchesWithoutGrant: readonly string[];
  readonly doctor: DoctorReport | undefined;
}

/** The gravest first. */
export function findingsOf(evidence: Evidence): Finding[] {
  const { rows, policies, crossCheck, touchesWithoutGrant, doctor } = evidence;
  const of = (code: FindingCode, items: Finding['items']): Finding[] =>
    items.length === 0 ? [] : [{ code, text: FINDING_CODES[code], items }];
  const ofRows = (code: FindingCode, detailOf: (row: GrantRow) => string | undefined) =>
    of(
      code,
      rows.flatMap((row) => {
        const detail = detailOf(row);
        return detail === undefined ? [] : [{ grant_id: row.grant_id, detail }];
      }),
    );
  return [
    ...ofRows('basis_not_confirmed', (row) => {
      const policy = policies.get(row.policy_sha256);
      return policy && basisProblem(row, policy);
    }),
    ...of(
      'line_without_grant',
      (crossCheck?.line_without_grant ?? []).map(({ grant_id, events, first_at, credential, pipeline_slug }) => ({
        grant_id,
        detail: `${events.join(', ')} of ${credential ?? 'an unknown credential'}, pipeline ${pipeline_slug ?? 'unknown'}, first at ${first_at ?? 'an unknown time'}`,
      })),
    ),
    ...of(
      'issued_without_line',
      (crossCheck?.issued_without_line ?? []).map(({ grant_id, issuances, lines }) => ({
        grant_id,
        detail: `${issuances} issued, ${lines} in the log`,
      })),
    ),
    ...of(
      'end_without_line',
      (crossCheck?.end_without_line ?? []).map(({ grant_id, event }) => ({ grant_id, detail: `no line ${event}` })),
    ),
    ...of(
      'act_without_line',
      (crossCheck?.act_without_line ?? []).map(({ id, activated_at, actor }) => ({
        grant_id: null,
        detail: `the act ${id} by ${actor} at ${activated_at}`,
      })),
    ),
    ...of(
      'line_without_act',
      (crossCheck?.line_without_act ?? []).map(({ id, at, actor }) => ({
        grant_id: null,
        detail: `the act ${id} by ${actor}, in the log at ${at}`,
      })),
    ),
    ...of(
      'touch_without_grant',
      touchesWithoutGrant.map((grant_id) => ({ grant_id, detail: 'it has entries in the period' })),
    ),
    ...ofRows('overdue', ({ outcome, state, expires_at }) =>
      outcome === 'overdue' ? `${state}, its tokens expired at ${expires_at}` : undefined,
    ),
    // A request that was blocked or cut off leaves a grant without a token.
    ...ofRows('break_glass', ({ conditions, credential, issued_at }) =>
      conditions?.approval?.break_glass && issued_at !== null
        ? `${credential}, approved by ${conditions.approval.approved_by} at ${conditions.approval.approved_at}: ${conditions.approval.reason}`
        : undefined,
    ),
    ...ofRows('expired_not_revoked', (row) =>
      wasExpiredOnly(row) && row.ended_by !== 'expiry'
        ? `ended by ${row.ended_by} at ${row.ended_at}, accepted until ${row.access_ended_at}`
        : undefined,
    ),
    ...ofRows('end_not_reported', (row) =>
      wasExpiredOnly(row) && row.ended_by === 'expiry' && !finishedLater(row)
        ? `accepted until ${row.access_ended_at}`
        : undefined,
    ),
    ...ofRows('accepted_after_end', ({ outcome, ended_at, ended_by, access_ended_at, expires_at, revocation }) =>
      outcome === 'still_accepted' && ended_at !== null
        ? `ended by ${ended_by} at ${ended_at}, accepted until ${access_ended_at ?? expires_at} (${revocation})`
        : undefined,
    ),
    ...ofRows('act_missing', (row) => missingAct(row, evidence)),
    ...of(
      'doctor_findings',
      (doctor?.findings ?? []).map((detail) => ({ grant_id: null, detail })),
    ),
  ];
}

/** It could have been revoked, and expired. */
export function wasExpiredOnly({ outcome, revocation }: GrantRow): boolean {
  return outcome === 'expired' && revocation !== 'expiry';
}

/** The job is known to have ended after its tokens had expired: there was nothing to revoke. */
export function finishedLater({ job_finished_at, access_ended_at }: GrantRow): boolean {
  return job_finished_at !== null && access_ended_at !== null && job_finished_at >= access_ended_at;
}

function missingAct(
  { kill_switch_id: id, ended_at }: GrantRow,
  { acts, unreadableActs, from }: Evidence,
): string | undefined {
  if (id === null || ended_at === null || Date.parse(ended_at) < from) return undefined;
  return unreadableActs.has(id) || acts.some((act) => act.id === id) ? undefined : `the act ${id}`;
}
