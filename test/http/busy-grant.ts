// One credential of each kind, issued by any number of instances over one ledger in memory, whose reads and commits take
// their time by the test's clock.

import type { Firestore } from '@google-cloud/firestore';
import { createTokenDeps } from '../../functions/token/dependencies.ts';
import { LookupLimit } from '../../functions/token/lookup-limit.ts';
import { createTokenHandler } from '../../functions/token/routes.ts';
import type { AuditEvent } from '../../shared/audit/events.ts';
import type { JobClaims } from '../../shared/core/policy/claims.ts';
import { type LoadedPolicy, parsePolicy } from '../../shared/core/policy/parse-yaml.ts';
import { parseSettings } from '../../shared/core/settings.ts';
import { type IssueDeps, issueToken } from '../../shared/operations/issue-token.ts';
import { createAdminDeps } from '../../shared/wiring/admin.ts';
import { jobClaims } from '../fixtures/job-claims.ts';
import { type Around, createMemoryFirestore } from '../fixtures/memory-firestore.ts';
import { noConditions } from '../fixtures/no-conditions.ts';
import { TestClock } from '../fixtures/test-clock.ts';

const START = Date.UTC(2026, 10, 24);

/** @param rules what `rules` of the policy lists */
export function policyWith(
  rules = '{ name: all, match: { pipeline_slug: app }, grants: [config, export, admin] }',
): LoadedPolicy {
  const policy = parsePolicy(
    `version: 1
organization: { slug: acme-inc }
audience: https://keydesk.acme.example
environments: { staging: {} }
databases: { data: { project: acme-data, apiKey: web-key, signer: signer@acme-data.iam.gserviceaccount.com } }
credentials:
  config:
    environment: staging
    ttl: 15m
    firestore:
      database: data
      allow: [{ path: "config/{document=**}", verbs: [get] }]
  export:
    environment: staging
    ttl: 15m
    serviceAccount: { email: export@acme-data.iam.gserviceaccount.com, scopes: [https://www.googleapis.com/auth/datastore] }
  admin:
    environment: staging
    ttl: 15m
    serviceAccount:
      pool: [ci-001@acme-data.iam.gserviceaccount.com, ci-002@acme-data.iam.gserviceaccount.com]
      scopes: [https://www.googleapis.com/auth/datastore]
rules: [${rules}]
`,
    'policy.yaml',
  );
  if ('problems' in policy) throw new Error(policy.problems.join('\n'));
  return policy;
}

export interface Latency {
  /** Milliseconds. */
  readonly read: number;
  readonly commit: number;
}

export interface Response {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly body: Record<string, unknown>;
  readonly entries: readonly AuditEvent[];
  /** Milliseconds by the test's clock. */
  readonly latencyMs: number;
}

export type Instance = ReturnType<BusyGrant['instance']>;

export class BusyGrant {
  readonly clock = new TestClock(START);
  readonly ledger: Firestore;
  readonly claims: JobClaims = jobClaims();
  policy = policyWith();
  mints = 0;
  /** Each round trip to the ledger and to the grant documents, and each mint, in their order. */
  readonly calls: string[] = [];
  /** What a mint waits for. */
  beforeMint: () => Promise<unknown> = () => this.clock.sleep(40);
  /** What happens before a commit takes effect; it is refused with what this throws. */
  beforeCommit: (paths: readonly string[]) => void = () => {};
  /** What happens after a commit has taken effect, before its response arrives. */
  afterCommit: (paths: readonly string[]) => Promise<unknown> = async () => {};
  readonly #databases: { readonly ledger: Firestore; readonly documents: Firestore };
  #requests = 0;

  constructor({ read, commit }: Latency = { read: 12, commit: 35 }) {
    const around: Around = async ({ kind, paths }, perform) => {
      this.calls.push(`${kind} ${[...new Set(paths.map((path) => path.split('/')[0]))].join(', ')}`);
      await this.clock.sleep((kind === 'read' ? read : commit) / 2);
      if (kind === 'write') this.beforeCommit(paths);
      const response = perform();
      if (kind === 'write') await this.afterCommit(paths);
      await this.clock.sleep((kind === 'read' ? read : commit) / 2);
      return response;
    };
    const documents = createMemoryFirestore({ around }).firestore;
    this.ledger = createMemoryFirestore({ around }).firestore;
    this.#databases = { ledger: this.ledger, documents };
  }

  /** Holds every mint until the function that it returns is called. */
  holdMints(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.beforeMint = () => promise;
    return resolve;
  }

  #deps() {
    const parsed = parseSettings({ GOOGLE_CLOUD_PROJECT: 'acme-keydesk' });
    if ('problems' in parsed) throw new Error(parsed.problems.join('\n'));
    const { ledger, documents } = this.#databases;
    const sendRequest = () => Promise.reject(new Error('nobody expected a request'));
    const openDatabase = ({ project }: { readonly project: string }) => (project === 'acme-data' ? documents : ledger);
    const network = { openDatabase, sendRequest, sendAsService: sendRequest };
    return { settings: parsed.settings, clock: this.clock, network };
  }

  /** The operator's clients. */
  get killSwitchDeps() {
    return createAdminDeps(this.#deps());
  }

  /** An instance of `token`. A job token is the JSON of the claims that differ. */
  instance() {
    const { warmUp: _, ...clients } = createTokenDeps({ ...this.#deps(), audit: () => {} });
    const issuing = (): IssueDeps => ({
      ...{ ...clients, ...noConditions },
      policy: this.policy,
      clock: this.clock,
      verifyJobToken: async (jobToken) => ({ claims: { ...this.claims, ...JSON.parse(jobToken) } }),
      mint: async ({ latestExpiry, ttl }) => {
        this.mints += 1;
        this.calls.push('mint');
        const accessToken = `ya29.${'a'.repeat(100)}-${this.mints}`;
        await this.beforeMint();
        return { accessToken, expires_at: Math.min(latestExpiry, this.clock.now() + ttl * 1000) };
      },
    });
    const handler = createTokenHandler({
      issueToken: (requested, request_id) => issueToken(issuing(), requested, request_id),
      lookUpToken: async () => undefined,
      releaseGrant: () => Promise.reject(new Error('nobody expected a release')),
      policySha256: this.policy.sha256,
      contact: undefined,
      clock: this.clock,
      lookups: new LookupLimit({ clock: this.clock, audit: () => {} }),
    });
    return async (credential: string, more: Record<string, string> = {}, claims = {}): Promise<Response> => {
      const from = this.clock.now();
      this.#requests += 1;
      const form = {
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token: JSON.stringify(claims),
        subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
        audience: credential,
        ...more,
      };
      const { status, headers, body, auditEvents } = await handler({
        method: 'POST',
        path: '/token',
        query: '',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: Buffer.from(String(new URLSearchParams(form))),
        request_id: `request-${this.#requests}`,
        remoteIp: undefined,
        audit: () => {},
      });
      return {
        status,
        retryAfter: headers?.['retry-after'],
        body: body as Record<string, unknown>,
        entries: auditEvents ?? [],
        latencyMs: this.clock.now() - from,
      };
    };
  }

  /** The one grant's record. */
  async record() {
    const { docs } = await this.ledger.collection('grants').where('subject.id', '==', this.claims.job_id).get();
    return docs[0]?.data() as
      | { tokens_issued: number; rate_window_count: number; tokens: { sha256: string }[] }
      | undefined;
  }
}
