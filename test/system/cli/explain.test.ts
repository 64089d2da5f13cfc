// `keydesk explain` as its user sees it: from Cloud Logging with the person's own rights, and from a file.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { requestFilter } from '../../../cli/log-entries.ts';
import { refusalResponse } from '../../../functions/token/error-response.ts';
import { ROOT } from '../../../sandbox/functions.ts';
import { createAuditLogger } from '../../../shared/audit/logger.ts';
import type { Refusal } from '../../../shared/core/oauth/refusal.ts';
import { type JobClaims, parseClaims } from '../../../shared/core/policy/claims.ts';
import { decide } from '../../../shared/core/policy/decide.ts';
import { parsePolicy } from '../../../shared/core/policy/parse-yaml.ts';
import { type GoogleLogging, startGoogleLogging } from '../../fixtures/google-logging.ts';
import { toLogEntry } from '../deploy/log-filter-entry.ts';
import { runCli } from './run-cli.ts';

const EXAMPLE = readFileSync(join(ROOT, 'examples/policy.yaml'), 'utf8');
const loaded = parsePolicy(EXAMPLE, 'policy.yaml');
if ('problems' in loaded) throw new Error(loaded.problems.join('\n'));
const { policy, sha256 } = loaded;
const ID = '9ce301f0-b882-4f5c-ad01-0770feacb771';
const OTHER_ID = '9ce301f0-b882-4f5c-ad01-0770feacb772';
const VIEW = 'projects/acme-keydesk/locations/eu/buckets/keydesk-logs/views/_AllLogs';

const claims = (more: object = {}): JobClaims => {
  const parsed = parseClaims({
    organization_slug: 'acme-inc',
    organization_id: policy.organization.id,
    pipeline_slug: 'web',
    pipeline_id: policy.pipelines.web,
    build_number: 42,
    build_branch: 'feature/x',
    build_commit: 'c0ffee',
    build_source: 'webhook',
    job_id: '0184990a-4782-42b5-afc1-16715b10b8f1',
    agent_id: '0184990a-4782-42b5-afc1-16715b10b8f2',
    ...more,
  });
  if ('invalidClaim' in parsed) throw new Error(parsed.invalidClaim);
  return parsed.claims;
};

/** The line that Keydesk writes. */
function lineOf(refusal: Refusal, { id = ID, job = claims(), credentialName = 'staging-config' } = {}): string {
  const lines: string[] = [];
  const audit = createAuditLogger({ project: 'acme-keydesk', write: (line) => lines.push(line) });
  const context = { request_id: id, bearer: true, credentialName, claims: job, policySha256: sha256 };
  const request = {
    ...{ request_id: id, method: 'POST', path: `/token/${credentialName}`, userAgent: 'curl', remoteIp: '192.0.2.1' },
    ...{ status: 400, latencyMs: 5, trace: undefined },
  };
  for (const event of refusalResponse(refusal, context).auditEvents ?? []) audit(event, request);
  return lines.join('');
}

function refused(job: JobClaims, credentialName = 'staging-config'): string {
  const decision = decide(policy, job, credentialName);
  if (decision.outcome !== 'refused') throw new Error('it is granted');
  const { outcome: _, ...refusal } = decision;
  return lineOf(refusal, { job, credentialName });
}

const entryOf = (line: string) => toLogEntry(line, Date.UTC(2026, 10, 24));

describe('keydesk explain', () => {
  let folder: string;
  let google: GoogleLogging;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'keydesk-explain-'));
    writeFileSync(join(folder, 'policy.yaml'), EXAMPLE);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  beforeEach(async () => {
    google = await startGoogleLogging({
      token: 'operator-token',
      held: () => true,
      apiEnabled: true,
      entries: {
        'acme-keydesk': [
          entryOf(lineOf({ reason: 'job_ended', ended_at: 0 }, { id: OTHER_ID })),
          entryOf(refused(claims())),
          entryOf(lineOf({ reason: 'not_found' }, { id: '9ce301f0-b882-4f5c-ad01-0770feacb773' })),
        ],
        [VIEW]: [entryOf(refused(claims()))],
      },
    });
  });
  afterEach(() => google.close());

  const explain = (args: readonly string[], env: Record<string, string> = {}) =>
    runCli('explain', args, {
      cwd: folder,
      env: {
        ...{ KEYDESK_GOOGLE_APIS_URL: google.url, GOOGLE_OAUTH_ACCESS_TOKEN: 'operator-token', HOME: folder },
        ...{ KEYDESK_POLICY: '', GOOGLE_CLOUD_PROJECT: '' },
        ...env,
      },
    });
  const inProject = (...args: readonly string[]) => explain([ID, '--project', 'acme-keydesk', ...args]);

  it('finds the refusal in Cloud Logging, over empty and short pages, and explains it by the policy', async () => {
    const { code, out, err } = await inProject();
    expect({ code, err, unexpected: google.unexpected }).toEqual({ code: 0, err: '', unexpected: [] });
    expect(google.calls).toBeGreaterThan(1);
    expect(out).toContain(`The request ${ID} was refused: no_matching_rule\n`);
    expect(out).toMatch(/build_branch +feature\/x +main or release\/\*\n/);
    expect(out).toContain('name: staging-config for web\n');
  });

  it('sends the filter of deploy/audit/request.logql', () => {
    const query = readFileSync(join(ROOT, 'deploy/audit/request.logql'), 'utf8')
      .replaceAll(/^--.*\n/gm, '')
      .trim();
    expect(requestFilter(ID).split('\n')).toContain(query.replace('REQUEST_ID', ID));
  });

  it('reads a log view, and takes the ID with the words in front of it', async () => {
    const { code, out } = await explain([
      `Request id: ${ID.toUpperCase()}`,
      '--view',
      VIEW,
      '--quota-project',
      'acme-dev',
    ]);
    expect({ code, unexpected: google.unexpected }).toEqual({ code: 0, unexpected: [] });
    expect(out).toContain(ID);
  });

  it('explains by the trace of the event where there is no policy file', async () => {
    rmSync(join(folder, 'policy.yaml'));
    const { code, out } = await inProject();
    writeFileSync(join(folder, 'policy.yaml'), EXAMPLE);
    expect(code).toBe(0);
    expect(out).toContain('The nearest rule is "deploy to staging"');
    expect(out).toContain('Build a branch that matches main or release/*.');
    expect(out).toContain('--policy');
    expect(out).not.toContain('policy diff');
  });

  it('warns when the policy is not the one that decided', async () => {
    writeFileSync(join(folder, 'other.yaml'), EXAMPLE.replace('[main, "release/*"]', '[main, "feature/*"]'));
    const { code, out, err } = await inProject('--policy', 'other.yaml');
    expect(code).toBe(0);
    expect(err).toContain('other.yaml is not the policy that decided');
    expect(out).toContain('By other.yaml as it is now, the job gets the credential.');
  });

  it('has all of it as JSON', async () => {
    const { code, out } = await inProject('--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      request_id: ID,
      outcome: 'refused',
      reason: 'no_matching_rule',
      sides: ['job', 'policy'],
      policy_sha256: sha256,
      event_policy_sha256: sha256,
      decision: {
        credential: 'staging-config',
        nearest_rules: [
          {
            rule: 'deploy to staging',
            distance: 1,
            unmet: [{ claim: 'build_branch', has: 'feature/x', needs: ['main', 'release/*'] }],
            policy_change: { widens: true },
          },
        ],
      },
    });
  });

  it('says what is missing when it cannot read the log', async () => {
    const cases: [change: () => void, message: RegExp][] = [
      [() => (google.logs.held = (permission) => permission !== 'logging.logEntries.list'), /roles\/logging\.viewer/],
      [() => (google.logs.held = (permission) => permission !== 'serviceusage.services.use'), /serviceUsageConsumer/],
      [() => (google.logs.apiEnabled = false), /gcloud services enable logging\.googleapis\.com/],
      [() => (google.logs.token = 'another'), /gcloud auth application-default login/],
      [() => (google.logs.entries['acme-keydesk'] = []), /has no audit line of the request[\s\S]*30 days/],
    ];
    for (const [change, message] of cases) {
      Object.assign(google.logs, { held: () => true, apiEnabled: true, token: 'operator-token' });
      change();
      const { code, out, err } = await inProject();
      expect({ code, out, err }).toEqual({ code: 1, out: '', err: expect.stringMatching(message) });
      expect(err).not.toContain('operator-token');
    }
    const anonymous = { GOOGLE_OAUTH_ACCESS_TOKEN: '', METADATA_SERVER_DETECTION: 'none' };
    const { code, err } = await explain([ID, '--project', 'acme-keydesk'], anonymous);
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining('gcloud auth application-default login') });
    expect(google.unexpected).toEqual([]);
  });

  it.each([
    ['no request ID', [], 'Give the request ID'],
    ['something that is no request ID', ['staging-config'], 'is not a request ID'],
    ['no project', [ID], '--project'],
    ['a project that cannot be one', [ID, '--project', 'A'], 'the ID of a Google Cloud project'],
    ['a view that cannot be one', [ID, '--view', '_AllLogs'], 'projects/PROJECT/locations/'],
  ])('refuses %s with 2, before it sends anything', async (_, args, message) => {
    expect(await explain(args)).toMatchObject({ code: 2, out: '', err: expect.stringContaining(message) });
    expect(google.calls).toBe(0);
  });

  it('reads exported entries and lines from a file, without a network', async () => {
    const lines = [lineOf({ reason: 'job_ended', ended_at: 0 }, { id: OTHER_ID }), refused(claims())];
    writeFileSync(join(folder, 'lines.jsonl'), `not JSON\n${lines.join('')}`);
    writeFileSync(join(folder, 'entries.json'), JSON.stringify(lines.map(entryOf)));
    const online = await inProject();
    for (const file of ['lines.jsonl', 'entries.json']) expect(await explain([ID, '--log', file])).toEqual(online);
    expect((await explain([OTHER_ID, '--log', 'entries.json'])).out).toContain('was refused: job_ended');
    expect(await explain(['--log', 'entries.json'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('2 requests'),
    });
    writeFileSync(join(folder, 'one.json'), refused(claims()));
    expect(await explain(['--log', 'one.json'])).toEqual(online);
    expect(await explain([OTHER_ID, '--log', 'one.json'])).toMatchObject({ code: 1 });
  });

  it('says so of a request that was granted, failed, or was no request for a credential', async () => {
    const explainEvent = async (event: string, more: object = {}) => {
      writeFileSync(join(folder, 'event.json'), JSON.stringify({ event, request_id: ID, ...more }));
      return explain([ID, '--log', 'event.json']);
    };
    const granted = { credential: 'staging-config', rule: 'deploy to staging', expires_at: '2026-11-24T10:15:00.000Z' };
    expect((await explainEvent('grant.issued', granted)).out).toContain(
      'was granted: staging-config, by rule "deploy to staging"',
    );
    expect((await explainEvent('request.failed')).out).toContain('request.failed: A fault of Keydesk.');
    const accepted = await explainEvent('webhook.accepted', { job_id: 'a-job', grants: 2, severity: 'INFO' });
    expect(accepted.out).toMatch(/ {2}webhook\.accepted: .*\n {4}job_id: a-job\n {4}grants: 2\n$/);
    expect((await explainEvent('from.the.future')).code).toBe(0);
  });
});

describe('keydesk explain --grant', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'keydesk-grant-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const grant = { active: true, exp: 4_102_444_800, credential: 'staging-config', renewable: true };
  const explain = (given: unknown, ...args: readonly string[]) => {
    writeFileSync(join(folder, 'grant.json'), typeof given === 'string' ? given : JSON.stringify(given));
    return runCli('explain', ['--policy', 'examples/policy.yaml', '--grant', join(folder, 'grant.json'), ...args]);
  };

  it('names the line of the rules that allows a request, and how to compare the deployed rules', async () => {
    const args = ['--path', 'config/app', '--verb', 'get', '--rules', 'examples/firestore.rules'];
    const { code, out, err } = await explain(grant, ...args);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/Line \d+ of the rules file allows it: match \/config\/\{document=\*\*\}: allow get/);
    const shown = /keydesk (rules check .*)$/m.exec(out)?.[1] ?? '';
    expect((await runCli(shown.replaceAll("'", ''))).code).toBe(0);
  });

  it('says what denies a request, also as JSON', async () => {
    const { out } = await explain(grant, '--path', 'cache', '--verb', 'list');
    expect(out).toContain('A query needs list, and get is for one document.');
    expect(out).toContain('- { path: "cache/{document}", verbs: [list] }');
    const { code, out: json } = await explain({ active: false }, '--path', 'cache/a', '--verb', 'get', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(json)).toMatchObject({ verdict: 'denied', checks: expect.arrayContaining([]) });
  });

  it.each([
    ['no path', grant, ['--verb', 'get'], 2, '--grant needs --path and --verb.'],
    ['an unknown verb', grant, ['--path', 'a/b', '--verb', 'read'], 2, 'get, list, create, update, delete'],
    ['a request too', grant, [ID, '--path', 'a/b', '--verb', 'get'], 2, 'not both'],
    ['no JSON', 'active', ['--path', 'a/b', '--verb', 'get'], 1, 'It is not JSON.'],
    ['no grant', { error: 'x' }, ['--path', 'a/b', '--verb', 'get'], 1, 'no member active'],
  ])('refuses %s', async (_, given, args, code, message) => {
    expect(await explain(given, ...args)).toMatchObject({ code, out: '', err: expect.stringContaining(message) });
  });

  it('refuses its options without --grant', async () => {
    expect(await runCli('explain', [ID, '--path', 'a/b'])).toMatchObject({ code: 2, out: '' });
  });
});

describe('a request whose claims match a rule, and whose conditions do not hold', () => {
  let folder: string;
  const rule = 'deploy to staging';
  const staging = claims({ build_branch: 'main' });
  const logged = lineOf(
    {
      reason: 'no_matching_rule',
      trace: [
        {
          ...{ rule, outcome: 'condition_unmet', checks: [], condition: 'team' },
          ...{ reason: 'pipeline_not_in_team', team: 'platform' },
        },
      ],
    },
    { job: staging },
  );
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'keydesk-conditions-'));
    const conditional = EXAMPLE.replace(
      '\ndatabases:',
      '\nteams: { platform: 9d1d1c9e-6d3f-4b51-8f9c-0d0c5f8f7e21 }\n\ndatabases:',
    ).replace(/(name: deploy to staging\n\s+match:\n)(\s+)/, '$1$2team: { name: platform }\n$2');
    writeFileSync(join(folder, 'policy.yaml'), conditional);
    writeFileSync(join(folder, 'line.json'), logged);
    writeFileSync(join(folder, 'earlier.json'), refused(claims()));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const run = (command: string, ...args: readonly string[]) =>
    runCli(command, args, { cwd: folder, env: { HOME: folder, KEYDESK_POLICY: '', GOOGLE_CLOUD_PROJECT: '' } });

  it.each([[[]], [['--policy', 'policy.yaml']]])('is never called granted, with the options %j', async (options) => {
    const { code, out } = await run('explain', ID, '--log', 'line.json', ...options);
    expect(code).toBe(0);
    expect(out).toContain(`Rule "${rule}": team does not hold: the pipeline does not belong to the team platform.`);
    expect(out).toContain('Who can change it: an administrator of the team at Buildkite');
    expect(out).not.toContain('granted');
    const { out: json } = await run('explain', ID, '--log', 'line.json', '--json', ...options);
    expect(JSON.parse(json)).toMatchObject({ sides: ['team', 'policy'], decision: { outcome: 'refused' } });
  });

  it('leads from its claims to the command that knows the conditions', async () => {
    const { code, out } = await run('policy explain', '--policy', 'policy.yaml', '--claims', 'line.json');
    expect(code).toBe(0);
    expect(out).toMatch(/^staging-config: granted if the conditions hold, /);
    expect(out).toContain(`this request was refused. To see which condition did not hold, run: keydesk explain ${ID}`);
    expect(out).toContain('The job gets also, if their conditions hold: staging-admin');
    const claimed = ['pipeline=web', 'build_branch=main', 'build_source=webhook'].flatMap((one) => ['--claim', one]);
    const { out: given } = await run('policy explain', '--policy', 'policy.yaml', 'staging-config', ...claimed);
    expect(given).toContain('The claims alone do not decide.');
    expect(given).toContain('keydesk explain REQUEST_ID');
  });

  it('names the conditions where only the policy of today has them', async () => {
    const wider = join(folder, 'wider.yaml');
    writeFileSync(wider, readFileSync(join(folder, 'policy.yaml'), 'utf8').replace('[main, ', '[main, "feature/*", '));
    const { code, out } = await run('explain', ID, '--log', 'earlier.json', '--policy', 'wider.yaml');
    expect(code).toBe(0);
    expect(out).toContain(
      'By wider.yaml, the claims of the job match, and these conditions decide:\n  if team is platform',
    );
    expect(out).not.toContain('granted');
  });
});

describe('keydesk policy explain --claims', () => {
  const file = join(tmpdir(), `keydesk-claims-${process.pid}`);
  afterAll(() => rmSync(file, { force: true }));
  const explain = (text: string, ...args: readonly string[]) => {
    writeFileSync(file, text);
    return runCli('policy explain', ['--policy', 'examples/policy.yaml', '--claims', file, ...args]);
  };
  const { agentTags: _, ...payload } = claims();
  const asJson = JSON.stringify(payload);

  it('reads the payload of a job token, the token, the lines of the plugin, and a line of the audit log', async () => {
    const said = await explain(asJson, 'staging-config');
    expect(said).toMatchObject({ code: 0, err: '' });
    expect(said.out).toMatch(/^staging-config: refused, no_matching_rule\n/);
    expect(said.out).toContain('The job gets no other credential.');
    const part = (text: string) => Buffer.from(text).toString('base64url');
    const lines = Object.entries(payload).filter(
      ([name, value]) => name !== 'organization_slug' && value !== undefined,
    );
    const inPlugin = `  Claims of this job:\n${lines.map(([name, value]) => `    ${name}=${value}`).join('\n')}\n`;
    for (const text of [`${part('{"alg":"RS256"}')}.${part(asJson)}.c2ln`, inPlugin])
      expect(await explain(text, 'staging-config')).toEqual(said);
    for (const text of [refused(claims()), JSON.stringify([entryOf(refused(claims()))])])
      expect(await explain(text)).toEqual(said);
  });

  it('says what keeps the job token from being accepted at all', async () => {
    const { out } = await explain(
      JSON.stringify({ ...payload, organization_slug: 'other', aud: 'x', iat: 0, exp: 7200 }),
    );
    for (const reason of ['job_token_organization_wrong', 'job_token_audience_wrong', 'job_token_lifetime_too_long'])
      expect(out).toContain(`Keydesk refuses this job token, ${reason}: `);
  });

  it.each([
    ['nothing', '', 'It is empty.'],
    ['something else', '{"a":1}', 'none of the claims'],
    ['two objects', '[{},{}]', 'It holds 2 objects'],
    [
      'a line without claims',
      lineOf({ reason: 'job_ended', ended_at: 0 }, { id: ID }).replace('"job":', '"x":'),
      'job_ended',
    ],
    ['lines that are no claims', 'branch=main', 'NAME=VALUE'],
    ['claims without one that a rule looks at', 'build_source=ui', 'build_branch is missing'],
    ['a claim with an impossible value', JSON.stringify({ ...payload, pipeline_id: 'web' }), 'pipeline_id'],
  ])('does not explain %s', async (_, text, message) => {
    expect(await explain(text)).toMatchObject({ code: 1, out: '', err: expect.stringContaining(message) });
  });

  it('takes either --claims or --claim', async () => {
    expect(await explain(asJson, '--claim', 'build_branch=main')).toMatchObject({ code: 2, out: '' });
  });
});
