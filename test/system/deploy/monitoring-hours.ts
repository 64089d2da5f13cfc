// What a desk that is watched goes through: hours in which nobody is to be woken, a moment in which Google fails, and what such
// hours are made of. Everything is done to a real desk, whose own lines are kept; what Cloud Run and the uptime checks count
// beside it is made up.

import { expect } from 'vitest';
import { WEBHOOK_BODY_LIMIT } from '../../../functions/webhook-handler.ts';
import { Unavailable } from '../../../shared/unavailable.ts';
import { HOUR, MINUTE, SECOND, type WatchedDesk } from './log-filter-desk.ts';
import type { LogEntry } from './log-filter-entry.ts';
import type { PlatformPoint } from './monitoring-query.ts';

/** How a situation went: its lines and points, and its first and last moment. */
export interface Went {
  readonly entries: readonly LogEntry[];
  readonly platform: readonly PlatformPoint[];
  readonly from: number;
  readonly until: number;
}

export type Situation = (watched: WatchedDesk) => Promise<void>;

/** What lies between two situations: none is seen from another. */
export async function go(watched: WatchedDesk, situation: Situation): Promise<Went> {
  watched.begin();
  const from = watched.now();
  await situation(watched);
  return { entries: [...watched.entries], platform: [...watched.platform], from, until: watched.now() };
}

export const LOCATIONS = [
  'usa-virginia',
  'usa-oregon',
  'usa-iowa',
  'eur-belgium',
  'apac-singapore',
  'sa-brazil-sao_paulo',
];
export const HOSTS = { 'keydesk-token': 'keydesk-token.a.run.app', 'keydesk-webhook': 'keydesk-webhook.a.run.app' };

export function checked(at: number, checker_location: string, host: string, passed: boolean): PlatformPoint {
  const labels = { check_id: 'health', checker_location };
  return {
    metric: 'monitoring.googleapis.com/uptime_check/check_passed',
    at,
    labels,
    resource: { host },
    value: passed ? 1 : 0,
  };
}

export function answered(at: number, service_name: string, response_code_class: string, value = 1): PlatformPoint {
  const labels = { response_code_class };
  return { metric: 'run.googleapis.com/request_count', at, labels, resource: { service_name }, value };
}

/** The platform's view of an hour: all checks pass and all is answered, but for one of each. */
function platformHour(from: number): PlatformPoint[] {
  const minutes = Array.from({ length: 60 }, (_, minute) => from + minute * MINUTE);
  return minutes.flatMap((at, minute) => [
    ...Object.values(HOSTS).flatMap((host) =>
      LOCATIONS.map((location, index) => checked(at, location, host, minute !== 20 || index !== 3)),
    ),
    ...[...Object.keys(HOSTS), 'keydesk-sweep'].map((service) => answered(at, service, '2xx', 6)),
    ...(minute === 20 ? [answered(at, 'keydesk-token', '5xx')] : []),
  ]);
}

export const unavailable = (what: string) => () => Promise.reject(new Unavailable(what, 'the test broke it'));
export const CHECKER = 'GoogleStackdriverMonitoring-UptimeChecks(https://cloud.google.com/monitoring)';

/** While `work` goes on, nothing can be recorded of a hand-out. */
export async function breakLedger({ desk }: WatchedDesk, work: () => Promise<void>): Promise<void> {
  const { ledger } = desk.issuing;
  const names = Object.keys(ledger);
  desk.issuing.ledger = Object.fromEntries(
    names.map((name) => [name, unavailable('ledger')]),
  ) as unknown as typeof ledger;
  await work();
  desk.issuing.ledger = ledger;
}

/** Jobs that end while what they hold cannot be taken away. @returns how to mend it */
export async function endsWhileItsDocumentCannotBeClosed({ ask, finish, startJob, desk }: WatchedDesk, jobs: number) {
  const ended = Array.from({ length: jobs }, () => startJob());
  for (const job of ended) await ask(job, 'config');
  const { closeGrantDocument } = desk.ending;
  desk.ending.closeGrantDocument = unavailable('grant document');
  for (const job of ended) await finish(job);
  return () => {
    desk.ending.closeGrantDocument = closeGrantDocument;
  };
}

/** Sweeps, canaries, jobs that are served and end as they should, a few that don't, and a scanner's knock on the door. */
export const anOrdinaryHour: Situation = async (watched) => {
  const { at, now, ask, finish, sweep, canary, startJob, desk, platform } = watched;
  const from = now();
  const running: ReturnType<typeof startJob>[] = [];
  for (let minute = 0; minute < 60; minute += 1) {
    at(minute * MINUTE);
    await sweep();
    if (minute % 10 === 0) await canary();
    if (minute % 5 === 1) {
      const job = startJob();
      running.push(job);
      for (const credential of ['config', 'export', ...(minute % 20 === 1 ? ['admin', 'artifacts'] : [])])
        expect((await ask(job, credential)).status).toBe(200);
      await ask(startJob({ build_branch: 'feature' }), 'config');
    }
    if (minute % 5 === 4) {
      const job = running.shift();
      if (job) await finish(job);
    }
    // One outlives its token; one webhook is lost; a stranger knocks; Google hiccups once.
    if (minute === 12) await ask(startJob(), 'live');
    if (minute === 20) {
      const lost = startJob();
      await ask(lost, 'config');
      lost.state = 'passed';
    }
    if (minute === 30) await knock(watched);
    if (minute === 35) await watched.notify(JSON.stringify({ event: 'build.running' }), {});
    if (minute === 40) await hiccup(watched, minute);
  }
  at(60 * MINUTE);
  await sweep();
  expect(desk.audit.length).toBeGreaterThan(200);
  platform.push(...platformHour(from));
};

/** What goes on while nobody works: the sweep, the probe, the checks, and strangers. */
export const aQuietHour: Situation = (watched) => quiet(watched, false);

/** The same with Google's hiccup in it. */
export const aQuietHourWithAHiccup: Situation = (watched) => quiet(watched, true);

async function quiet(watched: WatchedDesk, hiccuping: boolean): Promise<void> {
  const { at, now, sweep, canary, platform } = watched;
  const from = now();
  for (let minute = 0; minute < 60; minute += 1) {
    at(minute * MINUTE);
    await sweep();
    if (minute % 10 === 0) await canary();
    if (minute === 30) await knock(watched);
    if (minute === 41 && hiccuping) await hiccup(watched, minute);
  }
  platform.push(...platformHour(from));
}

/** Strangers at the doors that are open to the internet. */
async function knock({ desk, notify, askWith, take }: WatchedDesk): Promise<void> {
  for (let count = 0; count < 5; count += 1) {
    await notify('{}', { signature: 'timestamp=1,signature=00' });
    await desk.call(`${desk.webhookUrl}/`, { method: 'POST', body: '{}' });
    await desk.call(`${desk.webhookUrl}/`, { headers: { 'user-agent': CHECKER } });
    await desk.call(`${desk.webhookUrl}/.env`);
    await askWith('not-a-token', 'config');
  }
  await desk.call(`${desk.webhookUrl}/`, { method: 'POST', body: 'a'.repeat(WEBHOOK_BODY_LIMIT + 1) });
  take();
}

/** For a minute each thing that Google does for the desk fails once: a hand-out, a webhook, an end, a reading of the sweep's. */
async function hiccup(watched: WatchedDesk, minute: number): Promise<void> {
  const { at, ask, finish, sweep, startJob, desk } = watched;
  await breakLedger(watched, async () => {
    expect((await ask(startJob(), 'config')).status).toBe(503);
  });
  const { ledger, sweepLedger } = desk.ending;
  desk.ending.ledger = { ...ledger, endJob: unavailable('ledger') };
  expect((await finish(startJob())).status).toBe(503);
  desk.ending.ledger = ledger;
  const mend = await endsWhileItsDocumentCannotBeClosed(watched, 1);
  at(minute * MINUTE + 30 * SECOND);
  desk.ending.sweepLedger = { ...sweepLedger, accounts: unavailable('ledger') };
  expect((await sweep()).status).toBe(503);
  desk.ending.sweepLedger = sweepLedger;
  mend();
}

/** So many hours of which all but one, the twentieth, are like the first. */
export function manyHours(quietHour: Went, other: Went, hours: number): Went {
  const from = quietHour.from;
  const shifted = Array.from({ length: hours }, (_, index) => {
    const went = index === 20 ? other : quietHour;
    const by = from + index * HOUR - went.from;
    return {
      entries: went.entries.map((entry) => ({
        ...entry,
        timestamp: new Date(Date.parse(entry.timestamp) + by).toISOString(),
      })),
      platform: went.platform.map((point) => ({ ...point, at: point.at + by })),
    };
  });
  return {
    entries: shifted.flatMap(({ entries }) => entries),
    platform: shifted.flatMap(({ platform }) => platform),
    from,
    until: from + hours * HOUR,
  };
}
