// docs/STORAGE.md names every field of every stored document and none that there is not, and says of indexes and of deletion
// what firestore.indexes.json and the code do. Fields are taken from the schemas that records are checked with, and from
// documents that the real ledgers write.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Timestamp } from '@google-cloud/firestore';
import { beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { ROOT } from '../../sandbox/functions.ts';
import { accountSchema } from '../../shared/core/account.ts';
import { beginToWake, wake } from '../../shared/core/account-life.ts';
import { barriersSchema } from '../../shared/core/barrier.ts';
import { parseClaims } from '../../shared/core/claims.ts';
import type { Credential } from '../../shared/core/credential.ts';
import { GRANT_COLLECTION } from '../../shared/core/document-path.ts';
import { grantSchema } from '../../shared/core/grant.ts';
import { idOf, type Request } from '../../shared/core/grant-life.ts';
import { jobRecordSchema } from '../../shared/core/job-record.ts';
import { createEndingLedger } from '../../shared/ledger/ending-ledger.ts';
import { createGrantDocumentCloser, createGrantDocumentOpener } from '../../shared/ledger/grant-document.ts';
import { createIssuingLedger } from '../../shared/ledger/issuing-ledger.ts';
import { createKillLedger } from '../../shared/ledger/kill-ledger.ts';
import { accountDocument, toAccount } from '../../shared/ledger/records.ts';
import { createSweepLedger } from '../../shared/ledger/sweep-ledger.ts';
import { parsePolicyText } from '../../shared/policy-text.ts';
import { createMemoryFirestore } from '../fixtures/memory-firestore.ts';
import { codeIn, partOf, read, rowsOf } from './page.ts';

const page = read('docs/STORAGE.md');
const DAY = 86_400_000;
const START = Date.parse('2026-11-24T10:00:00Z');
const ACCOUNT = 'pool-1@acme-ci.iam.gserviceaccount.com';

const indexFile = z
  .object({
    indexes: z.array(z.object({ collectionGroup: z.string(), fields: z.array(z.object({ fieldPath: z.string() })) })),
    fieldOverrides: z.array(
      z.object({
        collectionGroup: z.string(),
        fieldPath: z.string(),
        ttl: z.boolean().optional(),
        indexes: z.array(z.unknown()).length(0),
      }),
    ),
  })
  .parse(JSON.parse(read('firestore.indexes.json')));

/** The page's names of fields, by collection: those in the first cells of the table under the collection's heading. */
const told = Object.fromEntries(
  [...page.matchAll(/^### `([a-z_]+)`.*$/gm)].map(([heading, collection = '']) => [
    collection,
    rowsOf(partOf(page, heading)).flatMap(([field = '']) => codeIn(field)),
  ]),
);

/** What the rows of a part say, by the collection in their first cell. */
function byCollection(heading: string): [collection: string, cells: string[]][] {
  return rowsOf(partOf(page, heading)).map(([collection = '', ...cells]) => [codeIn(collection)[0] ?? '', cells]);
}

/** The names of all that a schema lets a record have; a member behind a dot, whether of an object or of a list's items. */
function fieldsOf(schema: unknown, name = ''): string[] {
  if (schema instanceof z.ZodNullable || schema instanceof z.ZodOptional || schema instanceof z.ZodDefault)
    return fieldsOf(schema.unwrap(), name);
  if (schema instanceof z.ZodArray) return fieldsOf(schema.element, name);
  if (schema instanceof z.ZodDiscriminatedUnion) return schema.options.flatMap((option) => fieldsOf(option, name));
  if (schema instanceof z.ZodObject)
    return [
      name,
      ...Object.entries(schema.shape).flatMap(([key, value]) => fieldsOf(value, name === '' ? key : `${name}.${key}`)),
    ];
  return [name];
}

/** The same of a document. */
function membersOf(value: unknown, name = ''): string[] {
  if (Array.isArray(value)) return [name, ...value.flatMap((item) => membersOf(item, name))];
  if (typeof value !== 'object' || value === null || value instanceof Timestamp) return [name];
  return [
    name,
    ...Object.entries(value).flatMap(([key, inner]) => membersOf(inner, name === '' ? key : `${name}.${key}`)),
  ];
}

const SCHEMAS = {
  grants: grantSchema,
  jobs: jobRecordSchema,
  service_accounts: accountSchema,
  barriers: barriersSchema,
};

interface Stored {
  readonly collection: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Every kind of document, as the ledgers write it. */
async function everyDocument(): Promise<Stored[]> {
  const { firestore, dump } = createMemoryFirestore();
  let now = START;
  const clock = () => now;
  const issuing = createIssuingLedger(firestore, clock);
  const sweep = createSweepLedger(firestore, clock);
  const kill = createKillLedger(firestore, clock);
  const ending = createEndingLedger(firestore, clock);
  for (const [credentialName, credential] of Object.entries(credentials())) {
    const reserved = await issuing.reserve(requestOf(credentialName, credential), () => {});
    if ('refusal' in reserved) throw new Error(reserved.refusal.reason);
    const { grant, latest } = reserved;
    const token = { grant_id: idOf(grant), sha256: 'a'.repeat(64), expires_at: latest };
    const leased = grant.kind === 'pooled_service_account' ? { service_account: grant.service_account } : {};
    await issuing.activate({ ...token, ...leased }, reserved);
  }
  const named = (grant_id: string) => ({ project: 'acme-data', database: '(default)', grant_id });
  const opened = { roles: ['config'], expires_at: now + 900_000 };
  await createGrantDocumentOpener(() => firestore)(named('open'), opened);
  await createGrantDocumentCloser(() => firestore)(named('closed'), now);
  const selector = { ...ALL_NAMED, since_at: now };
  const act = { selector, by: 'ada', reason: 'INC-7', bars: true, thrown_at: now, lifted_at: null, lifted_by: null };
  await kill.record('an-act', act);
  await sweep.mayAskBuildkite(1000);
  now += 1000;
  await ending.endJob({ job_id: JOB, pipeline_id: undefined, by: 'job.finished' });
  return [...dump()].map(([path, data]) => ({ collection: path.split('/')[0] ?? '', data }));
}

const JOB = '11111111-0000-4000-8000-000000000000';
const ALL_NAMED = {
  ...{ job_id: JOB, pipeline_id: 'p', pipeline_slug: 'app', build_branch: 'main', agent_id: 'a', credential: 'config' },
  ...{ environment: 'staging', policy_sha256: 'f'.repeat(64) },
};

function credentials(): Readonly<Record<string, Credential>> {
  const policy = parsePolicyText(
    `version: 1
organization: { slug: acme-inc }
audience: https://keydesk.acme.example
credentials:
  config: { environment: staging, ttl: 15m, firestore: { project: acme-data, apiKey: k, signer: signer@acme-data.iam.gserviceaccount.com, allow: [{ path: "c/{d}", verbs: [get] }] } }
  cache: { environment: staging, ttl: 15m, storage: { serviceAccount: cache@acme-ci.iam.gserviceaccount.com, bucket: acme-cache, prefix: a/, role: roles/storage.objectViewer } }
  admin: { environment: staging, ttl: 15m, serviceAccount: { pool: [${ACCOUNT}], scopes: [https://www.googleapis.com/auth/datastore] } }
rules: [{ name: all, job: { pipeline_slug: app }, grants: [config, cache, admin] }]
`,
    'policy.yaml',
  );
  if ('problems' in policy) throw new Error(policy.problems.join('\n'));
  return policy.policy.credentials;
}

function requestOf(credentialName: string, credential: Credential): Request {
  const parsed = parseClaims({
    ...{ organization_slug: 'acme-inc', pipeline_slug: 'app', build_number: 1, build_branch: 'main' },
    ...{ build_commit: 'c0ffee', job_id: JOB, agent_id: '22222222-0000-4000-8000-000000000000' },
  });
  if ('invalidClaim' in parsed) throw new Error(parsed.invalidClaim);
  const caps = { issuesPerMinute: 60, liveGrantsPerPipeline: 100 };
  const { claims } = parsed;
  return { claims, credentialName, credential, rule: 'all', policySha256: 'f'.repeat(64), ttl: 900, caps };
}

describe('docs/STORAGE.md', () => {
  let documents: Stored[];
  beforeAll(async () => {
    documents = await everyDocument();
  });
  const of = (collection: string) => documents.filter((document) => document.collection === collection);
  const topLevel = (collection: string) => (told[collection] ?? []).filter((field) => !field.includes('.'));

  it('has a part for every collection that the sources name, and for no other', () => {
    const named = sources().flatMap((source) => [...source.matchAll(/\.collection\('([^']+)'\)/g)]);
    const collections = [...new Set([...named.map(([, name]) => name), GRANT_COLLECTION])].sort();
    expect(Object.keys(told).sort()).toEqual(collections);
    expect([...new Set(documents.map(({ collection }) => collection))].sort()).toEqual(collections);
  });

  it.each(Object.keys(told))('names every field of %s once, with its members, and none that there is not', (name) => {
    const schema = SCHEMAS[name as keyof typeof SCHEMAS];
    const fields = [...(schema ? fieldsOf(schema) : []), ...of(name).flatMap(({ data }) => membersOf(data))];
    expect([...(told[name] ?? [])].sort()).toEqual([...new Set(fields)].filter((field) => field !== '').sort());
  });

  it('gives a selector the same members wherever one is stored', () => {
    const membersIn = (collection: string, prefix: string) =>
      told[collection]?.filter((field) => field.startsWith(prefix)).map((field) => field.slice(prefix.length));
    expect(membersIn('kill_switches', 'selector.')?.sort()).toEqual(
      membersIn('barriers', 'barriers.selector.')?.sort(),
    );
  });

  it('names the fields by which Firestore deletes, as they are in firestore.indexes.json', () => {
    const deleting = indexFile.fieldOverrides.filter(({ ttl }) => ttl);
    const rows = byCollection('## Deletion').map(([collection, [field = '']]) => [collection, codeIn(field)[0]]);
    expect(rows.sort()).toEqual(deleting.map(({ collectionGroup, fieldPath }) => [collectionGroup, fieldPath]).sort());
    const rest = partOf(page, '## Deletion').split('\n').at(-2) ?? '';
    const kept = Object.keys(told).filter((name) => !deleting.some(({ collectionGroup }) => collectionGroup === name));
    expect(codeIn(rest).sort()).toEqual(kept.sort());
  });

  it('says after how many days each is deleted', async () => {
    const days = (later: unknown, earlier: unknown) => {
      if (!(later instanceof Timestamp && earlier instanceof Timestamp)) throw new Error('not two times');
      return (later.toMillis() - earlier.toMillis()) / DAY;
    };
    const account = await freedAccount();
    const measured: Record<string, number[]> = {
      grants: of('grants').map(({ data }) => days(data.delete_at, data.expires_at)),
      jobs: of('jobs').map(({ data }) => days(data.delete_at, data.ended_at)),
      keydesk_grants: of('keydesk_grants').map(({ data }) => days(data.delete_at, data.expires_at)),
      service_accounts: [((account.delete_at ?? 0) - account.freed_at) / DAY],
    };
    expect(of('service_accounts').map(({ data }) => data.delete_at)).toEqual([null]);
    for (const [collection, [, when = '']] of byCollection('## Deletion')) {
      const [, said] = /^([0-9]+) days after/.exec(when) ?? [];
      expect([collection, new Set(measured[collection])]).toEqual([collection, new Set([Number(said)])]);
    }
  });

  it('names every index of several fields', () => {
    const rows = byCollection('## Indexes').flatMap(([collection, [several = '']]) =>
      [...several.matchAll(/`([a-z_]+)`((?: \+ `[a-z_]+`)+)/g)].map(
        ([whole]) => `${collection}: ${codeIn(whole).join(', ')}`,
      ),
    );
    const real = indexFile.indexes.map(
      ({ collectionGroup, fields }) => `${collectionGroup}: ${fields.map(({ fieldPath }) => fieldPath).join(', ')}`,
    );
    expect(rows.sort()).toEqual(real.sort());
  });

  it('names of every collection the single fields that firestore.indexes.json leaves indexed', () => {
    const rows = byCollection('## Indexes');
    expect(rows.map(([collection]) => collection).sort()).toEqual(Object.keys(told).sort());
    for (const [collection, [, single = '']] of rows) {
      const exempted = indexFile.fieldOverrides.filter(({ collectionGroup }) => collectionGroup === collection);
      const left = topLevel(collection).filter((field) => !exempted.some(({ fieldPath }) => fieldPath === field));
      expect([collection, codeIn(single).sort()]).toEqual([collection, left.sort()]);
    }
  });
});

it('firestore.indexes.json exempts no field that docs/STORAGE.md does not have', () => {
  for (const { collectionGroup, fieldPath } of indexFile.fieldOverrides)
    expect([collectionGroup, fieldPath, told[collectionGroup]?.includes(fieldPath)]).toEqual([
      collectionGroup,
      fieldPath,
      true,
    ]);
});

function sources(): string[] {
  const files = ['shared', 'functions', 'cli'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
  );
  return files.filter((name) => name.endsWith('.ts')).map(read);
}

/** A pooled account that served, was disabled, rested and is enabled again; and when that was. */
async function freedAccount() {
  const { firestore } = createMemoryFirestore();
  const clock = () => START;
  const issuing = createIssuingLedger(firestore, clock);
  const { admin } = credentials();
  if (!admin) throw new Error('no such credential');
  await issuing.reserve(requestOf('admin', admin), () => {});
  const leased = toAccount(await accountDocument(firestore, ACCOUNT).get());
  if (!leased) throw new Error('no account was leased');
  const freed_at = leased.rests_until;
  const claimed = beginToWake({ ...leased, state: 'resting' }, freed_at);
  const free = claimed && wake(claimed, freed_at, freed_at);
  if (!free) throw new Error('the account was not freed');
  return { ...free, freed_at };
}
