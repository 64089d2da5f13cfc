// Whole recordings of what each function does with a request: what it answers, writes to the log, asks of Google and changes
// in the ledger. Every name that others read stands there as it is, so that a rename shows, and hides no other change.
//
// RECORD=1 npx vitest run --project http test/http/recorded-requests.test.ts
// writes the recordings again: read the difference before you commit it. `title` is the test's own; all else is Keydesk's.

import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, describe, expect, inject, it } from 'vitest';
import { EVENTS } from '../../shared/audit/events.ts';
import { INTROSPECT, REVOKE } from './recorded-requests/held.cases.ts';
import { type Case, record, type Target } from './recorded-requests/recorder.ts';
import { REFUSED } from './recorded-requests/refused.cases.ts';
import { SWEEP_CASES } from './recorded-requests/sweep.cases.ts';
import { TOKEN } from './recorded-requests/token.cases.ts';
import { WEBHOOK } from './recorded-requests/webhook.cases.ts';

const RECORDINGS: readonly (readonly [file: string, target: Target, cases: readonly Case[]])[] = [
  ['token', 'token', TOKEN],
  ['refused', 'token', REFUSED],
  ['introspect', 'token', INTROSPECT],
  ['revoke', 'token', REVOKE],
  ['webhook', 'webhook', WEBHOOK],
  ['sweep', 'sweep', SWEEP_CASES],
];
const recording = process.env.RECORD === '1';
const urlOf = (file: string) => new URL(`recorded-requests/${file}.json`, import.meta.url);
interface Recording {
  readonly title: string;
  /** Documents by database. */
  readonly ledger: object;
}
const readRecording = (file: string): Recording[] => (recording ? [] : JSON.parse(readFileSync(urlOf(file), 'utf8')));
/** A request that changes no document is recorded in memory only: what it reads on the emulator, other files test. */
const isRunHere = ({ ledger }: Recording) => inject('ledger') === 'memory' || Object.keys(ledger).length > 0;

describe.each(RECORDINGS)('%s', (file, target, cases) => {
  const recorded = readRecording(file);
  const recordings: object[] = [];
  afterAll(() => {
    if (recording && recordings.length === cases.length) writeFileSync(urlOf(file), toText(recordings));
  });

  for (const aCase of cases) {
    const known = recorded.find(({ title }) => title === aCase[0]);
    if (known && !isRunHere(known)) continue;
    it(aCase[0], async () => {
      const happened = await record(target, aCase);
      recordings.push(happened);
      if (!recording) expect(happened).toEqual(known);
    });
  }

  it.skipIf(recording)('has a recording of each case and no other', () => {
    expect(recorded.map(({ title }) => title)).toEqual(cases.map(([title]) => title));
  });
});

it.skipIf(recording)('every event of token, webhook and sweep is recorded', () => {
  const text = RECORDINGS.map(([file]) => readFileSync(urlOf(file), 'utf8')).join();
  // Those of what is deployed and of teams are in audit.test.ts: they need a Keydesk that records it. Those of people are in
  // private-functions.test.ts.
  const elsewhere = /^(kill_switch|operator|startup|deployment|api_token|teams)\./;
  const expected = Object.keys(EVENTS).filter((name) => !elsewhere.test(name));
  expect(expected.filter((event) => !text.includes(`"event":"${event}"`))).toEqual([]);
});

/** How deep each member is opened: a line is a request, a header set, a log line, a document. */
const OPENED: Readonly<Record<string, number>> = { response: 1, audit: 1, google: 1, ledger: 3 };

function toText(recordings: readonly object[]): string {
  const texts = recordings.map((recording) => {
    const members = Object.entries(recording).map(
      ([key, value]) => `  ${JSON.stringify(key)}: ${inLines(value, OPENED[key] ?? 0, '  ')}`,
    );
    return ` {\n${members.join(',\n')}\n }`;
  });
  return `[\n${texts.join(',\n')}\n]\n`;
}

function inLines(value: unknown, depth: number, indent: string): string {
  if (depth === 0 || typeof value !== 'object' || value === null) return JSON.stringify(value);
  const list = Array.isArray(value);
  const items = Object.entries(value).map(
    ([key, item]) => `${indent} ${list ? '' : `${JSON.stringify(key)}: `}${inLines(item, depth - 1, `${indent} `)}`,
  );
  const [open, close] = list ? '[]' : '{}';
  return items.length === 0 ? `${open}${close}` : `${open}\n${items.join(',\n')}\n${indent}${close}`;
}
