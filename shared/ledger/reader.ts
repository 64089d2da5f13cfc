// What people read of the ledger, through `reader` and `admin`: grants, and acts of the kill switch. It writes nothing.

import { type ExactField, killSwitchSchema } from '../core/kill-switch.ts';
import type { HistoricDatabase } from '../firestore/database.ts';
import { isDocumentId } from '../firestore/document-id.ts';
import { parseAll, parseRecord } from '../firestore/records.ts';
import type { ReaderLedger, UnreadableRecord } from '../operations/ports.ts';
import type { Clock } from '../runtime/clock.ts';
import { blocksDocument, grantDocument, toBlocks, toGrant, withLedgerTimeout } from './documents.ts';
import { createGrantFinder } from './grant-pages.ts';
import { readLiveGrants } from './live-grants.ts';
import { createReviewReader } from './review.ts';

/** The stored field that a selector's member is compared with. */
const STORED: Readonly<Record<ExactField | 'service_account', string>> = {
  service_account: 'service_account',
  job_id: 'subject.id',
  pipeline_id: 'subject.pipeline_id',
  pipeline_slug: 'subject.pipeline_slug',
  build_branch: 'subject.build_branch',
  agent_id: 'subject.agent_id',
  credential: 'credential',
  environment: 'environment',
  policy_sha256: 'policy_sha256',
  approved_by: 'conditions.approval.approved_by',
};

/** Milliseconds for counting live grants, of the minute that Cloud Run gives a request of `reader`. */
const COUNT_MS = 10_000;

export function createReaderLedger(ledger: HistoricDatabase, clock: Clock): ReaderLedger {
  return {
    grant: async (id) =>
      isDocumentId(id) ? toGrant(await withLedgerTimeout(clock, grantDocument(ledger, id).get())) : undefined,
    findGrants: createGrantFinder(ledger, clock),
    reviewRecords: createReviewReader(ledger, clock),
    blocks: async () => toBlocks(await withLedgerTimeout(clock, blocksDocument(ledger).get())),
    killSwitches: async (ids) => {
      if (ids.length === 0) return new Map();
      const documents = ids.map((id) => ledger.collection('kill_switches').doc(id));
      const read = await withLedgerTimeout(clock, ledger.getAll(...documents));
      const { loaded } = parseAll(read, (snapshot) => parseRecord(killSwitchSchema, snapshot));
      return new Map(loaded.map(({ read: { id }, record }) => [id, record]));
    },
    everHad: async (field, value) => {
      const query = ledger.collection('grants').where(STORED[field], '==', value).limit(1);
      return (await withLedgerTimeout(clock, query.get())).docs.length > 0;
    },
    countLive: async () => {
      const live = new Map<string, number>();
      const unreadable: UnreadableRecord[] = [];
      const until = clock.now() + COUNT_MS;
      let complete = true;
      for await (const page of readLiveGrants(ledger, clock)) {
        for (const { environment } of page.grants) live.set(environment, (live.get(environment) ?? 0) + 1);
        unreadable.push(...page.unreadable);
        complete = clock.now() < until;
        if (!complete) break;
      }
      return { live, unreadable, complete };
    },
  };
}
