// Policy changes while grants live: what was issued by the earlier one stays on record as it was, ends with its job as it
// would have, and no account serves a pool while a token of its earlier life may be accepted.

import { afterEach, describe, expect, it } from 'vitest';
import { parsePolicy } from '../../shared/core/policy/parse-yaml.ts';
import {
  databaseOf,
  firestoreAs,
  type InProcessKeydesk,
  openInProcessKeydesk,
} from '../fixtures/in-process-keydesk.ts';

const MINUTE = 60_000;
const READ = 'https://www.googleapis.com/auth/devstorage.read_only';
const WRITE = 'https://www.googleapis.com/auth/devstorage.read_write';

/** The credentials of a policy in which `one` and `two` are accounts, and `deploy` is what jobs are granted. */
const CREDENTIALS = {
  shared: 'deploy: { environment: staging, ttl: 10m, serviceAccount: { email: ONE, scopes: [READ] } }',
  pooled: 'deploy: { environment: staging, ttl: 10m, serviceAccount: { pool: [ONE], scopes: [READ] } }',
  'pooled, of two': 'deploy: { environment: staging, ttl: 10m, serviceAccount: { pool: [ONE, TWO], scopes: [READ] } }',
  'pooled, of the other': 'deploy: { environment: staging, ttl: 10m, serviceAccount: { pool: [TWO], scopes: [READ] } }',
  'pooled, of the other, while the first retires':
    'deploy: { environment: staging, ttl: 10m, serviceAccount: { pool: [TWO], retiring: [ONE], scopes: [READ] } }',
  'in another pool': `deploy: { environment: staging, ttl: 10m, serviceAccount: { pool: [TWO], scopes: [READ] } }
  release: { environment: staging, ttl: 10m, serviceAccount: { pool: [ONE], scopes: [READ] } }`,
  'under another name': 'release: { environment: staging, ttl: 10m, serviceAccount: { pool: [ONE], scopes: [READ] } }',
  'of another environment':
    'deploy: { environment: production, ttl: 10m, serviceAccount: { pool: [ONE], scopes: [READ] } }',
  'shared, with another scope':
    'deploy: { environment: staging, ttl: 10m, serviceAccount: { email: ONE, scopes: [WRITE] } }',
  'a database': `deploy: { environment: staging, ttl: 10m, firestore: { database: data,
      allow: [{ path: "config/{document=**}", verbs: [read, write] }] } }`,
  'a database with another signer': `deploy: { environment: staging, ttl: 10m, firestore: { database: resigned,
      allow: [{ path: "config/{document=**}", verbs: [read, write] }] } }`,
  'another database': `deploy: { environment: staging, ttl: 10m, firestore: { database: other,
      allow: [{ path: "config/{document=**}", verbs: [read, write] }] } }`,
  removed: 'other: { environment: staging, ttl: 10m, serviceAccount: { email: THREE, scopes: [READ] } }',
} as const;
type Policy = keyof typeof CREDENTIALS;

const addressesIn = (project: string) => ({
  ONE: `ci-one@${project}.iam.gserviceaccount.com`,
  TWO: `ci-two@${project}.iam.gserviceaccount.com`,
  THREE: `ci-three@${project}.iam.gserviceaccount.com`,
  READ,
  WRITE,
});

function policyText(credentials: string, project: string): string {
  const names = [...credentials.matchAll(/^ *([a-z]+): \{ environment/gm)].map(([, name]) => name);
  const text = Object.entries(addressesIn(project)).reduce(
    (known, [name, value]) => known.replaceAll(name, value),
    credentials,
  );
  return `
version: 1
organization: { slug: acme-inc }
audience: https://keydesk.acme.example
environments: { staging: {}, production: {} }
databases:
  data: { project: ${project}, apiKey: web-key, signer: signer@${project}.iam.gserviceaccount.com }
  resigned: { project: ${project}, apiKey: web-key, signer: signer-two@${project}.iam.gserviceaccount.com }
  other: { project: ${project}, database: other, apiKey: web-key, signer: signer@${project}.iam.gserviceaccount.com }
credentials:
  ${text}
rules:
  - { name: deploy, match: { pipeline_slug: app }, grants: [${names.join(', ')}] }
`;
}

describe('a policy that changes while grants live', () => {
  let keydesk: InProcessKeydesk;
  const open = async (policy: Policy) => {
    // Google knows every account from the start: what a policy names is made before it is deployed.
    const everything = `${CREDENTIALS['a database']}
  data: ${CREDENTIALS['another database'].slice('deploy: '.length)}
  resigned: ${CREDENTIALS['a database with another signer'].slice('deploy: '.length)}
  shared: ${CREDENTIALS.shared.slice('deploy: '.length)}
  pair: { environment: staging, ttl: 10m, serviceAccount: { pool: [TWO, THREE], scopes: [READ] } }`;
    keydesk = await openInProcessKeydesk({ policy: (project) => policyText(everything, project) });
    change(policy);
  };
  const change = (policy: Policy) => {
    const loaded = parsePolicy(policyText(CREDENTIALS[policy], keydesk.project), 'policy.yaml');
    if ('problems' in loaded) throw new Error(loaded.problems.join('\n'));
    keydesk.tokenDeps.policy = loaded;
  };
  afterEach(async () => {
    expect(keydesk.google.unexpected).toEqual([]);
    await keydesk.close();
  });

  const later = (milliseconds: number) => keydesk.clock.advance(milliseconds);
  const newJob = () => {
    const job = keydesk.buildkite.startJob();
    const request = async (credential = 'deploy') => {
      const issuedAt = Math.floor(keydesk.clock.now() / 1000);
      return keydesk.requestByPath(await keydesk.buildkite.jobToken(job, { issuedAt }), credential);
    };
    const issued = async (credential?: string) => {
      const response = await request(credential);
      expect(response.status).toBe(200);
      return { ...response.json, account: response.audit[0].service_account } as Record<string, string>;
    };
    return { request, issued, finish: async () => (await keydesk.notify(keydesk.buildkite.event(job))).json };
  };
  const gate = ({ access_token }: Record<string, string>) => keydesk.gate(access_token as string);
  const account = async (email: string) =>
    (await databaseOf(keydesk.project, 'ledger').collection('service_accounts').doc(email).get()).data();
  const grant = async ({ grant_id }: Record<string, string>) =>
    (
      await databaseOf(keydesk.project, 'ledger')
        .collection('grants')
        .doc(grant_id as string)
        .get()
    ).data();
  /** Sweeps each minute until the job gets it. @returns minutes */
  const minutesUntilIssued = async (request: () => Promise<{ status: number }>) => {
    for (let minutes = 0; minutes <= 60; minutes += 1) {
      if ((await request()).status === 200) return minutes;
      later(MINUTE);
      await keydesk.sweep();
    }
    throw new Error('not within an hour');
  };

  it('shared to pooled: the pool waits until no token of the shared account is accepted', async () => {
    await open('shared');
    const first = newJob();
    const old = await first.issued();
    change('pooled');
    const second = newJob();
    const refused = await second.request();
    expect(refused).toMatchObject({ status: 503, json: { error: 'temporarily_unavailable' } });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(10 * 60);
    expect(await first.finish()).toMatchObject({ not_renewed: 1 });
    const minutes = await minutesUntilIssued(second.request);
    expect(minutes).toBeGreaterThanOrEqual(11);
    expect(minutes).toBeLessThanOrEqual(30);
    expect(await gate(old)).toBe(401);
    // Nor does the end of the second job, and what follows, bring it back.
    await second.finish();
    for (let minute = 0; minute < 15; minute += 1) {
      later(MINUTE);
      await keydesk.sweep();
      expect(await gate(old)).toBe(401);
    }
  });

  it('pooled to shared: nobody shares it before the job that leased it has ended and it has cooled down', async () => {
    await open('pooled');
    const first = newJob();
    const old = await first.issued();
    change('shared');
    const second = newJob();
    expect(await second.request()).toMatchObject({ status: 503 });
    expect(await gate(old)).toBe(200);
    // The job that holds it learns that its credential is another now; its tokens end with it.
    expect((await first.request()).json).toMatchObject({ error: 'invalid_grant' });
    expect(await first.finish()).toMatchObject({ revoked: 1 });
    expect(await gate(old)).toBe(401);
    await minutesUntilIssued(second.request);
    const shared = await second.issued();
    expect(await gate(shared)).toBe(200);
    expect(await gate(old)).toBe(401);
    for (let minute = 0; minute < 5; minute += 1) {
      later(MINUTE);
      await keydesk.sweep();
      expect(await gate(shared)).toBe(200);
    }
  });

  it.each([
    ['pool to pool', 'in another pool', 'release'],
    ['the credential renamed', 'under another name', 'release'],
    ['the environment changed', 'of another environment', 'deploy'],
  ] as const)(
    '%s: the account serves its job until that has ended, and then the other',
    async (_, next, credential) => {
      await open('pooled');
      const first = newJob();
      const old = await first.issued();
      change(next);
      const second = newJob();
      expect(await second.request(credential)).toMatchObject({ status: 503 });
      expect(await first.request()).not.toMatchObject({ status: 200 });
      expect(await gate(old)).toBe(200);
      expect(await grant(old)).toMatchObject({ credential: 'deploy', environment: 'staging' });
      expect(await first.finish()).toMatchObject({ revoked: 1 });
      expect(await gate(old)).toBe(401);
      expect(await minutesUntilIssued(() => second.request(credential))).toBeGreaterThanOrEqual(11);
      expect(await gate(old)).toBe(401);
    },
  );

  it.each([
    ['the pool shrunk', 'pooled, of the other'],
    ['the credential removed', 'removed'],
  ] as const)('%s: what was issued ends with its job, and the account comes back', async (_, next) => {
    await open('pooled');
    const first = newJob();
    const old = await first.issued();
    change(next);
    expect((await first.request()).json).toMatchObject({ error: expect.stringMatching(/^invalid_/) });
    expect(await gate(old)).toBe(200);
    expect(await first.finish()).toMatchObject({ revoked: 1 });
    expect(await gate(old)).toBe(401);
    for (let minute = 0; minute < 15; minute += 1) {
      later(MINUTE);
      await keydesk.sweep();
    }
    expect(await account(old.account as string)).toMatchObject({ state: 'free' });
    expect(await gate(old)).toBe(401);
  });

  it('the pool grown: the job keeps its account', async () => {
    await open('pooled');
    const first = newJob();
    const old = await first.issued();
    change('pooled, of two');
    expect(await first.issued()).toMatchObject({ account: old.account });
    const other = await newJob().issued();
    expect(other.account).not.toBe(old.account);
  });

  it('an account retires: its job renews its token until the job ends, and no other job gets it', async () => {
    await open('pooled');
    const first = newJob();
    const old = await first.issued();
    change('pooled, of the other, while the first retires');
    const second = newJob();
    const new_ = await second.issued();
    expect(new_.account).not.toBe(old.account);
    later(5 * MINUTE);
    const renewed = await first.issued();
    expect(renewed).toMatchObject({ account: old.account, grant_id: old.grant_id });
    expect(await newJob().request()).toMatchObject({ status: 503, json: { error: 'temporarily_unavailable' } });
    expect(await first.finish()).toMatchObject({ revoked: 1, pending: 0 });
    for (const ended of [old, renewed]) expect(await gate(ended)).toBe(401);
    expect(await gate(new_)).toBe(200);
    // Its cooldown ends as ever, and then the policy can drop it: nothing waits for it any more.
    const email = old.account as string;
    for (let minute = 0; minute < 15; minute += 1) {
      later(MINUTE);
      await keydesk.sweep();
    }
    expect(await account(email)).toMatchObject({ state: 'free', grant_id: null });
    expect(keydesk.google.accounts.get(email)).toEqual({ disabled: false });
    expect((await newJob().issued()).account).not.toBe(email);
    expect(await newJob().request()).toMatchObject({ status: 503 });
    for (const ended of [old, renewed]) expect(await gate(ended)).toBe(401);
  });

  it('an account retires: its lost job is found by expiry, and it is free then', async () => {
    await open('pooled');
    const old = await newJob().issued();
    change('pooled, of the other, while the first retires');
    later(12 * MINUTE);
    await keydesk.sweep();
    expect(await grant(old)).toMatchObject({ state: 'expired' });
    expect(await account(old.account as string)).toMatchObject({ state: 'free' });
    expect((await newJob().issued()).account).not.toBe(old.account);
  });

  it('the signer changed: jobs renew with the new one, and tokens of both end with the job', async () => {
    await open('a database');
    const signers = () => keydesk.google.calls.flatMap((call) => (call.method === 'signJwt' ? [call.account] : []));
    const [one, two] = ['signer', 'signer-two'].map((name) => `${name}@${keydesk.project}.iam.gserviceaccount.com`);
    const first = newJob();
    const old = await first.issued();
    expect(signers()).toEqual([one]);
    change('a database with another signer');
    later(5 * MINUTE);
    const renewed = await first.issued();
    const other = await newJob().issued();
    expect(renewed.grant_id).toBe(old.grant_id);
    expect(signers()).toEqual([one, two, two]);
    const write = ({ access_token }: Record<string, string>) =>
      firestoreAs(keydesk, access_token as string, 'config/web', { method: 'PATCH' });
    for (const live of [old, renewed, other]) expect(await write(live)).toBe(200);
    expect(await first.finish()).toMatchObject({ revoked: 1, pending: 0 });
    for (const ended of [old, renewed]) expect(await write(ended)).toBe(403);
    expect(await write(other)).toBe(200);
  });

  it('the database changed: the job is refused there, and its token ends where it was issued', async () => {
    await open('a database');
    const first = newJob();
    const old = await first.issued();
    change('another database');
    expect((await first.request()).json).toMatchObject({ error: 'invalid_grant' });
    expect(await firestoreAs(keydesk, old.access_token as string, 'config/web', { method: 'PATCH' })).toBe(200);
    expect(await first.finish()).toMatchObject({ revoked: 1 });
    expect(await firestoreAs(keydesk, old.access_token as string, 'config/web', { method: 'PATCH' })).toBe(403);
  });

  it('the scope changed: the record says what each live token opens, until the earlier ones have ended', async () => {
    await open('shared');
    const first = newJob();
    const old = await first.issued();
    const before = await grant(old);
    change('shared, with another scope');
    const renewed = await first.issued();
    expect(renewed.grant_id).toBe(old.grant_id);
    const record = await grant(renewed);
    expect(record).toMatchObject({
      scopes: [WRITE],
      superseded: [{ scopes: [READ], storage: null, rule: 'deploy', policy_sha256: before?.policy_sha256 }],
    });
    expect(record?.superseded[0].expires_at).toEqual(before?.tokens[0].expires_at);
    later(12 * MINUTE);
    await first.issued();
    expect(await grant(renewed)).toMatchObject({ scopes: [WRITE], superseded: [] });
  });
});
