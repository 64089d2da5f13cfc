// A copy of the example root, made as deploy/terraform/README.md says, applied by the real terraform with a fake provider and
// a fake Firebase Rules API.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TARGETS } from './archives.ts';
import { MODULE } from './terraform-module.ts';
import { type Settings, TERRAFORM, UNHURRIED } from './terraform-plan.ts';
import { FIRST, keeping, openRoot, PLACE, POLICY, RELEASES, SECOND } from './terraform-root.ts';

/** What alone is planned, with what it depends on: less work for terraform. */
const target = (address: string) => `-target=module.keydesk.${address}`;

describe.skipIf(TERRAFORM.missing)(
  TERRAFORM.title('applied before there is a webhook key and after'),
  UNHURRIED,
  () => {
    let root: Awaited<ReturnType<typeof openRoot>>;
    let after: { readonly first: string; readonly second: string };
    let calls: { readonly first: number; readonly second: number };
    beforeAll(async () => {
      root = await openRoot();
      const first = await root.planner.apply(FIRST);
      const released = root.api.calls.length;
      const second = await root.planner.apply(SECOND);
      after = { first, second };
      calls = { first: released, second: root.api.calls.length };
    }, UNHURRIED.timeout);
    afterAll(() => root?.close());

    it('leaves nothing to change', () => {
      expect(after.first).toContain('No changes.');
      expect(after.second).toContain('No changes.');
    });

    it('fails where it does not wait until Google knows a new API, role or account', async () => {
      const { planner, close } = await openRoot();
      try {
        const { said } = await planner.applyInVain({
          ...FIRST,
          propagation: '{ apis = "1s", roles = "1s", accounts = "1s" }',
        });
        expect(said).toContain('has not been used in project');
      } finally {
        await close();
      }
    });

    it('deploys the rules of each data database, once', () => {
      for (const release of RELEASES) expect(root.api.live(release)).toContain('// keydesk:begin');
      expect(calls.first).toBeGreaterThan(0);
      expect(calls.second).toBe(calls.first);
    });

    it('builds the image of each function from its archive, once', () => {
      const built = root.build.builds.map(({ imageUri, buildpackBuild, storageSource }) => {
        const tag = /:([0-9a-f]{64})$/.exec(imageUri)?.[1];
        return [buildpackBuild.functionTarget, storageSource.object === `${buildpackBuild.functionTarget}-${tag}.zip`];
      });
      expect(built.sort()).toEqual([...TARGETS].sort().map((name) => [name, true]));
    });

    it('builds in build_region, and pushes the images to the region of the functions', () => {
      expect(new Set(root.build.builds.map(({ region }) => region))).toEqual(new Set(['us-central1']));
      for (const { imageUri } of root.build.builds) expect(imageUri).toMatch(/^europe-west1-docker\.pkg\.dev\//);
    });

    it('enables every account again that somebody disabled, but no pooled one', async () => {
      root.planner.disableAccounts();
      const accounts = ['build', 'function', 'pooled', 'scheduler'].map((name) => `google_service_account.${name}`);
      const said = await root.planner.complaint(SECOND, ...accounts.map(target));
      const repaired = [...said.matchAll(/# module\.keydesk\.(\S+) will be updated/g)].map(([, address]) => address);
      expect(repaired.sort()).toEqual(
        ['build', ...TARGETS.map((name) => `function["${name}"]`), 'scheduler']
          .map((name) => `google_service_account.${name}`)
          .sort(),
      );
    });

    it.each([
      [
        'a role gets another permission',
        'time_sleep.roles',
        '"iam.serviceAccounts.signJwt"',
        '"iam.serviceAccounts.get"',
      ],
      ['a grant gets another role', 'time_sleep.grants', '"role": "signer"', '"role": "token_minter"'],
    ])('waits again when %s, and for nothing else', async (_, wait, before, after) => {
      const exchange = (from: string, to: string) =>
        root.planner.edit(`${MODULE}/privileges.json`, (text) => text.replace(from, to));
      exchange(before, after);
      const waits = ['apis', 'roles', 'accounts', 'grants', 'rules'].map((name) => target(`time_sleep.${name}`));
      const said = await root.planner.complaint(SECOND, ...waits, '-refresh=false');
      exchange(after, before);
      const again = [...said.matchAll(/# module\.keydesk\.(time_sleep\S+) must be replaced/g)].map(([, name]) => name);
      expect(again).toEqual([wait]);
    });

    it('neither drops the log archive nor shortens its memory by accident', async () => {
      const archive = target('google_logging_project_bucket_config.archive');
      const complaint = (settings: Settings) => root.planner.complaint({ ...SECOND, ...settings }, archive);
      expect(await complaint(keeping(399))).toContain('is less than when the archive was made');
      expect(await complaint(keeping(800))).not.toContain('Error');
      expect(await complaint({ log_archive: 'null' })).toContain('Instance cannot be destroyed');
    });

    it.each([
      ['region', { region: '"europe-west4"' }],
      ['name_prefix', { name_prefix: '"other"', log_archive: 'null' }],
    ])('refuses another %s, unless it is meant', async (_, settings) => {
      const bucket = target('google_storage_bucket.archives');
      const refusal = 'is not what it was at the first apply (europe-west1, keydesk)';
      expect(await root.planner.complaint({ ...SECOND, ...settings }, bucket)).toContain(refusal);
      expect(await root.planner.complaint({ ...SECOND, ...settings }, bucket, PLACE)).not.toContain('Error');
    });

    it('puts the archives and their grant into the new bucket of another region', async () => {
      const inBucket = ['google_storage_bucket_object.archive', 'google_storage_bucket_iam_member.build_archives'];
      const settings = { ...SECOND, region: '"europe-west4"' };
      const said = await root.planner.complaint(settings, ...inBucket.map(target), PLACE, '-refresh=false');
      const again = [...said.matchAll(/# module\.keydesk\.(\S+) (?:must|will) be replaced/g)].map(([, name]) => name);
      const archives = TARGETS.map((name) => `${inBucket[0]}["${name}"]`);
      expect(again).toEqual(expect.arrayContaining(['google_storage_bucket.archives', inBucket[1], ...archives]));
    });

    it('lets nobody destroy the ledger', async () => {
      const said = await root.planner.complaint(SECOND, '-destroy', '-refresh=false');
      expect(said).toContain('Resource module.keydesk.google_firestore_database.ledger has lifecycle.prevent_destroy');
    });

    it('replaces signers and pooled accounts while token has what it needs: creates, deploys, and only then takes away', async () => {
      const [oldAccount, newAccount] = ['ci-001', 'ci-101'].map(
        (name) => `${name}@acme-ci-pool.iam.gserviceaccount.com`,
      );
      const [oldSigner, newSigner] = ['keydesk-signer', 'signer-two'].map(
        (name) => `${name}@acme-staging.iam.gserviceaccount.com`,
      );
      const group = { pool_groups: '{ staging = { id = "groups/01abc", email = "ci@acme.example" } }' };
      const settings = { ...SECOND, ...group, create_policy_accounts: 'true' };
      expect(await root.planner.apply(settings)).toContain('No changes.');
      const policy = POLICY.replaceAll(String(oldAccount), String(newAccount)).replaceAll(
        String(oldSigner),
        String(newSigner),
      );
      const before = root.planner.applied.length;
      expect(await root.planner.apply({ ...settings, ...root.planner.writePolicy(policy) })).toContain('No changes.');
      const changes = root.planner.applied.slice(before);
      const deployed = changes.indexOf('update google_cloud_run_v2_service keydesk-token');
      const at = (verb: string, type: string, about: string) =>
        changes.flatMap((change, index) => (change === `${verb} google_${type} ${about}` ? [index] : []));
      const ofOne = (verb: string, account = '', signer = '') => [
        at(verb, 'service_account', account),
        at(verb, 'service_account', signer),
        at(verb, 'service_account_iam_member', signer),
        at(verb, 'service_account_iam_binding', account),
      ];
      expect(ofOne('create', newAccount, newSigner).map(({ length }) => length)).toEqual([1, 1, 1, 3]);
      expect(ofOne('delete', oldAccount, oldSigner).map(({ length }) => length)).toEqual([1, 1, 1, 3]);
      const joined = changes.findIndex((change) => change.startsWith('create google_cloud_identity_group_membership'));
      expect(joined).toBeGreaterThanOrEqual(0);
      for (const created of [...ofOne('create', newAccount, newSigner).flat(), joined])
        expect([changes[created], created < deployed]).toEqual([changes[created], true]);
      for (const taken of ofOne('delete', oldAccount, oldSigner).flat())
        expect([changes[taken], taken > deployed]).toEqual([changes[taken], true]);
      expect(
        changes.filter((change) => change.includes('firestore') || change.includes('delete google_cloud_run')),
      ).toEqual([]);
    });
  },
);

describe.skipIf(TERRAFORM.missing)(TERRAFORM.title('applied over rules that the file does not hold'), UNHURRIED, () => {
  it('deploys no function that issues, and leaves the rules as they are', async () => {
    const { api, planner, close } = await openRoot();
    const [release = ''] = RELEASES;
    const theirs = 'match /all/{rest=**} { allow read: if request.auth != null; }';
    api.deploy(release, theirs);
    try {
      const { said, there } = await planner.applyInVain(SECOND);
      expect(said).toContain('does not hold them: nothing was changed');
      expect(api.live(release)).toBe(theirs);
      expect(there).toContain('google_service_account.function["token"]');
      expect(there.filter((address) => /cloud_run/.test(address))).toEqual([]);
    } finally {
      await close();
    }
  });
});
