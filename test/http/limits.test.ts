// What one runaway step or pipeline can take, over HTTP: how often a job may ask for a credential, how many live grants a
// pipeline's jobs may hold, and that whoever is refused is told when to come back.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Job } from '../../sandbox/fakes/buildkite/buildkite.ts';
import { CLOCK_MARGIN_MS } from '../../shared/core/clock-margin.ts';
import { type Called, type InProcessDesk, openInProcessDesk } from '../fixtures/in-process-keydesk.ts';

const MINUTE = 60_000;
const SECOND = 1_000;

const policyWith = (limits: string) => (project: string) =>
  `
version: 1
organization: { slug: acme-inc }
audience: https://keydesk.acme.example
limits: { ${limits} }
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
      scopes: [https://www.googleapis.com/auth/datastore]
rules:
  - name: staging
    match: { pipeline_slug: [app, web] }
    grants: [staging-config, staging-export]
`;

let desk: InProcessDesk;
afterEach(async () => {
  expect(desk.google.unexpected).toEqual([]);
  await desk.close();
});

async function open(limits: string) {
  desk = await openInProcessDesk({ policy: policyWith(limits) });
}
const later = (milliseconds: number) => {
  desk.clock.advance(milliseconds);
};
const ask = async (job: Job, credential = 'staging-config') => {
  const issuedAt = Math.floor(desk.clock.now() / SECOND);
  return desk.askByPath(await desk.buildkite.jobToken(job, { issuedAt }), credential);
};
const statusOf = async (job: Job, credential?: string) => (await ask(job, credential)).status;

function expectTooMany(answer: Called, reason: Record<string, unknown>): number {
  expect([answer.status, answer.json.error]).toEqual([429, 'temporarily_unavailable']);
  expect(answer.audit).toMatchObject([{ event: 'grant.refused', severity: 'NOTICE', ...reason }]);
  expect(answer.headers.get('retry-after')).toMatch(/^[1-9][0-9]*$/);
  expect(answer.audit[0].retry_after_s).toBe(Number(answer.headers.get('retry-after')));
  return Number(answer.headers.get('retry-after'));
}

describe('tokensPerMinute', () => {
  beforeEach(() => open('tokensPerMinute: 3'));

  it('refuses what goes beyond it until the second that Retry-After names, and not longer', async () => {
    const job = desk.buildkite.startJob();
    later(400);
    const first = await ask(job);
    later(10 * SECOND);
    expect(await statusOf(job)).toBe(200);
    later(10.5 * SECOND);
    expect(await statusOf(job)).toBe(200);
    later(400);
    const { grant_id } = first.json;
    // 20.9 seconds after the first: 39.1 are left.
    expect(expectTooMany(await ask(job), { reason: 'rate_limited', grant_id })).toBe(40);
    later(39 * SECOND);
    expect(expectTooMany(await ask(job), { reason: 'rate_limited' })).toBe(1);
    later(SECOND);
    for (const status of [200, 200, 200, 429]) expect(await statusOf(job)).toBe(status);
  });

  it('is right to the millisecond when the minute is a whole one, and being refused does not prolong it', async () => {
    const job = desk.buildkite.startJob();
    for (const status of [200, 200, 200, 429, 429, 429]) expect(await statusOf(job)).toBe(status);
    const wait = expectTooMany(await ask(job), { reason: 'rate_limited' });
    expect(wait).toBe(60);
    later(wait * SECOND - 1);
    expect(await statusOf(job)).toBe(429);
    later(1);
    expect(await statusOf(job)).toBe(200);
  });

  it('is counted for each job and each credential by itself, whichever way they are asked for', async () => {
    const [job, another] = [desk.buildkite.startJob(), desk.buildkite.startJob()];
    const jobToken = await desk.buildkite.jobToken(job, { issuedAt: desk.clock.now() / SECOND });
    expect(await statusOf(job)).toBe(200);
    expect((await desk.askByForm(jobToken)).status).toBe(200);
    expect((await desk.askByForm(jobToken, 'staging-config', { lifetime: '60' })).status).toBe(200);
    expectTooMany(await desk.askByForm(jobToken), { reason: 'rate_limited' });
    expect(await statusOf(job, 'staging-export')).toBe(200);
    expect(await statusOf(another)).toBe(200);
  });

  it.each(['staging-config', 'staging-export'])('holds for requests for %s at the same moment', async (credential) => {
    const job = desk.buildkite.startJob();
    const jobToken = await desk.buildkite.jobToken(job, { issuedAt: desk.clock.now() / SECOND });
    // Identical requests would share one issue, which counts once.
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, index) => desk.askByForm(jobToken, credential, { lifetime: String(60 + index) })),
    );
    const refused = answers.filter(({ status }) => status !== 200);
    expect(answers.length - refused.length).toBe(3);
    for (const answer of refused) expectTooMany(answer, { reason: 'rate_limited' });
  });

  it('takes away nothing that was handed out, and ends with the job like everything else', async () => {
    const job = desk.buildkite.startJob();
    const tokens: string[] = [];
    for (let time = 0; time < 3; time += 1) tokens.push((await ask(job, 'staging-export')).json.access_token);
    expect(await statusOf(job, 'staging-export')).toBe(429);
    for (const accessToken of tokens) expect(await desk.gate(accessToken)).toBe(200);
    await desk.notify(desk.buildkite.event(job));
    expect((await ask(job, 'staging-export')).audit).toMatchObject([{ reason: 'job_ended' }]);
  });

  it('counts a renewal after the grant had expired as any other', async () => {
    const job = desk.buildkite.startJob();
    expect(await statusOf(job)).toBe(200);
    later(16 * MINUTE);
    await desk.sweep();
    for (const status of [200, 200, 200, 429]) expect(await statusOf(job)).toBe(status);
  });
});

describe('liveGrantsPerPipeline', () => {
  /** How long a count is remembered. */
  const REMEMBERED = 10 * SECOND;
  const TOO_MANY = { reason: 'pipeline_grant_limit', live_grants: 2, limit: 2 };
  beforeEach(() => open('liveGrantsPerPipeline: 2'));

  /** Two jobs that hold a grant each, counted anew from now on. */
  async function full(credential?: string) {
    const jobs = [desk.buildkite.startJob(), desk.buildkite.startJob()] as const;
    for (const job of jobs) {
      expect(await statusOf(job, credential)).toBe(200);
      later(REMEMBERED);
    }
    return jobs;
  }

  it('refuses the third job, and no renewal, no other pipeline and nobody who holds already', async () => {
    const [first, second] = await full();
    const third = desk.buildkite.startJob();
    expect(expectTooMany(await ask(third), TOO_MANY)).toBe(30);
    expectTooMany(await ask(first, 'staging-export'), TOO_MANY);
    for (const holder of [first, second]) expect(await statusOf(holder)).toBe(200);
    const elsewhere = { pipeline_id: '11111111-4782-42b5-afc1-16715b10b1f0', pipeline_slug: 'web' };
    expect(await statusOf(desk.buildkite.startJob(elsewhere))).toBe(200);
    later(REMEMBERED);
    expectTooMany(await ask(third), TOO_MANY);
  });

  it('tells no job whose claims policy does not know that it is full', async () => {
    await full();
    const stranger = await ask(desk.buildkite.startJob({ pipeline_slug: 'other' }));
    expect(stranger.json).toMatchObject({ error: 'invalid_target' });
  });

  it.each([
    ['its job ends', (job: Job) => desk.notify(desk.buildkite.event(job))],
    ['it is returned', async (job: Job) => desk.revoke((await ask(job)).json.access_token)],
  ])('has room again when a grant is over because %s, once the count is made anew', async (_, end) => {
    const [first] = await full();
    const third = desk.buildkite.startJob();
    expectTooMany(await ask(third), TOO_MANY);
    await end(first);
    later(REMEMBERED - 1);
    expectTooMany(await ask(third), TOO_MANY);
    later(1);
    expect(await statusOf(third)).toBe(200);
    later(REMEMBERED);
    expectTooMany(await ask(desk.buildkite.startJob()), TOO_MANY);
  });

  it('has room again within the time that Retry-After names', async () => {
    const [first] = await full();
    const third = desk.buildkite.startJob();
    const wait = expectTooMany(await ask(third), TOO_MANY);
    await desk.notify(desk.buildkite.event(first));
    later(wait * SECOND);
    expect(await statusOf(third)).toBe(200);
  });

  it('counts a grant of a shared account for as long as its token is accepted', async () => {
    const [first] = await full('staging-export');
    await desk.notify(desk.buildkite.event(first));
    later(REMEMBERED);
    const third = desk.buildkite.startJob();
    expectTooMany(await ask(third), TOO_MANY);
    later(10 * MINUTE + CLOCK_MARGIN_MS);
    await desk.sweep();
    expect(await statusOf(third)).toBe(200);
  });

  it('holds for an expired grant that is asked for again', async () => {
    const [first] = await full();
    later(15 * MINUTE + CLOCK_MARGIN_MS);
    expect((await desk.sweep()).json).toMatchObject({ expired: 2 });
    await full();
    expectTooMany(await ask(first), TOO_MANY);
  });

  it('leaves no trace of a job that it refused', async () => {
    await full();
    const third = desk.buildkite.startJob();
    const minted = desk.google.calls.length;
    expectTooMany(await ask(third), TOO_MANY);
    expect(desk.google.calls).toHaveLength(minted);
    expect((await desk.notify(desk.buildkite.event(third))).json).toMatchObject({ revoked: 0, not_renewed: 0 });
  });

  it('holds for the jobs of a pipeline that do not ask for the claim which names it by id', async () => {
    await full();
    expectTooMany(await ask(desk.buildkite.startJob({ pipeline_id: undefined })), TOO_MANY);
  });
});
