// Handlers under the bare framework, in a process of their own: what no service on it can be cheaper than.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { functionEnvironment, ROOT } from '../sandbox/functions.ts';
import { freePort, respondsOverHttp, run, untilReady } from '../sandbox/process.ts';
import { type FunctionUnderLoad, underLoad } from './load.ts';

/** A response of 400 to everything. */
export const REFUSING = "exports.bare = (request, response) => response.status(400).json({ error: 'bare' });";

export async function withBareHandler<T>(code: string, work: (running: FunctionUnderLoad) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'keydesk-bare-'));
  writeFileSync(join(folder, 'package.json'), '{"main":"index.cjs"}');
  writeFileSync(join(folder, 'index.cjs'), code);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const running = run(join(ROOT, 'node_modules/.bin/functions-framework'), ['--target=bare', `--port=${port}`], {
    cwd: folder,
    env: functionEnvironment({}),
  });
  try {
    await untilReady('the bare framework', running, () => respondsOverHttp(`${url}/`));
    return await underLoad({ url, running }, work);
  } finally {
    await running.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
