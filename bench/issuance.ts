// A warm instance of `token`: how long a token takes over its necessary round trips, and what it costs in processor time, by kind
// and by how many come at once. Each token is of another job.

import { createRestOpener } from '../shared/firestore/rest-database.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import { createHttpClient } from '../shared/runtime/http-client.ts';
import { sendingTheCallsOfAToken, withBareHandler } from './bare.ts';
import { type FunctionUnderLoad, withFunction } from './load.ts';
import { median, milliseconds, percentile, row, type Surroundings, title } from './measure.ts';

const TOKENS = 480;
const AT_ONCE = [1, 16, 80];
const KINDS = {
  'staging-export': 'shared account',
  'staging-config': 'firestore',
  'staging-cache': 'storage',
} as const;
type CredentialName = keyof typeof KINDS;
/** Milliseconds of processor time, where there is an aim. */
const PROCESSOR_AIMS: Readonly<Record<number, number>> = { 1: 3, 16: 2 };

export async function benchIssuance({ buildkite, google, settings }: Surroundings): Promise<void> {
  const calls = sendingTheCallsOfAToken({
    emulatorHost: settings.FIRESTORE_EMULATOR_HOST as string,
    googleUrl: google.url,
  });
  const bare = await withBareHandler(calls, async ({ post, load }) => {
    title('The calls of a shared account’s token, by a bare handler');
    const items = Array.from({ length: TOKENS }, () => undefined);
    const each = async () => void (await post('/', {}));
    await load(16, items, each);
    const taken: Record<number, number> = {};
    for (const many of AT_ONCE) {
      taken[many] = (await load(many, items, each)).processor;
      row(`${many} at once: processor time`, taken[many], 'ms');
    }
    return taken;
  });
  const jobTokens = (count: number) =>
    Promise.all(Array.from({ length: count }, async () => `Bearer ${await buildkite.jobToken(buildkite.startJob())}`));
  await withFunction('token', settings, async ({ post, load }) => {
    const issue = (credential: string) => async (authorization: string) => {
      const status = await post(`/token/${credential}`, { authorization });
      if (status !== 200) throw new Error(`a token request returned ${status}`);
    };
    for (const credential of Object.keys(KINDS)) await load(16, await jobTokens(TOKENS), issue(credential));
    const trips = await roundTrips(settings, google.url);
    title('Round trips of a warm token, each alone (median)');
    for (const [label, value] of Object.entries(trips)) row(label, value, 'ms');
    const floors: Readonly<Record<CredentialName, number>> = {
      'staging-export': 2 * trips.commit + Math.max(trips.mint, trips.read),
      'staging-config': 2 * trips.commit + Math.max(2 * trips.mint, trips.read, trips.commit),
      'staging-cache': 2 * trips.commit + Math.max(2 * trips.mint, trips.read),
    };
    for (const [credential, kind] of Object.entries(KINDS) as [CredentialName, string][]) {
      title(`Warm token of a ${kind} credential`);
      for (const many of AT_ONCE) {
        const measured = await load(many, await jobTokens(TOKENS), issue(credential));
        report(many, measured, { floor: floors[credential], bare: bare[many] as number });
      }
    }
  });
}

type Measured = Awaited<ReturnType<FunctionUnderLoad['load']>>;

function report(
  many: number,
  { latencies, all, processor }: Measured,
  { floor, bare }: { readonly floor: number; readonly bare: number },
): void {
  const each = `${many} at once`;
  const ratio = `${(median(latencies) / floor).toFixed(2)} × overlapped round trips`;
  row(`${each}: p50`, median(latencies), 'ms', many === 1 ? ratio : '');
  row(`${each}: p95`, percentile(latencies, 95), 'ms');
  row(`${each}: p99`, percentile(latencies, 99), 'ms');
  row(`${each}: tokens a second`, (latencies.length / all) * 1000, '/s');
  const aim = PROCESSOR_AIMS[many];
  const above = `${(processor / bare).toFixed(2)} × a bare handler's`;
  row(`${each}: processor time`, processor, 'ms', above, aim === undefined ? {} : { aim });
}

async function roundTrips(settings: Surroundings['settings'], googleUrl: string) {
  const sendRequest = createHttpClient(systemClock);
  const emulatorHost = settings.FIRESTORE_EMULATOR_HOST;
  const open = createRestOpener({ sendRequest, sendAsService: sendRequest, emulatorHost, clock: systemClock });
  const database = open({ project: 'keydesk-bench', database: 'round-trips' });
  const documents = database.collection('round-trips');
  const times = { read: [] as number[], commit: [] as number[], mint: [] as number[] };
  for (let round = 0; round < 120; round += 1) {
    const [one, other] = [documents.doc(`one-${round}`), documents.doc(`other-${round}`)];
    times.commit.push(
      await milliseconds(() => database.batch().create(one, { state: 'issuing' }).create(other, {}).commit()),
    );
    times.read.push(await milliseconds(() => one.get()));
    times.mint.push(await milliseconds(() => sendRequest({ dependency: 'gate', url: `${googleUrl}/gate` })));
  }
  return { read: median(times.read), commit: median(times.commit), mint: median(times.mint) };
}
