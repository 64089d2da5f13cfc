// Handlers under the bare framework, in a process of their own: what no service on it can be cheaper than.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { functionEnvironment, ROOT } from '../sandbox/functions.ts';
import { freePort, respondsOverHttp, run, untilReady } from '../sandbox/process.ts';
import { type FunctionUnderLoad, underLoad } from './load.ts';

/** A response of 400 to everything. */
export const REFUSING = "exports.bare = (request, response) => response.status(400).json({ error: 'bare' });";

/**
 * The calls that a token of a shared account cannot do without, with bodies as large as a token's: a commit, a read and a mint at once, and another
 * commit. Then a line and a response.
 */
export function sendingTheCallsOfAToken({
  emulatorHost,
  googleUrl,
}: {
  readonly emulatorHost: string;
  readonly googleUrl: string;
}): string {
  return `
const { randomUUID } = require('node:crypto');
const { Agent, request } = require('node:http');
const agent = new Agent({ keepAlive: true });
const call = (url, method, json) =>
  new Promise((resolve, reject) => {
    const body = json === undefined ? '' : JSON.stringify(json);
    const headers = { authorization: 'Bearer owner', 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const sent = request(url, { method, agent, headers }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => resolve(Buffer.concat(chunks).toString()));
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
const root = 'projects/keydesk-bench/databases/bare/documents';
const firestore = (method, json) => call('http://${emulatorHost}/v1/' + root + ':' + method, 'POST', json);
const fieldsOf = (count) =>
  Object.fromEntries(Array.from({ length: count }, (_, nth) => ['field_' + nth, { stringValue: 'a value of usual length' }]));
exports.bare = async (incoming, response) => {
  const [grant, job] = ['grants/' + randomUUID(), 'jobs/' + randomUUID()].map((path) => root + '/' + path);
  const currentDocument = { exists: false };
  await firestore('commit', {
    writes: [
      { update: { name: grant, fields: fieldsOf(36) }, currentDocument },
      { update: { name: job, fields: fieldsOf(14) }, currentDocument },
    ],
  });
  await Promise.all([firestore('batchGet', { documents: [root + '/blocks/current'] }), call('${googleUrl}/gate', 'GET')]);
  const update = { name: grant, fields: fieldsOf(14) };
  await firestore('commit', { writes: [{ update, updateMask: { fieldPaths: Object.keys(update.fields) }, currentDocument: { exists: true } }] });
  process.stdout.write(JSON.stringify({ severity: 'INFO', fields: fieldsOf(30) }) + '\\n');
  response.json({ access_token: 'x'.repeat(200), grant });
};`;
}

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
