// What the audit queries of deploy/audit read: the BigQuery dataset over the log archive, and the views of the dataset keydesk_audit.
// Sources: docs.cloud.google.com/logging/docs/reference/v2/rest (projects.locations.buckets.links);
// docs.cloud.google.com/bigquery/docs/reference/rest/v2 (datasets.get, tables.list).

import * as z from 'zod';
import { shellCommand } from '../../shared/core/shell-quote.ts';
import type { CheckKind, Found } from '../checks/check.ts';
import type { Google } from '../checks/google.ts';
import { READS } from './reads.ts';
import { type DoctorTarget, logBucketOf } from './target.ts';

const LINK = 'keydesk_logs';
const DATASET = 'keydesk_audit';
const BIGQUERY = 'bigquery.googleapis.com';
/** The files of deploy/audit/views, without `.sql`. */
export const AUDIT_VIEWS: readonly string[] = [
  'grant_to_touches',
  'touch_to_job',
  'touches_without_lease',
  'who_could_touch',
];

const linkShape = z.object({ lifecycleState: z.string().default('ACTIVE') });
const datasetShape = z.object({ defaultTableExpirationMs: z.string().optional() });
const tablesShape = z.object({
  tables: z
    .array(
      z.object({
        tableReference: z.object({ tableId: z.string() }),
        type: z.string().default(''),
        expirationTime: z.string().optional(),
      }),
    )
    .default([]),
});

type Name = 'log_dataset_missing' | 'audit_dataset_missing' | 'audit_dataset_expires' | 'audit_view_missing';

const APPLY = 'Run terraform apply.';

export const auditQueries: CheckKind<DoctorTarget, Name> = {
  name: 'audit queries',
  looksAt:
    'Whether the BigQuery dataset over the log archive and the views of `keydesk_audit` exist, and never expire.',
  findings: {
    log_dataset_missing: {
      severity: 'error',
      what: 'The log bucket {bucket} has no BigQuery dataset {dataset}.',
      why: 'The audit queries and their views read this dataset, and fail.',
      fix: 'gcloud logging links create {dataset} --bucket={bucket} --location={location} --project={project}',
      undo: 'gcloud logging links delete {dataset} --bucket={bucket} --location={location} --project={project}',
    },
    audit_dataset_missing: {
      severity: 'error',
      what: 'The BigQuery dataset {dataset} does not exist in {project}.',
      why: 'Auditors find no view. The files of deploy/audit still work.',
      fix: APPLY,
      undo: 'bq rm --dataset {project}:{dataset}',
    },
    audit_dataset_expires: {
      severity: 'error',
      what: 'In the BigQuery dataset {dataset} of {project}, views expire: {expires}.',
      why: 'BigQuery deletes a view when it expires, and an auditor finds none.',
      fix: 'bq update --default_table_expiration 0 {project}:{dataset}, and for each view: bq update --expiration 0 {project}:{dataset}.VIEW',
      undo: 'bq update --default_table_expiration SECONDS {project}:{dataset}',
    },
    audit_view_missing: {
      severity: 'error',
      what: 'The BigQuery dataset {dataset} of {project} lacks the views {views}.',
      why: 'Auditors do not find these queries. The files of deploy/audit still work.',
      fix: APPLY,
      undo: 'bq rm --table {project}:{dataset}.VIEW',
    },
  },
  checksOf: (target) => {
    const { log_archive } = target.deployment;
    if (!log_archive) return [];
    const { bucket, location } = logBucketOf(target);
    const facts = { project: target.project, bucket, location };
    const hasViews = log_archive.views && location !== 'global';
    return [
      {
        subject: LINK,
        look: async (google) => ({ found: await judgeLink(google, target, { ...facts, dataset: LINK }) }),
      },
      ...(hasViews
        ? [{ subject: DATASET, look: async (google: Google) => judgeDataset(google, { ...facts, dataset: DATASET }) }]
        : []),
    ];
  },
};

async function judgeLink(google: Google, target: DoctorTarget, facts: Found['facts']): Promise<Found<Name>[]> {
  const { bucket, location, name } = logBucketOf(target);
  const link = await google.find({
    api: 'logging.googleapis.com',
    path: `v2/${name}/links/${LINK}`,
    shape: linkShape,
    ...READS.logLink,
    on: target.project,
    gcloud: {
      command: shellCommand`gcloud logging links describe ${LINK} --bucket=${bucket} --location=${location} --project=${target.project}`,
    },
  });
  return link?.lifecycleState === 'ACTIVE' ? [] : [{ finding: 'log_dataset_missing', facts }];
}

/** BigQuery has no retention of its own for a view: it expires, or it stays. */
async function judgeDataset(google: Google, facts: { readonly project: string; readonly dataset: string }) {
  const { project, dataset } = facts;
  const about = { api: BIGQUERY, on: project };
  const path = `bigquery/v2/projects/${project}/datasets/${dataset}`;
  const found = await google.find({ ...about, path, shape: datasetShape, ...READS.dataset });
  if (!found) return { found: [{ finding: 'audit_dataset_missing' as const, facts }] };
  const { tables } = await google.read({
    ...about,
    path: `${path}/tables`,
    shape: tablesShape,
    ...READS.datasetTables,
  });
  const views = tables.filter(({ type }) => type === 'VIEW');
  const missing = AUDIT_VIEWS.filter((name) => !views.some(({ tableReference }) => tableReference.tableId === name));
  const expiring = [
    ...(found.defaultTableExpirationMs === undefined ? [] : ['new ones by default']),
    ...views.flatMap(({ tableReference, expirationTime }) =>
      expirationTime === undefined ? [] : [tableReference.tableId],
    ),
  ];
  return {
    found: [
      ...(missing.length > 0
        ? [{ finding: 'audit_view_missing' as const, facts: { ...facts, views: missing.join(', ') } }]
        : []),
      ...(expiring.length > 0
        ? [{ finding: 'audit_dataset_expires' as const, facts: { ...facts, expires: expiring.join(', ') } }]
        : []),
    ],
    detail: `${views.length} views`,
  };
}
