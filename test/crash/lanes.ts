// Places in which crash tests run side by side: each a local Google with a clock of its own, which serves one run at a
// time. A run has a project of its own there, with service accounts that no other run ever had.

import { randomBytes } from 'node:crypto';
import { type LocalBuildkite, startBuildkite } from '../../sandbox/buildkite/buildkite.ts';
import { type LocalGoogle, startGoogle } from '../../sandbox/google/google.ts';

/** Runs that one lane can serve. */
const RUNS = 400;

export type Identity = 'token' | 'webhook' | 'sweep' | 'operator';

export interface Lane {
  readonly google: LocalGoogle;
  readonly buildkite: LocalBuildkite;
  /** Milliseconds since the epoch: where the clock of the run stands. Each look at it takes a millisecond. */
  readonly clock: { now: number };
  readonly now: () => number;
  /** The access token of an identity that Keydesk runs under. */
  readonly identities: Readonly<Record<Identity, string>>;
  /** Projects that no run had yet. */
  readonly projects: string[];
}

export interface Lanes {
  use<T>(work: (lane: Lane) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export function accountsOf(project: string) {
  const email = (name: string) => `${name}@${project}.iam.gserviceaccount.com`;
  return {
    pool: [email('ci-001'), email('ci-002')],
    /** Its tokens are narrowed to a bucket. */
    narrowedPool: [email('cache-001'), email('cache-002')],
    shared: email('export'),
    signer: email('signer'),
  };
}

export async function openLanes(count: number): Promise<Lanes> {
  // Its clock makes leaps, because it counts calls within a minute, and here all lanes' come together.
  let leaps = Date.now();
  const now = () => {
    leaps += 120_000;
    return leaps;
  };
  const buildkite = await startBuildkite({ audience: 'https://keydesk.acme.example', webhookToken: 'unused', now });
  const lanes = await Promise.all(Array.from({ length: count }, () => openLane(buildkite)));
  const free = [...lanes];
  const waiting: ((lane: Lane) => void)[] = [];
  const take = () => {
    const lane = free.pop();
    return lane ? Promise.resolve(lane) : new Promise<Lane>((resolve) => waiting.push(resolve));
  };
  const giveBack = (lane: Lane) => {
    const next = waiting.shift();
    if (next) next(lane);
    else free.push(lane);
  };
  return {
    use: async (work) => {
      const lane = await take();
      try {
        return await work(lane);
      } finally {
        lane.google.before = undefined;
        giveBack(lane);
      }
    },
    close: async () => {
      await Promise.all([buildkite, ...lanes.map(({ google }) => google)].map((server) => server.close()));
    },
  };
}

async function openLane(buildkite: LocalBuildkite): Promise<Lane> {
  const random = randomBytes(4).toString('hex');
  const projects = Array.from({ length: RUNS }, (_, run) => `crash-${random}-${run}`);
  const accounts = projects.flatMap((project) => {
    const { pool, narrowedPool, shared, signer } = accountsOf(project);
    return [...pool, ...narrowedPool, shared, signer];
  });
  const clock = { now: 0 };
  const now = () => {
    clock.now += 1;
    return clock.now;
  };
  const google = await startGoogle({ accounts, now });
  const identities = {
    token: await accessTokenAt(google.metadataHosts.token),
    webhook: await accessTokenAt(google.metadataHosts.webhook),
    sweep: await accessTokenAt(google.metadataHosts.sweep),
    operator: await accessTokenAt(google.metadataHost),
  };
  return { google, buildkite, clock, now, identities, projects };
}

async function accessTokenAt(metadataHost: string): Promise<string> {
  const path = 'computeMetadata/v1/instance/service-accounts/default/token';
  const answer = await fetch(`http://${metadataHost}/${path}`, { headers: { 'metadata-flavor': 'Google' } });
  const { access_token } = (await answer.json()) as { access_token: string };
  return access_token;
}
