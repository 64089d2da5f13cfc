// Runs a program of a tool on the project's own Node, which runs TypeScript, whichever Node the shell has.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));

/** In the project's folder. This process ends with its exit code. @param args the program's file, and its arguments */
export function runOnOwnNode(...args) {
  const child = spawn(`${root}node_modules/node/bin/node`, args, { cwd: root, stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`${error.message}: run "npm ci" first\n`);
    process.exitCode = 2;
  });
  child.on('exit', (code, signal) => {
    if (signal) process.stderr.write(`ended by ${signal}\n`);
    process.exitCode = code ?? 1;
  });
}
