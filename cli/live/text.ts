// The measurements for people: one screen. Pure.

import type { Distribution } from './distribution.ts';
import type { LiveDocument, Result, Run } from './document.ts';

const HEADINGS = ['credential', 'API', 'revocation', 'ended', 'min', 'median', 'p95', 'max', 'flips', 'errors'];
/** Further problems are in the JSON. */
const MOST_PROBLEMS = 5;

export function textOf(document: LiveDocument): string[] {
  const { results, problems, method } = document;
  const shown = problems.slice(0, MOST_PROBLEMS).map(({ credential, what }) => `problem: ${credential}: ${what}.`);
  const more = problems.length - shown.length;
  return [
    'Observed revocation latency, in seconds: from the response to POST /revoke until the last accepted request was sent.',
    '',
    ...(results.length > 0 ? alignColumns([HEADINGS, ...results.map(cellsOf)]) : ['Nothing was measured.']),
    '',
    ...results.flatMap(fromSending),
    ...shown,
    ...(more > 0 ? [`… and ${more} more problems. --json has all of them.`] : []),
    ...(problems.length > 0 ? [''] : []),
    ...measuredLines(document),
    `A token counts as ended after ${method.rejections_in_a_row} rejections in a row. A trial goes on for ${method.bound_s} s after the release at most.`,
    `Figures cover the trials in which the token ended. They are no finer than the pause between requests, ${1 / method.requests_per_second} s. p95 is by the nearest rank.`,
    "The grants were ended by their holder's release. A job's end runs the same revocation once Buildkite's webhook has arrived: its delivery is not in these figures.",
    'This is what was seen from that place at that time. Earlier, later and other measurements may differ.',
  ];
}

function cellsOf(result: Result): string[] {
  const { credential, api, revocation, ended, trials, flips, errors, observed_revocation_latency_s } = result;
  return [
    credential,
    api,
    revocation ?? '-',
    `${ended} of ${trials}`,
    ...figures(observed_revocation_latency_s),
    String(flips),
    String(errors),
  ];
}

function figures(distribution: Distribution | null): string[] {
  if (!distribution) return ['-', '-', '-', '-'];
  const { min, median, p95, max } = distribution;
  return [min, median, p95, max].map((value) => value.toFixed(2));
}

/** The first column to the left, as all; two spaces between. */
function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

function fromSending({ credential, api, from_sending_s }: Result): string[] {
  if (!from_sending_s) return [];
  const [, median, , max] = figures(from_sending_s);
  return [`${credential}, ${api}: counted from when the release was sent, median ${median}, max ${max}.`];
}

function measuredLines({ runs, results, method }: LiveDocument): string[] {
  const starts = runs.map(({ started_at }) => started_at).sort();
  const ends = runs.map(({ ended_at }) => ended_at).sort();
  const total = (field: 'accepted' | 'rejected' | 'errors') => results.reduce((sum, result) => sum + result[field], 0);
  return [
    `Measured from ${starts[0]} to ${ends.at(-1)}, in ${runs.length} ${runs.length === 1 ? 'run' : 'runs'}, ${placesOf(runs)}.`,
    `After the releases were sent: ${total('accepted')} requests accepted, ${total('rejected')} rejected, ${total('errors')} neither (errors). ${method.requests_per_second} a second for each target, by REST over connections that stay open.`,
  ];
}

function placesOf(runs: readonly Run[]): string {
  const places = [...new Set(runs.map(({ place }) => place ?? 'a place that was not stated (--place)'))];
  return `from ${places.join(', ')}`;
}
