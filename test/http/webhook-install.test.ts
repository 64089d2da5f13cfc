// `keydesk webhook install` and `check` against a fake Buildkite and a fake Google, with the function's own handler. Each finding has a change
// that triggers it and, but for that change, is not there.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runChecks } from '../../cli/checks/run.ts';
import { webhookChecks } from '../../cli/webhook/check.ts';
import { webhookArrivalKind, webhookKeyKind, webhookServiceKind } from '../../cli/webhook/findings.ts';
import { type InstallOptions, installWebhook } from '../../cli/webhook/install.ts';
import { randomKey } from '../../cli/webhook/random-key.ts';
import type { FakeService } from '../../sandbox/fakes/buildkite/services.ts';
import type { Policy } from '../../shared/core/policy/policy.ts';
import { INTERRUPTED, type Interruption, openWebhookWorld, type WebhookWorld } from '../fixtures/webhook-deployment.ts';

let world: WebhookWorld;
let key: string | undefined;
beforeEach(async () => {
  world = await openWebhookWorld();
  key = undefined;
});
afterEach(async () => {
  expect(world.unexpected).toEqual([]);
  await world.close();
});

function install(more: Partial<InstallOptions> = {}, interruption?: Interruption) {
  const newKey = () => {
    key = randomKey(world.clock);
    return key;
  };
  return installWebhook(world.deps(interruption), { dryRun: false, waitMs: 60_000, newKey, report: () => {}, ...more });
}

const first = () => world.buildkite.services.all[0] as FakeService;

describe('keydesk webhook install', () => {
  it('stores a key before the functions are deployed, and creates the service after', async () => {
    expect(await install()).toMatchObject({ result: 'stored', version: 1, service: null });
    expect(world.buildkite.services.all).toEqual([]);
    expect(await install()).toMatchObject({ result: 'stored', version: 1 });
    world.run.apply(1);
    expect(await install()).toMatchObject({ result: 'created', version: 1, service: first().id, arrived: true });
    expect(world.run.versions).toEqual([{ value: key, state: 'ENABLED' }]);
    expect(first()).toMatchObject({
      ...{ enabled: true, scope: 'all', branch_configuration: '' },
      description: expect.stringMatching(/^Keydesk: the ends of jobs \(key since 2026-11-24T10:00:0\d\.000Z\)$/),
      settings: {
        ...{ url: world.functionUrl, token: key, token_mode: 'signature', events: ['job.finished'], tls_verify: true },
      },
    });
    expect(world.delivered).toEqual([200]);
  });

  it.each([
    ['no condition', [], ['job.finished']],
    ['an approval', [ruleWith('approval')], ['job.finished', 'job.activated']],
    ['a creator', [ruleWith('created_by')], ['job.finished', 'build.scheduled']],
    ['both', [ruleWith('created_by'), ruleWith('approval')], ['job.finished', 'job.activated', 'build.scheduled']],
  ])('has the service send what a policy with %s needs, and no more', async (_, rules, events) => {
    world.rules = rules;
    await installed();
    expect(first().settings.events).toEqual(events);
    world.rules = [];
    expect(await install()).toMatchObject({ result: rules.length === 0 ? 'unchanged' : 'changed' });
    expect(first().settings.events).toEqual(['job.finished']);
  });

  it('without a policy leaves the events about builds as they are, and demands the ends of jobs', async () => {
    world.rules = undefined;
    await installed();
    expect(first().settings.events).toEqual(['job.finished']);
    const events = ['build.scheduled', 'job.activated', 'build.running'];
    Object.assign(first().settings, { events });
    expect(namesIn(await check())).toEqual(['webhook_events_missing', 'webhook_events_unneeded']);
    expect(await install()).toMatchObject({ changes: ['events'] });
    expect(first().settings.events).toEqual(['job.finished', 'build.scheduled', 'job.activated']);
    expect(namesIn(await check())).toEqual([]);
    expect(await install()).toMatchObject({ result: 'unchanged' });
  });

  it('changes nothing when all is as it must be', async () => {
    await installed();
    const before = structuredClone(first());
    expect(await install()).toMatchObject({ result: 'unchanged', changes: [], service: first().id });
    expect(first()).toEqual(before);
  });

  it.each(['before', 'after'] as const)('continues when it ends %s any change, with one service', async (moment) => {
    const run = async () => {
      for (let at = 1; at < 9; at += 1) {
        const ended = await install({}, { at, moment }).catch((error) => String(error));
        if (typeof ended !== 'string') return;
        expect(ended).toContain(INTERRUPTED);
      }
    };
    await run();
    world.run.apply(1);
    await run();
    expect(world.buildkite.services.all).toHaveLength(1);
    expect(first().settings.token).toBe(world.run.versions[0]?.value);
    expect(world.delivered.filter((status) => status !== 200)).toEqual([]);
  });

  it('changes a service that is there to what Keydesk needs, and enables it', async () => {
    await installed();
    const service = first();
    Object.assign(service, { enabled: false, scope: 'some_projects', branch_configuration: 'main' });
    Object.assign(service.settings, {
      token_mode: 'token',
      events: ['job.started', 'job.finished'],
      tls_verify: false,
    });
    const { result, changes } = await install();
    expect({ result, changes }).toEqual({
      result: 'changed',
      changes: ['token_mode', 'events', 'tls_verify', 'scope', 'branch_configuration', 'enabled'],
    });
    expect(await install()).toMatchObject({ result: 'unchanged' });
    expect(world.buildkite.services.all).toHaveLength(1);
  });

  it('gives a service with another key the one that the function has', async () => {
    await installed();
    Object.assign(first(), { description: 'Ends of jobs' });
    first().settings.token = 'typed-by-hand';
    expect(await install()).toMatchObject({ result: 'changed', changes: ['token'] });
    expect(first().settings.token).toBe(key);
    expect(first().description).toMatch(/^Ends of jobs \(key since /);
  });

  it('keeps the second key of an unfinished rotation', async () => {
    await installed();
    world.run.versions.push({ value: `new-key,${key}`, state: 'ENABLED' });
    world.run.apply(2);
    expect(await install()).toMatchObject({ result: 'unchanged', version: 2 });
  });

  it('gives Buildkite no key that the function refuses', async () => {
    world.run.versions.push({ value: 'a-key', state: 'ENABLED' });
    world.run.apply(1);
    await world.deps().sendRequest({ dependency: 'the function', url: world.functionUrl, method: 'POST', json: {} });
    // As if the instance had another setting than its revision says.
    Object.assign(world.run.versions[0] ?? {}, { value: 'another-key' });
    await expect(install()).rejects.toThrow('refuses webhooks that its own key signed');
    expect(world.buildkite.services.all).toEqual([]);
  });

  it('changes nothing with --dry-run', async () => {
    expect(await install({ dryRun: true })).toMatchObject({ result: 'dry_run', version: null });
    world.run.versions.push({ value: 'a-key', state: 'ENABLED' });
    world.run.apply(1);
    expect(await install({ dryRun: true })).toMatchObject({ result: 'dry_run', version: 1 });
    expect(world.sent.filter(({ method = 'GET' }) => method !== 'GET')).toEqual([]);
  });

  it('says that no webhook arrived', async () => {
    world.buildkite.services.onPing = undefined;
    await install();
    world.run.apply(1);
    expect(await install()).toMatchObject({ result: 'created', arrived: false });
  });

  it('refuses two services for the function', async () => {
    await installed();
    world.buildkite.services.all.push({ ...structuredClone(first()), id: OTHER_ID });
    await expect(install()).rejects.toThrow('2 notification services');
  });

  it('says what Buildkite has too many of', async () => {
    await install();
    world.run.apply(1);
    for (let nth = 0; nth < 15; nth += 1)
      world.buildkite.services.all.push({
        ...service('https://other.example'),
        id: `${OTHER_ID.slice(0, -2)}${10 + nth}`,
      });
    await expect(install()).rejects.toMatchObject({ fix: expect.stringContaining('15 webhook services') });
  });

  it('finds its service behind those of others, over several pages', async () => {
    await installed();
    const own = first();
    world.buildkite.services.all.unshift(
      ...Array.from({ length: 205 }, (_, nth) => ({
        ...service('https://other.example'),
        id: `9f0f9a19-1b88-4e37-98d8-${String(nth).padStart(12, '0')}`,
      })),
    );
    expect(await install()).toMatchObject({ result: 'unchanged', service: own.id });
  });

  it.each(['https://api.buildkite.com/v2/organizations/acme-inc/services?per_page=100', 'not a link'])(
    'does not take a list for complete whose next page has no cursor: %s',
    async (next) => {
      await installed();
      world.buildkite.services.before = ({ method }) =>
        method === 'GET' ? { status: 200, json: { items: [], links: { next } } } : undefined;
      await expect(install()).rejects.toThrow(/Buildkite/);
    },
  );

  it('names the prefix that was meant when there is no such secret', async () => {
    world.run.secrets = ['keydesc-webhook-tokens', 'other'];
    await expect(install()).rejects.toMatchObject({
      message: expect.stringContaining('has no secret keydesk-webhook-tokens'),
      fix: 'Did you mean --name-prefix keydesc?',
    });
  });
});

/** A rule with one condition, as far as events depend on it. */
function ruleWith(condition: 'approval' | 'created_by'): Policy['rules'][number] {
  const approval = { step: 'approve', by: 'managers', within: 3600 };
  const conditions = condition === 'approval' ? { approval } : { created_by: { team: 'managers' } };
  return { name: condition, match: {}, conditions, grants: [] };
}

const OTHER_ID = '9f0f9a19-1b88-4e37-98d8-c5a0cebcdb9b';

function service(url: string): FakeService {
  return {
    ...{ id: OTHER_ID, description: '', enabled: true, scope: 'all', scope_uuids: [], branch_configuration: '' },
    settings: { url, version: 3, token: 'x', token_mode: 'token', events: ['build.finished'], tls_verify: true },
  };
}

async function installed() {
  await install();
  world.run.apply(1);
  await install();
}

async function check() {
  const { deps } = world;
  const planned = webhookChecks(deps());
  return runChecks(planned, deps().google, { accepted: [], report: () => {} });
}

const namesIn = (results: Awaited<ReturnType<typeof check>>) =>
  results.flatMap(({ findings }) => findings.map(({ finding }) => finding));

describe('keydesk webhook check', () => {
  beforeEach(() => installed());

  it('finds nothing after an installation, and says which key signed last', async () => {
    const results = await check();
    expect(namesIn(results)).toEqual([]);
    expect(results.map(({ detail }) => detail)).toEqual([
      first().id,
      'version 1 of the secret',
      expect.stringMatching(/^ping at 2026-11-24T10:.*, signed by key 1 of 1$/),
    ]);
    expect(JSON.stringify(results)).not.toContain(key);
  });

  const CASES: Readonly<Record<string, () => unknown>> = {
    webhook_service_missing: () => world.buildkite.services.all.splice(0),
    webhook_services_several: () => world.buildkite.services.all.push({ ...structuredClone(first()), id: OTHER_ID }),
    webhook_service_disabled: () => Object.assign(first(), { enabled: false }),
    webhook_url_wrong: () => Object.assign(first().settings, { url: `${world.functionUrl}/webhook` }),
    webhook_not_signed: () => Object.assign(first().settings, { token_mode: 'token' }),
    webhook_events_missing: () => Object.assign(first().settings, { events: [] }),
    webhook_approvals_missing: () => Object.assign(world, { rules: [ruleWith('approval')] }),
    webhook_creators_missing: () => Object.assign(world, { rules: [ruleWith('created_by')] }),
    webhook_events_unneeded: () => Object.assign(first().settings, { events: ['job.finished', 'build.finished'] }),
    webhook_tls_not_verified: () => Object.assign(first().settings, { tls_verify: false }),
    webhook_not_for_all_pipelines: () => Object.assign(first(), { scope: 'some_teams' }),
    webhook_branch_filter: () => Object.assign(first(), { branch_configuration: 'main' }),
    webhook_key_unknown: () => Object.assign(first().settings, { token: 'typed-by-hand' }),
    webhook_key_not_accepted: () => Object.assign(world.run.versions[0] ?? {}, { value: 'b', ...setKey('b') }),
    webhook_rotation_unfinished: async () => {
      world.run.versions.push({ value: `${key},older`, state: 'ENABLED' });
      world.run.apply(2);
      await ping();
    },
    webhook_never_arrived: () => world.entries.splice(0),
    webhook_signed_by_other_key: async () => {
      world.run.versions.push({ value: `new,${key}`, state: 'ENABLED' });
      world.run.apply(2);
      await ping();
      setKey('new');
    },
  };
  const setKey = (token: string) => Object.assign(first().settings, { token });
  const ping = async () => {
    for (let webhooks = 0; webhooks < 5; webhooks += 1) {
      world.jobsEnd = true;
      await world.clock.sleep(1000);
    }
    world.jobsEnd = false;
  };

  it.each(Object.keys(CASES))('finds %s', async (finding) => {
    await CASES[finding]?.();
    const results = await check();
    expect(namesIn(results)).toContain(finding);
    expect(results.filter(({ result }) => result === 'ok').length).toBeLessThan(3);
  });

  it('has a case for each finding', () => {
    const kinds = [webhookServiceKind, webhookKeyKind, webhookArrivalKind];
    expect(kinds.flatMap(({ findings }) => Object.keys(findings)).sort()).toEqual(Object.keys(CASES).sort());
  });

  it.each(['secretmanager.versions.list', 'secretmanager.versions.access', 'run.services.get', 'run.revisions.get'])(
    'counts what it could not look at without %s as a finding of each check',
    async (permission) => {
      world.run.held = (other) => other !== permission;
      const results = await check();
      expect(results.map(({ result }) => result)).toEqual(['could_not_look', 'could_not_look', 'could_not_look']);
      expect(results[0]?.findings[0]?.what).toContain(permission);
    },
  );

  it('looks at the service and the key without the permission to read the log', async () => {
    world.run.held = (other) => other !== 'logging.logEntries.list';
    expect((await check()).map(({ result }) => result)).toEqual(['ok', 'ok', 'could_not_look']);
  });

  it('does not count a key as known when Buildkite has several services', async () => {
    CASES.webhook_services_several?.();
    expect((await check()).map(({ result }) => result)).toEqual(['finding', 'could_not_look', 'could_not_look']);
  });

  it('counts a function that is not deployed as not looked at', async () => {
    world.run.revisions.splice(0);
    expect((await check()).map(({ result }) => result)).toEqual(['could_not_look', 'could_not_look', 'could_not_look']);
  });

  it('counts a webhook that arrived before the revision', async () => {
    world.run.apply(1);
    const results = await check();
    expect(namesIn(results)).toEqual([]);
    expect(results[2]?.detail).toContain('before the revision keydesk-webhook-00002');
  });

  it('does not take its own webhook for one of Buildkite', async () => {
    world.entries.splice(0);
    expect(namesIn(await check())).toEqual(['webhook_never_arrived']);
    expect(world.entries).toHaveLength(1);
    expect(namesIn(await check())).toEqual(['webhook_never_arrived']);
  });
});
