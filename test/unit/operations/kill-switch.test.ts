// An act of the kill switch over a ledger of many grants, whose reads and writes take time: its response comes before Cloud Run ends the
// request, says what is left, and a resumed act gets further.

import { describe, expect, it } from 'vitest';
import { confirmRevoked, endGrant } from '../../../shared/core/grant/end.ts';
import type { Grant } from '../../../shared/core/grant/grant.ts';
import { grantIdOf } from '../../../shared/core/grant/id.ts';
import { MAX_LISTED } from '../../../shared/core/operator-api/admin.ts';
import { END_BUDGET_MS } from '../../../shared/core/timing.ts';
import {
  activateKillSwitch,
  type KillOrder,
  type KillSwitchDeps,
  lookForGrants,
  previewKill,
} from '../../../shared/operations/kill-switch.ts';
import type { GrantPage } from '../../../shared/operations/ports.ts';
import * as fx from '../../fixtures/grants.ts';
import { TestClock } from '../../fixtures/test-clock.ts';

const SECOND = 1000;
/** After which Cloud Run ends a request of `admin`: `timeout` in deploy/terraform/locals.tf. */
const TIMEOUT_MS = 300 * SECOND;
const PAGE = 100;
const PAGE_MS = 60;
/** Ten calls at once, so that each costs a tenth of its time. */
const CALL_MS = 4;

const EVERYTHING: KillOrder = { selector: { issued_since: 0 }, actor: 'ada', reason: 'INC-7', blocks_new: false };

type Kind = Parameters<typeof fx.grantIn>[1];

function grantsOf(count: number, kind: Kind, from = 0): Grant[] {
  const active = fx.grantIn('active', kind);
  return Array.from({ length: count }, (_, index) => ({
    ...active,
    subject: { ...active.subject, id: `0184990a-477b-4fa8-9968-${String(from + index).padStart(12, '0')}` },
  }));
}

/** A ledger with these grants. Records are those of the state machine. */
function world(grants: readonly Grant[], { callMs = CALL_MS, unreadable = [] as string[] } = {}) {
  const clock = new TestClock(fx.NOW + SECOND);
  const records = new Map(grants.map((grant) => [grantIdOf(grant), grant]));
  const writes: string[] = [];
  const put = (after: Grant | undefined, what: string) => {
    if (after) records.set(grantIdOf(after), after);
    if (after) writes.push(what);
    return after;
  };
  const current = (grant: Grant) => records.get(grantIdOf(grant)) ?? grant;
  async function* liveGrants(): AsyncGenerator<GrantPage> {
    const live = [...records.values()].filter(({ state }) => state !== 'revoked' && state !== 'expired');
    for (let at = 0; at === 0 || at < live.length; at += PAGE) {
      clock.advance(PAGE_MS);
      const bad = at === 0 ? unreadable.map((id) => ({ id, error: 'changed by hand' })) : [];
      yield { grants: live.slice(at, at + PAGE), unreadable: bad };
    }
  }
  const unexpected = () => Promise.reject(new Error('not expected'));
  const deps: KillSwitchDeps = {
    clock,
    killSwitchLedger: { record: async () => undefined, deactivate: unexpected, blocks: unexpected, liveGrants },
    ledger: {
      endJob: unexpected,
      expire: async () => undefined,
      endGrant: async (grant, cause) => {
        clock.advance(callMs);
        const before = current(grant);
        if (before.state === 'revoking') return before;
        return put(endGrant(before, cause, clock.now()), 'end');
      },
      confirmRevoked: async (grant) => put(confirmRevoked(current(grant), clock.now()), 'revoked'),
    },
    closeGrantDocument: async () => clock.advance(callMs),
    disableAccount: async () => clock.advance(callMs),
  };
  return { clock, deps, records, writes };
}

const sumOf = ({ selected: _, ambiguous: __, ...counts }: object & { selected: number; ambiguous: number }) =>
  Object.values<number>(counts as Record<string, number>).reduce((sum, count) => sum + count, 0);

describe('an act of the kill switch', () => {
  it.each<[Kind, number]>([
    ['serviceAccount', 4000],
    ['firestore', 4000],
    ['firestore', 20_000],
  ])('responds in time, for %s and %i live grants, and counts each selected one once', async (kind, count) => {
    const { clock, deps } = world(grantsOf(count, kind), { callMs: 5 * CALL_MS });
    const begun = clock.now();
    const { counts } = await activateKillSwitch(deps, 'act', EVERYTHING);
    expect(clock.now() - begun).toBeLessThan(TIMEOUT_MS);
    const unread = counts.selected < count ? 1 : 0;
    expect(sumOf(counts)).toBe(counts.selected + unread);
  });

  it('says what is left for lack of time, and how to go on; resumed, it ends the rest without a second look at what was ended', async () => {
    const grants = grantsOf(6000, 'firestore');
    const { deps, writes, records } = world(grants, { callMs: 10 * CALL_MS });
    const first = await activateKillSwitch(deps, 'act', EVERYTHING);
    expect(first.failures[0]).toMatchObject({
      code: 'not_attempted',
      error: expect.stringMatching(/not all live grants were looked through.*--resume act$/),
    });
    expect(first.failures[0]).not.toHaveProperty('grant_id');
    let [ended, acts] = [writes.filter((what) => what === 'end').length, 1];
    expect(ended).toBeGreaterThan(0);
    for (let left = first.counts.unfinished; left > 0; acts += 1) {
      left = (await activateKillSwitch(deps, 'act', EVERYTHING)).counts.unfinished;
      expect(writes.length).toBeGreaterThan(ended);
      ended = writes.length;
    }
    expect(new Set([...records.values()].map(({ state }) => state))).toEqual(new Set(['revoked']));
    expect(writes).toHaveLength(2 * grants.length);
    expect(acts).toBeLessThan(10);
  });

  it('begins nothing once its time is up', async () => {
    const { clock, deps, writes } = world(grantsOf(3, 'firestore'));
    const { counts } = await activateKillSwitch(deps, 'act', EVERYTHING, { until: clock.now() });
    expect([writes, counts.unfinished]).toEqual([[], 1]);
  });

  it('keeps as many grants as a response lists, and counts all', async () => {
    const { deps } = world(grantsOf(MAX_LISTED + 1, 'serviceAccount'));
    const { counts, selected, stillAccepted, notRenewed } = await activateKillSwitch(deps, 'act', EVERYTHING);
    expect([selected, stillAccepted, notRenewed].map(({ length }) => length)).toEqual(Array(3).fill(MAX_LISTED));
    expect(counts).toMatchObject({ selected: MAX_LISTED + 1, still_accepted: MAX_LISTED + 1, unfinished: 0 });
  });

  it('reports each end at once, also those that no list has', async () => {
    const { deps } = world(grantsOf(MAX_LISTED + 1, 'firestore'));
    let reported = 0;
    const recorded: string[] = [];
    await activateKillSwitch(deps, 'act', EVERYTHING, {
      onRecord: () => recorded.push(`on record after ${reported} ends`),
      onEnd: ({ revoked }) => {
        reported += revoked.length;
      },
    });
    expect([recorded, reported]).toEqual([['on record after 0 ends'], MAX_LISTED + 1]);
  });

  it('tells disabled accounts from tokens that are rejected', async () => {
    const { deps } = world([...grantsOf(2, 'firestore'), ...grantsOf(3, 'pool', 2)]);
    expect((await activateKillSwitch(deps, 'act', EVERYTHING)).counts).toMatchObject({ revoked: 2, disabled: 3 });
  });

  it('gives an instance that was frozen after its last read no more time to disable an account', async () => {
    const { clock, deps } = world(grantsOf(1, 'pool'));
    const { endGrant: end } = deps.ledger;
    const read: number[] = [];
    const until: number[] = [];
    const frozen: KillSwitchDeps = {
      ...deps,
      ledger: {
        ...deps.ledger,
        endGrant: async (...args) => {
          const ended = await end(...args);
          read.push(clock.now());
          clock.advance(5 * 60 * SECOND);
          return ended;
        },
      },
      disableAccount: async (_email, _reason, time) => {
        until.push(time);
      },
    };
    await activateKillSwitch(frozen, 'kill', EVERYTHING, { until: clock.now() + 20 * 60 * SECOND });
    expect(until).toHaveLength(1);
    expect(until[0]).toBeLessThanOrEqual((read[1] ?? 0) + END_BUDGET_MS);
  });

  it('says until when at the latest a token may be accepted whose account could not be disabled', async () => {
    const { deps } = world(grantsOf(1, 'pool'));
    const failing = { ...deps, disableAccount: () => Promise.reject(new Error('403')) };
    const { counts, pending, selected } = await activateKillSwitch(failing, 'act', EVERYTHING);
    expect(counts).toMatchObject({ revoked: 0, disabled: 0, unfinished: 1 });
    expect(pending).toMatchObject([{ accepted_until: selected[0]?.expires_at }]);
  });

  it('counts a grant as still accepted that was ended before and can only expire, without a write', async () => {
    const { deps, writes } = world(grantsOf(1, 'serviceAccount'));
    for (const _ of [1, 2])
      expect((await activateKillSwitch(deps, 'act', EVERYTHING)).counts).toMatchObject({ still_accepted: 1 });
    expect(writes).toEqual(['end']);
  });

  it('counts as ended before what ended between the read and the write', async () => {
    const { deps } = world(grantsOf(1, 'firestore'));
    const { ledger } = deps;
    const gone = { ...deps, ledger: { ...ledger, endGrant: async () => undefined } };
    expect((await activateKillSwitch(gone, 'act', EVERYTHING)).counts).toMatchObject({ selected: 1, ended_before: 1 });
  });

  it.each([true, false])('lists records that cannot be read as unfinished; dry run: %s', async (dry) => {
    const { clock, deps } = world(grantsOf(1, 'firestore'), { unreadable: ['bad'] });
    const { liveGrants } = deps.killSwitchLedger;
    const result = dry
      ? await previewKill(deps, EVERYTHING.selector, liveGrants(), clock.now() + SECOND)
      : await activateKillSwitch(deps, 'act', EVERYTHING);
    expect(result.counts).toMatchObject({ selected: 1, unfinished: 1 });
    expect(result.failures).toMatchObject([{ grant_id: 'bad', code: 'unreadable_record', accepted_until: null }]);
  });

  it('says in a dry run when the time was not enough for all grants', async () => {
    const { clock, deps } = world(grantsOf(PAGE + 1, 'firestore'));
    const pages = deps.killSwitchLedger.liveGrants();
    const { counts, failures } = await previewKill(deps, EVERYTHING.selector, pages, clock.now() + PAGE_MS + 1);
    expect(counts).toMatchObject({ selected: PAGE, unfinished: 1 });
    expect(failures).toMatchObject([{ error: expect.stringContaining('others may match') }]);
  });
});

describe('a look for grants', () => {
  const pagesOf = async (grants: readonly Grant[], selector: KillOrder['selector'], unreadable: string[] = []) => {
    const pages = await lookForGrants(world(grants, { unreadable }).deps.killSwitchLedger.liveGrants(), selector);
    if (!pages) return undefined;
    const found: Grant[] = [];
    for await (const page of pages) found.push(...page.grants);
    return found.length;
  };
  const withoutPipeline = (grant: Grant): Grant => ({ ...grant, subject: { ...grant.subject, pipeline_id: null } });

  it('begins with the first page that has a grant which is meant, and leaves none out after it', async () => {
    const others = grantsOf(PAGE, 'firestore');
    const meant = grantsOf(PAGE + 1, 'pool', PAGE);
    expect(await pagesOf([...others, ...meant], { job_id: meant[0]?.subject.id })).toBe(PAGE + 1);
  });

  it('finds one that may be meant, and one that cannot be read, and else nothing', async () => {
    const [grant] = grantsOf(1, 'firestore') as [Grant];
    const selector = { pipeline_id: 'another' };
    expect(await pagesOf([grant], selector)).toBeUndefined();
    expect(await pagesOf([withoutPipeline(grant)], selector)).toBe(1);
    expect(await pagesOf([], selector, ['bad'])).toBe(0);
  });
});
