// What the SQL in deploy/audit answers, run over the lines of a real desk and over entries made from Google's documentation.
// BigQuery is not to be had here: a handful of its words are put into PostgreSQL's (PGlite), the joins and intervals are run
// as they stand.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../sandbox/functions.ts';
import { grantId } from '../../shared/core/grant-id.ts';
import { toLogEntry } from '../deploy/log-filter-entry.ts';
import { type InProcessDesk, openInProcessDesk } from '../in-process-desk.ts';

const MINUTE = 60_000;
const START = Date.parse('2026-11-17T10:00:00Z');

/** BigQuery's spelling in PostgreSQL's. Whatever else the queries say is run as it is. */
function toPostgres(sql: string): string {
  const path = (from: string, fields: string) => `${from} #>> '{${fields.replaceAll('.', ',')}}'`;
  return sql
    .replaceAll('`PROJECT.keydesk_logs._AllLogs`', 'logs')
    .replaceAll(/JSON_VALUE\((json_payload|lease|proto_payload)\.([a-z0-9_.]+)\)/g, (_, from, fields) =>
      path(from, fields),
    )
    .replaceAll(/JSON_QUERY_ARRAY\(json_payload\.([a-z_]+)\)/g, "json_payload -> '$1'")
    .replaceAll(/proto_payload\.([a-z0-9_.]+)/g, (_, fields) => path('proto_payload', fields))
    .replaceAll(/CROSS JOIN UNNEST\(([a-z0-9_.]+)\) AS lease/g, 'CROSS JOIN LATERAL jsonb_array_elements($1) AS lease')
    .replaceAll(/\bTIMESTAMP\(([^()]+)\)/g, '($1)::timestamptz')
    .replaceAll('CURRENT_TIMESTAMP()', '(SELECT max(timestamp) FROM logs)');
}

describe('the SQL of deploy/audit', () => {
  let desk: InProcessDesk;
  let database: PGlite;
  const ids: Record<string, string> = {};
  let account = '';

  /** When each line was written. */
  const times: number[] = [];
  const stamp = () => {
    while (times.length < desk.lines.length) times.push(desk.clock.now ?? 0);
  };
  const at = (minutes: number) => {
    stamp();
    desk.clock.now = START + minutes * MINUTE;
  };
  const touch = (minutes: number, resource_name: string, who: object) => ({
    timestamp: new Date(START + minutes * MINUTE).toISOString(),
    proto_payload: {
      audit_log: {
        service_name: 'firestore.googleapis.com',
        method_name: 'Commit',
        resource_name,
        authentication_info: who,
      },
    },
  });

  beforeAll(async () => {
    desk = await openInProcessDesk();
    const { buildkite } = desk;
    at(0);
    const job = buildkite.startJob();
    const next = buildkite.startJob({ build_number: 43 });
    for (const credential of ['staging-config', 'staging-admin', 'staging-export'])
      expect((await desk.askByForm(await jobToken(job), credential)).status).toBe(200);
    account = String(desk.audit.find(({ credential }) => credential === 'staging-admin')?.service_account);
    // Asks for little, lets it expire, and asks again: its grant then has a past lease.
    const again = buildkite.startJob({ build_number: 44 });
    const first = await desk.askByForm(await jobToken(again), 'staging-admin', { lifetime: '300' });
    at(4);
    await desk.notify(buildkite.event(job));
    // Until the account has rested and serves the next job.
    for (const minutes of [6, 12, 18, 24, 30]) {
      at(minutes);
      await desk.sweep();
      if (minutes === 12) await desk.askByForm(await jobToken(again), 'staging-admin');
    }
    at(40);
    let leased: unknown;
    for (let tries = 0; leased !== account && tries < 40; tries += 1) {
      const other = tries === 0 ? next : buildkite.startJob({ build_number: 43 });
      const answer = await desk.askByForm(await jobToken(other), 'staging-admin');
      if (answer.status !== 200) break;
      leased = answer.audit[0]?.service_account;
      ids.next = other.id;
    }
    expect(leased).toBe(account);
    ids.job = job.id;
    ids.again = again.id;
    stamp();

    const touches = [
      touch(1, 'config/by-rules', {
        third_party_principal: { payload: { keydesk_grant: grantId(job.id, 'staging-config') } },
      }),
      touch(2, 'any/by-lease', { principal_email: account }),
      touch(2.5, 'any/by-past-lease', { principal_email: first.audit[0]?.service_account }),
      touch(3, 'any/by-shared', { principal_email: `export@${desk.project}.iam.gserviceaccount.com` }),
      touch(10, 'any/without-lease', { principal_email: account }),
      touch(41, 'any/by-next', { principal_email: account }),
    ];
    database = new PGlite();
    await database.exec(
      'CREATE TABLE logs (timestamp timestamptz, log_name text, json_payload jsonb, proto_payload jsonb)',
    );
    for (const [index, line] of desk.lines.entries())
      await database.query('INSERT INTO logs VALUES ($1, $2, $3, NULL)', [
        new Date(times[index] ?? 0).toISOString(),
        'projects/p/logs/run.googleapis.com%2Fstdout',
        toLogEntry(line, 0).jsonPayload,
      ]);
    for (const { timestamp, proto_payload } of touches)
      await database.query('INSERT INTO logs VALUES ($1, $2, NULL, $3)', [
        timestamp,
        'projects/p/logs/cloudaudit.googleapis.com%2Fdata_access',
        proto_payload,
      ]);
  }, 120_000);
  afterAll(async () => {
    await desk.close();
    await database.close();
  });

  function jobToken(job: Parameters<InProcessDesk['buildkite']['jobToken']>[0]) {
    return desk.buildkite.jobToken(job, { issuedAt: Math.floor((desk.clock.now ?? 0) / 1000) });
  }
  async function run(file: string, replace: readonly [string, string][] = []) {
    let sql = readFileSync(join(ROOT, 'deploy', 'audit', file), 'utf8');
    for (const [from, to] of replace) {
      expect(sql).toContain(from);
      sql = sql.replaceAll(from, to);
    }
    return (await database.query<Record<string, unknown>>(toPostgres(sql))).rows;
  }
  const touchesOf = async (job: string, credential: string) =>
    (await run('grant-to-touches.sql', [['00000000000000000000000000000000', grantId(job, credential)]])).map(
      ({ by_whom, resource_name }) => [by_whom, resource_name],
    );

  it('finds what a token judged by rules touched, by its grant', async () => {
    expect(await touchesOf(ids.job ?? '', 'staging-config')).toEqual([['this grant', 'config/by-rules']]);
  });

  it('finds what a pooled account touched while it served the job, and nothing of the next', async () => {
    expect(await touchesOf(ids.job ?? '', 'staging-admin')).toEqual([['this grant', 'any/by-lease']]);
    expect(await touchesOf(ids.next ?? '', 'staging-admin')).toEqual([['this grant', 'any/by-next']]);
  });

  it('finds what an account touched that served the grant before', async () => {
    expect(await touchesOf(ids.again ?? '', 'staging-admin')).toEqual([['this grant', 'any/by-past-lease']]);
  });

  it('calls what a shared account touched a candidate', async () => {
    expect(await touchesOf(ids.job ?? '', 'staging-export')).toEqual([
      ['candidate: the account is shared', 'any/by-shared'],
    ]);
  });

  it('finds the job behind each touch, and none where there is none', async () => {
    const rows = await run('touch-to-job.sql', [["'projects/acme-production/databases/%'", "'%'"]]);
    expect(rows.map(({ resource_name, job_id, build_number }) => [resource_name, job_id, build_number])).toEqual([
      ['config/by-rules', ids.job, '42'],
      ['any/by-lease', ids.job, '42'],
      ['any/by-past-lease', ids.again, '44'],
      ['any/by-shared', null, null],
      ['any/without-lease', null, null],
      ['any/by-next', ids.next, '43'],
    ]);
  });

  it('finds what a pooled account did outside of any lease', async () => {
    const rows = await run('touches-without-lease.sql');
    expect(rows.map(({ resource_name }) => resource_name)).toEqual(['any/without-lease']);
  });

  it('finds who could touch an environment on a day, until when, and whether that is still so', async () => {
    const rows = await run('who-could-touch.sql', [["'production' AS", "'staging' AS"]]);
    const told = (job: string | undefined, credential: string) => {
      const row = rows.find(({ job_id, credential: name }) => job_id === job && name === credential);
      if (!(row?.usable_until instanceof Date)) throw new Error(`no row of ${credential}`);
      return [row.revocation, (row.usable_until.getTime() - START) / MINUTE, row.still_usable];
    };
    expect(told(ids.job, 'staging-config')).toEqual(['immediate', 4, false]);
    expect(told(ids.job, 'staging-admin')).toEqual(['propagating', 4, false]);
    expect(told(ids.job, 'staging-export')).toEqual(['expiry', 10, false]);
    expect(told(ids.again, 'staging-admin')).toEqual(['propagating', 27, false]);
    expect(told(ids.next, 'staging-admin')).toEqual(['propagating', 55, true]);
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
