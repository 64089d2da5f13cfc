// The processes that the sandbox started end with it, whatever ends it.

import { describe, expect, it } from 'vitest';
import { lives, script, type Watched, watch } from './processes.ts';

/** Starts a child that runs for minutes, prints both process IDs, and then prints a line every 50 ms. */
const PARENT = script(`
  const { waitForShutdown } = await import(sandbox + 'shutdown.ts');
  const { run, stopAll } = await import(sandbox + 'process.ts');
  const stopRequested = waitForShutdown();
  const { process: child } = run('sleep', ['300']);
  console.log(process.pid, child.pid);
  setInterval(() => console.log('.'), 50);
  await stopRequested;
  await stopAll();
  process.exit(7);`);

const patient = { timeout: 15_000 };

async function pidsOf({ out }: Watched): Promise<{ pid: number; childPid: number }> {
  await expect.poll(out, patient).toMatch(/^\d+ \d+\n/);
  const [pid = 0, childPid = 0] = out().split(/\s/).map(Number);
  expect([lives(pid), lives(childPid)]).toEqual([true, true]);
  return { pid, childPid };
}

async function areGone(...pids: number[]): Promise<void> {
  await expect.poll(() => pids.filter(lives), patient).toEqual([]);
}

describe('the processes of the sandbox', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('end on %s', async (signal) => {
    const watched = watch(process.execPath, PARENT);
    const { childPid } = await pidsOf(watched);
    watched.child.kill(signal);
    expect(await watched.ended).toBe(7);
    await areGone(childPid);
  });

  it('end when the reader of the output has gone, as with "| head"', async () => {
    const watched = watch(process.execPath, PARENT);
    const { childPid } = await pidsOf(watched);
    watched.child.stdout?.destroy();
    expect(await watched.ended).toBe(7);
    await areGone(childPid);
    expect(watched.err()).toBe('');
  });

  it('end when the process that started the sandbox is killed with SIGKILL', async () => {
    const { npm_lifecycle_event: _, ...env } = process.env;
    const shell = watch('sh', ['-c', '"$0" "$@" & wait', process.execPath, ...PARENT], env);
    const { pid, childPid } = await pidsOf(shell);
    shell.child.kill('SIGKILL');
    await areGone(pid, childPid);
  });

  it('end when npm is killed with SIGKILL and its shell stays', async () => {
    const inShell = ['-c', 'sh -c \'"$0" "$@"; true\' "$0" "$@"; true', process.execPath, ...PARENT];
    const npm = watch('sh', inShell, { ...process.env, npm_lifecycle_event: 'start' });
    const { pid, childPid } = await pidsOf(npm);
    npm.child.kill('SIGKILL');
    await areGone(pid, childPid);
  });

  it.each([
    ['throws', 'throw new Error("by mistake");'],
    ['exits', 'process.exit(3);'],
  ])('end when the sandbox %s without stopping them', async (_, end) => {
    const watched = watch(
      process.execPath,
      script(`
        const { run } = await import(sandbox + 'process.ts');
        console.log(process.pid, run('sleep', ['300']).process.pid);
        setTimeout(() => { ${end} }, 1000);`),
    );
    const { childPid } = await pidsOf(watched);
    expect(await watched.ended).toBeGreaterThan(0);
    await areGone(childPid);
  });

  it('are the last ones: no process is started once they are being stopped', async () => {
    const watched = watch(
      process.execPath,
      script(`
        const { run, stopAll } = await import(sandbox + 'process.ts');
        await stopAll();
        try { run('sleep', ['300']); } catch (error) { console.log(error.message); }`),
    );
    expect(await watched.ended).toBe(0);
    expect(watched.out()).toBe('sleep is not started, because everything is being stopped\n');
  });
});
