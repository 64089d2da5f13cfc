// Guards of the cooldown (I5): a pooled account is re-enabled only when the last token issued from it has expired.

import type { Mutation } from '../mutation.ts';

const POOL_LIFECYCLE = 'shared/core/pool/lifecycle.ts';
const HTTP_CLIENT = 'shared/runtime/http-client.ts';
const HTTP_CLIENT_TEST = 'test/unit/runtime/http-client.test.ts';
const ENABLE_ACCOUNT = 'shared/google/account-state.ts';
const SWEEP_ACCOUNTS = 'shared/operations/sweep-accounts.ts';

const MODEL = 'test/model/lifecycle.test.ts';
const POOL_LIFECYCLE_TEST = 'test/unit/core/pool/lifecycle.test.ts';
const CHANGE_ACCOUNT_TEST = 'test/unit/google/change-account.test.ts';
const CONCURRENT_SWEEPS_TEST = 'test/http/concurrent-sweeps.test.ts';
const SKEWED_SWEEPS_TEST = 'test/http/skewed-sweeps.test.ts';
const STATES = 'test/model/states/states.test.ts';

export const COOLDOWN: readonly Mutation[] = [
  {
    id: 'enabled-before-cooldown-ends',
    breaks: 'I5',
    means: 'An account is re-enabled before its cooldown is over.',
    observed: 'history 1 of `everything`: I5: `free` before its cooldown was over',
    edits: [
      {
        file: POOL_LIFECYCLE,
        find: `  if (existing.state !== 'cooling_down' || existing.reusable_at > now) return undefined;`,
        replace: `  if (existing.state !== 'cooling_down') return undefined;`,
      },
      {
        file: SWEEP_ACCOUNTS,
        find: `({ account: { state, reusable_at } }) => state === 'cooling_down' && reusable_at <= now`,
        replace: `({ account: { state, reusable_at } }) => state === 'cooling_down' && reusable_at <= now + 86_400_000`,
      },
    ],
    killers: [POOL_LIFECYCLE_TEST, MODEL],
  },
  {
    id: 'enabled-without-claim',
    breaks: 'I5',
    means: 'A sweep re-enables an account without first recording that it does.',
    observed: 'history 20 of `pool`: I5: enabled while a token is live',
    edits: [
      {
        file: SWEEP_ACCOUNTS,
        find: `  const claimed = await sweepLedger.claimForEnable(email);
  if (!claimed || claimed.enabling_since === null) return undefined;`,
        replace: '  const claimed = { enabling_since: deps.clock.now() };',
      },
      {
        file: POOL_LIFECYCLE,
        find: `  if (existing.state !== 'cooling_down' || existing.enabling_since !== enabling_since) return undefined;`,
        replace: `  if (existing.state !== 'cooling_down') return undefined;`,
      },
    ],
    killers: [POOL_LIFECYCLE_TEST, MODEL],
  },
  {
    id: 'claim-taken-over',
    breaks: 'I5',
    means: 'A sweep claims an account that another sweep is re-enabling.',
    aliases: ['N08'],
    edits: [
      {
        file: POOL_LIFECYCLE,
        find: `  if (isBeingEnabled(existing, now)) return undefined;
`,
        replace: '',
      },
    ],
    killers: [POOL_LIFECYCLE_TEST, MODEL],
  },
  {
    id: 'one-claim-for-two-sweeps',
    breaks: 'I5',
    means: 'Of two sweeps that begin in one millisecond, each takes the one claim as its own.',
    observed: 'history 20 of `pool`: I5: enabled while a token is live',
    edits: [
      {
        file: 'shared/ledger/sweep.ts',
        find: '    claimForEnable: (email) => transitionAccount(email, claimForEnable),',
        replace: `    claimForEnable: (email) =>
      transitionAccount(email, (existing, at) => (existing.enabling_since === at ? existing : claimForEnable(existing, at))),`,
      },
    ],
    killers: [CONCURRENT_SWEEPS_TEST, MODEL],
  },
  {
    id: 'enable-request-sent-again-when-connection-is-lost',
    breaks: 'I5',
    means: 'A request to enable an account is sent again when its connection is lost.',
    edits: [
      {
        file: HTTP_CLIENT,
        find: 'if (noResend || !isConnectionLost(error))',
        replace: 'if (!isConnectionLost(error))',
      },
    ],
    killers: [HTTP_CLIENT_TEST],
  },
  {
    id: 'request-sent-again-after-its-time',
    breaks: 'I5',
    means: 'A request whose connection is lost is sent again although its time is up.',
    edits: [{ file: HTTP_CLIENT, find: 'if (signal.aborted || clock.now() >= until)', replace: 'if (signal.aborted)' }],
    killers: [HTTP_CLIENT_TEST],
  },
  {
    id: 'enable-request-repeated',
    breaks: 'I5',
    means: 'A request to enable an account is sent again when it was not answered.',
    observed: 'history 5 of `pool`: I5: enabled while a token is live',
    edits: [
      {
        file: ENABLE_ACCOUNT,
        find: `    const response = await sendAsService({ dependency, url, method: 'POST', json: {}, until, noResend: true });
    parseResponse(dependency, response, z.object({}), {
      account: email,
      permission: 'iam.serviceAccounts.enable',
      now: clock.now(),
    });`,
        replace: `    await retry(deadline, async () => {
      const response = await sendAsService({ dependency, url, method: 'POST', json: {}, until, noResend: true });
      parseResponse(dependency, response, z.object({}), { account: email, now: clock.now() });
    });`,
      },
    ],
    killers: [CHANGE_ACCOUNT_TEST, MODEL],
  },
  {
    id: 'renewal-keeps-old-cooldown',
    breaks: 'I5',
    means: 'A renewal does not move the end of the cooldown of its account.',
    observed: 'history 3 of `pool`: I5: its cooldown would end before its grant',
    aliases: ['M30'],
    edits: [
      {
        file: 'shared/ledger/issuance.ts',
        find: '      if (!free) renewLease(batch, accountDocument(ledger, grant.service_account), grant);\n      else {',
        replace: '      if (free) {',
      },
    ],
    killers: ['test/http/issue-guards.test.ts', MODEL],
  },
  {
    id: 'lease-without-mint-margin',
    breaks: 'I5',
    means: 'A lease does not count the time that minting takes, nor the clock margin.',
    observed: 'history 5 of `pool`: I5: a token outlives the cooldown of its account',
    edits: [
      {
        file: 'shared/core/kinds/pooled-service-account.ts',
        find: 'mintMarginMs: MINT_MARGIN_MS',
        replace: 'mintMarginMs: 0',
      },
      {
        file: POOL_LIFECYCLE,
        find: 'reusable_at: Math.max(existing?.reusable_at ?? 0, reusableAfter(grant.expires_at)),',
        replace: 'reusable_at: Math.max(existing?.reusable_at ?? 0, grant.expires_at),',
      },
    ],
    killers: [POOL_LIFECYCLE_TEST, MODEL],
  },
  {
    id: 'enable-request-after-its-time',
    breaks: 'I5',
    means: 'A request to enable an account is sent after the time of its claim, as by an instance that was frozen.',
    aliases: ['M07'],
    edits: [
      {
        file: ENABLE_ACCOUNT,
        find: "method: 'POST', json: {}, until, noResend: true });",
        replace: `method: 'POST', json: {} });`,
      },
    ],
    killers: [CHANGE_ACCOUNT_TEST],
  },
  {
    id: 'retry-after-freeze',
    breaks: 'I5',
    means: 'A retry is sent after its time, as by an instance that was frozen during the pause.',
    aliases: ['M24'],
    edits: [{ file: 'shared/runtime/retry.ts', find: '      if (clock.now() >= until) throw error;\n', replace: '' }],
    killers: ['test/unit/runtime/retry.test.ts'],
  },
  {
    id: 'recheck-while-enabling',
    breaks: 'I5',
    means: 'An account is recorded as checked while a sweep re-enables it.',
    aliases: ['N09'],
    edits: [
      {
        file: POOL_LIFECYCLE,
        find: `  return existing.state === 'cooling_down' && existing.enabling_since === null
    ? { ...existing, last_checked_at: now }
    : undefined;`,
        replace: `  return existing.state === 'cooling_down' ? { ...existing, last_checked_at: now } : undefined;`,
      },
    ],
    killers: [POOL_LIFECYCLE_TEST],
  },
  {
    id: 'enabled-while-disabled-again',
    breaks: 'I4',
    means: 'A sweep enables an account that another sweep found enabled and is disabling again.',
    edits: [
      {
        file: POOL_LIFECYCLE,
        find: '  if (existing.disabling_since !== null && existing.disabling_since + DISABLE_CLAIM_MS > now) return undefined;\n',
        replace: '',
      },
    ],
    killers: [POOL_LIFECYCLE_TEST, SKEWED_SWEEPS_TEST, STATES],
  },
  {
    id: 'disabled-again-after-cooldown',
    breaks: 'I4',
    means: 'A sweep disables an account that it found enabled, although another sweep has freed it meanwhile.',
    edits: [
      {
        file: POOL_LIFECYCLE,
        find: "  if (existing.state !== 'cooling_down' || isBeingEnabled(existing, now)) return undefined;\n",
        replace: '',
      },
    ],
    killers: [POOL_LIFECYCLE_TEST, SKEWED_SWEEPS_TEST, STATES],
  },
  {
    id: 'disable-claim-without-clocks',
    breaks: 'I4',
    means: 'For how long a request to disable an account again may take effect is counted as if all clocks agreed.',
    edits: [
      {
        file: 'shared/core/timing.ts',
        find: 'DISABLE_CLAIM_MS = CLOCK_MARGIN_MS + DISABLE_WINDOW_MS',
        replace: 'DISABLE_CLAIM_MS = DISABLE_WINDOW_MS',
      },
    ],
    killers: ['test/unit/core/timing.test.ts', SKEWED_SWEEPS_TEST, STATES],
  },
  {
    id: 'disable-again-after-its-time',
    breaks: 'I4',
    means:
      'A request to disable an account again is timed from when it is sent, not from its claim, as by an instance that was frozen.',
    edits: [
      {
        file: SWEEP_ACCOUNTS,
        find: 'found.disabling_since + DISABLE_WINDOW_MS);',
        replace: 'clock.now() + DISABLE_WINDOW_MS);',
      },
    ],
    killers: [SKEWED_SWEEPS_TEST],
  },
];
