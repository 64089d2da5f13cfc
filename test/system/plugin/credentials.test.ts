import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname as folderOf, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { firestoreAs, type InProcessKeydesk, openInProcessKeydesk } from '../../fixtures/in-process-keydesk.ts';
import { grantEvents, runAStep, SECRET, startAStep, USE_CREDENTIALS } from './step.ts';

let keydesk: InProcessKeydesk;
let folder: string;
beforeAll(async () => {
  keydesk = await openInProcessKeydesk();
  folder = mkdtempSync(join(tmpdir(), 'keydesk-credentials-'));
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await keydesk.close();
});

/** Copies a variable's value to a file outside of the step, and not through its log. */
const keep = (variable: string, file: string) => `printf '%s' "$${variable}" >'${join(folder, file)}';`;
const kept = (file: string) => readFileSync(join(folder, file), 'utf8');
const sha256sOf = (output: string) => [...output.matchAll(/^sha256 ([0-9a-f]{64})$/gm)].map(([, sha256]) => sha256);
const issuedTo = (jobId: string) =>
  keydesk.audit.filter((line) => line.event === 'grant.issued' && JSON.stringify(line).includes(jobId));

describe('the plugin', () => {
  it('provides a credential file that Google’s library uses unchanged', async () => {
    const ran = await runAStep(keydesk, { command: USE_CREDENTIALS });
    expect(ran.output).toContain('staging-config: in GOOGLE_APPLICATION_CREDENTIALS (file)');
    expect(ran.exitCode).toBe(0);
    const [first, second] = issuedTo(ran.job.id);
    expect(first).toMatchObject({ credential: 'staging-config' });
    expect(sha256sOf(ran.output)).toEqual([second?.token_sha256]);
  });

  it('makes no file that others can read, and writes no secret into the credential file', async () => {
    const command = `${keep('GOOGLE_APPLICATION_CREDENTIALS', 'path')}
      find "$KEYDESK_DIR" -exec stat -c '%a %F' {} + | sort -u; cat "$GOOGLE_APPLICATION_CREDENTIALS"`;
    const { output, environment } = await runAStep(keydesk, { command });
    const lines = output.slice(output.indexOf('Running commands')).split('\n');
    expect(lines.slice(1, 4)).toEqual(['600 regular file', '700 directory', '{']);
    const file = JSON.parse(output.slice(output.indexOf('\n{'), output.lastIndexOf('}') + 1));
    expect(file).toEqual({
      type: 'external_account',
      universe_domain: 'googleapis.com',
      audience: 'staging-config',
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      token_url: `${keydesk.tokenUrl}/token`,
      token_info_url: `${keydesk.tokenUrl}/introspect`,
      credential_source: {
        executable: { command: `/bin/sh ${folderOf(kept('path'))}/job-token`, timeout_millis: 30_000 },
      },
    });
    expect(kept('path')).toMatch(/\/keydesk-\w{10}\/host\/\w{10}\/staging-config\.json$/);
    expect(environment.GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES).toBe('1');
    expect(environment).not.toHaveProperty('BUILDKITE_OIDC_TMPDIR');
  });

  it('provides a bare token that Firestore accepts, and keeps it out of the log', async () => {
    // Not a name that the agent redacts by itself.
    const credentials = [{ name: 'staging-config', token: 'CONFIG' }];
    const command = `${keep('CONFIG', 'token')} curl --silent --output /dev/null --write-out '%{http_code}\\n' \
      --header "Authorization: Bearer $CONFIG" "$FIRESTORE"; echo "it is $CONFIG"`;
    const FIRESTORE = `http://${inject('firestoreHost')}/v1/projects/${keydesk.project}/databases/(default)/documents/config`;
    const { output, raw, environment } = await runAStep(keydesk, {
      command,
      uses: [{ credentials }],
      environment: { FIRESTORE },
    });
    expect(output).toMatch(
      /^staging-config: in CONFIG \(token\); environment staging; token valid until \d\d:\d\d UTC \(15 min\), .*; when the job ends: .+$/m,
    );
    expect(output).toContain('\n200\n');
    expect(output).toContain('it is [REDACTED]');
    expect(output).not.toMatch(SECRET);
    expect(raw.replace(`it is ${kept('token')}`, '')).not.toMatch(SECRET);
    expect(environment).not.toHaveProperty('GOOGLE_APPLICATION_CREDENTIALS');
    expect(environment).not.toHaveProperty('GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES');
  });

  it('provides a file and a token of one credential with one request', async () => {
    const credentials = { name: 'staging-export', file: 'EXPORT_FILE', token: 'EXPORT_TOKEN' };
    const command = `${keep('EXPORT_TOKEN', 'both')} GOOGLE_APPLICATION_CREDENTIALS="$EXPORT_FILE" ${USE_CREDENTIALS}`;
    const { output, exitCode, job } = await runAStep(keydesk, { command, uses: [{ credentials }] });
    expect(exitCode).toBe(0);
    expect(output).toContain('staging-export: in EXPORT_FILE (file) and EXPORT_TOKEN (token)');
    const issued = issuedTo(job.id).map(({ token_sha256 }) => token_sha256);
    expect(issued).toEqual([createHash('sha256').update(kept('both')).digest('hex'), ...sha256sOf(output)]);
  });

  it('provides several credentials, each in its own variables', async () => {
    const credentials = [
      'staging-config',
      { name: 'staging-admin', token: 'ADMIN_TOKEN' },
      { name: 'staging-export', file: 'EXPORT_FILE' },
    ];
    const command = `${keep('ADMIN_TOKEN', 'admin')} test -r "$EXPORT_FILE" && ${USE_CREDENTIALS}`;
    const running = startAStep(keydesk, { command: `${command}; echo used; sleep 0.5`, uses: [{ credentials }] });
    await running.saw('used');
    expect(await keydesk.gate(kept('admin'))).toBe(200);
    const { exitCode } = await running.finished;
    expect(exitCode).toBe(0);
    expect(await keydesk.gate(kept('admin'))).not.toBe(200);
  });

  it('provides one credential in two variables with one request', async () => {
    const credentials = ['staging-export', { name: 'staging-export', file: 'CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE' }];
    const { job, environment } = await runAStep(keydesk, { uses: [{ credentials }] });
    expect(issuedTo(job.id)).toHaveLength(1);
    expect(environment.CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE).toBe(environment.GOOGLE_APPLICATION_CREDENTIALS);
  });

  it('provides the credentials of a second use in the same folder, and requests none twice', async () => {
    const uses = [
      { credentials: ['staging-config'] },
      {
        credentials: [
          { name: 'staging-config', token: 'CONFIG_TOKEN' },
          { name: 'staging-export', file: 'EXPORT_FILE' },
        ],
      },
    ];
    const command = `${keep('CONFIG_TOKEN', 'again')} ls -d "$KEYDESK_DIR" | wc -l; ${USE_CREDENTIALS}`;
    const { job, output, environment, exitCode, leftBehind } = await runAStep(keydesk, { command, uses });
    expect(exitCode).toBe(0);
    const [config, exported] = issuedTo(job.id);
    expect(config?.token_sha256).toBe(createHash('sha256').update(kept('again')).digest('hex'));
    expect(exported?.credential).toBe('staging-export');
    const [first, second] = [environment.GOOGLE_APPLICATION_CREDENTIALS, environment.EXPORT_FILE].map(String);
    expect(second).toMatch(/\/staging-export\.json$/);
    expect(folderOf(String(second))).not.toBe(folderOf(String(first)));
    for (const path of [first, second]) expect(path?.startsWith(`${environment.KEYDESK_DIR}/host/`)).toBe(true);
    expect(output.match(/released|will not be renewed/g)).toHaveLength(2);
    expect(leftBehind).toEqual([]);
  });

  it('provides credentials from the environment hook on, with hook: environment', async () => {
    const { phases, output, exitCode } = await runAStep(keydesk, {
      uses: [{ hook: 'environment' }],
      command: USE_CREDENTIALS,
    });
    expect(exitCode).toBe(0);
    expect(phases.map(({ name }) => name)).toEqual([
      'plugin keydesk environment hook',
      'plugin keydesk pre-command hook',
      'commands',
      'plugin keydesk post-command hook',
      'plugin keydesk pre-exit hook',
    ]);
    const [, atEnvironment = '', atPreCommand = ''] = output.split('~~~ Running');
    expect(atEnvironment).toContain('staging-config: in');
    expect(atPreCommand.trim()).toBe('plugin keydesk pre-command hook');
  });

  it('works under the name that the agent gives it in a folder of another repository', async () => {
    const { output, exitCode } = await runAStep(keydesk, {
      reference: './plugin',
      plugins: { plugin: join(process.cwd(), 'plugin') },
      command: USE_CREDENTIALS,
    });
    expect(exitCode).toBe(0);
    expect(output).toContain('staging-config: in GOOGLE_APPLICATION_CREDENTIALS (file)');
  });

  it('does not change another plugin’s BUILDKITE_OIDC_TMPDIR', async () => {
    for (const use of [{}, { 'job-token': 'file' }]) {
      const { environment } = await runAStep(keydesk, {
        uses: [use],
        environment: { BUILDKITE_OIDC_TMPDIR: '/tmp/of-another' },
      });
      expect(environment.BUILDKITE_OIDC_TMPDIR).toBe('/tmp/of-another');
    }
  });
});

describe('a step that outlives its tokens', () => {
  it('gets new tokens through the executable, with a new job token each time', async () => {
    const later = join(folder, 'later');
    const uses = [{ credentials: 'staging-export' }];
    const running = startAStep(keydesk, { command: `${USE_CREDENTIALS} '${later}'`, uses });
    await running.saw('sha256 ');
    keydesk.clock.advance(3 * 3600_000);
    writeFileSync(later, '');
    const ran = await running.finished;
    keydesk.clock.reset();
    expect(ran.exitCode).toBe(0);
    const fetched = sha256sOf(ran.output);
    expect(new Set(fetched).size).toBe(2);
    expect(
      issuedTo(running.job.id)
        .map(({ token_sha256 }) => token_sha256)
        .slice(1),
    ).toEqual(fetched);
  });

  it('gets the reason when its job token was a file', async () => {
    const later = join(folder, 'much-later');
    const command = `${keep('GOOGLE_APPLICATION_CREDENTIALS', 'at')} cat "$GOOGLE_APPLICATION_CREDENTIALS"; ${USE_CREDENTIALS} '${later}'`;
    const uses = [{ 'job-token': 'file', lifetime: 60 }];
    const running = startAStep(keydesk, { command, uses });
    await running.saw('sha256 ');
    keydesk.clock.advance(20 * 60_000);
    writeFileSync(later, '');
    const ran = await running.finished;
    keydesk.clock.reset();
    const at = folderOf(kept('at'));
    expect(ran.output).toContain(`"credential_source": { "file": "${at}/job-token" }`);
    expect(ran.environment).not.toHaveProperty('GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES');
    expect(sha256sOf(ran.output)).toHaveLength(1);
    expect(ran.exitCode).toBe(1);
    expect(ran.output).toContain('The job token expired at ');
    expect(ran.raw).not.toMatch(SECRET);
  });

  it('has its job token in a file without a newline, redacted, with the requested lifetime', async () => {
    const command = `cat "$BUILDKITE_OIDC_TMPDIR"/*/job-token | tee '${join(folder, 'job-token')}'`;
    const { output } = await runAStep(keydesk, { command, uses: [{ 'job-token': 'file', lifetime: 120 }] });
    const [, payload = ''] = kept('job-token').split('.');
    const { iat, exp, organization_id, pipeline_id, cluster_id } = JSON.parse(
      Buffer.from(payload, 'base64url').toString(),
    );
    expect(exp - iat).toBe(120);
    expect({ organization_id, pipeline_id, cluster_id }).toEqual({
      organization_id: 'f892efa9-103e-4d28-97a1-3b8616a0994d',
      pipeline_id: '0184990a-4782-42b5-afc1-16715b10b1f0',
      cluster_id: undefined,
    });
    expect(kept('job-token')).toMatch(/^[\w.-]+$/);
    expect(output).toContain('[REDACTED]');
    expect(output).not.toMatch(SECRET);
  });
});

it('pre-exit ends a step’s grants, which are recorded as released', async () => {
  const credentials = [{ name: 'staging-config', token: 'CONFIG_TOKEN' }];
  const { job } = await runAStep(keydesk, { command: keep('CONFIG_TOKEN', 'ended'), uses: [{ credentials }] });
  expect(grantEvents(keydesk, job)).toEqual([
    'grant.issued staging-config',
    'grant.released staging-config',
    'grant.revoked staging-config',
  ]);
  expect((await keydesk.introspect(kept('ended'))).json).toEqual({ active: false });
  expect(await firestoreAs(keydesk, kept('ended'), 'config/web')).toBe(403);
});
