// Guards of tokens that are narrowed to a bucket: disabling their account need not end them, so only the clock does.

import type { Mutation } from '../mutation.ts';

const POOL_LIFECYCLE = 'shared/core/pool/lifecycle.ts';
const DOWNSCOPE = 'shared/google/downscope.ts';
const GRANT_ACTIVATE = 'shared/core/grant/activate.ts';
const GRANT_END = 'shared/core/grant/end.ts';
const MINT = 'shared/google/mint.ts';

const MODEL = 'test/model/lifecycle.test.ts';
const GRANT_TEST = 'test/unit/core/grant/grant.test.ts';
const GRANT_LIFECYCLE_TEST = 'test/unit/core/grant/lifecycle.test.ts';
const GRANT_INVARIANTS_TEST = 'test/unit/core/grant/invariants.test.ts';
const STORAGE_TEST = 'test/http/storage.test.ts';

export const NARROWED: readonly Mutation[] = [
  {
    id: 'narrowed-called-revoked',
    breaks: 'I3',
    means: 'The grant of narrowed tokens is called revoked once its account is disabled.',
    observed: 'histories, unit tests',
    edits: [
      {
        file: GRANT_END,
        find: `  return existing.revocation === 'expiry'
    ? { ...existing, ...NOT_ENDING, access_ended_at: existing.expires_at }
    : { ...existing, ...NOT_ENDING, state: 'revoked', access_ended_at: now };`,
        replace: `  return { ...existing, ...NOT_ENDING, state: 'revoked', access_ended_at: now };`,
      },
    ],
    killers: [GRANT_TEST, MODEL],
  },
  {
    id: 'narrowed-account-not-disabled',
    breaks: 'I3',
    means: 'The end of a job does not have the account of its narrowed tokens disabled.',
    observed: 'histories, unit tests',
    edits: [
      {
        file: GRANT_END,
        find: `  return revocableAccess(ended) ? { ...ended, state: 'revoking' } : ended;`,
        replace: `  return ended.revocation === 'expiry' ? ended : { ...ended, state: 'revoking' };`,
      },
    ],
    killers: [GRANT_LIFECYCLE_TEST, MODEL],
  },
  {
    id: 'narrowed-account-does-not-cool-down',
    breaks: 'I6',
    means: 'The account of narrowed tokens does not cool down once it is disabled.',
    observed: 'histories, `test/http/storage.test.ts`',
    edits: [
      {
        file: POOL_LIFECYCLE,
        find: `      return grant.access_ended_at !== null && account.state === 'revoking'
        ? { ...startCooldown(account, now), disabled_at: now }
        : undefined;`,
        replace: '      return undefined;',
      },
    ],
    killers: [STORAGE_TEST, MODEL],
  },
  {
    id: 'waiting-grant-never-ends',
    breaks: 'I6',
    means: 'A grant that waits for the end of its tokens never expires.',
    observed: 'histories, `test/http/storage.test.ts`',
    edits: [
      {
        file: GRANT_END,
        find: `  if (existing.state === 'revoked' || existing.state === 'expired') return undefined;`,
        replace: `  if (existing.state === 'revoked' || existing.state === 'expired') return undefined;
  if (existing.state === 'revoking' && existing.access_ended_at !== null) return undefined;`,
      },
    ],
    killers: [GRANT_INVARIANTS_TEST, MODEL],
  },
  {
    id: 'release-silent-about-live-token',
    breaks: 'answers',
    means: 'The response to a release does not say that the token lives on.',
    observed: 'histories, `test/http/storage.test.ts`',
    edits: [
      {
        file: 'functions/token/revoke.ts',
        find: '    const released: HttpResponse = { status: 200, body: { request_id, ...until } };',
        replace: '    const released: HttpResponse = { status: 200, body: { request_id } };',
      },
    ],
    killers: ['test/http/revoke.test.ts', STORAGE_TEST],
  },
  {
    id: 'token-not-narrowed',
    breaks: 'verification',
    means: 'A token is returned as it was before it was narrowed.',
    observed: '`test/http/storage.test.ts` (the histories do not check what a token opens)',
    edits: [
      {
        file: MINT,
        find: '    return storage ? downscope({ sendRequest, clock, stsUrl: deps.stsUrl }, minted, storage) : minted;',
        replace: `    if (storage) await downscope({ sendRequest, clock, stsUrl: deps.stsUrl }, minted, storage);
    return minted;`,
      },
    ],
    killers: [STORAGE_TEST],
  },
  {
    id: 'waiting-grant-ends-without-margin',
    breaks: 'I3',
    means: 'A grant that waits for the end of its tokens ends without the clock margin.',
    observed: 'unit tests (in the histories of that time, all clocks agreed)',
    edits: [
      {
        file: GRANT_END,
        find: 'if (!surelyPast(existing.expires_at, now)) return undefined;',
        replace: `if (!surelyPast(existing.expires_at, now + (existing.access_ended_at === null ? 0 : 90_000)))
    return undefined;`,
      },
    ],
    killers: [GRANT_TEST],
  },
  {
    id: 'pooled-token-outlives-record',
    breaks: 'I5',
    means: 'A token of a pooled account is recorded that lives longer than the record says.',
    observed: 'nothing at first; now `test/unit/core/grant/invariants.test.ts`',
    aliases: ['M04'],
    edits: [
      {
        file: GRANT_ACTIVATE,
        find: `  if (isPooledGrant(existing) && token.expires_at > existing.expires_at)
    return mintRejected('lives longer than is on record');
`,
        replace: '',
      },
    ],
    killers: [GRANT_INVARIANTS_TEST],
  },
  {
    id: 'token-longer-than-reserved',
    breaks: 'verification',
    means: 'A token is accepted from Google that lives longer than was requested.',
    aliases: ['M03'],
    edits: [
      {
        file: MINT,
        find: 'if (expires_at > latestExpiry)',
        replace: 'if (expires_at > latestExpiry && Number.isNaN(latestExpiry))',
      },
    ],
    killers: ['test/http/slow-mint.test.ts'],
  },
  {
    id: 'mint-margin-without-cold-call',
    breaks: 'limits',
    means: 'A first mint of an instance that keeps its deadline is refused for being slow.',
    edits: [{ file: 'shared/core/timing.ts', find: ' + COLD_DEADLINE_MS;', replace: ';' }],
    killers: ['test/http/slow-mint.test.ts'],
  },
  {
    id: 'narrowed-token-outlives-parent',
    breaks: 'verification',
    means: 'A narrowed token is accepted from Google that outlives the token it was made from.',
    aliases: ['N10'],
    edits: [
      {
        file: DOWNSCOPE,
        find: `  if (sent + lifetime > parent.expires_at + ROUNDING_MS)
    throw new DependencyError(DEPENDENCY, 'invalid_response', 'returned a token that outlives its parent token');
`,
        replace: '',
      },
    ],
    killers: ['test/unit/google/downscope.test.ts'],
  },
  {
    id: 'renewal-in-another-bucket',
    breaks: 'I7',
    means: 'A grant of a shared account is renewed for another bucket than its record names.',
    aliases: ['N14'],
    edits: [
      {
        file: 'shared/core/kinds/service-account.ts',
        find: 'grant.service_account === email && grant.storage?.bucket === storage?.bucket',
        replace: 'grant.service_account === email',
      },
    ],
    killers: ['test/unit/core/kinds/kinds.test.ts'],
  },
];
