// Builds the functions once, for the tests of what is deployed.

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export default function buildFunctions(): void {
  const root = fileURLToPath(new URL('..', import.meta.url));
  execFileSync(process.execPath, ['scripts/build.ts'], { cwd: root, stdio: 'inherit' });
}
