import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../sandbox/functions.ts';
import { type AuditEventName, EVENTS } from '../../shared/audit/events.ts';
import { grantId, tokenSha256 } from '../../shared/core/grant/id.ts';
import { DependencyError } from '../../shared/runtime/errors.ts';
import { changeFirebaseUser } from '../fixtures/firebase-thief.ts';
import { firebasePolicyText } from '../fixtures/firestore-policy.ts';
import { type InProcessKeydesk, openInProcessKeydesk } from '../fixtures/in-process-keydesk.ts';
import { enableAccount } from '../fixtures/operator.ts';
import { callRaw } from '../fixtures/raw-request.ts';
import { jobFields, linesOf, SHA256, TIME, TRACE, USER_AGENT } from './audit-line.ts';
import { APPROVAL, APPROVER, demand, readTeam, unblock } from './recorded-requests/requests.ts';

// The lines of the log are an interface: alerts, dashboards and auditors read them. Each is written out here in full, so
// that no field can go, come or change its type unnoticed.

const GRANT_ID = expect.stringMatching(/^[0-9a-f]{32}$/);
const MINUTE = 60_000;
const KILL_ID = '5b0e1f7e-55a1-4f5e-9d0b-0a4f6ad6f1c3';

describe('the audit line of', () => {
  let keydesk: InProcessKeydesk;
  let lines: ReturnType<typeof linesOf>;
  const seen: Partial<Record<AuditEventName, object>> = {};
  beforeAll(async () => {
    keydesk = await openInProcessKeydesk();
    lines = linesOf(keydesk);
  });
  afterAll(() => keydesk.close());

  const CALLER = {
    'user-agent': USER_AGENT,
    'x-forwarded-for': '203.0.113.7',
    'x-cloud-trace-context': `${TRACE}/74;o=1`,
  };
  const call = (url: string, path: string, headers: Record<string, string> = {}, body = '') =>
    callRaw(keydesk, url, {
      path,
      headers: { ...CALLER, ...headers },
      body,
    });
  const byPath = async (jobToken: string, credential: string) =>
    call(keydesk.tokenUrl, `/token/${credential}`, { authorization: `Bearer ${jobToken}` });
  const notify = (body: string) =>
    call(
      keydesk.webhookUrl,
      '/',
      {
        'x-buildkite-signature': keydesk.buildkite.signature(body, Math.floor(keydesk.clock.now() / 1000)),
      },
      body,
    );
  const lineOf = (event: AuditEventName, audit: readonly { event: AuditEventName }[]) => {
    const found = audit.filter((line) => line.event === event);
    expect(found).toHaveLength(1);
    seen[event] = found[0] as object;
    return found[0];
  };

  const CHECKS = [
    {
      claim: 'pipeline_id',
      patterns: ['0184990a-4782-42b5-afc1-16715b10b1f0'],
      value: '0184990a-4782-42b5-afc1-16715b10b1f0',
      matched: true,
    },
    { claim: 'build_branch', patterns: ['main', 'release/*'], value: 'main', matched: true },
  ];

  it('grant.issued names the job, the credential, the rule, the expiry, and the token by its hash', async () => {
    const job = keydesk.buildkite.startJob({ 'agent_tag:queue': 'deploy' });
    const response = await byPath(await keydesk.buildkite.jobToken(job), 'staging-export');
    const { build_tag: _, ...claims } = jobFields(job.id);
    expect(lineOf('grant.issued', response.audit)).toEqual({
      ...lines.frame('grant.issued', 200, '/token/staging-export', lines.labels('staging-export')),
      ...lines.grantLine(job.id, 'staging-export'),
      message: `staging-export of job ${job.id}: issued`,
      state: 'active',
      ended_at: null,
      ended_by: null,
      job_ended_at: null,
      job_finished_at: null,
      access_ended_at: null,
      token_sha256: tokenSha256(response.json.access_token),
      token_expires_at: TIME,
      job: { ...claims, runner_environment: 'self-hosted', 'agent_tag:queue': 'deploy' },
      trace: [{ rule: 'deploy to staging', outcome: 'granted', checks: CHECKS }],
    });
  });

  it('grant.break_glass names who approved an emergency, when, and the reason that the build states', async () => {
    const { policy } = keydesk.tokenDeps;
    demand(keydesk, { approval: { ...APPROVAL, use: 'break-glass' } });
    await readTeam(keydesk);
    const job = keydesk.buildkite.startJob();
    await unblock(keydesk, job, { reason: 'The shop is down' });
    const response = await byPath(await keydesk.buildkite.jobToken(job), 'staging-config');
    keydesk.tokenDeps.policy = policy;
    const labels = { credential: 'staging-config', environment: 'staging' };
    expect(lineOf('grant.break_glass', response.audit)).toEqual({
      ...lines.frame('grant.break_glass', 200, '/token/staging-config', labels),
      ...labels,
      severity: 'CRITICAL',
      message: `staging-config of job ${job.id}: break-glass access, approved by ${APPROVER}: The shop is down`,
      grant_id: grantId(job.id, 'staging-config'),
      ...{ rule: 'deploy to staging', job_id: job.id, pipeline_slug: 'app' },
      ...{ approved_by: APPROVER, approved_at: TIME, reason: 'The shop is down' },
    });
  });

  it('grant.refused has the reason and every rule that was tried', async () => {
    const job = keydesk.buildkite.startJob({ build_branch: 'feature', 'agent_tag:queue': 'deploy' });
    const response = await byPath(await keydesk.buildkite.jobToken(job), 'staging-config');
    const { build_tag: _, ...claims } = jobFields(job.id);
    expect(lineOf('grant.refused', response.audit)).toEqual({
      ...lines.frame('grant.refused', 400, '/token/staging-config', { reason: 'no_matching_rule', pipeline: 'app' }),
      severity: 'NOTICE',
      message: 'refused: no_matching_rule',
      reason: 'no_matching_rule',
      credential: 'staging-config',
      policy_sha256: SHA256,
      trace: [
        {
          rule: 'deploy to staging',
          outcome: 'claim_mismatch',
          checks: [CHECKS[0], { ...CHECKS[1], value: 'feature', matched: false }],
        },
      ],
      job: { ...claims, build_branch: 'feature', runner_environment: 'self-hosted', 'agent_tag:queue': 'deploy' },
    });
  });

  it('webhook.accepted and grant.revoked record that a job ended and that its access ended', async () => {
    const job = keydesk.buildkite.startJob();
    await byPath(await keydesk.buildkite.jobToken(job), 'staging-config');
    const response = await notify(keydesk.buildkite.event(job));
    expect(lineOf('webhook.accepted', response.audit)).toEqual({
      ...lines.frame('webhook.accepted', 200, '/'),
      severity: 'INFO',
      message: `job ${job.id} ended`,
      buildkite_event: 'job.finished',
      signed_by_key: 1,
      result: 'job_ended',
      job_id: job.id,
      pipeline_id: '0184990a-4782-42b5-afc1-16715b10b1f0',
      job_state: 'passed',
      pipeline_mismatch: false,
      repeated: false,
      revoked: 1,
      not_renewed: 0,
      expired: 0,
      pending: 0,
      failures: [],
    });
    expect(lineOf('grant.revoked', response.audit)).toEqual({
      ...lines.frame('grant.revoked', 200, '/', lines.labels('staging-config')),
      ...lines.grantLine(job.id, 'staging-config'),
      message: `staging-config of job ${job.id}: revoked: access was taken away`,
      state: 'revoked',
      ended_at: TIME,
      ended_by: 'job.finished',
      job_ended_at: TIME,
      job_finished_at: TIME,
      access_ended_at: TIME,
      revocation_latency_s: expect.any(Number),
      access_after_job_end_s: expect.any(Number),
    });
  });

  it('grant.ended does not claim that anything was revoked', async () => {
    const job = keydesk.buildkite.startJob();
    await byPath(await keydesk.buildkite.jobToken(job), 'staging-export');
    const response = await notify(keydesk.buildkite.event(job));
    expect(lineOf('grant.ended', response.audit)).toEqual({
      ...lines.frame('grant.ended', 200, '/', lines.labels('staging-export')),
      ...lines.grantLine(job.id, 'staging-export'),
      message: `staging-export of job ${job.id}: ended: no new tokens; those it has expire at expires_at`,
      state: 'active',
      ended_at: TIME,
      ended_by: 'job.finished',
      job_ended_at: TIME,
      job_finished_at: TIME,
      access_ended_at: null,
    });
  });

  it('webhook.refused has the reason that the response does not have', async () => {
    const response = await call(keydesk.webhookUrl, '/', { 'x-buildkite-token': 'guess' }, '{}');
    expect(lineOf('webhook.refused', response.audit)).toEqual({
      ...lines.frame('webhook.refused', 401, '/', { reason: 'unsigned_token_mode' }),
      severity: 'WARNING',
      message: 'webhook refused: unsigned_token_mode',
      reason: 'unsigned_token_mode',
    });
  });

  it('grant.released records that the job released its grant, and the token that it sent', async () => {
    const job = keydesk.buildkite.startJob();
    const { json } = await byPath(await keydesk.buildkite.jobToken(job), 'staging-config');
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const response = await call(keydesk.tokenUrl, '/revoke', form, `token=${json.access_token}`);
    expect(lineOf('grant.released', response.audit)).toEqual({
      ...lines.frame('grant.released', 200, '/revoke', lines.labels('staging-config')),
      severity: 'INFO',
      message: `staging-config of job ${job.id} was released by the job`,
      grant_id: grantId(job.id, 'staging-config'),
      token_sha256: tokenSha256(json.access_token),
      failures: [],
    });
    expect(response.audit.map(({ event }) => event)).toEqual(['grant.released', 'grant.revoked']);
    expect(response.audit[1]).toMatchObject({ state: 'revoked', ended_by: 'released', job_ended_at: null });
  });

  it('job.reconciled says that no webhook reported the end of a job', async () => {
    const job = keydesk.buildkite.startJob();
    await byPath(await keydesk.buildkite.jobToken(job), 'staging-config');
    job.state = 'failed';
    keydesk.clock.advance(6 * MINUTE);
    const response = await call(keydesk.sweepUrl, '/');
    keydesk.clock.reset();
    expect(lineOf('job.reconciled', response.audit)).toEqual({
      ...lines.frame('job.reconciled', 200, '/'),
      severity: 'WARNING',
      message: `job ${job.id} had ended, and no webhook has said so yet`,
      job_id: job.id,
      job_state: 'failed',
      pipeline_slug: 'app',
    });
    const revoked = response.audit.filter(({ event }) => event === 'grant.revoked');
    expect(revoked).toMatchObject([{ job_id: job.id, ended_by: 'job.reconciled' }]);
  });

  it('sweep.completed and grant.expired record what the sweep found', async () => {
    await call(keydesk.sweepUrl, '/');
    const job = keydesk.buildkite.startJob();
    keydesk.clock.advance(3_600_000);
    await call(keydesk.sweepUrl, '/');
    keydesk.clock.reset();
    await byPath(await keydesk.buildkite.jobToken(job), 'staging-config');
    keydesk.clock.advance(3_600_000);
    const response = await call(keydesk.sweepUrl, '/');
    keydesk.clock.reset();
    expect(lineOf('sweep.completed', response.audit)).toEqual({
      ...lines.frame('sweep.completed', 200, '/'),
      severity: 'INFO',
      message: 'sweep: 0 revoked, 1 expired, 0 accounts enabled, 0 failed',
      completed: true,
      revoked: 0,
      expired: 1,
      ended_by_expiry: 1,
      not_renewed: 0,
      // Apart from what expires, jobs are looked up.
      jobs_checked: expect.any(Number),
      buildkite_calls: expect.any(Number),
      builds_too_large: 0,
      jobs_unchecked_15m: 0,
      jobs_reconciled: 0,
      builds_looked_up: 0,
      builds_not_shown: 0,
      build_calls: 0,
      accounts_enabled: 0,
      accounts_enabled_externally: 0,
      pools: {},
      failed: 0,
      oldest_pending_s: 0,
      has_backlog: false,
      duration_ms: expect.any(Number),
      failures: [],
    });
    expect(lineOf('grant.expired', response.audit)).toEqual({
      ...lines.frame('grant.expired', 200, '/', lines.labels('staging-config')),
      ...lines.grantLine(job.id, 'staging-config'),
      message: `staging-config of job ${job.id}: expired: its time was up`,
      state: 'expired',
      ended_at: TIME,
      ended_by: 'expiry',
      job_ended_at: null,
      job_finished_at: null,
      access_ended_at: TIME,
      revocation_latency_s: 0,
    });
  });

  it('webhook.accepted and build.unblocked record who unblocked which step, by UUIDs', async () => {
    const { builds } = keydesk.buildkite;
    const [anne, bert] = ['1', '2'].map((last) => ({ id: `0184990a-477b-4fa8-9968-49607448300${last}`, name: 'A B' }));
    const build = builds.start({ creator: anne ?? null });
    const step = builds.addBlockStep(build, 'approve');
    builds.unblock(step, bert ?? null);
    const response = await notify(builds.stepEvent(build, step));
    expect(lineOf('webhook.accepted', response.audit)).toEqual({
      ...lines.frame('webhook.accepted', 200, '/'),
      severity: 'INFO',
      message: `job.activated of build ${build.number} is on record`,
      buildkite_event: 'job.activated',
      signed_by_key: 1,
      result: 'build_recorded',
      pipeline_id: build.pipeline.id,
      build_number: build.number,
      build_source: 'ui',
      repeated: false,
    });
    expect(lineOf('build.unblocked', response.audit)).toEqual({
      ...lines.frame('build.unblocked', 200, '/'),
      severity: 'INFO',
      message: `step approve of build ${build.number} was unblocked by ${bert?.id}`,
      pipeline_id: build.pipeline.id,
      build_number: build.number,
      build_id: build.id,
      step_key: 'approve',
      block_job_id: step.id,
      unblocked_by: bert?.id,
      unblocked_at: TIME,
      creator: anne?.id,
      found_by: 'webhook',
    });
  });

  it('jobs.unchecked records that Buildkite has not responded for long', async () => {
    await byPath(await keydesk.buildkite.jobToken(keydesk.buildkite.startJob({ build_number: 43 })), 'staging-admin');
    const { buildkiteJobs } = keydesk.sweepDeps;
    const unavailable = () => Promise.reject(new DependencyError('buildkite jobs', 'error_response', 'returned 500'));
    keydesk.sweepDeps.buildkiteJobs = { job: unavailable, page: unavailable };
    keydesk.clock.advance(15 * MINUTE + 1);
    const response = await call(keydesk.sweepUrl, '/');
    keydesk.sweepDeps.buildkiteJobs = buildkiteJobs;
    keydesk.clock.reset();
    expect(lineOf('jobs.unchecked', response.audit)).toEqual({
      ...lines.frame('jobs.unchecked', 200, '/'),
      severity: 'ERROR',
      message: expect.stringContaining('15 minutes'),
      jobs_unchecked_15m: expect.any(Number),
    });
  });

  it('account.enabled_externally and account.enabled record the states of a pooled account after its job', async () => {
    const start = keydesk.clock.now();
    keydesk.clock.set(start);
    const job = keydesk.buildkite.startJob();
    const issued = await byPath(await keydesk.buildkite.jobToken(job), 'staging-admin');
    const { service_account } = issued.audit[0] as unknown as { service_account: string };
    await notify(keydesk.buildkite.event(job));
    // What the webhook had no time for on a slow machine, the sweep finishes.
    keydesk.clock.set(start + MINUTE);
    await call(keydesk.sweepUrl, '/');
    expect(keydesk.google.accounts.get(service_account)).toEqual({ disabled: true });
    const line = (event: AuditEventName) => ({
      ...lines.frame(event, 200, '/', { service_account }),
      service_account,
      pool: 'staging-admin',
      grant_id: grantId(job.id, 'staging-admin'),
      leased_at: TIME,
      disabled_at: TIME,
      reusable_at: TIME,
    });

    // One answer may be an old one; three are none.
    let cooling = await call(keydesk.sweepUrl, '/');
    for (const minutes of [2, 4, 6]) {
      await enableAccount(keydesk, service_account);
      keydesk.clock.set(start + minutes * MINUTE);
      cooling = await call(keydesk.sweepUrl, '/');
      expect(keydesk.google.accounts.get(service_account)).toEqual({ disabled: true });
      if (minutes === 2)
        expect(lineOf('account.found_enabled', cooling.audit)).toEqual({
          ...line('account.found_enabled'),
          severity: 'NOTICE',
          message: `IAM said that ${service_account} is enabled during its cooldown. IAM was requested to disable it. The response may have been an old one`,
          found_enabled: 1,
        });
    }
    expect(lineOf('account.enabled_externally', cooling.audit)).toEqual({
      ...line('account.enabled_externally'),
      severity: 'ERROR',
      message: `${service_account} was enabled externally during its cooldown, and was disabled again. Find out who enabled it`,
    });
    // Enabled once more, and IAM does not disable it.
    await enableAccount(keydesk, service_account);
    const { disableAccount } = keydesk.sweepDeps;
    keydesk.sweepDeps.disableAccount = () =>
      Promise.reject(new DependencyError('iam serviceAccounts.disable', 'refused', 'returned 403'));
    keydesk.clock.set(start + 8 * MINUTE);
    const still = await call(keydesk.sweepUrl, '/');
    keydesk.sweepDeps.disableAccount = disableAccount;
    expect(lineOf('account.disable_failed', still.audit)).toEqual({
      ...line('account.disable_failed'),
      severity: 'CRITICAL',
      message: `${service_account} was enabled externally during its cooldown, and IAM did not confirm that it is disabled again. Tokens of ended jobs may work`,
    });
    keydesk.clock.set(start + 17 * MINUTE);
    const enabled = await call(keydesk.sweepUrl, '/');
    keydesk.clock.reset();
    expect(lineOf('account.enabled', enabled.audit)).toEqual({
      ...line('account.enabled'),
      severity: 'INFO',
      message: `${service_account} is enabled again: the last token issued from it has expired`,
    });
  });

  it('pool.reported has the number of free accounts of a pool after the sweep', async () => {
    const job = keydesk.buildkite.startJob();
    await byPath(await keydesk.buildkite.jobToken(job), 'staging-admin');
    const response = await call(keydesk.sweepUrl, '/');
    expect(lineOf('pool.reported', response.audit)).toEqual({
      ...lines.frame('pool.reported', 200, '/', { pool: 'staging-admin' }),
      severity: 'INFO',
      message: 'pool staging-admin: 2 of 3 accounts are free',
      pool: 'staging-admin',
      size: 3,
      free: 2,
      leased: 1,
      revoking: 0,
      cooling_down: 0,
      exhausted_in_s: expect.toSatisfy((value) => value === null || Number.isInteger(value)),
    });
  });

  it('account.quarantined names the account of a pool for which Google does not mint, and the cause', async () => {
    const requested: string[] = [];
    keydesk.google.before = ({ method, account }) => {
      if (method !== 'generateAccessToken' || requested.push(account) > 1) return undefined;
      return { status: 403, json: { error: { code: 403, status: 'PERMISSION_DENIED', message: 'no' } } };
    };
    const response = await byPath(await keydesk.buildkite.jobToken(keydesk.buildkite.startJob()), 'staging-admin');
    keydesk.google.before = undefined;
    const [service_account = ''] = requested;
    const detail = expect.stringMatching(/^iamcredentials generateAccessToken: returned 403 PERMISSION_DENIED no; /);
    expect(lineOf('account.quarantined', response.audit)).toEqual({
      ...lines.frame('account.quarantined', 200, '/token/staging-admin', { service_account }),
      severity: 'WARNING',
      message: expect.stringContaining('given up for another'),
      service_account,
      cause: 'permission_missing',
      google_code: 'PERMISSION_DENIED',
      code: 'refused',
      permission: 'iam.serviceAccounts.getAccessToken',
      dependency: 'iamcredentials generateAccessToken',
      error: detail,
    });
  });

  it('task.failed names the work that a sweep left for the next one, and the dependency that failed', async () => {
    const job = keydesk.buildkite.startJob();
    await byPath(await keydesk.buildkite.jobToken(job), 'staging-config');
    const { closeGrantDocument } = keydesk.sweepDeps;
    keydesk.sweepDeps.closeGrantDocument = () =>
      Promise.reject(new DependencyError('grant document', 'call_failed', 'the test broke it'));
    await notify(keydesk.buildkite.event(job));
    const response = await call(keydesk.sweepUrl, '/');
    keydesk.sweepDeps.closeGrantDocument = closeGrantDocument;
    expect(lineOf('task.failed', response.audit)).toEqual({
      ...lines.frame('task.failed', 200, '/'),
      severity: 'WARNING',
      message: 'not done: grant document: the test broke it',
      grant_id: grantId(job.id, 'staging-config'),
      dependency: 'grant document',
      error: 'grant document: the test broke it',
      code: 'call_failed',
    });
  });

  it('request.failed has the place of an internal error', async () => {
    const { verifyJobToken } = keydesk.tokenDeps;
    keydesk.tokenDeps.verifyJobToken = () => Promise.reject(new Error('the test broke it'));
    const response = await byPath('a.b.c', 'staging-config');
    keydesk.tokenDeps.verifyJobToken = verifyJobToken;
    expect(lineOf('request.failed', response.audit)).toEqual({
      ...lines.frame('request.failed', 500, '/token/staging-config'),
      severity: 'ERROR',
      message: expect.stringMatching(/^request failed: Error: the test broke it\n {4}at /),
    });
  });

  it('request.timed_out names the request whose body did not arrive in time', async () => {
    const before = keydesk.audit.length;
    const answered = callRaw(keydesk, keydesk.tokenUrl, { path: '/revoke', headers: CALLER, unsent: 9 });
    await expect.poll(() => keydesk.clock.deadlines).toBeGreaterThan(0);
    keydesk.clock.advance(10_000);
    await expect(answered).rejects.toThrow('socket hang up');
    expect(lineOf('request.timed_out', keydesk.audit.slice(before) as { event: AuditEventName }[])).toEqual({
      ...lines.frame('request.timed_out', 408, '/revoke'),
      severity: 'WARNING',
      message: 'the body of a request did not arrive in time; the connection was closed without a response',
    });
  });

  it('startup.failed names the settings that keep a function from starting, and never their values', () => {
    const args = ['--input-type=module', '--eval', "import 'ROOT/functions/webhook/index.ts';".replace('ROOT/', ROOT)];
    const env = {
      ...process.env,
      GOOGLE_CLOUD_PROJECT: 'acme-staging',
      KEYDESK_WEBHOOK_TOKENS: 'a secret, with,too many',
    };
    const { status, stdout } = spawnSync(process.execPath, args, { cwd: ROOT, env, encoding: 'utf8' });
    expect(status).toBe(1);
    expect(stdout).not.toContain('a secret');
    const problem = expect.stringMatching(/^KEYDESK_WEBHOOK_TOKENS /);
    expect(lineOf('startup.failed', [JSON.parse(stdout)])).toEqual({
      event: 'startup.failed',
      severity: 'CRITICAL',
      message: expect.stringMatching(/^cannot start: KEYDESK_WEBHOOK_TOKENS /),
      problems: [problem],
      'logging.googleapis.com/labels': { event: 'startup.failed' },
    });
  });

  it('firebase_user.changed names the changed user, the change, the user that replaces it, and the job that found it', async () => {
    // A credential of its own: the Auth emulator is one for all files.
    const credential = `config-${randomBytes(4).toString('hex')}`;
    const own = await openInProcessKeydesk({
      policy: firebasePolicyText({ credentials: [credential], tenant: 'ci-x7k2p', verbs: ['get'] }),
    });
    const issue = async (job = own.buildkite.startJob()) =>
      own.requestByPath(await own.buildkite.jobToken(job), credential);
    await changeFirebaseUser(own, (await issue()).json.access_token, { displayName: 'Somebody' });
    const job = own.buildkite.startJob();
    expect((await issue(job)).status).toBe(200);
    const uid = expect.stringMatching(/^keydesk-[0-9a-f]{40}$/);
    expect(lineOf('firebase_user.changed', own.audit as { event: AuditEventName }[])).toEqual({
      event: 'firebase_user.changed',
      severity: 'CRITICAL',
      message: expect.stringMatching(
        new RegExp(
          `^somebody changed the Firebase user keydesk-\\w+ of pipeline app and credential ${credential}: name$`,
        ),
      ),
      uid,
      generation: 0,
      next_uid: uid,
      found: ['name'],
      project: own.project,
      database: '(default)',
      tenant: 'ci-x7k2p',
      credential,
      environment: 'staging',
      pipeline_slug: 'app',
      pipeline_id: '0184990a-4782-42b5-afc1-16715b10b1f0',
      found_by_job: job.id,
      found_by_grant: grantId(job.id, credential),
      'logging.googleapis.com/labels': {
        ...{ event: 'firebase_user.changed', credential, environment: 'staging', pipeline: 'app' },
      },
    });
    await own.close();
  });

  it('issuer_keys.unusable names the fault of the key set, outside of any request', async () => {
    const jobToken = await keydesk.buildkite.jobToken(keydesk.buildkite.startJob());
    expect((await byPath(jobToken, 'staging-export')).status).toBe(200);
    keydesk.clock.advance(11 * MINUTE);
    keydesk.buildkite.beforeKeys = () => ({ status: 200, json: { keys: [] } });
    const response = await byPath(await keydesk.buildkite.jobToken(keydesk.buildkite.startJob()), 'staging-export');
    keydesk.buildkite.beforeKeys = undefined;
    expect(response.status).toBe(200);
    const detail = 'returned 0 keys, none of them usable';
    expect(lineOf('issuer_keys.unusable', keydesk.audit as never)).toEqual({
      event: 'issuer_keys.unusable',
      severity: 'ERROR',
      message: `issuer keys: the key set cannot be used, and the keys in hand stay in use: ${detail}`,
      dependency: 'issuer keys',
      error: detail,
      code: 'no_usable_keys',
      'logging.googleapis.com/labels': { event: 'issuer_keys.unusable' },
    });
  });

  it('api_token.expiring says when the API token for Buildkite expires', async () => {
    const own = await openInProcessKeydesk({ records: true });
    const expires_at = own.clock.now() + 60 * MINUTE;
    own.buildkite.apiTokenExpiresAt = expires_at;
    const response = await callRaw(own, own.sweepUrl, { path: '/', headers: CALLER, body: '' });
    expect(lineOf('api_token.expiring', response.audit)).toEqual({
      ...lines.frame('api_token.expiring', 200, '/'),
      severity: 'WARNING',
      message: `the API token in KEYDESK_BUILDKITE_API_TOKEN expires at ${new Date(expires_at).toISOString()}`,
      setting: 'KEYDESK_BUILDKITE_API_TOKEN',
      api_token_expires_at: new Date(expires_at).toISOString(),
      'logging.googleapis.com/trace': expect.stringContaining(TRACE),
    });
    await own.close();
  });

  it('teams.read and teams.stale say how many teams were read, and whose copies are old', async () => {
    const { deploymentLedger } = keydesk.sweepDeps;
    const [named_at, id] = [keydesk.clock.now() - 60 * MINUTE, '0184990a-4782-42b5-afc1-00000000000a'];
    const team = { id, name: 'platform', first_named_at: named_at, last_named_at: named_at };
    const named = { organization_slug: 'acme-inc', teams_max_age: 3600, teams: [team] };
    keydesk.sweepDeps.deploymentLedger = { ...deploymentLedger, namedTeams: async () => named };
    const response = await call(keydesk.sweepUrl, '/');
    keydesk.sweepDeps.deploymentLedger = deploymentLedger;
    expect(lineOf('teams.read', response.audit)).toEqual({
      ...lines.frame('teams.read', 200, '/'),
      severity: 'INFO',
      message: '0 of 1 teams read, 0 failed',
      ...{ teams_named: 1, teams_read: 0, buildkite_calls: 0, failed: 0 },
    });
    expect(lineOf('teams.stale', response.audit)).toEqual({
      ...lines.frame('teams.stale', 200, '/'),
      severity: 'ERROR',
      message: 'teams with an old copy: 1; with one that is too old for any rule: 1',
      ...{ teams_stale: 1, teams_too_old: 1 },
      teams: [{ team_id: id, name: 'platform', state: 'too_old', age_s: null, failure: null }],
    });
  });

  it('deployment.unrecorded says why an instance could not record what it runs, outside of any request', async () => {
    const own = await openInProcessKeydesk({ records: true });
    const broken = () => Promise.reject(new DependencyError('ledger', 'unreachable', 'broken'));
    own.sweepDeps.deploymentLedger = { ...own.sweepDeps.deploymentLedger, recordToken: broken };
    await expect
      .poll(async () => {
        await own.call(`${own.tokenUrl}/health`);
        return own.audit.length;
      })
      .toBe(1);
    expect(lineOf('deployment.unrecorded', own.audit as never)).toEqual({
      event: 'deployment.unrecorded',
      severity: 'WARNING',
      message: 'what this instance runs is not on record: ledger: broken',
      dependency: 'ledger',
      error: 'ledger: broken',
      code: 'unreachable',
      'logging.googleapis.com/labels': { event: 'deployment.unrecorded' },
    });
    await own.close();
  });

  it('token.unknown counts the requests about unknown tokens, outside of any request', async () => {
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    await call(keydesk.tokenUrl, '/revoke', form, 'token=nonsense');
    expect(lineOf('token.unknown', keydesk.audit as never)).toEqual({
      event: 'token.unknown',
      severity: 'NOTICE',
      message: '1 requests to /introspect or /revoke about tokens that are not on record',
      requests: 1,
      not_looked_up: 1,
      not_found: 0,
      rejected: 0,
      counted_since: TIME,
      remote_ips: ['203.0.113.7'],
      'logging.googleapis.com/labels': { event: 'token.unknown' },
    });
  });

  it('token.form_unknown records that Google issued a token that cannot be looked up', async () => {
    const { mint } = keydesk.tokenDeps;
    keydesk.tokenDeps.mint = async (request) => ({ ...(await mint(request)), accessToken: 'another-form-of-token' });
    const job = keydesk.buildkite.startJob();
    const response = await byPath(await keydesk.buildkite.jobToken(job), 'staging-export');
    keydesk.tokenDeps.mint = mint;
    expect(response.status).toBe(200);
    expect(lineOf('token.form_unknown', response.audit)).toEqual({
      ...lines.frame('token.form_unknown', 200, '/token/staging-export'),
      severity: 'ERROR',
      message: 'Google issued an access token of a form that /revoke and /introspect do not look up: update Keydesk',
      grant_id: grantId(job.id, 'staging-export'),
      token_sha256: tokenSha256('another-form-of-token'),
    });
  });

  const asPerson = async (url: string, path: string, body?: object) =>
    call(
      url,
      path,
      { authorization: `Bearer ${await keydesk.google.idToken('ada@acme.example')}` },
      body && JSON.stringify(body),
    );

  it('operator.read and operator.refused record who reads, and who is not let in', async () => {
    const read = await asPerson(keydesk.adminUrl, '/kill', {
      ...{ id: KILL_ID, reason: 'INC-7', selector: { credential: 'staging-config' }, block: true, dry_run: true },
    });
    expect(lineOf('operator.read', read.audit)).toEqual({
      ...lines.frame('operator.read', 200, '/kill'),
      severity: 'INFO',
      message: 'kill for ada@acme.example',
      actor: 'ada@acme.example',
      operation: 'kill',
      about: 'credential=staging-config',
    });
    const refused = await call(keydesk.readerUrl, '/blocks', {}, '');
    expect(lineOf('operator.refused', refused.audit)).toEqual({
      ...lines.frame('operator.refused', 401, '/blocks'),
      severity: 'WARNING',
      message: 'a request without an acceptable ID token was refused: missing',
      problem: 'missing',
    });
  });

  it('kill_switch.activated and kill_switch.deactivated record what a person did', async () => {
    const job = keydesk.buildkite.startJob();
    await byPath(await keydesk.buildkite.jobToken(job), 'staging-config');
    const selector = { job_id: job.id, issued_since: '2026-01-01T00:00:00.000Z' };
    const killed = await asPerson(keydesk.adminUrl, '/kill', { id: KILL_ID, reason: 'INC-7', selector, block: true });
    expect(lineOf('kill_switch.activated', killed.audit)).toEqual({
      ...lines.frame('kill_switch.activated', undefined, '/kill'),
      severity: 'NOTICE',
      message: `kill switch ${KILL_ID} activated by ada@acme.example: job_id=${job.id}, since 2026-01-01T00:00:00.000Z`,
      kill_switch_id: KILL_ID,
      selector,
      actor: 'ada@acme.example',
      reason: 'INC-7',
      blocks_new: true,
    });
    const removed = await asPerson(keydesk.adminUrl, `/blocks/${KILL_ID}/remove`, {});
    expect(lineOf('kill_switch.deactivated', removed.audit)).toEqual({
      ...lines.frame('kill_switch.deactivated', 200, `/blocks/${KILL_ID}/remove`),
      severity: 'NOTICE',
      message: `kill switch ${KILL_ID} deactivated by ada@acme.example`,
      kill_switch_id: KILL_ID,
      actor: 'ada@acme.example',
    });
  });

  it('every event of the functions was seen, each on one line', () => {
    expect(Object.keys(seen).sort()).toEqual(Object.keys(EVENTS).sort());
    for (const line of keydesk.lines) expect(line).toMatch(/^\{[^\n]*\}\n$/);
    for (const { grant_id } of keydesk.audit.filter((line) => 'grant_id' in line)) expect(grant_id).toEqual(GRANT_ID);
  });
});
