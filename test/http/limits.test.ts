// What one runaway step or pipeline can take, over HTTP: how often a job may ask for a credential, how many live grants a
// pipeline's jobs may hold, and that every refusal says when to come back.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Job } from '../../sandbox/fakes/buildkite/job.ts';
import { CLOCK_MARGIN_MS } from '../../shared/core/timing.ts';
import { type Called, type InProcessKeydesk, openInProcessKeydesk } from '../fixtures/in-process-keydesk.ts';
import { credentialsNamed, policyData, policyText } from '../fixtures/policies.ts';

const MINUTE = 60_000;
const SECOND = 1_000;

const policyWith = (limits: object) => (project: string) => {
  const credentials = credentialsNamed(['staging-config', 'staging-export'], project);
  const rules = [{ name: 'staging', match: { pipeline_slug: ['app', 'web'] }, grants: Object.keys(credentials) }];
  return policyText(policyData(project, credentials, { limits, rules }));
};

let keydesk: InProcessKeydesk;
afterEach(async () => {
  expect(keydesk.google.unexpected).toEqual([]);
  await keydesk.close();
});

async function open(limits: object) {
  keydesk = await openInProcessKeydesk({ policy: policyWith(limits) });
}
const later = (milliseconds: number) => {
  keydesk.clock.advance(milliseconds);
};
const requestToken = async (job: Job, credential = 'staging-config') => {
  const issuedAt = Math.floor(keydesk.clock.now() / SECOND);
  return keydesk.requestByPath(await keydesk.buildkite.jobToken(job, { issuedAt }), credential);
};
const statusOf = async (job: Job, credential?: string) => (await requestToken(job, credential)).status;

function expectTooMany(response: Called, reason: Record<string, unknown>): number {
  expect([response.status, response.json.error]).toEqual([429, 'temporarily_unavailable']);
  expect(response.audit).toMatchObject([{ event: 'grant.refused', severity: 'NOTICE', ...reason }]);
  expect(response.headers.get('retry-after')).toMatch(/^[1-9][0-9]*$/);
  expect(response.audit[0].retry_after_s).toBe(Number(response.headers.get('retry-after')));
  return Number(response.headers.get('retry-after'));
}

describe('tokensPerMinute', () => {
  beforeEach(() => open({ tokensPerMinute: 3 }));

  it('refuses what goes beyond it until the second that Retry-After names, and not longer', async () => {
    const job = keydesk.buildkite.startJob();
    later(400);
    const first = await requestToken(job);
    later(10 * SECOND);
    expect(await statusOf(job)).toBe(200);
    later(10.5 * SECOND);
    expect(await statusOf(job)).toBe(200);
    later(400);
    const { grant_id } = first.json;
    // 20.9 seconds after the first: 39.1 are left.
    expect(expectTooMany(await requestToken(job), { reason: 'rate_limited', grant_id })).toBe(40);
    later(39 * SECOND);
    expect(expectTooMany(await requestToken(job), { reason: 'rate_limited' })).toBe(1);
    later(SECOND);
    for (const status of [200, 200, 200, 429]) expect(await statusOf(job)).toBe(status);
  });

  it('is right to the millisecond when the minute is a whole one, and being refused does not prolong it', async () => {
    const job = keydesk.buildkite.startJob();
    for (const status of [200, 200, 200, 429, 429, 429]) expect(await statusOf(job)).toBe(status);
    const wait = expectTooMany(await requestToken(job), { reason: 'rate_limited' });
    expect(wait).toBe(60);
    later(wait * SECOND - 1);
    expect(await statusOf(job)).toBe(429);
    later(1);
    expect(await statusOf(job)).toBe(200);
  });

  it('is counted for each job and each credential separately, for either form of the request', async () => {
    const [job, another] = [keydesk.buildkite.startJob(), keydesk.buildkite.startJob()];
    const jobToken = await keydesk.buildkite.jobToken(job, { issuedAt: keydesk.clock.now() / SECOND });
    expect(await statusOf(job)).toBe(200);
    expect((await keydesk.requestByForm(jobToken)).status).toBe(200);
    expect((await keydesk.requestByForm(jobToken, 'staging-config', { lifetime: '60' })).status).toBe(200);
    expectTooMany(await keydesk.requestByForm(jobToken), { reason: 'rate_limited' });
    expect(await statusOf(job, 'staging-export')).toBe(200);
    expect(await statusOf(another)).toBe(200);
  });

  it.each(['staging-config', 'staging-export'])('holds for requests for %s at the same moment', async (credential) => {
    const job = keydesk.buildkite.startJob();
    const jobToken = await keydesk.buildkite.jobToken(job, { issuedAt: keydesk.clock.now() / SECOND });
    // Identical requests would share one issue, which counts once.
    const responses = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        keydesk.requestByForm(jobToken, credential, { lifetime: String(60 + index) }),
      ),
    );
    const refused = responses.filter(({ status }) => status !== 200);
    expect(responses.length - refused.length).toBe(3);
    for (const response of refused) expectTooMany(response, { reason: 'rate_limited' });
  });

  it('takes away nothing that was issued, and ends with the job like everything else', async () => {
    const job = keydesk.buildkite.startJob();
    const tokens: string[] = [];
    for (let time = 0; time < 3; time += 1) tokens.push((await requestToken(job, 'staging-export')).json.access_token);
    expect(await statusOf(job, 'staging-export')).toBe(429);
    for (const accessToken of tokens) expect(await keydesk.gate(accessToken)).toBe(200);
    await keydesk.notify(keydesk.buildkite.event(job));
    expect((await requestToken(job, 'staging-export')).audit).toMatchObject([{ reason: 'job_ended' }]);
  });

  it('counts a renewal after the grant had expired as any other', async () => {
    const job = keydesk.buildkite.startJob();
    expect(await statusOf(job)).toBe(200);
    later(16 * MINUTE);
    await keydesk.sweep();
    for (const status of [200, 200, 200, 429]) expect(await statusOf(job)).toBe(status);
  });
});

describe('liveGrantsPerPipeline', () => {
  /** How long a count is remembered. */
  const REMEMBERED = 10 * SECOND;
  const TOO_MANY = { reason: 'pipeline_grant_limit', live_grants: 2, limit: 2 };
  beforeEach(() => open({ liveGrantsPerPipeline: 2 }));

  /** Two jobs that hold a grant each, counted from now on. */
  async function full(credential?: string) {
    const jobs = [keydesk.buildkite.startJob(), keydesk.buildkite.startJob()] as const;
    for (const job of jobs) {
      expect(await statusOf(job, credential)).toBe(200);
      later(REMEMBERED);
    }
    return jobs;
  }

  it('refuses the third job, and no renewal, no other pipeline and nobody who holds already', async () => {
    const [first, second] = await full();
    const third = keydesk.buildkite.startJob();
    expect(expectTooMany(await requestToken(third), TOO_MANY)).toBe(30);
    expectTooMany(await requestToken(first, 'staging-export'), TOO_MANY);
    for (const holder of [first, second]) expect(await statusOf(holder)).toBe(200);
    const elsewhere = { pipeline_id: '11111111-4782-42b5-afc1-16715b10b1f0', pipeline_slug: 'web' };
    expect(await statusOf(keydesk.buildkite.startJob(elsewhere))).toBe(200);
    later(REMEMBERED);
    expectTooMany(await requestToken(third), TOO_MANY);
  });

  it('is not revealed to a job that no rule matches', async () => {
    await full();
    const stranger = await requestToken(keydesk.buildkite.startJob({ pipeline_slug: 'other' }));
    expect(stranger.json).toMatchObject({ error: 'invalid_target' });
  });

  it.each([
    ['its job ends', (job: Job) => keydesk.notify(keydesk.buildkite.event(job))],
    ['it is released', async (job: Job) => keydesk.revoke((await requestToken(job)).json.access_token)],
  ])('has room again when a grant is over because %s, once the grants are counted again', async (_, end) => {
    const [first] = await full();
    const third = keydesk.buildkite.startJob();
    expectTooMany(await requestToken(third), TOO_MANY);
    await end(first);
    later(REMEMBERED - 1);
    expectTooMany(await requestToken(third), TOO_MANY);
    later(1);
    expect(await statusOf(third)).toBe(200);
    later(REMEMBERED);
    expectTooMany(await requestToken(keydesk.buildkite.startJob()), TOO_MANY);
  });

  it('has room again within the time that Retry-After names', async () => {
    const [first] = await full();
    const third = keydesk.buildkite.startJob();
    const wait = expectTooMany(await requestToken(third), TOO_MANY);
    await keydesk.notify(keydesk.buildkite.event(first));
    later(wait * SECOND);
    expect(await statusOf(third)).toBe(200);
  });

  it('counts a grant of a shared account for as long as its token is accepted', async () => {
    const [first] = await full('staging-export');
    await keydesk.notify(keydesk.buildkite.event(first));
    later(REMEMBERED);
    const third = keydesk.buildkite.startJob();
    expectTooMany(await requestToken(third), TOO_MANY);
    later(10 * MINUTE + CLOCK_MARGIN_MS);
    await keydesk.sweep();
    expect(await statusOf(third)).toBe(200);
  });

  it('holds for an expired grant that is requested again', async () => {
    const [first] = await full();
    later(15 * MINUTE + CLOCK_MARGIN_MS);
    expect((await keydesk.sweep()).json).toMatchObject({ expired: 2 });
    await full();
    expectTooMany(await requestToken(first), TOO_MANY);
  });

  it('leaves no trace of a job that it refused', async () => {
    await full();
    const third = keydesk.buildkite.startJob();
    const minted = keydesk.google.calls.length;
    expectTooMany(await requestToken(third), TOO_MANY);
    expect(keydesk.google.calls).toHaveLength(minted);
    expect((await keydesk.notify(keydesk.buildkite.event(third))).json).toMatchObject({ revoked: 0, not_renewed: 0 });
  });

  it('holds for jobs of a pipeline that do not request its pipeline_id', async () => {
    await full();
    expectTooMany(await requestToken(keydesk.buildkite.startJob({ pipeline_id: undefined })), TOO_MANY);
  });
});
