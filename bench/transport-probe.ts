// One measurement of a ledger transport in a process of its own; prints it as JSON. The bundle that is made of it has one
// transport: `own`, or Google's client over `rest` or `grpc`.

import type { Database } from '../shared/firestore/database.ts';

const ROUNDS = 300;

/** A constant of the bundle. */
declare const KIND: 'own' | 'rest' | 'grpc';

void measure();

/** What an issuance does: a read of two documents, and two conditional commits. */
async function round(database: Database, at: number): Promise<void> {
  const [grant, job] = [database.collection('grants').doc(`grant-${at}`), database.collection('jobs').doc(`job-${at}`)];
  await database.getAll(grant, job);
  const [written] = await database.batch().create(grant, RECORD).create(job, RECORD).commit();
  if (!written) throw new Error('no result of a write');
  await database.batch().update(grant, { state: 'active' }, { lastUpdateTime: written.writeTime }).commit();
}

async function open(): Promise<Database> {
  const name = { project: 'keydesk-bench', database: `transport-${KIND}` };
  if (KIND === 'own') {
    const { createRestOpener } = await import('../shared/firestore/rest-database.ts');
    const { createHttpClient } = await import('../shared/runtime/http-client.ts');
    const { systemClock } = await import('../shared/runtime/clock.ts');
    const sendRequest = createHttpClient(systemClock);
    const emulatorHost = process.env.FIRESTORE_EMULATOR_HOST;
    return createRestOpener({ sendRequest, sendAsService: sendRequest, emulatorHost, clock: systemClock })(name);
  }
  const { Firestore } = await import('@google-cloud/firestore');
  const { PassThroughClient } = await import('google-auth-library');
  return new Firestore({
    projectId: name.project,
    databaseId: name.database,
    preferRest: KIND === 'rest',
    ...(KIND === 'rest' ? { authClient: new PassThroughClient() } : {}),
  });
}

const RECORD = Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`field_${at}`, at % 2 ? `value ${at}` : at]));

async function measure(): Promise<void> {
  const begun = performance.now();
  const database = await open();
  const run = Math.floor(performance.timeOrigin);
  await round(database, run);
  const first = performance.now() - begun;
  const times: number[] = [];
  const before = process.cpuUsage();
  for (let at = 1; at <= ROUNDS; at += 1) {
    const started = performance.now();
    await round(database, run + at);
    times.push(performance.now() - started);
  }
  const { user, system } = process.cpuUsage(before);
  times.sort((left, right) => left - right);
  const measured = {
    first,
    warm: times[ROUNDS / 2],
    processor: (user + system) / 1000 / ROUNDS,
    memory: process.memoryUsage().rss / 1024 / 1024,
  };
  process.stdout.write(`${JSON.stringify(measured)}\n`);
  process.exit(0);
}
