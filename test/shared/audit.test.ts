import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AuditEvent } from '../../shared/audit.ts';
import { grantId, tokenSha256 } from '../../shared/core/grant-id.ts';
import { type InProcessDesk, openInProcessDesk } from '../in-process-desk.ts';
import { callRaw } from '../raw-request.ts';

// The lines of the log are an interface: alerts, dashboards and auditors read them. Each is written out here in full, so
// that no field can go, come or change its type unnoticed.

const UUID = expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
const TIME = expect.stringMatching(/^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}Z$/);
const SHA256 = expect.stringMatching(/^[0-9a-f]{64}$/);
const GRANT_ID = expect.stringMatching(/^[0-9a-f]{32}$/);
const LATENCY = expect.stringMatching(/^[0-9]+\.[0-9]{3}s$/);
const USER_AGENT = 'audit-test/1';
const TRACE = '105445aa7843bc8bf206b12000100000';

describe('the audit line of', () => {
  let desk: InProcessDesk;
  const seen: Partial<Record<AuditEvent, object>> = {};
  beforeAll(async () => {
    desk = await openInProcessDesk();
  });
  afterAll(() => desk.close());

  const call = (url: string, path: string, headers: Record<string, string> = {}, body = '') =>
    callRaw(desk, url, {
      path,
      headers: {
        'user-agent': USER_AGENT,
        'x-forwarded-for': '203.0.113.7',
        'x-cloud-trace-context': `${TRACE}/74;o=1`,
        ...headers,
      },
      body,
    });
  const byPath = async (jobToken: string, credential: string) =>
    call(desk.tokenUrl, `/token/${credential}`, { authorization: `Bearer ${jobToken}` });
  const notify = (body: string) =>
    call(
      desk.webhookUrl,
      '/',
      {
        'x-buildkite-signature': desk.buildkite.signature(body, Math.floor((desk.clock.now ?? Date.now()) / 1000)),
      },
      body,
    );
  const lineOf = (event: AuditEvent, lines: readonly { event: AuditEvent }[]) => {
    const found = lines.filter((line) => line.event === event);
    expect(found).toHaveLength(1);
    seen[event] = found[0] as object;
    return found[0];
  };

  const frame = (event: AuditEvent, status: number, requestUrl: string, labels: Record<string, string> = {}) => ({
    event,
    request_id: UUID,
    'logging.googleapis.com/trace': `projects/${desk.project}/traces/${TRACE}`,
    'logging.googleapis.com/spanId': '000000000000004a',
    'logging.googleapis.com/trace_sampled': true,
    'logging.googleapis.com/labels': { event, ...labels },
    httpRequest: {
      requestMethod: 'POST',
      requestUrl,
      status,
      userAgent: USER_AGENT,
      remoteIp: '203.0.113.7',
      latency: LATENCY,
    },
  });
  const who = (jobId: string) => ({
    job_id: jobId,
    organization_slug: 'acme-inc',
    organization_id: 'f892efa9-103e-4d28-97a1-3b8616a0994d',
    pipeline_slug: 'app',
    pipeline_id: '0184990a-4782-42b5-afc1-16715b10b1f0',
    build_number: 42,
    build_branch: 'main',
    build_tag: null,
    build_commit: '9f3182061f1e2cca4702c368cbc039b7dc9d4485',
    build_source: 'webhook',
    step_key: 'deploy',
    agent_id: '0184990a-4782-42b5-afc1-16715b10b8ff',
  });
  const what = (jobId: string, credential: string) => ({
    grant_id: grantId(jobId, credential),
    credential,
    environment: 'staging',
    rule: 'deploy to staging',
    policy_sha256: SHA256,
    created_at: TIME,
    issued_at: TIME,
    issued_count: 1,
    expires_at: TIME,
  });
  const opens = {
    'staging-config': () => ({
      kind: 'firestore',
      revocation: 'immediate',
      project: desk.project,
      database: '(default)',
    }),
    'staging-export': () => ({
      kind: 'service_account',
      revocation: 'expiry',
      service_account: `export@${desk.project}.iam.gserviceaccount.com`,
      scopes: ['https://www.googleapis.com/auth/datastore', 'https://www.googleapis.com/auth/devstorage.read_only'],
    }),
  };
  const grantLine = (jobId: string, credential: keyof typeof opens) => ({
    severity: 'INFO',
    ...who(jobId),
    ...what(jobId, credential),
    ...opens[credential](),
  });
  const LABELS = (credential: string) => ({ credential, environment: 'staging' });
  const CHECKS = [
    {
      claim: 'pipeline_id',
      patterns: ['0184990a-4782-42b5-afc1-16715b10b1f0'],
      value: '0184990a-4782-42b5-afc1-16715b10b1f0',
      matched: true,
    },
    { claim: 'build_branch', patterns: ['main', 'release/*'], value: 'main', matched: true },
  ];

  it('grant.issued tells who got what, why, for how long, and the token by its hash', async () => {
    const job = desk.buildkite.startJob();
    const answer = await byPath(await desk.buildkite.jobToken(job), 'staging-export');
    expect(lineOf('grant.issued', answer.audit)).toEqual({
      ...frame('grant.issued', 200, '/token/staging-export', LABELS('staging-export')),
      ...grantLine(job.id, 'staging-export'),
      message: `staging-export of job ${job.id}: issued`,
      state: 'active',
      ended_at: null,
      ended_by: null,
      job_ended_at: null,
      dead_at: null,
      token_sha256: tokenSha256(answer.json.access_token),
      token_expires_at: TIME,
      trace: [{ rule: 'deploy to staging', outcome: 'granted', checks: CHECKS }],
    });
  });

  it('grant.refused tells the reason and every rule that was tried', async () => {
    const job = desk.buildkite.startJob({ build_branch: 'feature', 'agent_tag:queue': 'deploy' });
    const answer = await byPath(await desk.buildkite.jobToken(job), 'staging-config');
    const { build_tag: _, ...claims } = who(job.id);
    expect(lineOf('grant.refused', answer.audit)).toEqual({
      ...frame('grant.refused', 400, '/token/staging-config', { reason: 'no_rule_grants' }),
      severity: 'NOTICE',
      message: 'refused: no_rule_grants',
      reason: 'no_rule_grants',
      credential: 'staging-config',
      trace: [
        {
          rule: 'deploy to staging',
          outcome: 'claims_do_not_match',
          checks: [CHECKS[0], { ...CHECKS[1], value: 'feature', matched: false }],
        },
      ],
      job: { ...claims, build_branch: 'feature', runner_environment: 'self-hosted', 'agent_tag:queue': 'deploy' },
    });
  });

  it('webhook.accepted and grant.revoked tell that a job ended and that its access is gone', async () => {
    const job = desk.buildkite.startJob();
    await byPath(await desk.buildkite.jobToken(job), 'staging-config');
    const answer = await notify(desk.buildkite.event(job));
    expect(lineOf('webhook.accepted', answer.audit)).toEqual({
      ...frame('webhook.accepted', 200, '/'),
      severity: 'INFO',
      message: `job ${job.id} ended`,
      buildkite_event: 'job.finished',
      result: 'job_ended',
      job_id: job.id,
      pipeline_id: '0184990a-4782-42b5-afc1-16715b10b1f0',
      job_state: 'passed',
      other_pipeline: false,
      repeated: false,
      revoked: 1,
      renewal_ended: 0,
      expired: 0,
      unfinished: 0,
      unfinished_because: [],
    });
    expect(lineOf('grant.revoked', answer.audit)).toEqual({
      ...frame('grant.revoked', 200, '/', LABELS('staging-config')),
      ...grantLine(job.id, 'staging-config'),
      message: `staging-config of job ${job.id}: revoked: access was taken away`,
      state: 'revoked',
      ended_at: TIME,
      ended_by: 'job.finished',
      job_ended_at: TIME,
      dead_at: TIME,
    });
  });

  it('grant.renewal_ended does not claim that anything was revoked', async () => {
    const job = desk.buildkite.startJob();
    await byPath(await desk.buildkite.jobToken(job), 'staging-export');
    const answer = await notify(desk.buildkite.event(job));
    expect(lineOf('grant.renewal_ended', answer.audit)).toEqual({
      ...frame('grant.renewal_ended', 200, '/', LABELS('staging-export')),
      ...grantLine(job.id, 'staging-export'),
      message: `staging-export of job ${job.id}: not renewed any more: its tokens die at expires_at`,
      state: 'active',
      ended_at: TIME,
      ended_by: 'job.finished',
      job_ended_at: TIME,
      dead_at: null,
    });
  });

  it('webhook.refused tells the reason that the answer does not', async () => {
    const answer = await call(desk.webhookUrl, '/', { 'x-buildkite-token': 'guess' }, '{}');
    expect(lineOf('webhook.refused', answer.audit)).toEqual({
      ...frame('webhook.refused', 401, '/', { reason: 'plain_token_mode' }),
      severity: 'WARNING',
      message: 'webhook refused: plain_token_mode',
      reason: 'plain_token_mode',
    });
  });

  it('sweep.completed and grant.expired tell what the sweep found', async () => {
    await call(desk.sweepUrl, '/');
    const job = desk.buildkite.startJob();
    desk.clock.now = Date.now() + 3_600_000;
    await call(desk.sweepUrl, '/');
    desk.clock.now = undefined;
    await byPath(await desk.buildkite.jobToken(job), 'staging-config');
    desk.clock.now = Date.now() + 3_600_000;
    const answer = await call(desk.sweepUrl, '/');
    desk.clock.now = undefined;
    expect(lineOf('sweep.completed', answer.audit)).toEqual({
      ...frame('sweep.completed', 200, '/'),
      severity: 'INFO',
      message: 'sweep: 0 revoked, 1 expired, 0 failed',
      completed: true,
      revoked: 0,
      expired: 1,
      failed: 0,
      more: false,
      took_ms: expect.any(Number),
      failures: [],
    });
    expect(lineOf('grant.expired', answer.audit)).toEqual({
      ...frame('grant.expired', 200, '/', LABELS('staging-config')),
      ...grantLine(job.id, 'staging-config'),
      message: `staging-config of job ${job.id}: expired: its time was up`,
      state: 'expired',
      ended_at: TIME,
      ended_by: 'clock',
      job_ended_at: null,
      dead_at: TIME,
    });
  });

  it('request.failed tells where our own fault lies', async () => {
    const { verifyJobToken } = desk.issuing;
    desk.issuing.verifyJobToken = () => Promise.reject(new Error('the test broke it'));
    const answer = await byPath('a.b.c', 'staging-config');
    desk.issuing.verifyJobToken = verifyJobToken;
    expect(lineOf('request.failed', answer.audit)).toEqual({
      ...frame('request.failed', 500, '/token/staging-config'),
      severity: 'ERROR',
      message: expect.stringMatching(/^request failed: Error: the test broke it\n {4}at /),
    });
  });

  it('every event was seen, each on one line', () => {
    const all: Record<AuditEvent, true> = {
      'grant.issued': true,
      'grant.refused': true,
      'grant.revoked': true,
      'grant.renewal_ended': true,
      'grant.expired': true,
      'webhook.accepted': true,
      'webhook.refused': true,
      'sweep.completed': true,
      'request.failed': true,
    };
    expect(Object.keys(seen).sort()).toEqual(Object.keys(all).sort());
    for (const line of desk.lines) expect(line).toMatch(/^\{[^\n]*\}\n$/);
    for (const { grant_id } of desk.audit.filter((line) => 'grant_id' in line)) expect(grant_id).toEqual(GRANT_ID);
  });
});
