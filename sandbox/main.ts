// `npm start`: builds what is deployed and plays with it. Knows its arguments; the rest is sandbox/run.ts.

import { parseArgs } from 'node:util';

const USAGE = `usage: npm start -- [--once]
  Plays one job's life against the functions, both emulators, a local Buildkite and a local Google, on loopback only.
  Stays up for trying by hand, until Ctrl-C.

  --once  do not stay up; exit with 0 only if all steps passed`;

const { once } = readOptions();
// Only now: whoever asks how it is used waits for no build.
await import('../scripts/build.ts');
const { runSandbox } = await import('./run.ts');
process.exit(await runSandbox({ once }));

function readOptions(): { readonly once: boolean } {
  try {
    const { values } = parseArgs({
      options: {
        once: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (!values.help) return values;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n${USAGE}\n`);
    process.exit(2);
  }
  process.stdout.write(`${USAGE}\n`);
  process.exit(0);
}
