// Guards of blocks (I2): what an operator ended and blocked receives nothing until the block is removed.

import type { Mutation } from '../mutation.ts';

const GRANT_RESERVE = 'shared/core/grant/reserve.ts';
const ISSUE_TOKEN = 'shared/operations/issue-token.ts';

const MODEL = 'test/model/lifecycle.test.ts';
const ISSUE_GUARDS = 'test/http/issue-guards.test.ts';
const GRANT_LIFECYCLE_TEST = 'test/unit/core/grant/lifecycle.test.ts';

const noSecondLookShared = {
  file: ISSUE_TOKEN,
  find: `    deps.ledger.checkBlocks(request),
    openDocumentFor(`,
  replace: `    undefined,
    openDocumentFor(`,
};
const noSecondLookPooled = {
  file: ISSUE_TOKEN,
  find: `        deps.ledger.checkBlocks(request),
        startMint(`,
  replace: `        undefined,
        startMint(`,
};

export const BLOCKS: readonly Mutation[] = [
  {
    id: 'kill-switch-looks-before-block',
    breaks: 'I2',
    means: 'The kill switch reads the grants before its block is on record.',
    observed: 'history 72 of `races`: I2: got a token although it was blocked',
    aliases: ['M16'],
    edits: [
      {
        file: 'shared/operations/kill-switch.ts',
        find: `  const problem = await killSwitchLedger.record(id, {`,
        replace: `  const early = await readAll(killSwitchLedger.liveGrants());
  const problem = await killSwitchLedger.record(id, {`,
      },
      {
        file: 'shared/operations/kill-switch.ts',
        find: '  const live = order.blocks_new ? undefined : pages;',
        replace: '  const live = pages ?? early;',
      },
      {
        file: 'shared/operations/kill-switch.ts',
        find: 'interface Act {',
        replace: `async function readAll(pages: AsyncIterable<GrantPage>): Promise<AsyncIterable<GrantPage>> {
  const read: GrantPage[] = [];
  for await (const page of pages) read.push(page);
  return (async function* () {
    yield* read;
  })();
}

interface Act {`,
      },
    ],
    killers: [ISSUE_GUARDS, MODEL],
  },
  {
    id: 'no-second-look-for-blocks',
    breaks: 'I2',
    means: 'Blocks are not read again after the reservation is on record.',
    observed: 'history 59 of `races`: I2: got a token although it was blocked',
    edits: [noSecondLookShared, noSecondLookPooled],
    killers: [ISSUE_GUARDS, MODEL],
  },
  {
    id: 'no-second-look-shared',
    breaks: 'I2',
    means: 'Blocks are not read again after the reservation of a grant that needs no lease.',
    aliases: ['M17'],
    edits: [noSecondLookShared],
    killers: [ISSUE_GUARDS, MODEL],
  },
  {
    id: 'no-second-look-pooled',
    breaks: 'I2',
    means: 'Blocks are not read again after the reservation of a grant on a pooled account.',
    aliases: ['M18'],
    edits: [noSecondLookPooled],
    killers: [ISSUE_GUARDS, MODEL],
  },
  {
    id: 'blocks-ignored',
    breaks: 'I2',
    means: 'No request is refused because of a block.',
    observed: 'history 4 of `races`: I2: got a token although it was blocked',
    edits: [
      {
        file: GRANT_RESERVE,
        find: '  return blockedBy(blocks, {\n    subject: request.subject,\n    ...policyFields(request),\n    requested_at: now,\n    issued_at: null,\n  });',
        replace: `  blockedBy(blocks, { subject: request.subject, ...policyFields(request), requested_at: now, issued_at: null });
  return undefined;`,
      },
    ],
    killers: [GRANT_LIFECYCLE_TEST, MODEL],
  },
  {
    id: 'blind-blocks',
    breaks: 'I6',
    means: 'A block is recorded without the condition that nobody else recorded one, and another is lost.',
    observed: 'history 4 of `races`: I6: was removed and still blocks',
    edits: [
      {
        file: 'shared/ledger/kill-switch.ts',
        find: `    if (read.updateTime) batch.update(read.ref, stored, { lastUpdateTime: read.updateTime });
    else batch.create(read.ref, stored);`,
        replace: '    batch.set(read.ref, stored);',
      },
    ],
    killers: [ISSUE_GUARDS, MODEL],
  },
];
