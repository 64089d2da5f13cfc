// The bad situation each alert is about, done to a real desk that is watched.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { ROOT } from '../../../sandbox/functions.ts';
import { enableAccount } from '../../fixtures/operator.ts';
import { HOUR, MINUTE, SECOND, type WatchedDesk } from './log-filter-desk.ts';
import { type LogEntry, toLogEntry } from './log-filter-entry.ts';
import {
  answered,
  breakLedger,
  CHECKER,
  checked,
  endsWhileItsDocumentCannotBeClosed,
  HOSTS,
  LOCATIONS,
  type Situation,
  unavailable,
} from './monitoring-hours.ts';

/** One line of Cloud Run's own log of requests. */
function requestLine(at: number, service_name: string, status: number, userAgent: string): LogEntry {
  return {
    timestamp: new Date(at).toISOString(),
    logName: 'projects/acme-keydesk/logs/run.googleapis.com%2Frequests',
    resource: { type: 'cloud_run_revision', labels: { service_name } },
    severity: status < 500 ? 'INFO' : 'ERROR',
    labels: {},
    httpRequest: { requestMethod: 'GET', requestUrl: `https://${service_name}.a.run.app/`, status, userAgent },
    jsonPayload: {},
  };
}

async function failHandOuts(watched: WatchedDesk, times: number): Promise<void> {
  const { at, ask, startJob } = watched;
  await ask(startJob(), 'config');
  await breakLedger(watched, async () => {
    for (let count = 1; count <= times; count += 1) {
      at(count * SECOND);
      expect((await ask(startJob(), 'config')).status).toBe(503);
    }
  });
}

/** A sweep that is well, and then eleven for which one part of the ledger is out of reach. */
const withoutReading = (part: 'unfinished' | 'overdue' | 'accounts' | 'quiet') => async (watched: WatchedDesk) => {
  const { at, sweep, desk } = watched;
  await sweep();
  const { sweepLedger } = desk.ending;
  desk.ending.sweepLedger = { ...sweepLedger, [part]: unavailable('ledger') };
  for (let minute = 1; minute <= 11; minute += 1) {
    at(minute * MINUTE);
    expect((await sweep()).status).toBe(503);
  }
  desk.ending.sweepLedger = sweepLedger;
};

async function foundEnabled({ at, ask, finish, sweep, startJob, desk }: WatchedDesk): Promise<void> {
  const job = startJob();
  const { audit } = await ask(job, 'admin');
  await finish(job);
  at(MINUTE);
  await sweep();
  await enableAccount(desk, audit[0].service_account);
  at(3 * MINUTE);
}

/** What must make each alert's conditions true: by playbook, where there are several ways with the way after a comma. */
export const BAD: Readonly<Record<string, Situation>> = {
  'no-sweep, unfinished': withoutReading('unfinished'),
  'no-sweep, overdue': withoutReading('overdue'),
  'no-sweep, accounts': withoutReading('accounts'),
  'no-sweep, quiet': withoutReading('quiet'),
  'revocation-stuck': async (watched) => {
    const { at, sweep } = watched;
    const mend = await endsWhileItsDocumentCannotBeClosed(watched, 1);
    for (let minute = 1; minute <= 6; minute += 1) {
      at(minute * MINUTE);
      await sweep();
    }
    mend();
    at(7 * MINUTE);
    expect((await sweep()).json).toMatchObject({ revoked: 1, oldest_unfinished_s: 0 });
  },
  'revocation-stuck, unreadable': async ({ at, sweep, desk }) => {
    const { sweepLedger } = desk.ending;
    desk.ending.sweepLedger = { ...sweepLedger, unfinished: async () => ({ grants: [], unreadable: ['a grant'] }) };
    for (let minute = 1; minute <= 6; minute += 1) {
      at(minute * MINUTE);
      await sweep();
    }
    desk.ending.sweepLedger = sweepLedger;
  },
  'sweep-behind': async (watched) => {
    const { at, sweep, desk } = watched;
    const mend = await endsWhileItsDocumentCannotBeClosed(watched, 1);
    const { sweepLedger } = desk.ending;
    const unfinished: typeof sweepLedger.unfinished = async (limit) => {
      const found = await sweepLedger.unfinished(limit);
      desk.clock.advance(10 * SECOND);
      return found;
    };
    desk.ending.sweepLedger = { ...sweepLedger, unfinished };
    for (let minute = 1; minute <= 6; minute += 1) {
      at(minute * MINUTE);
      expect((await sweep()).json).toMatchObject({ more: true, revoked: 0 });
    }
    desk.ending.sweepLedger = sweepLedger;
    mend();
    at(8 * MINUTE);
    expect((await sweep()).json).toMatchObject({ more: false, revoked: 1 });
  },
  'hand-out-failing': async (watched) => {
    await failHandOuts(watched, 6);
  },
  'slo-hand-outs': async (watched) => {
    await failHandOuts(watched, 10);
  },
  'jobs-refused': async ({ at, ask, startJob }) => {
    for (let count = 0; count < 21; count += 1) {
      at(count * SECOND);
      expect((await ask(startJob({ pipeline_id: '0184990a-4782-42b5-afc1-000000000000' }), 'config')).status).toBe(400);
    }
    const job = startJob();
    await ask(job, 'config');
    await ask(job, 'not-in-the-policy');
    await ask(startJob({ organization_id: '0184990a-4782-42b5-afc1-000000000000' }), 'config');
  },
  'desk-unreachable': async ({ at, now, desk, entries, platform, take }) => {
    await desk.call(`${desk.webhookUrl}/`, { headers: { 'user-agent': CHECKER } });
    take();
    entries.push(requestLine(now(), 'keydesk-token', 503, CHECKER));
    const from = now();
    at(5 * MINUTE);
    // Two places from the second minute on.
    for (const [index, location] of LOCATIONS.entries())
      for (let minute = 0; minute <= 5; minute += 1)
        platform.push(checked(from + minute * MINUTE, location, HOSTS['keydesk-token'], index > 1 || minute < 1));
  },
  'not-starting': async ({ entries, now }) => {
    const ran = await promisify(execFile)(process.execPath, ['functions/sweep.ts'], { cwd: ROOT, env: {} }).catch(
      (error) => error,
    );
    expect(ran.code).toBe(1);
    for (const line of ran.stdout.trim().split('\n')) entries.push(toLogEntry(line, now(), 'keydesk-sweep'));
    expect(entries.map(({ labels, severity }) => [labels.event, severity])).toEqual([['start.failed', 'CRITICAL']]);
  },
  'platform-errors': async (watched) => {
    const { at, now, entries, platform } = watched;
    await failHandOuts(watched, 2);
    at(MINUTE);
    for (let count = 0; count < 10; count += 1) entries.push(requestLine(now(), 'keydesk-token', 503, 'curl'));
    platform.push(answered(now(), 'keydesk-token', '2xx', 29), answered(now(), 'keydesk-token', '5xx', 10));
  },
  'webhooks-refused': async ({ at, desk, notify, finish, startJob, take }) => {
    for (let hour = 0; hour < 2; hour += 1) {
      at(hour * 2 * HOUR);
      await notify('{}', { signature: `timestamp=1,signature=${'0'.repeat(64)}` });
    }
    at(4 * HOUR);
    await desk.call(`${desk.webhookUrl}/`, { method: 'POST', body: '{}', headers: { 'x-buildkite-token': 'a token' } });
    take();
    await finish(startJob());
  },
  'webhooks-refused, signed rightly': async ({ at, now, finish, notify, startJob, desk }) => {
    const { ledger } = desk.ending;
    desk.ending.ledger = { ...ledger, endJob: unavailable('ledger') };
    for (let minute = 0; minute < 2; minute += 1) {
      at(minute * MINUTE);
      await finish(startJob());
    }
    desk.ending.ledger = ledger;
    const signed = (seconds: number) => desk.buildkite.signature('{}', Math.floor(now() / SECOND) + seconds);
    at(2 * MINUTE);
    for (const seconds of [-301, 301, 0]) await notify('{}', { signature: signed(seconds) });
    await finish(startJob());
  },
  'webhooks-lost': async ({ at, now, ask, sweep, startJob }) => {
    for (let hour = 0; hour < 3; hour += 1) {
      at(hour * 2 * HOUR);
      const job = startJob();
      await ask(job, 'config');
      job.state = 'passed';
      job.finishedAt = now();
      at(hour * 2 * HOUR + 6 * MINUTE);
      expect((await sweep()).json).toMatchObject({ found_finished: 1 });
    }
    const lost = startJob();
    await ask(lost, 'config');
    lost.agentLost = true;
    at(4 * HOUR + 12 * MINUTE);
    expect((await sweep()).json).toMatchObject({ found_finished: 1 });
  },
  'ended-by-clock': async ({ at, ask, sweep, startJob }) => {
    for (let count = 0; count < 10; count += 1) await ask(startJob(), 'config');
    at(17 * MINUTE);
    expect((await sweep()).json).toMatchObject({ ended_by_clock: 10 });
  },
  'account-disabled-again': async (watched) => {
    await foundEnabled(watched);
    expect((await watched.sweep()).json).toMatchObject({ accounts_disabled_again: 1 });
  },
  'account-disabled-again, not to be disabled': async (watched) => {
    const { at, sweep, desk } = watched;
    await foundEnabled(watched);
    const { disableAccount } = desk.ending;
    desk.ending.disableAccount = unavailable('iam serviceAccounts.disable');
    expect((await sweep()).json).toMatchObject({ accounts_disabled_again: 0 });
    desk.ending.disableAccount = disableAccount;
    at(5 * MINUTE);
    await sweep();
  },
  'pool-exhaustion': async ({ at, ask, sweep, startJob }) => {
    // Brings back what the situations before left at rest.
    await sweep();
    for (let count = 0; count < 3; count += 1) expect((await ask(startJob(), 'admin')).status).toBe(200);
    for (let minute = 1; minute <= 3; minute += 1) {
      at(minute * MINUTE);
      await sweep();
      expect((await ask(startJob(), 'admin')).status).toBe(503);
    }
  },
  'dependency-errors': async (watched) => {
    await failHandOuts(watched, 10);
    const { desk, ask, startJob } = watched;
    const { verifyJobToken } = desk.issuing;
    desk.issuing.verifyJobToken = () => Promise.reject(new Error('the test broke it'));
    expect((await ask(startJob(), 'config')).status).toBe(500);
    desk.issuing.verifyJobToken = verifyJobToken;
  },
  'dependency-errors, API token revoked': async ({ at, ask, sweep, startJob, desk }) => {
    await ask(startJob(), 'config');
    desk.buildkite.beforeJob = () => ({ status: 401, json: { message: 'Authentication required' } });
    for (let minute = 5; minute < 15; minute += 1) {
      at(minute * MINUTE);
      expect((await sweep()).json).toMatchObject({ asked_buildkite: 1, failed: 1 });
    }
    desk.buildkite.beforeJob = undefined;
  },
  'probe-failing': async ({ at, canary, sweep }) => {
    await canary();
    for (let minute = 1; minute <= 31; minute += 10) {
      at(minute * MINUTE);
      await sweep();
    }
  },
  'probe-failing, not denied': async ({ at, canary, ask, startJob }) => {
    await canary();
    for (let minute = 10; minute <= 30; minute += 10) {
      at(minute * MINUTE);
      const job = startJob({ step_key: 'canary', build_branch: 'probe' });
      expect((await ask(job, 'canary')).status).toBe(200);
      expect((await ask(job, 'not-in-the-policy')).audit).toMatchObject([{ reason: 'unknown_credential' }]);
    }
  },
  'probe-no-webhook': async ({ at, canary, ask, startJob }) => {
    await canary();
    for (let minute = 10; minute <= 30; minute += 10) {
      at(minute * MINUTE);
      await ask(startJob({ step_key: 'canary', build_branch: 'probe' }), 'canary');
    }
  },
  'slo-time-to-dead': async (watched) => {
    const { at, sweep } = watched;
    const mend = await endsWhileItsDocumentCannotBeClosed(watched, 10);
    mend();
    at(3 * MINUTE);
    expect((await sweep()).json).toMatchObject({ revoked: 10 });
  },
};

/** On a desk whose rule grants what nothing may grant. */
export const CANARY_DENIED_IS_GRANTED: Situation = async ({ canary }) => {
  await canary();
};
