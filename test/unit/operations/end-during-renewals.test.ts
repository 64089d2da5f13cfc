// The job against the record of its end, and against itself: it renews as fast as it gets answers, over a Firestore with the latencies of a
// regional and of a multi-regional database. Nothing that it does keeps its end, or the end of one grant, off the record.

import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { grantId } from '../../../shared/core/grant/id.ts';
import { parsePolicy } from '../../../shared/core/policy/parse-yaml.ts';
import { createIssuanceLedger } from '../../../shared/ledger/issuance.ts';
import { createRevocationLedger } from '../../../shared/ledger/revocation.ts';
import { endGrant, endJob } from '../../../shared/operations/end-job.ts';
import { type IssueDeps, type IssueResult, issueToken } from '../../../shared/operations/issue-token.ts';
import { IssuesInProgress } from '../../../shared/operations/issues-in-progress.ts';
import { DependencyError } from '../../../shared/runtime/errors.ts';
import { EventClock } from '../../fixtures/event-clock.ts';
import { jobClaims } from '../../fixtures/job-claims.ts';
import { createMemoryFirestore } from '../../fixtures/memory-firestore.ts';
import { noConditions } from '../../fixtures/no-conditions.ts';

const MINT_MS = 60;
const SCOPE = 'https://www.googleapis.com/auth/datastore';
const KINDS = {
  'a shared account': () => `{ email: export@acme-x.iam.gserviceaccount.com, scopes: [${SCOPE}] }`,
  'a pooled account': (index: number) =>
    `{ pool: [ci-account-${index}@acme-x.iam.gserviceaccount.com], scopes: [${SCOPE}] }`,
} as const;
type Kind = keyof typeof KINDS;

function policyOf(kind: Kind, credentials: number) {
  const names = Array.from({ length: credentials }, (_, index) => `credential-${index}`);
  const loaded = parsePolicy(
    `
version: 1
organization: { slug: acme-inc }
audience: https://keydesk.acme.example
limits: { tokensPerMinute: 600 }
environments: { staging: {} }
credentials:
${names.map((name, index) => `  ${name}: { environment: staging, ttl: 15m, serviceAccount: ${KINDS[kind](index)} }`).join('\n')}
rules:
  - { name: staging, match: { pipeline_slug: app }, grants: [${names.join(', ')}] }
`,
    'policy.yaml',
  );
  if ('problems' in loaded) throw new Error(loaded.problems.join('\n'));
  return { loaded, names };
}

/** A job and all that serves it, over a Firestore that takes the given milliseconds for a read and for a commit. */
function open(kind: Kind, credentials: number, { read, commit }: { readonly read: number; readonly commit: number }) {
  const clock = new EventClock(Date.UTC(2026, 10, 24), credentials);
  const { loaded, names } = policyOf(kind, credentials);
  const { firestore, dump } = createMemoryFirestore({
    around: async (call, perform) => {
      const half = ((call.kind === 'read' ? read : commit) * (0.75 + clock.random() / 2)) / 2;
      await clock.sleep(half);
      try {
        return perform();
      } finally {
        await clock.sleep(half);
      }
    },
  });
  const job_id = randomUUID();
  const claims = { ...jobClaims({ pipeline_slug: 'app' }), job_id };
  let minted = 0;
  const issuing: Omit<IssueDeps, 'issuesInProgress'> = {
    policy: loaded,
    verifyJobToken: async () => ({ claims }),
    ...noConditions,
    ledger: createIssuanceLedger(firestore, clock),
    openGrantDocument: async () => true,
    prepareMint: async () => ({}),
    mint: async ({ ttl }) => {
      await clock.sleep(MINT_MS);
      minted += 1;
      return { accessToken: `ya29.${minted}`, expires_at: clock.now() + ttl * 1000 };
    },
    clock,
  };
  const ending = {
    ledger: createRevocationLedger(firestore, clock),
    closeGrantDocument: async () => {},
    disableAccount: async () => {},
    clock,
  };
  const request = (credentialName: string): Promise<IssueResult | DependencyError> =>
    issueToken(
      // Each on an instance of its own: there nothing makes the requests for one grant wait for each other.
      { ...issuing, issuesInProgress: new IssuesInProgress(clock) },
      { jobToken: 'x', credentialName, scopes: [], lifetime: undefined },
      randomUUID(),
    ).catch((error: unknown) => {
      if (!DependencyError.is(error)) throw error;
      return error;
    });
  return { clock, names, job_id, ending, request, dump };
}

/** The given number of requests at a time renew the credentials, one after the other, until `stop` is called. */
function renew(service: ReturnType<typeof open>, atOnce: number) {
  let over = false;
  const issuedAt: number[] = [];
  const loop = async (index: number) => {
    for (let turn = index; !over; turn += atOnce) {
      const result = await service.request(service.names[turn % service.names.length] as string);
      if ('outcome' in result && result.outcome === 'issued') issuedAt.push(service.clock.now());
    }
  };
  const loops = Array.from({ length: atOnce }, (_, index) => loop(index));
  const stop = () => {
    over = true;
    return Promise.all(loops);
  };
  return { issuedAt, stop };
}

const LATENCIES = [
  { read: 12, commit: 35 },
  { read: 30, commit: 90 },
];
const CROWDS = [
  { credentials: 2, atOnce: 12 },
  { credentials: 5, atOnce: 15 },
  { credentials: 12, atOnce: 72 },
  { credentials: 20, atOnce: 16 },
  { credentials: 20, atOnce: 40 },
];
const CASES = LATENCIES.flatMap((latency) => [
  ...CROWDS.map((crowd) => ({ kind: 'a shared account' as Kind, ...latency, ...crowd })),
  { kind: 'a pooled account' as Kind, ...latency, credentials: 20, atOnce: 40 },
]);

describe('the end of a job that renews as fast as it can', () => {
  it.each(CASES)('$credentials of $kind, $atOnce requests at once, reads of $read ms', async (situation) => {
    const service = open(situation.kind, situation.credentials, situation);
    const { clock, names, job_id, ending } = service;
    const scenario = async () => {
      await Promise.all(names.map(service.request));
      const renewing = renew(service, situation.atOnce);
      await clock.sleep(500);
      const begun = clock.now();
      const { pending } = await endJob(ending, { job_id, pipeline_id: undefined, by: 'job.finished' });
      const recorded = clock.now();
      await clock.sleep(1_500);
      await renewing.stop();
      return { took: recorded - begun, recorded, unfinished: pending, ...renewing };
    };
    const { took, recorded, unfinished, issuedAt } = await clock.run(scenario());
    expect(took).toBeLessThan(3_000);
    expect(unfinished).toEqual([]);
    expect(service.dump().get(`jobs/${job_id}`)).toMatchObject({ ended_by: 'job.finished', ending_since: null });
    // The job did renew until its end, and got nothing after that.
    expect(issuedAt.length).toBeGreaterThan(0);
    expect(Math.max(...issuedAt)).toBeLessThan(recorded);
  });
});

describe('the end of one grant whose job renews it as fast as it can', () => {
  it.each(LATENCIES)('60 requests at once, reads of $read ms', async (latency) => {
    const service = open('a shared account', 1, latency);
    const { clock, names, job_id, ending } = service;
    const [name] = names as [string];
    const scenario = async () => {
      const first = await service.request(name);
      if (!('outcome' in first) || first.outcome !== 'issued') throw new Error('nothing was issued');
      const renewing = renew(service, 60);
      await clock.sleep(500);
      const begun = clock.now();
      const { notRenewed } = await endGrant(ending, first.grant, { by: 'released' });
      const recorded = clock.now();
      await clock.sleep(1_500);
      await renewing.stop();
      return { took: recorded - begun, recorded, notRenewed: notRenewed, ...renewing };
    };
    const { took, recorded, notRenewed, issuedAt } = await clock.run(scenario());
    expect(took).toBeLessThan(3_000);
    expect(notRenewed).toMatchObject([{ ended_by: 'released', ending_since: null }]);
    expect(service.dump().get(`grants/${grantId(job_id, name)}`)).toMatchObject({ ended_by: 'released' });
    expect(Math.max(...issuedAt)).toBeLessThan(recorded);
  });
});

describe('a job that requests all of its credentials at once', () => {
  it.each(LATENCIES)('gets each of 20, reads of $read ms', async (latency) => {
    const service = open('a shared account', 20, latency);
    const scenario = () => Promise.all(service.names.map((name) => service.request(name)));
    const results = await service.clock.run(scenario());
    expect(results.map((result) => ('outcome' in result ? result.outcome : result.message))).toEqual(
      service.names.map(() => 'issued'),
    );
  });
});
