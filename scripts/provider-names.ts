// `node scripts/provider-names.ts`: writes test/deploy/google-provider-7.names.json: what the resource types that
// deploy/terraform uses take in version 7 of Terraform's Google provider, and what they require. No bindings of version 7
// have the provider's own schema (scripts/provider-schema.ts has that of 6), but these are generated from it: their names are
// Terraform's in camel case, some of them made plural, and a block that may stand once is an object.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const BINDINGS = '@pulumi/gcp@9.37.0';
const OUT = 'test/deploy/google-provider-7.names.json';

/** Where the bindings have each resource type. Their names follow no rule. */
const RESOURCES: Readonly<Record<string, string>> = {
  google_artifact_registry_repository: 'artifactregistry/repository',
  google_artifact_registry_repository_iam_member: 'artifactregistry/repositoryIamMember',
  google_cloud_identity_group_membership: 'cloudidentity/groupMembership',
  google_cloud_run_v2_service_iam_binding: 'cloudrunv2/serviceIamBinding',
  google_cloud_run_v2_service_iam_member: 'cloudrunv2/serviceIamMember',
  google_cloud_scheduler_job: 'cloudscheduler/job',
  google_cloudfunctions2_function: 'cloudfunctionsv2/function',
  google_firestore_database: 'firestore/database',
  google_firestore_field: 'firestore/field',
  google_firestore_index: 'firestore/index_',
  google_logging_linked_dataset: 'logging/linkedDataset',
  google_logging_metric: 'logging/metric',
  google_logging_project_bucket_config: 'logging/projectBucketConfig',
  google_logging_project_sink: 'logging/projectSink',
  google_monitoring_alert_policy: 'monitoring/alertPolicy',
  google_monitoring_custom_service: 'monitoring/customService',
  google_monitoring_dashboard: 'monitoring/dashboard',
  google_monitoring_slo: 'monitoring/slo',
  google_monitoring_uptime_check_config: 'monitoring/uptimeCheckConfig',
  google_org_policy_policy: 'orgpolicy/policy',
  google_project_iam_audit_config: 'projects/iamauditConfig',
  google_project_iam_custom_role: 'projects/iamcustomRole',
  google_project_iam_member: 'projects/iammember',
  google_project_service: 'projects/service',
  google_secret_manager_secret: 'secretmanager/secret',
  google_secret_manager_secret_iam_member: 'secretmanager/secretIamMember',
  google_service_account: 'serviceaccount/account',
  google_service_account_iam_binding: 'serviceaccount/iambinding',
  google_service_account_iam_member: 'serviceaccount/iammember',
  google_storage_bucket: 'storage/bucket',
  google_storage_bucket_iam_member: 'storage/bucketIAMMember',
  google_storage_bucket_object: 'storage/bucketObject',
};
const DATA: Readonly<Record<string, string>> = { google_project: 'organizations/getProject' };

/** Name => "required" or "optional"; of a block its own names, and under the empty one the same. */
interface Names {
  [name: string]: string | Names;
}

const folder = mkdtempSync(join(tmpdir(), 'provider-names-'));
try {
  const tarball = execFileSync('npm', ['pack', '--silent', BINDINGS], { cwd: folder, encoding: 'utf8' }).trim();
  execFileSync('tar', ['xzf', tarball], { cwd: folder });
  const read = (path: string) => readFileSync(join(folder, 'package', `${path}.d.ts`), 'utf8');
  const inputs = read('types/input');
  const namesOf = (paths: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(paths).map(([type, path]) => [type, argumentsIn(read(path), inputs)]));
  const names = { bindings: BINDINGS, resource: namesOf(RESOURCES), data: namesOf(DATA) };
  writeFileSync(OUT, `${JSON.stringify(names, null, 2)}\n`);
  console.log(`${OUT}: ${Object.keys(RESOURCES).length + Object.keys(DATA).length} types of ${BINDINGS}`);
} finally {
  rmSync(folder, { recursive: true });
}

function argumentsIn(text: string, inputs: string): Names {
  const body = /^export interface \w+Args \{$([\s\S]*?)^\}$/m.exec(text)?.[1] ?? fail('a resource without arguments');
  return membersOf(body, ' {4}', inputs);
}

function membersOf(body: string, indent: string, inputs: string): Names {
  const members = [...body.matchAll(new RegExp(`^${indent}(\\w+)(\\??): (.*)$`, 'gm'))];
  return Object.fromEntries(
    members.map(([, name = '', optional, type = '']) => {
      const [, space, nested] = /\binputs\.(\w+)\.(\w+)/.exec(type) ?? [];
      const required = optional === '' ? 'required' : 'optional';
      return [name, space && nested ? { ...nestedIn(inputs, space, nested), '': required } : required];
    }),
  );
}

function nestedIn(inputs: string, space: string, name: string): Names {
  const namespace =
    new RegExp(`^export declare namespace ${space} \\{$([\\s\\S]*?)^\\}$`, 'm').exec(inputs)?.[1] ??
    fail(`no namespace ${space}`);
  const body = new RegExp(`^ {4}interface ${name} \\{$([\\s\\S]*?)^ {4}\\}$`, 'm').exec(namespace)?.[1];
  return membersOf(body ?? fail(`no ${space}.${name}`), ' {8}', inputs);
}

function fail(message: string): never {
  throw new Error(`${BINDINGS}: ${message}`);
}
