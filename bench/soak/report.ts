// The report of a run, as an object for JSON and as tables for people.

import { type Evidence, issuedRequests, observed } from './check/evidence.ts';
import type { Verdict } from './check/verdict.ts';
import type { FunctionName, RequestObservation } from './observation.ts';
import { functionOf } from './observation.ts';

interface Times {
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

export interface Report {
  readonly run: Readonly<Record<string, unknown>>;
  /** By operation, then by status or failure. */
  readonly requests: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Milliseconds of plain clients that got a response, by operation. */
  readonly times: Readonly<Record<string, Times>>;
  readonly faults: Readonly<Record<string, number>>;
  readonly processes: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Resident memory in MiB: of how many processes, the most of each first sample, of each last one, and of all. */
  readonly memory: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly counts: Readonly<Record<string, number>>;
  readonly verdicts: readonly Verdict[];
}

export function createReport(evidence: Evidence, verdicts: readonly Verdict[]): Report {
  const requests = observed(evidence, 'request');
  const [first] = observed(evidence, 'run');
  if (!first) throw new Error('the observations do not say what was run');
  const { pool, type: _, ...run } = first;
  const settling = Object.fromEntries(observed(evidence, 'settling').map(({ event, at }) => [event, at]));
  const settledAt = settling.done ?? settling.out_of_time;
  return {
    run: {
      ...run,
      pooled_accounts: pool.length,
      settled: settling.done !== undefined,
      ...(settledAt !== undefined && settling.begun !== undefined
        ? { settling_s: Math.round((settledAt - settling.begun) / 1000) }
        : {}),
    },
    requests: tally(requests, (request) => [request.operation, String(request.status ?? request.failure)]),
    times: timesOf(requests),
    faults: countBy(observed(evidence, 'fault'), ({ where, kind }) => `${where}: ${kind.replace(/\d+ jobs/, 'jobs')}`),
    processes: tally(
      observed(evidence, 'process').filter(({ event }) => event !== 'started' && event !== 'exited'),
      ({ instance, event, signal }) => [functionOf(instance), signal ?? event],
    ),
    memory: memoryOf(evidence),
    counts: countsOf(evidence),
    verdicts,
  };
}

function countsOf(evidence: Evidence): Record<string, number> {
  const received = issuedRequests(evidence);
  const grants = evidence.ledger.grants ?? [];
  const jobs = evidence.ledger.jobs ?? [];
  const endedBy = (cause: string) => jobs.filter(({ fields }) => fields.ended_by === cause).length;
  return {
    jobs: observed(evidence, 'job').filter(({ event }) => event === 'started').length,
    'requests in all': observed(evidence, 'request').length,
    'tokens that arrived': received.length,
    'distinct tokens that arrived': new Set(received.map(({ token }) => token)).size,
    'grants on record': grants.length,
    'grants revoked': grants.filter(({ fields }) => fields.state === 'revoked').length,
    'grants expired': grants.filter(({ fields }) => fields.state === 'expired').length,
    'ends recorded by webhook': endedBy('job.finished'),
    'ends found by the sweep': endedBy('job.reconciled'),
    'jobs without a recorded end': jobs.filter(({ fields }) => fields.ended_at === null).length,
    'accounts enabled again': observed(evidence, 'google_change').filter(({ disabled }) => !disabled).length,
  };
}

function timesOf(requests: readonly RequestObservation[]): Record<string, Times> {
  const responded = requests.filter(({ client, status }) => client === 'plain' && status !== undefined);
  const byOperation = Map.groupBy(responded, ({ operation, status }) => `${operation} ${status}`);
  return Object.fromEntries(
    [...byOperation].sort().map(([operation, all]) => {
      const sorted = all.map(({ sent, ended }) => ended - sent).sort((left, right) => left - right);
      const rank = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
      const times = { count: sorted.length, p50: rank(0.5), p95: rank(0.95), p99: rank(0.99), max: rank(1) };
      return [operation, times];
    }),
  );
}

function memoryOf(evidence: Evidence): Record<string, Record<string, number>> {
  const byInstance = Map.groupBy(observed(evidence, 'memory'), ({ instance }) => instance);
  const byFunction = Map.groupBy([...byInstance], ([instance]): FunctionName => functionOf(instance));
  return Object.fromEntries(
    [...byFunction].map(([name, instances]) => {
      const samples = instances.map(([, all]) => all.map(({ rss_kib }) => Math.round(rss_kib / 1024)));
      const most = (values: readonly (number | undefined)[]) => Math.max(...values.map((value) => value ?? 0));
      const longest = samples.reduce((one, other) => (other.length > one.length ? other : one), []);
      return [
        name,
        {
          processes: samples.length,
          most: most(samples.flat()),
          'longest-lived: first': longest[0] ?? 0,
          'longest-lived: halfway': longest[Math.floor(longest.length / 2)] ?? 0,
          'longest-lived: last': longest.at(-1) ?? 0,
        },
      ];
    }),
  );
}

export function printReport({ run, requests, times, faults, processes, memory, counts, verdicts }: Report): void {
  const line = (name: string, text: string) => console.log(`  ${name.padEnd(42)} ${text}`);
  const table = (title: string, rows: Readonly<Record<string, unknown>>) => {
    console.log(`\n${title}`);
    for (const [name, value] of Object.entries(rows))
      line(name, typeof value === 'object' ? pairs(value) : String(value));
  };
  table('Run', run);
  table('Requests, by outcome', requests);
  table('Time to the response, ms', times);
  table('Faults', faults);
  table('Processes', processes);
  table('Resident memory, MiB', memory);
  table('Counts', counts);
  console.log('\nChecks');
  for (const { name, claim, judged, findings, notes } of verdicts) {
    const result = findings.length > 0 ? `${findings.length} VIOLATIONS` : judged > 0 ? 'holds' : 'NOTHING JUDGED';
    line(`${name}: ${result}`, `${judged} judged: ${claim}${notes ? ` (${pairs(notes)})` : ''}`);
    for (const finding of findings.slice(0, 10)) console.log(`    ${finding}`);
    if (findings.length > 10) console.log(`    and ${findings.length - 10} more`);
  }
}

function pairs(value: object | null): string {
  return Object.entries(value ?? {})
    .map(([name, each]) => `${name} ${each}`)
    .join(', ');
}

function tally<T>(
  items: readonly T[],
  keysOf: (item: T) => readonly [string, string],
): Record<string, Record<string, number>> {
  const counts: Record<string, Record<string, number>> = {};
  for (const item of items) {
    const [outer, inner] = keysOf(item);
    const row = counts[outer] ?? {};
    counts[outer] = row;
    row[inner] = (row[inner] ?? 0) + 1;
  }
  return counts;
}

function countBy<T>(items: readonly T[], keyOf: (item: T) => string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const item of items) counts[keyOf(item)] = (counts[keyOf(item)] ?? 0) + 1;
  return Object.fromEntries(Object.entries(counts).sort());
}
