// What the ledgers store: every field of every document, as the real ledgers write it, against the schemas that records are
// read with; when a document may be deleted; and what firestore.indexes.json says of those fields. An audit reads these
// documents, so no field comes or goes unnoticed.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Timestamp } from '@google-cloud/firestore';
import { beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { ROOT } from '../../../sandbox/functions.ts';
import type { ConditionBasis } from '../../../shared/core/conditions/basis.ts';
import { addCopy } from '../../../shared/core/conditions/team-record.ts';
import { MAX_PLAIN_TEXT_BYTES } from '../../../shared/core/deployment/policy-record.ts';
import { grantIdOf } from '../../../shared/core/grant/id.ts';
import type { Credential } from '../../../shared/core/policy/credential.ts';
import { GRANT_COLLECTION } from '../../../shared/core/policy/document-path.ts';
import { LEDGER_COLLECTIONS } from '../../../shared/core/policy/ledger-exposure.ts';
import { SCHEMA_VERSION } from '../../../shared/core/schema-version.ts';
import { createGrantDocumentCloser, createGrantDocumentOpener } from '../../../shared/firestore/grant-document.ts';
import { COLLECTIONS } from '../../../shared/ledger/collections.ts';
import { createBuildLedger, createTeamLedger } from '../../../shared/ledger/conditions.ts';
import { createDeploymentLedger } from '../../../shared/ledger/deployments.ts';
import { createFirebaseUserLedger } from '../../../shared/ledger/firebase-users.ts';
import { createIssuanceLedger } from '../../../shared/ledger/issuance.ts';
import { createJobCheckLedger } from '../../../shared/ledger/job-checks.ts';
import { createKillSwitchLedger } from '../../../shared/ledger/kill-switch.ts';
import { createRevocationLedger } from '../../../shared/ledger/revocation.ts';
import type { DeploymentLedger } from '../../../shared/operations/ports.ts';
import { claims, firestore as data, NOW, pool, request, serviceAccount } from '../../fixtures/grants.ts';
import { createMemoryFirestore } from '../../fixtures/memory-firestore.ts';
import { reserve } from '../../fixtures/reserve.ts';
import { TestClock } from '../../fixtures/test-clock.ts';

const DAY = 86_400_000;
const CREDENTIALS: Readonly<Record<string, Credential>> = {
  config: data,
  cache: { ...serviceAccount, storage: { bucket: 'acme-cache', prefix: 'a/', role: 'roles/storage.objectViewer' } },
  admin: pool,
};
const SELECTOR = {
  ...{ job_id: claims.job_id, pipeline_id: 'p', pipeline_slug: 'app', build_branch: 'main', agent_id: 'a' },
  ...{ credential: 'config', environment: 'staging', policy_sha256: 'f'.repeat(64), issued_since: NOW },
  approved_by: 'u',
};
/** Of a rule with every condition. */
const CONDITIONS: ConditionBasis = {
  team: { id: 't', access: 'read_only', read_at: NOW },
  created_by: { user_id: 'u', team_id: 't', read_at: NOW },
  approval: {
    ...{ step_key: 'approve', job_id: 'j', approved_by: 'u', approved_at: NOW, team_id: 't', read_at: NOW },
    ...{ reason: 'r', break_glass: true },
  },
  agent: { provider: 'aws', claims: { account: '1' } },
};

const indexFile = z
  .object({
    fieldOverrides: z.array(
      z.object({
        collectionGroup: z.string(),
        fieldPath: z.string(),
        ttl: z.boolean().default(false),
        indexes: z.array(z.unknown()).length(0),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(join(ROOT, 'firestore.indexes.json'), 'utf8')));

interface Stored {
  readonly collection: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Every kind of document, as the ledgers write it. */
async function everyDocument(): Promise<Stored[]> {
  const { firestore, dump } = createMemoryFirestore();
  const clock = new TestClock(NOW);
  const issuing = createIssuanceLedger(firestore, clock);
  for (const [credentialName, credential] of Object.entries(CREDENTIALS)) {
    // The ledger leases by itself.
    const { lease: _, ...requested } = request(credential, { credentialName, conditions: CONDITIONS });
    const reserved = await reserve(issuing, requested);
    if ('refusal' in reserved) throw new Error(reserved.refusal.reason);
    const { grant, latestExpiry } = reserved;
    const token = { grant_id: grantIdOf(grant), sha256: 'a'.repeat(64), expires_at: latestExpiry };
    const leased = grant.kind === 'pooled_service_account' ? { service_account: grant.service_account } : {};
    await issuing.activate({ ...token, ...leased }, reserved);
  }
  const named = (grant_id: string) => ({ project: 'acme-data', database: '(default)', grant_id });
  await createGrantDocumentOpener(() => firestore, clock)(named('open'), {
    roles: ['config'],
    expires_at: NOW + 900_000,
  });
  await createGrantDocumentCloser(() => firestore, clock)(named('closed'), NOW);
  const act = { selector: SELECTOR, actor: 'ada', reason: 'INC-7', blocks_new: true };
  await createKillSwitchLedger(firestore, clock).record('an-act', {
    ...act,
    activated_at: NOW,
    deactivated_at: null,
    deactivated_by: null,
  });
  await createFirebaseUserLedger(firestore, clock).retire({ pipeline: 'p', credential: 'config' }, 0);
  await createJobCheckLedger(firestore, clock).acquirePollLock(1000);
  await deploy(createDeploymentLedger(firestore, clock));
  const builds = createBuildLedger(firestore, clock);
  const unblocks = [{ job_id: 'j', step_key: 'k', step_id: 's', unblocked_by: 'u', unblocked_at: NOW }];
  await builds.addNews({ pipeline_id: 'p', build_number: 7, build_id: 'b', creator: 'u', reason: 'r', unblocks });
  const copy = { members: ['a-user'], pipelines: { 'a-pipeline': 'read_only' as const }, paged: false };
  await createTeamLedger(firestore, clock).record('a-team', addCopy(undefined, copy, NOW));
  clock.advance(1000);
  const job = { job_id: claims.job_id, pipeline_id: undefined, by: 'job.finished' } as const;
  await createRevocationLedger(firestore, clock).endJob(job);
  return [...dump()].map(([path, stored]) => ({ collection: path.split('/')[0] ?? '', data: stored }));
}

/** Every function, and a policy of each size. */
async function deploy(ledger: DeploymentLedger): Promise<void> {
  const instance = { version: '0.1.0', revision: 'keydesk-00001-abc', started_at: NOW };
  for (const text of ['version: 1\n', '#'.repeat(MAX_PLAIN_TEXT_BYTES + 1)]) {
    const sha256 = createHash('sha256').update(text).digest('hex');
    const teams = { organization_slug: 'acme-inc', max_age: 3600, teams: [{ id: 'a-team', name: 'platform' }] };
    await ledger.recordToken(instance, { sha256, text, teams });
  }
  await ledger.recordWebhook(instance, [{ fingerprint: 'a1b2c3d4e5f6', last_accepted_at: null }]);
  const pool = { pool: 'admin', size: 2, free: 1, leased: 1, revoking: 0, cooling_down: 0, exhausted_in_s: null };
  const nothing = { pending_ends: 0, pending_revocations: 0, overdue: 0, failed: 0, has_backlog: false };
  await ledger.recordSweep(instance, {
    swept: {
      ...{ last_sweep_at: NOW, last_sweep_ok: true, oldest_pending_at: null, jobs_reconciled: 1 },
      left: { ...nothing, jobs_unchecked: 0, pools: [pool] },
    },
    apiToken: { checked_at: NOW, scopes: ['read_builds'], expires_at: NOW },
    teamsApiToken: { checked_at: NOW, scopes: ['read_teams'], expires_at: NOW },
  });
}

/** The names of all that a schema lets a record have; a member behind a dot, whether of an object or of a list's items. */
function fieldsOf(schema: unknown, name = ''): string[] {
  if (schema instanceof z.ZodNullable || schema instanceof z.ZodOptional || schema instanceof z.ZodDefault)
    return fieldsOf(schema.unwrap(), name);
  if (schema instanceof z.ZodArray) return fieldsOf(schema.element, name);
  if (schema instanceof z.ZodDiscriminatedUnion) return schema.options.flatMap((option) => fieldsOf(option, name));
  if (!(schema instanceof z.ZodObject)) return [name];
  const members = Object.entries(schema.shape);
  return [name, ...members.flatMap(([key, value]) => fieldsOf(value, name === '' ? key : `${name}.${key}`))];
}

/** Objects whose members have UUIDs or names of the policy as names: they are values and no fields. */
const RECORDS = ['pipelines', 'conditions.agent.claims'];

/** The same of a document. */
function membersOf(value: unknown, name = ''): string[] {
  if (Array.isArray(value)) return [name, ...value.flatMap((item) => membersOf(item, name))];
  if (RECORDS.includes(name)) return [name];
  if (typeof value !== 'object' || value === null || value instanceof Timestamp || Buffer.isBuffer(value))
    return [name];
  return [
    name,
    ...Object.entries(value).flatMap(([key, inner]) => membersOf(inner, name === '' ? key : `${name}.${key}`)),
  ];
}

const unique = (names: readonly string[]) => [...new Set(names)].filter((name) => name !== '').sort();

/** What each collection's documents have. */
const FIELDS: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
  Object.entries(COLLECTIONS).map(([collection, { schema, added = {} }]) => [
    collection,
    unique([...fieldsOf(schema), ...Object.keys(added), 'schema_version']),
  ]),
);

/** The time of a document from which the days until its deletion count. */
const KEPT_FROM = {
  ...{ grants: 'expires_at', jobs: 'ended_at', policies: 'last_started_at' },
  [GRANT_COLLECTION]: 'expires_at',
} as const;

/** Fields of a document that single-field indexes are kept of: those that are asked for. Each is a write more. */
const INDEXED: Readonly<Record<string, readonly string[]>> = {
  grants: [
    ...['conditions.approval.approved_by', 'credential', 'ending_since', 'environment', 'policy_sha256'],
    ...['service_account', 'state'],
    ...['agent_id', 'build_branch', 'build_tag', 'id', 'organization_id', 'organization_slug', 'pipeline_id'].map(
      (claim) => `subject.${claim}`,
    ),
    ...['subject.pipeline_slug', 'token_sha256s'],
  ],
  jobs: ['check_at', 'unchecked_since'],
  service_accounts: ['grant_id', 'pool', 'state'],
  builds: ['look_at'],
  policies: ['first_used_at', 'last_started_at', 'schema_version'],
  teams: [],
  [GRANT_COLLECTION]: [],
};

describe('what the ledgers store', () => {
  let documents: Stored[];
  beforeAll(async () => {
    documents = await everyDocument();
  });
  const of = (collection: string) => documents.filter((document) => document.collection === collection);

  it('lies in these collections and in no other', () => {
    const sources = ['shared', 'functions', 'cli'].flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.ts'))
        .map((name) => readFileSync(join(ROOT, folder, name), 'utf8')),
    );
    const named = sources.flatMap((source) =>
      [...source.matchAll(/\.collection\('([^']+)'\)/g)].map(([, name]) => name),
    );
    expect([...new Set([...named, GRANT_COLLECTION])].sort()).toEqual(Object.keys(FIELDS).sort());
    expect([...new Set(documents.map(({ collection }) => collection))].sort()).toEqual(Object.keys(FIELDS).sort());
    // What no credential may open where the ledger is.
    expect([...LEDGER_COLLECTIONS, GRANT_COLLECTION].sort()).toEqual(Object.keys(FIELDS).sort());
  });

  it.each(Object.keys(FIELDS))('has the fields that it is read with, and no other: %s', (collection) => {
    const stored = unique(of(collection).flatMap(({ data }) => membersOf(data)));
    const known = FIELDS[collection] ?? [];
    // The claims have names of the policy.
    const described = stored.filter((field) => !field.startsWith('conditions.agent.claims.'));
    expect(described.filter((field) => !known.includes(field))).toEqual([]);
    // Of an empty list no members are seen.
    const unseen = known.filter((field) => !stored.includes(field));
    expect(unseen.filter((field) => !/^(past_leases|superseded)\./.test(field))).toEqual([]);
  });

  it.each(Object.keys(FIELDS))('is described, and nothing else is: %s', (collection) => {
    const described = unique(Object.keys(COLLECTIONS[collection]?.fields ?? {}));
    expect(described).toEqual(FIELDS[collection]?.filter((field) => field !== 'schema_version'));
  });

  it('says of every document which version of its schema it has', () => {
    expect(documents.filter(({ data }) => data.schema_version !== SCHEMA_VERSION)).toEqual([]);
  });

  it.each(Object.entries(KEPT_FROM))('may be deleted after its days alone: %s', (collection, from) => {
    const found = of(collection);
    expect(found.length).toBeGreaterThan(0);
    for (const { data } of found) {
      const [later, earlier] = [data.delete_at, data[from]];
      if (!(later instanceof Timestamp && earlier instanceof Timestamp)) throw new Error('not two times');
      expect((later.toMillis() - earlier.toMillis()) / DAY).toBe(COLLECTIONS[collection]?.kept?.days);
    }
  });

  it('is never deleted while an account serves or is cooling down', () => {
    const pooled = of('service_accounts').filter(({ data }) => data.state !== 'shared');
    expect(pooled.map(({ data }) => data.delete_at)).toEqual([null]);
  });
});

describe('firestore.indexes.json', () => {
  it('names each field once, because Terraform refuses a plan otherwise', () => {
    const names = indexFile.fieldOverrides.map(({ collectionGroup, fieldPath }) => `${collectionGroup}.${fieldPath}`);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });

  it('exempts only fields that are stored', () => {
    for (const { collectionGroup, fieldPath } of indexFile.fieldOverrides)
      expect(FIELDS[collectionGroup]).toContain(fieldPath);
  });

  it.each(Object.keys(INDEXED))('indexes only the fields that queries use: %s', (collection) => {
    const exempted = indexFile.fieldOverrides.filter(({ collectionGroup }) => collectionGroup === collection);
    const left = (FIELDS[collection] ?? []).filter(
      // An exemption of a map holds for its fields too. These have none.
      (field) =>
        (!field.includes('.') || /^(?:subject|conditions)\./.test(field)) &&
        !['subject', 'conditions', 'conditions.approval'].includes(field) &&
        !exempted.some(({ fieldPath }) => `${field}.`.startsWith(`${fieldPath}.`)),
    );
    expect(left).toEqual(INDEXED[collection]);
  });
});
