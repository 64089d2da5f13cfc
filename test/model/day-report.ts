// The printed report of a simulated day: plain text, aligned. Judges nothing.

import type { Day, Held } from './day.ts';
import { MINUTE } from './day-plan.ts';

const WIDE = 34;

const WAYS = {
  'job.finished': 'by webhook',
  'job.reconciled': 'by reconciliation with Buildkite',
  expiry: 'by expiry',
  released: 'released by the job',
  kill_switch: 'by kill switch',
} as const;

const KINDS = {
  firestore: 'firestore, immediate',
  pooled_service_account: 'pooled account, propagating',
  service_account: 'shared account, expiry',
} as const;

export function reportDay(day: Day): string {
  const { options, held, plans } = day;
  const messages = (message: string) => plans.filter((plan) => plan.message === message).length;
  const calls = sum(day.calls.values());
  const failed = sum(day.failed.values());
  return [
    `A simulated day of lost webhooks: seed ${options.seed}, ${(day.realMs / 1000).toFixed(0)} s for ${(day.simulatedMs / MINUTE / 60).toFixed(1)} h`,
    section('Jobs'),
    line('jobs', plans.length),
    line('their ends reported in time', messages('prompt')),
    line('reported twice', messages('doubled')),
    line('reported after their tokens expired', messages('delayed')),
    line('never reported', messages('lost')),
    line('grants on record', day.grants, `${held.length} of them issued`),
    ...Object.entries(KINDS).map(([kind, name]) => line(`  ${name}`, of(held, { kind }).length)),
    line('token requests', day.asked, `${day.issued} issued`),
    section('How grants ended'),
    ...Object.entries(WAYS).map(([way, name]) => line(name, of(held, { way }).length)),
    line('messages that recorded an end', day.endsByMessage.recorded),
    line('messages that repeated one', day.endsByMessage.repeated),
    line('messages that failed', day.endsByMessage.failed),
    section("From the job's real end until access was gone"),
    `${''.padEnd(WIDE + 20)} ${['grants', 'p50', 'p95', 'max'].map((head) => head.padStart(9)).join(' ')}`,
    ...Object.entries(KINDS).flatMap(([kind, kindName]) =>
      Object.entries(WAYS).flatMap(([way, wayName]) => {
        const some = of(held, { kind, way });
        return some.length > 0 ? [goneGrants(`${kindName.padEnd(WIDE - 4)} ${wayName}`, some)] : [];
      }),
    ),
    section('Refused requests'),
    ...counts(day.refused),
    section('Google'),
    line('calls', calls, `${failed} failed (${((failed / calls) * 100).toFixed(1)} %)`),
    ...counts(day.calls),
    ...counts(day.failed, 'failed: '),
    section('Sweeps'),
    line('sweeps', day.sweeps),
    line('failures reported and tried again', day.sweepFailures),
    section('Pool'),
    line('accounts', day.poolSize),
    line('fewest free at once', day.lowWater),
    section('Promises'),
    line('tokens and documents judged', day.judged),
    '',
  ].join('\n');
}

function of(held: readonly Held[], { kind, way }: { readonly kind?: string; readonly way?: string }): readonly Held[] {
  return held.filter(({ grant }) => (!kind || grant.kind === kind) && (!way || grant.ended_by === way));
}

function goneGrants(name: string, held: readonly Held[]): string {
  const after = held.map(({ plan, goneAt }) => Math.max(0, goneAt - plan.endsAt));
  const figures = [String(held.length), ...[0.5, 0.95, 1].map((share) => duration(quantile(after, share)))];
  return `${name.padEnd(WIDE + 20)} ${figures.map((figure) => figure.padStart(9)).join(' ')}`;
}

function duration(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)}m${String(seconds % 60).padStart(2, '0')}s`;
}

function section(text: string): string {
  return `\n${text}\n${'-'.repeat(text.length)}`;
}

function line(name: string, value: number | string, note = ''): string {
  return `${name.padEnd(WIDE)} ${String(value).padStart(8)}  ${note}`.trimEnd();
}

function counts(map: ReadonlyMap<string, number>, before = ''): string[] {
  const sorted = [...map].sort(([, left], [, right]) => right - left);
  return sorted.length > 0 ? sorted.map(([name, value]) => line(`${before}${name}`, value)) : ['none'];
}

function sum(values: Iterable<number>): number {
  return [...values].reduce((total, value) => total + value, 0);
}

/** The value that `share` of the values do not exceed; NaN of none. */
function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}
