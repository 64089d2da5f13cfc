// What a restore takes from the log: of each grant the last record, whatever the order of the lines, and the blocks in force.

import { describe, expect, it } from 'vitest';
import { grantFields } from '../../../../shared/audit/result-events.ts';
import type { Grant } from '../../../../shared/core/grant/grant.ts';
import { LostLines } from '../../../../shared/core/restore/log-lines.ts';
import { GRANT_ID, grantIn, NOW } from '../../../fixtures/grants.ts';

const iso = (time: number) => new Date(time).toISOString();
const issued = (grant: Grant, token: string) => ({
  ...{ event: 'grant.issued', ...grantFields(grant) },
  ...{ token_sha256: token.repeat(64), token_expires_at: iso(grant.expires_at) },
});
const act = (kill_switch_id: string, blocks_new = true) => ({
  ...{ event: 'kill_switch.activated', kill_switch_id, blocks_new },
  ...{ selector: { credential: 'staging-config' }, actor: 'ada@acme.example', reason: 'INC-7' },
});
const linesOf = (...lines: object[]) => {
  const found = new LostLines();
  return { found, results: lines.map((line) => found.add({ at: undefined, line: { ...line } })) };
};
const [BLOCK, REMOVED, KILL] = ['a', 'b', 'c'].map((digit) => `${digit.repeat(8)}-0000-4000-8000-000000000000`) as [
  string,
  string,
  string,
];

describe('the lines of a lost time', () => {
  const active = grantIn('active', 'pool');
  const renewed = { ...active, requested_at: NOW + 60_000, expires_at: active.expires_at + 60_000 };
  const revoked = { ...grantIn('revoked', 'pool'), requested_at: renewed.requested_at };
  const lines = [
    issued(active, 'a'),
    issued(renewed, 'b'),
    { event: 'grant.revoked', ...grantFields(revoked) },
    { event: 'webhook.accepted' },
  ];

  it.each([
    ['in order', lines],
    ['in reverse', lines.toReversed()],
  ])('%s give the last record of a grant, with every token', (_, given) => {
    const { grants } = linesOf(...given).found;
    expect(grants).toMatchObject([{ grant_id: GRANT_ID, state: 'revoked', requested_at: iso(renewed.requested_at) }]);
    expect(grants[0]?.tokens.map(({ sha256 }) => sha256).sort()).toEqual(['a'.repeat(64), 'b'.repeat(64)]);
  });

  it('are named when they do not say what they must', () => {
    const { grant_id: _, ...without } = issued(active, 'a');
    const { token_sha256: __, ...noToken } = issued(active, 'a');
    // By such a token the ledger would refuse the whole request.
    const noHash = { ...issued(active, 'a'), token_sha256: 'a' };
    const { results, found } = linesOf(without, noToken, noHash, { event: 'kill_switch.activated' }, ...lines);
    expect(results).toEqual([
      'malformed',
      'malformed',
      'malformed',
      'malformed',
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    expect(found.count).toBe(3);
  });

  it('give the blocks that nobody removed', () => {
    const removal = { event: 'kill_switch.deactivated', kill_switch_id: REMOVED };
    const { found } = linesOf(act(BLOCK), act(REMOVED), act(KILL, false), removal);
    expect(found.blocks.map(({ kill_switch_id }) => kill_switch_id)).toEqual([BLOCK]);
    expect([...found.removedBlocks]).toEqual([REMOVED]);
  });
});
