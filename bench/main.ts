// `npm run bench`: how long a cold start takes, what a warm request costs in time and in processor time, and how a crowd gets its accounts, as ratios
// measured in one run on one machine. Absolute figures are this machine's; the ratios are what to compare. Exits with 1
// when a pool breaks an invariant.

import { startAuth, startFirestore } from '../sandbox/emulators.ts';
import { startFakeBuildkite } from '../sandbox/fakes/buildkite/buildkite.ts';
import { startFakeGoogle } from '../sandbox/fakes/google/google.ts';
import { benchColdStart } from './cold-start.ts';
import { benchPolicy } from './policy.ts';
import { benchPool } from './pool.ts';
import { benchProcessorTime } from './processor-time.ts';
import { benchTransport } from './transport.ts';
import { benchWarm } from './warm.ts';

const WEBHOOK_TOKEN = 'bench-webhook-token';

const [firestore, auth] = await Promise.all([startFirestore(), startAuth()]);
const buildkite = await startFakeBuildkite({ audience: 'https://keydesk.acme.example', webhookToken: WEBHOOK_TOKEN });
const google = await startFakeGoogle({
  accounts: ['export@acme-staging.iam.gserviceaccount.com', 'keydesk-signer@acme-staging.iam.gserviceaccount.com'],
});
const surroundings = {
  buildkite,
  google,
  settings: {
    KEYDESK_POLICY: 'examples/policy.yaml',
    GOOGLE_CLOUD_PROJECT: 'keydesk-bench',
    KEYDESK_DATABASE: 'ledger',
    KEYDESK_WEBHOOK_TOKENS: WEBHOOK_TOKEN,
    KEYDESK_ISSUER: buildkite.url,
    KEYDESK_IAMCREDENTIALS_URL: google.url,
    KEYDESK_IDENTITYTOOLKIT_URL: `http://${auth.host}/identitytoolkit.googleapis.com`,
    FIRESTORE_EMULATOR_HOST: firestore.host,
    GCE_METADATA_HOST: google.metadataHost,
  },
};
let kept = false;
try {
  benchPolicy();
  await benchColdStart(surroundings);
  await benchWarm(surroundings);
  await benchProcessorTime(surroundings);
  await benchTransport(firestore.host);
  kept = await benchPool(firestore.host);
} finally {
  await Promise.all([buildkite.close(), google.close(), firestore.stop(), auth.stop()]);
}
process.exit(kept ? 0 : 1);
