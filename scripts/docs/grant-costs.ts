// What a grant costs: the operations that test/http/cost-of-a-grant.test.ts counts, and their table for docs/OPERATIONS.md.

import { type Blocks, table } from './markdown.ts';

/** What is counted at each step, in the order of the figures below. */
export const COUNTED = ['reads', 'writes', 'mints', 'sts', 'iam reads', 'iam writes'] as const;

/** `sweep` is what later sweeps do because of the grant. */
type Step = 'issue' | 'renewal' | 'end' | 'sweep';
type Counts = readonly [reads: number, writes: number, mints: number, sts: number, iamReads: number, iamWrites: number];
type Costs = Readonly<Record<Step, Counts>>;

export const GRANT_COSTS = {
  firestore: {
    // One of the reads is which Firebase user is in force: an instance makes it once in ten minutes for each.
    issue: [6, 4, 1, 0, 0, 0],
    renewal: [6, 3, 1, 0, 0, 0],
    end: [3, 4, 0, 0, 0, 0],
    sweep: [0, 0, 0, 0, 0, 0],
  },
  'shared account': {
    issue: [6, 4, 1, 0, 0, 0],
    renewal: [6, 2, 1, 0, 0, 0],
    end: [2, 2, 0, 0, 0, 0],
    sweep: [1, 1, 0, 0, 0, 0],
  },
  'shared account, narrowed': {
    issue: [6, 4, 1, 1, 0, 0],
    renewal: [6, 2, 1, 1, 0, 0],
    end: [2, 2, 0, 0, 0, 0],
    sweep: [1, 1, 0, 0, 0, 0],
  },
  'pooled account': {
    issue: [13, 4, 1, 0, 0, 0],
    renewal: [13, 3, 1, 0, 0, 0],
    end: [5, 5, 0, 0, 1, 1],
    sweep: [13, 13, 0, 0, 13, 1],
  },
  'pooled account, narrowed': {
    issue: [13, 4, 1, 1, 0, 0],
    renewal: [13, 3, 1, 1, 0, 0],
    end: [5, 5, 0, 0, 1, 1],
    sweep: [15, 14, 0, 0, 13, 1],
  },
} as const satisfies Record<string, Costs>;

/** Reads of an issuance by an instance that has issued within the last minute, to a job without another grant and without a pool. */
export const BUSY_ISSUE_READS = 2;

/** Reads and writes where a rule demands an approval by a member of one team. */
export const CONDITION_COSTS = {
  'an issuance or a renewal, in addition': [2, 0],
  'the first request before the approval': [3, 1],
  'each further request before it': [3, 0],
  '`job.activated`': [1, 1],
  'recording a team that was read': [1, 1],
} as const;

/** Reads of a sweep that has nothing to do. */
export const IDLE_SWEEP_READS = 7;

/** Dollars for a million: the example prices of cloud.google.com/firestore/pricing for nam5. */
export const PRICES = { read: 0.6, write: 1.8, deletion: 0.2 };

export function costTables(): Blocks {
  return {
    costs: table(
      ['credential', 'a grant; price of a million', 'a renewal; price of a million'],
      Object.entries<Costs>(GRANT_COSTS).map(([kind, { issue, renewal, end, sweep }]) => {
        const [reads, writes] = [issue[0] + end[0] + sweep[0], issue[1] + end[1] + sweep[1]];
        // By TTL: the grant, the job and, for a Firestore token, the grant document.
        return [kind, cost(reads, writes, kind === 'firestore' ? 3 : 2), cost(renewal[0], renewal[1], 0)];
      }),
    ),
    'condition costs': table(
      ['with an approval by a team', 'operations; price of a million'],
      Object.entries(CONDITION_COSTS).map(([what, [reads, writes]]) => [what, cost(reads, writes, 0)]),
    ),
  };
}

function cost(reads: number, writes: number, deletions: number): string {
  const price = reads * PRICES.read + writes * PRICES.write + deletions * PRICES.deletion;
  const deleted = deletions > 0 ? `, ${deletions} deletions` : '';
  return `${reads} reads, ${writes} writes${deleted}; $${price.toFixed(2)}`;
}
