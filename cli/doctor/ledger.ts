// The ledger's database: protected against deletion, with point-in-time recovery, its indexes and its TTL policies; and the TTL policy of the
// grant documents in each data database.
// Sources: docs.cloud.google.com/firestore/docs/reference/rest/v1/projects.databases, and collectionGroups.indexes and .fields below it.

import * as z from 'zod';
import indexesFile from '../../firestore.indexes.json' with { type: 'json' };
import { shellCommand } from '../../shared/core/shell-quote.ts';
import type { CheckKind, Found } from '../checks/check.ts';
import { READS } from './reads.ts';
import type { DoctorTarget } from './target.ts';

type Ledger = Pick<DoctorTarget, 'project' | 'ledgerDatabase'>;

const API = 'firestore.googleapis.com';
const GRANT_DOCUMENTS = 'keydesk_grants';

const databaseShape = z.object({
  type: z.string().default(''),
  concurrencyMode: z.string().default(''),
  deleteProtectionState: z.string().default(''),
  pointInTimeRecoveryEnablement: z.string().default(''),
  locationId: z.string().default(''),
});

type Name = 'ledger_missing' | 'ledger_mode_differs' | 'ledger_not_protected' | 'ledger_without_recovery';

const UPDATE = 'gcloud firestore databases update --project={project} --database={database}';

export const ledger: CheckKind<Ledger, Name> = {
  name: 'ledger',
  looksAt: "Whether the ledger's database exists, its mode, its delete protection and its point-in-time recovery.",
  findings: {
    ledger_missing: {
      severity: 'error',
      what: 'The database {database} does not exist in {project}.',
      why: 'Without its ledger Keydesk issues nothing, and does not know what it has issued.',
      fix: 'gcloud firestore databases restore, if there is a backup. Otherwise run terraform apply: every grant is then forgotten, so end access first.',
      undo: 'Nothing to go back to.',
    },
    ledger_mode_differs: {
      severity: 'error',
      what: 'The database {database} is {type} with {mode} concurrency. It must be FIRESTORE_NATIVE with PESSIMISTIC concurrency.',
      why: 'Issuance and the end of a job meet in transactions that read before they write.',
      fix: `${UPDATE} --concurrency-mode=pessimistic`,
      undo: `${UPDATE} --concurrency-mode={mode}`,
    },
    ledger_not_protected: {
      severity: 'error',
      what: 'The delete protection of {database} is off.',
      why: 'One command deletes the record of every grant and of every job that ended.',
      fix: `${UPDATE} --delete-protection`,
      undo: `${UPDATE} --no-delete-protection`,
    },
    ledger_without_recovery: {
      severity: 'warning',
      what: 'Point-in-time recovery of {database} is off.',
      why: 'What is deleted by mistake can be recovered for an hour, and not for seven days.',
      fix: `${UPDATE} --enable-pitr`,
      undo: `${UPDATE} --no-enable-pitr`,
    },
  },
  checksOf: ({ project, ledgerDatabase: database }) => [
    {
      subject: `${project}, ${database}`,
      look: async (google) => {
        const found = await google.find({
          api: API,
          path: `v1/projects/${project}/databases/${database}`,
          shape: databaseShape,
          ...READS.database,
          on: project,
          gcloud: {
            command: shellCommand`gcloud firestore databases describe --project=${project} --database=${database}`,
          },
        });
        const facts = { project, database };
        if (!found) return { found: [{ finding: 'ledger_missing' as const, facts }] };
        const { type, concurrencyMode, deleteProtectionState, pointInTimeRecoveryEnablement, locationId } = found;
        const mode = concurrencyMode || 'unknown';
        return {
          found: [
            ...(type === 'FIRESTORE_NATIVE' && concurrencyMode === 'PESSIMISTIC'
              ? []
              : [{ finding: 'ledger_mode_differs' as const, facts: { ...facts, type, mode } }]),
            ...(deleteProtectionState === 'DELETE_PROTECTION_ENABLED'
              ? []
              : [{ finding: 'ledger_not_protected' as const, facts }]),
            ...(pointInTimeRecoveryEnablement === 'POINT_IN_TIME_RECOVERY_ENABLED'
              ? []
              : [{ finding: 'ledger_without_recovery' as const, facts }]),
          ],
          detail: locationId,
        };
      },
    },
  ],
};

const indexesShape = z.object({
  indexes: z
    .array(
      z.object({
        name: z.string(),
        queryScope: z.string().default('COLLECTION'),
        state: z.string().default(''),
        fields: z.array(
          z.object({ fieldPath: z.string(), order: z.string().optional(), arrayConfig: z.string().optional() }),
        ),
      }),
    )
    .default([]),
  nextPageToken: z.string().optional(),
});

type IndexName = 'index_missing';

export const indexes: CheckKind<Ledger, IndexName> = {
  name: 'indexes',
  looksAt: 'Whether the ledger has the composite indexes that its queries need, and they are ready.',
  findings: {
    index_missing: {
      severity: 'error',
      what: 'The index of {collection} on {fields} in {database} is {state}.',
      why: 'The query that needs it fails: the sweep or the end of a job stops there.',
      fix: 'Run terraform apply. An index that is being made is ready after some minutes.',
      undo: 'gcloud firestore indexes composite delete INDEX --project={project} --database={database}',
    },
  },
  checksOf: ({ project, ledgerDatabase: database }) => [
    {
      subject: `${project}, ${database}`,
      look: async (google) => {
        const where = { quoted: shellCommand`--project=${project} --database=${database}` };
        const pages = await google.readAll({
          api: API,
          path: `v1/projects/${project}/databases/${database}/collectionGroups/-/indexes`,
          shape: indexesShape,
          ...READS.indexes,
          on: project,
          gcloud: { command: shellCommand`gcloud firestore indexes composite list ${where}`, list: 'indexes' },
        });
        const states = new Map(
          pages
            .flatMap((page) => page.indexes)
            .map(({ name, queryScope, fields, state }) => [
              keyOf(/collectionGroups\/([^/]+)/.exec(name)?.[1] ?? '', queryScope, fields),
              state,
            ]),
        );
        return {
          found: indexesFile.indexes.flatMap(({ collectionGroup, queryScope, fields }): Found<IndexName>[] => {
            const state = states.get(keyOf(collectionGroup, queryScope, fields));
            if (state === 'READY') return [];
            const named = fields.map(({ fieldPath }) => fieldPath).join(', ');
            return [
              {
                finding: 'index_missing',
                resource: `${database} ${collectionGroup} ${named}`,
                facts: {
                  project,
                  database,
                  collection: collectionGroup,
                  fields: named,
                  state: state?.toLowerCase() ?? 'missing',
                },
              },
            ];
          }),
        };
      },
    },
  ],
};

interface IndexField {
  readonly fieldPath: string;
  readonly order?: string | undefined;
  readonly arrayConfig?: string | undefined;
}

/** Google adds the document's name as the last field. */
function keyOf(collection: string, scope: string, fields: readonly IndexField[]): string {
  const named = fields.filter(({ fieldPath }) => fieldPath !== '__name__');
  return JSON.stringify([collection, scope, named.map((field) => [field.fieldPath, field.order ?? field.arrayConfig])]);
}

const fieldsShape = z.object({
  fields: z
    .array(z.object({ name: z.string(), ttlConfig: z.object({ state: z.string().default('') }).optional() }))
    .default([]),
  nextPageToken: z.string().optional(),
});

type TtlName = 'ttl_missing';

export const timeToLive: CheckKind<Ledger & Pick<DoctorTarget, 'databases'>, TtlName> = {
  name: 'TTL policies',
  looksAt: 'Whether the ledger and each data database delete records whose time has passed.',
  findings: {
    ttl_missing: {
      severity: 'warning',
      what: 'The TTL policy on {field} of {collection} in {database} of {project} is {state}.',
      why: 'Records are kept longer than documented. No guarantee depends on it.',
      fix: 'gcloud firestore fields ttls update {field} --collection-group={collection} --enable-ttl --project={project} --database={database}',
      undo: 'gcloud firestore fields ttls update {field} --collection-group={collection} --disable-ttl --project={project} --database={database}',
    },
  },
  checksOf: ({ project, ledgerDatabase, databases }) =>
    [
      { project, database: ledgerDatabase, isLedger: true },
      ...databases.map((one) => ({ ...one, isLedger: false })),
    ].map(({ isLedger, ...of }) => ({
      subject: `${of.project}, ${of.database}`,
      look: async (google) => {
        const where = { quoted: shellCommand`--project=${of.project} --database=${of.database}` };
        const pages = await google.readAll({
          api: API,
          path: `v1/projects/${of.project}/databases/${of.database}/collectionGroups/-/fields`,
          query: [['filter', 'ttlConfig:*']],
          shape: fieldsShape,
          ...READS.indexes,
          on: of.project,
          gcloud: { command: shellCommand`gcloud firestore fields ttls list ${where}`, list: 'fields' },
        });
        const states = new Map(
          pages
            .flatMap(({ fields }) => fields)
            .map(({ name, ttlConfig }) => [name.replace(/^.*\/collectionGroups\//, ''), ttlConfig?.state ?? '']),
        );
        const needed = indexesFile.fieldOverrides.filter(
          (one) => 'ttl' in one && one.ttl && (one.collectionGroup === GRANT_DOCUMENTS) !== isLedger,
        );
        return {
          found: needed.flatMap(({ collectionGroup, fieldPath }): Found<TtlName>[] => {
            const state = states.get(`${collectionGroup}/fields/${fieldPath}`);
            // One that is being made takes ten minutes and more.
            if (state === 'ACTIVE' || state === 'CREATING') return [];
            const facts = { ...of, collection: collectionGroup, field: fieldPath };
            return [{ finding: 'ttl_missing', facts: { ...facts, state: state?.toLowerCase() || 'missing' } }];
          }),
        };
      },
    })),
};
