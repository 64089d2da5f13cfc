// Completion: what the shells are offered, and that each shell takes the script.

import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { KEYDESK } from '../../fixtures/command.ts';
import { needs } from '../../fixtures/needs.ts';
import { runCli } from './run-cli.ts';

const complete = async (...words: string[]) =>
  (await runCli('complete', ['--', ...words])).out.split('\n').slice(0, -1);
const EXAMPLE = ['--policy', 'examples/policy.yaml'];

describe('keydesk complete', () => {
  it.each([
    ['commands', ['po'], ['policy']],
    ['subcommands', ['rules', ''], ['write', 'check', 'help']],
    ['options', ['rules', 'write', '--p'], ['--policy', '--project']],
    ['options behind others', ['kill', '--all', '--dr'], ['--dry-run']],
    ['shells', ['completion', ''], ['bash', 'zsh', 'fish']],
    ['credentials of the policy', ['policy', 'explain', ...EXAMPLE, 'prod'], ['production-config']],
    ['credentials as the value of an option', ['kill', ...EXAMPLE, '--credential', 'prod'], ['production-config']],
    ['nothing where a file is expected', ['policy', 'check', '--policy', ''], []],
    ['nothing of a policy that does not exist', ['policy', 'explain', '--policy', '/nonexistent', ''], []],
  ])('offers %s', async (_, words, expected) => {
    expect(await complete(...words)).toEqual(expected);
  });

  it('is not in the help', async () => {
    expect((await runCli('--help')).out).not.toMatch(/^ {2}complete /m);
  });
});

describe('keydesk completion', () => {
  const folder = mkdtempSync(join(tmpdir(), 'keydesk-completion-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'keydesk'), `#!/bin/sh\nexec ${process.execPath} ${KEYDESK} "$@"\n`);
  chmodSync(join(folder, 'keydesk'), 0o755);

  it('completes in bash', async () => {
    const { out: script } = await runCli('completion bash');
    const trial = `${script}\nCOMP_WORDS=(keydesk policy ex); COMP_CWORD=2; _keydesk; echo "\${COMPREPLY[@]}"`;
    const env = { ...process.env, PATH: `${folder}:${process.env.PATH}` };
    expect(spawnSync('bash', ['-c', trial], { encoding: 'utf8', env }).stdout).toBe('explain\n');
  });

  const zsh = needs('zsh');
  it.skipIf(zsh.missing)(zsh.title('is a script that zsh can read'), async () => {
    const { out: script } = await runCli('completion zsh');
    expect(spawnSync('zsh', ['-n'], { input: script, encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
  });

  const fish = needs('fish');
  it.skipIf(fish.missing)(fish.title('completes in fish'), async () => {
    const { out: script } = await runCli('completion fish');
    const env = { ...process.env, HOME: folder, PATH: `${folder}:${process.env.PATH}` };
    const trial = `${script}\ncomplete -C 'keydesk policy ex'`;
    expect(spawnSync('fish', ['-c', trial], { encoding: 'utf8', env }).stdout).toMatch(/^explain$/m);
  });

  it('refuses another shell, and names the three', async () => {
    expect(await runCli('completion csh')).toMatchObject({ code: 2, err: expect.stringContaining('bash, zsh, fish') });
  });
});
