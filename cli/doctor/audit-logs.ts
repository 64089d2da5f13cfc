// Google's own record: the Data Access audit logs that the module switches on, and the archive that keeps them.
// Sources: docs.cloud.google.com/logging/docs/audit/configure-data-access; docs.cloud.google.com/logging/docs/reference/v2/rest (projects.locations.buckets,
// projects.sinks).

import * as z from 'zod';
import { accountsOf } from '../../shared/core/kinds/kinds.ts';
import { projectOfAccount } from '../../shared/core/policy/account-email.ts';
import { shellCommand } from '../../shared/core/shell-quote.ts';
import type { CheckKind, Found } from '../checks/check.ts';
import { type IamPolicy, projectPolicyCall } from './iam/policy.ts';
import { READS } from './reads.ts';
import { type DoctorTarget, logBucketOf } from './target.ts';

const ALL_SERVICES = 'allServices';
const LOG_TYPES = ['ADMIN_READ', 'DATA_READ', 'DATA_WRITE'];

type Name = 'audit_log_off' | 'audit_log_exempts';

export const auditLogs: CheckKind<DoctorTarget, Name> = {
  name: 'audit logs',
  looksAt:
    'Whether the Data Access audit logs are on that `audit_logs` of the module switches on, with nobody exempted.',
  findings: {
    audit_log_off: {
      severity: 'error',
      what: 'Data Access audit logs of {service} in {project} are off: {types}.',
      why: 'What was minted there, or read and written there, leaves no entry. No query finds it later.',
      fix: 'Run terraform apply. Or edit auditConfigs: gcloud projects get-iam-policy {project} > policy.yaml && gcloud projects set-iam-policy {project} policy.yaml',
      undo: 'Remove the entry in the same way.',
    },
    audit_log_exempts: {
      severity: 'error',
      what: 'Audit logs of {service} in {project} do not record {members}.',
      why: 'What these members do leaves no entry.',
      fix: 'Remove exemptedMembers from auditConfigs: gcloud projects get-iam-policy {project} > policy.yaml && gcloud projects set-iam-policy {project} policy.yaml',
      undo: 'Add them in the same way.',
    },
  },
  checksOf: (target) =>
    [...Map.groupBy(auditedServices(target), ({ project }) => project)].map(([project, audited]) => ({
      subject: project,
      look: async (google) => {
        const { auditConfigs } = await google.read(projectPolicyCall(project));
        return { found: audited.flatMap(({ service }) => judgeService(project, service, auditConfigs)) };
      },
    })),
};

/** As deploy/terraform/audit-logs.tf. */
function auditedServices(target: DoctorTarget): { readonly project: string; readonly service: string }[] {
  const { project, deployment, policy, accountProjects, pools, dataProjects, touched } = target;
  const { accounts, token_exchange, data, ledger, pool_touches } = deployment.audit_logs;
  const storage = Object.values(policy.credentials).filter((one) => 'storage' in one && one.storage);
  const narrowed = storage.flatMap((one) => accountsOf(one).map(({ email }) => email));
  const of = (service: string, projects: readonly string[]) =>
    projects.map((one) => ({
      project: one,
      service: service === ALL_SERVICES ? service : `${service}.googleapis.com`,
    }));
  const owners = [...accountProjects, ...pools.map((pool) => pool.project)];
  const audited = [
    // In Keydesk's project: who got a token of a function's account.
    ...(accounts ? of('iam', [...owners, project]) : []),
    ...(token_exchange && storage.length > 0
      ? of('sts', [project, ...narrowed.flatMap((email) => projectOfAccount(email) ?? [])])
      : []),
    ...(data ? of('datastore', dataProjects) : []),
    ...(ledger ? of('datastore', [project]) : []),
    ...(pool_touches ? of(ALL_SERVICES, touched) : []),
  ];
  return [...new Map(audited.map((one) => [JSON.stringify(one), one])).values()];
}

/** A log type is on if an entry for the service or for all services switches it on. */
function judgeService(project: string, service: string, configs: IamPolicy['auditConfigs']): Found<Name>[] {
  const entries = configs
    .filter((config) => config.service === service || config.service === ALL_SERVICES)
    .flatMap(({ auditLogConfigs }) => auditLogConfigs);
  const off = LOG_TYPES.filter((type) => !entries.some(({ logType }) => logType === type));
  const exempted = [...new Set(entries.flatMap(({ exemptedMembers }) => exemptedMembers))];
  const resource = `${project} ${service}`;
  return [
    ...(off.length > 0
      ? [{ finding: 'audit_log_off' as const, resource, facts: { project, service, types: off.join(', ') } }]
      : []),
    ...(exempted.length > 0
      ? [{ finding: 'audit_log_exempts' as const, resource, facts: { project, service, members: exempted.join(', ') } }]
      : []),
  ];
}

const bucketShape = z.object({
  retentionDays: z.number().default(30),
  locked: z.boolean().default(false),
  lifecycleState: z.string().default('ACTIVE'),
});

type BucketName = 'log_bucket_missing' | 'log_retention_short' | 'log_bucket_not_locked';

export const logArchive: CheckKind<DoctorTarget, BucketName> = {
  name: 'log archive',
  looksAt: 'Whether the log bucket of `log_archive` exists, and for how long it keeps entries.',
  findings: {
    log_bucket_missing: {
      severity: 'error',
      what: 'The log bucket {bucket} does not exist in {project}, {location}.',
      why: 'Entries are kept for 30 days only, and the audit queries find none.',
      fix: 'Run terraform apply. If it was deleted less than seven days ago: gcloud logging buckets undelete {bucket} --location={location} --project={project}',
      undo: 'Nothing to go back to.',
    },
    log_retention_short: {
      severity: 'error',
      what: 'The log bucket {bucket} keeps entries for {found} days. The deployment says {expected}.',
      why: 'Entries that an auditor looks for are deleted.',
      fix: 'gcloud logging buckets update {bucket} --location={location} --project={project} --retention-days={expected}',
      undo: 'gcloud logging buckets update {bucket} --location={location} --project={project} --retention-days={found}',
    },
    log_bucket_not_locked: {
      severity: 'error',
      what: 'The log bucket {bucket} is not locked. The deployment says that it is.',
      why: 'Entries can be deleted by who may change the bucket.',
      fix: 'gcloud logging buckets update {bucket} --location={location} --project={project} --locked',
      undo: 'A lock cannot be undone.',
    },
  },
  checksOf: (target) => {
    const { project } = target;
    const { log_archive } = target.deployment;
    if (!log_archive) return [];
    const { retention_days, locked } = log_archive;
    const { bucket, location, name } = logBucketOf(target);
    return [
      {
        subject: bucket,
        look: async (google) => {
          const found = await google.find({
            api: 'logging.googleapis.com',
            path: `v2/${name}`,
            shape: bucketShape,
            ...READS.logBucket,
            on: project,
            gcloud: {
              command: shellCommand`gcloud logging buckets describe ${bucket} --location=${location} --project=${project}`,
            },
          });
          const facts = { project, bucket, location, expected: String(retention_days) };
          if (found?.lifecycleState !== 'ACTIVE') return { found: [{ finding: 'log_bucket_missing' as const, facts }] };
          const short = {
            finding: 'log_retention_short' as const,
            facts: { ...facts, found: String(found.retentionDays) },
          };
          return {
            found: [
              ...(found.retentionDays < retention_days ? [short] : []),
              ...(locked && !found.locked ? [{ finding: 'log_bucket_not_locked' as const, facts }] : []),
            ],
            detail: `${found.retentionDays} days`,
          };
        },
      },
    ];
  },
};
