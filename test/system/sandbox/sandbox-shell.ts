// Runs a script in the sandbox's shell, as `npm start -- --shell < SCRIPT` does, on the emulators of the tests.

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { inject } from 'vitest';
import { ROOT } from '../../../sandbox/functions.ts';
import { script } from './processes.ts';

const SHELL = script(
  `const { runSandbox } = await import(sandbox + 'run.ts');
  const { readDeployablePolicy } = await import(sandbox + '../cli/policy-file.ts');
  const { POLICY_FILE: policyFile, PLAY: play, LEDGER_PROJECT: ledgerProject } = process.env;
  const { policy } = readDeployablePolicy(policyFile);
  process.exit(await runSandbox({ policy, policyFile, ledgerProject, play, once: false, shell: true }));`,
);

export interface ShellRun {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * @param policyFile the absolute path of a policy; the example policy when it is left out
 * @param ledgerProject for a policy that would meet the records of other tests in the usual ledger
 */
export function runInShell(text: string, policyFile?: string, ledgerProject?: string): Promise<ShellRun> {
  const child = spawn(process.execPath, SHELL, {
    cwd: ROOT,
    env: {
      ...process.env,
      SHELL: 'bash',
      FIRESTORE_EMULATOR_HOST: inject('firestoreHost'),
      FIREBASE_AUTH_EMULATOR_HOST: inject('authHost'),
      POLICY_FILE: policyFile ?? join(ROOT, 'examples/policy.yaml'),
      ...(policyFile === undefined ? { PLAY: 'demo' } : {}),
      ...(ledgerProject === undefined ? {} : { LEDGER_PROJECT: ledgerProject }),
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk;
  });
  child.stdin.end(text);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode) => resolve({ exitCode, stdout, stderr }));
  });
}

/** What each part of a script printed, by its name, which the script begins with `== NAME`. */
export function partsOf(output: string): ReadonlyMap<string, string> {
  const parts = output.split(/^== (.+)\n/m).slice(1);
  return new Map(parts.flatMap((name, at) => (at % 2 === 0 ? [[name, parts[at + 1] ?? '']] : [])));
}
