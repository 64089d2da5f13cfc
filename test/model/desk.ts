// The desk of one history: the real shared/ code, put together as functions/ does, over Firestore in memory and the
// doubles. Every round trip is a turn of the scheduler before it and one after it, and may go wrong as faults say.

import { createRevokeHandler } from '../../functions/held-token-handler.ts';
import { createJobStateReader } from '../../shared/buildkite/job-state.ts';
import { type JobClaims, parseClaims } from '../../shared/core/claims.ts';
import { endGrant } from '../../shared/end-job.ts';
import { createAccountStateReader } from '../../shared/google/account-state.ts';
import { createAccountDisabler } from '../../shared/google/disable-account.ts';
import { createAccountEnabler } from '../../shared/google/enable-account.ts';
import { createMint } from '../../shared/google/mint.ts';
import type { HandOutParts } from '../../shared/hand-out.ts';
import type { KillParts } from '../../shared/kill-switch.ts';
import { createEndingLedger } from '../../shared/ledger/ending-ledger.ts';
import { createGrantDocumentCloser, createGrantDocumentOpener } from '../../shared/ledger/grant-document.ts';
import { createIssuingLedger } from '../../shared/ledger/issuing-ledger.ts';
import { createKillLedger } from '../../shared/ledger/kill-ledger.ts';
import { createSweepLedger } from '../../shared/ledger/sweep-ledger.ts';
import { createTokenLookup } from '../../shared/ledger/token-lookup.ts';
import { parsePolicyText } from '../../shared/policy-text.ts';
import type { SweepParts } from '../../shared/sweep-step.ts';
import { type Around, createMemoryFirestore } from '../fixtures/memory-firestore.ts';
import { Google, URLS } from './google.ts';
import { Oracle } from './invariants.ts';
import type { World } from './world.ts';

export const POOL = ['pool-one@acme-model.iam.gserviceaccount.com', 'pool-two@acme-model.iam.gserviceaccount.com'];
const SHARED = 'shared@acme-model.iam.gserviceaccount.com';
/** Of those whose tokens are narrowed to a bucket. */
const CACHE_POOL = ['cache-one@acme-model.iam.gserviceaccount.com', 'cache-two@acme-model.iam.gserviceaccount.com'];
export const CREDENTIALS = ['config', 'export', 'admin', 'cache'] as const;
/** Where jobs run, one after the other. */
export const SLOTS = 8;

const POLICY = `
version: 1
organization: { slug: acme-inc }
audience: https://keydesk.model
credentials:
  config:
    environment: staging
    ttl: 15m
    firestore:
      project: acme-model
      apiKey: web-key
      signer: signer@acme-model.iam.gserviceaccount.com
      allow: [{ path: "config/{document}", verbs: [read] }]
  export:
    environment: production
    ttl: 10m
    serviceAccount: { email: ${SHARED}, scopes: [https://www.googleapis.com/auth/datastore] }
  admin:
    environment: staging
    ttl: 15m
    serviceAccount: { pool: [${POOL.join(', ')}], scopes: [https://www.googleapis.com/auth/datastore] }
  cache:
    environment: staging
    ttl: 15m
    storage: { pool: [${CACHE_POOL.join(', ')}], bucket: acme-cache, prefix: warm/, role: roles/storage.objectUser }
rules:
  - { name: all, job: { pipeline_slug: [deploy, release] }, grants: [config, export, admin, cache] }
`;
const loaded = parsePolicyText(POLICY, 'policy.yaml');
if ('problems' in loaded) throw new Error(loaded.problems.join('\n'));
const policy = loaded;

/** A failure of Firestore, as its client throws it: whether it took effect is not told. */
export interface DatabaseFault {
  /** google.rpc.Code */
  readonly code: 4 | 10 | 14;
  readonly effect: boolean;
}

/** The ledger, and where the grant documents are that security rules read. */
type Database = 'ledger' | 'documents';

class InjectedError extends Error {
  readonly code: number;
  constructor(code: number) {
    super(`injected ${code}`);
    this.code = code;
  }
}

export class Desk {
  readonly world: World;
  readonly google: Google;
  readonly oracle: Oracle;
  readonly issuing: HandOutParts;
  readonly ending: SweepParts & KillParts;
  readonly revokeEndpoint: ReturnType<typeof createRevokeHandler>;
  readonly faults = new Map<Database, { fault: DatabaseFault; left: number }>();
  readonly #jobs: string[] = Array.from({ length: SLOTS }, (_, slot) => jobId(slot, 0));
  #serial = 0;

  constructor(world: World) {
    this.world = world;
    const { now } = world;
    this.google = new Google(world, [...POOL, ...CACHE_POOL, SHARED]);
    const ledger = createMemoryFirestore({ around: this.#aroundIn('ledger') });
    const opened = createMemoryFirestore({ around: this.#aroundIn('documents') });
    this.oracle = new Oracle(world, this.google, () => ({ ledger: ledger.dump(), opened: opened.dump() }));
    const openDatabase = () => opened.firestore;
    const { ask, askAsService } = this.google;
    this.issuing = {
      policy,
      verifyJobToken: async (jobToken) => ({ claims: claimsOf(jobToken) }),
      ledger: createIssuingLedger(ledger.firestore, now),
      openGrantDocument: createGrantDocumentOpener(openDatabase),
      mint: createMint({
        askAsService,
        ask,
        iamCredentialsUrl: URLS.iamCredentials,
        stsUrl: URLS.sts,
        identityToolkitUrl: URLS.identityToolkit,
        now,
      }),
      now,
    };
    this.ending = {
      ledger: createEndingLedger(ledger.firestore, now),
      sweepLedger: createSweepLedger(ledger.firestore, now),
      killLedger: createKillLedger(ledger.firestore, now),
      closeGrantDocument: createGrantDocumentCloser(openDatabase),
      disableAccount: createAccountDisabler(askAsService, URLS.iam),
      enableAccount: createAccountEnabler(askAsService, URLS.iam),
      stateOfAccount: createAccountStateReader(askAsService, URLS.iam),
      askJobState: createJobStateReader({ ask, apiUrl: URLS.buildkite, apiToken: 'api-token' }),
      now,
    };
    this.revokeEndpoint = createRevokeHandler({
      lookUpToken: createTokenLookup(ledger.firestore),
      returnGrant: (grant) => endGrant(this.ending, grant, { by: 'early_return' }),
      now,
    });
  }

  /** The job that runs in a slot or ran there last; `next` begins another where that one has finished. */
  jobIn(slot: number, next: boolean): string {
    const job_id = this.#jobs[slot] ?? '';
    if (!next || !this.google.finishedJobs.has(job_id)) return job_id;
    this.#serial += 1;
    const successor = jobId(slot, this.#serial);
    this.#jobs[slot] = successor;
    return successor;
  }

  #aroundIn(database: Database): Around {
    return async (call, perform) => {
      const name = `${call.kind} ${call.paths.map((path) => path.slice(0, 24)).join(' ')}`;
      const { world } = this;
      await world.turn(name);
      const fault = this.#takeFault(database);
      if (fault) world.tell(`${name} goes wrong: ${JSON.stringify(fault)}`);
      if (fault && !fault.effect) {
        await world.turn(`failure of ${name}`);
        throw new InjectedError(fault.code);
      }
      let failure: unknown;
      let result: ReturnType<typeof perform> | undefined;
      try {
        result = perform();
        if (call.kind === 'write') this.oracle.observe();
      } catch (error) {
        world.count('lost race');
        failure = error;
      }
      await world.turn(`answer to ${name}`);
      if (fault) throw new InjectedError(fault.code);
      if (failure !== undefined) throw failure;
      return result as ReturnType<typeof perform>;
    };
  }

  #takeFault(database: Database): DatabaseFault | undefined {
    const found = this.faults.get(database);
    if (!found) return undefined;
    found.left -= 1;
    if (found.left <= 0) this.faults.delete(database);
    this.world.count(`fault: ${database} ${found.fault.code}`);
    return found.fault;
  }
}

function jobId(slot: number, serial: number): string {
  return `${String(slot).repeat(8)}-0000-4000-8000-${String(serial).padStart(12, '0')}`;
}

/** A job token of the model is the id of its job. */
function claimsOf(job_id: string): JobClaims {
  const slot = Number(job_id[0]);
  const parsed = parseClaims({
    organization_slug: 'acme-inc',
    pipeline_slug: slot >= 2 ? 'release' : 'deploy',
    pipeline_id: '0184990a-4782-42b5-afc1-16715b10b1f0',
    build_number: slot + 1,
    build_branch: slot === 0 ? 'main' : 'topic',
    build_commit: 'c0ffee',
    job_id,
    agent_id: 'f892efa9-103e-4d28-97a1-3b8616a0994d',
  });
  if ('invalidClaim' in parsed) throw new Error(parsed.invalidClaim);
  return parsed.claims;
}
