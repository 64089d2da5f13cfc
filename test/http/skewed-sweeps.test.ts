// Two sweeps at once whose clocks differ as much as two clocks may. The fast one enables an account after its cooldown; the slow one
// still looks at it, and must not disable it under its next job.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  CLOCK_MARGIN_MS,
  COLD_DEADLINE_MS,
  DISABLE_CLAIM_MS,
  DISABLE_WINDOW_MS,
  LATE_REQUEST_MS,
} from '../../shared/core/timing.ts';
import { createSweepLedger } from '../../shared/ledger/sweep.ts';
import { sweepAccounts } from '../../shared/operations/sweep-accounts.ts';
import type { SweepDeps } from '../../shared/operations/sweep-deps.ts';
import {
  databaseForJobs,
  databaseOf,
  type InProcessKeydesk,
  openInProcessKeydesk,
} from '../fixtures/in-process-keydesk.ts';
import { account, DATASTORE, policyData, policyText } from '../fixtures/policies.ts';

const policy = (project: string) => {
  const serviceAccount = { pool: [account('deploy-1', project)], scopes: [DATASTORE] };
  return policyText(policyData(project, { 'staging-admin': { environment: 'staging', ttl: '15m', serviceAccount } }));
};

describe('a slow sweep that looks at an account', () => {
  let keydesk: InProcessKeydesk;
  let email: string;
  let reusable_at: number;

  async function newHolder() {
    const job = keydesk.buildkite.startJob();
    const issuedAt = Math.floor(keydesk.clock.now() / 1000);
    const response = await keydesk.requestByPath(await keydesk.buildkite.jobToken(job, { issuedAt }), 'staging-admin');
    expect(response.status).toBe(200);
    const { access_token } = response.json as { readonly access_token: string };
    return { accessToken: access_token, finish: () => keydesk.notify(keydesk.buildkite.event(job)) };
  }

  const accountRecord = async () =>
    (await databaseOf(keydesk.project, 'ledger').collection('service_accounts').doc(email).get()).data();

  const fastSweep = async () => (await keydesk.sweep()).json;

  /** The accounts' part of a sweep by a clock that is behind the test's, which the fast one goes by. */
  const slowSweep = (frozenFor = 0) => {
    const { clock, sweepDeps, project } = keydesk;
    const slow = { ...clock, now: () => clock.now() - CLOCK_MARGIN_MS };
    const sweepLedger = createSweepLedger(databaseForJobs(project, 'ledger'), slow);
    const deps: SweepDeps = {
      ...sweepDeps,
      clock: slow,
      sweepLedger: {
        ...sweepLedger,
        claimForDisable: async (of) => {
          const claimed = await sweepLedger.claimForDisable(of);
          clock.advance(frozenFor);
          return claimed;
        },
      },
      disableAccount: (...[of, reason, until]) => sweepDeps.disableAccount(of, reason, until + CLOCK_MARGIN_MS),
    };
    return sweepAccounts(deps);
  };

  beforeEach(async () => {
    keydesk = await openInProcessKeydesk({ policy });
    email = account('deploy-1', keydesk.project);
    await (await newHolder()).finish();
    reusable_at = (await accountRecord())?.reusable_at.toMillis();
    // The last moment at which a sweep by that clock looks at it.
    keydesk.clock.set(reusable_at - 1);
  });
  afterEach(async () => {
    expect(keydesk.google.unexpected).toEqual([]);
    await keydesk.close();
  });

  it('leaves it alone when a fast one has enabled it meanwhile, and its next job keeps its credential', async () => {
    const [looking, mayLook] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    keydesk.google.before = async ({ method }) => {
      if (method !== 'get') return undefined;
      keydesk.google.before = undefined;
      looking.resolve();
      await mayLook.promise;
      return undefined;
    };
    const slow = slowSweep();
    await looking.promise;
    keydesk.clock.advance(1);
    expect(await fastSweep()).toMatchObject({ accounts_enabled: 1, failed: 0 });
    const next = await newHolder();
    mayLook.resolve();
    expect(await slow).toMatchObject({ foundEnabled: [], stillEnabled: [], failures: [] });
    expect(await keydesk.gate(next.accessToken)).toBe(200);
    expect(await accountRecord()).toMatchObject({ state: 'leased' });
  });

  /** IAM's next response about the account is an old one. */
  const readOldState = () => {
    keydesk.google.before = ({ method }) => {
      if (method !== 'get') return undefined;
      keydesk.google.before = undefined;
      return { status: 200, json: { email } };
    };
  };

  it('and disables it again keeps a fast one from enabling it while Google may still carry that out', async () => {
    readOldState();
    const carriedOut = Promise.withResolvers<void>();
    keydesk.google.fault = ({ method }) =>
      method === 'disable' ? { kind: 'late', changes: carriedOut.promise } : undefined;
    expect(await slowSweep()).toMatchObject({ foundEnabled: [{ email }], failures: [] });
    keydesk.google.fault = undefined;
    keydesk.clock.advance(COLD_DEADLINE_MS + LATE_REQUEST_MS);
    expect(await fastSweep()).toMatchObject({ accounts_enabled: 0, failed: 0 });
    carriedOut.resolve();
    await carriedOut.promise;
    keydesk.clock.advance(DISABLE_CLAIM_MS);
    expect(await fastSweep()).toMatchObject({ accounts_enabled: 1, failed: 0 });
    expect(await keydesk.gate((await newHolder()).accessToken)).toBe(200);
  });

  it('and was frozen after its claim sends no request to disable it', async () => {
    readOldState();
    const requests = () => keydesk.google.calls.filter(({ method }) => method === 'disable').length;
    const before = requests();
    const frozen = slowSweep(DISABLE_WINDOW_MS);
    expect(await frozen).toMatchObject({ failures: [{ service_account: email, code: 'enabled_during_cooldown' }] });
    expect(requests()).toBe(before);
  });
});
