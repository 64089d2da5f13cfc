// What an issuance and an idle sweep read in a ledger that holds many grants of jobs that are over. Counted over Firestore in memory, since
// the emulator scans without indexes.

import { openCountedKeydesk } from '../test/fixtures/counted-keydesk.ts';
import { row, title } from './measure.ts';

const STORED = [0, 10_000, 100_000];
const AT_ONCE = 400;

export async function benchStoredGrants(): Promise<void> {
  title('Documents read and operations, by stored grants (counted)');
  for (const stored of STORED) {
    const keydesk = openCountedKeydesk('shared account');
    await keydesk.issueToken(jobId(0));
    await store(keydesk, stored);
    const first = await keydesk.counted(() => keydesk.issueToken(jobId(stored + 1)));
    keydesk.later(60_000);
    const later = await keydesk.counted(() => keydesk.issueToken(jobId(stored + 2)));
    const sweep = await keydesk.counted(keydesk.sweep);
    for (const [what, { reads, writes }] of Object.entries({
      'a token': first,
      'a token after an idle minute': later,
      'a sweep': sweep,
    })) {
      row(`${stored} stored grants, ${what}: reads`, reads, '');
      row(`${stored} stored grants, ${what}: writes`, writes, '');
    }
  }
}

/** Copies of the one grant and job that are there, as they are after their expiry. */
async function store({ ledger }: ReturnType<typeof openCountedKeydesk>, count: number): Promise<void> {
  const [grant] = (await ledger.collection('grants').get()).docs;
  const [job] = (await ledger.collection('jobs').get()).docs;
  if (!grant || !job) throw new Error('nothing was issued');
  for (let begin = 1; begin <= count; begin += AT_ONCE) {
    const batch = ledger.batch();
    for (let nth = begin; nth < Math.min(begin + AT_ONCE, count + 1); nth += 1) {
      batch.set(ledger.collection('grants').doc(nth.toString(16).padStart(32, '0')), {
        ...grant.data(),
        state: 'expired',
      });
      batch.set(ledger.collection('jobs').doc(jobId(nth)), { ...job.data(), check_at: null });
    }
    await batch.commit();
  }
}

function jobId(nth: number): string {
  return `0190a6e2-0000-4000-8000-${nth.toString(16).padStart(12, '0')}`;
}
