// What docs/AUDIT.md says a line holds is what lines hold, both ways: the handlers are called over HTTP with every outcome
// that their types allow, the kill switch is thrown for real, and the fields of all those lines are compared with the page.

import { spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Failures, type Handler, listen } from '../../functions/http.ts';
import { createSweepHandler, SWEEP_FAILURES } from '../../functions/sweep-handler.ts';
import { createTokenHandler, TOKEN_FAILURES } from '../../functions/token-handler.ts';
import { createWebhookHandler, WEBHOOK_FAILURES } from '../../functions/webhook-handler.ts';
import { ROOT } from '../../sandbox/functions.ts';
import { type AuditEvent, createAudit } from '../../shared/audit.ts';
import type { Account } from '../../shared/core/account.ts';
import { type JobClaims, parseClaims } from '../../shared/core/claims.ts';
import type { RuleTrace } from '../../shared/core/decide.ts';
import type { Grant } from '../../shared/core/grant.ts';
import { tokenSha256 } from '../../shared/core/grant-id.ts';
import type { PoolReport } from '../../shared/core/pool.ts';
import { JOB_TOKEN_REASONS, type Refusal } from '../../shared/core/refusal.ts';
import type { Ending, JobEnding } from '../../shared/end-job.ts';
import type { HandOut } from '../../shared/hand-out.ts';
import type { Swept } from '../../shared/sweep.ts';
import type { Failure } from '../../shared/sweep-step.ts';
import { Unavailable } from '../../shared/unavailable.ts';
import { openInProcessDesk } from '../fixtures/in-process-desk.ts';
import { runKill } from '../fixtures/operator.ts';
import { KEY, sign } from '../http/a-webhook.ts';
import { codeIn, partOf, read, rowsOf } from './page.ts';
import { REFUSALS } from './refusals.ts';

type Line = Readonly<Record<string, unknown>> & { readonly event: AuditEvent };

const page = partOf(read('docs/AUDIT.md'), '## What a line says');
const LABELS = 'logging.googleapis.com/labels';
const NOW = Date.parse('2026-11-24T10:00:00Z');
const JOB = '11111111-0000-4000-8000-000000000000';
const TOKEN = 'an-access-token-of-the-test';

const TRACE: RuleTrace = {
  rule: 'deploy',
  outcome: 'granted',
  checks: [{ claim: 'build_branch', patterns: ['main'], value: null, matched: false }],
};

/** A grant of each kind, whose every member has a value: what has none would be missed. */
const GRANTS: readonly Grant[] = [
  { ...whole(), kind: 'firestore', revocation: 'immediate', project: 'acme', database: '(default)' },
  { ...whole(), kind: 'service_account', revocation: 'expiry', ...opens() },
  {
    ...whole(),
    kind: 'pooled_service_account',
    revocation: 'propagating',
    ...opens(),
    leased_at: NOW,
    past_leases: [{ service_account: 'ci-2@acme.example', leased_at: NOW, dead_at: NOW }],
  },
];

function whole() {
  return {
    ...{ job_id: JOB, organization_slug: 'acme-inc', organization_id: 'o', pipeline_slug: 'app', pipeline_id: 'p' },
    ...{ build_number: 1, build_branch: 'main', build_tag: 'v1', build_commit: 'c0ffee', build_source: 'ui' },
    ...{ step_key: 'deploy', agent_id: 'a', credential: 'config', environment: 'staging', rule: 'deploy' },
    ...{ policy_sha256: 'f', state: 'active' as const, created_at: NOW, reserved_at: NOW, issued_at: NOW },
    ...{ issued_count: 1, minute_at: NOW, minute_count: 1, expires_at: NOW + 900_000, ended_at: NOW },
    ...{
      ended_by: 'kill_switch' as const,
      kill_switch: 'k',
      job_ended_at: NOW,
      job_finished_at: NOW,
      job_check_at: NOW,
      dead_at: NOW,
    },
    ...{ delete_at: NOW, tokens: [{ sha256: tokenSha256(TOKEN), expires_at: NOW + 900_000 }] },
  };
}

function opens() {
  return {
    service_account: 'ci-1@acme.example',
    scopes: ['https://www.googleapis.com/auth/datastore'],
    storage: { bucket: 'b', prefix: 'a/', role: 'roles/storage.objectViewer' },
  };
}

const FAILURE: Required<Failure> = { grant_id: 'g', service_account: 'ci-1@acme.example', what: 'ledger', detail: 'd' };
const UNNAMED: Failure = { grant_id: 'g', detail: 'd' };
const NOTHING: Ending = { revoked: [], renewalEnded: [], expired: [], unfinished: [] };
const EVERYTHING: Ending = { revoked: GRANTS, renewalEnded: GRANTS, expired: GRANTS, unfinished: [FAILURE] };
const ACCOUNT: Account = {
  ...{ pool: 'admin', pool_size: 3, state: 'resting', grant: 'g', leased_at: NOW, rests_until: NOW, disabled_at: NOW },
  ...{ waking_at: NOW, checked_at: NOW, delete_at: null },
};
const POOL: PoolReport = { size: 3, free: 2, leased: 1, revoking: 0, resting: 0, exhausted_in_s: null };
const KNOWN = { email: 'ci-1@acme.example', account: ACCOUNT };
const IDLE: Swept = {
  ...{
    ...NOTHING,
    woken: [],
    disabledAgain: [],
    notDisabled: [],
    pools: {},
    failures: [],
    foundFinished: [],
    asked: 0,
  },
  ...{ oldestUnfinishedAt: null, more: false, unread: false, unreadable: false },
};

function claims(): JobClaims {
  const parsed = parseClaims({
    ...{ organization_slug: 'acme-inc', pipeline_slug: 'app', build_number: 1, build_branch: 'main' },
    ...{ build_commit: 'c0ffee', job_id: JOB, agent_id: JOB, 'agent_tag:queue': 'deploy' },
  });
  if ('invalidClaim' in parsed) throw new Error(parsed.invalidClaim);
  return parsed.claims;
}

function issued(asked: Grant): HandOut {
  const running = { ended_at: null, ended_by: null, job_ended_at: null, job_finished_at: null, dead_at: null };
  const grant: Grant = { ...asked, ...running };
  const told = { grant_id: 'g', accessToken: TOKEN, token_sha256: tokenSha256(TOKEN), expires_at: NOW };
  return { outcome: 'issued', grant, ...told, scopes: [], trace: [TRACE] };
}

const ALL_REFUSALS: readonly Refusal[] = [
  ...JOB_TOKEN_REASONS.map((reason): Refusal => ({ reason, detail: 'a claim' })),
  ...Object.values(REFUSALS).map((refusal) => ('trace' in refusal ? { ...refusal, trace: [TRACE] } : refusal)),
];

/** The three functions over HTTP, each of which does next what it is told. Gives the lines that they write. */
async function openHandlers() {
  const lines: Line[] = [];
  const audit = createAudit({ project: 'acme', write: (line) => lines.push(JSON.parse(line) as Line) });
  const next = {
    handOut: async (): Promise<HandOut> => issued(GRANTS[0] as Grant),
    returned: NOTHING,
    ended: async (): Promise<JobEnding> => ({ ...NOTHING, repeated: false, otherPipeline: false }),
    swept: IDLE,
  };
  const now = () => NOW;
  const tokens = { lookUpToken: async () => GRANTS[0], returnGrant: async () => next.returned };
  const serve = async (handler: Handler, failures: Failures) => {
    const server = createServer(listen({ handler, failures, bodyLimit: 65_536, audit, now }));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  };
  const [token, webhook, sweep] = await Promise.all([
    serve(createTokenHandler({ handOut: () => next.handOut(), ...tokens, now }), TOKEN_FAILURES),
    serve(createWebhookHandler({ webhookTokens: [KEY], endJob: () => next.ended(), now }), WEBHOOK_FAILURES),
    serve(createSweepHandler({ sweep: async () => next.swept, now }), SWEEP_FAILURES),
  ]);
  const post = async (url: string, headers: Record<string, string>, body = '') => {
    const trace = { 'x-cloud-trace-context': '105445aa7843bc8bf206b12000100000/74;o=1' };
    await (await fetch(url, { method: 'POST', headers: { ...trace, ...headers }, body })).arrayBuffer();
  };
  return {
    lines,
    next,
    ask: () => post(`${token.url}/token/config`, { authorization: 'Bearer a.b.c' }),
    giveBack: () =>
      post(`${token.url}/revoke`, { 'content-type': 'application/x-www-form-urlencoded' }, `token=${TOKEN}`),
    notify: (event: object, key = KEY) => {
      const body = JSON.stringify(event);
      return post(`${webhook.url}/`, { 'x-buildkite-signature': sign(NOW / 1000, body, key) }, body);
    },
    sweep: () => post(`${sweep.url}/`, {}),
    close: () => Promise.all([token, webhook, sweep].map(({ server }) => new Promise((done) => server.close(done)))),
  };
}

/** A line of everything that can happen. */
async function everyLine(): Promise<Line[]> {
  const desk = await openHandlers();
  const { next } = desk;
  for (const grant of GRANTS) {
    next.handOut = async () => issued(grant);
    await desk.ask();
  }
  for (const refusal of ALL_REFUSALS) {
    next.handOut = async () => ({ outcome: 'refused', refusal, claims: claims() });
    await desk.ask();
  }
  next.handOut = () => Promise.reject(new Error('a fault'));
  await desk.ask();
  for (const unfinished of [[], [FAILURE]]) {
    next.returned = { ...NOTHING, revoked: GRANTS.slice(0, 1), unfinished };
    await desk.giveBack();
  }

  const finished = { event: 'job.finished', job: { id: JOB, state: 'passed' }, pipeline: { id: JOB } };
  next.ended = async () => ({ ...EVERYTHING, repeated: true, otherPipeline: true });
  for (const event of [{ event: 'ping' }, { event: 'build.finished' }, finished]) await desk.notify(event);
  await desk.notify(finished, 'another key');
  await desk.notify({});
  next.ended = () => Promise.reject(new Unavailable('ledger', 'down'));
  await desk.notify(finished);

  const foundFinished = [{ job_id: JOB, job_state: 'failed', pipeline_slug: 'app' }];
  const found = { foundFinished, woken: [KNOWN], disabledAgain: [KNOWN], notDisabled: [KNOWN], pools: { admin: POOL } };
  const busy: Swept = { ...IDLE, ...EVERYTHING, ...found, failures: [FAILURE, UNNAMED], oldestUnfinishedAt: NOW };
  for (const swept of [IDLE, busy, { ...IDLE, unread: true }, { ...IDLE, failures: Array(300).fill(FAILURE) }]) {
    next.swept = swept;
    await desk.sweep();
  }
  await desk.close();
  return [...desk.lines, ...(await linesOfKillSwitch()), ...linesOfStart()];
}

async function linesOfKillSwitch(): Promise<Line[]> {
  const desk = await openInProcessDesk();
  const named = {
    ...{ job: JOB, 'pipeline-id': JOB, 'pipeline-slug': 'app', branch: 'main', agent: JOB, credential: 'config' },
    ...{ environment: 'staging', policy: 'f', since: '2026-01-01T00:00:00Z', by: 'ada', reason: 'INC-7', id: JOB },
  };
  const options = Object.entries(named).flatMap(([name, value]) => [`--${name}`, value]);
  const said = [await runKill(desk, ...options, '--bar'), await runKill(desk, '--lift', JOB, '--by', 'ada')].join('');
  await desk.close();
  return said
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);
}

/** Of a function that does not start. */
function linesOfStart(): Line[] {
  const args = ['--input-type=module', '--eval', `import ${JSON.stringify(join(ROOT, 'functions/sweep.ts'))};`];
  const { stdout } = spawnSync(process.execPath, args, { env: { PATH: process.env.PATH }, encoding: 'utf8' });
  return [JSON.parse(stdout) as Line];
}

/** The names of members that lists of objects, or one object, have. */
function membersOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(membersOf);
  return typeof value === 'object' && value !== null ? Object.keys(value) : [];
}

const unique = (names: readonly string[]) => [...new Set(names)].sort();

const onEvery = rowsOf(partOf(page, '### On every line')).flatMap(([field = '']) => codeIn(field));
const eventRows = rowsOf(partOf(page, '### Events')).filter((cells) => cells.length === 4);
const reasonRows = rowsOf(partOf(page, '### What `grant.refused` has by reason'));
const holds = new Map(
  rowsOf(partOf(page, '### What the fields hold')).flatMap(([fields = '', text = '']) =>
    codeIn(fields).map((field) => [field, text] as const),
  ),
);

/** What a grant's lines have of its record, as the page says. */
function theRecord(): string[] {
  const storage = read('docs/STORAGE.md');
  const heading = /^### `grants`.*$/m.exec(storage)?.[0] ?? '';
  const stored = rowsOf(partOf(storage, heading)).flatMap(([field = '']) => codeIn(field));
  const sentence = /\*The record\* is [\s\S]*?that its kind has, but ([\s\S]*?)\.\n/.exec(page)?.[1] ?? '';
  const without = codeIn(sentence);
  expect(without.length).toBeGreaterThan(3);
  for (const field of without) expect(stored).toContain(field);
  return ['grant_id', ...stored.filter((field) => !field.includes('.') && !without.includes(field))];
}

describe('docs/AUDIT.md', () => {
  let lines: Line[];
  beforeAll(async () => {
    lines = await everyLine();
  });
  const of = (event: string) => lines.filter((line) => line.event === event);
  const fieldsOf = (found: readonly Line[]) =>
    unique(found.flatMap((line) => Object.keys(line))).filter((field) => !onEvery.includes(field));

  it('has a row for every event, and for no other', () => {
    const all: Record<AuditEvent, true> = {
      ...{ 'grant.issued': true, 'grant.refused': true, 'grant.revoked': true, 'grant.renewal_ended': true },
      ...{ 'grant.expired': true, 'grant.returned': true, 'job.found_finished': true, 'account.enabled': true },
      ...{ 'account.disabled_again': true, 'kill_switch.thrown': true, 'kill_switch.lifted': true },
      ...{ 'webhook.accepted': true, 'webhook.refused': true, 'sweep.completed': true, 'pool.counted': true },
      ...{ 'work.failed': true, 'request.failed': true, 'account.not_disabled': true, 'start.failed': true },
    };
    expect(eventRows.map(([event = '']) => codeIn(event)[0]).sort()).toEqual(Object.keys(all).sort());
    expect(unique(lines.map(({ event }) => event))).toEqual(Object.keys(all).sort());
  });

  it('names what stands on every line, and says what of it only the lines of a request have', () => {
    const isOfRequest = ({ event }: Line) => !event.startsWith('kill_switch.') && event !== 'start.failed';
    const ofRequests = lines.filter(isOfRequest);
    for (const line of ofRequests) expect(Object.keys(line)).toEqual(expect.arrayContaining(onEvery));
    const lacking = rowsOf(partOf(page, '### On every line')).filter(([, text = '']) => / not on |when/i.test(text));
    const others = lines.filter((line) => !isOfRequest(line));
    expect(others.length).toBeGreaterThan(2);
    const has = onEvery.filter((field) => !lacking.some(([fields = '']) => codeIn(fields).includes(field)));
    for (const line of others)
      expect(
        Object.keys(line)
          .filter((field) => onEvery.includes(field))
          .sort(),
      ).toEqual(has.sort());
  });

  it.each(eventRows)(
    '%s has the severities, labels and fields that its row names',
    (cell, severity, labels, fields = '') => {
      const [event = ''] = codeIn(cell);
      const found = of(event);
      expect(unique(found.map((line) => String(line.severity)))).toEqual(severity?.split(', ').sort());
      const labelled = unique(found.flatMap((line) => membersOf(line[LABELS]))).filter((name) => name !== 'event');
      expect(labelled).toEqual(codeIn(labels ?? '').sort());
      const byReason = fields.includes('by reason')
        ? reasonRows.flatMap(([, facts = '']) => codeIn(facts.split(':')[0] ?? ''))
        : [];
      const record = fields.startsWith('the record') ? theRecord() : [];
      expect(fieldsOf(found)).toEqual(unique([...record, ...byReason, ...codeIn(fields)]));
    },
  );

  it.each(ALL_REFUSALS)('says what a refusal has by its reason: $reason', ({ reason }) => {
    const own = reason.startsWith('job_token_') ? 'job_token_…' : reason;
    const rows = reasonRows.filter(([reasons = '']) => codeIn(reasons).includes(own));
    expect(rows).toHaveLength(1);
    const always = ['credential', 'job', 'reason'];
    const found = of('grant.refused').filter((line) => line.reason === reason);
    const facts = codeIn(rows[0]?.[1]?.split(':')[0] ?? '');
    expect(fieldsOf(found)).toEqual(unique([...always, ...facts]));
  });

  it('names no reason that there is not', () => {
    const reasons = ALL_REFUSALS.map(({ reason }) => (reason.startsWith('job_token_') ? 'job_token_…' : reason));
    expect(reasonRows.flatMap(([names = '']) => codeIn(names)).sort()).toEqual(unique(reasons));
  });

  it('says what each field holds that is not in the record of a grant', () => {
    const inRecord = theRecord().filter((field) => field !== 'grant_id');
    const fields = unique(lines.flatMap((line) => fieldsOf([line])));
    for (const field of fields.filter((name) => !inRecord.includes(name)))
      expect([field, holds.has(field)]).toEqual([field, true]);
    const members = ['checks', 'httpRequest'];
    for (const field of holds.keys()) expect([field, [...fields, ...members].includes(field)]).toEqual([field, true]);
  });

  it.each(['trace', 'unfinished_because', 'failures', 'httpRequest'])('names every member of %s', (field) => {
    const members = unique(lines.flatMap((line) => membersOf(line[field])));
    expect(members.length).toBeGreaterThan(2);
    expect(codeIn(holds.get(field) ?? '')).toEqual(expect.arrayContaining(members));
  });

  it('names every member of what a rule was compared with, and says that pools have what a count of theirs has', () => {
    const traces = lines.flatMap(({ trace }) => (Array.isArray(trace) ? (trace as RuleTrace[]) : []));
    const members = unique(traces.flatMap(({ checks }) => membersOf(checks)));
    expect(unique(codeIn(holds.get('checks') ?? '').filter((name) => name !== 'null'))).toEqual(members);
    const counted = unique(
      of('sweep.completed').flatMap(({ pools }) => Object.values(pools as object).flatMap(membersOf)),
    );
    expect(['pool', ...counted].sort()).toEqual(fieldsOf(of('pool.counted')));
  });

  it('says how many failures are told', () => {
    const [busiest] = of('sweep.completed').filter(({ failed }) => failed === 300);
    expect(busiest?.failures).toHaveLength(20);
    expect(holds.get('failures')).toContain('the first 20');
    const after = of('work.failed').filter(({ request_id }) => request_id === busiest?.request_id);
    expect(after).toHaveLength(200);
    expect(page).toContain('200 for one request at most');
    expect(of('work.failed').some(({ what }) => what === 'keydesk')).toBe(true);
  });
});
