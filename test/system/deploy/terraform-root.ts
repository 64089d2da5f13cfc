// A copy of the example root, made as deploy/terraform/README.md says, to be applied by the real terraform with a fake provider and a
// fake Firebase Rules API.

import { readFileSync } from 'node:fs';
import { startBuildApi } from './build-api.ts';
import { startRulesApi } from './rules-api.ts';
import { createPlanner } from './terraform-plan.ts';

/** Of the rules of the data databases. */
export const RELEASES = ['production', 'staging'].map((name) => `projects/acme-${name}/releases/cloud.firestore`);
export const POLICY = readFileSync('examples/policy.yaml', 'utf8');
/** The setting for a log archive that keeps entries for that number of days. */
export const keeping = (days: number) => ({ log_archive: `{ location = "eu", retention_days = ${days} }` });
/** What the first apply of deploy/terraform/README.md is given, and the second. */
export const FIRST = { readers: '{}', admins: '{}', ...keeping(400) };
export const SECOND = { ...FIRST, webhook_tokens_version: '"1"', build_region: '"us-central1"' };

/** By which another region or prefix is meant. */
export const PLACE = '-replace=module.keydesk.terraform_data.place';

export async function openRoot() {
  const api = await startRulesApi('of-the-test');
  const build = await startBuildApi('of-the-test');
  const environment = {
    KEYDESK_FIREBASERULES_URL: api.url,
    GOOGLE_OAUTH_ACCESS_TOKEN: 'of-the-test',
    ...build.environment,
  };
  const planner = await createPlanner({ known: false, environment, root: 'acme' });
  const close = async () => {
    planner.stop();
    await Promise.all([api.stop(), build.stop()]);
  };
  return { api, build, planner, close };
}
