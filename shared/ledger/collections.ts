// Every collection of stored documents: what reads them, what their fields hold, and how long they are kept. For docs/STORAGE.md and
// tests: the functions do not load this.

import * as z from 'zod';
import { buildRecordSchema } from '../core/conditions/build-record.ts';
import { BUILD_RECORD_FIELDS } from '../core/conditions/stored-build-fields.ts';
import { TEAM_FIELDS } from '../core/conditions/stored-team-fields.ts';
import { teamRecordSchema } from '../core/conditions/team-record.ts';
import { deploymentSchema } from '../core/deployment/deployment.ts';
import { policyRecordSchema } from '../core/deployment/policy-record.ts';
import { DEPLOYMENT_FIELDS, POLICY_FIELDS } from '../core/deployment/stored-fields.ts';
import { firebaseUserSchema } from '../core/firebase-user.ts';
import { grantSchema } from '../core/grant/grant.ts';
import { jobRecordSchema } from '../core/grant/job-record.ts';
import { GRANT_FIELDS, JOB_FIELDS } from '../core/grant/stored-fields.ts';
import { blocksSchema, killSwitchSchema } from '../core/kill-switch.ts';
import { GRANT_COLLECTION } from '../core/policy/document-path.ts';
import { accountSchema } from '../core/pool/account.ts';
import { ACCOUNT_FIELDS } from '../core/pool/stored-fields.ts';
import { BLOCKS_FIELDS, FIREBASE_USER_FIELDS, KILL_SWITCH_FIELDS, type StoredFields } from '../core/stored-fields.ts';
import { BUILD_RETENTION_MS, POLICY_RETENTION_MS, RECORD_RETENTION_MS, TEAM_RETENTION_MS } from '../core/timing.ts';
import { GRANT_DOCUMENT_RETENTION_MS, grantDocumentSchema } from '../firestore/grant-document.ts';
import { pollLockSchema } from './job-checks.ts';

export interface Collection {
  /** What its documents are read with. */
  readonly schema: z.ZodType;
  /** Fields that are written, and that no record is read with. */
  readonly added?: Readonly<Record<string, z.ZodType>>;
  /** By the name of the field, as in core/stored-fields.ts; also of those that are added. */
  readonly fields: Readonly<Record<string, string>>;
  /** Days until a document may be deleted, after what; undefined: it never is. */
  readonly kept?: { readonly days: number; readonly after: string };
}

const DAY = 86_400_000;
const RECORD_DAYS = RECORD_RETENTION_MS / DAY;
const WRITE_ID =
  'a random mark of the latest write, by which its writer recognizes it when the response was lost; null after an issuance';

const LOCK_FIELDS: StoredFields<z.output<typeof pollLockSchema>> = {
  held_until: 'no other sweep may call Buildkite before this time',
  calls: 'the calls of the last minute, at most 50. While a sweep holds the lock they lie ahead, in case it is cut off',
  'calls.called_at': 'when the call was made',
};

const GRANT_DOCUMENT_FIELDS: StoredFields<z.output<typeof grantDocumentSchema>> = {
  state: 'whether the grant is live; `ended` is final',
  expires_at: 'the rules compare it with `request.time`',
  roles: "the credential's name; empty when the state is `ended`",
};

export const COLLECTIONS: Readonly<Record<string, Collection>> = {
  grants: {
    schema: grantSchema,
    added: { token_sha256s: z.array(z.string()), write_id: z.string().nullable() },
    fields: {
      ...GRANT_FIELDS,
      token_sha256s: 'the hashes in `tokens`, as a list: a token is found by them',
      write_id: WRITE_ID,
    },
    kept: { days: RECORD_DAYS, after: '`expires_at`' },
  },
  jobs: {
    schema: jobRecordSchema,
    added: { write_id: z.string().nullable() },
    fields: { ...JOB_FIELDS, write_id: WRITE_ID },
    kept: { days: RECORD_DAYS, after: '`ended_at`; while the job runs, after its latest new grant' },
  },
  service_accounts: {
    schema: accountSchema,
    fields: ACCOUNT_FIELDS,
    kept: {
      days: RECORD_DAYS,
      after: 'the account became free; of a shared account after `reusable_at`. Never while a pool needs the document',
    },
  },
  builds: {
    schema: buildRecordSchema,
    fields: BUILD_RECORD_FIELDS,
    kept: { days: BUILD_RETENTION_MS / DAY, after: 'the last news of it, or request to look it up' },
  },
  blocks: { schema: blocksSchema, fields: BLOCKS_FIELDS },
  kill_switches: { schema: killSwitchSchema, fields: KILL_SWITCH_FIELDS },
  locks: { schema: pollLockSchema, fields: LOCK_FIELDS },
  firebase_users: { schema: firebaseUserSchema, fields: FIREBASE_USER_FIELDS },
  teams: {
    schema: teamRecordSchema,
    fields: TEAM_FIELDS,
    kept: { days: TEAM_RETENTION_MS / DAY, after: 'the last try to read the team' },
  },
  deployments: { schema: deploymentSchema, fields: DEPLOYMENT_FIELDS },
  policies: {
    schema: policyRecordSchema,
    fields: POLICY_FIELDS,
    kept: { days: POLICY_RETENTION_MS / DAY, after: '`last_started_at`' },
  },
  [GRANT_COLLECTION]: {
    schema: grantDocumentSchema,
    added: { delete_at: z.number() },
    fields: { ...GRANT_DOCUMENT_FIELDS, delete_at: 'when the document may be deleted: see [Deletion](#deletion)' },
    kept: {
      days: GRANT_DOCUMENT_RETENTION_MS / DAY,
      after:
        '`expires_at`, which is the time of its end when the state is `ended`. A late request then finds it closed',
    },
  },
};
