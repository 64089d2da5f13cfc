// One log that has every kind of line which metrics, alerts, tiles and playbooks read: written by the handlers, in three
// quarters of an hour of the test's clock.

import { expect, vi } from 'vitest';
import { logLinesOf } from '../../../cli/live/log-lines.ts';
import { exitOnProblems } from '../../../functions/runtime/bootstrap.ts';
import { WEBHOOK_BODY_LIMIT } from '../../../functions/webhook/handler.ts';
import { addCopy } from '../../../shared/core/conditions/team-record.ts';
import { parseSettings } from '../../../shared/core/settings.ts';
import { BUILDKITE_TEAMS, LookupError } from '../../../shared/operations/lookup-error.ts';
import { DependencyError } from '../../../shared/runtime/errors.ts';
import { changeFirebaseUser } from '../../fixtures/firebase-thief.ts';
import { measured, runOf, trialOf } from '../../fixtures/live-documents.ts';
import { enableAccount } from '../../fixtures/operator.ts';
import { callRaw } from '../../fixtures/raw-request.ts';
import { readTeam, unblock } from '../../http/recorded-requests/requests.ts';
import { toLogEntry, toWrittenEntry } from './log-filter-entry.ts';
import { MINUTE, SECOND, type WatchedKeydesk } from './log-filter-keydesk.ts';

const CHECKER = 'GoogleStackdriverMonitoring-UptimeChecks(https://cloud.google.com/monitoring)';

const unavailable = (what: string) => () =>
  Promise.reject(new DependencyError(what, 'call_failed', 'the test broke it'));

/** Runs `work` while some members of `parts` are replaced. */
async function whileReplaced<T extends object>(parts: T, replaced: Partial<T>, work: () => Promise<unknown>) {
  const before = { ...parts };
  Object.assign(parts, replaced);
  await work();
  Object.assign(parts, before);
}

/** Writes all of them into `watched.entries`. */
export async function writeEveryLine(watched: WatchedKeydesk): Promise<void> {
  const { keydesk, now } = watched;
  // The first sweep checks it.
  keydesk.buildkite.apiTokenExpiresAt = now() + 24 * 60 * MINUTE;
  await refuseRequests(watched);
  // Although Cloud Run let it through.
  await watched.call(`${keydesk.readerUrl}/blocks`);
  await refuseWebhooks(watched);
  await probe(watched);
  await breakGlass(watched);
  await endLate(watched);
  await failSweeps(watched);
  await ageTeams(watched);
  await usePool(watched);
  await changeUser(watched);
  await refuseAsGoogle(watched);
  failStart(watched);
  measureLive(watched);
}

async function refuseRequests({ keydesk, requestToken, requestWith, advance }: WatchedKeydesk) {
  const { buildkite, tokenDeps } = keydesk;
  const job = buildkite.startJob();
  buildkite.beforeKeys = () => ({ status: 200, json: { keys: [] } });
  expect((await requestToken(job, 'config')).status).toBe(503);
  buildkite.beforeKeys = undefined;
  // After a failure the issuer is asked again in 2 s.
  advance(2 * SECOND);
  expect((await requestToken(job, 'config')).status).toBe(200);
  await requestToken(buildkite.startJob({ build_branch: 'feature' }), 'config');
  await requestToken(job, 'not-in-the-policy');
  await requestToken(buildkite.startJob({ organization_id: '0184990a-4782-42b5-afc1-000000000000' }), 'config');
  await requestWith(await buildkite.jobToken(job, { overrides: { pipeline_id: undefined } }), 'config');
  await requestWith('not-a-token', 'config');
  expect((await requestWith(await buildkite.jobToken(job, { header: { kid: 'other' } }), 'config')).status).toBe(503);
  await whileReplaced(tokenDeps, { verifyJobToken: unavailable('issuer keys') }, () => requestToken(job, 'config'));
  const broken = () => Promise.reject(new Error('the test broke it'));
  await whileReplaced(tokenDeps, { verifyJobToken: broken }, () => requestToken(job, 'config'));
}

async function refuseWebhooks({ keydesk, now, advance, notify, call, finish }: WatchedKeydesk) {
  const { buildkite, sweepDeps, webhookUrl } = keydesk;
  const signed = (seconds: number) => buildkite.signature('{}', Math.floor(now() / SECOND) + seconds);
  for (const seconds of [-301, 301, 0]) await notify('{}', { signature: signed(seconds) });
  await notify('{}', { signature: 'timestamp=1,signature=00' });
  await notify('{}', { signature: `timestamp=${Math.floor(now() / SECOND)},signature=${'0'.repeat(64)}` });
  await notify(JSON.stringify({ event: 'build.running' }), {});
  await call(`${webhookUrl}/`, { method: 'POST', body: '{}' });
  await call(`${webhookUrl}/`, { method: 'POST', body: '{}', headers: { 'x-buildkite-token': 'a token' } });
  const late = { headers: { 'x-buildkite-signature': signed(0) }, unsent: 1_000_000 };
  const cutOff = expect(callRaw(keydesk, webhookUrl, late)).rejects.toThrow('socket hang up');
  await vi.waitFor(() => expect(keydesk.clock.deadlines).toBeGreaterThan(0));
  advance(10 * SECOND);
  await cutOff;
  await notify('a'.repeat(WEBHOOK_BODY_LIMIT + 1), { signature: signed(0) });
  await call(`${webhookUrl}/`, { headers: { 'user-agent': CHECKER } });
  await call(`${webhookUrl}/.env`);
  const ledger = { ...sweepDeps.ledger, endJob: unavailable('ledger') };
  await whileReplaced(sweepDeps, { ledger }, () => finish(buildkite.startJob()));
}

/** What deploy/monitoring/probe.sh does; then canary-denied is issued, as a wrong policy would have it. */
async function probe({ keydesk, requestToken, requestWith, revoke, finish }: WatchedKeydesk) {
  const { buildkite, sweepDeps } = keydesk;
  const job = buildkite.startJob({ step_key: 'canary', build_branch: 'probe' });
  const jobToken = await buildkite.jobToken(job);
  await requestWith(`${jobToken.slice(0, -20)}${[...jobToken.slice(-20)].reverse().join('')}`, 'canary');
  const { access_token } = (await requestWith(jobToken, 'canary')).json;
  const ledger = { ...sweepDeps.ledger, endGrant: unavailable('ledger') };
  await whileReplaced(sweepDeps, { ledger }, () => revoke(access_token));
  await revoke(access_token);
  await requestWith(jobToken, 'canary-denied');
  await finish(job);
  const granted = await requestToken(buildkite.startJob({ build_branch: 'mistake' }), 'canary-denied');
  expect(granted.status).toBe(200);
}

/** A job gets a credential in an emergency, and one without its machine's token gets none. */
async function breakGlass({ keydesk, requestToken, requestWithForm }: WatchedKeydesk) {
  const { buildkite } = keydesk;
  await readTeam(keydesk);
  const job = buildkite.startJob({ build_branch: 'repair' });
  await unblock(keydesk, job, { reason: 'The shop is down' });
  expect((await requestToken(job, 'emergency')).status).toBe(200);
  const jobToken = await buildkite.jobToken(buildkite.startJob({ build_branch: 'machine' }));
  const actor = { actor_token: 'word', actor_token_type: 'urn:ietf:params:oauth:token-type:jwt' };
  expect((await requestWithForm(jobToken, 'live', actor)).status).toBe(400);
}

/** Jobs that end at 1:00: one at once, one while its grant document cannot be closed, and two without a webhook. */
async function endLate({ keydesk, at, now, requestToken, finish, advance, sweep }: WatchedKeydesk) {
  const { buildkite, sweepDeps } = keydesk;
  const [prompt, late, lost, vanished] = [0, 1, 2, 3].map(() => buildkite.startJob());
  if (!prompt || !late || !lost || !vanished) throw new Error('no jobs');
  for (const job of [prompt, late, lost, vanished]) await requestToken(job, 'config');
  for (const credential of ['live', 'export']) await requestToken(late, credential);
  at(MINUTE);
  for (const job of [prompt, late, lost]) job.finishedAt = now();
  await finish(prompt);
  lost.state = 'passed';
  vanished.agentLost = true;
  await whileReplaced(sweepDeps, { closeGrantDocument: unavailable('grant document') }, async () => {
    await finish(late);
    at(5 * MINUTE);
    buildkite.beforeBuild = () => ({ status: 401 });
    expect((await sweep()).json).toMatchObject({ jobs_reconciled: 0 });
    buildkite.beforeBuild = undefined;
    at(7 * MINUTE);
    expect((await sweep()).json).toMatchObject({ jobs_reconciled: 2, oldest_pending_s: 360 });
  });
  const { sweepLedger, jobCheckLedger } = sweepDeps;
  // Work in parallel with a step must not run into its own deadlines by this.
  const idle = { ...jobCheckLedger, due: async () => ({ jobs: [], unreadable: [] }), countUnchecked: async () => 0 };
  const slow: typeof sweepLedger.pendingRevocations = async (limit) => {
    const found = await sweepLedger.pendingRevocations(limit);
    advance(10 * SECOND);
    return found;
  };
  await whileReplaced(
    sweepDeps,
    { jobCheckLedger: idle, sweepLedger: { ...sweepLedger, pendingRevocations: slow } },
    async () => {
      expect((await sweep()).json).toMatchObject({ has_backlog: true });
    },
  );
  expect((await sweep()).json).toMatchObject({ has_backlog: false, oldest_pending_s: 0 });
  // The grant of a job that goes on, and the shared account's token, expire.
  at(17 * MINUTE);
  await sweep();
}

/** One team whose copy is older than half of an hour, then than an hour, and that Buildkite refuses to show. */
async function ageTeams({ keydesk, now, sweep }: WatchedKeydesk) {
  const { sweepDeps } = keydesk;
  const { deploymentLedger, teamLedger } = sweepDeps;
  const team = { id: '00000000-0000-4000-8000-000000000001', name: 'platform' };
  const named = [{ ...team, first_named_at: now(), last_named_at: now() }];
  const refused = () => Promise.reject(new LookupError('refused', 'returned 401', { dependency: BUILDKITE_TEAMS }));
  for (const minutes of [31, 61]) {
    const copy = addCopy(undefined, { members: [], pipelines: {}, paged: false }, now() - minutes * MINUTE);
    const replaced = {
      buildkiteTeams: { members: refused, pipelines: refused },
      teamLedger: { ...teamLedger, teams: async () => ({ teams: new Map([[team.id, copy]]), unreadable: [] }) },
      deploymentLedger: {
        ...deploymentLedger,
        namedTeams: async () => ({ organization_slug: 'acme-inc', teams_max_age: 3600, teams: named }),
      },
    };
    await whileReplaced(sweepDeps, replaced, sweep);
  }
}

async function failSweeps({ keydesk, sweep }: WatchedKeydesk) {
  const { sweepDeps } = keydesk;
  const { sweepLedger, jobCheckLedger } = sweepDeps;
  await whileReplaced(sweepDeps, { jobCheckLedger: { ...jobCheckLedger, countUnchecked: async () => 2 } }, sweep);
  const unreadable = async () => ({ grants: [], unreadable: [{ id: 'a grant', error: 'ledger: it cannot be read' }] });
  await whileReplaced(sweepDeps, { sweepLedger: { ...sweepLedger, overdue: unreadable } }, sweep);
  await whileReplaced(sweepDeps, { sweepLedger: { ...sweepLedger, overdue: unavailable('ledger') } }, async () => {
    expect((await sweep()).status).toBe(503);
  });
}

/** An account in its cooldown is enabled by somebody, four times; then the pool runs dry. */
async function usePool({ keydesk, at, requestToken, finish, sweep }: WatchedKeydesk) {
  const { buildkite, sweepDeps } = keydesk;
  const job = buildkite.startJob();
  const { audit } = await requestToken(job, 'admin');
  await finish(job);
  for (const [minutes, disabledAgain] of [
    [18, 0],
    [19, 0],
    [20, 1],
  ] as const) {
    await enableAccount(keydesk, audit[0].service_account);
    at(minutes * MINUTE);
    expect((await sweep()).json).toMatchObject({ accounts_enabled_externally: disabledAgain });
  }
  await enableAccount(keydesk, audit[0].service_account);
  at(22 * MINUTE);
  await whileReplaced(sweepDeps, { disableAccount: unavailable('iam serviceAccounts.disable') }, sweep);
  for (let count = 0; count < 3; count += 1) await requestToken(buildkite.startJob(), 'admin');
  await sweep();
}

/** A job gives the user of its pipeline a name. */
async function changeUser({ keydesk, requestToken }: WatchedKeydesk) {
  const credential = `config-${keydesk.project}`;
  const issued = await requestToken(keydesk.buildkite.startJob(), credential);
  await changeFirebaseUser(keydesk, issued.json.access_token, { displayName: 'Somebody' });
  expect((await requestToken(keydesk.buildkite.startJob(), credential)).status).toBe(200);
}

/** Google refuses for good, for want of a permission and of an API; then one account of a pool alone. */
async function refuseAsGoogle({ keydesk, at, requestToken, sweep }: WatchedKeydesk) {
  const { buildkite, google } = keydesk;
  const refusing = (info?: object) => ({
    status: 403,
    json: {
      error: {
        ...{ code: 403, status: 'PERMISSION_DENIED', message: 'no' },
        details: info && [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', ...info }],
      },
    },
  });
  google.before = () => refusing();
  await requestToken(buildkite.startJob(), 'config');
  const api = { service: 'iamcredentials.googleapis.com', consumer: 'projects/1' };
  google.before = () => refusing({ reason: 'SERVICE_DISABLED', metadata: api });
  await requestToken(buildkite.startJob(), 'config');
  google.before = ({ method }) => (method === 'generateAccessToken' ? refusing() : undefined);
  expect((await requestToken(buildkite.startJob(), 'wide')).json.permanent).toBeUndefined();
  google.before = undefined;
  at(41 * MINUTE);
  await sweep();
  let requested = 0;
  google.before = ({ method }) => {
    requested += method === 'generateAccessToken' ? 1 : 0;
    return requested === 1 ? refusing() : undefined;
  };
  await requestToken(buildkite.startJob(), 'admin');
  google.before = undefined;
}

/** A function that is started without any setting. */
function failStart({ entries, now }: WatchedKeydesk) {
  const lines: string[] = [];
  const stopped = new Error('stopped');
  vi.spyOn(process, 'exit').mockImplementation(() => {
    throw stopped;
  });
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  vi.spyOn(process.stdout, 'write').mockImplementation((line) => lines.push(String(line)) > 0);
  try {
    expect(() => exitOnProblems(parseSettings({}))).toThrow(stopped);
  } finally {
    vi.restoreAllMocks();
  }
  entries.push(...lines.map((line) => toLogEntry(line, now(), 'keydesk-sweep')));
}

/** What `keydesk doctor --live --log` prints after a trial that went well and one that did not. */
function measureLive({ entries, now }: WatchedKeydesk) {
  const still = measured({ api: 'storage', outcome: 'still_accepted' });
  const document = runOf([trialOf(), trialOf({ revocation: 'propagating', targets: [still] })]);
  entries.push(...logLinesOf(document).map((line) => toWrittenEntry(line, now())));
}
