// What requests cost that get nothing: their processor time, and how many a second one instance refuses, compared with the
// bare framework.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { functionEnvironment, ROOT } from '../sandbox/functions.ts';
import { freePort, respondsOverHttp, run, untilReady } from '../sandbox/process.ts';
import { send, withFunction } from './load.ts';
import { milliseconds, row, type Surroundings, title } from './measure.ts';

const REQUESTS = 6_000;
const OTHER_PIPELINE = '0184990a-0000-4000-8000-000000000000';

export async function benchRejections({ buildkite, settings }: Surroundings): Promise<void> {
  title('Rejected requests, 16 at once');
  const bare = await bareFramework();
  row('bare framework, 400 to everything', bare, '/s');
  const tokens = {
    malformed: 'not-a-job-token',
    expired: await buildkite.jobToken(buildkite.startJob(), { issuedAt: 1_700_000_000 }),
    'no rule': await buildkite.jobToken(buildkite.startJob({ pipeline_id: OTHER_PIPELINE })),
  };
  await withFunction('token', settings, async ({ post, load }) => {
    for (const [what, jobToken] of Object.entries(tokens)) {
      const items = Array.from({ length: REQUESTS }, () => `Bearer ${jobToken}`);
      const reject = async (authorization: string) => void (await post('/token/staging-config', { authorization }));
      await load(16, items, reject);
      const { all, processor } = await load(16, items, reject);
      const rate = (REQUESTS / all) * 1000;
      row(`${what}: a second`, rate, '/s', `${(rate / bare).toFixed(2)} × bare`);
      row(`${what}: processor time`, processor, 'ms', '', { aim: 0.2 });
    }
  });
}

/** Responses a second. */
async function bareFramework(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'keydesk-bare-'));
  writeFileSync(join(folder, 'package.json'), '{"main":"index.cjs"}');
  writeFileSync(
    join(folder, 'index.cjs'),
    "exports.bare = (request, response) => response.status(400).json({ error: 'bare' });",
  );
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/`;
  const running = run(join(ROOT, 'node_modules/.bin/functions-framework'), ['--target=bare', `--port=${port}`], {
    cwd: folder,
    env: functionEnvironment({}),
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  const all = (count: number) =>
    milliseconds(() =>
      Promise.all(
        Array.from({ length: 16 }, async () => {
          for (let sent = 0; sent < count / 16; sent += 1) await send(agent, url, { authorization: 'Bearer none' });
        }),
      ),
    );
  try {
    await untilReady('the bare framework', running, () => respondsOverHttp(url));
    await all(REQUESTS);
    return (REQUESTS / (await all(REQUESTS))) * 1000;
  } finally {
    agent.destroy();
    await running.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
