// What a grant costs, counted on the real issuance, end and sweep over Firestore in memory and a Google that only counts.
// Documents are counted as Firestore bills them: a document that does not exist, and a query without results, are one
// read each. docs/OPERATIONS.md shows the same figures, from scripts/docs/grant-costs.ts.

import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { createSweepDeps } from '../../functions/sweep/dependencies.ts';
import { createTokenDeps } from '../../functions/token/dependencies.ts';
import { BUSY_ISSUE_READS, COUNTED, GRANT_COSTS, IDLE_SWEEP_READS } from '../../scripts/docs/grant-costs.ts';
import { parseClaims } from '../../shared/core/policy/claims.ts';
import { parsePolicy } from '../../shared/core/policy/parse-yaml.ts';
import { parseSettings } from '../../shared/core/settings.ts';
import { endJob } from '../../shared/operations/end-job.ts';
import { issueToken } from '../../shared/operations/issue-token.ts';
import { sweep } from '../../shared/operations/sweep.ts';
import type { HttpClient } from '../../shared/runtime/http-client.ts';
import { type Around, createMemoryFirestore } from '../fixtures/memory-firestore.ts';
import { TestClock } from '../fixtures/test-clock.ts';

const MINUTE = 60_000;
const START = Date.parse('2026-11-24T10:00:00Z');

/** As many accounts as an issuance reads of a pool in which one is free. */
function poolOf(name: string): string {
  return Array.from({ length: 8 }, (_, nth) => `pool-${name}-${nth}@acme-ci.iam.gserviceaccount.com`).join(', ');
}

/** Credentials, each of a `ttl` of 15 minutes. */
const CREDENTIALS = {
  firestore: 'firestore: { database: data, allow: [{ path: "c/{d}", verbs: [get] }] }',
  'shared account':
    'serviceAccount: { email: one-ci@acme-ci.iam.gserviceaccount.com, scopes: [https://www.googleapis.com/auth/datastore] }',
  'shared account, narrowed':
    'storage: { serviceAccount: two-ci@acme-ci.iam.gserviceaccount.com, bucket: b-one, role: roles/storage.objectViewer }',
  'pooled account': `serviceAccount: { pool: [${poolOf('one')}], scopes: [https://www.googleapis.com/auth/datastore] }`,
  'pooled account, narrowed': `storage: { pool: [${poolOf('two')}], bucket: b-two, role: roles/storage.objectViewer }`,
} as const satisfies Record<keyof typeof GRANT_COSTS, string>;
type Kind = keyof typeof CREDENTIALS;

type Counts = Record<(typeof COUNTED)[number], number>;
const none = (): Counts => ({ reads: 0, writes: 0, mints: 0, sts: 0, 'iam reads': 0, 'iam writes': 0 });

function openCountedKeydesk(kind: Kind) {
  let counts = none();
  const clock = new TestClock(START);
  const around: Around = async (call, perform) => {
    const response: unknown = perform();
    if (call.kind === 'write') counts.writes += call.paths.length;
    else counts.reads += call.paths[0]?.includes('/') ? call.paths.length : documentsOf(response);
    return response as ReturnType<typeof perform>;
  };
  const disabled = new Set<string>();
  let serial = 0;
  let signed: unknown;
  const sendRequest: HttpClient = async ({ dependency, url, method, json }) => {
    const response = (json: unknown) => ({ status: 200, headers: new Headers(), json });
    const account = decodeURIComponent(/serviceAccounts\/([^/:]+)/.exec(url)?.[1] ?? '');
    serial += 1;
    switch (dependency) {
      case 'iamcredentials generateAccessToken':
        counts.mints += 1;
        return response({
          accessToken: `ya29.t${serial}`,
          expireTime: new Date(clock.now() + 15 * MINUTE).toISOString(),
        });
      case 'iamcredentials signJwt':
        counts.mints += 1;
        signed = z.object({ payload: z.string().transform((text) => JSON.parse(text)) }).parse(json).payload;
        return response({ signedJwt: `jwt${serial}` });
      case 'identitytoolkit signInWithCustomToken':
        return response({ idToken: idTokenFor(signed, clock.now()), expiresIn: '3600' });
      case 'sts token':
        counts.sts += 1;
        return response({ access_token: `ya29.d${serial}`, token_type: 'Bearer', expires_in: 900 });
      case 'iam serviceAccounts.get':
        counts['iam reads'] += 1;
        return response({ email: account, disabled: disabled.has(account) });
      case 'iam serviceAccounts.disable':
      case 'iam serviceAccounts.enable':
        expect(method).toBe('POST');
        counts['iam writes'] += 1;
        if (dependency.endsWith('disable')) disabled.add(account);
        else disabled.delete(account);
        return response({});
      default:
        throw new Error(`not expected: ${dependency}`);
    }
  };
  const policy = parsePolicy(
    `version: 1
organization: { slug: acme-inc }
audience: https://keydesk.acme.example
environments: { staging: {} }
databases: { data: { project: acme-data, apiKey: k, signer: signer@acme-data.iam.gserviceaccount.com } }
credentials: { it: { environment: staging, ttl: 15m, ${CREDENTIALS[kind]} } }
rules: [{ name: all, match: { pipeline_slug: app }, grants: [it] }]
`,
    'policy.yaml',
  );
  if ('problems' in policy) throw new Error(policy.problems.join('\n'));
  const ledger = createMemoryFirestore({ around }).firestore;
  const documents = createMemoryFirestore({ around }).firestore;
  const parsed = parseSettings({ GOOGLE_CLOUD_PROJECT: 'acme-keydesk' });
  if ('problems' in parsed) throw new Error(parsed.problems.join('\n'));
  const network = {
    openDatabase: ({ project }: { readonly project: string }) => (project === 'acme-data' ? documents : ledger),
    sendRequest,
    sendAsService: sendRequest,
  };
  const deps = { settings: parsed.settings, clock, network };
  const { warmUp: _, ...clients } = createTokenDeps({ ...deps, audit: () => {} });
  const verifyJobToken = async (jobToken: string) => ({ claims: claimsOf(jobToken) });
  const issuing = { policy, verifyJobToken, ...clients, clock };
  const unexpected = () => Promise.reject(new Error('no job is due for a check'));
  const ending = { ...createSweepDeps(deps), buildkiteJobs: { job: unexpected, page: unexpected } };
  return {
    /** What it costs. */
    async counted(work: () => Promise<unknown>): Promise<Counts> {
      counts = none();
      await work();
      return counts;
    },
    later: (milliseconds: number) => {
      clock.advance(milliseconds);
    },
    issueToken: async (job: string) => {
      const requested = { jobToken: job, credentialName: 'it', scopes: [], lifetime: undefined };
      const result = await issueToken(issuing, requested, 'request');
      expect(result.outcome).toBe('issued');
    },
    endJob: (job: string) => endJob(ending, { job_id: job, pipeline_id: undefined, by: 'job.finished' }),
    sweep: () => sweep(ending),
    disabled,
  };
}

/** What Google returns for a custom token. */
function idTokenFor(customToken: unknown, now: number): string {
  const { uid, claims } = z
    .object({ uid: z.string(), claims: z.object({ keydesk_grant: z.string() }) })
    .parse(customToken);
  const iat = Math.floor(now / 1000);
  const payload = {
    ...{ iss: 'https://securetoken.google.com/acme-data', aud: 'acme-data', sub: uid, user_id: uid },
    ...{ iat, exp: iat + 3600, ...claims, firebase: { identities: {}, sign_in_provider: 'custom' } },
  };
  return `e30.${Buffer.from(JSON.stringify(payload)).toString('base64url')}.signature`;
}

/** Of a query; a count costs one read for each thousand that it counts. */
function documentsOf(response: unknown): number {
  const found = (response as { docs?: unknown[] }).docs ?? response;
  return Array.isArray(found) ? Math.max(1, found.length) : 1;
}

function claimsOf(job_id: string) {
  const parsed = parseClaims({
    organization_slug: 'acme-inc',
    pipeline_slug: 'app',
    build_number: 1,
    build_branch: 'main',
    build_commit: 'c0ffee',
    job_id,
    agent_id: 'f892efa9-103e-4d28-97a1-3b8616a0994d',
  });
  if ('invalidClaim' in parsed) throw new Error(parsed.invalidClaim);
  return parsed.claims;
}

const JOB = '11111111-0000-4000-8000-000000000000';
const ANOTHER_JOB = '22222222-0000-4000-8000-000000000000';

/** A job of four minutes that asks once and whose webhook comes; then a sweep a minute until nothing is left to do. */
async function lifeOf(kind: Kind) {
  const keydesk = openCountedKeydesk(kind);
  const idle = await keydesk.counted(keydesk.sweep);
  const given = await keydesk.counted(() => keydesk.issueToken(JOB));
  keydesk.later(MINUTE);
  const renewed = await keydesk.counted(() => keydesk.issueToken(JOB));
  const fresh = openCountedKeydesk(kind);
  await fresh.issueToken(JOB);
  fresh.later(4 * MINUTE);
  const ended = await fresh.counted(() => fresh.endJob(JOB));
  const swept = none();
  for (let minutes = 0; minutes < 30; minutes += 1) {
    fresh.later(MINUTE);
    const { reads, ...counts } = await fresh.counted(fresh.sweep);
    // The four queries that each sweep makes, and the accounts that it reads, are the sweep's own.
    swept.reads += reads - idle.reads;
    for (const name of COUNTED) if (name !== 'reads') swept[name] += counts[name];
  }
  expect(fresh.disabled.size).toBe(0);
  return { idle, given, renewed, ended, swept };
}

describe('the cost of a grant', () => {
  it.each(Object.keys(CREDENTIALS) as Kind[])('is what it is at each step, and no more: %s', async (kind) => {
    const { given, renewed, ended, swept } = await lifeOf(kind);
    const row = (counts: Counts) => COUNTED.map((name) => counts[name]);
    expect({ issue: row(given), renewal: row(renewed), end: row(ended), sweep: row(swept) }).toEqual(GRANT_COSTS[kind]);
  });

  it.each(['firestore', 'shared account', 'shared account, narrowed'] as const)(
    'is fewer reads on an instance that has issued within the last minute: %s',
    async (kind) => {
      const keydesk = openCountedKeydesk(kind);
      await keydesk.issueToken(JOB);
      keydesk.later(MINUTE / 2);
      const { reads, writes } = await keydesk.counted(() => keydesk.issueToken(ANOTHER_JOB));
      // The shared account is on record by then.
      expect({ reads, writes }).toEqual({ reads: BUSY_ISSUE_READS, writes: kind === 'firestore' ? 4 : 3 });
    },
  );

  it('is the same few reads for each sweep that has nothing to do', async () => {
    const { idle } = await lifeOf('firestore');
    expect(idle).toEqual({ ...none(), reads: IDLE_SWEEP_READS });
  });
});
