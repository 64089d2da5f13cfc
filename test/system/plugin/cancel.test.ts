// A cancel after everything is issued and before the agent knows of it. Each test stops the hook at a certain point,
// cancels the job there, and lets the hook continue.

import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { type InProcessKeydesk, openInProcessKeydesk } from '../../fixtures/in-process-keydesk.ts';
import { grantEvents, PLUGIN, runAStep, type StepSetup, startAStep } from './step.ts';

let keydesk: InProcessKeydesk;
let folder: string;
beforeAll(async () => {
  keydesk = await openInProcessKeydesk();
});
afterAll(() => keydesk.close());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keydesk-cancel-'));
  return () => rmSync(folder, { recursive: true, force: true });
});

const uses = [{ credentials: { name: 'staging-config', token: 'CONFIG' } }];
const hold = () => `[ -e '${folder}/go' ] || echo 'held here' >&2; while [ ! -e '${folder}/go' ]; do sleep 0.05; done`;

/** A `cat` that does something first when its arguments are such. The plugin's subshells give it `--`, the agent's shell does not. */
function slowCat(pattern: string, first: string): Pick<StepSetup, 'path'> {
  const script = `#!/bin/sh\ntrap : TERM\ncase "$*" in ${pattern}) ${first} ;; esac\nexec /bin/cat "$@"\n`;
  writeFileSync(join(folder, 'cat'), script, { mode: 0o755 });
  return { path: [folder] };
}

/** The plugin, with something that happens when its own part of the hook is over. */
function thenHold(): Pick<StepSetup, 'plugins'> {
  const keydesk = join(folder, 'keydesk');
  cpSync(PLUGIN, keydesk, { recursive: true });
  mkdirSync(join(keydesk, 'inner'));
  cpSync(join(PLUGIN, 'hooks/pre-command'), join(keydesk, 'inner/pre-command'));
  writeFileSync(
    join(keydesk, 'hooks/pre-command'),
    `#!/usr/bin/env bash\n. "\${BASH_SOURCE[0]%/*}/../inner/pre-command"\n${hold()}\n`,
  );
  return { plugins: { keydesk } };
}

it.each<[string, () => Pick<StepSetup, 'path' | 'plugins'>]>([
  ['before the hook has printed its exports', () => slowCat('--*/url', hold())],
  ['before the shell has made the exports', () => slowCat('/*.access-token', hold())],
  ['before the agent reads the exports', thenHold],
])('pre-exit releases the credentials after a cancel %s', async (_, holding) => {
  const running = startAStep(keydesk, { uses, ...holding() });
  await running.saw('held here');
  running.cancel();
  writeFileSync(join(folder, 'go'), '');
  const { exitCode, output, phases, environment, leftBehind } = await running.finished;
  expect(exitCode).toBe(143);
  expect(phases.map(({ name }) => name)).not.toContain('commands');
  expect(environment.KEYDESK_DIR).toMatch(/\/keydesk-\w{10}$/);
  expect(output).toContain('staging-config: released');
  expect(grantEvents(keydesk, running.job).slice(-1)).toEqual(['grant.revoked staging-config']);
  expect(leftBehind).toEqual([]);
});

it('a cancel releases a token at once as soon as it is on disk', async () => {
  const running = startAStep(keydesk, { uses, ...slowCat('--*.access-token', hold()) });
  await running.saw('held here');
  running.cancel();
  writeFileSync(join(folder, 'go'), '');
  const { exitCode, output, environment, leftBehind } = await running.finished;
  expect(exitCode).toBe(143);
  expect(environment).not.toHaveProperty('KEYDESK_DIR');
  expect(output).toContain('staging-config: released');
  expect(grantEvents(keydesk, running.job).slice(-1)).toEqual(['grant.revoked staging-config']);
  expect(leftBehind).toEqual([]);
});

it('pre-exit releases the credentials of a hook that was killed before it exported its folder', async () => {
  const { exitCode, output, environment, job, leftBehind } = await runAStep(keydesk, {
    uses,
    ...slowCat('/*.access-token', `[ -e '${folder}/go' ] || { : >'${folder}/go'; kill -KILL 0; }`),
  });
  expect(exitCode).toBe(137);
  expect(environment).not.toHaveProperty('KEYDESK_DIR');
  expect(output).toContain('staging-config: released');
  expect(grantEvents(keydesk, job).slice(-1)).toEqual(['grant.revoked staging-config']);
  expect(leftBehind).toEqual([]);
});
