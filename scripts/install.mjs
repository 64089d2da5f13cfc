// Installs the project's packages when they are missing or older than the lock file, so that `npm start`
// and `npm test` work straight after `git clone`. Plain JavaScript: it runs on whatever Node the machine has.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';

const lock = 'package-lock.json';
const stamp = 'node_modules/.package-lock.json';
const runtime = 'node_modules/node/bin/node';

const current = existsSync(stamp) && existsSync(runtime) && statSync(stamp).mtimeMs >= statSync(lock).mtimeMs;
if (!current) {
  console.log('keydesk: installing packages, once (npm ci)');
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (status !== 0) {
    console.error('keydesk: "npm ci" failed; its message is above. Mend that and run the command again.');
    process.exit(status ?? 1);
  }
}
