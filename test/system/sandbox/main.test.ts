// `npm start` and its arguments: help, mistakes, and a policy with problems. Nothing starts.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../../sandbox/functions.ts';
import { KEYDESK } from '../../fixtures/command.ts';
import { watch } from './processes.ts';

const start = (...args: string[]) => startWith({}, ...args);
const startWith = async (npmSettings: Record<string, string>, ...args: string[]) => {
  const environment = { ...process.env, npm_config_shell: '/bin/sh', ...npmSettings };
  const watched = watch(process.execPath, [`${ROOT}sandbox/main.ts`, ...args], environment);
  return { code: await watched.ended, out: watched.out(), err: watched.err() };
};

describe('npm start', () => {
  it.each(['--help', '-h'])('responds to %s with its usage and 0', async (option) => {
    const { code, out, err } = await start(option);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/^usage: npm start -- \[--policy FILE \| --approvals\] /);
    expect(out).not.toContain('starting');
  });

  it.each([
    ['--onec'],
    ['once'],
    ['--once=yes'],
    ['--policy'],
    ['--once', '--shell'],
    ['--approvals', '--policy', 'policy.yaml'],
  ])('responds to %s with its usage and 2', async (...argument) => {
    const { code, out, err } = await start(...argument);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(/^.+\nusage: npm start -- \[--policy FILE \| --approvals\] /);
  });

  it.each([
    [{ npm_config_policy: 'policy.yaml' }, '--policy FILE'],
    [{ npm_config_policy: 'true' }, '--policy FILE'],
    [{ npm_config_once: 'true' }, '--once'],
    [{ npm_config_approvals: 'true' }, '--approvals'],
    [{ npm_config_shell: '' }, '--shell'],
    [{ npm_config_policy: 'policy.yaml', npm_config_once: 'true' }, '--policy FILE --once'],
  ])('refuses options that npm kept because "--" is missing: %j', async (kept, options) => {
    const { code, out, err } = await startWith(kept);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(`npm start -- ${options}\n`);
  });

  it('prints the problems of a policy as "keydesk policy check" does, and exits with 1', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'keydesk-policy-'));
    const file = join(folder, 'policy.yaml');
    writeFileSync(file, 'version: 1\nrule: []\n');
    const checked = watch(process.execPath, [KEYDESK, 'policy', 'check', '--policy', file]);
    const { code, out, err } = await start('--policy', file);
    await checked.ended;
    rmSync(folder, { recursive: true });
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain(`${file}:2:1`);
    expect(err).toBe(checked.err());
  });
});
