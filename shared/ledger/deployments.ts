// The ledger's records of what is deployed: one for each function, and the text of each policy that was in force. No guarantee depends
// on them. They are for people who ask what runs, and on what basis a grant was issued.

import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import type * as z from 'zod';
import {
  type Deployment,
  deploymentSchema,
  toSweepDeployment,
  toTokenDeployment,
  toWebhookDeployment,
} from '../core/deployment/deployment.ts';
import { MAX_PLAIN_TEXT_BYTES, policyRecordSchema } from '../core/deployment/policy-record.ts';
import { POLICY_RETENTION_MS } from '../core/timing.ts';
import type { Database, DocumentSnapshot } from '../firestore/database.ts';
import { isMissing, parseAll, parseRecord, putIfUnchanged, retryOnConflict } from '../firestore/records.ts';
import { toStored, toStoredRecord } from '../firestore/stored-record.ts';
import type { DeploymentLedger } from '../operations/ports.ts';
import type { Clock } from '../runtime/clock.ts';
import { DependencyError, toDependencyError } from '../runtime/errors.ts';
import { withLedgerTimeout } from './documents.ts';

const compress = promisify(gzip);
const decompress = promisify(gunzip);
/** Bytes of a text that is decompressed. No policy is as long. */
const MAX_TEXT_BYTES = 64 * 1024 * 1024;

export function createDeploymentLedger(ledger: Database, clock: Clock): DeploymentLedger {
  const deploymentDocument = (name: Deployment['function']) => ledger.collection('deployments').doc(name);
  const policyDocument = (sha256: string) => ledger.collection('policies').doc(sha256);

  const retry = (attempt: () => Promise<void>) => retryOnConflict(clock, attempt).catch(throwAsLedgers);

  const write = (name: Deployment['function'], next: (known: Deployment | undefined) => Deployment) =>
    retry(async () => {
      const read = await deploymentDocument(name).get();
      const batch = ledger.batch();
      putIfUnchanged(batch, read.ref, read.updateTime, next(readableDeployment(read)));
      await batch.commit();
    });

  const writePolicy = async (sha256: string, text: string, started_at: number) => {
    if (sha256Of(text) !== sha256) throw new Error(`the text of the policy does not have the SHA-256 ${sha256}`);
    const started = { last_started_at: started_at, delete_at: started_at + POLICY_RETENTION_MS };
    await retry(async () => {
      try {
        await policyDocument(sha256).update(toStored(started));
      } catch (error) {
        if (!isMissing(error)) throw error;
        const policy = { ...(await toStoredText(text)), first_used_at: started_at, ...started };
        await policyDocument(sha256).create(toStoredRecord(policy));
      }
    });
  };

  return {
    recordToken: async (instance, { sha256, text, teams }) => {
      const next = (known: Deployment | undefined) =>
        toTokenDeployment(known, { instance, policy_sha256: sha256, teams, now: clock.now() });
      const writes = [writePolicy(sha256, text, instance.started_at), write('token', next)];
      const failed = (await Promise.allSettled(writes)).find(({ status }) => status === 'rejected');
      if (failed?.status === 'rejected') throw failed.reason;
    },
    recordWebhook: (instance, keys) =>
      write('webhook', (known) => toWebhookDeployment(known, { instance, keys, now: clock.now() })),
    recordSweep: (instance, news) =>
      write('sweep', (known) => toSweepDeployment(known, { instance, news, now: clock.now() })),
    recordAdmin: (instance) => write('admin', () => ({ function: 'admin', ...instance, written_at: clock.now() })),
    apiTokenCheckedAt: async (token) => {
      const known = readableDeployment(await withLedgerTimeout(clock, deploymentDocument('sweep').get()));
      return known?.function === 'sweep' ? (known[token]?.checked_at ?? null) : null;
    },
    namedTeams: async () => {
      const known = toDeployment(await withLedgerTimeout(clock, deploymentDocument('token').get()));
      if (known?.function !== 'token') return { organization_slug: null, teams_max_age: null, teams: [] };
      const { organization_slug, teams_max_age, teams } = known;
      return { organization_slug, teams_max_age, teams };
    },
    deployments: async () => {
      const { docs } = await withLedgerTimeout(clock, ledger.collection('deployments').get());
      const { loaded, unreadable } = parseAll(docs, toDeployment);
      return { deployments: loaded.map(({ record }) => record), unreadable };
    },
    policy: async (sha256) => {
      const record = parseRecord(policyRecordSchema, await withLedgerTimeout(clock, policyDocument(sha256).get()));
      if (!record) return undefined;
      const { first_used_at, last_started_at } = record;
      return { text: await toText(sha256, record), first_used_at, last_started_at };
    },
  };
}

/** These writes have no deadline, which would name the ledger. A fault of Keydesk stays one. */
function throwAsLedgers(error: unknown): never {
  const isFirestores = error instanceof Error && 'code' in error && typeof error.code === 'number';
  throw isFirestores ? toDependencyError('ledger', error) : error;
}

function toDeployment(snapshot: DocumentSnapshot): Deployment | undefined {
  const record = parseRecord(deploymentSchema, snapshot);
  if (record && record.function !== snapshot.id)
    throw new DependencyError('ledger', 'unreadable_record', `${snapshot.ref.path} is the record of another function`);
  return record;
}

/** Undefined also for one that cannot be read: the next write replaces its fields. */
function readableDeployment(snapshot: DocumentSnapshot): Deployment | undefined {
  return parseAll([snapshot], toDeployment).loaded[0]?.record;
}

async function toStoredText(text: string) {
  if (Buffer.byteLength(text) <= MAX_PLAIN_TEXT_BYTES) return { text, text_gzip: null };
  return { text: null, text_gzip: await compress(text) };
}

async function toText(sha256: string, record: z.output<typeof policyRecordSchema>): Promise<string> {
  const unreadable = (detail: string) =>
    new DependencyError('ledger', 'unreadable_record', `policies/${sha256} cannot be read: ${detail}`);
  const text = record.text ?? (await decompressed(record.text_gzip).catch(() => undefined));
  if (text === undefined) throw unreadable('it has no text, or one that cannot be decompressed');
  if (sha256Of(text) !== sha256) throw unreadable('its text has another SHA-256');
  return text;
}

async function decompressed(bytes: Uint8Array | null): Promise<string | undefined> {
  return bytes === null ? undefined : (await decompress(bytes, { maxOutputLength: MAX_TEXT_BYTES })).toString('utf8');
}

function sha256Of(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
