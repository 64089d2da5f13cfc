// The plugin's own tests, with the tools of this machine and with those of busybox. Steps with the latter are in busybox.deep.ts.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'vitest';
import { busybox, busyboxTools } from './busybox.ts';
import { runItsTests } from './own-tests.ts';

it('the plugin passes its own tests', () => runItsTests(process.env.PATH ?? ''));

it.skipIf(busybox.missing)(busybox.title('the plugin passes its own tests with the tools of busybox'), async () => {
  const folder = mkdtempSync(join(tmpdir(), 'keydesk-busybox-'));
  await runItsTests(`${busyboxTools(folder)}:${process.env.PATH}`).finally(() =>
    rmSync(folder, { recursive: true, force: true }),
  );
});
