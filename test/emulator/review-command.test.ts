// `keydesk review` against the functions: what it names when a record and a line are gone, and that what is written while it runs
// changes nothing in it.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ReaderApi } from '../../cli/grants/pages.ts';
import { readLedger } from '../../cli/review/ledger.ts';
import { READER_ROUTES } from '../../shared/core/operator-api/reader.ts';
import { pathOf, type Route } from '../../shared/core/operator-api/route.ts';
import { type Logs, startGoogleLogging } from '../fixtures/google-logging.ts';
import { databaseOf, type InProcessKeydesk, openInProcessKeydesk } from '../fixtures/in-process-keydesk.ts';
import { runCli } from '../system/cli/run-cli.ts';
import { toLogEntry } from '../system/deploy/log-filter-entry.ts';

const MINUTE = 60_000;
/** The Firestore in memory begins soon after, and the ledger is read as of its time. */
const BEGIN = Date.parse('2023-11-14T18:00:00Z');
const PERIOD = { from: BEGIN, to: BEGIN + 4 * 60 * MINUTE };
const iso = (time: number) => new Date(time).toISOString();

let keydesk: InProcessKeydesk;
let folder: string;
const entries: { timestamp: string; jsonPayload: Record<string, unknown> }[] = [];
const issued: { grant_id: string; access_token: string }[] = [];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'keydesk-review-'));
  keydesk = await openInProcessKeydesk({ records: true });
  keydesk.clock.advance(BEGIN + MINUTE - keydesk.clock.now());
  for (let nth = 0; nth < 8; nth += 1) {
    const grant = await issue();
    issued.push(grant);
    keydesk.clock.advance(5 * MINUTE);
    await logged(() => keydesk.revoke(grant.access_token));
    keydesk.clock.advance(20 * MINUTE);
  }
  const { sha256 } = keydesk.tokenDeps.policy;
  await vi.waitUntil(async () => (await ledger().doc(`policies/${sha256}`).get()).exists);
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await keydesk.close();
});

const ledger = () => databaseOf(keydesk.project, 'ledger');

/** Keeps the lines of a request, as Cloud Logging exports them. */
async function logged<T>(work: () => Promise<T>): Promise<T> {
  const before = keydesk.audit.length;
  const done = await work();
  for (const line of keydesk.audit.slice(before))
    entries.push({ timestamp: iso(keydesk.clock.now()), jsonPayload: line });
  return done;
}

async function issue() {
  const job = keydesk.buildkite.startJob();
  const jobToken = await keydesk.buildkite.jobToken(job, { issuedAt: Math.floor(keydesk.clock.now() / 1000) });
  const { json } = await logged(() => keydesk.requestByPath(jobToken));
  return json as { grant_id: string; access_token: string };
}

async function review(options: readonly string[], { lines = entries, env = {} } = {}) {
  const log = join(folder, 'log.json');
  writeFileSync(log, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const caller = {
    KEYDESK_READER_URL: keydesk.readerUrl,
    KEYDESK_ID_TOKEN: await keydesk.google.idToken('auditor@acme.example'),
  };
  const period = ['--from', iso(PERIOD.from), '--to', iso(PERIOD.to)];
  const evidence = options.includes('--project') ? [] : ['--log', log];
  return await runCli('review', [...period, ...options, ...evidence], { env: { ...caller, ...env } });
}

const named = (json: string) =>
  (JSON.parse(json) as { findings: { code: string; items: { grant_id: string }[] }[] }).findings.map(
    ({ code, items }) => [code, items.map(({ grant_id }) => grant_id)],
  );

describe('keydesk review', () => {
  it('names exactly the record and the line that are gone', async () => {
    const whole = await review(['--json']);
    expect(whole.err).toBe('');
    expect(named(whole.out)).toEqual([]);
    const [record, line] = [issued[3]?.grant_id ?? '', issued[5]?.grant_id ?? ''];
    const document = ledger().doc(`grants/${record}`);
    const stored = (await document.get()).data() ?? {};
    await document.delete();
    const kept = entries.filter(
      ({ jsonPayload: { event, grant_id } }) => !(event === 'grant.issued' && grant_id === line),
    );
    const { code, out } = await review(['--json'], { lines: kept });
    await document.set(stored);
    expect(code).toBe(1);
    expect(named(out)).toEqual([
      ['line_without_grant', [record]],
      ['issued_without_line', [line]],
    ]);
  });

  it('says what is not known, first, and exits with 1', async () => {
    const { code, out } = await review([]);
    const lines = out.split('\n');
    expect(code).toBe(1);
    expect(lines[3]).toMatch(/^Not known: \d/);
    expect(out).toContain('--touches');
    expect(out).toContain('--doctor');
    expect(out).not.toContain('no log was given');
  });

  it('writes a line of CSV for each grant, and the SHA-256 of the file', async () => {
    const csv = join(folder, 'grants.csv');
    const { err } = await review(['--csv', csv]);
    const lines = readFileSync(csv, 'utf8').split('\r\n');
    expect(lines).toHaveLength(1 + issued.length + 1);
    expect(err).toMatch(/grants\.csv: SHA-256 [0-9a-f]{64}/);
    expect((await review(['--csv', join(folder, 'no', 'folder.csv')])).code).toBe(1);
  });

  it('includes what the doctor found, and what grants touched', async () => {
    const [doctor, touches] = [join(folder, 'doctor.json'), join(folder, 'touches.json')];
    writeFileSync(
      doctor,
      JSON.stringify({
        project: 'acme-keydesk',
        findings: [{ finding: 'key_on_account', resource: 'ci-001' }],
        checks: [],
      }),
    );
    writeFileSync(touches, JSON.stringify([{ timestamp: iso(BEGIN), logName: 'x', protoPayload: {} }]));
    const { out } = await review(['--json', '--doctor', doctor, '--touches', touches]);
    const found = JSON.parse(out) as {
      not_known: { code: string }[];
      pipelines: { touched: unknown }[];
      doctor: object;
    };
    expect(named(out)).toEqual([['doctor_findings', [null]]]);
    expect(found.doctor).toMatchObject({ dated: expect.any(String), report: { checks: [] } });
    expect(found.pipelines.every(({ touched }) => touched !== null)).toBe(true);
    const unknown = found.not_known.map(({ code }) => code);
    expect(unknown).not.toContain('touches_not_given');
    // A report without a time or a source may be of any deployment.
    expect(unknown).toContain('doctor_of_another');
    writeFileSync(doctor, '{}');
    expect(await review(['--doctor', doctor])).toMatchObject({ code: 1, err: expect.stringContaining('doctor.json') });
  });

  it('reads the log from Cloud Logging, to its end, and says what keeps it from doing so', async () => {
    const logs: Logs = {
      ...{ token: 'auditor-token', held: () => true, apiEnabled: true },
      entries: {
        'acme-keydesk': entries.map(({ timestamp, jsonPayload }) =>
          toLogEntry(JSON.stringify(jsonPayload), Date.parse(timestamp)),
        ),
      },
    };
    const google = await startGoogleLogging(logs);
    const env = { KEYDESK_GOOGLE_APIS_URL: google.url, GOOGLE_OAUTH_ACCESS_TOKEN: logs.token };
    const { out, err } = await review(['--json', '--project', 'acme-keydesk'], { env });
    expect(err).toBe('');
    expect(google.unexpected).toEqual([]);
    expect(named(out)).toEqual([]);
    expect(JSON.parse(out)).toMatchObject({
      cross_check: { lines: 2 * issued.length, not_checked: { issuances: 0, ends: 0 } },
    });
    logs.held = (permission) => permission !== 'logging.logEntries.list';
    const refused = await review(['--project', 'acme-keydesk'], { env });
    expect(refused).toMatchObject({ code: 1, out: '', err: expect.stringContaining('roles/logging.viewer') });
    await google.close();
  });

  it.each([
    [['--from', '2026-11-01'], '--to'],
    [['--from', '2026-02-30', '--to', '2026-11-01'], '2026-02-30'],
    [['--from', '2026-11-01', '--to', '2026-12-01', '--log', 'x', '--project', 'acme-keydesk'], '--project'],
    [['--from', '2026-11-01', '--to', '2026-12-01', '--log', '-', '--touches', '-'], 'standard input'],
  ])('exits with 2 for %j', async (options, message) => {
    const { code, out, err } = await runCli('review', options, { env: { KEYDESK_READER_URL: keydesk.readerUrl } });
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(message);
  });
});

it('grants that are written while it runs change nothing in it', async () => {
  let write: () => Promise<void> = async () => {};
  /** Pages of two, and something is written before each request but the first. */
  const call = (async (name: keyof typeof READER_ROUTES, { params = {}, query = {} } = {}) => {
    if (query.cursor !== undefined || name !== 'listGrants') await write();
    const small = name === 'listGrants' ? { ...query, limit: '2' } : query;
    const given = Object.entries(small).filter((entry): entry is [string, string] => entry[1] !== undefined);
    const path = pathOf(READER_ROUTES[name] as Route, params as Record<string, string>);
    const { status, json } = await keydesk.asPerson(`${keydesk.readerUrl}${path}?${new URLSearchParams(given)}`);
    expect(status).toBe(200);
    return json;
  }) as ReaderApi;
  const still = await readLedger(call, PERIOD, undefined);
  let writes = 0;
  write = async () => {
    writes += 1;
    const { access_token } = await issue();
    await keydesk.revoke(access_token);
    await ledger().doc(`grants/${issued[0]?.grant_id}`).update({ tokens_issued: writes });
    await ledger()
      .doc(`kill_switches/${writes}`)
      .set({
        ...{ selector: { environment: 'staging' }, actor: 'x', reason: 'x', blocks_new: false, schema_version: 1 },
        ...{ activated_at: new Date(BEGIN + MINUTE), deactivated_at: null, deactivated_by: null },
      });
  };
  const moving = await readLedger(call, PERIOD, undefined);
  expect(writes).toBeGreaterThan(4);
  expect(moving.population).toEqual(still.population);
  expect(moving.population.count).toBe(issued.length);
  expect({ ...moving.records, as_of: '' }).toEqual({ ...still.records, as_of: '' });
  write = async () => {};
  const after = await readLedger(call, PERIOD, undefined);
  expect(after.population.sha256).not.toBe(still.population.sha256);
  expect(after.records.acts).toHaveLength(writes);
});
