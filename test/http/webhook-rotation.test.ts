// The rotation of the webhook's key against a fake Buildkite and a fake Google, with the function's own handler: interrupted at every change
// and continued, aborted, and with a Buildkite that does not do what it says. No webhook of Buildkite is ever refused.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isKeyAccepted } from '../../cli/webhook/probe.ts';
import { randomKey } from '../../cli/webhook/random-key.ts';
import { type RotationOptions, type RotationResult, rotateKey } from '../../cli/webhook/rotate.ts';
import type { FakeService } from '../../sandbox/fakes/buildkite/services.ts';
import { KEY_QUIET_MS } from '../../shared/core/webhook/key-proof.ts';
import { SERVICE } from '../fixtures/google-run.ts';
import { INTERRUPTED, type Interruption, openWebhookWorld, type WebhookWorld } from '../fixtures/webhook-deployment.ts';

const OLD = 'old-webhook-key-0123456789';
const MINUTE = 60_000;

let world: WebhookWorld;
let service: FakeService;
let lines: string[];
let keys: string[];
beforeEach(async () => {
  world = await openWebhookWorld();
  lines = [];
  keys = [OLD];
  world.run.versions.push({ value: OLD, state: 'ENABLED' });
  world.run.apply(1);
  world.buildkite.services.all.push(aService({ url: world.functionUrl, token: OLD }));
  service = world.buildkite.services.all[0] as FakeService;
});
afterEach(async () => {
  expect(world.unexpected).toEqual([]);
  await world.close();
});

function aService(settings: Partial<FakeService['settings']>): FakeService {
  return {
    id: '9f0f9a19-1b88-4e37-98d8-c5a0cebcdb9a',
    ...{ description: 'ends of jobs', enabled: true, scope: 'all', scope_uuids: [], branch_configuration: '' },
    settings: {
      ...{ url: '', version: 3, token: '', token_mode: 'signature', events: ['job.finished'], tls_verify: true },
      ...settings,
    },
  };
}

function rotate(more: Partial<RotationOptions> = {}, interruption?: Interruption): Promise<RotationResult> {
  return rotateKey(world.deps(interruption), {
    ...{ goal: 'rotate', byTerraform: false, dryRun: false, waitMs: 20 * MINUTE },
    newKey: () => {
      keys.push(randomKey(world.clock));
      return keys.at(-1) as string;
    },
    report: (line) => lines.push(line),
    ...more,
  });
}

const enabled = () =>
  world.run.versions.flatMap(({ value, state }, index) => (state === 'ENABLED' ? [[index + 1, value]] : []));
const runningVersion = () => world.run.revisions.at(-1)?.version;
const refused = () => world.delivered.filter((status) => status !== 200);

/** The rotation is over, and Buildkite and the function have this key alone. */
function expectOnly(key: string) {
  expect(service.settings.token).toBe(key);
  const version = runningVersion() as number;
  expect(enabled()).toEqual([[version, key]]);
  expect(refused()).toEqual([]);
}

describe('keydesk webhook rotate', () => {
  it('replaces the key, and no webhook is refused meanwhile', async () => {
    world.jobsEnd = true;
    const { result, steps, version } = await rotate();
    expect({ result, version }).toEqual({ result: 'rotated', version: 3 });
    expect(steps).toEqual([
      ...['store_new_key', 'deploy', 'disable', 'save_at_buildkite', 'await_signature'],
      ...['store_alone', 'deploy', 'disable'],
    ]);
    expectOnly(keys[1] as string);
    expect(world.delivered.length).toBeGreaterThan(20);
  });

  it('takes the ping that follows the change as the webhook to wait for', async () => {
    expect(await rotate()).toMatchObject({ result: 'rotated' });
    expect(world.delivered).toEqual([200]);
    expectOnly(keys[1] as string);
  });

  it('refuses what the old key signs afterwards', async () => {
    await rotate();
    const probe = { sendRequest: world.deps().sendRequest, clock: world.clock, url: world.functionUrl };
    const accepted = [];
    for (let probes = 0; probes < 6; probes += 1) accepted.push(await isKeyAccepted(probe, OLD));
    expect(accepted.at(-1)).toBe(false);
    expect(await isKeyAccepted(probe, keys[1] as string)).toBe(true);
  });

  it('says no key and no token, in no line, argument or audit entry', async () => {
    world.jobsEnd = true;
    await rotate();
    const said = [...lines, ...world.entries, ...world.sent.map(({ url }) => url)].map((one) => JSON.stringify(one));
    for (const key of keys) expect(said.filter((text) => text.includes(key))).toEqual([]);
    expect(new Set(keys).size).toBe(2);
    expect(keys[1]).toMatch(/^[A-Za-z0-9_-]{43}$/);
  });

  it.each(['before', 'after'] as const)('continues when it ends %s any change, to the same end', async (moment) => {
    world.jobsEnd = true;
    let changes = 0;
    for (let wasCut = true; wasCut; changes += 1) {
      const start = service.settings.token;
      wasCut = false;
      const first = await rotate({}, { at: changes + 1, moment }).catch((error) => {
        wasCut = true;
        if (!String(error).includes(INTERRUPTED)) throw error;
      });
      // A deployment that was begun goes on without the command.
      for (let pauses = 0; pauses < 3; pauses += 1) await world.clock.sleep(1000);
      const second = wasCut ? await retry() : first;
      expect(second).toMatchObject({ result: 'rotated' });
      expect(service.settings.token).not.toBe(start);
      expectOnly(service.settings.token);
    }
    // Two versions are stored and deployed, two are disabled, and one key is saved.
    expect(changes).toBe(8);
  });

  /** A run that finds a deployment under way asks for another one later. */
  async function retry(): Promise<RotationResult> {
    for (let tries = 0; ; tries += 1) {
      try {
        return await rotate();
      } catch (error) {
        if (tries === 5) throw error;
        await world.clock.sleep(1000);
      }
    }
  }

  it('does not take the old key away when the new one was never saved at Buildkite', async () => {
    world.jobsEnd = true;
    world.buildkite.services.before = ({ method }) =>
      method === 'PATCH' ? { status: 200, json: { ...showService(), id: service.id } } : undefined;
    await expect(rotate()).rejects.toThrow('Buildkite did not save the key');
    expect(runningKeys()).toEqual([keys[1], OLD]);
    for (let pauses = 0; pauses < 60; pauses += 1) await world.clock.sleep(MINUTE);
    await expect(rotate()).rejects.toThrow('Buildkite did not save the key');
    expect(runningKeys()).toEqual([keys[1], OLD]);
    expect(refused()).toEqual([]);
  });

  it('saves no key when somebody else saved one meanwhile', async () => {
    world.jobsEnd = true;
    const theirs = 'another-webhook-key-012345';
    const report = () => {
      // The step that follows is about to begin: the function has both keys alone, and Buildkite the old one.
      if (enabled().length === 1 && runningKeys()?.length === 2) service.settings.token = theirs;
    };
    await expect(rotate({ report })).rejects.toThrow('Somebody else changed the deployment meanwhile');
    expect(service.settings.token).toBe(theirs);
  });

  it('does not take the old key away when Buildkite shows the new one and never signs with it', async () => {
    world.jobsEnd = true;
    service.earlierToken = OLD;
    expect(await rotate()).toMatchObject({ result: 'waiting' });
    expect(await rotate()).toMatchObject({ result: 'waiting' });
    expect(runningKeys()).toEqual([keys[1], OLD]);
    expect(refused()).toEqual([]);
  });

  it('waits until nothing that the old key signed can arrive', async () => {
    world.jobsEnd = true;
    let savedAt = 0;
    let lastByOld = 0;
    let alternating = 0;
    world.onPause = () => {
      if (service.settings.token === OLD) return;
      savedAt ||= world.clock.now();
      alternating += 1;
      // For three minutes some of Buildkite's workers sign with the earlier key.
      const isOld = world.clock.now() < savedAt + 3 * MINUTE && alternating % 2 === 0;
      service.earlierToken = isOld ? OLD : undefined;
      if (isOld) lastByOld = world.clock.now();
    };
    expect(await rotate()).toMatchObject({ result: 'rotated' });
    expect(refused()).toEqual([]);
    expect(lastByOld).toBeGreaterThan(savedAt);
    expect(world.clock.now() - lastByOld).toBeGreaterThan(KEY_QUIET_MS);
  });

  it('with --abort goes back to the old key', async () => {
    world.jobsEnd = true;
    await rotate({ waitMs: 0 });
    expect(service.settings.token).toBe(keys[1]);
    expect(await rotate({ goal: 'abort' })).toMatchObject({ result: 'aborted' });
    expectOnly(OLD);
  });

  it('with --abort says when nothing is under way', async () => {
    expect(await rotate({ goal: 'abort' })).toMatchObject({ result: 'nothing_to_abort', steps: [] });
    expectOnly(OLD);
  });

  it('with --by-terraform deploys nothing, and continues after each apply', async () => {
    world.jobsEnd = true;
    expect(await rotate({ byTerraform: true })).toMatchObject({ result: 'apply', version: 2 });
    expect(runningVersion()).toBe(1);
    expect(await rotate({ byTerraform: true })).toMatchObject({ result: 'apply', version: 2 });
    world.run.apply(2);
    expect(await rotate({ byTerraform: true })).toMatchObject({ result: 'apply', version: 3 });
    world.run.apply(3);
    expect(await rotate({ byTerraform: true })).toMatchObject({ result: 'rotated', version: 3 });
    expectOnly(keys[1] as string);
    expect(world.sent.filter(({ url, method }) => url.includes('run.googleapis.com') && method === 'PATCH')).toEqual(
      [],
    );
  });

  it('keeps an apply of the earlier version from taking the new key away', async () => {
    world.jobsEnd = true;
    let applied = 0;
    world.onPause = () => {
      if (service.settings.token === OLD || applied > 20) return;
      applied += 1;
      expect(world.run.apply(1)).toBe(false);
    };
    await rotate().catch(() => {});
    world.onPause = () => {};
    world.run.apply(runningVersion() as number);
    await retry();
    expect(applied).toBeGreaterThan(0);
    expect(refused()).toEqual([]);
  });

  it('changes nothing with --dry-run', async () => {
    expect(await rotate({ dryRun: true })).toMatchObject({ result: 'dry_run', steps: ['store_new_key'] });
    expect(world.sent.filter(({ method = 'GET', url }) => method !== 'GET' && !url.endsWith(':list'))).toEqual([]);
    expectOnly(OLD);
  });

  it('stops where the function does not start with the new version', async () => {
    const versions = world.run.versions;
    world.onPause = () => {
      if (versions.length === 2) (versions[1] as { state: string }).state = 'DISABLED';
    };
    await expect(rotate()).rejects.toThrow('did not start a revision');
    expect(service.settings.token).toBe(OLD);
    expect(runningVersion()).toBe(1);
  });

  it.each<[string, () => unknown, RegExp]>([
    ['there is no service', () => world.buildkite.services.all.splice(0), /no notification service/],
    ['there are two', () => world.buildkite.services.all.push({ ...service, id: OTHER_ID }), /2 notification services/],
    ['it is disabled', () => Object.assign(service, { enabled: false }), /is disabled/],
    ['it does not sign', () => Object.assign(service.settings, { token_mode: 'token' }), /does not sign/],
    ['its key is another one', () => Object.assign(service.settings, { token: 'other' }), /does not have the key/],
    ['the version is disabled', () => Object.assign(world.run.versions[0] ?? {}, { state: 'DISABLED' }), /not enabled/],
    ['the function is not deployed', () => world.run.revisions.splice(0), /no service keydesk-webhook/],
  ])('changes nothing when %s', async (_, change, message) => {
    change();
    await expect(rotate()).rejects.toThrow(message);
    expect(world.run.versions).toHaveLength(1);
  });

  it.each([
    'secretmanager.versions.list',
    'secretmanager.versions.access',
    'secretmanager.versions.add',
    'secretmanager.versions.disable',
    'run.services.get',
    'run.services.update',
    'run.revisions.get',
    'logging.logEntries.list',
  ])('names the permission %s when it is missing, and leaves every webhook accepted', async (permission) => {
    world.jobsEnd = true;
    world.run.held = (other) => other !== permission;
    await expect(rotate()).rejects.toThrow(permission);
    expect(refused()).toEqual([]);
    world.run.held = () => true;
    expect(await rotate()).toMatchObject({ result: 'rotated' });
    expect(refused()).toEqual([]);
  });
});

const OTHER_ID = '9f0f9a19-1b88-4e37-98d8-c5a0cebcdb9b';

function runningKeys() {
  return world.run.versions[(runningVersion() ?? 0) - 1]?.value.split(',');
}

function showService() {
  const { earlierToken: _, ...shown } = service;
  return { ...shown, provider: { id: 'webhook' }, service: SERVICE };
}
