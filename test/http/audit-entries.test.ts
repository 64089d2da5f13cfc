// What the audit lines hold by kind and by reason, where audit.test.ts has one example of each event.

import { describe, expect, it } from 'vitest';
import { createSweepHandler } from '../../functions/sweep/handler.ts';
import { refusalResponse } from '../../functions/token/error-response.ts';
import { grantFields } from '../../shared/audit/result-events.ts';
import { AGENT_TOKEN_REASONS, isJobTokenRefusal } from '../../shared/core/oauth/refusal.ts';
import type { PoolReport } from '../../shared/core/pool/forecast.ts';
import { toJobFields } from '../../shared/core/subject/buildkite-job.ts';
import type { SweepResult } from '../../shared/operations/sweep.ts';
import { EVERY_REFUSAL } from '../fixtures/every-refusal.ts';
import { claims, GRANT_ID, grantIn, KINDS, NOW, pooled, subject } from '../fixtures/grants.ts';
import { TestClock } from '../fixtures/test-clock.ts';

describe('the line of a refusal', () => {
  it.each(EVERY_REFUSAL)('has every fact of $reason and no other, times in ISO 8601', (refusal) => {
    const { auditEvents } = refusalResponse(refusal, {
      request_id: 'r',
      bearer: false,
      credentialName: 'config',
      claims,
    });
    const { reason, retryAfter, ...facts } = { retryAfter: undefined, ...refusal };
    const times = Object.entries(facts).filter(([name]) => name.endsWith('_at'));
    const { agentTags, ...job } = claims;
    expect(auditEvents).toEqual([
      {
        ...{ event: 'grant.refused', message: `refused: ${reason}`, reason, credential: 'config' },
        ...facts,
        retry_after_s: retryAfter,
        ...Object.fromEntries(times.map(([name, value]) => [name, new Date(Number(value)).toISOString()])),
        severity: ['dependency_unavailable', 'google_refused'].includes(reason)
          ? 'ERROR'
          : isJobTokenRefusal(refusal) || (AGENT_TOKEN_REASONS as readonly string[]).includes(reason)
            ? 'WARNING'
            : 'NOTICE',
        job: { ...job, ...Object.fromEntries(agentTags) },
        labels: { reason, pipeline: claims.pipeline_slug },
      },
    ]);
  });

  it('names no pipeline of a job that was not verified', () => {
    const { auditEvents } = refusalResponse({ reason: 'job_token_expired' }, { request_id: 'r', bearer: true });
    expect(auditEvents?.[0]?.labels).toEqual({ reason: 'job_token_expired' });
  });
});

describe('the line of a grant', () => {
  it.each(KINDS)('has its whole record, but for tokens and what only the ledger needs: %s', (kind) => {
    const grant = grantIn('active', kind);
    const kept = Object.keys(grant).filter(
      (field) =>
        ![
          'tokens',
          'delete_at',
          'rate_window_at',
          'rate_window_count',
          'ending_since',
          'ending_by',
          'ending_kill_switch_id',
          'superseded',
          'subject',
        ].includes(field),
    );
    const facts = grantFields(grant);
    expect(Object.keys(facts).sort()).toEqual([...kept, ...Object.keys(toJobFields(subject)), 'grant_id'].sort());
    expect(facts).toMatchObject(toJobFields(subject));
    expect(facts).toMatchObject({ grant_id: GRANT_ID, created_at: new Date(NOW).toISOString() });
    expect(JSON.stringify(facts)).not.toContain('b'.repeat(64));
  });

  it('has the accounts that served it before, times in ISO 8601', () => {
    const before = { service_account: 'ci-2@acme.example', leased_at: NOW, access_ended_at: NOW + 1000 };
    const fields = grantFields({ ...pooled(grantIn('active', 'pool')), past_leases: [before] });
    expect(fields).toHaveProperty('past_leases', [
      {
        service_account: 'ci-2@acme.example',
        leased_at: new Date(NOW).toISOString(),
        access_ended_at: new Date(NOW + 1000).toISOString(),
      },
    ]);
  });
});

describe('the lines of a sweep', () => {
  const POOL: PoolReport = { size: 3, free: 2, leased: 1, revoking: 0, cooling_down: 0, exhausted_in_s: null };
  const IDLE: SweepResult = {
    ...{ revoked: [], notRenewed: [], expired: [], pending: [], enabled: [], enabledExternally: [], stillEnabled: [] },
    ...{ foundEnabled: [], jobsUnchecked: 0 },
    buildLooks: { lookedUp: 0, notShown: 0, calls: 0, found: [], failures: [], incomplete: false },
    ...{
      pools: {},
      failures: [],
      reconciledJobs: [],
      buildkiteUsage: { jobs: 0, calls: 0, tooLarge: 0 },
      oldestPendingAt: null,
      left: { pending_ends: 0, pending_revocations: 0, overdue: 0 },
    },
    ...{ hasBacklog: false, incomplete: false, hasUnreadable: false },
  };
  async function linesOf(swept: Partial<SweepResult>) {
    const handler = createSweepHandler({
      sweep: async () => ({ ...IDLE, ...swept }),
      record: async () => ({ failures: [] }),
      readTeams: async () => ({ named: 0, read: 0, calls: 0, stale: [], failures: [] }),
      clock: new TestClock(NOW),
    });
    const request = {
      method: 'POST',
      path: '/',
      query: '',
      headers: {},
      body: Buffer.alloc(0),
      request_id: 'r',
      remoteIp: undefined,
      audit: () => {},
    };
    const { auditEvents = [] } = await handler(request);
    return (event: string) => auditEvents.filter((entry) => entry.event === event);
  }

  it('name the first 20 failures in its summary, and 200 each by itself', async () => {
    const failures = Array.from({ length: 300 }, (_, nth) => ({
      grant_id: `g${nth}`,
      dependency: 'ledger',
      error: 'd',
      code: 'timed_out' as const,
    }));
    const of = await linesOf({ failures });
    expect(of('sweep.completed')).toMatchObject([{ severity: 'WARNING', failed: 300, completed: true }]);
    expect(of('sweep.completed')[0]?.failures).toEqual(failures.slice(0, 20));
    expect(of('task.failed').map(({ grant_id }) => grant_id)).toEqual(
      failures.slice(0, 200).map(({ grant_id }) => grant_id),
    );
  });

  it('say keydesk where nobody else failed', async () => {
    const of = await linesOf({ failures: [{ grant_id: 'g', error: 'd', code: 'internal_error' }] });
    expect(of('task.failed')).toMatchObject([{ dependency: 'keydesk', error: 'd', code: 'internal_error' }]);
  });

  it('count each pool as the summary does', async () => {
    const of = await linesOf({ pools: { admin: POOL, cache: { ...POOL, free: 3 } } });
    expect(of('sweep.completed')[0]?.pools).toEqual({ admin: POOL, cache: { ...POOL, free: 3 } });
    expect(of('pool.reported')).toMatchObject([
      { pool: 'admin', ...POOL, labels: { pool: 'admin' } },
      { pool: 'cache', ...POOL, free: 3, labels: { pool: 'cache' } },
    ]);
  });

  it('are an error where the ledger could not be read', async () => {
    const of = await linesOf({ incomplete: true });
    expect(of('sweep.completed')).toMatchObject([{ severity: 'ERROR', completed: false, oldest_pending_s: null }]);
  });
});
