// The ready-made queries in deploy/audit. Those over Keydesk's own lines are run over the lines of a real desk; those over
// Google's audit log over entries as its documentation shows them; SQL is parsed as BigQuery's, and every name in it is one
// that a line, or Google's AuditLog, has.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import nodeSqlParser from 'node-sql-parser';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../sandbox/functions.ts';
import { grantId, tokenSha256 } from '../../shared/core/grant-id.ts';
import { parseLogFilter } from '../deploy/log-filter.ts';
import { type LogEntry, toLogEntry } from '../deploy/log-filter-entry.ts';
import { type InProcessDesk, openInProcessDesk } from '../fixtures/in-process-desk.ts';

const FOLDER = join(ROOT, 'deploy', 'audit');
const read = (file: string) => readFileSync(join(FOLDER, file), 'utf8');
const files = readdirSync(FOLDER).sort();
const handbook = readFileSync(join(ROOT, 'docs', 'AUDIT.md'), 'utf8');

/** What is run of a query: without comments, and with its words in capitals replaced. */
function toFilter(file: string, words: Record<string, string | number>): string {
  const text = read(file).replaceAll(/^--.*\n/gm, '');
  return text.replaceAll(/\b[A-Z][A-Z0-9_]+[A-Z0-9]\b/g, (word) =>
    ['OR', 'AND', 'NOT'].includes(word) ? word : String(words[word] ?? word),
  );
}

describe('deploy/audit', () => {
  it.each(files.filter((file) => file.endsWith('.logql')))('%s says first in which project it is asked', (file) => {
    expect(read(file)).toMatch(
      /^-- In (?:the desk's project|the pool's project|the project of the data|each project [^.]+)\. [A-Z]/,
    );
    const ofKeydesk = !file.startsWith('google-');
    expect(read(file).startsWith("-- In the desk's project. ")).toBe(ofKeydesk);
  });

  it('has every query that docs/AUDIT.md names, and no others', () => {
    const named = [...handbook.matchAll(/`([a-z-]+\.(?:sql|logql))`/g)].map(([, name]) => name as string);
    expect([...new Set(named)].sort()).toEqual(files);
  });

  it.each(files)('%s says at its top what it is for', (file) => {
    expect(read(file)).toMatch(/^-- [A-Z]/);
  });
});

describe('a query over the lines of a desk', () => {
  let desk: InProcessDesk;
  let entries: LogEntry[];
  let words: Record<string, string | number>;
  const requests: Record<string, string> = {};
  const jobs: Record<string, string> = {};
  const tokens: Record<string, string> = {};

  beforeAll(async () => {
    desk = await openInProcessDesk();
    const { buildkite } = desk;
    const job = buildkite.startJob();
    const other = buildkite.startJob({ build_number: 43, build_commit: 'aaaa000000000000000000000000000000000000' });
    const stranger = buildkite.startJob({ build_branch: 'feature' });
    const lost = buildkite.startJob();
    Object.assign(jobs, { job: job.id, other: other.id, stranger: stranger.id, lost: lost.id });
    for (const credential of ['staging-config', 'staging-export', 'staging-admin', 'staging-cache']) {
      const answer = await desk.askByForm(await buildkite.jobToken(job), credential);
      expect(answer.status).toBe(200);
      tokens[credential] = answer.json.access_token;
    }
    await desk.askByForm(await buildkite.jobToken(other), 'staging-config');
    await desk.askByForm(await buildkite.jobToken(lost), 'staging-export');
    const refusal = await desk.askByForm(await buildkite.jobToken(stranger), 'staging-config');
    requests.refusal = refusal.json.request_id;
    await desk.askByForm('no.job.token', 'staging-config');
    await desk.askByForm(await buildkite.jobToken(job), 'no-such-credential');
    await desk.notify('{}', { signature: 'timestamp=1,signature=00' });
    await desk.notify(buildkite.event(job));

    desk.clock.advance(25 * 60_000);
    await desk.sweep();
    entries = desk.lines.map((line) => toLogEntry(line, desk.clock.now()));
    words = {
      GRANT_ID: grantId(job.id, 'staging-admin'),
      JOB_ID: job.id,
      REQUEST_ID: requests.refusal as string,
      TOKEN_SHA256: tokenSha256(tokens['staging-admin'] as string),
      PIPELINE_SLUG: 'app',
      BUILD_NUMBER: 42,
      BUILD_COMMIT: 'aaaa000000000000000000000000000000000000',
      ENVIRONMENT: 'staging',
      RULE: 'deploy to staging',
      ACCOUNT: String(desk.audit.find((line) => line.credential === 'staging-admin')?.service_account),
      POLICY_SHA256: desk.issuing.policy.sha256,
    };
  });
  afterAll(() => desk.close());

  const found = (file: string, more: Record<string, string | number> = {}) =>
    entries.filter(parseLogFilter(toFilter(file, { ...words, ...more }))).map(({ jsonPayload }) => jsonPayload);
  const events = (file: string) => found(file).map(({ event }) => event);

  it('finds all of a grant: grant.logql', () => {
    expect(events('grant.logql')).toEqual(['grant.issued', 'grant.revoked', 'account.enabled']);
  });

  it('finds all of a job, its refusals too: job.logql', () => {
    expect(events('job.logql').sort()).toEqual([
      ...['grant.expired', 'grant.expired', 'grant.issued', 'grant.issued', 'grant.issued', 'grant.issued'],
      ...['grant.refused', 'grant.renewal_ended', 'grant.renewal_ended', 'grant.revoked', 'grant.revoked'],
      'webhook.accepted',
    ]);
  });

  it('finds the decision behind an answer: request.logql', () => {
    expect(found('request.logql')).toMatchObject([{ event: 'grant.refused', reason: 'no_rule_grants' }]);
  });

  it('finds whose a token is: token.logql', () => {
    expect(found('token.logql')).toMatchObject([
      { event: 'grant.issued', credential: 'staging-admin', job_id: jobs.job },
    ]);
  });

  it('finds what the jobs of a build were given: build.logql', () => {
    expect(found('build.logql').map(({ job_id }) => job_id)).toEqual([...Array(4).fill(jobs.job), jobs.lost]);
  });

  it('finds what a commit was given: commit.logql', () => {
    expect(found('commit.logql')).toMatchObject([{ job_id: jobs.other }]);
  });

  it('finds what was handed out of an environment: environment.logql', () => {
    expect(found('environment.logql')).toHaveLength(6);
    expect(found('environment.logql', { ENVIRONMENT: 'production' })).toEqual([]);
  });

  it('finds what a rule granted: rule.logql', () => {
    expect(found('rule.logql')).toHaveLength(6);
    expect(found('rule.logql', { RULE: 'another rule' })).toEqual([]);
  });

  it('finds who was refused: refusals.logql', () => {
    expect(found('refusals.logql').map(({ reason }) => reason)).toEqual(['no_rule_grants', 'unknown_credential']);
  });

  it('finds job tokens that were not accepted: bad-job-tokens.logql', () => {
    expect(found('bad-job-tokens.logql').map(({ reason }) => reason)).toEqual(['job_token_malformed']);
  });

  it('finds the life of an account: account.logql', () => {
    expect(events('account.logql')).toEqual(['grant.issued', 'grant.revoked', 'account.enabled']);
  });

  it('finds ends that no message told of: overstayed.logql', () => {
    expect(events('overstayed.logql').length).toBeGreaterThan(0);
    expect(found('overstayed.logql').every(({ job_id }) => job_id === jobs.other || job_id === jobs.lost)).toBe(true);
  });

  it('finds what nothing could be taken away of: still-works.logql', () => {
    expect(found('still-works.logql').map(({ credential }) => credential)).toEqual(['staging-export', 'staging-cache']);
  });

  it('finds webhooks that were refused: webhook-refusals.logql', () => {
    expect(found('webhook-refusals.logql')).toHaveLength(1);
  });

  it('finds hand-outs by another policy: policy.logql', () => {
    expect(found('policy.logql')).toEqual([]);
    expect(found('policy.logql', { POLICY_SHA256: 'f'.repeat(64) })).toHaveLength(6);
  });

  it('is none that this file forgets', () => {
    const own = readFileSync(join(ROOT, 'test', 'docs', 'audit.test.ts'), 'utf8');
    expect(files.filter((file) => file.endsWith('.logql') && !own.includes(`'${file}'`))).toEqual([]);
  });

  it('has in SQL no field that the lines of a grant lack', () => {
    const grants = desk.audit.filter(({ grant_id, kind }) => grant_id && kind);
    const fields = new Set(grants.flatMap((line) => Object.keys(line)));
    for (const file of files.filter((name) => name.endsWith('.sql')))
      for (const [, field] of read(file).matchAll(/json_payload\.([a-z_0-9]+)/g))
        expect([file, fields.has(field ?? '')]).toEqual([file, true]);
    const happened = new Set(desk.audit.map(({ event }) => event));
    for (const file of files.filter((name) => name.endsWith('.sql')))
      for (const [, event] of read(file).matchAll(/'((?:grant|account)\.[a-z_]+)'/g)) expect(happened).toContain(event);
    const pooled = grants.find(({ kind }) => kind === 'pooled_service_account');
    expect(pooled).toHaveProperty('past_leases');
  });

  it('knows the kinds of grants by their names', () => {
    const kinds = new Set(desk.audit.map(({ kind }) => kind));
    for (const file of files.filter((name) => name.endsWith('.sql')))
      for (const [, kind] of read(file).matchAll(/'(firestore|\w*service_account)'/g)) expect(kinds).toContain(kind);
  });
});

describe("a query over Google's audit log", () => {
  /** As docs.cloud.google.com/iam/docs/audit-logging and /firestore/native/docs/audit-logging describe them. None was captured. */
  const entry = (name: 'activity' | 'data_access', principalEmail: string, more: Record<string, unknown>) => ({
    logName: `projects/acme/logs/cloudaudit.googleapis.com%2F${name}`,
    protoPayload: { authenticationInfo: { principalEmail }, ...more },
  });
  /** The account by its number, as IAM writes it; its address is in the resource's labels, if anywhere. */
  const iam = (methodName: string, principalEmail: string, email_id?: string) => ({
    ...entry('activity', principalEmail, {
      serviceName: 'iam.googleapis.com',
      methodName: `google.iam.admin.v1.${methodName}`,
      resourceName: 'projects/-/serviceAccounts/123456789012345678901',
    }),
    ...(email_id !== undefined && { resource: { type: 'service_account', labels: { email_id } } }),
  });
  const TOKEN = 'keydesk-token@acme.iam.gserviceaccount.com';
  const SWEEP = 'keydesk-sweep@acme.iam.gserviceaccount.com';
  const ACCOUNT = 'ci-001@acme-ci-pool.iam.gserviceaccount.com';
  const log = {
    byGrant: {
      logName: 'projects/acme/logs/cloudaudit.googleapis.com%2Fdata_access',
      protoPayload: {
        serviceName: 'firestore.googleapis.com',
        methodName: 'google.firestore.v1.Firestore.Commit',
        resourceName: 'projects/acme/databases/(default)',
        request: { writes: [{ update: { name: 'projects/acme/databases/(default)/documents/config/release' } }] },
        authenticationInfo: { thirdPartyPrincipal: { payload: { keydesk_grant: 'g1', user_id: 'keydesk-u' } } },
      },
    },
    byAccount: entry('data_access', ACCOUNT, { serviceName: 'firestore.googleapis.com' }),
    mint: entry('data_access', TOKEN, {
      serviceName: 'iamcredentials.googleapis.com',
      methodName: 'GenerateAccessToken',
    }),
    strangeMint: entry('data_access', 'eve@acme.example', {
      serviceName: 'iamcredentials.googleapis.com',
      methodName: 'SignJwt',
    }),
    disable: iam('DisableServiceAccount', TOKEN, ACCOUNT),
    enable: iam('EnableServiceAccount', SWEEP, ACCOUNT),
    strangeEnable: iam('EnableServiceAccount', 'eve@acme.example', ACCOUNT),
    another: iam('DisableServiceAccount', TOKEN, 'ci-002@acme-ci-pool.iam.gserviceaccount.com'),
    undelete: iam('UndeleteServiceAccount', 'eve@acme.example'),
  };
  const words = { GRANT_ID: 'g1', ACCOUNT, TOKEN_FUNCTION: TOKEN, SWEEP_FUNCTION: SWEEP };
  /** The evaluator knows Keydesk's own lines; Google's are put where it looks. */
  const found = (file: string) => {
    const text = toFilter(file, words)
      .replaceAll(/^timestamp.*\n/gm, '')
      .replaceAll('protoPayload.', 'jsonPayload.protoPayload.')
      .replaceAll(/^resource\./gm, 'jsonPayload.resource.')
      .replaceAll('logName', 'jsonPayload.logName');
    const holds = parseLogFilter(text);
    return Object.entries(log).flatMap(([name, jsonPayload]) =>
      holds({ jsonPayload } as unknown as LogEntry) ? [name] : [],
    );
  };

  it.each([
    ['google-touched-by-grant.logql', ['byGrant']],
    ['google-touched-by-account.logql', ['byAccount']],
    ['google-mints.logql', ['strangeMint']],
    ['google-account-changes.logql', ['disable', 'enable', 'strangeEnable']],
    ['google-strange-enables.logql', ['strangeEnable', 'undelete']],
  ])('%s finds what it says', (file, names) => {
    expect(found(file)).toEqual(names);
  });

  it('asks for no account by its address where IAM writes its number', () => {
    for (const file of files.filter((name) => name.endsWith('.logql')))
      expect(read(file).replaceAll(/^--.*\n/gm, '')).not.toContain('resourceName');
  });

  it('asks for an account within its lease only', () => {
    expect(read('google-touched-by-account.logql')).toMatch(/^timestamp>="LEASED_AT"\ntimestamp<="DEAD_AT"$/m);
  });
});

describe('SQL for BigQuery', () => {
  /** In which a request of Firestore's says what it is for. */
  const ASKED = ['name', 'documents', 'writes', 'structuredQuery', 'addTarget'];
  const sql = files.filter((file) => file.endsWith('.sql'));
  /** Those of google.cloud.audit.AuditLog that the queries use. */
  const AUDIT_LOG = [
    ...['service_name', 'method_name', 'resource_name', 'status.code', 'request_metadata.caller_ip', 'request'],
    ...['num_response_items', 'request.parent', ...ASKED.map((name) => `request.${name}`)],
    ...['authentication_info.principal_email', 'authentication_info.third_party_principal.payload.keydesk_grant'],
  ];
  /** Columns of a linked dataset's view _AllLogs. */
  const COLUMNS = ['log_name', 'timestamp', 'json_payload', 'proto_payload'];

  it.each(sql)('%s is one SELECT that only reads', (file) => {
    const parser = new nodeSqlParser.Parser();
    const { ast, tableList } = parser.parse(read(file), { database: 'BigQuery' });
    expect([ast].flat()).toHaveLength(1);
    const tables = new Set(tableList.map((table) => table.split('::')));
    for (const [verb] of tables) expect(verb).toBe('select');
  });

  it.each(sql)('%s reads one view, and of Google’s entries what AuditLog has', (file) => {
    const text = read(file).replaceAll(/^--.*$/gm, '');
    expect(new Set([...text.matchAll(/`([^`]+)`/g)].map(([, view]) => view))).toEqual(
      new Set(['PROJECT.keydesk_logs._AllLogs']),
    );
    for (const [, field] of text.matchAll(/proto_payload\.audit_log\.([a-zA-Z_.]+)/g))
      expect(AUDIT_LOG).toContain(field);
    for (const column of COLUMNS.filter((name) => text.includes(`${name}.`)))
      expect(['json_payload', 'proto_payload']).toContain(column);
  });

  it.each(sql)('%s reads no more of the log than the days that it asks about, and a little before', (file) => {
    const text = read(file).replaceAll(/^--.*$/gm, '');
    const days = "'(\\d{4}-\\d{2}-\\d{2} 00:00:00\\+00)'";
    const from = `timestamp >= TIMESTAMP_SUB\\(TIMESTAMP\\(${days}\\), INTERVAL 2 HOUR\\)`;
    const until = `\\s+AND timestamp < TIMESTAMP_ADD\\(TIMESTAMP\\(${days}\\), INTERVAL 2 HOUR\\)`;
    // Whether something is still so can only be told by what has happened until now.
    const bounds = `WHERE ${from}${text.includes('CURRENT_TIMESTAMP()') ? '' : until}\\n\\),`;
    const reads = text.match(/FROM `[^`]+_AllLogs`/g) ?? [];
    const bounded = text.match(new RegExp(`FROM \`[^\`]+_AllLogs\`\\s+${bounds}`, 'g')) ?? [];
    expect([reads.length, bounded.length]).toEqual([1, 1]);
    // Near its top, and by the same days as below: one search replaces them all.
    expect(
      read(file)
        .split('\n')
        .findIndex((line) => line.includes('_AllLogs')),
    ).toBeLessThan(20);
    expect([...new Set([...text.matchAll(new RegExp(days, 'g'))].map(([, day]) => day))].sort()).toEqual([
      '2026-11-17 00:00:00+00',
      ...(text.match(/2026-11-18/) ? ['2026-11-18 00:00:00+00'] : []),
    ]);
    expect(read(file)).toMatch(/^-- .*\bUTC\b/m);
  });

  it('says what is the same in several of them in the same words', () => {
    const all = new Map<string, Map<string, string[]>>();
    for (const file of sql)
      for (const [name, text] of partsOf(read(file))) {
        if (['asked', 'result'].includes(name)) continue;
        const texts = all.get(name) ?? new Map<string, string[]>();
        // One of them reads until now.
        const key = name === 'entries' ? text.replace(/\n +AND timestamp < .*$/, '') : text;
        all.set(name, texts.set(key, [...(texts.get(key) ?? []), file]));
      }
    for (const [name, texts] of all) expect([name, [...texts.values()]]).toEqual([name, [expect.any(Array)]]);
    expect(all.get('lines')?.values().next().value).toEqual(sql);
    const joining = ['grant-to-touches.sql', 'touch-to-job.sql', 'touches-without-lease.sql'];
    for (const name of ['touches', 'held', 'grants', 'latest'])
      expect(all.get(name)?.values().next().value).toEqual(joining);
  });

  it('looks for what was asked where requests of Firestore say it', () => {
    const proto = 'node_modules/@google-cloud/firestore/build/protos/google/firestore/v1/firestore.proto';
    const messages = readFileSync(join(ROOT, proto), 'utf8').matchAll(/^message \w+Request \{$([\s\S]*?)^\}$/gm);
    const fields = new Set(
      [...messages].flatMap(([, body = '']) =>
        [...body.matchAll(/ (\w+) = \d+/g)].map(([, name = '']) =>
          name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
        ),
      ),
    );
    for (const name of ['parent', ...ASKED]) expect(fields).toContain(name);
    const order = [...read('grant-to-touches.sql').matchAll(/audit_log\.request\.(\w+),$/gm)].map(([, name]) => name);
    expect(order).toEqual(ASKED);
  });

  it.each(sql)('%s takes from each part only what that part selects', (file) => {
    const parts = partsOf(read(file));
    expect(parts.size).toBeGreaterThan(1);
    for (const [name, text] of parts)
      for (const [, from, field] of text.matchAll(/\b([a-z]+)\.([a-z_]+)\b/g)) {
        const source = parts.get(from ?? '');
        if (source === undefined || from === name) continue;
        expect([file, name, from, field, selects(parts, from ?? '', field ?? '')]).toEqual([
          file,
          name,
          from,
          field,
          true,
        ]);
      }
  });
});

/** The named parts of a WITH and, as `result`, what follows them. */
function partsOf(sql: string): Map<string, string> {
  const bare = sql.replaceAll(/^--.*$/gm, '');
  const parts = new Map<string, string>();
  const end = bare.replaceAll(/(?:WITH |^)([a-z]+) AS \(\n([\s\S]*?)\n\),?\n/gm, (_, name: string, text: string) => {
    parts.set(name, text);
    return '';
  });
  return parts.set('result', end);
}

/** Whether a part has a column of that name: under an alias, from another part, or with everything of another part. */
function selects(parts: Map<string, string>, part: string, column: string): boolean {
  const text = parts.get(part) ?? '';
  const list = text.split(/\bFROM\b/)[0] ?? '';
  if (new RegExp(`(?:\\bAS |\\.|[ ,\\n])${column}\\b(?!\\.)`).test(list)) return true;
  return [...list.matchAll(/\b([a-z]+)\.\*/g)].some(([, from]) => selects(parts, from ?? '', column));
}
