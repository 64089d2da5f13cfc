// The life of a pooled account, state by state: what each change does to each state, and to which it does nothing.

import { describe, expect, it } from 'vitest';
import type { PooledGrant } from '../../../../shared/core/kinds/pooled-service-account.ts';
import { type Account, accountSchema } from '../../../../shared/core/pool/account.ts';
import {
  afterGrantChange,
  claimForDisable,
  claimForEnable,
  confirmEnabled,
  lease,
  markChecked,
  quarantine,
  recordShared,
} from '../../../../shared/core/pool/lifecycle.ts';
import {
  COOLDOWN_MARGIN_MS,
  DISABLE_CLAIM_MS,
  ENABLE_CLAIM_MS,
  SHORTEST_COOLDOWN_MS,
} from '../../../../shared/core/timing.ts';
import { GRANT_ID, grantIn, LATER, NOW, pooled, subject } from '../../../fixtures/grants.ts';

const MINUTE = 60_000;
const RETENTION_MS = 400 * 86_400_000;
const ISSUING = pooled(grantIn('issuing', 'pool'));
/** A minute after the last token that the grant may have had. */
const REUSABLE_AT = ISSUING.expires_at + COOLDOWN_MARGIN_MS;
const STATES = ['free', 'leased', 'revoking', 'cooling_down'] as const;

const leased: Account = {
  pool: 'staging-config',
  pool_size: 3,
  state: 'leased',
  grant_id: GRANT_ID,
  leased_at: NOW,
  reusable_at: REUSABLE_AT,
  disabled_at: null,
  enabling_since: null,
  disabling_since: null,
  last_checked_at: null,
  found_enabled: 0,
  delete_at: null,
};
const freed = {
  state: 'free',
  grant_id: null,
  disabled_at: null,
  enabling_since: null,
  disabling_since: null,
  last_checked_at: null,
  found_enabled: 0,
};

function accountIn(state: Account['state']): Account {
  switch (state) {
    case 'free':
      return { ...leased, state, grant_id: null, reusable_at: NOW, delete_at: NOW + RETENTION_MS };
    case 'leased':
      return leased;
    case 'revoking':
      return { ...leased, state };
    case 'cooling_down':
      return { ...leased, state, disabled_at: NOW + 300 };
    case 'shared':
      return { ...leased, state, pool_size: 0, grant_id: null, delete_at: REUSABLE_AT + RETENTION_MS };
  }
}

describe('an account that jobs share', () => {
  const latestExpiry = NOW + 600_000;
  const record = { ...accountIn('shared'), pool: 'export', leased_at: NOW };
  const until = latestExpiry + COOLDOWN_MARGIN_MS + 15 * MINUTE;
  const recorded = { ...record, reusable_at: until, delete_at: until + RETENTION_MS };

  it('is recorded before its first token, for somewhat longer than that lives', () => {
    expect(recordShared(undefined, { credential: 'export', latestExpiry }, NOW)).toEqual({ record: recorded });
    expect(recordShared(accountIn('free'), { credential: 'export', latestExpiry }, NOW)).toEqual({ record: recorded });
  });

  it('is not recorded again for each token, and in time for one that lives longer', () => {
    const nothing = { record: undefined };
    expect(recordShared(recorded, { credential: 'export', latestExpiry: latestExpiry + 15 * MINUTE }, LATER)).toEqual(
      nothing,
    );
    const longer = latestExpiry + 15 * MINUTE + 1;
    const reusable_at = longer + COOLDOWN_MARGIN_MS + 15 * MINUTE;
    expect(recordShared(recorded, { credential: 'export', latestExpiry: longer }, LATER)).toEqual({
      record: { ...recorded, reusable_at, delete_at: reusable_at + RETENTION_MS },
    });
  });

  it.each(['leased', 'revoking', 'cooling_down'] as const)(
    'is none that serves a pool, or did until lately: %s',
    (state) => {
      expect(recordShared(accountIn(state), { credential: 'export', latestExpiry }, NOW)).toEqual({
        usable_at: REUSABLE_AT,
      });
    },
  );

  it('is leased by a pool once no token of it is accepted by any clock', () => {
    const to = { grant: ISSUING, pool_size: 3 };
    expect(lease(recorded, to, until - 1)).toBeUndefined();
    expect(lease(recorded, to, until)).toMatchObject({ state: 'leased', pool_size: 3 });
  });
});

describe('a lease', () => {
  const to = { grant: ISSUING, pool_size: 3 };

  it('is of an account that never served or is free, until the last token of its grant has ended by every clock', () => {
    expect(lease(undefined, to, NOW)).toEqual(leased);
    expect(lease(accountIn('free'), to, NOW)).toEqual(leased);
  });

  it('is of no account in another state', () => {
    for (const state of ['leased', 'revoking', 'cooling_down'] as const)
      expect(lease(accountIn(state), to, REUSABLE_AT + MINUTE)).toBeUndefined();
  });

  it('never brings the end of the rest forward', () => {
    const cooling = { ...accountIn('free'), reusable_at: REUSABLE_AT + 5 };
    expect(lease(cooling, to, NOW)).toMatchObject({ state: 'leased', reusable_at: REUSABLE_AT + 5 });
  });
});

describe('an account follows its grant', () => {
  const grantWith = (state: PooledGrant['state'], more: Partial<PooledGrant> = {}) => ({
    ...pooled(grantIn(state, 'pool')),
    ...more,
  });
  const longer = { expires_at: ISSUING.expires_at + 5 };

  it.each(['issuing', 'active'] as const)(
    'and has a longer cooldown when that lives longer, and never a shorter one: %s',
    (state) => {
      expect(afterGrantChange(leased, grantWith(state, longer), NOW)).toEqual({
        ...leased,
        reusable_at: REUSABLE_AT + 5,
      });
      expect(afterGrantChange(leased, grantWith(state), NOW)).toBeUndefined();
      expect(afterGrantChange(leased, grantWith(state, { expires_at: NOW }), NOW)).toBeUndefined();
      for (const other of ['free', 'revoking', 'cooling_down'] as const)
        expect(afterGrantChange(accountIn(other), grantWith(state, longer), NOW)).toBeUndefined();
    },
  );

  it('and is to be disabled once that is being revoked', () => {
    expect(afterGrantChange(leased, grantWith('revoking'), NOW)).toEqual({ ...leased, state: 'revoking' });
    expect(afterGrantChange(leased, grantWith('revoking', longer), NOW)).toMatchObject({
      reusable_at: REUSABLE_AT + 5,
    });
    for (const other of ['free', 'revoking', 'cooling_down'] as const)
      expect(afterGrantChange(accountIn(other), grantWith('revoking', longer), NOW)).toBeUndefined();
  });

  it('and cools down once that was revoked, disabled since then', () => {
    const revoking = accountIn('revoking');
    expect(afterGrantChange(revoking, grantWith('revoked'), NOW + 300)).toEqual({
      ...revoking,
      state: 'cooling_down',
      disabled_at: NOW + 300,
    });
    for (const other of ['free', 'leased', 'cooling_down'] as const)
      expect(afterGrantChange(accountIn(other), grantWith('revoked'), NOW + 300)).toBeUndefined();
  });

  it('and cools down once it is disabled, also where that is not the end of every token of the grant', () => {
    const waiting = grantWith('revoking', { access_ended_at: ISSUING.expires_at });
    expect(afterGrantChange(accountIn('revoking'), waiting, NOW + 300)).toEqual({
      ...accountIn('cooling_down'),
      disabled_at: NOW + 300,
    });
    for (const other of ['free', 'cooling_down', 'shared'] as const)
      expect(afterGrantChange(accountIn(other), waiting, NOW + 300)).toBeUndefined();
  });

  it('and cools down for the shortest cooldown at least, however little was left', () => {
    const late = REUSABLE_AT - 5;
    expect(afterGrantChange(accountIn('revoking'), grantWith('revoked'), late)).toMatchObject({
      reusable_at: late + SHORTEST_COOLDOWN_MS,
    });
  });

  it('and is free at once when that expired by itself, once its last token has ended by every clock', () => {
    const expired = grantWith('expired');
    expect(afterGrantChange(leased, expired, REUSABLE_AT)).toEqual({
      ...leased,
      ...freed,
      delete_at: REUSABLE_AT + RETENTION_MS,
    });
    expect(afterGrantChange(leased, expired, REUSABLE_AT - 1)).toEqual({
      ...leased,
      state: 'cooling_down',
      reusable_at: REUSABLE_AT - 1 + SHORTEST_COOLDOWN_MS,
    });
  });

  it('and cools down when that expired before a token was returned, because Google may not mint from it', () => {
    expect(afterGrantChange(leased, grantWith('expired', { tokens_issued: 0 }), REUSABLE_AT)).toEqual({
      ...leased,
      state: 'cooling_down',
      reusable_at: REUSABLE_AT + SHORTEST_COOLDOWN_MS,
    });
  });

  it('and cools down when that expired while it was to be disabled, because it may be so unconfirmed', () => {
    const at = REUSABLE_AT + 5;
    expect(afterGrantChange(accountIn('revoking'), grantWith('expired'), at)).toEqual({
      ...leased,
      state: 'cooling_down',
      reusable_at: at + SHORTEST_COOLDOWN_MS,
      disabled_at: null,
    });
    for (const other of ['free', 'cooling_down'] as const)
      expect(afterGrantChange(accountIn(other), grantWith('expired'), at)).toBeUndefined();
  });

  it('and no other grant, whatever becomes of that', () => {
    const another = { subject: { ...subject, id: '0184990a-477b-4fa8-9968-0000000000ff' } };
    for (const state of STATES)
      for (const of of ['issuing', 'active', 'revoking', 'revoked', 'expired'] as const)
        expect(
          afterGrantChange(accountIn(state), grantWith(of, { ...another, ...longer }), REUSABLE_AT),
        ).toBeUndefined();
  });
});

describe('an account that is set aside', () => {
  it.each(['leased', 'revoking'] as const)('cools down as if it might have been disabled: %s', (state) => {
    const account = accountIn(state);
    expect(quarantine(account, NOW)).toEqual({ ...account, state: 'cooling_down' });
    expect(quarantine(account, REUSABLE_AT)).toEqual({
      ...account,
      state: 'cooling_down',
      reusable_at: REUSABLE_AT + SHORTEST_COOLDOWN_MS,
    });
  });

  it('is none that serves nobody', () => {
    for (const state of ['free', 'cooling_down'] as const)
      expect(quarantine(accountIn(state), REUSABLE_AT)).toBeUndefined();
  });
});

describe('an account whose cooldown is over', () => {
  const cooling = accountIn('cooling_down');

  it('is enabled once its cooldown is over, and not a millisecond before', () => {
    expect(claimForEnable(cooling, REUSABLE_AT - 1)).toBeUndefined();
    expect(claimForEnable(cooling, REUSABLE_AT)).toEqual({ ...cooling, enabling_since: REUSABLE_AT });
  });

  it('is enabled by one sweep, and by another only when the first cannot be at it any more', () => {
    const enabling = { ...cooling, enabling_since: REUSABLE_AT };
    expect(claimForEnable(enabling, REUSABLE_AT + 5 * MINUTE - 1)).toBeUndefined();
    expect(claimForEnable(enabling, REUSABLE_AT + 5 * MINUTE)).toEqual({
      ...cooling,
      enabling_since: REUSABLE_AT + 5 * MINUTE,
    });
  });

  it('is free once the sweep that began says that it is enabled, and by no other sweep', () => {
    const enabling = { ...cooling, enabling_since: REUSABLE_AT };
    const now = REUSABLE_AT + 9;
    expect(confirmEnabled(enabling, REUSABLE_AT, now)).toEqual({ ...cooling, ...freed, delete_at: now + RETENTION_MS });
    expect(confirmEnabled(enabling, REUSABLE_AT - 1, now)).toBeUndefined();
    expect(confirmEnabled({ ...enabling, enabling_since: REUSABLE_AT + 5 }, REUSABLE_AT, now)).toBeUndefined();
    expect(confirmEnabled(cooling, REUSABLE_AT, now)).toBeUndefined();
  });

  it('is the only kind that is enabled', () => {
    for (const state of ['free', 'leased', 'revoking'] as const) {
      expect(claimForEnable(accountIn(state), REUSABLE_AT + MINUTE)).toBeUndefined();
      expect(
        confirmEnabled({ ...accountIn(state), enabling_since: REUSABLE_AT }, REUSABLE_AT, REUSABLE_AT + 9),
      ).toBeUndefined();
    }
  });

  it('is looked at again during its cooldown, and not while a sweep enables it', () => {
    expect(markChecked(cooling, NOW + MINUTE)).toEqual({ ...cooling, last_checked_at: NOW + MINUTE });
    expect(markChecked({ ...cooling, enabling_since: REUSABLE_AT }, REUSABLE_AT + 1)).toBeUndefined();
    for (const state of ['free', 'leased', 'revoking'] as const)
      expect(markChecked(accountIn(state), NOW + MINUTE)).toBeUndefined();
  });

  it('is disabled again while it cools down and no sweep enables it', () => {
    const found = { ...cooling, found_enabled: 2 };
    const disabling = { ...cooling, disabling_since: NOW + MINUTE, found_enabled: 3 };
    expect(claimForDisable(found, NOW + MINUTE)).toEqual(disabling);
    expect(claimForDisable({ ...found, enabling_since: NOW }, NOW + MINUTE)).toBeUndefined();
    // The sweep that began is not at it any more, and can no longer say that it is enabled.
    const lapsed = { ...found, enabling_since: NOW + MINUTE - ENABLE_CLAIM_MS };
    expect(claimForDisable(lapsed, NOW + MINUTE)).toEqual(disabling);
    for (const state of ['free', 'leased', 'revoking', 'shared'] as const)
      expect(claimForDisable(accountIn(state), NOW + MINUTE)).toBeUndefined();
  });

  it('is not enabled while a request to disable it again may take effect', () => {
    const disabling = { ...cooling, disabling_since: REUSABLE_AT - MINUTE };
    const over = REUSABLE_AT - MINUTE + DISABLE_CLAIM_MS;
    expect(claimForEnable(disabling, over - 1)).toBeUndefined();
    expect(claimForEnable(disabling, over)).toEqual({ ...disabling, enabling_since: over });
    expect(claimForEnable({ ...disabling, disabling_since: NOW }, REUSABLE_AT - 1)).toBeUndefined();
  });
});

it('an account is deleted only when nothing depends on it', () => {
  for (const state of STATES) {
    const account = accountIn(state);
    expect(accountSchema.parse(account)).toEqual(account);
    expect(account.delete_at === null).toBe(state !== 'free');
  }
});
