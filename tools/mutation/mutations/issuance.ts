// Guards of issuance (I1, I2): a token is on record before it leaves, and what has ended receives none.

import type { Mutation } from '../mutation.ts';

const ISSUE_TOKEN = 'shared/operations/issue-token.ts';
const GRANT_ACTIVATE = 'shared/core/grant/activate.ts';
const GRANT_END = 'shared/core/grant/end.ts';
const GRANT_RESERVE = 'shared/core/grant/reserve.ts';
const ISSUANCE_LEDGER = 'shared/ledger/issuance.ts';
const FIRST_GRANT_TEST = 'test/http/first-grant.test.ts';
const DOCUMENTS = 'shared/ledger/documents.ts';
const RECORDS = 'shared/firestore/records.ts';

const MODEL = 'test/model/lifecycle.test.ts';
const BUSY_GRANT_TEST = 'test/http/busy-grant.test.ts';
const GRANT_TEST = 'test/unit/core/grant/grant.test.ts';
const GRANT_LIFECYCLE_TEST = 'test/unit/core/grant/lifecycle.test.ts';

const noTombstoneInActivate = {
  file: GRANT_ACTIVATE,
  find: `  if (jobEndedAt !== undefined) return { refusal: { reason: 'job_ended', ended_at: jobEndedAt } };
  if (!existing)`,
  replace: '  if (!existing)',
};
const noEndInActivate = {
  file: GRANT_ACTIVATE,
  find: `  const refusal = refusalIfEnded(existing);
  if (refusal) return { refusal };
  if (existing.state === 'expired')`,
  replace: `  if (existing.state === 'expired')`,
};
const noGrantSteps = { file: DOCUMENTS, find: '  assertGrantTransition(before, after);\n', replace: '' };

export const ISSUANCE: readonly Mutation[] = [
  {
    id: 'token-not-recorded',
    breaks: 'I1',
    means: 'A token is returned and no record of it is written.',
    observed: 'history 1 of `everything`: I1: the token left and is not recorded',
    edits: [
      {
        file: ISSUE_TOKEN,
        find: `  const activated = await deps.ledger.activate({ ...token, ...leased }, reserved);
  if ('refusal' in activated) return refuse(activated.refusal);`,
        replace: '  const activated = { grant };',
      },
    ],
    killers: ['test/http/issue-token.test.ts', MODEL],
  },
  {
    id: 'token-recorded-alongside',
    breaks: 'I1',
    means: 'A token is returned while its record is still being written.',
    observed: 'history 1 of `everything`: I1: the token left and is not recorded',
    edits: [
      {
        file: ISSUE_TOKEN,
        find: `  const activated = await deps.ledger.activate({ ...token, ...leased }, reserved);
  if ('refusal' in activated) return refuse(activated.refusal);`,
        replace: `  deps.ledger.activate({ ...token, ...leased }, reserved).catch(() => {});
  const activated = { grant };`,
      },
    ],
    killers: ['test/http/token-unavailable.test.ts', MODEL],
  },
  {
    id: 'renewal-forgets-live-tokens',
    breaks: 'I1',
    means: 'A renewal drops the earlier tokens of the grant from its record while they live.',
    observed: 'history 1 of `pool`: I1: the token left, is live, and is not recorded',
    edits: [
      {
        file: GRANT_RESERVE,
        find: `'active' : 'issuing',
    tokens,`,
        replace: `'active' : 'issuing',
    tokens: [],`,
      },
    ],
    killers: ['test/unit/core/grant/invariants.test.ts', MODEL],
  },
  {
    id: 'reservation-ignores-tombstone',
    breaks: 'I2',
    means: 'The reservation does not refuse a job whose end is on record.',
    observed: 'history 3 of `everything`: I3: a grant is `issuing` and its job has ended',
    edits: [
      {
        file: GRANT_RESERVE,
        find: `  if (jobEndedAt !== undefined) return { refusal: { reason: 'job_ended', ended_at: jobEndedAt } };
  const blocked`,
        replace: '  const blocked',
      },
    ],
    killers: [GRANT_LIFECYCLE_TEST, MODEL],
  },
  {
    id: 'recording-ignores-every-end',
    breaks: 'I2',
    means: 'Recording a token checks neither the tombstone nor the end of the grant.',
    observed: 'history 5 of `races`: I2: got a token although its job has ended',
    edits: [noTombstoneInActivate, noEndInActivate],
    killers: [GRANT_LIFECYCLE_TEST, MODEL],
  },
  {
    id: 'recording-ignores-every-end-and-step',
    breaks: 'I2',
    means: 'Recording a token checks neither the tombstone nor the end of the grant, and the ledger writes any step.',
    observed: 'history 5 of `races`: I2: got a token although its job has ended',
    edits: [noTombstoneInActivate, noEndInActivate, noGrantSteps],
    killers: [GRANT_LIFECYCLE_TEST, MODEL],
  },
  {
    id: 'recording-ignores-end-of-grant',
    breaks: 'I2',
    means: 'Recording a token checks the tombstone, and not whether the grant alone was ended.',
    observed: 'history 8 of `races`: the ledger refuses the step from `revoking` to `active`',
    edits: [noEndInActivate],
    killers: [GRANT_LIFECYCLE_TEST, MODEL],
  },
  {
    id: 'recording-ignores-tombstone',
    breaks: 'I2',
    means: 'Recording a token checks whether the grant was ended, and not the tombstone.',
    observed: "not noticed: a second guard holds, because the job's end marks its grants",
    edits: [noTombstoneInActivate],
    killers: [GRANT_TEST],
    secondGuard: 'The end of a job marks its grants, and recording a token checks that mark.',
  },
  {
    id: 'recording-ignores-tombstone-and-mark',
    breaks: 'I2',
    means: 'Recording a token checks neither the tombstone nor the mark that the end of a job puts on its grants.',
    observed: 'not noticed: a third guard holds, because a grant says by what it was ended',
    edits: [
      noTombstoneInActivate,
      {
        file: GRANT_END,
        find: `  const { state, ended_by, job_ended_at } = existing;
  if (job_ended_at !== null) return { reason: 'job_ended', ended_at: job_ended_at };`,
        replace: '  const { state, ended_by } = existing;',
      },
    ],
    killers: [GRANT_TEST],
    secondGuard: 'A grant says by what it was ended, and recording a token checks that.',
  },
  {
    id: 'blind-writes',
    breaks: 'I2',
    means: 'Records are written without the condition that nobody changed them since they were read.',
    observed: 'history 1 of `pool`: I4: `leased`, and its grant does not hold it',
    edits: [
      {
        file: RECORDS,
        find: `  if (updated) batch.update(document, data, { lastUpdateTime: updated });
  else batch.create(document, data);`,
        replace: '  batch.set(document, data);',
      },
    ],
    killers: ['test/http/ledger/races.test.ts', MODEL],
  },
  {
    id: 'ended-grant-after-expiry',
    breaks: 'I2',
    means: 'A grant that was released or killed can be issued again once it has expired.',
    observed: 'history 43 of `races`: I2: got a token although it was released',
    edits: [
      {
        file: GRANT_END,
        find: `  const ended = (ended_by !== null && ended_by !== 'expiry')`,
        replace: `  const ended = (state !== 'expired' && ended_by !== null && ended_by !== 'expiry')`,
      },
    ],
    killers: [GRANT_LIFECYCLE_TEST, MODEL],
  },
  {
    id: 'release-of-shared-not-recorded',
    breaks: 'I2',
    means: 'The release of a grant that can only expire is not recorded, so its job can renew it.',
    observed: 'history 5 of `everything`: I2: was released and is still renewed',
    edits: [
      {
        file: GRANT_END,
        find: `  return revocableAccess(ended) ? { ...ended, state: 'revoking' } : ended;`,
        replace: `  if (!revocableAccess(ended)) return cause.by === 'released' ? undefined : ended;
  return { ...ended, state: 'revoking' };`,
      },
    ],
    killers: [GRANT_LIFECYCLE_TEST, 'test/http/revoke.test.ts', MODEL],
  },
  {
    id: 'expired-grants-not-marked',
    breaks: 'I2',
    means: 'The end of a job does not mark its expired grants, so a request on its way finds them unchanged.',
    observed: 'history 23 of `races`: I3: a grant is `issuing` and its job has ended',
    edits: [
      {
        file: GRANT_END,
        find: `  if (existing.state === 'expired') return marked;`,
        replace: `  if (existing.state === 'expired') return undefined;`,
      },
    ],
    killers: [GRANT_LIFECYCLE_TEST, MODEL],
  },
  {
    id: 'ended-shared-grants-not-marked',
    breaks: 'I2',
    means: 'The end of a job does not mark its grants of shared accounts that were ended before.',
    aliases: ['M29'],
    edits: [
      {
        file: GRANT_END,
        find: '  if (jobEnded ? existing.job_ended_at !== null : existing.ended_at !== null) return undefined;',
        replace: '  if (existing.ended_at !== null) return undefined;',
      },
    ],
    killers: [GRANT_LIFECYCLE_TEST, MODEL],
  },
  {
    id: 'unreadable-grants-not-touched',
    breaks: 'I2',
    means: 'The end of a job leaves grants it cannot read unchanged, so a request on its way does not notice the end.',
    aliases: ['M12'],
    edits: [
      {
        file: 'shared/ledger/revocation.ts',
        find: `    for (const read of reads)
      if (unreadable.some(({ id }) => id === read.id) && read.updateTime)
        batch.update(read.ref, toStored({ job_ended_at: at }), { lastUpdateTime: read.updateTime });
`,
        replace: '',
      },
    ],
    killers: ['test/http/webhook-failures.test.ts', 'test/http/ledger/races.test.ts'],
  },
  {
    id: 'token-recorded-too-late',
    breaks: 'I1',
    means: 'A token is recorded after its caller got 503.',
    aliases: ['M01'],
    edits: [
      {
        file: 'shared/ledger/record-token.ts',
        find: `      if (clock.now() >= until) throw new Error('too late to record a token');\n`,
        replace: '',
      },
    ],
    killers: ['test/http/ledger/races.test.ts'],
  },
  {
    id: 'first-grant-minted-at-once',
    breaks: 'I2',
    means: 'A token is minted for a job that may have ended: nothing was read of it.',
    edits: [{ file: ISSUANCE_LEDGER, find: '!first && planned.shared', replace: 'planned.shared' }],
    killers: [FIRST_GRANT_TEST],
  },
  {
    id: 'first-grant-of-an-account-not-recorded-as-shared',
    breaks: 'I4',
    means: 'A pool may lease the account of a token that was issued to another job.',
    edits: [
      { file: 'shared/ledger/recent-reads.ts', find: '>= reusableAfter(expires_at);', replace: '>= 0 * expires_at;' },
    ],
    killers: [FIRST_GRANT_TEST],
  },
  {
    id: 'first-grant-by-old-blocks',
    breaks: 'I2',
    means:
      'Long after an operator blocked them, an instance still reserves and mints for jobs before it reads the block.',
    edits: [
      {
        file: 'shared/ledger/recent-reads.ts',
        find: 'this.#clock.now() - read.at < BLOCKS_RECENT_MS',
        replace: 'read.at > 0',
      },
    ],
    killers: [FIRST_GRANT_TEST],
  },
  {
    id: 'shared-after-recording-began',
    breaks: 'I2',
    means: 'A request that came after the end of its job gets the token that an earlier request is recording.',
    edits: [{ file: ISSUE_TOKEN, find: '  close();\n', replace: '' }],
    killers: [BUSY_GRANT_TEST],
  },
  {
    id: 'shared-despite-block',
    breaks: 'I2',
    means: 'A request that came after a block gets the token of a request that looked for blocks before.',
    edits: [
      {
        file: ISSUE_TOKEN,
        find: '  const blocked = await deps.ledger.checkBlocks(request);\n  return blocked ? refuse',
        replace: '  const blocked = false as unknown as { refusal: Refusal } | undefined;\n  return blocked ? refuse',
      },
    ],
    killers: [BUSY_GRANT_TEST],
  },
  {
    id: 'shared-across-policies',
    breaks: 'I2',
    means: 'Requests that are decided by different policies share one token.',
    edits: [{ file: ISSUE_TOKEN, find: 'rule, ttl, policySha256, conditions, scopes]);', replace: 'ttl, scopes]);' }],
    killers: [BUSY_GRANT_TEST],
  },
  {
    id: 'shared-across-claims',
    breaks: 'I2',
    means: 'Requests with different claims share one token.',
    edits: [{ file: ISSUE_TOKEN, find: '[Object.entries(claims), [...agentTags], rule,', replace: '[rule,' }],
    killers: [BUSY_GRANT_TEST],
  },
  {
    id: 'endless-races',
    breaks: 'limits',
    means: 'A request goes on losing races for its grant until it gets 503.',
    edits: [{ file: RECORDS, find: ' || clock.now() >= until) throw error;', replace: ') throw error;' }],
    killers: [BUSY_GRANT_TEST],
  },
];
