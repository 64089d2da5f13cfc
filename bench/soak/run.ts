// One run: everything that surrounds the functions, the load, the time to settle, and the raw export. Leaves a folder with all
// that the checker judges.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { putRules, startFirestore } from '../../sandbox/emulators.ts';
import { startFakeBuildkite } from '../../sandbox/fakes/buildkite/buildkite.ts';
import { API_TOKEN } from '../../sandbox/fakes/buildkite/rest-api.ts';
import { startFakeGoogle } from '../../sandbox/fakes/google/google.ts';
import { seededRandom } from '../../sandbox/seeded-random.ts';
import { parsePolicy } from '../../shared/core/policy/parse-yaml.ts';
import { newRulesFile } from '../../shared/core/security-rules/generate.ts';
import { randomUuid, systemClock } from '../../shared/runtime/clock.ts';
import { listCollections, readCollection, urlOf } from './check/firestore-export.ts';
import { injectFaults, recordGoogle } from './dependency-faults.ts';
import { startProxyThread } from './faulty-proxy-thread.ts';
import { generate } from './generator.ts';
import { DRAIN_MS, Instances } from './instances.ts';
import { KeydeskClient } from './keydesk-client.ts';
import type { FunctionName } from './observation.ts';
import { AUDIENCE, BUCKET, DATA, LEDGER, soakPolicy } from './policy.ts';
import { PROBED_DOCUMENT, Prober } from './probe.ts';
import { Recorder } from './recorder.ts';
import { settle } from './settle.ts';

export interface RunOptions {
  readonly folder: string;
  readonly seed: number;
  readonly jobs: number;
  readonly minutes: number;
  /** Of `token`, `webhook` and `sweep`. */
  readonly instances: readonly [number, number, number];
  readonly onProgress: (text: string) => void;
}

/** As the Terraform module deploys each function. */
const MEMORY_LIMIT_MIB = 512;
const TO_THE_LEDGER = { cut_before: 3, cut_after: 3, delay: 30, stall: 1.5 };
const TO_IDENTITY_TOOLKIT = { cut_before: 20, cut_after: 20, delay: 60, stall: 5 };

export async function run({ folder, seed, jobs, minutes, instances, onProgress }: RunOptions): Promise<void> {
  const random = seededRandom(seed);
  const recorder = new Recorder(folder);
  const policy = soakPolicy(Math.max(4, Math.ceil(jobs * 0.4)));
  const policyFile = join(folder, 'policy.yaml');
  writeFileSync(policyFile, policy.text);
  const webhookToken = randomUuid(systemClock);
  const firestore = await startFirestore();
  const buildkite = await startFakeBuildkite({ audience: AUDIENCE, webhookToken });
  const google = await startFakeGoogle({ accounts: policy.accounts, buckets: [BUCKET] });
  const note = (where: string) => (kind: string) => recorder.write({ type: 'fault', where, kind });
  const [toLedger, toToolkit] = await Promise.all([
    startProxyThread({ target: firestore.host, seed: seed + 1, perMille: TO_THE_LEDGER }, note('Firestore')),
    startProxyThread(
      { target: new URL(google.url).host, seed: seed + 2, perMille: TO_IDENTITY_TOOLKIT },
      note('Identity Toolkit'),
    ),
  ]);
  recorder.write({
    type: 'run',
    at: systemClock.now(),
    seed,
    jobs,
    minutes,
    memory_limit_mib: MEMORY_LIMIT_MIB,
    drain_ms: DRAIN_MS,
    pool: policy.pool,
  });
  recorder.secret('webhook_token', webhookToken);
  recorder.secret('api_token', API_TOKEN);
  await prepareData(firestore.host, policy.text);

  const common = {
    GOOGLE_CLOUD_PROJECT: LEDGER.project,
    KEYDESK_DATABASE: LEDGER.database,
    KEYDESK_ISSUER: buildkite.url,
    KEYDESK_BUILDKITE_API_URL: buildkite.url,
    KEYDESK_IAMCREDENTIALS_URL: google.url,
    KEYDESK_IAM_URL: google.url,
    KEYDESK_STS_URL: google.url,
    KEYDESK_IDENTITYTOOLKIT_URL: `http://${toToolkit.host}`,
    FIRESTORE_EMULATOR_HOST: toLedger.host,
  };
  const own: Record<FunctionName, Record<string, string>> = {
    token: { KEYDESK_POLICY: policyFile },
    webhook: { KEYDESK_WEBHOOK_TOKENS: webhookToken },
    sweep: { KEYDESK_BUILDKITE_API_TOKEN: API_TOKEN },
  };
  const settingsOf = (target: FunctionName) => ({
    ...common,
    // As Cloud Run sets them. Without the first, Google's library looks for a metadata server, and one slow response decides.
    K_SERVICE: `keydesk-${target}`,
    K_REVISION: `keydesk-${target}-00001-abc`,
    ...own[target],
    GCE_METADATA_HOST: google.metadataHosts[target],
  });
  const settings = { token: settingsOf('token'), webhook: settingsOf('webhook'), sweep: settingsOf('sweep') };
  const running = new Instances({ settings, recorder, random: random.fork() });
  const ledger = { host: firestore.host, ...LEDGER };
  try {
    const [tokens, webhooks, sweeps] = instances;
    const wanted: FunctionName[] = [
      ...Array<FunctionName>(tokens).fill('token'),
      ...Array<FunctionName>(webhooks).fill('webhook'),
      ...Array<FunctionName>(sweeps).fill('sweep'),
    ];
    await Promise.all(wanted.map((target) => running.start(target)));
    onProgress('the functions are ready');
    const keydesk = new KeydeskClient({ instances: running, recorder, buildkite });
    const prober = new Prober({ recorder, googleUrl: google.url, firestoreHost: firestore.host });
    const faults = injectFaults({ google, buildkite, recorder, random: random.fork() });
    const load = { instances: running, keydesk, prober, buildkite, recorder, random: random.fork(), jobs, minutes };
    const generated = await generate(load);
    onProgress(`${generated.jobs} jobs have ended`);
    toLedger.behave();
    toToolkit.behave();
    await faults.behave();
    await settle({ keydesk, ledger, recorder, random: random.fork(), onProgress });
    running.sampleMemory();
    await running.stop();
    recordGoogle(google, recorder);
    await exportRaw(folder, firestore.host);
  } finally {
    await running.stop();
    await Promise.all([toLedger.close(), toToolkit.close()]);
    await recorder.close();
    await Promise.all([buildkite.close(), google.close(), firestore.stop()]);
  }
}

/** The security rules of the policy, and a document that tokens may read. */
async function prepareData(host: string, policyText: string): Promise<void> {
  const parsed = parsePolicy(policyText, 'policy.yaml');
  if ('problems' in parsed) throw new Error(`the policy of the run is wrong: ${JSON.stringify(parsed.problems)}`);
  await putRules(host, DATA.project, DATA.database, newRulesFile(parsed.policy, DATA));
  const response = await fetch(`${urlOf({ host, ...DATA })}/${PROBED_DOCUMENT}`, {
    method: 'PATCH',
    headers: { authorization: 'Bearer owner', 'content-type': 'application/json' },
    body: JSON.stringify({ fields: { probed: { booleanValue: true } } }),
  });
  if (!response.ok) throw new Error(`the emulator returned ${response.status} for the document that is probed`);
}

/** Everything in the ledger and in the data database, as it is stored. */
async function exportRaw(folder: string, host: string): Promise<void> {
  const read = async (database: { readonly project: string; readonly database: string }) => {
    const at = { host, ...database };
    const collections = await listCollections(at);
    return Object.fromEntries(
      await Promise.all(collections.map(async (name) => [name, await readCollection(at, name)] as const)),
    );
  };
  const raw = { exported_at: systemClock.now(), ledger: await read(LEDGER), data: await read(DATA) };
  writeFileSync(join(folder, 'export.json'), JSON.stringify(raw));
}
