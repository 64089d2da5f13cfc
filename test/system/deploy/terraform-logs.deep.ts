// Google's own record as the Terraform module has it kept, planned by terraform itself: which audit logs are switched on, and
// the archive that the audit queries look into.

import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { EVENTS } from '../../../shared/audit/events.ts';
import {
  ARCHIVE,
  createPlanner,
  DEPLOYED,
  type Plan,
  type Planner,
  poolWith,
  TERRAFORM,
  toAddress,
  UNHURRIED,
} from './terraform-plan.ts';

/** A pool whose accounts act in a project which is neither the data's nor an account's, and in the data's. */
const TOUCHED = poolWith(
  ['acme-run', 'roles/run.developer'],
  ['acme-staging', 'roles/run.developer'],
  ['acme-staging', 'roles/datastore.user'],
);

describe.skipIf(TERRAFORM.missing)(TERRAFORM.title('the plan of logs'), UNHURRIED, () => {
  let planner: Planner;
  let plan: Plan;
  let elsewhere: Plan;
  let touches: Plan;

  beforeAll(async () => {
    planner = await createPlanner({ known: true });
    plan = await planner.plan(DEPLOYED);
    elsewhere = await planner.plan({ ...ARCHIVE, ...TOUCHED });
    touches = await planner.plan({ ...TOUCHED, audit_logs: '{ pool_touches = true }', log_archive: 'null' });
  }, UNHURRIED.timeout);
  afterAll(() => planner?.stop());

  const all = (address: string, resources = plan.resources) => resources.filter((each) => toAddress(each) === address);
  const one = (address: string): Readonly<Record<string, unknown>> => {
    const found = plan.resources.filter((each) => each.address === address);
    expect(found.map((each) => each.address)).toEqual([address]);
    return found[0]?.values ?? {};
  };

  it('switches Data Access logs on where accounts, exchanges and data are', () => {
    expect(
      all('google_project_iam_audit_config.needed')
        .map(({ values }) => `${values.project} ${values.service}`)
        .sort(),
    ).toEqual([
      'acme-ci-pool iam.googleapis.com',
      'acme-keydesk iam.googleapis.com',
      'acme-keydesk sts.googleapis.com',
      'acme-production datastore.googleapis.com',
      'acme-production iam.googleapis.com',
      'acme-staging datastore.googleapis.com',
      'acme-staging iam.googleapis.com',
      'acme-staging sts.googleapis.com',
    ]);
  });

  it('enables every service where pooled accounts act, if that is requested, and leaves single services unchanged', () => {
    const before = all('google_project_iam_audit_config.needed');
    const now = all('google_project_iam_audit_config.needed', touches.resources);
    const added = now.filter(({ address }) => !before.some((each) => each.address === address));
    expect(added.map(({ address, values }) => [address, values.project, values.service])).toEqual([
      ['google_project_iam_audit_config.needed["acme-run/allServices"]', 'acme-run', 'allServices'],
      ['google_project_iam_audit_config.needed["acme-staging/allServices"]', 'acme-staging', 'allServices'],
    ]);
    expect(
      z
        .array(z.object({ log_type: z.string() }))
        .parse(added[0]?.values.audit_log_config)
        .map(({ log_type }) => log_type)
        .sort(),
    ).toEqual(['ADMIN_READ', 'DATA_READ', 'DATA_WRITE']);
    // One resource speaks for a whole service of a project: two that did would undo each other.
    const spoken = now.map(({ values }) => `${values.project} ${values.service}`);
    expect(spoken).toHaveLength(before.length + 2);
    expect(new Set(spoken).size).toBe(spoken.length);
  });

  it('warns where pooled accounts leave no entry, until somebody has decided', async () => {
    // A database of acme-staging is logged anyway; the project has other services, and the database may not be logged.
    expect(elsewhere.said).toContain(
      'Pooled accounts have roles/run.developer in acme-run, roles/run.developer in acme-staging, and Data Access logs of it',
    );
    expect(await planner.complaint({ audit_logs: '{ data = false }' })).toContain(
      'Pooled accounts have roles/datastore.user in acme-staging, and Data Access logs of it',
    );
    expect(plan.said).not.toContain('Pooled accounts have');
    expect(touches.said).not.toContain('Pooled accounts have');
    const knowing = await planner.complaint({ ...TOUCHED, audit_logs: '{ pool_touches = false }' });
    expect(knowing).not.toContain('Pooled accounts have');
  });

  it('creates a log archive for 400 days in the region of the functions unless something else is set', async () => {
    const { resources } = await planner.plan();
    const [bucket] = all('google_logging_project_bucket_config.archive', resources);
    expect(bucket?.values).toMatchObject({ location: 'europe-west1', retention_days: 400, locked: false });
    expect(all('google_bigquery_dataset.audit', resources)[0]?.values).toMatchObject({ location: 'europe-west1' });
  });

  it.each([
    ['views = false', '{ location = "eu", views = false }'],
    ['the location global, which BigQuery does not have', '{ location = "global" }'],
  ])('creates no views with %s', async (_, log_archive) => {
    const { resources } = await planner.plan({ log_archive });
    expect(resources.filter(({ type }) => type.startsWith('google_bigquery'))).toEqual([]);
    expect(all('google_logging_linked_dataset.archive', resources)).toHaveLength(1);
  });

  it('creates no log archive with null', () => {
    const { resources, outputs } = touches;
    const addresses = resources.map(({ address }) => address);
    expect(
      addresses.filter((address) => /^google_(logging_(?!metric)|bigquery)|log_archive|log_retention/.test(address)),
    ).toEqual([]);
    expect(outputs.log_dataset ?? null).toBeNull();
  });

  it('collects the logs of the audit queries in one bucket, under the name in the queries', () => {
    expect(one('google_logging_project_bucket_config.archive[0]')).toMatchObject({
      ...{ project: 'acme-keydesk', location: 'eu', bucket_id: 'keydesk-logs' },
      ...{ retention_days: 400, enable_analytics: true, locked: false },
    });
    expect(one('google_logging_linked_dataset.archive[0]')).toMatchObject({ link_id: 'keydesk_logs' });
    expect(plan.outputs.log_dataset).toBe('acme-keydesk.keydesk_logs');
    for (const file of readdirSync('deploy/audit').filter((name) => name.endsWith('.sql')))
      expect(readFileSync(`deploy/audit/${file}`, 'utf8')).toContain('`PROJECT.keydesk_logs._AllLogs`');
    expect(all('google_bigquery_dataset.audit')[0]?.values).toMatchObject({
      dataset_id: 'keydesk_audit',
      location: 'EU',
    });
    const views = all('google_bigquery_table.audit');
    expect(views.map(({ values }) => values.table_id)).toEqual([
      'grant_to_touches',
      'touch_to_job',
      'touches_without_lease',
      'who_could_touch',
    ]);
    for (const { values } of views) {
      const [view] = z.array(z.object({ query: z.string(), use_legacy_sql: z.literal(false) })).parse(values.view);
      expect(view?.query).toContain('FROM `acme-keydesk.keydesk_logs._AllLogs`');
      expect(view?.query).not.toContain('PROJECT');
    }
    const without = new Set(touches.resources.map(({ address }) => address));
    const apis = all('google_project_service.needed').filter(({ address }) => !without.has(address));
    expect(apis.map(({ values }) => `${values.project} ${values.service}`)).toEqual([
      'acme-ci-pool logging.googleapis.com',
      'acme-keydesk bigquery.googleapis.com',
      'acme-production logging.googleapis.com',
      'acme-staging logging.googleapis.com',
    ]);
  });

  it('draws audit logs from every project with accounts, data or touches, and Keydesk’s lines from its own', () => {
    const audit = 'logName:"/logs/cloudaudit.googleapis.com%2F"';
    const sinks = all('google_logging_project_sink.archive');
    expect(sinks.map(({ values }) => [values.project, String(values.filter).startsWith(audit)])).toEqual([
      ['acme-ci-pool', true],
      ['acme-keydesk', true],
      ['acme-production', true],
      ['acme-staging', true],
    ]);
    for (const { values } of sinks)
      expect(values).toMatchObject({
        name: 'keydesk-logs-of-acme-keydesk',
        destination: 'logging.googleapis.com/projects/acme-keydesk/locations/eu/buckets/keydesk-logs',
        unique_writer_identity: true,
      });
    expect(new Set(sinks.map(({ values }) => values.filter)).size).toBe(2);
    const [, own = ''] = /^logName\S+ OR jsonPayload\.event=~"(.*)"$/.exec(String(sinks[1]?.values.filter)) ?? [];
    const pattern = new RegExp(own.replaceAll('\\\\', '\\'));
    expect(Object.keys(EVENTS).filter((event) => !pattern.test(event))).toEqual([]);
    expect(['started', 'http.request', 'grant.issued.not'].filter((event) => pattern.test(event))).toEqual([]);
    expect(
      all('google_logging_project_sink.archive', elsewhere.resources).map(({ values }) => values.project),
    ).toContain('acme-run');
  });

  it('lets the sinks of other projects write into that bucket alone, and needs no leave for its own', () => {
    expect(
      all('google_project_iam_member.log_archive').map(({ address, values }) => [address, values.project]),
    ).toEqual(
      ['acme-ci-pool', 'acme-production', 'acme-staging'].map((source) => [
        `google_project_iam_member.log_archive["${source}"]`,
        'acme-keydesk',
      ]),
    );
    const reported = z.record(z.string(), z.array(z.string())).parse(plan.outputs.privileges);
    expect(reported['log sink of acme-staging']).toEqual([
      'roles/logging.bucketWriter on project acme-keydesk where resource.name.endsWith("locations/eu/buckets/keydesk-logs")',
    ]);
  });

  it.each([
    ['a place that is none', '{ location = "Europe" }', 'log_archive.location must be a location of log buckets'],
    ['less than a day', '{ location = "eu", retention_days = 0 }', 'log_archive.retention_days must be a whole number'],
    ['more than ten years', '{ location = "eu", retention_days = 3651 }', 'log_archive.retention_days must be a whole'],
  ])('refuses a log archive with %s', async (_, log_archive, message) => {
    expect(await planner.complaint({ log_archive })).toContain(message);
  });
});
