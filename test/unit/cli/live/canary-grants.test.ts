// Every canary grant that may exist is released, whatever happened to the requests for it.

import { describe, expect, it } from 'vitest';
import { CanaryGrants } from '../../../../cli/live/canary-grants.ts';
import type { Issued, Refused, Service } from '../../../../cli/live/service.ts';
import { DependencyError } from '../../../../shared/runtime/errors.ts';
import { SimulatedClock } from './simulated-clock.ts';

const refused = (more: Partial<Refused> = {}): Refused => ({
  ...{ why: 'no', missingClaims: [], passing: false, retryAfter: undefined },
  ...more,
});
const LOST = 'lost' as const;
type Scripted = 'issued' | typeof LOST | Refused;

/** A Keydesk that responds as it is scripted, and then issues and releases. `lost` does it, and responds nothing. */
function open(script: { readonly issue?: Scripted[]; readonly revoke?: (Refused | undefined)[] }) {
  const clock = new SimulatedClock(0);
  const live = new Set<string>();
  const requestedClaims: (readonly string[])[] = [];
  const { issue = [], revoke = [] } = script;
  let issuedCount = 0;
  let revocations = 0;
  const service: Service = {
    issue: async (credential) => {
      const next = issue.shift() ?? 'issued';
      if (typeof next === 'object') return { refused: next };
      live.add(credential);
      if (next === LOST) throw new DependencyError('Keydesk', 'unreachable', 'could not be reached');
      issuedCount += 1;
      const access_token = `${credential} ${issuedCount}`;
      const issued: Issued = {
        access_token,
        expires_in: 600,
        grant_id: 'g',
        environment: 'e',
        revocation: 'immediate',
      };
      return { issued };
    },
    revoke: async (accessToken) => {
      revocations += 1;
      const next = revoke.shift();
      if (!next) live.delete(accessToken.split(' ')[0] ?? '');
      return next;
    },
  };
  const requestJobToken = async (claims: readonly string[]) => {
    requestedClaims.push(claims);
    return 'a.b.c';
  };
  const grants = new CanaryGrants({ service, requestJobToken, clock, note: () => {} });
  const never = new AbortController();
  return {
    clock,
    live,
    grants,
    requestedClaims,
    revocations: () => revocations,
    interrupt: () => never.abort(new Error('SIGINT')),
    obtain: (credential = 'canary') => clock.run(grants.obtain(credential, never.signal)),
    releaseAll: () => clock.run(grants.releaseAll()),
  };
}

describe('a canary grant', () => {
  it('is obtained with the claims that the policy needs', async () => {
    const { obtain, requestedClaims } = open({ issue: [refused({ missingClaims: ['cluster_id'] })] });
    expect(await obtain()).toMatchObject({ expiresAt: 600_000 });
    expect(requestedClaims).toEqual([
      ['organization_id', 'pipeline_id'],
      ['organization_id', 'pipeline_id', 'cluster_id'],
    ]);
  });

  it('is waited for while no account is free, and not for ever', async () => {
    const none = refused({ passing: true, retryAfter: 30 });
    const { obtain, clock } = open({ issue: [none, none] });
    expect(await obtain()).toMatchObject({ credential: 'canary' });
    expect(clock.now()).toBe(60_000);
    const full = open({ issue: Array.from({ length: 100 }, () => none) });
    expect(await full.obtain()).toEqual(none);
    expect(full.clock.now()).toBeLessThanOrEqual(600_000);
  });

  it('is not requested again where it is refused, nor for a claim that the token has', async () => {
    const never = refused();
    expect(await open({ issue: [never] }).obtain()).toEqual(never);
    const again = refused({ missingClaims: ['pipeline_id'] });
    expect(await open({ issue: [again] }).obtain()).toEqual(again);
  });
});

describe('at the end', () => {
  it('every grant is released, once', async () => {
    const { obtain, releaseAll, live, revocations } = open({});
    await obtain('one');
    await obtain('two');
    expect(live.size).toBe(2);
    expect(await releaseAll()).toEqual([]);
    expect(live.size).toBe(0);
    expect(await releaseAll()).toEqual([]);
    expect(revocations()).toBe(2);
  });

  it('a release is tried again, and reported when it is not confirmed', async () => {
    const pending = refused({ passing: true });
    const slow = open({ revoke: [pending, pending] });
    await slow.obtain();
    expect(await slow.releaseAll()).toEqual([]);
    expect(slow.live.size).toBe(0);
    const stuck = open({ revoke: Array.from({ length: 200 }, () => pending) });
    await stuck.obtain();
    expect(await stuck.releaseAll()).toEqual(['canary']);
    expect(stuck.clock.now()).toBeLessThanOrEqual(60_000);
  });

  it('a grant whose response was lost is found by another request, and released', async () => {
    const { obtain, interrupt, releaseAll, live } = open({ issue: [LOST] });
    interrupt();
    await expect(obtain()).rejects.toThrow('SIGINT');
    expect(live.size).toBe(1);
    expect(await releaseAll()).toEqual([]);
    expect(live.size).toBe(0);
  });

  it('a grant whose response was lost is found with the claims that the policy demanded', async () => {
    const { obtain, releaseAll, live, requestedClaims } = open({
      issue: [refused({ missingClaims: ['cluster_id'] }), LOST, refused()],
    });
    expect(await obtain()).toEqual(refused());
    expect(live.size).toBe(1);
    expect(await releaseAll()).toEqual([]);
    expect(live.size).toBe(0);
    expect(requestedClaims.at(-1)).toEqual(['organization_id', 'pipeline_id', 'cluster_id']);
  });

  it('a grant whose response was lost is found although the next request lacks a claim', async () => {
    const { obtain, interrupt, releaseAll, live } = open({ issue: [LOST, refused({ missingClaims: ['cluster_id'] })] });
    interrupt();
    await expect(obtain()).rejects.toThrow('SIGINT');
    expect(await releaseAll()).toEqual([]);
    expect(live.size).toBe(0);
  });

  it('a grant whose response was lost for good is reported', async () => {
    const { obtain, releaseAll } = open({ issue: [LOST, refused(), refused()] });
    expect(await obtain()).toEqual(refused());
    expect(await releaseAll()).toEqual(['canary']);
  });

  it('a grant that was issued while the command was interrupted is released', async () => {
    const { obtain, interrupt, releaseAll, live } = open({});
    const obtaining = obtain();
    interrupt();
    await expect(obtaining).rejects.toThrow('SIGINT');
    expect(live.size).toBe(1);
    expect(await releaseAll()).toEqual([]);
    expect(live.size).toBe(0);
  });
});
