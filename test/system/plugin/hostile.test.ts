// Anything can be in the plugin's environment and settings: it is refused with a clear message, or passed on as it is. It is
// never run, and never reveals a secret. More environments are in hostile-environment.deep.ts.

import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PluginConfiguration } from '../../../sandbox/fakes/buildkite/plugin.ts';
import { type InProcessKeydesk, openInProcessKeydesk } from '../../fixtures/in-process-keydesk.ts';
import { evilIn, expectNothingRan, runWholeStep } from './hostile-step.ts';
import { PLUGIN, recorder, runAStep } from './step.ts';

let service: InProcessKeydesk;
let folder: string;
beforeAll(async () => {
  service = await openInProcessKeydesk();
  folder = mkdtempSync(join(tmpdir(), 'keydesk-hostile-'));
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await service.close();
});

const evil = () => evilIn(folder);
const A_TOKEN = { name: 'a', token: 'A_TOKEN' };

describe('the configuration', () => {
  it.each<[string, () => PluginConfiguration, string[]]>([
    [
      'a url with more than a url in it',
      () => ({ url: `https://keydesk.example/${evil()}` }),
      ['url: must be https://'],
    ],
    ['a url over two lines', () => ({ url: 'https://keydesk.example\n-o/tmp/x' }), ['url: must be https://']],
    ['a url that ends in a new line', () => ({ url: 'https://keydesk.example\n' }), ['url: must be https://']],
    ['a url of curl’s own', () => ({ url: 'file:///etc/passwd' }), ['url: must be https://']],
    ['a url with a password', () => ({ url: 'https://me:secret@keydesk.example' }), ['url: must be https://']],
    ['a url with a query', () => ({ url: 'https://keydesk.example/?a=b' }), ['url: must be https://']],
    ['http to another machine', () => ({ url: 'http://127.0.0.1.example' }), ['url: must be https://']],
    ['no url', () => ({ url: '' }), ['url: is required']],
    [
      'an audience over two lines',
      () => ({ audience: 'https://keydesk.example\nx' }),
      ['audience: must not contain a control character'],
    ],
    ['an evil credential', () => ({ credentials: evil() }), ['credentials: must be the name of a credential']],
    [
      'a credential that is a path',
      () => ({ credentials: ['../revoke'] }),
      ['credentials[0]: must be the name of a credential'],
    ],
    ['no credentials', () => ({ credentials: [] }), ['credentials: is required']],
    ['an evil claim', () => ({ claims: ['pipeline_id', evil()] }), ['claims[1]: must be the name of a claim']],
    ['two claims in one', () => ({ claims: 'pipeline_id,build_id' }), ['claims: must be the name of a claim']],
    ['an evil timeout', () => ({ timeout: 'a[$(id)]' }), ['timeout: must be a whole number of seconds from 0 to 3600']],
    ['an octal timeout', () => ({ timeout: '0100' }), ['timeout: must be a whole number']],
    [
      'too long a lifetime',
      () => ({ lifetime: 7201, 'job-token': 'file' }),
      ['lifetime: must be a whole number of seconds from 60 to 7200'],
    ],
    ['a lifetime for nothing', () => ({ lifetime: 300 }), ['lifetime: is valid only with "job-token: file"']],
    ['another hook', () => ({ hook: 'pre-exit' }), ['hook: must be pre-command or environment']],
    ['another source of job tokens', () => ({ 'job-token': 'url' }), ['job-token: must be executable or file']],
    [
      'an evil source of the machine’s token',
      () => ({ 'agent-token': evil(), credentials: A_TOKEN }),
      ['agent-token: must be aws, gcp or kubernetes'],
    ],
    [
      'a file of the machine’s token that is a relative path',
      () => ({ 'agent-token': { file: evil() }, credentials: A_TOKEN }),
      ['agent-token.file: must be the full path'],
    ],
    [
      'an audience of the machine’s token over two lines',
      () => ({ 'agent-token': { from: 'aws', audience: `${evil()}\n-o/tmp/x` }, credentials: A_TOKEN }),
      ['agent-token.audience: must not contain a control character'],
    ],
    [
      'an evil limit of the wait',
      () => ({ 'approval-timeout': 'a[$(id)]' }),
      ['approval-timeout: must be a whole number of seconds from 0 to 7200'],
    ],
    ['a key that is misspelt', () => ({ claim: ['build_id'] }), ['claim-0: unknown key']],
    [
      'a variable of the shell',
      () => ({ credentials: { name: 'a', file: 'PATH' } }),
      ['credentials.file: PATH is reserved'],
    ],
    [
      'a variable of the loader',
      () => ({ credentials: [{ name: 'a', token: 'LD_PRELOAD' }] }),
      ['credentials[0].token: LD_PRELOAD is reserved'],
    ],
    [
      'a variable of the agent',
      () => ({ credentials: [{ name: 'a', token: 'BUILDKITE_AGENT_ACCESS_TOKEN' }] }),
      ['credentials[0].token: BUILDKITE_AGENT_ACCESS_TOKEN is reserved'],
    ],
    [
      'a variable that is none',
      () => ({ credentials: [{ name: 'a', token: 'A[$(id)]' }] }),
      ['credentials[0].token: must be the name of an environment variable'],
    ],
    [
      'a variable twice',
      () => ({ credentials: ['a', 'b'] }),
      ['credentials[1].file: GOOGLE_APPLICATION_CREDENTIALS already holds another credential'],
    ],
    [
      'a switch in place of a variable’s name',
      () => ({ credentials: { name: 'a', token: true } }),
      ['credentials.token: must be the name of an environment variable, for example ACCESS_TOKEN'],
    ],
    [
      'the same for a file',
      () => ({ credentials: [{ name: 'a', file: true }] }),
      ['credentials[0].file: must be the name of an environment variable, for example GOOGLE_APPLICATION_CREDENTIALS'],
    ],
    [
      'a list of variables',
      () => ({ credentials: [{ name: 'a', token: ['B', 'C'] }] }),
      ['credentials[0].token: must be one value, not a list'],
    ],
    [
      'a credential by its name as a key',
      () => ({ credentials: { 'staging-config': { token: 'TOKEN' } } }),
      ['credentials: unknown key staging-config-token; use name, file and token'],
    ],
    [
      'a list of such',
      () => ({ credentials: [{ 'staging-config': { token: 'TOKEN' } }] }),
      ['credentials[0]: unknown key staging-config-token; use name, file and token'],
    ],
    ['a list in a list', () => ({ credentials: [['a', 'b']] }), ['credentials[0]: must be a name, or a mapping']],
    ['a number for a credential', () => ({ credentials: 5 }), ['credentials: must be the name of a credential']],
    ['a switch for a credential', () => ({ credentials: true }), ['credentials: must be the name of a credential']],
    ['a list of urls', () => ({ url: ['https://keydesk.example'] }), ['url: must be one value, not a list']],
    ['a list of numbers', () => ({ timeout: [5] }), ['timeout: must be one value, not a list']],
    ['claims as keys', () => ({ claims: { pipeline_id: true } }), ['claims: must be the name of a claim, or a list']],
    ['a switch for claims', () => ({ claims: true }), ['claims: must be the name of a claim, without commas']],
    ['a time with its unit', () => ({ timeout: '5m' }), ['timeout: must be a whole number of seconds from 0 to 3600']],
    [
      'everything at once',
      () => ({
        url: 'nowhere',
        audiences: 'x',
        timeout: -1,
        credentials: [{ file: 'PATH' }, 'B', { name: 'c', colour: 'red' }],
      }),
      [
        'audiences: unknown key',
        'credentials[2]: unknown key colour; use name, file and token',
        'url: must be https://',
        'timeout: must be',
        'credentials[0]: name is required',
        'credentials[0].file: PATH is reserved',
        'credentials[1]: must be the name of a credential',
        'credentials[2].file: GOOGLE_APPLICATION_CREDENTIALS already holds another credential',
      ],
    ],
  ])('is refused with %s, at the first hook and by key', async (_, use, problems) => {
    const { exitCode, output, phases, leftBehind } = await runAStep(service, {
      uses: [use()],
      command: 'echo "it ran"',
    });
    expect(exitCode).toBe(1);
    expect(phases.map(({ name }) => name)).toEqual(['plugin keydesk environment hook', 'plugin keydesk pre-exit hook']);
    const reported = output.split('Keydesk: invalid plugin configuration:\n')[1]?.split('~~~')[0]?.split('\n');
    expect(reported?.slice(0, -1)).toEqual(problems.map((problem) => expect.stringContaining(`  ${problem}`)));
    expect(output).not.toMatch(/touch|secret|nowhere|ran #/);
    expect(leftBehind).toEqual([]);
    expectNothingRan(folder);
  });

  it('carries an audience exactly as it is, to the agent and through the executable', async () => {
    const audience = ` --${evil()} é `;
    const agent = recorder(folder, 'buildkite-agent');
    const { exitCode } = await runAStep(service, { uses: [{ audience }], path: [agent.folder] });
    expect(exitCode).toBe(1);
    expect(agent.calls()).toBe(
      `--version\noidc\nrequest-token\n--audience=${audience}\n--claim=organization_id\n--claim=pipeline_id\n`,
    );
    const script = join(folder, 'script');
    mkdirSync(script);
    cpSync(join(PLUGIN, 'bin/job-token'), join(script, 'job-token'));
    writeFileSync(join(script, 'audience'), audience);
    writeFileSync(join(script, 'claims'), 'agent_tag:a$(b)\n');
    const again = recorder(folder, 'buildkite-agent');
    await runAStep(service, { command: `/bin/sh '${script}/job-token'`, path: [again.folder] });
    expect(again.calls()).toContain(`--audience=${audience}\n--claim=agent_tag:a$(b)\n`);
    expectNothingRan(folder);
  });
});

describe('the environment', () => {
  it('shows no secret in curl’s arguments, in the log, or on disk afterwards', async () => {
    const curl = await runWholeStep({ service, folder });
    expect(curl.split('\n').filter((argument) => argument.startsWith('http'))).toEqual([
      `${service.tokenUrl}/token/staging-config`,
      `${service.tokenUrl}/token/staging-export`,
      `${service.tokenUrl}/revoke`,
      `${service.tokenUrl}/revoke`,
    ]);
  });

  it('and none with a job token in a file', async () => {
    await runWholeStep({ service, folder }, { use: { 'job-token': 'file' } });
  });
});
