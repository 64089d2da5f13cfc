// Functions of this release together with functions of the release before, on the same ledger: what one issued, the other renews, ends
// and sweeps, in both directions. See docs/STORAGE.md, "Versions".

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Firestore } from '@google-cloud/firestore';
import { PassThroughClient } from 'google-auth-library';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { type FakeBuildkite, startFakeBuildkite } from '../../sandbox/fakes/buildkite/buildkite.ts';
import type { Job } from '../../sandbox/fakes/buildkite/job.ts';
import { API_TOKEN } from '../../sandbox/fakes/buildkite/rest-api.ts';
import { type FakeGoogle, startFakeGoogle } from '../../sandbox/fakes/google/google.ts';
import { ROOT, type RunningFunction, startFunction } from '../../sandbox/functions.ts';
import { SCHEMA_VERSION } from '../../shared/core/schema-version.ts';
import { buildOlderRelease } from './older-release.ts';

const WEBHOOK_TOKEN = 'releases-webhook-token';
const LEDGER = { project: 'releases-test', database: 'ledger' };
const POOL = ['ci-001', 'ci-002', 'ci-003'].map((name) => `${name}@acme-ci-pool.iam.gserviceaccount.com`);
const EXPORT = 'export@acme-staging.iam.gserviceaccount.com';
const CREDENTIALS = ['staging-config', 'staging-admin', 'staging-export'] as const;
const RELEASES = ['this', 'before'] as const;
type Release = (typeof RELEASES)[number];
type Target = 'token' | 'webhook' | 'sweep';

/** A pool of the one account that the example's policy shares. */
const POOL_OF_THE_SHARED = `
version: 1
organization: { slug: acme-inc }
audience: https://keydesk.acme.example
environments: { staging: {} }
credentials:
  admin:
    environment: staging
    ttl: 15m
    serviceAccount: { pool: [${EXPORT}], scopes: [https://www.googleapis.com/auth/datastore] }
rules:
  - { name: all, match: { pipeline_slug: app }, grants: [admin] }
`;

describe('functions of two releases', () => {
  const folder = mkdtempSync(join(tmpdir(), 'keydesk-releases-'));
  const ledger = new Firestore({
    ...{ projectId: LEDGER.project, databaseId: LEDGER.database, preferRest: true },
    ...{ host: inject('firestoreHost'), ssl: false, authClient: new PassThroughClient() },
  });
  let buildkite: FakeBuildkite;
  let google: FakeGoogle;
  let settings: Record<string, string>;
  let folders: Record<Target, string>;
  let functions: Record<Release, Record<Target, RunningFunction>>;

  async function start(release: Release, target: Target, more: Record<string, string> = {}): Promise<RunningFunction> {
    const variables = { ...settings, ...more, GCE_METADATA_HOST: google.metadataHosts[target] };
    return startFunction(target, variables, release === 'before' ? { folder: folders[target] } : {});
  }

  beforeAll(async () => {
    buildkite = await startFakeBuildkite({ audience: 'https://keydesk.acme.example', webhookToken: WEBHOOK_TOKEN });
    const signer = 'keydesk-signer@acme-staging.iam.gserviceaccount.com';
    google = await startFakeGoogle({ accounts: [...POOL, EXPORT, signer] });
    settings = {
      KEYDESK_POLICY: join(ROOT, 'examples/policy.yaml'),
      GOOGLE_CLOUD_PROJECT: LEDGER.project,
      KEYDESK_DATABASE: LEDGER.database,
      KEYDESK_WEBHOOK_TOKENS: WEBHOOK_TOKEN,
      KEYDESK_ISSUER: buildkite.url,
      KEYDESK_IAMCREDENTIALS_URL: google.url,
      KEYDESK_IAM_URL: google.url,
      KEYDESK_BUILDKITE_API_URL: buildkite.url,
      KEYDESK_BUILDKITE_API_TOKEN: API_TOKEN,
      KEYDESK_IDENTITYTOOLKIT_URL: `http://${inject('authHost')}/identitytoolkit.googleapis.com`,
      FIRESTORE_EMULATOR_HOST: inject('firestoreHost'),
    };
    folders = await buildOlderRelease(folder);
    const of = async (release: Release) => {
      const [token, webhook, sweep] = [
        await start(release, 'token'),
        await start(release, 'webhook'),
        await start(release, 'sweep'),
      ];
      return { token, webhook, sweep };
    };
    functions = { this: await of('this'), before: await of('before') };
  });
  beforeEach(() => {
    google.fault = undefined;
  });
  afterAll(async () => {
    const started = RELEASES.flatMap((release) => Object.values(functions[release]));
    await Promise.all(started.map(({ running }) => running.stop()));
    await Promise.all([buildkite.close(), google.close(), ledger.terminate()]);
    rmSync(folder, { recursive: true });
  });

  async function requestToken(url: string, job: Job, credential: string) {
    const headers = { authorization: `Bearer ${await buildkite.jobToken(job)}` };
    const response = await fetch(`${url}/token/${credential}`, { method: 'POST', headers });
    return { status: response.status, json: (await response.json()) as Record<string, unknown> };
  }
  const requestAll = (release: Release, job: Job) =>
    Promise.all(CREDENTIALS.map((credential) => requestToken(functions[release].token.url, job, credential)));
  async function end(release: Release, job: Job): Promise<unknown> {
    const body = buildkite.event(job);
    const headers = { 'x-buildkite-signature': buildkite.signature(body) };
    return (await fetch(`${functions[release].webhook.url}/`, { method: 'POST', headers, body })).json();
  }
  async function sweep(release: Release) {
    const response = await fetch(`${functions[release].sweep.url}/`, { method: 'POST' });
    return (await response.json()) as Record<string, unknown>;
  }
  async function grantsOf({ id }: Job) {
    const { docs } = await ledger.collection('grants').where('subject.id', '==', id).get();
    return new Map(docs.map((grant) => [grant.get('credential') as string, grant]));
  }

  it.each([
    ['this', 'before'],
    ['before', 'this'],
  ] as const)('what %s release issues, the other (%s) renews, ends and sweeps', async (issuing, other) => {
    const job = buildkite.startJob();
    const issued = await requestAll(issuing, job);
    expect(issued.map(({ status }) => status)).toEqual([200, 200, 200]);
    const renewed = await requestAll(other, job);
    expect(renewed.map(({ status, json }) => [status, json.grant_id])).toEqual(
      issued.map(({ json }) => [200, json.grant_id]),
    );
    expect((await requestAll(issuing, job)).map(({ status }) => status)).toEqual([200, 200, 200]);
    expect((await grantsOf(job)).get('staging-config')?.get('tokens_issued')).toBe(3);

    // IAM disables nothing yet, so a sweep has to go on with what the webhook began.
    google.fault = ({ method }) => (method === 'disable' ? { kind: 'status', status: 503 } : undefined);
    expect(await end(other, job)).toMatchObject({ result: 'job_ended', revoked: 1, not_renewed: 1, pending: 1 });
    for (const release of RELEASES)
      for (const { status, json } of await requestAll(release, job))
        expect([status, json.error]).toEqual([400, 'invalid_grant']);
    google.fault = undefined;
    expect(await sweep(issuing)).toMatchObject({ revoked: 1 });
    expect(await sweep(other)).toMatchObject({ revoked: 0 });

    const grants = await grantsOf(job);
    expect(CREDENTIALS.map((credential) => grants.get(credential)?.get('state'))).toEqual([
      'revoked',
      'revoked',
      'active',
    ]);
    for (const grant of grants.values()) expect(grant.get('ended_by')).toBe('job.finished');
    const account = grants.get('staging-admin')?.get('service_account');
    expect(google.accounts.get(account)).toEqual({ disabled: true });
    expect((await ledger.collection('service_accounts').doc(account).get()).get('state')).toBe('cooling_down');
    expect(google.unexpected).toEqual([]);
  });

  it('the older one leaves a field that it does not know as it is', async () => {
    const job = buildkite.startJob();
    await requestAll('this', job);
    const finishedAt = async () =>
      [...(await grantsOf(job)).values()].map((grant) => grant.data().job_finished_at as unknown);
    expect(await finishedAt()).toEqual([null, null, null]);
    await requestAll('before', job);
    expect(await finishedAt()).toEqual([null, null, null]);
    await end('this', job);
    const recorded = await finishedAt();
    expect(recorded).not.toContain(null);
    await sweep('before');
    expect(await finishedAt()).toEqual(recorded);
  });

  it('the older one leases no account in a state that it does not know, and says which release wrote the record', async () => {
    await requestToken(functions.this.token.url, buildkite.startJob(), 'staging-export');
    const record = await ledger.collection('service_accounts').doc(EXPORT).get();
    expect([record.get('state'), record.get('schema_version')]).toEqual(['shared', SCHEMA_VERSION]);
    const policy = join(folder, 'policy.yaml');
    writeFileSync(policy, POOL_OF_THE_SHARED);
    const token = await start('before', 'token', { KEYDESK_POLICY: policy });
    try {
      const { status, json } = await requestToken(token.url, buildkite.startJob(), 'admin');
      expect([status, json.error]).toEqual([503, 'temporarily_unavailable']);
    } finally {
      await token.running.stop();
    }
    await sweep('before');
    const line = functions.before.sweep.running
      .output()
      .split('\n')
      .find((text) => text.includes('"task.failed"') && text.includes(EXPORT));
    expect(JSON.parse(line ?? '{}')).toMatchObject({ code: 'unreadable_record', service_account: EXPORT });
    expect((await ledger.collection('service_accounts').doc(EXPORT).get()).data()).toEqual(record.data());
  });
});
