// The plugin with the tools of busybox: its messages are true and readable.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type InProcessKeydesk, openInProcessKeydesk } from '../../fixtures/in-process-keydesk.ts';
import { NOT_GRANTED } from '../../fixtures/refusals.ts';
import { busybox, busyboxTools } from './busybox.ts';
import { grantEvents, runAStep, USE_CREDENTIALS } from './step.ts';

describe.skipIf(busybox.missing)(busybox.title('the plugin with the tools of busybox'), () => {
  let keydesk: InProcessKeydesk;
  let folder: string;
  let path: string[];
  beforeAll(async () => {
    keydesk = await openInProcessKeydesk();
    folder = mkdtempSync(join(tmpdir(), 'keydesk-busybox-'));
    path = [busyboxTools(folder)];
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await keydesk.close();
  });

  it('does not report a token as released that still works', async () => {
    const credentials = ['staging-config', { name: 'staging-export', token: 'EXPORT' }];
    const { exitCode, output, leftBehind, job } = await runAStep(keydesk, {
      path,
      command: USE_CREDENTIALS,
      uses: [{ credentials }],
    });
    expect(exitCode).toBe(0);
    expect(output).toMatch(/^sha256 [0-9a-f]{64}$/m);
    expect(output).toMatch(/^staging-export: will not be renewed; the token works for another (59[0-9]|600) s$/m);
    expect(output).toContain('\nstaging-config: released\n');
    expect(grantEvents(keydesk, job)).toContain('grant.ended staging-export');
    expect(leftBehind).toEqual([]);
  });

  it('reports a refusal with its message, its ID and what to do', async () => {
    const { exitCode, output } = await runAStep(keydesk, { path, uses: [{ credentials: 'production-config' }] });
    expect(exitCode).toBe(1);
    expect(output).toContain(`Keydesk: ${keydesk.tokenUrl} did not issue production-config (400 invalid_target).`);
    expect(output).toContain(`\n  Message: ${NOT_GRANTED}\n`);
    expect(output).toMatch(/^ {2}Request ID: [0-9a-f-]{36}$/m);
    expect(output).toMatch(/^ {2}What to do: check the name of the credential/m);
  });

  it('shows the agent’s message when there is no job token, in the hook and in the executable', async () => {
    const environment = { BUILDKITE_AGENT_ACCESS_TOKEN: 'bkaj_of-another-job' };
    expect((await runAStep(keydesk, { path, environment })).output).toContain('401 Invalid access token');
    const command = `BUILDKITE_AGENT_ACCESS_TOKEN=bkaj_of-another-job busybox sh "\${GOOGLE_APPLICATION_CREDENTIALS%/*}/job-token"`;
    const { output } = await runAStep(keydesk, { path, command });
    expect(output).toMatch(
      /^\{"version":1,"success":false,"token_type":"[a-z:-]+","code":"KEYDESK_NO_JOB_TOKEN","message":".*401 Invalid access token"\}$/m,
    );
  });

  it('makes no variable of the host name a file that a container can write, and removes those files', async () => {
    const { exitCode, environment, leftBehind } = await runAStep(keydesk, {
      path,
      uses: [{ 'job-token': 'file' }],
      command: `${USE_CREDENTIALS}; mkdir -p "$BUILDKITE_OIDC_TMPDIR/a/b"; ln -s / "$BUILDKITE_OIDC_TMPDIR/a/b/root"`,
    });
    expect(exitCode).toBe(0);
    expect(environment.GOOGLE_APPLICATION_CREDENTIALS).toMatch(/\/host\/\w{10}\/staging-config\.json$/);
    expect(leftBehind).toEqual([]);
  });
});
