// `npm run bench`: cold starts, what a warm request costs in time and in processor time, what stored grants cost, memory, sizes and cost,
// in one run on one machine. Absolute figures are this machine's; the ratios are what to compare. `--json FILE` writes the figures,
// and `--history` appends them to bench/history.jsonl. Exits with 1 when a pool breaks an invariant or an aim is missed.

import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startAuth, startFirestore } from '../sandbox/emulators.ts';
import { startFakeBuildkite } from '../sandbox/fakes/buildkite/buildkite.ts';
import { startFakeGoogle } from '../sandbox/fakes/google/google.ts';
import { VERSION } from '../shared/version.ts';
import { ARCHIVED_POLICY, buildArchive } from './archive.ts';
import { writeBenchPolicy } from './bench-policy.ts';
import { benchColdStart } from './cold-start.ts';
import { benchCost } from './cost.ts';
import { benchIssuance } from './issuance.ts';
import { figures } from './measure.ts';
import { benchMemory } from './memory.ts';
import { benchPolicy } from './policy.ts';
import { benchPool } from './pool.ts';
import { benchRejections } from './rejections.ts';
import { benchSize } from './size.ts';
import { benchStoredGrants } from './stored-grants.ts';
import { benchTransport } from './transport.ts';
import { benchWebhook } from './webhook.ts';

const HISTORY = 'bench/history.jsonl';
const WEBHOOK_TOKEN = 'bench-webhook-token';
const ACCOUNTS = ['export', 'keydesk-signer', 'ci-cache'].map((name) => `${name}@acme-staging.iam.gserviceaccount.com`);

const { json, history, tokens } = parseArgs({
  options: {
    json: { type: 'string' },
    history: { type: 'boolean', default: false },
    tokens: { type: 'string', default: '50000' },
  },
}).values;

const folder = mkdtempSync(join(tmpdir(), 'keydesk-bench-'));
const archive = join(folder, 'archive');
const load = loadavg()[0] ?? Number.NaN;
const [firestore, auth] = await Promise.all([startFirestore(), startAuth()]);
const buildkite = await startFakeBuildkite({ audience: 'https://keydesk.acme.example', webhookToken: WEBHOOK_TOKEN });
const google = await startFakeGoogle({ accounts: ACCOUNTS, buckets: ['acme-ci-cache'] });
const surroundings = {
  buildkite,
  google,
  settings: {
    KEYDESK_POLICY: join(folder, 'policy.yaml'),
    GOOGLE_CLOUD_PROJECT: 'keydesk-bench',
    KEYDESK_DATABASE: 'ledger',
    KEYDESK_WEBHOOK_TOKENS: WEBHOOK_TOKEN,
    KEYDESK_ISSUER: buildkite.url,
    KEYDESK_IAMCREDENTIALS_URL: google.url,
    KEYDESK_IAM_URL: google.url,
    KEYDESK_STS_URL: google.url,
    KEYDESK_IDENTITYTOOLKIT_URL: `http://${auth.host}/identitytoolkit.googleapis.com`,
    FIRESTORE_EMULATOR_HOST: firestore.host,
    GCE_METADATA_HOST: google.metadataHost,
  },
};
const archived = { ...surroundings, settings: { ...surroundings.settings, KEYDESK_POLICY: ARCHIVED_POLICY } };
let kept = false;
try {
  mkdirSync(archive);
  buildArchive(archive);
  writeBenchPolicy(join(folder, 'policy.yaml'));
  benchPolicy();
  await benchColdStart(surroundings, archive);
  await benchIssuance(surroundings);
  await benchRejections(surroundings);
  await benchWebhook(surroundings);
  await benchStoredGrants();
  await benchTransport(firestore.host);
  await benchMemory(archived, { folder: archive, tokens: Number(tokens) });
  benchSize(archive);
  benchCost();
  kept = await benchPool(firestore.host);
} finally {
  await Promise.all([buildkite.close(), google.close(), firestore.stop(), auth.stop()]);
  rmSync(folder, { recursive: true, force: true });
}

const run = {
  at: new Date().toISOString(),
  version: VERSION,
  commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim(),
  node: process.version,
  cores: availableParallelism(),
  /** Of the machine, before the run. */
  load,
  figures,
};
if (json) writeFileSync(json, `${JSON.stringify(run, null, 2)}\n`);
if (history) appendFileSync(HISTORY, `${JSON.stringify(run)}\n`);
const missed = figures.filter(({ value, aim }) => aim !== undefined && value > aim);
process.stdout.write(
  `\n${missed.length} aims missed${missed.map(({ section, label }) => `\n  ${section}: ${label}`).join('')}\n`,
);
process.exit(kept && missed.length === 0 ? 0 : 1);
