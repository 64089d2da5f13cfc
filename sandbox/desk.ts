// A whole desk on one laptop: both emulators, the local Buildkite and Google, and the three functions.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { databasesOf, newRulesFile } from '../shared/core/firestore-rules.ts';
import type { Policy } from '../shared/core/policy.ts';
import { parsePolicyText } from '../shared/policy-text.ts';
import { type LocalBuildkite, startBuildkite } from './buildkite.ts';
import { putRules, startAuth, startFirestore } from './emulators.ts';
import { ROOT, type RunningFunction, startFunction } from './functions.ts';
import { type LocalGoogle, startGoogle } from './google.ts';

export const LEDGER = { project: 'keydesk-sandbox', database: 'ledger' };
const WEBHOOK_TOKEN = 'sandbox-webhook-token';

export interface Desk {
  readonly policy: Policy;
  readonly buildkite: LocalBuildkite;
  readonly google: LocalGoogle;
  readonly firestoreHost: string;
  readonly firestoreStartedBy: string;
  readonly token: RunningFunction;
  readonly webhook: RunningFunction;
  readonly sweep: RunningFunction;
  /** Every line the functions wrote, oldest first. */
  readonly log: readonly string[];
  close(): Promise<void>;
}

/** Every service account a policy names. */
export function accountsOf(policy: Policy): string[] {
  return Object.values(policy.credentials).map((credential) =>
    credential.kind === 'firestore' ? credential.signer : credential.email,
  );
}

export async function openDesk(): Promise<Desk> {
  const policyPath = join('examples', 'policy.yaml');
  const loaded = parsePolicyText(readFileSync(join(ROOT, policyPath), 'utf8'), policyPath);
  if ('problems' in loaded) throw new Error(loaded.problems.join('\n'));
  const { policy } = loaded;
  const closing: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const end of closing.splice(0).reverse()) await end();
  };
  try {
    const keep = async <T>(starting: Promise<T>, end: (started: T) => Promise<unknown>): Promise<T> => {
      const started = await starting;
      closing.push(() => end(started));
      return started;
    };
    const [firestore, auth, buildkite, google] = await Promise.all([
      keep(startFirestore(), (emulator) => emulator.stop()),
      keep(startAuth(), (emulator) => emulator.stop()),
      keep(startBuildkite({ audience: policy.audience, webhookToken: WEBHOOK_TOKEN }), (server) => server.close()),
      keep(startGoogle({ accounts: accountsOf(policy) }), (server) => server.close()),
    ]);
    for (const name of databasesOf(policy))
      await putRules(firestore.host, name.project, name.database, newRulesFile(policy, name));

    const log: string[] = [];
    const settings = {
      KEYDESK_POLICY: policyPath,
      GOOGLE_CLOUD_PROJECT: LEDGER.project,
      KEYDESK_DATABASE: LEDGER.database,
      KEYDESK_WEBHOOK_TOKENS: WEBHOOK_TOKEN,
      KEYDESK_ISSUER: buildkite.url,
      KEYDESK_IAMCREDENTIALS_URL: google.url,
      KEYDESK_IDENTITYTOOLKIT_URL: `http://${auth.host}/identitytoolkit.googleapis.com`,
      FIRESTORE_EMULATOR_HOST: firestore.host,
      GCE_METADATA_HOST: google.metadataHost,
    };
    const serve = (target: 'token' | 'webhook' | 'sweep') =>
      keep(startFunction(target, settings, { onLine: (line) => log.push(line) }), ({ running }) => running.stop());
    const [token, webhook, sweep] = await Promise.all([serve('token'), serve('webhook'), serve('sweep')]);
    const { host: firestoreHost, startedBy: firestoreStartedBy } = firestore;
    return { policy, buildkite, google, firestoreHost, firestoreStartedBy, token, webhook, sweep, log, close };
  } catch (error) {
    await close();
    throw error;
  }
}
