import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type InProcessKeydesk, openInProcessKeydesk } from '../../fixtures/in-process-keydesk.ts';
import { type Front, openFront } from './front.ts';
import { grantEvents, runAStep, startAStep, USE_CREDENTIALS } from './step.ts';

let keydesk: InProcessKeydesk;
let front: Front;
let folder: string;
beforeAll(async () => {
  keydesk = await openInProcessKeydesk();
  front = await openFront(keydesk.tokenUrl);
  folder = mkdtempSync(join(tmpdir(), 'keydesk-release-'));
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await front.close();
  await keydesk.close();
});
afterEach(() => {
  front.instead = () => undefined;
});

/** What pre-exit printed. */
const atTheEnd = (output: string) => output.split('~~~ Running plugin keydesk pre-exit hook\n')[1];

describe('pre-exit releases', () => {
  it('each credential, and reports what happened', async () => {
    const credentials = [
      'staging-config',
      { name: 'staging-export', file: 'EXPORT_FILE' },
      { name: 'staging-admin', token: 'ADMIN_TOKEN' },
    ];
    const { output, exitCode, leftBehind, job } = await runAStep(keydesk, { uses: [{ credentials }] });
    expect(exitCode).toBe(0);
    expect(atTheEnd(output)).toMatch(
      /^~~~ :key: Keydesk: releasing credentials\nstaging-admin: released\nstaging-config: released\nstaging-export: will not be renewed; the token works for another (59[0-9]|600) s\n$/,
    );
    expect(grantEvents(keydesk, job)).toEqual(
      expect.arrayContaining([
        'grant.revoked staging-config',
        'grant.revoked staging-admin',
        'grant.ended staging-export',
      ]),
    );
    expect(leftBehind).toEqual([]);
  });

  it('when the command failed, and keeps its exit code', async () => {
    const { exitCode, output } = await runAStep(keydesk, { command: 'exit 17' });
    expect(exitCode).toBe(17);
    expect(atTheEnd(output)).toContain('staging-config: released');
  });

  it('when the job is cancelled while its command runs', async () => {
    const running = startAStep(keydesk, { command: 'echo "it runs"; sleep 60' });
    await running.saw('it runs');
    running.cancel();
    const { exitCode, output, leftBehind } = await running.finished;
    expect(exitCode).toBe(143);
    expect(atTheEnd(output)).toContain('staging-config: released');
    expect(grantEvents(keydesk, running.job).slice(-1)).toEqual(['grant.revoked staging-config']);
    expect(leftBehind).toEqual([]);
  });

  it.each(['forwards', 'backwards'] as const)(
    'in the order that the README describes, where pre-exit hooks run %s',
    async (postHooks) => {
      const other = mkdtempSync(join(folder, 'other-'));
      mkdirSync(join(other, 'hooks'));
      writeFileSync(join(other, 'hooks/pre-exit'), `#!/usr/bin/env bash\n${USE_CREDENTIALS}\n`);
      const { output, exitCode } = await runAStep(keydesk, {
        plugins: { keydesk: join(process.cwd(), 'plugin'), other },
        others: ['acme/other#v1'],
        postHooks,
      });
      // Agent 3 runs the pre-exit hook of the first plugin first, agent 4 the hook of the last plugin.
      expect(exitCode === 0).toBe(postHooks === 'backwards');
      expect(/^sha256 /m.test(output)).toBe(postHooks === 'backwards');
      expect(output).toContain('staging-config: released');
    },
  );

  it('several at the same time, within nine seconds when Keydesk hangs', async () => {
    front.instead = (request) => (request.endsWith('/revoke') ? 'hang' : undefined);
    const credentials = [
      { name: 'staging-config', token: 'A_TOKEN' },
      { name: 'staging-export', token: 'B_TOKEN' },
      { name: 'staging-admin', token: 'C_TOKEN' },
    ];
    const running = startAStep(keydesk, { uses: [{ url: front.url, credentials }], command: 'echo "it ends"' });
    await running.saw('releasing credentials');
    const began = Date.now();
    const { exitCode, output, leftBehind } = await running.finished;
    expect(Date.now() - began).toBeLessThan(9_000);
    expect(exitCode).toBe(0);
    expect(atTheEnd(output)).toMatch(
      /^.*\n(staging-(admin|config|export): could not be released \(curl: \(28\) .*\); (Keydesk will revoke it when it learns of the job's end|the token works until it expires)\n){3}$/,
    );
    expect(leftBehind).toEqual([]);
  });
});

describe('pre-exit exits with 0', () => {
  it.each([
    [
      'when Keydesk is down',
      'cut' as const,
      /could not be released \(curl: \(52\) .*\); Keydesk will revoke it when it learns of the job's end/,
    ],
    [
      'when Keydesk is unavailable',
      { status: 503, body: '{"error":"temporarily_unavailable"}' },
      /could not be released \(503 temporarily_unavailable\); Keydesk will revoke it/,
    ],
    [
      'when the response is not one of Keydesk',
      { status: 200, body: '<html>released</html>' },
      /^staging-config: could not be released \(200, but not a response of Keydesk\); Keydesk will revoke it when it learns of the job's end$/m,
    ],
    [
      'when the response has an unknown revocation',
      { status: 200, body: '{"request_id":"1-2","revocation":"later"}' },
      /^staging-config: could not be released \(200, but not a response of Keydesk\); Keydesk will revoke it when it learns of the job's end$/m,
    ],
  ])('%s', async (_, instead, said) => {
    front.instead = (request) => (request.endsWith('/revoke') ? instead : undefined);
    const { exitCode, output, leftBehind } = await runAStep(keydesk, { uses: [{ url: front.url }] });
    expect(exitCode).toBe(0);
    expect(atTheEnd(output)).toMatch(said);
    expect(atTheEnd(output)).not.toMatch(/: released$/m);
    expect(leftBehind).toEqual([]);
  });

  it('when the step removed its folder', async () => {
    const { exitCode, output } = await runAStep(keydesk, { command: 'rm -rf "$KEYDESK_DIR"' });
    expect(exitCode).toBe(0);
    expect(atTheEnd(output)).toBe('');
  });

  it('when only the hook of the plugin is left', async () => {
    const broken = join(folder, 'broken');
    mkdirSync(join(broken, 'hooks'), { recursive: true });
    writeFileSync(join(broken, 'hooks/pre-exit'), readFileSync(join(process.cwd(), 'plugin/hooks/pre-exit')));
    const { exitCode } = await runAStep(keydesk, {
      plugins: { keydesk: broken },
      environment: { SHELLOPTS: 'errexit:nounset' },
    });
    expect(exitCode).toBe(0);
  });
});

describe('a KEYDESK_DIR that the plugin did not make for this job', () => {
  const jobOf = () => keydesk.buildkite.startJob();
  const foreign: [string, (at: string, jobId: string) => string][] = [
    ['is any folder', (at) => at],
    ['has the name but no mark', (at) => join(at, 'keydesk-AAAAAAAAAA')],
    [
      'has the mark of another job',
      (at) => {
        mkdirSync(join(at, 'keydesk-BBBBBBBBBB'));
        writeFileSync(join(at, 'keydesk-BBBBBBBBBB/made-by-keydesk'), '0184990a-477b-4fa8-9968-496074483cee');
        return join(at, 'keydesk-BBBBBBBBBB');
      },
    ],
    [
      'is a link to a folder with name and mark',
      (at, jobId) => {
        mkdirSync(join(at, 'keydesk-CCCCCCCCCC'));
        writeFileSync(join(at, 'keydesk-CCCCCCCCCC/made-by-keydesk'), jobId);
        symlinkSync(join(at, 'keydesk-CCCCCCCCCC'), join(at, 'keydesk-DDDDDDDDDD'));
        return join(at, 'keydesk-DDDDDDDDDD');
      },
    ],
    [
      'has a link for a mark',
      (at, jobId) => {
        mkdirSync(join(at, 'keydesk-EEEEEEEEEE'));
        writeFileSync(join(at, 'mark'), jobId);
        symlinkSync(join(at, 'mark'), join(at, 'keydesk-EEEEEEEEEE/made-by-keydesk'));
        return join(at, 'keydesk-EEEEEEEEEE');
      },
    ],
    [
      'has a name with white space',
      (at, jobId) => {
        mkdirSync(join(at, 'a b/keydesk-FFFFFFFFFF'), { recursive: true });
        writeFileSync(join(at, 'a b/keydesk-FFFFFFFFFF/made-by-keydesk'), jobId);
        return join(at, 'a b/keydesk-FFFFFFFFFF');
      },
    ],
  ];

  it.each(foreign)('and %s: is neither used nor changed', async (_, make) => {
    const at = mkdtempSync(join(folder, 'foreign-'));
    mkdirSync(join(at, 'keydesk-AAAAAAAAAA'));
    writeFileSync(join(at, 'precious'), 'precious');
    const job = jobOf();
    const given = make(at, job.id);
    const before = readdirSync(at, { recursive: true });
    const { exitCode, environment, output } = await runAStep(keydesk, { job, environment: { KEYDESK_DIR: given } });
    expect(exitCode).toBe(0);
    expect(environment.KEYDESK_DIR).not.toBe(given);
    expect(output).toContain('staging-config: released');
    expect(readdirSync(at, { recursive: true })).toEqual(before);

    const untouched = await runAStep(keydesk, {
      job: jobOf(),
      uses: [{ credentials: 'nonsense' }],
      environment: { KEYDESK_DIR: given },
    });
    expect(untouched.exitCode).toBe(1);
    expect(readdirSync(at, { recursive: true })).toEqual(before);
    expect(existsSync(join(at, 'precious'))).toBe(true);
  });
});
