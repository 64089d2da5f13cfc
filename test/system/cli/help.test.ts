// A user who asks a command how it is used sees it, before anything else is looked at; and one who mistypes sees what was meant.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../../sandbox/functions.ts';
import { KEYDESK } from '../../fixtures/command.ts';
import { runCli } from './run-cli.ts';

const COMMANDS = [
  'init',
  'ids',
  'policy check',
  'policy diff',
  'policy test',
  'policy explain',
  'policy replay',
  'policy schema',
  'policy what',
  'policy who',
  'policy suggest',
  'policy unused',
  'rules write',
  'rules check',
  'package',
  'webhook install',
  'webhook rotate',
  'webhook check',
  'doctor',
  'explain',
  'grants list',
  'grants show',
  'grants watch',
  'grants export',
  'review',
  'kill',
  'restore close',
  'restore database',
  'restore switch',
  'restore hold',
  'restore replay',
  'restore open',
  'users create',
  'version',
  'completion',
];

describe.each(COMMANDS)('keydesk %s', (command) => {
  it.each(['--help', '-h'])('responds to %s with its usage, examples and 0', async (option) => {
    const env = { KEYDESK_POLICY: '/nonexistent', GOOGLE_CLOUD_PROJECT: '' };
    const { code, out, err } = await runCli(command, [option], { env });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(new RegExp(`^Usage: keydesk ${command} `));
    expect(out).toContain('Examples:\n  $ ');
  });

  it('exits with 2 for unknown arguments, and names the help', async () => {
    const required = /^policy (?:replay|unused|suggest)$/.test(command) ? ['--log', '-'] : [];
    if (/^policy (?:unused|suggest)$/.test(command)) required.push('--since', '30d');
    const { code, out, err } = await runCli(command, ['--bogus', ...required]);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain('--bogus');
    expect(err).toContain(`Run "keydesk ${command} --help" for usage.`);
  });
});

describe('keydesk', () => {
  it('fits its help on a screen of 24 lines of 80 columns', async () => {
    const { code, out } = await runCli('--help');
    expect(code).toBe(0);
    const lines = out.trimEnd().split('\n');
    expect(lines.length).toBeLessThan(24);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    for (const command of COMMANDS) expect(out).toContain(`  ${command.split(' ')[0]}`);
  });

  it('without a command prints its help on standard error, with 2', async () => {
    expect(await runCli('')).toEqual({ code: 2, out: '', err: (await runCli('--help')).out });
  });

  it.each([
    ['polcy', 'Did you mean "policy"?'],
    ['check', 'Did you mean "policy check" or "rules check" or "webhook check"?'],
    ['explain --policy examples/policy.yaml', 'run keydesk policy explain.'],
    ['policy check mine.yaml', 'Write --policy mine.yaml.'],
    ['policy explain mine.yaml', 'Write --policy mine.yaml.'],
    ['rules write mine.yml', 'Write --policy mine.yml.'],
    ['policy schema mine.yaml', 'Remove it.'],
    ['policy chek', 'Did you mean "check"?'],
    ['policy check --polcy=x', 'Did you mean "--policy"?'],
    ['policy who --env production', 'Did you mean "--environment"?'],
    ['policy list', 'Known: check, '],
    ['policy explain stagin-config --policy examples/policy.yaml', 'Did you mean "staging-config"?'],
  ])('suggests for "%s": %s', async (command, question) => {
    expect(await runCli(command)).toMatchObject({ code: 2, out: '', err: expect.stringContaining(question) });
  });

  it('colours nothing that does not go to a terminal', async () => {
    for (const command of ['--help', 'polcy', 'policy check --policy /nonexistent'])
      expect(JSON.stringify(await runCli(command))).not.toContain('\\u001b');
  });

  it('ends with 0 when its reader has gone', () => {
    const command = `"$0" "$1" policy check --policy examples/policy.yaml | true; echo "\${PIPESTATUS[0]}"`;
    const { stdout, stderr } = spawnSync('bash', ['-c', command, process.execPath, KEYDESK], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    expect({ stdout, stderr }).toEqual({ stdout: '0\n', stderr: '' });
  });

  it('names its version, and the policy of the folder or of --policy', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
    for (const option of ['--version', '-V']) expect((await runCli(option)).out).toBe(`${version}\n`);
    expect((await runCli('version')).out).toBe(`keydesk ${version} (Node ${process.version})\n`);
    const { out } = await runCli('version --json --policy examples/policy.yaml');
    const check = await runCli('policy check --json --policy examples/policy.yaml');
    expect(JSON.parse(out)).toEqual({
      version,
      node: process.version,
      policy_sha256: JSON.parse(check.out).sha256,
    });
  });
});
