// I6: after the time to settle, every grant is final and every account serves again, in the ledger and at Google.

import { poolOf } from './accounts.ts';
import { type Evidence, observed, timeOf } from './evidence.ts';
import { at, type Judged, Judgement } from './verdict.ts';

const FINAL_GRANTS: readonly unknown[] = ['revoked', 'expired'];

export function judgeFinal(evidence: Evidence): Judged {
  const judgement = new Judgement();
  const { ledger, data, exportedAt } = evidence;
  for (const { id, fields } of ledger.grants ?? [])
    judgement.expect(FINAL_GRANTS.includes(fields.state), () => `grant ${id} stays ${fields.state}`);
  for (const { id, fields } of ledger.service_accounts ?? []) {
    const cooling = fields.state === 'cooling_down' && (timeOf(fields, 'reusable_at') ?? 0) > exportedAt;
    if (cooling) judgement.note('accounts that still cool down');
    const final = fields.state === 'free' || fields.state === 'shared' || cooling;
    judgement.expect(final, () => `${id} stays ${fields.state}, for grant ${fields.grant_id}`);
    if (fields.state === 'free')
      judgement.expect(
        (timeOf(fields, 'reusable_at') ?? 0) <= exportedAt,
        () => `${id} is free before its cooldown is over`,
      );
  }
  for (const { id, fields } of ledger.jobs ?? [])
    judgement.expect(
      fields.ending_since === null || fields.ended_at !== null,
      () => `the end of job ${id} was begun and is not on record`,
    );
  for (const { id, fields } of data.keydesk_grants ?? [])
    judgement.expect(
      fields.state === 'ended' || (timeOf(fields, 'expires_at') ?? Number.POSITIVE_INFINITY) <= exportedAt,
      () => `the grant document ${id} is open until ${at(timeOf(fields, 'expires_at') ?? 0)}`,
    );
  const states = new Map(observed(evidence, 'google_change').map(({ account, disabled }) => [account, disabled]));
  const stored = new Map((ledger.service_accounts ?? []).map(({ id, fields }) => [id, fields.state]));
  for (const account of poolOf(evidence))
    judgement.expect(
      states.get(account) !== true || stored.get(account) === 'cooling_down',
      () => `${account} stays disabled at Google, and is ${stored.get(account)} in the ledger`,
    );
  return judgement;
}
