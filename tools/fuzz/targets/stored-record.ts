import type * as z from 'zod';
import { buildRecordSchema, emptyBuildRecord } from '../../../shared/core/conditions/build-record.ts';
import { deploymentSchema } from '../../../shared/core/deployment/deployment.ts';
import { policyRecordSchema } from '../../../shared/core/deployment/policy-record.ts';
import { firebaseUserSchema } from '../../../shared/core/firebase-user.ts';
import { type Grant, grantSchema } from '../../../shared/core/grant/grant.ts';
import { jobRecordSchema } from '../../../shared/core/grant/job-record.ts';
import { blocksSchema, type KillSwitchRecord, killSwitchSchema } from '../../../shared/core/kill-switch.ts';
import { toGrantDetails } from '../../../shared/core/operator-api/grant.ts';
import { toActView } from '../../../shared/core/operator-api/review.ts';
import { describeSelector } from '../../../shared/core/operator-api/selector.ts';
import { accountSchema } from '../../../shared/core/pool/account.ts';
import { grantDocumentSchema } from '../../../shared/firestore/grant-document.ts';
import { parseRecord } from '../../../shared/firestore/records.ts';
import { createRestDatabase } from '../../../shared/firestore/rest-database.ts';
import { toStoredRecord } from '../../../shared/firestore/stored-record.ts';
import { encodeFields, type Fields } from '../../../shared/firestore/values.ts';
import { DependencyError } from '../../../shared/runtime/errors.ts';
import { grantIn } from '../../../test/fixtures/grants.ts';
import { parseJson } from '../independent/json.ts';
import { NOW } from '../independent/setting.ts';
import { demand, demandEqual, type Target } from '../target.ts';

const SCHEMAS: Readonly<Record<string, z.ZodType>> = {
  ...{ grants: grantSchema, jobs: jobRecordSchema, service_accounts: accountSchema, blocks: blocksSchema },
  ...{ kill_switches: killSwitchSchema, deployments: deploymentSchema, policies: policyRecordSchema },
  ...{ firebase_users: firebaseUserSchema, keydesk_grants: grantDocumentSchema },
  ...{ builds: buildRecordSchema },
};
const SELECTOR = { environment: 'production', issued_since: NOW };
const written = (collection: string, record: object) =>
  `${collection}\n${JSON.stringify(encodeFields(toStoredRecord(record)))}`;

export const target: Target = {
  claim:
    'A collection of the ledger and the fields of a document as Firestore sends them: a record that is read can be shown, is written and read again as the same, and any other document is an unreadable record.',
  files: [
    'shared/firestore/records.ts',
    'shared/firestore/stored-record.ts',
    'shared/firestore/values.ts',
    'shared/core/grant/grant.ts',
    'shared/core/operator-api/grant.ts',
  ],
  longest: 8192,
  seeds: [
    written('grants', grantIn('active', 'firestore')),
    written('grants', grantIn('revoking', 'narrowedPool')),
    written('grants', grantIn('issuing', 'serviceAccount')),
    written('jobs', {
      ...jobRecordSchema.parse({ grants: ['a'], ended_at: NOW, ended_by: 'job.finished', delete_at: NOW }),
    }),
    written('service_accounts', {
      ...{
        pool: 'p',
        pool_size: 3,
        state: 'leased',
        grant_id: 'a',
        leased_at: NOW,
        reusable_at: NOW,
        disabled_at: null,
      },
      ...{ enabling_since: null, disabling_since: null, last_checked_at: null, found_enabled: 0, delete_at: null },
    }),
    written('blocks', { blocks: [{ id: 'a', selector: SELECTOR, activated_at: NOW }] }),
    written('kill_switches', {
      ...{ selector: SELECTOR, actor: 'a', reason: 'r', blocks_new: true, activated_at: NOW },
      ...{ deactivated_at: null, deactivated_by: null },
    }),
    written('deployments', {
      function: 'token',
      version: '1',
      revision: null,
      started_at: NOW,
      written_at: NOW,
      policy_sha256: 'a',
    }),
    written('policies', {
      text: null,
      text_gzip: Buffer.from('x'),
      first_used_at: NOW,
      last_started_at: NOW,
      delete_at: NOW,
    }),
    written('firebase_users', { generation: 1, changed_at: NOW, write_id: 'a' }),
    written('builds', {
      ...emptyBuildRecord({ pipeline_id: 'p', build_number: 7 }, NOW),
      unblocks: [{ job_id: 'j', step_key: 'k', step_id: null, unblocked_by: 'u', unblocked_at: NOW }],
    }),
    written('keydesk_grants', { state: 'active', expires_at: NOW, roles: ['a'] }),
  ],
  run: async (input) => {
    const [collection = '', ...lines] = input.toString('utf8').split('\n');
    const schema = Object.hasOwn(SCHEMAS, collection) ? SCHEMAS[collection] : undefined;
    const fields = parseJson(lines.join('\n'));
    if (!schema || typeof fields !== 'object' || fields === null || Array.isArray(fields)) return;
    const record = await read(schema, collection, fields as Fields);
    if (record === undefined) return;
    const again = encodeFields(toStoredRecord(record));
    demandEqual(await read(schema, collection, again), record, 'a record is read as it was written');
    show(collection, record);
  },
};

async function read(schema: z.ZodType, collection: string, fields: Fields): Promise<object | undefined> {
  const name = `projects/acme/databases/(default)/documents/${collection}/a`;
  const response = [{ found: { name, fields, updateTime: '2026-11-24T10:00:00Z' } }];
  const database = createRestDatabase({ project: 'acme', database: '(default)' }, async () => response);
  const snapshot = await database.collection(collection).doc('a').get();
  try {
    return parseRecord(schema, snapshot) as object;
  } catch (error) {
    demand(DependencyError.is(error), `it is an unreadable record: ${error instanceof Error ? error.stack : error}`);
    demand(error.code === 'unreadable_record', `it is an unreadable record, and not ${error.code}`);
    return undefined;
  }
}

function show(collection: string, record: object): void {
  if (collection === 'grants') toGrantDetails(record as Grant, undefined, NOW);
  if (collection === 'kill_switches') toActView('a', record as KillSwitchRecord);
  if (collection === 'blocks')
    for (const { selector } of (record as z.output<typeof blocksSchema>).blocks) describeSelector(selector);
}
