// The whole desk inside the test's process, over real HTTP: the handlers as deployed, the real emulators, the local
// Buildkite and Google. Unlike the deployed one its clock can be moved, and its parts can be held at any point.

import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inject } from 'vitest';
import { createEnding } from '../functions/ending.ts';
import { type Failures, type Handler, listen } from '../functions/http.ts';
import { createIssuing } from '../functions/issuing.ts';
import { createSweepHandler, SWEEP_BODY_LIMIT, SWEEP_FAILURES } from '../functions/sweep-handler.ts';
import { createSweeping } from '../functions/sweeping.ts';
import { createTokenHandler, TOKEN_BODY_LIMIT, TOKEN_FAILURES } from '../functions/token-handler.ts';
import { createWebhookHandler, WEBHOOK_BODY_LIMIT, WEBHOOK_FAILURES } from '../functions/webhook-handler.ts';
import { API_TOKEN, type LocalBuildkite, startBuildkite } from '../sandbox/buildkite/buildkite.ts';
import { accountsOf, bucketsOf } from '../sandbox/desk.ts';
import { putRules } from '../sandbox/emulators.ts';
import { type LocalGoogle, startGoogle } from '../sandbox/google/google.ts';
import { createAudit } from '../shared/audit.ts';
import { IssuerKeys } from '../shared/buildkite/issuer-keys.ts';
import { createJobTokenVerifier } from '../shared/buildkite/job-token.ts';
import { databasesOf, newRulesFile } from '../shared/core/firestore-rules.ts';
import { parseSettings, type Settings } from '../shared/core/settings.ts';
import { endGrant, endJob } from '../shared/end-job.ts';
import { type HandOutParts, handOut } from '../shared/hand-out.ts';
import { createDatabaseOpener } from '../shared/ledger/firestore-client.ts';
import { ask } from '../shared/outgoing.ts';
import { parsePolicyText } from '../shared/policy-text.ts';
import { sweep } from '../shared/sweep.ts';
import type { SweepParts } from '../shared/sweep-step.ts';

export const WEBHOOK_TOKENS = ['first-webhook-token', 'second-webhook-token'];
export const AUDIENCE = 'https://keydesk.acme.example';

/** A policy with every kind of credential; its projects are the test's own, so that tests don't meet in the emulator. */
function policyText(project: string): string {
  return `
version: 1
organization: { slug: acme-inc, id: f892efa9-103e-4d28-97a1-3b8616a0994d }
audience: ${AUDIENCE}
credentials:
  staging-config:
    environment: staging
    ttl: 15m
    firestore:
      project: ${project}
      apiKey: web-key
      signer: signer@${project}.iam.gserviceaccount.com
      allow: [{ path: "config/{document=**}", verbs: [read, write] }]
  staging-export:
    environment: staging
    ttl: 10m
    serviceAccount:
      email: export@${project}.iam.gserviceaccount.com
      scopes: [https://www.googleapis.com/auth/datastore, https://www.googleapis.com/auth/devstorage.read_only]
  staging-admin:
    environment: staging
    ttl: 15m
    serviceAccount:
      pool: [ci-001@${project}.iam.gserviceaccount.com, ci-002@${project}.iam.gserviceaccount.com, ci-003@${project}.iam.gserviceaccount.com]
      scopes: [https://www.googleapis.com/auth/cloud-platform]
  staging-cache:
    environment: staging
    ttl: 10m
    storage:
      serviceAccount: cache@${project}.iam.gserviceaccount.com
      bucket: ${project}-cache
      prefix: warm/
      role: roles/storage.objectUser
  staging-artifacts:
    environment: staging
    ttl: 10m
    storage:
      pool: [cache-001@${project}.iam.gserviceaccount.com, cache-002@${project}.iam.gserviceaccount.com, cache-003@${project}.iam.gserviceaccount.com, cache-004@${project}.iam.gserviceaccount.com, cache-005@${project}.iam.gserviceaccount.com]
      bucket: ${project}-artifacts
      role: roles/storage.objectViewer
  production-config:
    environment: production
    ttl: 5m
    firestore:
      project: ${project}
      apiKey: web-key
      signer: signer@${project}.iam.gserviceaccount.com
      allow: [{ path: "live/{document}", verbs: [get] }]
rules:
  - name: deploy to staging
    job: { pipeline_id: 0184990a-4782-42b5-afc1-16715b10b1f0, build_branch: [main, "release/*"] }
    grants: [staging-config, staging-export, staging-admin, staging-cache, staging-artifacts]
`;
}

export interface InProcessDesk {
  readonly project: string;
  readonly settings: Settings;
  readonly buildkite: LocalBuildkite;
  readonly google: LocalGoogle;
  readonly tokenUrl: string;
  readonly webhookUrl: string;
  readonly sweepUrl: string;
  /** Milliseconds since the epoch, as every part sees it. */
  readonly clock: { now: number | undefined };
  /** The parts of the hand-out and of the end; replace members to hold or break them. */
  readonly issuing: { -readonly [K in keyof HandOutParts]: HandOutParts[K] };
  readonly ending: { -readonly [K in keyof SweepParts]: SweepParts[K] };
  readonly keys: IssuerKeys;
  /** The audit log, parsed; raw lines beside it. */
  readonly audit: Record<string, unknown>[];
  readonly lines: string[];
  /** The audit line of a request. */
  auditOf(requestId: unknown): Record<string, unknown>;
  /** A request with the audit lines it caused. */
  call(url: string, init?: RequestInit): Promise<Called>;
  askByPath(jobToken: string, credential?: string): Promise<Called>;
  askByForm(jobToken: string, credential?: string, more?: Record<string, string>): Promise<Called>;
  notify(body: string, options?: { signature?: string; headers?: Record<string, string> }): Promise<Called>;
  revoke(accessToken: string): Promise<Called>;
  introspect(accessToken: string): Promise<Called>;
  /** What a Google API answers the holder of a service account's token. */
  gate(accessToken: string): Promise<number>;
  sweep(): Promise<Called>;
  close(): Promise<void>;
}

export interface Called {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests read answers they are about to check
  readonly json: any;
  // biome-ignore lint/suspicious/noExplicitAny: tests read lines they are about to check
  readonly audit: any[];
}

/** Opens a desk of its own: own projects, own ledger database, own keys. */
export async function openInProcessDesk(
  options: {
    readonly policy?: (project: string) => string;
    readonly settings?: Record<string, string>;
    /** Beside those that policy names. */
    readonly buckets?: readonly string[];
  } = {},
): Promise<InProcessDesk> {
  const project = `acme-${randomBytes(5).toString('hex')}`;
  process.env.FIRESTORE_EMULATOR_HOST = inject('firestoreHost');
  const policy = parsePolicyText((options.policy ?? policyText)(project), 'policy.yaml');
  if ('problems' in policy) throw new Error(policy.problems.join('\n'));
  const clock: { now: number | undefined } = { now: undefined };
  const now = () => clock.now ?? Date.now();

  const buildkite = await startBuildkite({ audience: AUDIENCE, webhookToken: WEBHOOK_TOKENS[0] as string, now });
  const google = await startGoogle({
    accounts: accountsOf(policy.policy),
    buckets: [...bucketsOf(policy.policy), ...(options.buckets ?? [])],
    now,
  });
  process.env.GCE_METADATA_HOST = google.metadataHost;
  for (const name of databasesOf(policy.policy))
    await putRules(inject('firestoreHost'), name.project, name.database, newRulesFile(policy.policy, name));

  const parsed = parseSettings({
    GOOGLE_CLOUD_PROJECT: project,
    KEYDESK_DATABASE: 'ledger',
    KEYDESK_ISSUER: buildkite.url,
    KEYDESK_IAMCREDENTIALS_URL: google.url,
    KEYDESK_IAM_URL: google.url,
    KEYDESK_STS_URL: google.url,
    KEYDESK_BUILDKITE_API_URL: buildkite.url,
    KEYDESK_BUILDKITE_API_TOKEN: API_TOKEN,
    KEYDESK_IDENTITYTOOLKIT_URL: `http://${inject('authHost')}/identitytoolkit.googleapis.com`,
    ...options.settings,
  });
  if ('problems' in parsed) throw new Error(parsed.problems.join('\n'));
  const { settings } = parsed;
  const keys = new IssuerKeys({ issuer: settings.KEYDESK_ISSUER, ask, now });
  const verifyJobToken = createJobTokenVerifier({
    issuer: settings.KEYDESK_ISSUER,
    policy: policy.policy,
    keyOf: keys.keyOf,
  });
  const { warm, ...clients } = createIssuing({ settings, emulator: true, now });
  await warm();
  const issuing = { policy, verifyJobToken, ...clients, now };
  const { lookUpToken } = createEnding({ settings, emulator: true, now });
  const ending: InProcessDesk['ending'] = { ...createSweeping({ settings, emulator: true, now }) };

  const lines: string[] = [];
  const audit: Record<string, unknown>[] = [];
  const write = (line: string) => {
    lines.push(line);
    audit.push(JSON.parse(line) as Record<string, unknown>);
  };
  const auditing = createAudit({ project, write });
  const servers = await Promise.all([
    serve(
      createTokenHandler({
        handOut: (asked) => handOut(issuing, asked),
        lookUpToken,
        returnGrant: (grant) => endGrant(ending, grant, { by: 'early_return' }),
        now,
      }),
      TOKEN_FAILURES,
      TOKEN_BODY_LIMIT,
    ),
    serve(
      createWebhookHandler({ webhookTokens: WEBHOOK_TOKENS, endJob: (end) => endJob(ending, end), now }),
      WEBHOOK_FAILURES,
      WEBHOOK_BODY_LIMIT,
    ),
    serve(createSweepHandler({ sweep: () => sweep(ending), now }), SWEEP_FAILURES, SWEEP_BODY_LIMIT),
  ]);
  async function serve(handler: Handler, failures: Failures, bodyLimit: number) {
    const server = createServer(listen({ handler, failures, bodyLimit, audit: auditing, now }));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  }
  const [tokenUrl, webhookUrl, sweepUrl] = servers.map(({ url }) => url) as [string, string, string];

  const call = async (url: string, init: RequestInit = {}): Promise<Called> => {
    const answer = await fetch(url, init);
    const text = await answer.text();
    const requestId = answer.headers.get('x-request-id');
    return {
      status: answer.status,
      headers: answer.headers,
      text,
      json: answer.headers.get('content-type')?.startsWith('application/json') ? JSON.parse(text) : undefined,
      audit: audit.filter((line) => line.request_id === requestId),
    };
  };

  return {
    project,
    settings,
    buildkite,
    google,
    tokenUrl,
    webhookUrl,
    sweepUrl,
    clock,
    issuing,
    ending,
    keys,
    audit,
    lines,
    auditOf: (requestId) => audit.find((line) => line.request_id === requestId) ?? {},
    call,
    askByPath: (jobToken, credential = 'staging-config') =>
      call(`${tokenUrl}/token/${credential}`, { method: 'POST', headers: { authorization: `Bearer ${jobToken}` } }),
    askByForm: (jobToken, credential = 'staging-config', more = {}) =>
      call(`${tokenUrl}/token`, {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
          subject_token: jobToken,
          subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
          audience: credential,
          ...more,
        }),
      }),
    notify: (body, { signature, headers = {} } = {}) =>
      call(`${webhookUrl}/`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'x-buildkite-signature': signature ?? buildkite.signature(body, Math.floor(now() / 1000)),
          ...headers,
        },
        body,
      }),
    revoke: (accessToken) =>
      call(`${tokenUrl}/revoke`, { method: 'POST', body: new URLSearchParams({ token: accessToken }) }),
    introspect: (accessToken) =>
      call(`${tokenUrl}/introspect`, { method: 'POST', body: new URLSearchParams({ token: accessToken }) }),
    gate: async (accessToken) => {
      const answer = await fetch(`${google.url}/gate`, { headers: { authorization: `Bearer ${accessToken}` } });
      await answer.body?.cancel();
      return answer.status;
    },
    sweep: () => call(`${sweepUrl}/`, { method: 'POST' }),
    close: async () => {
      await Promise.all([
        ...servers.map(
          ({ server }) =>
            new Promise((resolve) => {
              server.close(resolve);
              server.closeAllConnections();
            }),
        ),
        buildkite.close(),
        google.close(),
      ]);
    },
  };
}

/** The emulator's database, read past the rules. */
export function databaseOf(project: string, database: string) {
  process.env.FIRESTORE_EMULATOR_HOST = inject('firestoreHost');
  return createDatabaseOpener(true)({ project, database });
}

/** What Firestore answers a holder of `accessToken`, judged by the rules. */
export async function firestoreAs(
  accessToken: string,
  project: string,
  path: string,
  init: RequestInit = {},
): Promise<number> {
  const answer = await fetch(
    `http://${inject('firestoreHost')}/v1/projects/${project}/databases/(default)/documents/${path}`,
    { ...init, headers: { authorization: `Bearer ${accessToken}`, 'content-type': 'application/json' } },
  );
  await answer.body?.cancel();
  return answer.status;
}
