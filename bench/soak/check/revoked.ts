// I3: once Keydesk says that access has ended, a token that it can revoke is not accepted any more.

import { acceptedEnds, documentsById, type Evidence, issuedRequests, observed, timeOf } from './evidence.ts';
import { at, type Judged, Judgement } from './verdict.ts';

const REVOCABLE = new Set(['immediate', 'propagating']);

export function judgeRevoked(evidence: Evidence): Judged {
  const judgement = new Judgement();
  const { complete } = acceptedEnds(evidence);
  const grants = documentsById(evidence.ledger.grants);
  const requests = observed(evidence, 'request');
  const revocable = new Set(
    issuedRequests(evidence).flatMap(({ token, revocation = '' }) => (REVOCABLE.has(revocation) ? [token] : [])),
  );
  const released = new Map<string, number>();
  for (const { operation, status, grant, ended } of requests)
    if (operation === 'release' && status === 200 && grant !== undefined)
      released.set(grant, Math.min(ended, released.get(grant) ?? ended));
  /** When Keydesk said, first, that no token of the grant is accepted. */
  const overSince = (job: string, grant: string): number => {
    const fields = grants.get(grant) ?? {};
    const onRecord = fields.state === 'revoked' ? timeOf(fields, 'access_ended_at') : undefined;
    const times = [complete.get(job), released.get(grant), onRecord];
    return Math.min(...times.map((time) => time ?? Number.POSITIVE_INFINITY));
  };
  for (const { token, grant, job, sent, accepted } of observed(evidence, 'probe')) {
    if (!revocable.has(token)) continue;
    const over = overSince(job, grant);
    if (sent <= over) continue;
    judgement.expect(
      !accepted,
      () => `token ${token} of grant ${grant} was accepted at ${at(sent)}, and its access ended at ${at(over)}`,
    );
  }
  for (const { operation, token, grant, job, sent, active } of requests) {
    if (operation !== 'introspect' || active === undefined || !token || !grant || !job) continue;
    if (!revocable.has(token) || sent <= overSince(job, grant)) continue;
    judgement.expect(!active, () => `token ${token} of grant ${grant} was called active at ${at(sent)}, after its end`);
  }
  judgeDisabled(evidence, judgement);
  return judgement;
}

/** Each pooled account whose grant is revoked was disabled by then, and not enabled between. */
function judgeDisabled(evidence: Evidence, judgement: Judgement): void {
  const changes = observed(evidence, 'google_change');
  for (const { id, fields } of evidence.ledger.grants ?? []) {
    if (fields.kind !== 'pooled_service_account' || fields.state !== 'revoked') continue;
    const account = fields.service_account;
    const ended = timeOf(fields, 'access_ended_at') ?? 0;
    const last = changes.filter((change) => change.account === account && change.at <= ended).at(-1);
    judgement.expect(
      last?.disabled === true,
      () => `grant ${id} is revoked since ${at(ended)}, and ${account} was enabled at that time`,
    );
  }
}
