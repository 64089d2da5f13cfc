// The permissions that the preflight looks for, against the resources of the Terraform module: a new type of resource needs a line here.

import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { NEEDED } from '../../../cli/preflight/needed-permissions.ts';

const FOLDER = new URL('../../../deploy/terraform/', import.meta.url);

/** What creates each type of resource; undefined where it is no permission on a project that the preflight tests with the others. */
const CREATES: Readonly<Record<string, string | undefined>> = {
  google_apikeys_key: 'apikeys.keys.create',
  google_artifact_registry_repository: 'artifactregistry.repositories.create',
  google_artifact_registry_repository_iam_member: 'artifactregistry.repositories.setIamPolicy',
  google_bigquery_dataset: 'bigquery.datasets.create',
  google_bigquery_table: 'bigquery.tables.create',
  // A manager of the group may.
  google_cloud_identity_group_membership: undefined,
  google_cloud_run_v2_service: 'run.services.create',
  google_cloud_run_v2_service_iam_binding: 'run.services.setIamPolicy',
  google_cloud_run_v2_service_iam_member: 'run.services.setIamPolicy',
  google_cloud_scheduler_job: 'cloudscheduler.jobs.create',
  google_firestore_database: 'datastore.databases.create',
  google_firestore_field: 'datastore.schemas.update',
  google_firestore_index: 'datastore.schemas.create',
  google_logging_linked_dataset: 'logging.links.create',
  google_logging_metric: 'logging.logMetrics.create',
  google_logging_project_bucket_config: 'logging.buckets.create',
  google_logging_project_sink: 'logging.sinks.create',
  google_monitoring_alert_policy: 'monitoring.alertPolicies.create',
  google_monitoring_custom_service: 'monitoring.services.create',
  google_monitoring_dashboard: 'monitoring.dashboards.create',
  google_monitoring_slo: 'monitoring.slos.create',
  google_monitoring_uptime_check_config: 'monitoring.uptimeCheckConfigs.create',
  // The check of account keys looks for orgpolicy.policy.set.
  google_org_policy_policy: undefined,
  google_project_iam_audit_config: 'resourcemanager.projects.setIamPolicy',
  google_project_iam_custom_role: 'iam.roles.create',
  google_project_iam_member: 'resourcemanager.projects.setIamPolicy',
  google_project_service: 'serviceusage.services.enable',
  google_secret_manager_secret: 'secretmanager.secrets.create',
  google_secret_manager_secret_iam_member: 'secretmanager.secrets.setIamPolicy',
  google_service_account: 'iam.serviceAccounts.create',
  google_service_account_iam_binding: 'iam.serviceAccounts.setIamPolicy',
  google_service_account_iam_member: 'iam.serviceAccounts.setIamPolicy',
  google_storage_bucket: 'storage.buckets.create',
  google_storage_bucket_iam_member: 'storage.buckets.setIamPolicy',
  google_storage_bucket_object: 'storage.objects.create',
};

const needed = NEEDED.flatMap(({ permissions }) => permissions);

it('knows what creates each type of resource in the module', () => {
  const text = readdirSync(FOLDER)
    .filter((name) => name.endsWith('.tf'))
    .map((name) => readFileSync(new URL(name, FOLDER), 'utf8'))
    .join('\n');
  const types = new Set([...text.matchAll(/^resource "(google_\w+)"/gm)].map(([, type = '']) => type));
  expect([...types].sort()).toEqual(Object.keys(CREATES).sort());
});

it.each(Object.entries(CREATES).flatMap(([type, permission]) => (permission ? [{ type, permission }] : [])))(
  'needs $permission, which creates $type',
  ({ permission }) => {
    expect(needed).toContain(permission);
  },
);

it('tests no more permissions on a project than Google takes in a request', () => {
  expect(new Set(needed).size).toBeLessThanOrEqual(100);
});
