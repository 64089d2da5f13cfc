// `keydesk webhook` as a process, against a fake Buildkite, a fake Google and the function's own handler: exit codes, JSON, messages about missing
// scopes and options, and no secret in what is printed.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { API_TOKEN } from '../../../sandbox/fakes/buildkite/rest-api.ts';
import { SERVICES_API_TOKEN, SERVICES_READ_API_TOKEN } from '../../../sandbox/fakes/buildkite/services.ts';
import { openWebhookWorld, type WebhookWorld } from '../../fixtures/webhook-deployment.ts';
import { runCli } from './run-cli.ts';

const PLACE = ['--project', 'acme-keydesk', '--region', 'europe-west1', '--organization', 'acme-inc'];
/** Five webhooks to the function, with pauses that are real here. */
const UNHURRIED = 120_000;

describe('keydesk webhook', () => {
  let world: WebhookWorld;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'keydesk-webhook-'));
    world = await openWebhookWorld({ realTime: true });
  });
  afterAll(async () => {
    await world.close();
    rmSync(folder, { recursive: true, force: true });
  });
  afterEach(() => {
    expect(world.unexpected).toEqual([]);
  });

  /** Also sees that nothing secret was printed. */
  const webhook = async (command: string, args: readonly string[], env: Record<string, string> = {}) => {
    const ended = await runCli(`webhook ${command}`, args, {
      cwd: folder,
      env: {
        KEYDESK_BUILDKITE_API_URL: world.buildkite.url,
        KEYDESK_GOOGLE_APIS_URL: world.googleUrl,
        GOOGLE_OAUTH_ACCESS_TOKEN: 'operator-token',
        BUILDKITE_API_TOKEN: SERVICES_API_TOKEN,
        HOME: folder,
        ...env,
      },
    });
    const secrets = world.run.versions.flatMap(({ value }) => value.split(','));
    for (const secret of [...secrets, 'operator-token', SERVICES_API_TOKEN, SERVICES_READ_API_TOKEN, API_TOKEN])
      expect(ended.out + ended.err).not.toContain(secret);
    return ended;
  };

  it('installs the webhook in two runs, and finds nothing wrong then', { timeout: UNHURRIED }, async () => {
    const stored = await webhook('install', PLACE);
    expect(stored).toMatchObject({ code: 0, out: expect.stringContaining('webhook_tokens_version = "1"') });
    world.run.apply(1);
    const { code, out } = await webhook('install', [...PLACE, '--json']);
    expect({ code, result: JSON.parse(out) }).toMatchObject({
      code: 0,
      result: { result: 'created', version: 1, service: world.buildkite.services.all[0]?.id, arrived: true },
    });
    const checked = await webhook('check', [...PLACE, '--json'], { BUILDKITE_API_TOKEN: SERVICES_READ_API_TOKEN });
    expect(checked.code).toBe(0);
    expect(JSON.parse(checked.out)).toMatchObject({ project: 'acme-keydesk', counts: { checks: 3, ok: 3 } });
  });

  it('says what is wrong, why it matters and what fixes it, and exits with 1', async () => {
    Object.assign(world.buildkite.services.all[0] ?? {}, { branch_configuration: 'main' });
    const { code, out } = await webhook('check', PLACE);
    Object.assign(world.buildkite.services.all[0] ?? {}, { branch_configuration: '' });
    expect(code).toBe(1);
    expect(out).toMatch(/^error webhook_branch_filter .*\n {2}why: .*\n {2}fix: keydesk webhook install$/m);
  });

  it('begins a rotation that Terraform deploys, and takes it back', { timeout: UNHURRIED }, async () => {
    expect(await webhook('rotate', [...PLACE, '--dry-run'])).toMatchObject({ code: 0 });
    expect(world.run.versions).toHaveLength(1);
    const begun = await webhook('rotate', [...PLACE, '--by-terraform', '--json']);
    expect(begun.code).toBe(1);
    expect(JSON.parse(begun.out)).toEqual({ result: 'apply', steps: ['store_new_key'], version: 2 });
    expect(world.run.versions[1]?.value.split(',')).toEqual([
      expect.stringMatching(/^[A-Za-z0-9_-]{43}$/),
      world.run.versions[0]?.value,
    ]);
    const aborted = await webhook('rotate', [...PLACE, '--abort']);
    expect(aborted).toMatchObject({ code: 0, out: expect.stringContaining('The old key is in use again') });
    expect(world.run.versions.map(({ state }) => state)).toEqual(['ENABLED', 'DISABLED']);
    expect(await webhook('rotate', [...PLACE, '--abort'])).toMatchObject({
      code: 0,
      out: 'No rotation is under way. Nothing was changed.\n',
    });
  });

  it.each([
    ['install', SERVICES_READ_API_TOKEN, 'write_notification_services'],
    ['install', API_TOKEN, 'read_notification_services'],
    ['rotate', API_TOKEN, 'read_notification_services'],
    ['install', 'unknown-token', '(401)'],
  ])('%s says which scope %s lacks', { timeout: UNHURRIED }, async (command, token, message) => {
    const events = world.buildkite.services.all[0]?.settings;
    Object.assign(events ?? {}, { events: [] });
    const { code, err } = await webhook(command, PLACE, { BUILDKITE_API_TOKEN: token });
    Object.assign(events ?? {}, { events: ['job.finished'] });
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining(message) });
  });

  it('counts a missing scope as something that it could not look at', async () => {
    const { code, out } = await webhook('check', [...PLACE, '--json'], { BUILDKITE_API_TOKEN: API_TOKEN });
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ counts: { ok: 0, could_not_look: 3 } });
    expect(out).toContain('read_notification_services');
  });

  it('takes the organization of the policy, the project of the environment, and the token of a file', async () => {
    const policy = join(folder, 'policy.yaml');
    writeFileSync(join(folder, 'token'), `${SERVICES_API_TOKEN}\n`);
    writeFileSync(
      policy,
      'version: 1\norganization: { slug: acme-inc }\naudience: https://keydesk.acme.example\nenvironments: {}\ncredentials: {}\nrules: []\n',
    );
    const args = ['--region', 'europe-west1', '--token-file', 'token', '--dry-run'];
    const env = { GOOGLE_CLOUD_PROJECT: 'acme-keydesk', BUILDKITE_API_TOKEN: '' };
    const ended = await webhook('install', args, env);
    rmSync(policy);
    expect(ended).toMatchObject({ code: 0 });
  });

  it.each([
    ['check', [], '--project is required'],
    ['check', ['--project', 'acme-keydesk'], '--region is required'],
    ['check', PLACE.slice(0, 4), '--organization is required'],
    ['check', [...PLACE, '--region', 'Europe'], 'it takes a region'],
    ['check', [...PLACE, '--name-prefix', 'Keydesk'], 'name_prefix'],
    ['check', [...PLACE, '--url', 'http://keydesk.acme.example'], 'https URL'],
    ['rotate', [...PLACE, '--wait', 'long'], 'number of minutes'],
    ['rotate', [...PLACE, '--abrot'], 'Did you mean "--abort"?'],
    ['chek', PLACE, 'Did you mean "check"?'],
  ])('%s %j exits with 2: %s', async (command, args, message) => {
    expect(await webhook(command, args)).toMatchObject({ code: 2, out: '', err: expect.stringContaining(message) });
  });

  it('names the prefix that was meant', async () => {
    const { code, err } = await webhook('install', [...PLACE, '--name-prefix', 'keydesc']);
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining('Did you mean --name-prefix keydesk?') });
  });
});
