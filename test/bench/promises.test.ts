// The judge of the simulated benches: a world in which every promise is kept, and each way of breaking one, named.

import { describe, expect, it } from 'vitest';
import { brokenPromises, type LiveToken, type World } from '../../bench/promises.ts';
import type { Account } from '../../shared/core/account.ts';
import type { Grant } from '../../shared/core/grant.ts';

const NOW = 1_790_000_000_000;
const LATER = NOW + 60_000;
const POOLED = 'ci-001@acme.iam.gserviceaccount.com';
const SHARED = 'export@acme.iam.gserviceaccount.com';

/** What the judge reads of a record; the rest is none of its business. */
const grant = (kind: Grant['kind'], more: Partial<Grant> = {}) =>
  ({ kind, state: 'active', expires_at: LATER, ended_at: null, ...more }) as Grant;
const account = (state: Account['state']) => ({ state, grant: 'p' }) as Account;
const token = (service_account: string, grant_id: string): LiveToken => ({
  account: service_account,
  job_id: 'job',
  grant_id,
  expiresAt: LATER,
});

const kept: World = {
  now: NOW,
  grants: new Map([
    ['f', grant('firestore')],
    ['p', grant('pooled_service_account', { service_account: POOLED })],
    ['s', grant('service_account', { service_account: SHARED })],
  ]),
  documents: new Map([['f', LATER]]),
  accounts: new Map([[POOLED, account('leased')]]),
  tokens: [token(POOLED, 'p'), token(SHARED, 's')],
  isPooled: (email) => email === POOLED,
  isDisabled: () => false,
  hasEnded: () => false,
};
const withGrant = (id: string, record: Grant | undefined, more: Partial<World> = {}): World => {
  const grants = new Map(kept.grants);
  if (record) grants.set(id, record);
  else grants.delete(id);
  return { ...kept, ...more, grants };
};
const ended = (id: string) => ({ hasEnded: (other: string) => other === id });
const pooled = (more: Partial<Grant>) => grant('pooled_service_account', { service_account: POOLED, ...more });

describe('the judge of promises', () => {
  it.each<[string, World]>([
    ['everything runs', kept],
    ['a document is still to be closed', withGrant('f', grant('firestore', { state: 'revoking' }), ended('f'))],
    [
      'an account is still to be disabled',
      withGrant('p', pooled({ state: 'revoking' }), {
        ...ended('p'),
        accounts: new Map([[POOLED, account('revoking')]]),
      }),
    ],
    ['an account is disabled', withGrant('p', undefined, { isDisabled: (email) => email === POOLED })],
    [
      'what can only expire is ended',
      withGrant('s', { ...(kept.grants.get('s') as Grant), ended_at: NOW }, ended('s')),
    ],
  ])('finds nothing while %s', (_, world) => {
    expect(brokenPromises(world)).toEqual([]);
  });

  it.each<[string, World, RegExp]>([
    ['a document without a live record', withGrant('f', undefined), /^grant f: its document lets .* no live record/],
    ['a document past its record', { ...kept, documents: new Map([['f', LATER + 1]]) }, /^grant f: .* for longer than/],
    ['a document after the end', { ...kept, ...ended('f') }, /^grant f: its end was recorded, .* says active/],
    ['a pooled token without a live record', withGrant('p', undefined), /^grant p: .* but no live record/],
    [
      'a pooled token of another account',
      withGrant('p', pooled({ service_account: 'ci-002@acme.iam.gserviceaccount.com' })),
      /^grant p: .* but the record names ci-002@/,
    ],
    [
      'a token past its record',
      withGrant('s', grant('service_account', { service_account: SHARED, expires_at: NOW })),
      /^grant s: .* for longer than/,
    ],
    ['a pooled token after the end', { ...kept, ...ended('p') }, /^grant p: .* its end was recorded, .* says active/],
    ['a shared token that was not ended', { ...kept, ...ended('s') }, /^grant s: .* but not that it ended/],
    [
      'a pooled token of an account at rest',
      { ...kept, accounts: new Map([[POOLED, account('resting')]]) },
      /says resting/,
    ],
    ['a pooled token of an unknown account', { ...kept, accounts: new Map() }, /says nothing/],
    ['an account with two grants', withGrant('q', pooled({})), /^account ci-001@\S+ serves two grants, p and q/],
  ])('finds %s, and nothing else', (_, world, what) => {
    const broken = brokenPromises(world);
    expect(broken).toHaveLength(1);
    expect(broken[0]).toMatch(what);
  });
});
