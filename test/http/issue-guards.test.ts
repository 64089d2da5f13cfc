// What keeps an issue right against an operator's block and against other jobs of its pool, forced step by step.

import { describe, expect, it } from 'vitest';
import { CLOCK_MARGIN_MS } from '../../shared/core/timing.ts';
import { activateKillSwitch, type KillOrder } from '../../shared/operations/kill-switch.ts';
import { BusyGrant } from './busy-grant.ts';

const MINUTE = 60_000;

const everything = ({ claims }: BusyGrant): KillOrder => ({
  selector: { job_id: claims.job_id },
  actor: 'an operator',
  reason: 'a test',
  blocks_new: true,
});
const block = (grant: BusyGrant, id: string) =>
  grant.killSwitchDeps.killSwitchLedger.record(id, {
    ...everything(grant),
    ...{ activated_at: grant.clock.now(), deactivated_at: null, deactivated_by: null },
  });

describe('a block', () => {
  it.each(['config', 'export', 'admin'])(
    'that comes while %s is being reserved refuses it, although the reservation did not see it',
    async (credential) => {
      const grant = new BusyGrant();
      let blocked: Promise<unknown> | undefined;
      grant.afterCommit = async (paths) => {
        if (!paths.some((path) => path.startsWith('grants/'))) return;
        blocked ??= block(grant, 'block');
        await blocked;
      };
      expect(await grant.instance()(credential)).toMatchObject({ status: 400, entries: [{ reason: 'blocked' }] });
      expect(await grant.record()).toMatchObject({ tokens: [], tokens_issued: 0 });
    },
  );

  it('stands before the kill switch looks for grants', async () => {
    const grant = new BusyGrant();
    const requestToken = grant.instance();
    const { killSwitchDeps } = grant;
    const { liveGrants } = killSwitchDeps.killSwitchLedger;
    const meanwhile: number[] = [];
    const killSwitchLedger: typeof killSwitchDeps.killSwitchLedger = {
      ...killSwitchDeps.killSwitchLedger,
      liveGrants: async function* () {
        for await (const page of liveGrants()) {
          meanwhile.push((await requestToken('export')).status);
          yield page;
        }
      },
    };
    await activateKillSwitch({ ...killSwitchDeps, killSwitchLedger }, 'kill', everything(grant));
    expect(meanwhile).toEqual([400]);
    expect(await grant.record()).toBeUndefined();
  });

  it('is not lost when two are recorded at the same time', async () => {
    const grant = new BusyGrant();
    await Promise.all([block(grant, 'one'), block(grant, 'two')]);
    const { blocks } = (await grant.ledger.collection('blocks').doc('current').get()).data() as {
      blocks: object[];
    };
    expect(blocks).toHaveLength(2);
  });
});

describe('a pooled account', () => {
  const accountOf = async (grant: BusyGrant) => {
    const { docs } = await grant.ledger.collection('service_accounts').get();
    return docs.map((account) => Number(account.get('reusable_at')?.toMillis?.() ?? account.get('reusable_at')));
  };
  const endOf = async (grant: BusyGrant) => {
    const { docs } = await grant.ledger.collection('grants').get();
    const end = docs[0]?.get('expires_at');
    return Number(end?.toMillis?.() ?? end);
  };

  it('mints for its job only once its lease is on record', async () => {
    const grant = new BusyGrant();
    const steps: string[] = [];
    grant.afterCommit = async (paths) => {
      if (paths.some((path) => path.startsWith('grants/'))) steps.push('written');
    };
    grant.beforeMint = async () => {
      steps.push('minted');
    };
    expect((await grant.instance()('admin')).status).toBe(200);
    expect(steps).toEqual(['written', 'minted', 'written']);
  });

  it('has a longer cooldown than its grant lives on every clock, also after a renewal', async () => {
    const grant = new BusyGrant();
    const requestToken = grant.instance();
    await requestToken('admin');
    const first = await endOf(grant);
    expect(await accountOf(grant)).toEqual([first + CLOCK_MARGIN_MS]);
    grant.clock.advance(10 * MINUTE);
    await requestToken('admin');
    expect(await endOf(grant)).toBeGreaterThanOrEqual(first + 10 * MINUTE);
    expect(await accountOf(grant)).toEqual([(await endOf(grant)) + CLOCK_MARGIN_MS]);
  });
});
