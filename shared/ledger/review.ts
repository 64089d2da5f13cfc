// What a review reads of the ledger apart from grants, all of it as it was at one time: acts of the kill switch, which policies
// started when, and how far back the grants on record go.

import { Timestamp } from '@google-cloud/firestore';
import { policyRecordSchema } from '../core/deployment/policy-record.ts';
import { type KillSwitchRecord, killSwitchSchema } from '../core/kill-switch.ts';
import { DOCUMENT_ID, type HistoricDatabase, type Query, type Transaction } from '../firestore/database.ts';
import { parseAll, parseRecord } from '../firestore/records.ts';
import type { ReviewLedgerRecords, ReviewPeriod } from '../operations/ports.ts';
import type { Clock } from '../runtime/clock.ts';
import { readPages, toGrant, withLedgerTimeout } from './documents.ts';

const PER_READ = 300;

/** Without its text, which can be as large as a document. */
const startsSchema = policyRecordSchema.pick({ first_used_at: true, last_started_at: true });

export function createReviewReader(ledger: HistoricDatabase, clock: Clock) {
  const readAll = (reader: Transaction, query: Query) => readPages(clock, query, { size: PER_READ, reader });

  const readActs = async (reader: Transaction, { from, to }: ReviewPeriod) => {
    const byId = ledger.collection('kill_switches').orderBy(DOCUMENT_ID);
    // All of them: one that cannot be read may have any time, and people make few.
    const { loaded, unreadable } = parseAll(await readAll(reader, byId), (read) => parseRecord(killSwitchSchema, read));
    const acts = loaded
      .map(({ read: { id }, record: act }) => ({ id, act }))
      .filter(({ act }) => act.activated_at < to && wasInForce(act, from))
      .sort((one, other) => one.act.activated_at - other.act.activated_at);
    return { acts, unreadableActs: unreadable };
  };

  const readPolicies = async (reader: Transaction) => {
    const starts = ledger
      .collection('policies')
      .select('first_used_at', 'last_started_at', 'schema_version')
      .orderBy(DOCUMENT_ID);
    const { loaded, unreadable } = parseAll(await readAll(reader, starts), (read) => parseRecord(startsSchema, read));
    const policies = loaded
      .map(({ read: { id: sha256 }, record }) => ({ sha256, ...record }))
      .sort((one, other) => one.first_used_at - other.first_used_at);
    return { policies, unreadablePolicies: unreadable };
  };

  const readFirstGrant = async (reader: Transaction): Promise<number | null> => {
    // Null comes before every time, and is not what is looked for.
    const ended = ledger
      .collection('grants')
      .where('access_ended_at', '>=', new Date(0))
      .orderBy('access_ended_at')
      .orderBy('created_at')
      .limit(1);
    const { docs } = await withLedgerTimeout(clock, reader.get(ended));
    return parseAll(docs, toGrant).loaded[0]?.record.created_at ?? null;
  };

  return (period: ReviewPeriod): Promise<ReviewLedgerRecords> =>
    ledger.runTransaction(
      async (reader) => ({
        ...(await readActs(reader, period)),
        ...(await readPolicies(reader)),
        firstGrantAt: await readFirstGrant(reader),
      }),
      { readOnly: true, readTime: new Timestamp(period.as_of.seconds, period.as_of.nanoseconds) },
    );
}

/** Whether it was an act at that time or later, or its block was in force then. */
function wasInForce({ activated_at, blocks_new, deactivated_at }: KillSwitchRecord, from: number): boolean {
  return activated_at >= from || (blocks_new && (deactivated_at === null || deactivated_at >= from));
}
