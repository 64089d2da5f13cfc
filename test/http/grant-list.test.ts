// GET /grants and what GET /grants/ID adds: filters, pages, cursors, what is logged.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { instance } from '../../functions/runtime/instance.ts';
import { namedTeams } from '../../shared/core/policy/named-teams.ts';
import { parsePolicy } from '../../shared/core/policy/parse-yaml.ts';
import { databaseOf, type InProcessKeydesk, openInProcessKeydesk } from '../fixtures/in-process-keydesk.ts';
import { credentialsNamed, policyData, policyText } from '../fixtures/policies.ts';

const MINUTE = 60_000;

let keydesk: InProcessKeydesk;
beforeAll(async () => {
  keydesk = await openInProcessKeydesk();
});
afterAll(() => keydesk.close());

const issue = async (claims: Record<string, unknown> = {}, credential?: string) => {
  const job = keydesk.buildkite.startJob(claims);
  const issuedAt = Math.floor(keydesk.clock.now() / 1000);
  const { json } = await keydesk.requestByPath(await keydesk.buildkite.jobToken(job, { issuedAt }), credential);
  return { job, ...json } as { job: { id: string }; grant_id: string; access_token: string };
};
const list = (query: Record<string, string | number> = {}) => {
  const search = new URLSearchParams(
    Object.entries(query).map(([name, value]): [string, string] => [name, `${value}`]),
  );
  return keydesk.asPerson(`${keydesk.readerUrl}/grants?${search}`);
};
const idsOf = ({ json }: Awaited<ReturnType<typeof list>>) =>
  json.grants.map(({ grant_id }: { grant_id: string }) => grant_id);
/** Writes a record that the deployment has this policy, with an environment that no grant has. */
const named = async () => {
  const credentials = credentialsNamed(['staging-config', 'staging-admin'], keydesk.project);
  const text = policyText(policyData(keydesk.project, credentials, { environments: { staging: {}, production: {} } }));
  const parsed = parsePolicy(text, 'policy.yaml');
  if ('problems' in parsed) throw new Error(parsed.problems.join('\n'));
  await keydesk.adminDeps.deploymentLedger.recordToken(instance, {
    sha256: parsed.sha256,
    text,
    teams: namedTeams(parsed.policy),
  });
};
const iso = (time: number) => new Date(time).toISOString();

describe('GET /grants', () => {
  it('lists live grants by default, with the filters in force, and logs who read what', async () => {
    const { grant_id, job, access_token } = await issue();
    const response = await list({ job_id: job.id.toUpperCase() });
    expect(response.status).toBe(200);
    expect(response.json).toMatchObject({
      filters: { job_id: job.id, state: 'live' },
      grants: [{ grant_id, state: 'active', environment: 'staging', job: { job_id: job.id } }],
      unreadable: [],
      next_cursor: null,
    });
    expect(response.json.as_of).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    expect(response.text).not.toContain(access_token);
    expect(response.audit).toMatchObject([
      {
        event: 'operator.read',
        actor: 'alice@acme.example',
        operation: 'listGrants',
        about: `job_id ${job.id}, state live`,
      },
    ]);
    await keydesk.revoke(access_token);
    expect(idsOf(await list({ job_id: job.id }))).toEqual([]);
    expect(idsOf(await list({ job_id: job.id, state: 'all' }))).toEqual([grant_id]);
    expect(idsOf(await list({ job_id: job.id, state: 'revoked' }))).toEqual([grant_id]);
  });

  it('has ended grants too where a period is given', async () => {
    const before = keydesk.clock.now();
    const { grant_id, access_token, job } = await issue();
    await keydesk.revoke(access_token);
    keydesk.clock.advance(MINUTE);
    const query = { job_id: job.id, from: iso(before), to: iso(before + 1) };
    const { json } = await list(query);
    expect(json).toMatchObject({ filters: { state: 'all' }, grants: [{ grant_id, state: 'revoked' }] });
    expect(idsOf(await list({ ...query, from: iso(before - MINUTE), to: iso(before) }))).toEqual([]);
    expect(idsOf(await list({ ...query, from: iso(before + 1), to: iso(before + MINUTE) }))).toEqual([]);
  });

  it('finds a pipeline by its slug and by its UUID, an account, and a token by its hash', async () => {
    const { grant_id, job } = await issue({}, 'staging-admin');
    const { json } = await keydesk.asPerson(`${keydesk.readerUrl}/grants/${grant_id}`);
    const [token] = json.tokens;
    for (const query of [
      { account: json.service_account, job_id: job.id },
      { pipeline: json.job.pipeline_slug, account: json.service_account },
      ...(json.job.pipeline_id ? [{ pipeline: json.job.pipeline_id, account: json.service_account }] : []),
      { token_sha256: token.sha256 },
    ])
      expect(idsOf(await list(query)), JSON.stringify(query)).toEqual([grant_id]);
  });

  it('shows on every page what the first one showed', async () => {
    const branch = 'release/pages';
    const issued: Awaited<ReturnType<typeof issue>>[] = [];
    for (let nth = 0; nth < 5; nth += 1) issued.push(await issue({ build_branch: branch }));
    const query = { branch, limit: 2 };
    const first = await list(query);
    for (const { access_token } of issued) await keydesk.revoke(access_token);
    await issue({ build_branch: branch });
    keydesk.clock.advance(5 * MINUTE);
    const second = await list({ ...query, cursor: first.json.next_cursor });
    const third = await list({ ...query, cursor: second.json.next_cursor });
    const grants = [first, second, third].flatMap(({ json }) => json.grants);
    expect(grants.map(({ grant_id }) => grant_id).sort()).toEqual(issued.map(({ grant_id }) => grant_id).sort());
    expect(grants.filter(({ state, accepted_until }) => state !== 'active' || accepted_until === null)).toEqual([]);
    expect(new Set([first, second, third].map(({ json }) => json.as_of)).size).toBe(1);
    expect(third.json.next_cursor).toBeNull();
    expect((await list({ branch })).json.grants).toHaveLength(1);
  });

  it('refuses a cursor for other filters, an invented one, and one whose time is over', async () => {
    await Promise.all([issue(), issue()]);
    const { next_cursor: cursor } = (await list({ limit: 1 })).json;
    const read = JSON.parse(Buffer.from(`${cursor}`, 'base64url').toString('utf8'));
    const later = { ...read, as_of: { seconds: 300_000_000_000, nanoseconds: 0 } };
    const beyond = Buffer.from(JSON.stringify(later)).toString('base64url');
    const inventions = [{ cursor: 'eyJhIjoxfQ' }, { cursor: '{' }, { cursor: beyond }];
    for (const query of [{ environment: 'staging', cursor }, ...inventions])
      expect(await list(query)).toMatchObject({ status: 400, json: { error: 'invalid_request' } });
    keydesk.clock.advance(56 * MINUTE);
    const { status, json } = await list({ limit: 1, cursor });
    expect([status, json.error]).toEqual([400, 'cursor_expired']);
  });

  it.each<[string, Record<string, string>]>([
    ['state', { state: 'lively' }],
    ['job_id', { job_id: 'x' }],
    ['token_sha256', { token_sha256: 'ABC' }],
    ['from', { from: '2026-11-24' }],
    ['from', { from: '0000-01-01T00:00:00Z' }],
    ['to', { to: '9999-12-31T23:59:59-23:59' }],
    ['limit', { limit: '501' }],
    ['limit', { limit: '0' }],
    ['from', { from: '2026-11-24T00:00:00Z', to: '2026-11-24T00:00:00Z' }],
    ['branches', { branches: 'main' }],
  ])('refuses a wrong %s: %j', async (name, query) => {
    const { status, json } = await list(query);
    expect([status, json.error]).toEqual([400, 'invalid_request']);
    expect(json.error_description).toContain(name);
  });

  it.each<[Record<string, string>, string, string | null]>([
    [{ environment: 'prod' }, 'environment', 'production'],
    [{ environment: ' Staging ' }, 'environment', 'staging'],
    [{ credential: 'STAGING-CONFIG' }, 'credential', 'staging-config'],
    [{ pipeline: 'ap' }, 'pipeline', 'app'],
    [{ pipeline: 'nope' }, 'pipeline', null],
    [{ pipeline: '99999999-4782-42b5-afc1-16715b10b1f0' }, 'pipeline', null],
    [{ account: 'nobody@acme-staging.iam.gserviceaccount.com', environment: 'staging' }, 'account', null],
  ])('names what no grant has and the policy does not name: %j', async (query, filter, did_you_mean) => {
    await issue();
    await named();
    const { json } = await list({ ...query, state: 'all' });
    expect([json.grants, json.unknown]).toEqual([[], [{ filter, value: query[filter], did_you_mean }]]);
  });

  it('says of no name that it is unknown that the policy or an ended grant has', async () => {
    const { access_token } = await issue();
    await keydesk.revoke(access_token);
    await named();
    const { json } = await list({ environment: 'staging', pipeline: 'app', branch: 'nobody/builds/this' });
    expect([json.grants, json.unknown]).toEqual([[], []]);
    expect((await list({ environment: 'production' })).json.unknown).toEqual([]);
  });

  it('lists a record that cannot be read', async () => {
    const { grant_id, job } = await issue();
    await databaseOf(keydesk.project, 'ledger').doc(`grants/${grant_id}`).update({ tokens_issued: 'many' });
    const { json } = await list({ job_id: job.id, environment: 'production' });
    expect(json).toMatchObject({
      grants: [],
      unreadable: [{ grant_id, error: expect.stringContaining('tokens_issued') }],
    });
    await databaseOf(keydesk.project, 'ledger').doc(`grants/${grant_id}`).delete();
  });
});

describe('GET /grants/ID', () => {
  it('names who ended the grant and why, and does without where that is not on record', async () => {
    const { grant_id, job } = await issue();
    const id = crypto.randomUUID();
    await keydesk.asPerson(`${keydesk.adminUrl}/kill`, {
      email: 'bob@acme.example',
      body: { id, reason: 'INC-7', selector: { job_id: job.id } },
    });
    const read = async () => (await keydesk.asPerson(`${keydesk.readerUrl}/grants/${grant_id}`)).json;
    expect(await read()).toMatchObject({
      ended_by: 'kill_switch',
      kill_switch_id: id,
      kill_switch: { actor: 'bob@acme.example', reason: 'INC-7' },
    });
    await databaseOf(keydesk.project, 'ledger').doc(`kill_switches/${id}`).update({ actor: 7 });
    expect(await read()).toMatchObject({ kill_switch_id: id, kill_switch: null });
  });
});
