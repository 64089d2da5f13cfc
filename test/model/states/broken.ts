// Transitions with one mistake each, and bounds within which a search comes to what the mistake breaks.

import type { Grant } from '../../../shared/core/grant/grant.ts';
import { CLOCK_MARGIN_MS, DISABLE_CLAIM_MS } from '../../../shared/core/timing.ts';
import type { Bounds } from './model.ts';
import { PRODUCT, type Transitions } from './transitions.ts';

interface Mistake {
  readonly mistake: string;
  readonly broken: Partial<Omit<Transitions, 'order'>> | { readonly order: Partial<Transitions['order']> };
  readonly bounds: Bounds;
  /** What it breaks, and the words for it. */
  readonly invariant: string;
  readonly text: string;
}

const small = (bounds: Partial<Bounds>, budget: Bounds['budget']): Bounds => {
  const one = { name: 'broken', jobs: 1, credentials: ['admin'], pool: 1, sweeps: 1, processes: 2 } as const;
  return { ...one, ...bounds, budget: { freezes: 1, ...budget } };
};
const POOLED = small({}, { requests: 1, webhooks: 1 });
const RULES = small({ credentials: ['config'], pool: 0, sweeps: 0 }, { requests: 1, webhooks: 1 });
const SWEEPS = { sweeps: 2, rechecks: true, skews: { sweep: [45_000, -45_000] } } as const;
const LATE_LOOKS = small(SWEEPS, { requests: 1, faults: 2, freezes: 0 });
const LOOKS = small(SWEEPS, { requests: 1, freezes: 1 });
const TWO_JOBS = small({ jobs: 2, processes: 1 }, { requests: 2, webhooks: 1 });

/** A grant that looks as if nothing had ended it. */
function asLive(grant: Grant | undefined): Grant | undefined {
  if (grant?.state !== 'revoking' && grant?.state !== 'revoked') return grant && { ...grant, job_ended_at: null };
  return { ...grant, state: 'active', ended_by: null, job_ended_at: null, ending_since: null };
}

/** Without the tables of transitions, which refuse most mistakes before an invariant breaks. */
const NO_TABLES = { assertGrantTransition: () => {}, assertAccountTransition: () => {} };

export const MISTAKES: readonly Mistake[] = [
  {
    mistake: 'a lease takes an account that serves another job',
    broken: {
      ...NO_TABLES,
      mayLease: () => true,
      lease: (existing, to, now) => PRODUCT.lease(existing && { ...existing, state: 'free' }, to, now),
    },
    bounds: TWO_JOBS,
    invariant: 'I4',
    text: 'admin of job 1 is active, and its account is leased for another',
  },
  {
    mistake: 'a lease takes an account that cools down',
    broken: {
      mayLease: (account, now) => account.state === 'cooling_down' || PRODUCT.mayLease(account, now),
      lease: (existing, to, now) => PRODUCT.lease(existing && { ...existing, state: 'free' }, to, now),
    },
    bounds: TWO_JOBS,
    invariant: 'STATES',
    text: 'an account may not go from cooling_down to leased',
  },
  {
    mistake: 'a lease does not count the life of its tokens',
    broken: {
      lease: (existing, to, now) => {
        const leased = PRODUCT.lease(existing, to, now);
        return leased && { ...leased, reusable_at: now };
      },
    },
    bounds: POOLED,
    invariant: 'I5',
    text: 'the cooldown of pool-1 would end before admin of job 1 does',
  },
  {
    mistake: 'a token is recorded although its job or its grant has ended',
    broken: {
      ...NO_TABLES,
      activate: (existing, _, token, now) => PRODUCT.activate(asLive(existing), { jobEndedAt: undefined }, token, now),
    },
    bounds: RULES,
    invariant: 'I2',
    text: 'config of job 1 got a token after it had ended',
  },
  {
    mistake: 'a reservation is made although its job has ended',
    broken: {
      ...NO_TABLES,
      reserve: (existing, ledger, request, now) =>
        PRODUCT.reserve(asLive(existing), { ...ledger, jobEndedAt: undefined }, request, now),
    },
    bounds: small({ credentials: ['config'], pool: 0, sweeps: 0 }, { requests: 2, webhooks: 1 }),
    invariant: 'I3',
    text: 'config of job 1 is issuing and its job has ended',
  },
  {
    mistake: 'the first reservation does not put its grant on the record of its job',
    broken: { addGrant: (...args) => ({ ...PRODUCT.addGrant(...args), grants: [] }) },
    bounds: RULES,
    invariant: 'I3',
    text: 'config of job 1 is issuing and its job has ended',
  },
  {
    mistake: 'the end of a job forgets one of its grants',
    broken: {
      endGrant: (existing, cause, now) =>
        existing.kind === 'firestore' ? undefined : PRODUCT.endGrant(existing, cause, now),
    },
    bounds: small({ credentials: ['admin', 'config'], sweeps: 0 }, { requests: 1, webhooks: 1 }),
    invariant: 'I3',
    text: 'config of job 1 is issuing and its job has ended',
  },
  {
    mistake: 'the end of a job says that access was removed',
    broken: {
      endGrant: (existing, cause, now) => {
        const ended = PRODUCT.endGrant(existing, cause, now);
        return ended?.state === 'revoking' ? { ...ended, state: 'revoked' } : ended;
      },
    },
    bounds: RULES,
    invariant: 'STATES',
    text: 'a grant may not go from issuing to revoked',
  },
  {
    mistake: 'an account is enabled again as soon as it was disabled',
    broken: {
      afterGrantChange: (account, grant, now) => {
        const next = PRODUCT.afterGrantChange(account, grant, now);
        return next?.state === 'cooling_down' ? { ...next, reusable_at: now } : next;
      },
    },
    bounds: POOLED,
    invariant: 'I5',
    text: 'the cooldown of pool-1 became shorter',
  },
  {
    mistake: 'a cooldown does not count the time of a sweep',
    broken: {
      afterGrantChange: (account, grant, now) => {
        const next = PRODUCT.afterGrantChange(account, grant, now);
        return next?.state === 'cooling_down'
          ? { ...next, reusable_at: Math.max(account.reusable_at, now + 150_000) }
          : next;
      },
    },
    bounds: small(
      { sweeps: 2, skews: { webhook: [-45_000], sweep: [45_000] } },
      { requests: 1, webhooks: 1, faults: 1, freezes: 0 },
    ),
    invariant: 'I4',
    text: 'pool-1 is disabled while it is free',
  },
  {
    mistake: 'an account is enabled while a request to disable it again may take effect',
    broken: { claimForEnable: (existing, now) => PRODUCT.claimForEnable({ ...existing, disabling_since: null }, now) },
    bounds: LATE_LOOKS,
    invariant: 'I4',
    text: 'pool-1 is disabled while it is free',
  },
  {
    mistake: 'the time in which a request to disable an account again may take effect does not count the clocks',
    broken: {
      claimForEnable: (existing, now) => {
        const { disabling_since } = existing;
        if (disabling_since !== null && disabling_since + DISABLE_CLAIM_MS - CLOCK_MARGIN_MS > now) return undefined;
        return PRODUCT.claimForEnable({ ...existing, disabling_since: null }, now);
      },
    },
    bounds: LATE_LOOKS,
    invariant: 'I4',
    text: 'pool-1 is disabled while it is free',
  },
  {
    mistake: 'an account is disabled again although another sweep has enabled it after its cooldown',
    broken: {
      ...NO_TABLES,
      claimForDisable: (existing, now) => ({ ...existing, disabling_since: now }),
    },
    bounds: LOOKS,
    invariant: 'I4',
    text: 'pool-1 is disabled while it is free',
  },
  {
    mistake: 'a sweep disables an account again without a claim',
    broken: { order: { claimBeforeDisable: false } },
    bounds: LOOKS,
    invariant: 'I4',
    text: 'pool-1 is disabled while it is free',
  },
  {
    mistake: 'the expiry of a grant forgets its account',
    broken: {
      afterGrantChange: (account, grant, now) =>
        grant.state === 'expired' ? undefined : PRODUCT.afterGrantChange(account, grant, now),
    },
    bounds: small({ processes: 1 }, { requests: 1 }),
    invariant: 'I4',
    text: 'pool-1 is leased, and its grant does not hold it',
  },
  {
    mistake: 'a claim to enable an account never lapses',
    broken: {
      claimForEnable: (existing, now) =>
        existing.enabling_since === null ? PRODUCT.claimForEnable(existing, now) : undefined,
    },
    bounds: small({ processes: 1 }, { requests: 1, webhooks: 1, crashes: 1 }),
    invariant: 'I6',
    text: 'not everything comes to its end',
  },
  {
    mistake: 'a grant whose time is up never expires',
    broken: { expire: () => undefined },
    bounds: small({ processes: 1 }, { requests: 1 }),
    invariant: 'I6',
    text: 'not everything comes to its end',
  },
  {
    mistake: 'no request is refused because of a block',
    broken: {
      blockedNow: () => undefined,
      reserve: (existing, ledger, request, now) => PRODUCT.reserve(existing, { ...ledger, blocks: [] }, request, now),
    },
    bounds: small({ credentials: ['config'], pool: 0, sweeps: 0, processes: 1 }, { requests: 2, kills: 1 }),
    invariant: 'I2',
    text: 'config of job 1 got a token after an operator had ended it',
  },
  {
    mistake: 'blocks are not read again after the reservation',
    broken: { order: { checkBlocksAgain: false } },
    bounds: small({ credentials: ['config'], pool: 0, sweeps: 0 }, { requests: 1, kills: 1 }),
    invariant: 'I2',
    text: 'config of job 1 got a token after an operator had ended it',
  },
  {
    mistake: 'a token is recorded although its reservation lasts no longer',
    broken: { refusalIfLate: () => undefined },
    bounds: small({ credentials: ['config'], pool: 0, processes: 3 }, { requests: 2, kills: 1 }),
    invariant: 'I2',
    text: 'config of job 1 got a token after an operator had ended it',
  },
  {
    mistake: 'a token is returned before it is recorded',
    broken: { order: { recordBeforeReturn: false } },
    bounds: RULES,
    invariant: 'I1',
    text: 'request of job 1 for config gets a token that is not on record',
  },
  {
    mistake: 'a revocation is recorded before access is removed',
    broken: { order: { removeBeforeRecord: false } },
    bounds: RULES,
    invariant: 'I3',
    text: 'the rules let config of job 1 in and it is revoked',
  },
  {
    mistake: 'records are written although somebody wrote them since they were read',
    broken: { order: { checkVersions: false } },
    bounds: RULES,
    invariant: 'I3',
    text: 'config of job 1 is issuing and its job has ended',
  },
  {
    mistake: 'a request to disable an account is sent after its time is up',
    broken: { order: { sendBeforeUntil: false } },
    bounds: small({}, { requests: 1, webhooks: 1, freezes: 3 }),
    invariant: 'I6',
    text: 'pool-1 is free and is disabled',
  },
];

/** The product's transitions with the mistake. */
export function withMistake({ broken }: Mistake): Transitions {
  return 'order' in broken ? { ...PRODUCT, order: { ...PRODUCT.order, ...broken.order } } : { ...PRODUCT, ...broken };
}
