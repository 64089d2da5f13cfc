// Every alert, condition by condition, over the lines of a real desk: on in the bad situation it is about, off in an
// ordinary hour, whether or not Google writes a counter's zeros. And each query of its playbook finds the lines it is
// for.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../sandbox/functions.ts';
import { Unavailable } from '../../shared/unavailable.ts';
import { enableAccount } from '../shared/operator.ts';
import { parseLogFilter } from './log-filter.ts';
import { HOUR, MINUTE, metrics, openWatchedDesk, policies, SECOND, slos, type WatchedDesk } from './log-filter-desk.ts';
import type { LogEntry } from './log-filter-entry.ts';
import { fires, holds, pointsOf, type Watched } from './log-filter-metrics.ts';

/** How a scenario went: its lines, and its first and last moment. */
interface Went {
  readonly entries: readonly LogEntry[];
  readonly from: number;
  readonly until: number;
}

const BROKEN = () => Promise.reject(new Unavailable('ledger', 'the test broke it'));

/** What must make each alert's conditions true. `zeros` is which way Google's counters go. */
const BAD: Readonly<Record<string, (watched: WatchedDesk) => Promise<void>>> = {
  'no-sweep': async ({ at, sweep, desk }) => {
    await sweep();
    const { sweepLedger } = desk.ending;
    desk.ending.sweepLedger = { ...sweepLedger, unfinished: BROKEN, overdue: BROKEN };
    for (let minute = 1; minute <= 6; minute += 1) {
      at(minute * MINUTE);
      expect((await sweep()).status).toBe(503);
    }
    desk.ending.sweepLedger = sweepLedger;
  },
  'revocation-stuck': async ({ at, ask, finish, sweep, startJob, desk }) => {
    const job = startJob();
    await ask(job, 'config');
    const { closeGrantDocument, sweepLedger } = desk.ending;
    desk.ending.closeGrantDocument = () => Promise.reject(new Unavailable('grant document', 'the test broke it'));
    await finish(job);
    for (let minute = 1; minute <= 6; minute += 1) {
      at(minute * MINUTE);
      await sweep();
    }
    desk.ending.closeGrantDocument = closeGrantDocument;
    const unreadable = Array.from({ length: 2_000 }, (_, index) => `grant ${index}`);
    desk.ending.sweepLedger = { ...sweepLedger, unfinished: async () => ({ grants: [], unreadable }) };
    for (let minute = 7; minute <= 12; minute += 1) {
      at(minute * MINUTE);
      expect((await sweep()).json).toMatchObject({ more: true });
    }
    desk.ending.sweepLedger = sweepLedger;
    at(13 * MINUTE);
    expect((await sweep()).json).toMatchObject({ revoked: 1, more: false });
  },
  'hand-out-failing': async (watched) => failHandOuts(watched, 6),
  'slo-hand-outs': async (watched) => failHandOuts(watched, 6),
  'webhooks-refused': async ({ at, notify }) => {
    for (let second = 0; second < 5; second += 1) {
      at(second * SECOND);
      await notify('{}', { signature: `timestamp=1,signature=${'0'.repeat(64)}` });
    }
  },
  'webhooks-lost': async ({ at, ask, sweep, startJob }) => {
    const jobs = [startJob(), startJob(), startJob()];
    for (const job of jobs) await ask(job, 'config');
    for (const job of jobs) job.state = 'passed';
    at(6 * MINUTE);
    expect((await sweep()).json).toMatchObject({ found_finished: 3 });
  },
  'ended-by-clock': async ({ at, ask, sweep, startJob }) => {
    for (let count = 0; count < 10; count += 1) await ask(startJob(), 'config');
    at(17 * MINUTE);
    expect((await sweep()).json).toMatchObject({ ended_by_clock: 10 });
  },
  'account-disabled-again': async ({ at, ask, finish, sweep, startJob, desk }) => {
    const job = startJob();
    const { audit } = await ask(job, 'admin');
    await finish(job);
    at(MINUTE);
    await sweep();
    await enableAccount(desk, audit[0].service_account);
    at(3 * MINUTE);
    expect((await sweep()).json).toMatchObject({ accounts_disabled_again: 1 });
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
  'probe-failing': async ({ at, canary, sweep }) => {
    await canary();
    for (let minute = 1; minute <= 31; minute += 10) {
      at(minute * MINUTE);
      await sweep();
    }
  },
  'slo-time-to-dead': async ({ at, ask, finish, sweep, startJob, desk }) => {
    const jobs = Array.from({ length: 5 }, () => startJob());
    for (const job of jobs) await ask(job, 'config');
    const { closeGrantDocument } = desk.ending;
    desk.ending.closeGrantDocument = () => Promise.reject(new Unavailable('grant document', 'the test broke it'));
    for (const job of jobs) await finish(job);
    desk.ending.closeGrantDocument = closeGrantDocument;
    at(2 * MINUTE);
    expect((await sweep()).json).toMatchObject({ revoked: 5 });
  },
};

async function failHandOuts({ at, ask, startJob, desk }: WatchedDesk, times: number): Promise<void> {
  const { ledger } = desk.issuing;
  await ask(startJob(), 'config');
  desk.issuing.ledger = Object.fromEntries(
    Object.keys(ledger).map((name) => [name, BROKEN]),
  ) as unknown as typeof ledger;
  for (let count = 1; count <= times; count += 1) {
    at(count * SECOND);
    expect((await ask(startJob(), 'config')).status).toBe(503);
  }
  desk.issuing.ledger = ledger;
}

/** Sweeps, canaries, jobs that are served and end as they should, a few that don't, and a scanner's knock on the door. */
async function anOrdinaryHour(watched: WatchedDesk): Promise<void> {
  const { at, ask, finish, sweep, canary, notify, startJob, desk } = watched;
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
    if (minute === 30) await notify('{}', { signature: 'timestamp=1,signature=00' });
  }
  at(60 * MINUTE);
  await sweep();
  expect(desk.audit.length).toBeGreaterThan(200);
}

const watchedAs = (entries: readonly LogEntry[], zeros: boolean): Watched => ({
  metrics,
  slos: slos.serviceLevelObjectives,
  entries,
  zeros,
});

/** Moments of a scenario, a minute apart, and some of quiet after it. */
function moments({ from, until }: Went, after = 0): number[] {
  return Array.from({ length: Math.ceil((until + after - from) / MINUTE) + 1 }, (_, index) => from + index * MINUTE);
}

const queriesOf = (playbook: string): string[] =>
  [...readFileSync(join(ROOT, `docs/playbooks/${playbook}.md`), 'utf8').matchAll(/```logging\n([\s\S]*?)```/g)].map(
    ([, text]) => text as string,
  );

describe('alerts', () => {
  const went: Record<string, Went> = {};
  let ordinary: Went;
  const run = async (watched: WatchedDesk, scenario: (watched: WatchedDesk) => Promise<void>): Promise<Went> => {
    watched.begin();
    const from = watched.now();
    await scenario(watched);
    return { entries: [...watched.entries], from, until: watched.now() };
  };
  beforeAll(async () => {
    const watched = await openWatchedDesk();
    ordinary = await run(watched, anOrdinaryHour);
    for (const [name, scenario] of Object.entries(BAD)) went[name] = await run(watched, scenario);
    await watched.desk.close();
    const lax = await openWatchedDesk('[canary, canary-denied]');
    went['probe-granted'] = await run(lax, ({ canary }) => canary());
    await lax.desk.close();
  }, 240_000);

  it('have a bad situation each', () => {
    expect(Object.keys(went).sort()).toEqual(
      [...new Set(policies.map(({ userLabels }) => userLabels.playbook))].sort(),
    );
  });

  const each = policies.map((policy) => [policy.displayName, policy] as const);

  it.each(each)('%s: fires in its bad situation', (_, policy) => {
    const bad = went[policy.userLabels.playbook] as Went;
    for (const zeros of [true, false]) {
      const watched = watchedAs(bad.entries, zeros);
      expect([zeros, moments(bad, 5 * MINUTE).some((now) => fires(watched, policy, now))]).toEqual([zeros, true]);
    }
  });

  it.each(each)('%s: has no condition that cannot come true', (_, { userLabels, conditions }) => {
    const bad = went[userLabels.playbook] as Went;
    for (const condition of conditions) {
      const either = [true, false].some((zeros) =>
        moments(bad, 5 * MINUTE).some((now) => holds(watchedAs(bad.entries, zeros), condition, now)),
      );
      expect([condition.displayName, either]).toEqual([condition.displayName, true]);
    }
  });

  it.each(each)('%s: is quiet through an ordinary hour', (_, policy) => {
    for (const zeros of [true, false]) {
      const watched = watchedAs(ordinary.entries, zeros);
      expect(moments(ordinary).filter((now) => fires(watched, policy, now))).toEqual([]);
    }
  });

  it.each(each)('%s: is off before its situation has gone on for long enough', (_, policy) => {
    const { entries, from } = went[policy.userLabels.playbook] as Went;
    const one = entries.filter(({ timestamp }) => Date.parse(timestamp) <= from);
    // What one event is enough for is meant so.
    if (['account-disabled-again', 'probe-granted'].includes(policy.userLabels.playbook)) return;
    expect([true, false].map((zeros) => fires(watchedAs(one.slice(0, 1), zeros), policy, from))).toEqual([
      false,
      false,
    ]);
  });

  it.each([
    ['pool_exhaustion_near', 'pool-exhaustion', 'pool', { admin: 3 }],
    ['accounts_disabled_again', 'account-disabled-again', 'service_account', expect.toSatisfy(hasOne)],
  ])('the metric %s counts what happened', (name, scenario, label, expected) => {
    const metric = metrics.find((one) => one.name === `keydesk/${name}`);
    const points = metric ? pointsOf(metric, went[scenario]?.entries ?? []) : [];
    const counted = Object.entries(Object.groupBy(points, ({ labels }) => labels[label] ?? ''));
    expect(Object.fromEntries(counted.map(([key, found]) => [key, found?.length]))).toEqual(expected);
  });
  function hasOne(counted: Record<string, number>): boolean {
    const [[email, count] = [], ...others] = Object.entries(counted);
    return others.length === 0 && count === 1 && /^ci-00\d@/.test(email ?? '');
  }

  it.each([...new Set(policies.map(({ userLabels }) => userLabels.playbook))])(
    'the queries of the playbook %s find the lines they speak of, and not those of an ordinary hour',
    (playbook) => {
      const queries = queriesOf(playbook);
      expect(queries.length).toBeGreaterThan(0);
      for (const query of queries) {
        const matches = parseLogFilter(query);
        expect([query, (went[playbook]?.entries ?? []).some(matches)]).toEqual([query, true]);
        expect([query, ordinary.entries.filter(matches).length < ordinary.entries.length / 2]).toEqual([query, true]);
      }
    },
  );

  it.each(['no-sweep', 'revocation-stuck'])('%s is told after five minutes, neither later nor earlier', (playbook) => {
    const { entries, from, until } = went[playbook] as Went;
    const policy = policies.find(({ userLabels }) => userLabels.playbook === playbook) as (typeof policies)[number];
    for (const zeros of [true, false]) {
      const watched = watchedAs(entries, zeros);
      const first = moments({ entries, from, until }).find((now) => fires(watched, policy, now));
      expect([zeros, ((first ?? 0) - from) / MINUTE]).toEqual([zeros, 5]);
    }
  });

  it('an ordinary hour is one in which much happens', () => {
    const events = new Set(ordinary.entries.map(({ labels }) => labels.event));
    for (const event of ['grant.issued', 'grant.refused', 'grant.revoked', 'grant.expired', 'job.found_finished'])
      expect(events).toContain(event);
    expect(ordinary.until - ordinary.from).toBe(HOUR);
  });
});
