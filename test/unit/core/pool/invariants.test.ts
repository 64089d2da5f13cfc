// Two jobs and one pool of accounts, whatever happens in whatever order: the records are moved as the ledger moves them,
// and after every step they are checked against the promises I4 (one job at a time) and I5 (no account comes back before
// the last token ever issued from it has expired).

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { activate, type MintedToken } from '../../../../shared/core/grant/activate.ts';
import { abandonLease, confirmRevoked, endGrant, expire } from '../../../../shared/core/grant/end.ts';
import { grantIdOf } from '../../../../shared/core/grant/id.ts';
import { reserve } from '../../../../shared/core/grant/reserve.ts';
import { assertGrantTransition } from '../../../../shared/core/grant/transitions.ts';
import type { PooledGrant } from '../../../../shared/core/kinds/pooled-service-account.ts';
import type { Account } from '../../../../shared/core/pool/account.ts';
import {
  afterGrantChange,
  claimForEnable,
  confirmEnabled,
  lease,
  markChecked,
  quarantine,
} from '../../../../shared/core/pool/lifecycle.ts';
import { assertAccountTransition } from '../../../../shared/core/pool/transitions.ts';
import { COOLDOWN_MARGIN_MS } from '../../../../shared/core/timing.ts';
import { ACCOUNTS, expectDefined, FREE, NOW, pool, pooled, request, subject } from '../../../fixtures/grants.ts';

const JOBS = [subject, { ...subject, id: '0184990a-477b-4fa8-9968-0000000000ff' }] as const;
const SMALL_POOL = { ...pool, pool: ACCOUNTS.slice(0, 2) };

interface Job {
  readonly subject: (typeof JOBS)[number];
  grant: PooledGrant | undefined;
  endedAt: number | undefined;
  /** Minted, and not recorded yet. */
  leaving: MintedToken[];
}

class World {
  now = NOW;
  readonly accounts = new Map<string, Account>();
  readonly jobs: readonly Job[] = JOBS.map((one) => ({
    subject: one,
    grant: undefined,
    endedAt: undefined,
    leaving: [],
  }));
  /** Every token that Google may have issued, whether or not it left. */
  readonly minted: { readonly email: string; readonly grant_id: string; readonly expires_at: number }[] = [];
  private readonly claims: { readonly email: string; readonly enabling_since: number }[] = [];

  reserve(job: Job, ttl: number, refusedByGoogle: boolean): void {
    const before = job.grant;
    const excludedAccounts = before && refusedByGoogle ? [before.service_account] : [];
    const requested = { ...request(SMALL_POOL, { subject: job.subject, ttl, excludedAccounts }) };
    delete requested.lease;
    const circumstances = { ...FREE, jobEndedAt: job.endedAt };
    let decided = reserve(before, circumstances, requested, this.now);
    let free: string | undefined;
    if ('needsLease' in decided) {
      const usable = SMALL_POOL.pool.filter((email) => !excludedAccounts.includes(email));
      free = usable.find((email) => (this.accounts.get(email)?.state ?? 'free') === 'free');
      if (!free) {
        const held = before && before.state !== 'expired' ? this.accounts.get(before.service_account) : undefined;
        if (!before || !held) return;
        this.writeGrant(job, pooled(abandonLease(before, this.now)));
        this.write(before.service_account, quarantine(held, this.now));
        return;
      }
      decided = reserve(before, circumstances, { ...requested, lease: free }, this.now);
    }
    if (!('grant' in decided)) return;
    const after = pooled(decided.grant);
    const email = after.service_account;
    this.writeGrant(job, after);
    if (free) {
      const stillAccepted = this.minted.filter((token) => token.email === email && token.expires_at > this.now);
      expect(stillAccepted).toEqual([]);
      this.write(email, expectDefined(lease(this.accounts.get(email), { grant: after, pool_size: 2 }, this.now)));
      const last = before && before.state !== 'expired' ? this.accounts.get(before.service_account) : undefined;
      if (before && last) this.write(before.service_account, quarantine(last, this.now));
    } else this.follow(after);
    const token = { email, grant_id: grantIdOf(after), expires_at: decided.latestExpiry };
    this.minted.push(token);
    const sha256 = String(this.minted.length).padStart(64, '0');
    job.leaving.push({ grant_id: token.grant_id, sha256, expires_at: token.expires_at, service_account: email });
  }

  activate(job: Job): void {
    const token = job.leaving.shift();
    if (!token) return;
    const written = activate(job.grant, { jobEndedAt: job.endedAt }, token, this.now);
    if (!('grant' in written)) return;
    expect(token.service_account).toBe(pooled(written.grant).service_account);
    this.writeGrant(job, pooled(written.grant));
  }

  move(job: Job, next: ReturnType<typeof expire>): void {
    if (!next) return;
    this.writeGrant(job, pooled(next));
    this.follow(pooled(next));
  }

  claimForEnable(): void {
    for (const [email, account] of this.accounts) {
      const claimed = claimForEnable(account, this.now);
      if (!claimed) continue;
      this.write(email, claimed);
      this.claims.push({ email, enabling_since: this.now });
    }
  }

  confirmEnabled(): void {
    const enabling = this.claims.shift();
    const account = enabling && this.accounts.get(enabling.email);
    if (enabling && account) this.write(enabling.email, confirmEnabled(account, enabling.enabling_since, this.now));
  }

  /** What the sweep does with accounts that it finds forgotten, and with those that rest. */
  look(): void {
    for (const [email, account] of this.accounts) {
      this.write(email, markChecked(account, this.now));
      const live = this.jobs.some(({ grant }) => grant && isLive(grant) && grant.service_account === email);
      if (!live) this.write(email, quarantine(account, this.now));
    }
  }

  private follow(grant: PooledGrant): void {
    const account = this.accounts.get(grant.service_account);
    if (account) this.write(grant.service_account, afterGrantChange(account, grant, this.now));
  }

  private writeGrant(job: Job, after: PooledGrant): void {
    assertGrantTransition(job.grant, after);
    job.grant = after;
  }

  private write(email: string, after: Account | undefined): void {
    if (!after) return;
    const before = this.accounts.get(email);
    assertAccountTransition(before, after);
    expect(after.reusable_at).toBeGreaterThanOrEqual(before?.reusable_at ?? 0);
    this.accounts.set(email, after);
  }

  check(): void {
    for (const { grant } of this.jobs) {
      if (!grant || !isLive(grant)) continue;
      const expected = grant.state === 'revoking' ? 'revoking' : 'leased';
      expect(this.accounts.get(grant.service_account)).toMatchObject({ state: expected, grant_id: grantIdOf(grant) });
    }
    for (const [email, account] of this.accounts) {
      const minted = this.minted.filter((token) => token.email === email);
      const last = Math.max(0, ...minted.map(({ expires_at }) => expires_at));
      expect(account.reusable_at).toBeGreaterThanOrEqual(last + COOLDOWN_MARGIN_MS);
      expect(account.grant_id === null).toBe(account.state === 'free');
      expect(account.delete_at === null).toBe(account.state !== 'free');
      if (account.state === 'free') expect(account.reusable_at).toBeLessThanOrEqual(this.now);
      const holders = this.jobs.filter(({ grant }) => grant && isLive(grant) && grant.service_account === email);
      expect(holders.length).toBeLessThanOrEqual(1);
      const others = minted.filter((token) => token.grant_id !== account.grant_id && token.expires_at > this.now);
      if (account.state === 'leased') expect(others).toEqual([]);
    }
  }
}

function isLive({ state }: PooledGrant): boolean {
  return state === 'issuing' || state === 'active' || state === 'revoking';
}

const which = fc.constantFrom(0 as const, 1 as const);
const by = fc.constantFrom('job.finished' as const, 'job.reconciled' as const, 'released' as const);
const step = fc.oneof(
  fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 1_200_000 }) }),
  fc.record({
    do: fc.constant('reserve' as const),
    which,
    ttl: fc.integer({ min: 60, max: 3600 }),
    refusedByGoogle: fc.boolean(),
  }),
  fc.record({ do: fc.constant('end' as const), which, by }),
  fc.record({ do: fc.constantFrom('activate' as const, 'confirm' as const, 'expire' as const), which }),
  fc.record({ do: fc.constantFrom('begin to enable' as const, 'enable' as const, 'look' as const) }),
);

describe('the accounts of a pool, whatever happens in whatever order', () => {
  it('serve one job at a time, and come back only when no token of theirs is accepted any more', () => {
    const reached = new Set<string>();
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
        const world = new World();
        for (const taken of steps) {
          if (taken.do === 'wait') world.now += taken.ms;
          if (taken.do === 'begin to enable') world.claimForEnable();
          if (taken.do === 'enable') world.confirmEnabled();
          if (taken.do === 'look') world.look();
          if ('which' in taken) {
            const job = world.jobs[taken.which] as Job;
            const { grant } = job;
            if (taken.do === 'reserve') world.reserve(job, taken.ttl, taken.refusedByGoogle);
            if (taken.do === 'activate') world.activate(job);
            if (taken.do === 'confirm') world.move(job, grant && confirmRevoked(grant, world.now));
            if (taken.do === 'expire') world.move(job, grant && expire(grant, world.now));
            if (taken.do === 'end') {
              world.move(job, grant && endGrant(grant, { by: taken.by }, world.now));
              if (taken.by !== 'released') job.endedAt ??= world.now;
            }
          }
          world.check();
          for (const { state } of world.accounts.values()) reached.add(state);
          for (const { grant } of world.jobs) if (grant) reached.add(`grant ${grant.state}`);
          if (world.jobs.some(({ grant }) => grant && grant.past_leases.length > 0)) reached.add('a past lease');
        }

        world.now += 4_000_000;
        for (const job of world.jobs)
          world.move(job, job.grant && (confirmRevoked(job.grant, world.now) ?? expire(job.grant, world.now)));
        world.now += 4_000_000;
        world.claimForEnable();
        for (let enabling = 0; enabling <= steps.length; enabling += 1)
          for (const _ of ACCOUNTS) world.confirmEnabled();
        world.check();
        for (const { state } of world.accounts.values()) expect(state).toBe('free');
      }),
      { numRuns: 500 },
    );
    expect([...reached].sort()).toEqual([
      'a past lease',
      'cooling_down',
      'free',
      'grant active',
      'grant expired',
      'grant issuing',
      'grant revoked',
      'grant revoking',
      'leased',
      'revoking',
    ]);
  });
});
