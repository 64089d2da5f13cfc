// A warm instance: the cost of a token request over its necessary round trips, and how many refusals a second it
// returns, compared with the bare framework.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { functionEnvironment, ROOT, startFunction } from '../sandbox/functions.ts';
import { freePort, respondsOverHttp, run, untilReady } from '../sandbox/process.ts';
import { createRestOpener } from '../shared/firestore/rest-database.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import { createHttpClient } from '../shared/runtime/http-client.ts';
import { median, milliseconds, row, type Surroundings, title } from './measure.ts';

const ISSUES = 192;
const REFUSALS = 4_000;

export async function benchWarm({ buildkite, google, settings }: Surroundings): Promise<void> {
  const { url, running } = await startFunction('token', settings);
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const post = (path: string, authorization: string) => send(agent, url, path, authorization);
  try {
    const jobToken = async () => `Bearer ${await buildkite.jobToken(buildkite.startJob())}`;
    for (let warmed = 0; warmed < 30; warmed += 1) await post('/token/staging-config', await jobToken());

    const trips = await roundTrips(settings, google.url);
    title('Warm token request over its round trips (median)');
    row('one read of two documents in the ledger, alone', trips.read, 'ms');
    row('one conditional commit to the ledger, alone', trips.commit, 'ms');
    row('one write of a grant document, alone', trips.write, 'ms');
    row('one call to the local Google, alone', trips.mint, 'ms');
    const ledger = trips.read + 2 * trips.commit;
    const floor = { 'staging-export': ledger + trips.mint, 'staging-config': ledger + trips.write };
    for (const [credential, least] of Object.entries(floor))
      for (const atOnce of [1, 16]) {
        const tokens = await Promise.all(Array.from({ length: ISSUES }, jobToken));
        const { each, all } = await load(atOnce, tokens, async (token) => {
          const status = await post(`/token/${credential}`, token);
          if (status !== 200) throw new Error(`a token request returned ${status}\n${running.output().slice(-1500)}`);
        });
        row(
          `${credential}, ${atOnce} at once`,
          each,
          'ms',
          `${(each / least).toFixed(2)} × round trips, ${((ISSUES / all) * 1000).toFixed(0)}/s`,
        );
      }

    title('Refusals a second, 16 at once');
    const expired = `Bearer ${await buildkite.jobToken(buildkite.startJob(), { issuedAt: 1_700_000_000 })}`;
    const stranger = `Bearer ${await buildkite.jobToken(buildkite.startJob({ pipeline_id: '0184990a-0000-4000-8000-000000000000' }))}`;
    const garbage = 'Bearer not-a-job-token';
    const bare = await bareFramework(async (bareUrl) => perSecond(() => send(agent, bareUrl, '/', garbage)));
    row('bare framework, 400 to everything', bare, '/s');
    for (const [what, token] of Object.entries({ malformed: garbage, expired, 'no rule': stranger })) {
      const rate = await perSecond(() => post('/token/staging-config', token));
      row(`keydesk, ${what}`, rate, '/s', `${(rate / bare).toFixed(2)} × bare`);
    }
  } finally {
    agent.destroy();
    await running.stop();
  }
}

async function load<T>(atOnce: number, items: readonly T[], work: (item: T) => Promise<void>) {
  const waiting = [...items];
  const times: number[] = [];
  const all = await milliseconds(() =>
    Promise.all(
      Array.from({ length: atOnce }, async () => {
        for (let item = waiting.pop(); item !== undefined; item = waiting.pop()) {
          const current = item;
          times.push(await milliseconds(() => work(current)));
        }
      }),
    ),
  );
  return { each: median(times), all };
}

async function perSecond(work: () => Promise<unknown>): Promise<number> {
  await load(16, Array.from({ length: REFUSALS / 4 }), async () => void (await work()));
  const { all } = await load(
    16,
    Array.from({ length: REFUSALS }, (_, index) => index),
    async () => void (await work()),
  );
  return (REFUSALS / all) * 1000;
}

async function roundTrips(settings: Surroundings['settings'], googleUrl: string) {
  const sendRequest = createHttpClient(systemClock);
  const emulatorHost = settings.FIRESTORE_EMULATOR_HOST;
  const open = createRestOpener({ sendRequest, sendAsService: sendRequest, emulatorHost, clock: systemClock });
  const database = open({ project: 'keydesk-bench', database: 'round-trips' });
  const documents = database.collection('round-trips');
  const times = { read: [] as number[], commit: [] as number[], write: [] as number[], mint: [] as number[] };
  for (let round = 0; round < 60; round += 1) {
    const [one, other] = [documents.doc(`one-${round}`), documents.doc(`other-${round}`)];
    const { writeTime } = await one.create({ state: 'issuing' });
    times.read.push(await milliseconds(() => database.getAll(one, other)));
    times.commit.push(
      await milliseconds(() =>
        database.batch().update(one, { state: 'active' }, { lastUpdateTime: writeTime }).commit(),
      ),
    );
    times.write.push(await milliseconds(() => other.create({ state: 'active' })));
    times.mint.push(await milliseconds(async () => (await fetch(`${googleUrl}/gate`)).text()));
  }
  return {
    read: median(times.read),
    commit: median(times.commit),
    write: median(times.write),
    mint: median(times.mint),
  };
}

async function bareFramework(work: (url: string) => Promise<number>): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'keydesk-bare-'));
  writeFileSync(join(folder, 'package.json'), '{"main":"index.cjs"}');
  writeFileSync(
    join(folder, 'index.cjs'),
    "exports.bare = (request, response) => response.status(400).json({ error: 'bare' });",
  );
  const port = await freePort();
  const running = run(join(ROOT, 'node_modules/.bin/functions-framework'), ['--target=bare', `--port=${port}`], {
    cwd: folder,
    env: functionEnvironment({}),
  });
  try {
    await untilReady('the bare framework', running, () => respondsOverHttp(`http://127.0.0.1:${port}/`));
    return await work(`http://127.0.0.1:${port}`);
  } finally {
    await running.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function send(agent: Agent, url: string, path: string, authorization: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(
      `${url}${path}`,
      { method: 'POST', agent, headers: { authorization, 'content-length': 0 } },
      (answer) => {
        answer.resume();
        answer.on('end', () => resolve(answer.statusCode ?? 0));
      },
    );
    sent.on('error', reject);
    sent.end();
  });
}
