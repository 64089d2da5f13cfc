// Webhooks as large as the platform delivers, at the built artefact: whatever a job puts into its build's metadata, its own
// job ends and no other, and the instance lives.

import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type FakeBuildkite, startFakeBuildkite } from '../../sandbox/fakes/buildkite/buildkite.ts';
import type { Job } from '../../sandbox/fakes/buildkite/job.ts';
import { type FakeGoogle, startFakeGoogle } from '../../sandbox/fakes/google/google.ts';
import { type RunningFunction, startFunction } from '../../sandbox/functions.ts';
import { systemClock } from '../../shared/runtime/clock.ts';

const WEBHOOK_TOKEN = 'large-webhook-token';
const MIB = 1024 * 1024;
const SIZE = 31 * MIB;
/** Bytes of memory that Terraform gives the function. */
const MEMORY = 512 * MIB;

/** Members of the metadata, SIZE bytes of them. */
const METADATA: Readonly<Record<string, () => string>> = {
  'one long value': () => `"note":"${'x'.repeat(SIZE)}"`,
  'values of 100 KB': () =>
    Array.from({ length: SIZE / 100_000 }, (_, at) => `"note-${at}":"${'x'.repeat(100_000)}"`).join(','),
  'millions of names of one letter': () => `"a":"b"${',"a":"b"'.repeat(SIZE / 8)}`,
  'millions of numbers': () => `"n":[1${',1'.repeat(SIZE / 2)}]`,
  'millions of empty lists': () => `"n":[[]${',[]'.repeat(SIZE / 3)}]`,
  'millions of escapes': () => `"note":"${'\\n'.repeat(SIZE / 2)}"`,
  'lists in lists': () => `"deep":${'['.repeat(SIZE / 2)}${']'.repeat(SIZE / 2)}`,
};

/** The `job.finished` of a job, whose metadata names the other one before and after it. */
function finished(job: Job, other: Job, metadata: string): Buffer {
  const decoy = `"job":{"id":"${other.id}"},"\\u006aob":{"id":"${other.id}"},"event":"job.finished"`;
  const build = `{"meta_data":{${decoy},${metadata},${decoy}}}`;
  return Buffer.from(
    `{"before":{${decoy}},"build":${build},"event":"job.finished","\\u006aob":{"id":"${job.id}","type":"script"},"after":{${decoy}}}`,
  );
}

describe('the built webhook function', () => {
  let buildkite: FakeBuildkite;
  let google: FakeGoogle;
  let token: RunningFunction;
  let webhook: RunningFunction;

  beforeAll(async () => {
    buildkite = await startFakeBuildkite({ audience: 'https://keydesk.acme.example', webhookToken: WEBHOOK_TOKEN });
    google = await startFakeGoogle({ accounts: ['export@acme-staging.iam.gserviceaccount.com'] });
    const settings = {
      KEYDESK_POLICY: 'examples/policy.yaml',
      GOOGLE_CLOUD_PROJECT: 'large-webhook-test',
      KEYDESK_DATABASE: 'ledger',
      KEYDESK_WEBHOOK_TOKENS: `the-next-key,${WEBHOOK_TOKEN}`,
      KEYDESK_ISSUER: buildkite.url,
      KEYDESK_IAMCREDENTIALS_URL: google.url,
      KEYDESK_IDENTITYTOOLKIT_URL: `http://${inject('authHost')}/identitytoolkit.googleapis.com`,
      FIRESTORE_EMULATOR_HOST: inject('firestoreHost'),
      GCE_METADATA_HOST: google.metadataHost,
    };
    [token, webhook] = await Promise.all([startFunction('token', settings), startFunction('webhook', settings)]);
  });
  afterAll(async () => {
    await Promise.all([...[token, webhook].map(({ running }) => running.stop()), buildkite.close(), google.close()]);
  });

  /** A cold function on a busy machine answers 503 first, which means: once more. */
  const hold = (jobToken: string) => expect.poll(() => issue(jobToken)).toBe(200);
  const issue = async (jobToken: string) =>
    (
      await fetch(`${token.url}/token/staging-export`, {
        method: 'POST',
        headers: { authorization: `Bearer ${jobToken}` },
      })
    ).status;

  /** Sends it as Buildkite does: with its length, signed. */
  async function notify(body: Buffer, forged?: string): Promise<{ status: number; text: string }> {
    const timestamp = Math.floor(systemClock.now() / 1000);
    const signature = forged ?? createHmac('sha256', WEBHOOK_TOKEN).update(`${timestamp}.`).update(body).digest('hex');
    const headers = {
      'content-length': body.length,
      'x-buildkite-signature': `timestamp=${timestamp},signature=${signature}`,
    };
    const outgoing = request(webhook.url, { method: 'POST', headers, agent: false });
    const [[answer]] = (await Promise.all([
      once(outgoing, 'response'),
      pipeline(Readable.from(piecesOf(body)), outgoing),
    ])) as [[IncomingMessage], unknown];
    const text = Buffer.concat(await answer.toArray()).toString('utf8');
    return { status: answer.statusCode ?? 0, text };
  }

  it.each(Object.keys(METADATA))('ends the job, and no other, of a webhook of 31 MiB: %s', async (shape) => {
    const [job, other] = [buildkite.startJob(), buildkite.startJob()];
    const [jobToken, othersToken] = [await buildkite.jobToken(job), await buildkite.jobToken(other)];
    await hold(jobToken);
    await hold(othersToken);
    const body = finished(job, other, METADATA[shape]?.() ?? '');
    expect(body.length).toBeGreaterThan(SIZE - 100_000);
    const response = await notify(body);
    expect(response.status).toBe(200);
    expect(JSON.parse(response.text)).toMatchObject({ result: 'job_ended', not_renewed: 1 });
    expect(await issue(jobToken)).toBe(400);
    await hold(othersToken);
  });

  it('refuses forty of them at once that nobody signed, and takes one that was signed meanwhile', async () => {
    const [job, other] = [buildkite.startJob(), buildkite.startJob()];
    const jobToken = await buildkite.jobToken(job);
    await hold(jobToken);
    const bodies = Object.values(METADATA).map((metadata) => finished(job, other, metadata()));
    const forged = Promise.all(
      Array.from({ length: 40 }, (_, at) => notify(bodies[at % bodies.length] as Buffer, '0'.repeat(64))),
    );
    const results: object[] = [];
    // A slow machine may not record the end within its deadline while it hashes all the others. Then it is sent again.
    for (let sent = 0; sent < 50 && !results.some((result) => 'result' in result); sent += 1)
      results.push(JSON.parse((await notify(finished(job, other, '"note":"x"'))).text));
    expect((await forged).map(({ status }) => status)).toEqual(Array(40).fill(401));
    expect(results.at(-1)).toMatchObject({ result: 'job_ended' });
    expect(await issue(jobToken)).toBe(400);
  });

  const status = () => `/proc/${webhook.running.process.pid}/status`;
  it('needed no more memory for all that than it is given', ({ skip }) => {
    if (!existsSync(status())) skip('this system does not tell the most memory that a process had (no /proc)');
    const peak = /^VmHWM:\s+([0-9]+) kB$/m.exec(readFileSync(status(), 'utf8'))?.[1];
    expect(Number(peak) * 1024).toBeGreaterThan(16 * MIB);
    expect(Number(peak) * 1024).toBeLessThan(MEMORY);
  });
});

function* piecesOf(body: Buffer): Generator<Buffer> {
  for (let start = 0; start < body.length; start += MIB) yield body.subarray(start, start + MIB);
}
