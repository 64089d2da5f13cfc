// A copy of the example root, made as deploy/terraform/README.md says, applied by the real terraform with a stand-in for the
// provider and one for the Firebase Rules API: first without and then with the webhook's key. Nothing is left to change
// after either.

import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RulesApi, startRulesApi } from './rules-api.ts';
import { createPlanner, type Plan } from './terraform-plan.ts';

const skipped = spawnSync('terraform', ['version']).error !== undefined && process.env.CI !== 'true';
const RELEASES = ['production', 'staging'].map((name) => `projects/acme-${name}/releases/cloud.firestore`);

describe.skipIf(skipped)(`applying${skipped ? ' (skipped: no terraform on PATH)' : ''}`, () => {
  let api: RulesApi;
  let planner: Plan;
  let environment: NodeJS.ProcessEnv;
  beforeAll(async () => {
    api = await startRulesApi('of-the-test');
    environment = { KEYDESK_FIREBASERULES_URL: api.url, GOOGLE_OAUTH_ACCESS_TOKEN: 'of-the-test' };
    planner = await createPlanner({ known: false, environment, root: 'acme' });
  });
  afterAll(async () => {
    planner?.stop();
    await api.stop();
  });

  it('leaves nothing to change, before there is a webhook key and after', async () => {
    const FIRST = { operators: '[]' };
    expect(await planner.apply(FIRST)).toContain('No changes.');
    for (const release of RELEASES) expect(api.live(release)).toContain('// keydesk:begin');
    const released = api.calls.length;
    const second = { ...FIRST, webhook_tokens_version: '"1"' };
    expect(await planner.apply(second)).toContain('No changes.');
    // The rules did not change, so nobody asked for them again.
    expect(api.calls.length).toBe(released);
  }, 120_000);

  it('deploys no function that hands out while a database has rules that the file does not hold', async () => {
    const other = await createPlanner({ known: false, environment, root: 'acme' });
    const [release = ''] = RELEASES;
    const theirs = 'match /all/{rest=**} { allow read: if request.auth != null; }';
    api.deploy(release, theirs);
    try {
      const { said, there } = await other.applyInVain({ operators: '[]', webhook_tokens_version: '"1"' });
      expect(said).toContain('does not hold them: nothing was changed');
      expect(api.live(release)).toBe(theirs);
      expect(there).toContain('google_service_account.function["token"]');
      expect(there.filter((address) => /cloudfunctions2|cloud_run/.test(address))).toEqual([]);
    } finally {
      other.stop();
    }
  }, 120_000);
});
