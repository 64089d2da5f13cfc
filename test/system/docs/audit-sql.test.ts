// What the SQL in deploy/audit returns, run over the lines of a running Keydesk and over entries of the forms that Google documents,
// or that others have published: no entry was ever captured here. BigQuery is not available either: a handful of its words are
// put into PostgreSQL's (PGlite), the joins and intervals are run as they stand.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../../sandbox/functions.ts';
import { grantId } from '../../../shared/core/grant/id.ts';
import { type InProcessKeydesk, openInProcessKeydesk } from '../../fixtures/in-process-keydesk.ts';

const MINUTE = 60_000;
const START = Date.parse('2026-11-17T10:00:00Z');

const DATABASE = 'projects/acme-production/databases/(default)';
const DOCUMENTS = `${DATABASE}/documents`;
const DATA_ACCESS = 'projects/acme-production/logs/cloudaudit.googleapis.com%2Fdata_access';
/** Firestore acts as this account for every token that rules judge. */
const RULES_AGENT = 'service-123456789012@firebase-rules.iam.gserviceaccount.com';

/** BigQuery's TO_JSON_STRING, which writes no spaces, and `null` for NULL. */
const TO_JSON_STRING = `
  CREATE FUNCTION to_json_string(value jsonb) RETURNS text LANGUAGE sql IMMUTABLE
  AS $$ SELECT coalesce(replace(replace(value::text, '": ', '":'), ', ', ','), 'null') $$`;

/** BigQuery's spelling in PostgreSQL's. Whatever else the queries say is run as it is. */
function toPostgres(sql: string): string {
  const path = (from: string, operator: string, fields: string) =>
    `${from} ${operator} '{${fields.replaceAll('.', ',')}}'`;
  return sql
    .replaceAll('`PROJECT.keydesk_logs._AllLogs`', 'logs')
    .replaceAll(/JSON_VALUE\((json_payload|lease|proto_payload)\.([a-z0-9_.]+)\)/g, (_, from, fields) =>
      path(from, '#>>', fields),
    )
    .replaceAll(/JSON_QUERY_ARRAY\(json_payload\.([a-z_]+)\)/g, "json_payload -> '$1'")
    .replaceAll(/proto_payload\.(audit_log\.request\b[a-zA-Z.]*)/g, (_, fields) => path('proto_payload', '#>', fields))
    .replaceAll(/proto_payload\.([a-z0-9_.]+)/g, (_, fields) => path('proto_payload', '#>>', fields))
    .replaceAll(
      /TIMESTAMP_(ADD|SUB)\((.*), INTERVAL (\d+) HOUR\)/g,
      (_, verb, time, hours) => `(${time} ${verb === 'ADD' ? '+' : '-'} interval '${hours} hour')`,
    )
    .replaceAll(/CROSS JOIN UNNEST\(([a-z0-9_.]+)\) AS lease/g, 'CROSS JOIN LATERAL jsonb_array_elements($1) AS lease')
    .replaceAll(/\bTIMESTAMP\(([^()]+)\)/g, '($1)::timestamptz')
    .replaceAll('CURRENT_TIMESTAMP()', '(SELECT max(timestamp) FROM logs)');
}

/** What Cloud Logging makes the payload of an entry: all of a line but its special fields. */
function toPayload(line: string): object {
  const special = /^(severity|httpRequest|logging\.googleapis\.com\/.*)$/;
  const fields = Object.entries(JSON.parse(line) as Record<string, unknown>);
  return Object.fromEntries(fields.filter(([name]) => !special.test(name)));
}

describe('the SQL of deploy/audit', () => {
  let keydesk: InProcessKeydesk;
  let database: PGlite;
  const ids: Record<string, string> = {};
  let account = '';

  /** When each line was written. */
  const times: number[] = [];
  const stamp = () => {
    while (times.length < keydesk.lines.length) times.push(keydesk.clock.now());
  };
  const at = (minutes: number) => {
    stamp();
    keydesk.clock.set(START + minutes * MINUTE);
  };
  const entry = (minutes: number, audit_log: object, log_name = DATA_ACCESS) => ({
    timestamp: new Date(START + minutes * MINUTE).toISOString(),
    log_name,
    proto_payload: { audit_log },
  });
  /** As they were published of GetDocument, RunQuery and Listen: the resource is the database, the document is in the request. */
  const requested = (method: string, request: object, who: object, num_response_items?: string) => ({
    service_name: 'firestore.googleapis.com',
    method_name: `google.firestore.v1.Firestore.${method}`,
    resource_name: DATABASE,
    request: { '@type': `type.googleapis.com/google.firestore.v1.${method}Request`, ...request },
    authentication_info: who,
    ...(num_response_items !== undefined && { num_response_items }),
  });
  /** As AuditLog describes it: the resource is what was touched. */
  const touched = (resource_name: string, principal_email: string) => ({
    service_name: 'firestore.googleapis.com',
    method_name: 'google.firestore.v1.Firestore.UpdateDocument',
    resource_name,
    authentication_info: { principal_email },
  });

  beforeAll(async () => {
    keydesk = await openInProcessKeydesk();
    const { buildkite } = keydesk;
    at(0);
    const job = buildkite.startJob();
    const next = buildkite.startJob({ build_number: 43 });
    for (const credential of ['staging-config', 'staging-admin', 'staging-export'])
      expect((await keydesk.requestByForm(await jobToken(job), credential)).status).toBe(200);
    account = String(keydesk.audit.find(({ credential }) => credential === 'staging-admin')?.service_account);
    // Asks for little, lets it expire, and asks again: its grant then has a past lease.
    const again = buildkite.startJob({ build_number: 44 });
    const first = await keydesk.requestByForm(await jobToken(again), 'staging-admin', { lifetime: '300' });
    at(4);
    await keydesk.notify(buildkite.event(job));
    // Until the account has cooled down and serves the next job.
    for (const minutes of [6, 12, 18, 24, 30]) {
      at(minutes);
      await keydesk.sweep();
      if (minutes === 12) await keydesk.requestByForm(await jobToken(again), 'staging-admin');
    }
    at(40);
    let leased: unknown;
    for (let tries = 0; leased !== account && tries < 40; tries += 1) {
      const other = tries === 0 ? next : buildkite.startJob({ build_number: 43 });
      const response = await keydesk.requestByForm(await jobToken(other), 'staging-admin');
      if (response.status !== 200) break;
      leased = response.audit[0]?.service_account;
      ids.next = other.id;
    }
    expect(leased).toBe(account);
    ids.job = job.id;
    ids.again = again.id;
    stamp();

    const byGrant = {
      principal_email: RULES_AGENT,
      third_party_principal: { payload: { keydesk_grant: grantId(job.id, 'staging-config') } },
    };
    const byAccount = { principal_email: account };
    const query = { from: [{ collectionId: 'config' }], limit: 10 };
    const shared = `export@${keydesk.project}.iam.gserviceaccount.com`;
    const entries = [
      entry(1, requested('GetDocument', { name: `${DOCUMENTS}/config/release` }, byGrant, '1')),
      entry(1.1, requested('Commit', { writes: [{ update: { name: `${DOCUMENTS}/config/release` } }] }, byGrant)),
      entry(
        1.2,
        requested('Listen', { addTarget: { query: { parent: DOCUMENTS, structuredQuery: query } } }, byGrant, '3'),
      ),
      entry(2, requested('RunQuery', { parent: DOCUMENTS, structuredQuery: query }, byAccount, '10')),
      entry(2.1, requested('BatchGetDocuments', { documents: [`${DOCUMENTS}/other/one`] }, byAccount)),
      entry(2.2, requested('ListDocuments', { parent: DOCUMENTS, collectionId: 'config' }, byAccount)),
      entry(2.5, touched(`${DOCUMENTS}/config/release-2`, String(first.audit[0]?.service_account))),
      entry(3, touched(`${DOCUMENTS}/config/release-3`, shared)),
      entry(10, touched(`${DOCUMENTS}/config/release-4`, account)),
      entry(41, touched(`${DOCUMENTS}/config/release-5`, account)),
      // What is in no audit log of Google's proves nothing, whatever it looks like.
      entry(1.3, requested('GetDocument', { name: `${DOCUMENTS}/config/release` }, byGrant), 'projects/p/logs/forged'),
      entry(10.1, touched(`${DOCUMENTS}/config/release`, account), 'projects/p/logs/not-cloudaudit.googleapis.com'),
    ];
    database = new PGlite();
    await database.exec(TO_JSON_STRING);
    await database.exec(
      'CREATE TABLE logs (timestamp timestamptz, log_name text, json_payload jsonb, proto_payload jsonb)',
    );
    for (const [index, line] of keydesk.lines.entries())
      await database.query('INSERT INTO logs VALUES ($1, $2, $3, NULL)', [
        new Date(times[index] ?? 0).toISOString(),
        'projects/p/logs/run.googleapis.com%2Fstdout',
        toPayload(line),
      ]);
    for (const { timestamp, log_name, proto_payload } of entries)
      await database.query('INSERT INTO logs VALUES ($1, $2, NULL, $3)', [timestamp, log_name, proto_payload]);
  }, 120_000);
  afterAll(async () => {
    await keydesk.close();
    await database?.close();
  });

  function jobToken(job: Parameters<InProcessKeydesk['buildkite']['jobToken']>[0]) {
    return keydesk.buildkite.jobToken(job, { issuedAt: Math.floor(keydesk.clock.now() / 1000) });
  }
  /** The view of a query, and what is selected from it. */
  async function fromView(name: string, where: string) {
    const view = toPostgres(readFileSync(join(ROOT, 'deploy/audit/views', `${name}.sql`), 'utf8'));
    const { rows } = await database.query<Record<string, unknown>>(`SELECT * FROM (${view}) AS viewed WHERE ${where}`);
    return rows;
  }
  async function run(file: string, replace: readonly [string, string][] = []) {
    let sql = readFileSync(join(ROOT, 'deploy', 'audit', file), 'utf8');
    for (const [from, to] of replace) {
      expect(sql).toContain(from);
      sql = sql.replaceAll(from, to);
    }
    return (await database.query<Record<string, unknown>>(toPostgres(sql))).rows;
  }
  const touchesOf = (job: string, credential: string, more: readonly [string, string][] = []) =>
    run('grant-to-touches.sql', [['00000000000000000000000000000000', grantId(job, credential)], ...more]);
  /** Of every resource, in every project. */
  const EVERYTHING: readonly [string, string][] = [
    ["'projects/acme-production/databases/%'", "'%'"],
    ["'%/documents/config/release%'", "'%'"],
  ];
  const POOL: [string, string] = ["'%@POOL_PROJECT.", "'ci-%@%."];
  const days = (from: string, until: string): [string, string][] => [
    ['2026-11-18 00:00:00+00', `${until}+00`],
    ['2026-11-17 00:00:00+00', `${from}+00`],
  ];

  it('finds the requests of a token that rules check, by its grant', async () => {
    const rows = await touchesOf(ids.job ?? '', 'staging-config');
    expect(rows.map(({ by_whom, resource_name }) => [by_whom, resource_name])).toEqual(
      Array(3).fill(['this grant', DATABASE]),
    );
    expect(rows.map(({ asked_for, num_response_items }) => [asked_for, num_response_items])).toEqual([
      [`"${DOCUMENTS}/config/release"`, '1'],
      [`[{"update":{"name":"${DOCUMENTS}/config/release"}}]`, null],
      [`{"query":{"parent":"${DOCUMENTS}","structuredQuery":{"from":[{"collectionId":"config"}],"limit":10}}}`, '3'],
    ]);
  });

  it('finds what a pooled account touched while it served the job, and nothing of the next', async () => {
    const rows = await touchesOf(ids.job ?? '', 'staging-admin');
    expect(rows.map(({ by_whom, asked_for, asked_under }) => [by_whom, asked_for, asked_under])).toEqual([
      ['this grant', '{"from":[{"collectionId":"config"}],"limit":10}', DOCUMENTS],
      ['this grant', `["${DOCUMENTS}/other/one"]`, null],
      // What none of the known members says is shown whole.
      ['this grant', expect.stringContaining('"collectionId":"config"'), DOCUMENTS],
    ]);
    const next = await touchesOf(ids.next ?? '', 'staging-admin');
    expect(next.map(({ by_whom, resource_name, asked_for }) => [by_whom, resource_name, asked_for])).toEqual([
      ['this grant', `${DOCUMENTS}/config/release-5`, null],
    ]);
  });

  it('finds what an account touched that served the grant before', async () => {
    const rows = await touchesOf(ids.again ?? '', 'staging-admin');
    expect(rows.map(({ by_whom, resource_name }) => [by_whom, resource_name])).toEqual([
      ['this grant', `${DOCUMENTS}/config/release-2`],
    ]);
  });

  it('calls what a shared account touched a candidate', async () => {
    const rows = await touchesOf(ids.job ?? '', 'staging-export');
    expect(rows.map(({ by_whom, resource_name }) => [by_whom, resource_name])).toEqual([
      ['candidate: the account is shared', `${DOCUMENTS}/config/release-3`],
    ]);
  });

  it('finds the job behind each touch, and none where there is none', async () => {
    const rows = await run('touch-to-job.sql', EVERYTHING);
    expect(
      rows.map(({ method_name, resource_name, job_id, build_number }) => [
        String(method_name).split('.').at(-1),
        String(resource_name).split('/').at(-1),
        job_id,
        build_number,
      ]),
    ).toEqual([
      ['GetDocument', '(default)', ids.job, '42'],
      ['Commit', '(default)', ids.job, '42'],
      ['Listen', '(default)', ids.job, '42'],
      ['RunQuery', '(default)', ids.job, '42'],
      ['BatchGetDocuments', '(default)', ids.job, '42'],
      ['ListDocuments', '(default)', ids.job, '42'],
      ['UpdateDocument', 'release-2', ids.again, '44'],
      ['UpdateDocument', 'release-3', null, null],
      ['UpdateDocument', 'release-4', null, null],
      ['UpdateDocument', 'release-5', ids.next, '43'],
    ]);
  });

  it('searches a document in the resource and in the request, and queries of its collection', async () => {
    const methods = async (...replace: [string, string][]) =>
      (await run('touch-to-job.sql', replace)).map(({ method_name }) => String(method_name).split('.').at(-1));
    const updates = Array(4).fill('UpdateDocument');
    expect(await methods()).toEqual(['GetDocument', 'Commit', 'Listen', 'RunQuery', 'ListDocuments', ...updates]);
    const NO_QUERIES: [string, string] = ['%"collectionId":"config"%', ''];
    expect(await methods(NO_QUERIES)).toEqual(['GetDocument', 'Commit', ...updates]);
    expect(await methods(NO_QUERIES, ['/config/release%', '/other/one"%'])).toEqual(['BatchGetDocuments']);
    expect(await methods(['acme-production', 'acme-staging'])).toEqual([]);
  });

  it('finds what a pooled account did outside of any lease', async () => {
    const rows = await run('touches-without-lease.sql', [POOL]);
    expect(rows.map(({ resource_name }) => resource_name)).toEqual([`${DOCUMENTS}/config/release-4`]);
    expect(await run('touches-without-lease.sql')).toEqual([]);
    for (const [from, until] of [
      ['09:00', '10:10'],
      ['10:11', '12:00'],
    ])
      expect(
        await run('touches-without-lease.sql', [POOL, ...days(`2026-11-17 ${from}:00`, `2026-11-17 ${until}:00`)]),
      ).toEqual([]);
  });

  it('reads only the requested days', async () => {
    const before = days('2026-11-15 00:00:00', '2026-11-16 00:00:00');
    expect(await touchesOf(ids.job ?? '', 'staging-config', before)).toEqual([]);
    expect(await run('touch-to-job.sql', [...EVERYTHING, ...before])).toEqual([]);
    expect(await run('touches-without-lease.sql', [POOL, ...before])).toEqual([]);
  });

  it('includes leases that began before the requested days, and ends that were written after them', async () => {
    const minute = days('2026-11-17 10:41:00', '2026-11-17 10:42:00');
    const rows = await run('touch-to-job.sql', [...EVERYTHING, ...minute]);
    expect(rows.map(({ resource_name, job_id }) => [resource_name, job_id])).toEqual([
      [`${DOCUMENTS}/config/release-5`, ids.next],
    ]);
    expect(await run('touches-without-lease.sql', [POOL, ...minute])).toEqual([]);
    // The job's end, and with it the end of the lease, is in a line after these.
    const between = days('2026-11-17 10:02:00', '2026-11-17 10:03:00');
    const held = await run('touch-to-job.sql', [...EVERYTHING, ...between]);
    expect(held.map(({ job_id }) => job_id)).toEqual([ids.job, ids.job, ids.job, ids.again]);
  });

  it('finds who could touch an environment on a day, until when, and whether that is still so', async () => {
    const rows = await run('who-could-touch.sql', [["'production' AS", "'staging' AS"]]);
    const reported = (job: string | undefined, credential: string) => {
      const row = rows.find(({ job_id, credential: name }) => job_id === job && name === credential);
      if (!(row?.usable_until instanceof Date)) throw new Error(`no row of ${credential}`);
      return [row.revocation, (row.usable_until.getTime() - START) / MINUTE, row.still_usable];
    };
    expect(reported(ids.job, 'staging-config')).toEqual(['immediate', 4, false]);
    expect(reported(ids.job, 'staging-admin')).toEqual(['propagating', 4, false]);
    expect(reported(ids.job, 'staging-export')).toEqual(['expiry', 10, false]);
    expect(reported(ids.again, 'staging-admin')).toEqual(['propagating', 27, false]);
    expect(reported(ids.next, 'staging-admin')).toEqual(['propagating', 55, true]);
  });

  it('knows tokens that were issued before the day, and that a grant was renewed after it', async () => {
    const could = async (from: string, until: string) => {
      const rows = await run('who-could-touch.sql', [["'production' AS", "'staging' AS"], ...days(from, until)]);
      return rows.map(({ job_id, credential, usable_until }) => {
        if (!(usable_until instanceof Date)) throw new Error('no end');
        return [job_id, credential, (usable_until.getTime() - START) / MINUTE];
      });
    };
    expect(await could('2026-11-17 10:06:00', '2026-11-17 10:07:00')).toEqual([[ids.job, 'staging-export', 10]]);
    expect(await could('2026-11-17 10:04:30', '2026-11-17 10:05:00')).toEqual(
      expect.arrayContaining([[ids.again, 'staging-admin', 27]]),
    );
  });

  it.each([
    {
      file: 'grant-to-touches',
      of: () => grantId(ids.job ?? '', 'staging-admin'),
      where: (id: string) => `grant_id = '${id}'`,
      replace: (id: string): [string, string][] => [['00000000000000000000000000000000', id]],
    },
    { file: 'touch-to-job', of: () => '', where: () => 'true', replace: () => EVERYTHING },
    {
      file: 'touches-without-lease',
      of: () => '',
      where: () => "principal_email LIKE 'ci-%'",
      replace: () => [POOL],
    },
    {
      file: 'who-could-touch',
      of: () => 'staging',
      where: (name: string) => `environment = '${name}'`,
      replace: (name: string): [string, string][] => [["'production' AS", `'${name}' AS`]],
    },
  ])('returns from the view of $file.sql what the query returns', async ({ file, of, where, replace }) => {
    const expected = await run(`${file}.sql`, [...replace(of())]);
    expect(expected.length).toBeGreaterThan(0);
    const columns = Object.keys(expected[0] ?? {});
    const viewed = await fromView(file.replaceAll('-', '_'), where(of()));
    const toKey = (row: Record<string, unknown>) => JSON.stringify(columns.map((column) => row[column]));
    expect([...new Set(viewed.map(toKey))].sort()).toEqual([...new Set(expected.map(toKey))].sort());
  });

  it('leaves out who could on another day, and in another environment', async () => {
    expect(await run('who-could-touch.sql')).toEqual([]);
    const later: [string, string][] = [
      ["'production' AS", "'staging' AS"],
      ['2026-11-17 00:00:00+00', '2026-11-18 00:00:00+00'],
      ["TIMESTAMP('2026-11-18 00:00:00+00') AS day_until", "TIMESTAMP('2026-11-19 00:00:00+00') AS day_until"],
    ];
    expect(await run('who-could-touch.sql', later)).toEqual([]);
  });
});
