// What comes after the applies of terraform-apply.deep.ts: another policy, the end of a deployment, a second one, and another region.

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { MODULE } from './terraform-module.ts';
import { TERRAFORM, UNHURRIED } from './terraform-plan.ts';
import { openRoot, PLACE, POLICY, SECOND } from './terraform-root.ts';

it.skipIf(TERRAFORM.missing)(
  TERRAFORM.title(
    'applies another policy, is destroyed, created again, and moved to another region, and leaves nothing to change',
  ),
  UNHURRIED,
  async () => {
    const { planner, close } = await openRoot();
    try {
      expect(await planner.apply(SECOND)).toContain('No changes.');
      const policy = POLICY.replace('- ci-001@', '- ci-009@acme-ci-pool.iam.gserviceaccount.com\n        - ci-001@');
      expect(policy).not.toBe(POLICY);
      const changed = { ...SECOND, ...planner.writePolicy(policy), create_policy_accounts: 'true' };
      expect(await planner.apply(changed)).toContain('No changes.');
      const kept = ['google_firestore_database.ledger', 'google_logging_project_bucket_config.archive[0]'];
      for (const address of kept)
        expect(readFileSync(`${MODULE}/README.md`, 'utf8')).toContain(`module.keydesk.${address}`);
      expect(await planner.destroy(changed, kept)).toBe('');
      // Created once more, with API keys of other IDs.
      expect(await planner.apply(changed)).toContain('No changes.');
      const elsewhere = { ...changed, region: '"europe-west4"' };
      expect(await planner.apply(elsewhere, PLACE)).toContain('No changes.');
      expect(await planner.destroy(elsewhere, kept)).toBe('');
    } finally {
      await close();
    }
  },
);
