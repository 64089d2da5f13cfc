// Half an hour in the life of a real desk, watched: each metric extracts what happened, the objectives count it, and every
// tile of the dashboard shows it.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../../sandbox/functions.ts';
import { Unavailable } from '../../../shared/unavailable.ts';
import { enableAccount } from '../../fixtures/operator.ts';
import { parseLogFilter } from './log-filter.ts';
import { MINUTE, openWatchedDesk, SECOND, type WatchedDesk } from './log-filter-desk.ts';
import { toLogEntry } from './log-filter-entry.ts';
import { pointsOf } from './log-filter-metrics.ts';
import { countsOf } from './monitoring-conditions.ts';
import { metrics, type Query, secondsOf, slos, uptimeChecks, widgets } from './monitoring-definitions.ts';
import { answered, checked } from './monitoring-hours.ts';
import { read, readRatio, type Watched } from './monitoring-query.ts';

const broken = () => Promise.reject(new Unavailable('ledger', 'the test broke it'));

let watched: WatchedDesk;
let from = 0;
let all: Watched;
beforeAll(async () => {
  watched = await openWatchedDesk();
  from = watched.now();
  await anHalfHour(watched);
  await aSecondHalf(watched);
  const { entries, platform } = watched;
  all = { metrics, slos: slos.serviceLevelObjectives, entries, platform, zeros: false };
}, 60_000);
afterAll(() => watched.desk.close());

/** What is expected below is what is done here. */
async function anHalfHour({ desk, at, now, ask, askWith, finish, notify, sweep, startJob }: WatchedDesk) {
  const [first, second, third] = [startJob(), startJob(), startJob()];
  const { verifyJobToken } = desk.issuing;
  desk.issuing.verifyJobToken = async (...args) => {
    desk.clock.advance(250);
    return verifyJobToken(...args);
  };
  await ask(first, 'config');
  desk.issuing.verifyJobToken = verifyJobToken;
  at(SECOND);
  for (const credential of ['live', 'export', 'admin', 'artifacts']) await ask(first, credential);
  await ask(second, 'config');
  await ask(third, 'config');

  await ask(startJob({ build_branch: 'feature', pipeline_slug: 'docs' }), 'config');
  await ask(second, 'nothing-like-it');
  await askWith('a.b', 'config');
  desk.issuing.verifyJobToken = () => Promise.reject(new Unavailable('issuer keys', 'the test broke it'));
  await ask(second, 'config');
  desk.issuing.verifyJobToken = () => Promise.reject(new Error('the test broke it'));
  await ask(second, 'config');
  desk.issuing.verifyJobToken = verifyJobToken;

  await notify('{}', { signature: 'timestamp=1,signature=00' });
  await notify('{}', { headers: { 'x-buildkite-signature': `timestamp=1,signature=${'0'.repeat(64)}` } });
  await notify(JSON.stringify({ event: 'build.running' }), {});
  first.finishedAt = now() - SECOND;
  const { ledger, closeGrantDocument } = desk.ending;
  desk.ending.ledger = { ...ledger, endJob: broken };
  await finish(first);
  desk.ending.ledger = ledger;

  at(30 * SECOND);
  await sweep();
  // The first ends while the grant document cannot be closed: the sweep of a minute later fails too, the next does not.
  at(MINUTE);
  desk.ending.closeGrantDocument = () => Promise.reject(new Unavailable('grant document', 'the test broke it'));
  first.finishedAt = now() - SECOND;
  await finish(first);
  at(2 * MINUTE);
  await sweep();
  desk.ending.closeGrantDocument = closeGrantDocument;
  at(2 * MINUTE + 30 * SECOND);
  await sweep();
  // The webhook of the second is lost. The third outlives its token.
  second.state = 'passed';
  second.finishedAt = now();
  at(7 * MINUTE);
  await sweep();
  at(22 * MINUTE);
  await sweep();
}

async function aSecondHalf(watching: WatchedDesk) {
  const { desk, at, now, ask, finish, sweep, canary, startJob, entries, platform } = watching;
  at(23 * MINUTE);
  await canary();
  await desk.call(`${desk.webhookUrl}/`);
  await desk.call(`${desk.webhookUrl}/.env`);
  const { sweepLedger, disableAccount } = desk.ending;
  desk.ending.sweepLedger = { ...sweepLedger, overdue: async () => ({ grants: [], unreadable: ['a grant'] }) };
  await sweep();
  desk.ending.sweepLedger = { ...sweepLedger, overdue: broken };
  await sweep();
  desk.ending.sweepLedger = sweepLedger;

  // One account rests, is enabled by somebody, and again when it cannot be disabled.
  const job = startJob();
  const { audit } = await ask(job, 'admin');
  await finish(job);
  await enableAccount(desk, audit[0].service_account);
  at(25 * MINUTE);
  await sweep();
  await enableAccount(desk, audit[0].service_account);
  desk.ending.disableAccount = () => Promise.reject(new Unavailable('iam serviceAccounts.disable', 'answered 403'));
  at(27 * MINUTE);
  // The two others are leased; one of them cannot be taken away.
  const jobs = [startJob(), startJob()];
  for (const each of jobs) await ask(each, 'admin');
  await ask(startJob(), 'admin');
  await finish(jobs[0] as (typeof jobs)[number]);
  await sweep();
  desk.ending.disableAccount = disableAccount;

  const ran = await promisify(execFile)(process.execPath, ['functions/sweep.ts'], { cwd: ROOT, env: {} }).catch(
    (error) => error,
  );
  entries.push(toLogEntry(ran.stdout.trim(), now(), 'keydesk-sweep'));
  platform.push(answered(now(), 'keydesk-token', '5xx', 3), answered(now(), 'keydesk-token', '2xx', 9));
  for (const place of ['a', 'b', 'c']) platform.push(checked(now(), place, 'token', place === 'a'));
  at(28 * MINUTE);
}

/** How often a metric counted, or what it recorded, by its labels. */
function figures(name: string, by: readonly string[]) {
  const metric = metrics.find((one) => one.name === `keydesk/${name}`);
  if (!metric) throw new Error(`no metric ${name}`);
  const points = pointsOf(metric, watched.entries);
  const grouped = Map.groupBy(points, ({ labels }) => by.map((key) => labels[key]).join(' '));
  const counter = metric.metricDescriptor.valueType === 'INT64';
  return Object.fromEntries(
    [...grouped].map(([group, members]) => [group, counter ? members.length : members.map(({ value }) => value)]),
  );
}

describe('each metric extracts what happened', () => {
  it.each<[string, string[], object]>([
    [
      'hand_outs',
      ['event', 'credential', 'environment', 'reason'],
      {
        'grant.issued config staging ': 3,
        'grant.issued live production ': 1,
        'grant.issued export staging ': 1,
        'grant.issued admin staging ': 4,
        'grant.issued artifacts staging ': 1,
        'grant.issued canary monitoring ': 1,
        'grant.refused   unavailable': 1,
        'grant.refused   pool_exhausted': 1,
        'request.failed   ': 1,
      },
    ],
    [
      'requests',
      ['event', 'reason', 'pipeline'],
      {
        'grant.issued  ': 11,
        'grant.refused no_rule_grants docs': 1,
        'grant.refused no_rule_grants app': 1,
        'grant.refused unknown_credential app': 1,
        'grant.refused job_token_malformed ': 1,
        'grant.refused job_token_signature_invalid ': 1,
        'grant.refused unavailable ': 1,
        'grant.refused pool_exhausted app': 1,
        'request.failed  ': 1,
      },
    ],
    [
      'latency',
      ['event'],
      {
        'grant.issued': [0.25, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        'grant.refused': [0, 0, 0, 0, 0, 0, 0],
        'request.failed': [0],
      },
    ],
    ['canary_refusals', [], { '': 1 }],
    ['jobs_found_finished', [], { '': 1 }],
    // The one that could not read what is overdue is not among them.
    ['sweeps', ['more'], { false: 8 }],
    ['unreadable_records', [], { '': 1 }],
    ['webhooks', ['result'], { ignored: 1, job_ended: 4 }],
    [
      'webhook_refusals',
      ['reason'],
      { signature_malformed: 1, signature_wrong: 1, ledger_unavailable: 1, method_not_allowed: 1, not_found: 1 },
    ],
    ['faults', [], { '': 1 }],
    ['start_failures', [], { '': 1 }],
    // Two grants of the first job, each left by its webhook and by one sweep. Of the pooled account that could not be
    // disabled the webhook and the sweep tell, and the sweep of the one that rests.
    [
      'dependency_failures',
      ['what'],
      { 'issuer keys': 1, ledger: 2, 'grant document': 4, keydesk: 2, 'iam serviceAccounts.disable': 2 },
    ],
    ['accounts_found_enabled', ['event'], { 'account.disabled_again': 1, 'account.not_disabled': 1 }],
    [
      'ends',
      ['credential', 'ended_by'],
      {
        'config job.finished': 1,
        'live job.finished': 1,
        'export job.finished': 1,
        'admin job.finished': 2,
        'artifacts job.finished': 1,
        'config job.found_finished': 1,
        'config clock': 1,
        'canary early_return': 1,
      },
    ],
    // The narrowed tokens and the shared account's die at their expiry, which nobody calls late. Ended at 1:00 and not
    // closed by the sweep of 2:00; of those that met a record that cannot be read, and that could not read the ledger, nothing is
    // known; the last left one that had ended that moment.
    ['oldest_unfinished_revocation', [], { '': [0, 60, 0, 0, 0, 0, 0] }],
    ['late_ends', [], { '': 1 }],
    ['pool_exhaustion_near', ['pool'], { admin: 1 }],
    ['pool_free', ['pool'], { admin: [2, 2, 2, 2, 3, 3, 3, 2, 0], artifacts: [3, 3, 3, 3, 4, 4, 4, 4, 4] }],
    ['pool_leased', ['pool'], { admin: [1, 0, 0, 0, 0, 0, 0, 0, 1], artifacts: [1, 0, 0, 0, 0, 0, 0, 0, 0] }],
    ['pool_revoking', ['pool'], { admin: [0, 0, 0, 0, 0, 0, 0, 0, 1], artifacts: [0, 0, 0, 0, 0, 0, 0, 0, 0] }],
    ['pool_resting', ['pool'], { admin: [0, 1, 1, 1, 0, 0, 0, 1, 1], artifacts: [0, 1, 1, 1, 0, 0, 0, 0, 0] }],
  ])('%s, by %j', (name, by, expected) => {
    expect(figures(name, by)).toEqual(expected);
  });

  it('time_to_dead, in seconds since the job ended, where Buildkite says when', () => {
    expect(figures('time_to_dead', ['credential', 'revocation'])).toEqual({
      // Ended at 0:59, closed at 2:30. The second’s, at 2:30, was found at 7:00.
      'config immediate': expect.arrayContaining([91, 270]),
      'live immediate': [91],
      'admin propagating': [1, 0],
      'export expiry': [expect.closeTo(10 * 60 + 1 - 59, -2)],
      'artifacts expiry': [expect.closeTo(10 * 60 + 1 - 59, -2)],
    });
  });

  it('heard_to_dead, in seconds, of all but what the clock ended', () => {
    expect(figures('heard_to_dead', ['credential', 'revocation'])).toEqual({
      // Ended at 1:00, closed at 2:30. The second config's end was found and was at once.
      'config immediate': expect.arrayContaining([90, 0]),
      'live immediate': [90],
      'admin propagating': [0, 0],
      'export expiry': [expect.closeTo(10 * 60 + 1 - 60, -2)],
      'artifacts expiry': [expect.closeTo(10 * 60 + 1 - 60, -2)],
      'canary immediate': [0],
    });
    for (const credential of ['export', 'artifacts']) {
      const line = watched.entries.find(
        ({ jsonPayload, labels }) => labels.event === 'grant.expired' && jsonPayload.credential === credential,
      );
      const { dead_at, ended_at, dead_after_s } = line?.jsonPayload ?? {};
      expect(dead_after_s).toBe((Date.parse(String(dead_at)) - Date.parse(String(ended_at))) / 1000);
    }
  });

  it.each([
    ['pool_exhaustion_near', 'pool.counted', 'exhausted_in_s', [899, 900]],
    ['late_ends', 'grant.revoked', 'dead_after_job_end_s', [120.001, 120]],
    ['oldest_unfinished_revocation', 'sweep.completed', 'oldest_unfinished_s', [0, null]],
    ['time_to_dead', 'grant.revoked', 'dead_after_job_end_s', [0, undefined]],
    ['heard_to_dead', 'grant.revoked', 'dead_after_s', [0, undefined]],
  ] as const)('%s counts exactly from its border on', (name, event, field, [counted, not]) => {
    const metric = metrics.find((one) => one.name === `keydesk/${name}`);
    const line = watched.entries.find(({ labels, jsonPayload }) => labels.event === event && field in jsonPayload);
    if (!metric || !line) throw new Error(`no ${name}, or no line of it`);
    const count = (value: unknown) =>
      pointsOf(metric, [{ ...line, jsonPayload: { ...line.jsonPayload, [field]: value } }]).length;
    expect([count(counted), count(not)]).toEqual([1, 0]);
  });

  it('no sweep takes narrowed tokens, which go on saying that they are being revoked, for unfinished', () => {
    const artifacts = watched.entries.find(
      ({ jsonPayload, labels }) => labels.event === 'grant.renewal_ended' && jsonPayload.credential === 'artifacts',
    );
    const { grant_id, state, dead_at } = artifacts?.jsonPayload ?? {};
    expect([state, typeof dead_at]).toEqual(['revoking', 'string']);
    const failed = watched.entries.filter(({ labels }) => labels.event === 'work.failed');
    expect(failed.map(({ jsonPayload }) => jsonPayload.grant_id)).not.toContain(grant_id);
  });
});

it('the objectives count what they promise', () => {
  const [handOuts, timeToDead] = slos.serviceLevelObjectives.map((slo) =>
    countsOf(all, slo, 0, Number.MAX_SAFE_INTEGER),
  );
  expect(handOuts).toEqual({ good: 11, total: 14 });
  // The first job's three, the one of the second that was found, and the pooled account's. Expiry is not counted.
  expect(timeToDead).toEqual({ good: 4, total: 5 });
});

describe('the dashboard', () => {
  /** What a query reads over the whole time, one period after the other: by group the sum, or all the values. */
  function shown({ filter, aggregation }: Query): Record<string, number | number[]> {
    const period = secondsOf(aggregation.alignmentPeriod) * SECOND;
    const found = new Map<string, number[]>();
    for (let at = from + period; at < watched.now() + period; at += period)
      for (const [group, value] of read(all, { filter, aggregation }, at))
        found.set(group, [...(found.get(group) ?? []), value]);
    const summed = aggregation.crossSeriesReducer === 'REDUCE_SUM';
    const name = (group: string) => (JSON.parse(group) as string[]).join(' ');
    return Object.fromEntries(
      [...found].map(([group, values]) => [name(group), summed ? values.reduce((sum, value) => sum + value) : values]),
    );
  }

  const SCORES: Readonly<Record<string, Record<string, unknown>>> = {
    'Sweeps in 10 minutes': { '': 8 },
    'Hand-outs to the canary in 30 minutes': { '': 1 },
    'Places from which an uptime check fails': { '': [2] },
    'Instances that did not start, 1 hour': { '': 1 },
    'Failures of dependencies in 20 minutes': { '': 11 },
    // 60 and then 0 three times, each as its bucket has it.
    'Oldest unfinished revocation: seconds since its end': {
      '': [60 + 60 * 0.97, 0.99, 0.99, 0.99].map((value) => expect.closeTo(value, 5)),
    },
    'Sweeps that met records they cannot read, 10 minutes': { '': 1 },
    'Accounts enabled behind our back, 1 hour': { '': 2 },
    'Dead later than 2 minutes after their job, 1 hour': { '': 1 },
    'Jobs whose webhook was lost, 6 hours': { '': 1 },
    'Sweeps that did not get to all, 10 minutes': {},
  };
  /** Of each data set in order. */
  const CHARTS: Readonly<Record<string, readonly Record<string, unknown>[]>> = {
    'Hand-outs by credential and environment': [
      {
        'config staging': 3,
        'live production': 1,
        'export staging': 1,
        'admin staging': 4,
        'artifacts staging': 1,
        'canary monitoring': 1,
      },
    ],
    // Seven within the first minute, of which one took a quarter of a second; and what failed is not among them.
    'Latency of hand-outs that were served': [
      { '': [0.005, 0.005, 0.005] },
      { '': [expect.closeTo(0.235, 3), 0.005, 0.005] },
      { '': [expect.closeTo(0.252, 3), 0.005, 0.005] },
    ],
    '5xx by function, as Cloud Run counts': [{ 'keydesk-token': 3 }],
    'Failures by who failed': [
      { 'issuer keys': 1, ledger: 2, 'grant document': 4, keydesk: 2, 'iam serviceAccounts.disable': 2 },
      { '': 1 },
    ],
    // 91, 91 and 1 seconds; 270; 0. Since it was heard of: 90, 90 and 0; 0; 0.
    "From the job's end to dead, where it can be taken away": [
      { '': [75, 210, 0.25] },
      { '': [expect.closeTo(115.5, 5), 291, expect.closeTo(0.475, 5)] },
      { '': [expect.closeTo(119.1, 5), expect.closeTo(298.2, 5), expect.closeTo(0.495, 5)] },
      { '': [expect.closeTo(119.1, 5), expect.closeTo(0.495, 5), expect.closeTo(0.495, 5)] },
    ],
    'Ends by what ended them': [{ 'job.finished': 6, 'job.found_finished': 1, clock: 1, early_return: 1 }],
    // As many as there are minutes with a sweep.
    'Accounts per pool': [
      { admin: [2, 2, 2, 2, 3, 3, 2, 0], artifacts: [3, 3, 3, 3, 4, 4, 4, 4] },
      { admin: [1, 0, 0, 0, 0, 0, 0, 1], artifacts: [1, 0, 0, 0, 0, 0, 0, 0] },
      { admin: [0, 0, 0, 0, 0, 0, 0, 1], artifacts: [0, 0, 0, 0, 0, 0, 0, 0] },
      { admin: [0, 1, 1, 1, 0, 0, 1, 1], artifacts: [0, 1, 1, 1, 0, 0, 0, 0] },
    ],
    'Refusals by reason': [
      {
        no_rule_grants: 2,
        unknown_credential: 1,
        job_token_malformed: 1,
        job_token_signature_invalid: 1,
        unavailable: 1,
        pool_exhausted: 1,
      },
    ],
    'Refusals by pipeline': [{ docs: 1, app: 3, '': 3 }],
    // The uptime check's and the scanner's are neither.
    'Webhooks refused, and accepted': [
      { signature_malformed: 1, signature_wrong: 1, ledger_unavailable: 1 },
      { ignored: 1, job_ended: 4 },
    ],
  };

  /** Seconds that these look back. */
  const SILENT_ABOUT: Readonly<Record<string, number>> = {
    'Places from which an uptime check fails': 20 * 60,
    'Share of hand-outs that fail': 10 * 60,
    'Oldest unfinished revocation: seconds since its end': 5 * 60,
  };

  it('has no tile that is not looked at here', () => {
    const titles = widgets.flatMap(({ title }) => title ?? []);
    expect(titles).toHaveLength(new Set(titles).size);
    expect(titles.sort()).toEqual(
      [...Object.keys(SCORES), ...Object.keys(CHARTS), 'Share of hand-outs that fail', 'Refused'].sort(),
    );
    expect(widgets.filter(({ title }) => title === undefined).map(({ text }) => text?.content.split('\n')[0])).toEqual([
      '## Is the desk open?',
      '## Is anything overstaying?',
      '## Who is being refused?',
    ]);
  });

  const tileOf = (title: string) => widgets.find((one) => one.title === title) ?? {};

  it.each(Object.entries(SCORES))('shows: %s', (title, expected) => {
    const query = tileOf(title).scorecard?.timeSeriesQuery.timeSeriesFilter;
    expect(query && shown(query)).toEqual(expected);
  });

  it.each(Object.entries(CHARTS))('shows: %s', (title, expected) => {
    const sets = tileOf(title).xyChart?.dataSets ?? [];
    expect(
      sets.map(({ timeSeriesQuery: { timeSeriesFilter } }) => timeSeriesFilter && shown(timeSeriesFilter)),
    ).toEqual(expected);
  });

  it('looks back as far as its title says, and alike in all data sets of a chart', () => {
    for (const { title = '', scorecard, xyChart } of widgets) {
      const [, count = '', unit] = /(\d+) (minutes|hours?)$/.exec(title) ?? [];
      const said = unit ? Number(count) * (unit === 'minutes' ? 60 : 3600) : undefined;
      const { timeSeriesFilter, timeSeriesFilterRatio: ratio } = scorecard?.timeSeriesQuery ?? {};
      const periods = [timeSeriesFilter, ratio?.numerator, ratio?.denominator].flatMap((query) =>
        query ? [secondsOf(query.aggregation.alignmentPeriod)] : [],
      );
      expect([title, [...new Set(periods)]]).toEqual([title, scorecard ? [said ?? SILENT_ABOUT[title]] : []]);
      const charted = (xyChart?.dataSets ?? []).map(
        ({ timeSeriesQuery }) => timeSeriesQuery.timeSeriesFilter?.aggregation.alignmentPeriod,
      );
      expect([title, new Set(charted).size]).toEqual([title, xyChart ? 1 : 0]);
      for (const period of charted) expect(['60s', '300s']).toContain(period);
    }
  });

  it('names in its legends what it groups by', () => {
    for (const { title, xyChart } of widgets)
      for (const { timeSeriesQuery, legendTemplate } of xyChart?.dataSets ?? []) {
        const fields = [...legendTemplate.matchAll(/\$\{([\w.]+)\}/g)].map(([, field]) => field);
        const by = timeSeriesQuery.timeSeriesFilter?.aggregation.groupByFields ?? [];
        expect([title, fields]).toEqual([title, by]);
        const reducer = timeSeriesQuery.timeSeriesFilter?.aggregation.crossSeriesReducer ?? '';
        const [, percentile] = /PERCENTILE_(\d+)$/.exec(reducer) ?? [];
        if (percentile) expect(legendTemplate).toMatch(new RegExp(`p${percentile}$`));
      }
  });

  it('shows the share of hand-outs that fail', () => {
    const ratio = tileOf('Share of hand-outs that fail').scorecard?.timeSeriesQuery.timeSeriesFilterRatio;
    const at = (minutes: number) => ratio && [...readRatio(all, ratio, from + minutes * MINUTE).values()];
    // Two of nine in the first ten minutes; one, for want of an account, of five in the last.
    expect([at(9), at(28)]).toEqual([[2 / 9], [1 / 5]]);
  });

  /** Each tile's colours: of what is well, and from where on. */
  it.each<[string, [number, string | undefined][]]>([
    [
      'Sweeps in 10 minutes',
      [
        [10, undefined],
        [6, undefined],
        [5, 'YELLOW'],
        [1, 'YELLOW'],
        [0, 'RED'],
      ],
    ],
    [
      'Hand-outs to the canary in 30 minutes',
      [
        [3, undefined],
        [2, undefined],
        [1, 'YELLOW'],
        [0, 'RED'],
      ],
    ],
    [
      'Places from which an uptime check fails',
      [
        [0, undefined],
        [1, 'YELLOW'],
        [2, 'RED'],
      ],
    ],
    [
      'Instances that did not start, 1 hour',
      [
        [0, undefined],
        [1, 'RED'],
      ],
    ],
    [
      'Share of hand-outs that fail',
      [
        [0.0099, undefined],
        [0.01, 'YELLOW'],
        [0.049, 'YELLOW'],
        [0.05, 'RED'],
      ],
    ],
    [
      'Failures of dependencies in 20 minutes',
      [
        [0, undefined],
        [1, 'YELLOW'],
        [9, 'YELLOW'],
        [10, 'RED'],
      ],
    ],
    [
      'Oldest unfinished revocation: seconds since its end',
      [
        [0.99, undefined],
        [59.9, undefined],
        [60.1, 'YELLOW'],
        [299, 'YELLOW'],
        [301, 'RED'],
      ],
    ],
    [
      'Sweeps that met records they cannot read, 10 minutes',
      [
        [0, undefined],
        [1, 'YELLOW'],
        [4, 'YELLOW'],
        [5, 'RED'],
      ],
    ],
    [
      'Accounts enabled behind our back, 1 hour',
      [
        [0, undefined],
        [1, 'RED'],
      ],
    ],
    [
      'Dead later than 2 minutes after their job, 1 hour',
      [
        [0, undefined],
        [1, 'YELLOW'],
        [4, 'YELLOW'],
        [5, 'RED'],
      ],
    ],
    [
      'Jobs whose webhook was lost, 6 hours',
      [
        [0, undefined],
        [1, 'YELLOW'],
        [2, 'YELLOW'],
        [3, 'RED'],
      ],
    ],
    [
      'Sweeps that did not get to all, 10 minutes',
      [
        [0, undefined],
        [1, 'YELLOW'],
        [4, 'YELLOW'],
        [5, 'RED'],
      ],
    ],
  ])('colours: %s', (title, expected) => {
    const thresholds = tileOf(title).scorecard?.thresholds ?? [];
    const colourOf = (value: number) => {
      const beyond = thresholds.filter((one) => (one.direction === 'ABOVE' ? value >= one.value : value <= one.value));
      return (beyond.find(({ color }) => color === 'RED') ?? beyond[0])?.color;
    };
    expect(expected.map(([value]) => [value, colourOf(value)])).toEqual(expected);
  });

  it('lists what was refused, and neither what was handed out nor the uptime check and scanners', () => {
    const matches = parseLogFilter(tileOf('Refused').logsPanel?.filter ?? '');
    const listed = Object.groupBy(watched.entries.filter(matches), ({ labels }) => labels.event ?? '');
    expect(Object.fromEntries(Object.entries(listed).map(([event, lines]) => [event, lines?.length]))).toEqual({
      'grant.refused': 7,
      'webhook.refused': 3,
    });
  });
});

it.each(uptimeChecks.map((check) => [check.displayName, check] as const))(
  '%s, as its check sees it',
  async (_, check) => {
    const { desk } = watched;
    const { path, requestMethod, acceptedResponseStatusCodes } = check.httpCheck;
    const { host } = check.monitoredResource.labels;
    const url = { TOKEN_HOST: desk.tokenUrl, WEBHOOK_HOST: desk.webhookUrl }[host];
    const { status, text } = await desk.call(`${url}${path}`, { method: requestMethod });
    if (acceptedResponseStatusCodes) expect(acceptedResponseStatusCodes).toEqual([{ statusValue: status }]);
    else expect(status).toBe(200);
    for (const { content } of check.contentMatchers) expect(text).toContain(content);
  },
);

describe('an entry', () => {
  it.each([
    ['x-cloud-trace-context', '105445aa7843bc8bf206b12000100000/74;o=1'],
    ['traceparent', '00-105445aa7843bc8bf206b12000100000-000000000000004a-01'],
  ])('carries the trace of %s in the documented form, so that it is one click to its request', async (name, value) => {
    const traced = await openWatchedDesk();
    const { desk, entries, take } = traced;
    await desk.call(`${desk.tokenUrl}/token/config`, { method: 'POST', headers: { [name]: value } });
    await desk.call(`${desk.webhookUrl}/`, { method: 'POST', headers: { [name]: value }, body: '{}' });
    await desk.call(`${desk.sweepUrl}/`, { method: 'POST', headers: { [name]: value } });
    take();
    await desk.close();
    expect(entries.length).toBe(3);
    for (const entry of entries) {
      expect(entry).toMatchObject({
        trace: `projects/${desk.project}/traces/105445aa7843bc8bf206b12000100000`,
        spanId: '000000000000004a',
        traceSampled: true,
      });
      expect(Object.keys(entry.jsonPayload).filter((key) => /trace|span|severity|httpRequest/i.test(key))).toEqual([]);
    }
    const [first] = entries;
    if (first) expect(parseLogFilter(`trace="${first.trace}"`)(first)).toBe(true);
  });
});
