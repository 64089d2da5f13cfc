// A desk in simulated time: the parts of the three functions as they are composed for deployment, the real Firestore
// emulator, the local Google and Buildkite over HTTP, and one clock that all of them go by and that moves only when told.

import { randomBytes } from 'node:crypto';
import { Firestore } from '@google-cloud/firestore';
import { createIssuing } from '../functions/issuing.ts';
import { createSweeping } from '../functions/sweeping.ts';
import { API_TOKEN, type Job, type LocalBuildkite, startBuildkite } from '../sandbox/buildkite/buildkite.ts';
import { accountsOf } from '../sandbox/desk.ts';
import { type Fault, underFault } from '../sandbox/google/fault.ts';
import { type LocalGoogle, startGoogle } from '../sandbox/google/google.ts';
import { jsonServer } from '../sandbox/local-server.ts';
import { IssuerKeys } from '../shared/buildkite/issuer-keys.ts';
import { createJobTokenVerifier } from '../shared/buildkite/job-token.ts';
import type { Policy } from '../shared/core/policy.ts';
import type { Refusal } from '../shared/core/refusal.ts';
import { parseSettings } from '../shared/core/settings.ts';
import { endJob, type JobEnding } from '../shared/end-job.ts';
import { type HandOut, type HandOutParts, handOut } from '../shared/hand-out.ts';
import { ask } from '../shared/outgoing.ts';
import { parsePolicyText } from '../shared/policy-text.ts';
import { type Swept, sweep } from '../shared/sweep.ts';
import type { SweepParts } from '../shared/sweep-step.ts';
import { Unavailable } from '../shared/unavailable.ts';
import type { Clock } from './agenda.ts';

const AUDIENCE = 'https://keydesk.acme.example';
const ID_TOKEN_SECONDS = 3600;

export type Issued = Extract<HandOut, { outcome: 'issued' }>;
export type Asked = Issued | { readonly outcome: 'refused'; readonly refusal: Refusal };

/** What can be asked of Google; the last is Identity Toolkit's. */
export type GoogleMethod = LocalGoogle['calls'][number]['method'] | 'signInWithCustomToken';

export interface SimulatedDesk {
  readonly project: string;
  readonly policy: Policy;
  readonly clock: Clock;
  readonly buildkite: LocalBuildkite;
  readonly google: LocalGoogle;
  /** What ends: of `webhook` and of `sweep`. Replace members to break it. */
  readonly ending: { -readonly [K in keyof SweepParts]: SweepParts[K] };
  /** The databases, read past the service and past the rules. */
  readonly ledger: Firestore;
  readonly documents: Firestore;
  /** How a call to Google goes wrong, if it does. `job_id` is the job it is made for. */
  fault: ((method: GoogleMethod, account: string, job_id: string | undefined) => Fault | undefined) | undefined;
  /** A job token as the job can get one until it ends, which is at `until`. */
  jobToken(job: Job, until?: number): Promise<string>;
  ask(jobToken: string, credential: string): Promise<Asked>;
  /** Hears that a job finished. Undefined when that could not be recorded. */
  endJob(job_id: string): Promise<JobEnding | undefined>;
  sweep(): Promise<Swept>;
  close(): Promise<void>;
}

/**
 * @param parts.credentials of the policy, as YAML; every job of the desk is granted all of them. `PROJECT` stands for the
 * desk's own project, so that desks don't meet in the emulator
 */
export async function openSimulatedDesk(parts: {
  readonly firestoreHost: string;
  readonly clock: Clock;
  readonly credentials: string;
}): Promise<SimulatedDesk> {
  const { clock } = parts;
  const now = () => clock.now;
  const project = `simulated-${randomBytes(5).toString('hex')}`;
  const loaded = parsePolicyText(policyText(parts.credentials.replaceAll('PROJECT', project)), 'simulated.yaml');
  if ('problems' in loaded) throw new Error(loaded.problems.join('\n'));

  const buildkite = await startBuildkite({ audience: AUDIENCE, webhookToken: 'simulated-webhook-token', now });
  const google = await startGoogle({ accounts: accountsOf(loaded.policy), now });
  const toolkit = await jsonServer('local Identity Toolkit', (request) =>
    underFault(desk.fault?.('signInWithCustomToken', '', undefined), () =>
      request.path === '/v1/accounts:signInWithCustomToken'
        ? { status: 200, json: { idToken: randomBytes(32).toString('base64url'), expiresIn: String(ID_TOKEN_SECONDS) } }
        : { status: 404 },
    ),
  );
  google.fault = ({ method, account, reason }) =>
    desk.fault?.(method, account, reason?.startsWith('buildkite-job/') ? reason.slice(14) : undefined);

  // The service's identity is the local Google's, never the developer's own.
  delete process.env.GOOGLE_APPLICATION_CREDENTIALS;
  process.env.HOME = '/nonexistent';
  process.env.GCE_METADATA_HOST = google.metadataHost;
  process.env.FIRESTORE_EMULATOR_HOST = parts.firestoreHost;
  const parsed = parseSettings({
    GOOGLE_CLOUD_PROJECT: project,
    KEYDESK_DATABASE: 'ledger',
    KEYDESK_ISSUER: buildkite.url,
    KEYDESK_IAMCREDENTIALS_URL: google.url,
    KEYDESK_IAM_URL: google.url,
    KEYDESK_BUILDKITE_API_URL: buildkite.url,
    KEYDESK_BUILDKITE_API_TOKEN: API_TOKEN,
    KEYDESK_IDENTITYTOOLKIT_URL: toolkit.url,
  });
  if ('problems' in parsed) throw new Error(parsed.problems.join('\n'));
  const { settings } = parsed;
  const { keyOf } = new IssuerKeys({ issuer: settings.KEYDESK_ISSUER, ask, now });
  const verifyJobToken = createJobTokenVerifier({ issuer: settings.KEYDESK_ISSUER, policy: loaded.policy, keyOf });
  const clients = createIssuing({ settings, emulator: true, now });
  const issuing: HandOutParts = { policy: loaded, verifyJobToken, ...clients, now };
  const ending = createSweeping({ settings, emulator: true, now });
  await Promise.all([clients.warm(), ending.warm()]);
  // By gRPC, which costs the many looks less than the service's REST.
  const ledger = new Firestore({ projectId: project, databaseId: settings.KEYDESK_DATABASE });
  const documents = new Firestore({ projectId: project });

  const desk: SimulatedDesk = {
    project,
    policy: loaded.policy,
    clock,
    buildkite,
    google,
    ending: { ...ending },
    ledger,
    documents,
    fault: undefined,
    jobToken: (job, until = clock.now) =>
      buildkite.jobToken(job, { issuedAt: Math.floor(Math.min(clock.now, until) / 1000) }),
    ask: async (jobToken, credentialName) => {
      try {
        return await handOut(issuing, { jobToken, credentialName, scopes: [], lifetime: undefined });
      } catch (error) {
        if (!Unavailable.is(error)) throw error;
        const { what, message: detail, retryAfter } = error;
        return { outcome: 'refused', refusal: { reason: 'unavailable', what, detail, retryAfter } };
      }
    },
    endJob: (job_id) => unlessUnavailable(endJob(desk.ending, { job_id, pipeline_id: undefined, by: 'job.finished' })),
    sweep: () => sweep(desk.ending),
    close: async () => {
      await Promise.all([ledger.terminate(), documents.terminate()]);
      await Promise.all([buildkite.close(), google.close(), toolkit.close()]);
    },
  };
  return desk;
}

/** What a promise comes to; undefined when something that the service depends on was unavailable. */
export async function unlessUnavailable<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (Unavailable.is(error)) return undefined;
    throw error;
  }
}

function policyText(credentials: string): string {
  const names = [...credentials.matchAll(/^ {2}([a-z-]+):$/gm)].map(([, name]) => name);
  return `
version: 1
organization: { slug: acme-inc, id: f892efa9-103e-4d28-97a1-3b8616a0994d }
audience: ${AUDIENCE}
credentials:
${credentials}
rules:
  - name: every job of the app
    job: { pipeline_id: 0184990a-4782-42b5-afc1-16715b10b1f0, build_branch: main }
    grants: [${names.join(', ')}]
`;
}

/** Addresses of so many pooled accounts of the desk's project, as YAML. */
export function poolText(name: string, size: number): string {
  const account = (index: number) => `${name}-${String(index + 1).padStart(3, '0')}@PROJECT.iam.gserviceaccount.com`;
  return `[${Array.from({ length: size }, (_, index) => account(index)).join(', ')}]`;
}
