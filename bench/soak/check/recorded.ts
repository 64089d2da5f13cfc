// I1: every token that arrived is on record by its hash, for at least as long as it lives, and has its audit line.

import { documentsById, type Evidence, issuedRequests, observed } from './evidence.ts';
import { at, type Judged, Judgement } from './verdict.ts';

/** `expires_in` is in whole seconds. */
const ROUNDING_MS = 1_000;

export function judgeRecorded(evidence: Evidence): Judged {
  const judgement = new Judgement();
  const grants = documentsById(evidence.ledger.grants);
  const received = issuedRequests(evidence);
  const records = new Map(observed(evidence, 'record').map((record) => [record.token, record]));
  for (const { grant, token, found, at: time } of records.values())
    judgement.expect(
      found,
      () => `token ${token} of grant ${grant} was not on record at ${at(time)}, when it had arrived`,
    );
  const issuedLines = new Set(
    evidence.lines.flatMap(({ entry }) => (entry?.event === 'grant.issued' ? [String(entry.token_sha256)] : [])),
  );
  const tokens = new Map<string, Set<string>>();
  for (const { token, grant, job, expires_at, sent, ended } of received) {
    tokens.set(grant, (tokens.get(grant) ?? new Set()).add(token));
    judgement.expect(
      grants.has(grant),
      () => `token ${token} of job ${job} arrived, and its grant ${grant} is not stored`,
    );
    judgement.expect(
      issuedLines.has(token),
      () => `token ${token} of grant ${grant} arrived at ${at(ended)} without a line grant.issued`,
    );
    const record = records.get(token);
    if (!record?.found || record.expires_at === undefined) continue;
    // The service named the lifetime at some time between the request and the response.
    const named = expires_at - (ended - sent);
    const recorded = record.expires_at;
    judgement.expect(
      named <= recorded + ROUNDING_MS,
      () => `token ${token} of grant ${grant} lives until ${at(named)}, and its record says ${at(recorded)}`,
    );
  }
  for (const [grant, issued] of tokens) {
    const stored = Number(grants.get(grant)?.tokens_issued ?? 0);
    judgement.expect(
      stored >= issued.size,
      () => `grant ${grant} has ${stored} tokens on record, and ${issued.size} arrived`,
    );
  }
  return judgement;
}
