// `npm run attack`: can a job that renews as fast as it can keep its end off the record? The built functions over the
// Firestore emulator behind 12 and 30 ms: 16 requests at once renew 20 credentials while the webhook is sent. Prints how
// long the webhook took, and exits with 1 unless each returned 200 and no token was issued after that response.

import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Firestore } from '@google-cloud/firestore';
import { PassThroughClient } from 'google-auth-library';
import { startFirestore } from '../sandbox/emulators.ts';
import { startFakeBuildkite } from '../sandbox/fakes/buildkite/buildkite.ts';
import { startFakeGoogle } from '../sandbox/fakes/google/google.ts';
import { startFunction } from '../sandbox/functions.ts';
import { systemClock } from '../shared/runtime/clock.ts';

const { runs } = parseArgs({ options: { runs: { type: 'string', default: '100' } } }).values;
const LATENCIES_MS = [12, 30];
const AT_ONCE = 16;
const CREDENTIALS = Array.from({ length: 20 }, (_, index) => `export-${index}`);
const ACCOUNT = 'export@acme-attack.iam.gserviceaccount.com';
const AUDIENCE = 'https://keydesk.acme.example';
const PROJECT = 'keydesk-attack';
const WEBHOOK_TOKEN = 'attack-webhook-token';
const POLICY = `
version: 1
organization: { slug: acme-inc }
audience: ${AUDIENCE}
limits: { tokensPerMinute: 600, liveGrantsPerPipeline: 100000 }
environments: { staging: {} }
credentials:
${CREDENTIALS.map((name) => `  ${name}: { environment: staging, ttl: 15m, serviceAccount: { email: ${ACCOUNT}, scopes: [https://www.googleapis.com/auth/datastore] } }`).join('\n')}
rules:
  - { name: all, match: { pipeline_slug: app }, grants: [${CREDENTIALS.join(', ')}] }
`;

/** A way to the emulator on which every response comes so much later. */
async function delayed(host: string, milliseconds: number) {
  const [address, port] = host.split(':') as [string, string];
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(Number(port), address);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        client.destroy();
        upstream.destroy();
      });
    }
    client.pipe(upstream);
    upstream.on('data', (chunk) => void systemClock.sleep(milliseconds).then(() => client.write(chunk)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port: own } = server.address() as { port: number };
  const close = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { host: `127.0.0.1:${own}`, close };
}

interface Run {
  readonly status: number;
  readonly tookMs: number;
  /** Tokens that left and are not on the records as they were when the job ended. */
  readonly issuedAfter: number;
  readonly issued: number;
}

const folder = mkdtempSync(join(tmpdir(), 'keydesk-attack-'));
const policyPath = join(folder, 'policy.yaml');
writeFileSync(policyPath, POLICY);
const firestore = await startFirestore();
const buildkite = await startFakeBuildkite({ audience: AUDIENCE, webhookToken: WEBHOOK_TOKEN });
const google = await startFakeGoogle({ accounts: [ACCOUNT] });
process.env.FIRESTORE_EMULATOR_HOST = firestore.host;
const ledger = new Firestore({
  projectId: PROJECT,
  databaseId: 'ledger',
  preferRest: true,
  authClient: new PassThroughClient(),
});

async function attack(token: string, webhook: string): Promise<Run> {
  const job = buildkite.startJob();
  const jobToken = await buildkite.jobToken(job, { lifetime: 600 });
  const issued: string[] = [];
  const request = async (name: string) => {
    const response = await fetch(`${token}/token/${name}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${jobToken}` },
    });
    const body = (await response.json()) as { access_token?: string };
    if (response.status === 200 && body.access_token) issued.push(body.access_token);
  };
  await Promise.all(CREDENTIALS.map(request));
  let over = false;
  const loops = Array.from({ length: AT_ONCE }, async (_, index) => {
    for (let turn = index; !over; turn += AT_ONCE) await request(CREDENTIALS[turn % CREDENTIALS.length] as string);
  });
  await systemClock.sleep(300);
  const body = buildkite.event(job);
  const startedAt = performance.now();
  const response = await fetch(webhook, {
    method: 'POST',
    headers: { 'x-buildkite-signature': buildkite.signature(body) },
    body,
  });
  const tookMs = performance.now() - startedAt;
  await response.body?.cancel();
  const grants = await ledger.collection('grants').where('subject.id', '==', job.id).get();
  const atTheEnd = new Set(grants.docs.flatMap((grant) => grant.get('token_sha256s') as string[]));
  await systemClock.sleep(1_000);
  over = true;
  await Promise.all(loops);
  const after = issued.filter((text) => !atTheEnd.has(createHash('sha256').update(text).digest('hex')));
  return { status: response.status, tookMs, issuedAfter: after.length, issued: issued.length };
}

let succeeded = true;
try {
  for (const latency of LATENCIES_MS) {
    const proxy = await delayed(firestore.host, latency);
    const settings = {
      GOOGLE_CLOUD_PROJECT: PROJECT,
      KEYDESK_DATABASE: 'ledger',
      KEYDESK_ISSUER: buildkite.url,
      KEYDESK_IAMCREDENTIALS_URL: google.url,
      KEYDESK_IAM_URL: google.url,
      FIRESTORE_EMULATOR_HOST: proxy.host,
    };
    const [token, webhook] = await Promise.all([
      startFunction('token', {
        ...settings,
        KEYDESK_POLICY: policyPath,
        GCE_METADATA_HOST: google.metadataHosts.token,
      }),
      startFunction('webhook', {
        ...settings,
        KEYDESK_WEBHOOK_TOKENS: WEBHOOK_TOKEN,
        GCE_METADATA_HOST: google.metadataHosts.webhook,
      }),
    ]);
    const results: Run[] = [];
    for (let run = 0; run < Number(runs); run += 1) results.push(await attack(token.url, webhook.url));
    await Promise.all([token.running.stop(), webhook.running.stop()]);
    proxy.close();
    const times = results.map(({ tookMs }) => Math.round(tookMs)).sort((left, right) => left - right);
    const recorded = results.filter(({ status }) => status === 200).length;
    const after = results.reduce((sum, { issuedAfter }) => sum + issuedAfter, 0);
    const issued = results.reduce((sum, run) => sum + run.issued, 0);
    console.log(
      `${latency} ms: ${recorded} of ${runs} ends returned 200; median ${times[times.length >> 1]} ms, slowest ${times.at(-1)} ms; ${issued} tokens issued, ${after} of them after the end`,
    );
    succeeded &&= recorded === Number(runs) && after === 0;
  }
} finally {
  await Promise.all([buildkite.close(), google.close(), firestore.stop()]);
  rmSync(folder, { recursive: true, force: true });
}
process.exit(succeeded ? 0 : 1);
