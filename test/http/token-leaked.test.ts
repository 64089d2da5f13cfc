// A drill: a token leaks at two o'clock in the morning, and the person on call does what docs/TOKEN_LEAKED.md says. The commands are
// those of the page, run by a shell.

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../sandbox/functions.ts';
import { type GoogleLogging, startGoogleLogging } from '../fixtures/google-logging.ts';
import { firestoreAs, type InProcessKeydesk, openInProcessKeydesk } from '../fixtures/in-process-keydesk.ts';
import { accounts, credentialsNamed, PIPELINE_ID, policyData, policyText } from '../fixtures/policies.ts';
import { toLogEntry } from '../system/deploy/log-filter-entry.ts';

const PAGE = readFileSync(join(ROOT, 'docs/TOKEN_LEAKED.md'), 'utf8');
const BLOCKS = new Map(
  [...PAGE.matchAll(/^<!-- drill: (\w+) -->\n```sh\n([\s\S]*?)^```$/gm)].map(([, name = '', block = '']) => [
    name,
    block,
  ]),
);
/** The Firestore in memory begins later that day, and the ledger is read as of its time. */
const NIGHT = Date.parse('2023-11-14T02:00:00Z');
const MINUTE = 60_000;
const PERSON = 'oncall@acme.example';
const OTHER_PIPELINE = '0184990b-11f2-4a8e-b0d4-5f7a0c2d9e31';

interface Held {
  readonly grant_id: string;
  readonly access_token: string;
}

let keydesk: InProcessKeydesk;
let logging: GoogleLogging;
let folder: string;
let policy: string;
const entries: ReturnType<typeof toLogEntry>[] = [];
beforeAll(async () => {
  keydesk = await openInProcessKeydesk({ policy: policyOf, records: true });
  keydesk.clock.set(NIGHT - 2 * MINUTE);
  folder = mkdtempSync(join(tmpdir(), 'keydesk-leak-'));
  policy = policyOf(keydesk.project);
  writeFileSync(join(folder, 'policy.yaml'), policy);
  writeFileSync(join(folder, 'keydesk'), `#!/bin/sh\nexec "${process.execPath}" "${ROOT}/cli/keydesk.ts" "$@"\n`, {
    mode: 0o755,
  });
  logging = await startGoogleLogging({
    token: 'operator-token',
    held: () => true,
    apiEnabled: true,
    entries: { 'acme-keydesk': entries },
  });
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await Promise.all([keydesk.close(), logging.close()]);
});

function policyOf(project: string): string {
  const credentials = credentialsNamed(['staging-config', 'staging-export', 'staging-admin'], project);
  credentials['staging-admin'].serviceAccount.pool = accounts('ci', 30, project);
  const pipelines = { web: PIPELINE_ID, nightly: OTHER_PIPELINE };
  const rules = [{ name: 'all', match: { pipeline: Object.keys(pipelines) }, grants: Object.keys(credentials) }];
  return policyText(policyData(project, credentials, { pipelines, rules }));
}

const request = async (job: Parameters<InProcessKeydesk['buildkite']['jobToken']>[0], credential: string) => {
  const issuedAt = Math.floor(keydesk.clock.now() / 1000);
  return keydesk.requestByPath(await keydesk.buildkite.jobToken(job, { issuedAt }), credential);
};
/** Runs the commands of a step, with what a person puts in for the page's names. */
const run = async (name: string, names: Readonly<Record<string, string>> = {}) => {
  const block = BLOCKS.get(name);
  if (block === undefined) throw new Error(`the page has no step ${name}`);
  const text = Object.entries({ ...names, '2026-11-24': '2023-11-14', '2026-11-25': '2023-11-15' }).reduce(
    (script, [from, to]) => script.replaceAll(from, to),
    block,
  );
  const before = keydesk.audit.length;
  const env = {
    PATH: `${folder}:${process.env.PATH}`,
    HOME: folder,
    // Each command starts keydesk from its sources: with the compiled code kept it starts sooner.
    NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache'),
    KEYDESK_READER_URL: keydesk.readerUrl,
    KEYDESK_ADMIN_URL: keydesk.adminUrl,
    KEYDESK_ID_TOKEN: await keydesk.google.idToken(PERSON),
    KEYDESK_GOOGLE_APIS_URL: logging.url,
    GOOGLE_OAUTH_ACCESS_TOKEN: 'operator-token',
  };
  const ran = await new Promise<{ code: number | null; out: string; err: string }>((resolve) => {
    const child = execFile('/bin/sh', ['-e', '-c', text], { cwd: folder, env }, (_, out, err) =>
      resolve({ code: child.exitCode, out, err }),
    );
  });
  return { ...ran, audit: keydesk.audit.slice(before) };
};
const toLog = () => {
  for (const line of keydesk.lines.slice(entries.length)) entries.push(toLogEntry(line, keydesk.clock.now()));
};
const json = (file: string) => JSON.parse(readFileSync(join(folder, file), 'utf8'));

describe('the page for a leaked token', () => {
  it('has a drill for each step with a command of keydesk', () => {
    const written = [...PAGE.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block);
    const played = [...BLOCKS.values()];
    expect(played.length).toBe(7);
    for (const block of written) if (/^keydesk /m.test(block)) expect(played).toContain(block);
  });

  it('ends a token that leaked at 02:00, what else the pipeline holds, and nothing of others', async () => {
    await keydesk.notify(keydesk.buildkite.event(keydesk.buildkite.startJob()));
    await keydesk.sweep();
    const job = keydesk.buildkite.startJob();
    const leaked: Held = (await request(job, 'staging-admin')).json;
    const config: Held = (await request(job, 'staging-config')).json;
    const shared: Held = (await request(job, 'staging-export')).json;
    const nightly = keydesk.buildkite.startJob({ pipeline_id: OTHER_PIPELINE, pipeline_slug: 'nightly' });
    const others: Held = (await request(nightly, 'staging-admin')).json;
    toLog();
    keydesk.clock.set(NIGHT);
    writeFileSync(join(folder, 'leaked-token.txt'), `${leaked.access_token}\n`);
    const accepted = ({ access_token }: Held) => keydesk.gate(access_token);
    expect(await Promise.all([leaked, shared, others].map(accepted))).toEqual([200, 200, 200]);
    keydesk.clock.set(NIGHT + 4 * MINUTE);

    // 1. It is found by its hash, and rejected.
    const killed = await run('end');
    expect([killed.code, killed.out]).toEqual([0, expect.stringContaining('1 account disabled')]);
    expect(await accepted(leaked)).toBe(401);
    expect(killed.audit).toMatchObject([
      { event: 'kill_switch.activated', actor: PERSON, reason: 'leaked token' },
      { event: 'grant.revoked', grant_id: leaked.grant_id },
    ]);
    expect((await request(job, 'staging-admin')).audit).toMatchObject([{ reason: 'grant_revoked' }]);

    // 2.
    const whose = await run('whose');
    expect([whose.code, whose.out]).toEqual([0, expect.stringContaining(`Grant ${leaked.grant_id}: revoked`)]);
    expect(whose.out).toContain(job.id);

    // 3. The dry run changes nothing. The act takes what can be taken, and says what cannot.
    const dry = `Would end 2 live grants: pipeline_id=${PIPELINE_ID}`;
    const pipeline = await run('pipeline');
    expect([pipeline.code, pipeline.err]).toEqual([0, expect.stringContaining('The act has the id')]);
    expect(pipeline.out).toContain(dry);
    const [, until] = /accepted until (20\S+)/.exec(pipeline.out) ?? [];
    expect(pipeline.out).toContain(`${shared.grant_id}  staging-export`);
    expect(Date.parse(until ?? '')).toBeGreaterThan(keydesk.clock.now());
    expect(await firestoreAs(keydesk, config.access_token, 'config/app')).toBe(403);
    expect(await Promise.all([leaked, shared, others].map(accepted))).toEqual([401, 200, 200]);
    expect((await request(keydesk.buildkite.startJob(), 'staging-config')).audit).toMatchObject([
      { reason: 'blocked' },
    ]);
    const [, block = ''] = /^([0-9a-f-]{36}) {2}pipeline_id=/m.exec(pipeline.out) ?? [];
    expect(pipeline.out).toContain(`by ${PERSON}: leaked token`);

    // 4. What is stated until then is true.
    await keydesk.sweep();
    const over = await run('over', { GRANT_ID: leaked.grant_id });
    expect(over.code, over.out).toBe(0);
    expect(over.out).toContain(`by ${PERSON}: leaked token`);
    // 5. The query is about the time in which the account served this job alone.
    expect(over.out).toMatch(
      /principalEmail="ci-0\d\d@.*"\n +timestamp>="2023-11-14T01:58:00.000Z"\n +timestamp<="2023-11-14T02:04:00.000Z"/,
    );
    const denied = await run('denied', { GRANT_ID: config.grant_id });
    expect([denied.code, denied.out]).toEqual([0, expect.stringMatching(/^The generated rules deny the request:/)]);
    expect(await accepted(shared)).toBe(200);
    keydesk.clock.set(Date.parse(until ?? ''));
    expect(await accepted(shared)).toBe(401);

    // 6.
    toLog();
    const report = await run('report', { GRANT_ID: leaked.grant_id });
    expect(report.err).not.toContain('Error');
    const { grant } = json('leaked-grant.json');
    expect(grant).toMatchObject({ ended_by: 'kill_switch', kill_switch: { actor: PERSON, reason: 'leaked token' } });
    expect(JSON.stringify([json('leaked-grant.json'), json('review.json')])).not.toContain(leaked.access_token);
    expect(readFileSync(join(folder, 'grants.csv'), 'utf8')).toContain(leaked.grant_id);
    expect(JSON.stringify(json('review.json'))).toContain(block);

    // 7.
    expect(await run('open', { BLOCK_ID: block })).toMatchObject({ code: 0 });
    expect((await request(keydesk.buildkite.startJob(), 'staging-config')).status).toBe(200);
    expect((await request(job, 'staging-admin')).audit).toMatchObject([{ reason: 'grant_revoked' }]);
    expect([logging.unexpected, keydesk.google.unexpected]).toEqual([[], []]);
  });
});
