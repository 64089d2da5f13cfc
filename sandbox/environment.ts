// Keydesk on one machine: both emulators, the fake Buildkite, the fake Google and the functions.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { accountsOf } from '../shared/core/kinds/kinds.ts';
import { namedTeams } from '../shared/core/policy/named-teams.ts';
import type { Policy } from '../shared/core/policy/policy.ts';
import { databasesOf, newRulesFile } from '../shared/core/security-rules/generate.ts';
import { chooseFirestore, putRules, startAuth } from './emulators.ts';
import { type FakeBuildkite, startFakeBuildkite } from './fakes/buildkite/buildkite.ts';
import type { FakePipeline } from './fakes/buildkite/organization.ts';
import { API_TOKEN } from './fakes/buildkite/rest-api.ts';
import { TEAMS_API_TOKEN } from './fakes/buildkite/teams.ts';
import { type FakeGoogle, startFakeGoogle } from './fakes/google/google.ts';
import { GCLOUD_CLIENT_ID } from './fakes/google/people.ts';
import type { DeclaredIssuers } from './fakes/issuers/declared.ts';
import { type FunctionName, type RunningFunction, startFunction } from './functions.ts';
import { startMachines, withFakeIssuers } from './machines.ts';
import { createPeople, type People } from './people.ts';
import { NO_PROGRESS, type Progress } from './progress.ts';
import { readTeams } from './read-teams.ts';

export const LEDGER = { project: 'keydesk-sandbox', database: 'ledger' };
const WEBHOOK_TOKEN = 'sandbox-webhook-token';

export interface Environment {
  readonly policy: Policy;
  /** The absolute path of the file of the policy in force: a copy where the sandbox has fakes of its identity providers. */
  readonly policyFile: string;
  readonly buildkite: FakeBuildkite;
  /** Members of the organization at Buildkite. */
  readonly people: People;
  /** The identity providers of the policy. */
  readonly machines: DeclaredIssuers;
  readonly google: FakeGoogle;
  readonly firestoreHost: string;
  readonly firestoreStartedBy: string;
  readonly token: RunningFunction;
  readonly webhook: RunningFunction;
  readonly sweep: RunningFunction;
  readonly reader: RunningFunction;
  readonly admin: RunningFunction;
  /** Every line that the functions have logged, oldest first. */
  readonly log: readonly string[];
  close(): Promise<void>;
}

/** Every service account a policy names. */
export function policyAccounts({ credentials }: Policy): string[] {
  return Object.values(credentials).flatMap((credential) => accountsOf(credential).map(({ email }) => email));
}

/** Every bucket a policy names. */
export function policyBuckets({ credentials }: Policy): string[] {
  const buckets = Object.values(credentials).flatMap((credential) =>
    'storage' in credential && credential.storage ? [credential.storage.bucket] : [],
  );
  return [...new Set(buckets)];
}

export interface EnvironmentOptions {
  readonly policy: Policy;
  /** The absolute path of the policy's file. */
  readonly policyFile: string;
  /** The project of the ledger. Environments that use one emulator at once need one each. Default: the one in LEDGER. */
  readonly ledgerProject?: string | undefined;
  /** Takes every line that the functions log. */
  readonly onLine?: (line: string) => void;
  readonly progress?: Progress;
}

function toFake(pipelines: Policy['pipelines']): FakePipeline[] {
  return Object.entries(pipelines).map(([slug, id]) => ({ slug, id }));
}

/** Starts everything that the policy names: its projects, databases with their generated rules, accounts and buckets. */
export async function openEnvironment(options: EnvironmentOptions): Promise<Environment> {
  const { policy, ledgerProject = LEDGER.project, onLine = () => {}, progress = NO_PROGRESS } = options;
  const startFirestore = await chooseFirestore();
  const starting: Promise<unknown>[] = [];
  const closing: (() => Promise<unknown>)[] = [];
  const close = async () => {
    await Promise.allSettled(starting);
    for (const end of closing.splice(0).reverse()) await end();
  };
  try {
    const keep = <T>(start: Promise<T>, end: (started: T) => Promise<unknown>): Promise<T> => {
      const kept = start.then((started) => {
        closing.push(() => end(started));
        return started;
      });
      starting.push(kept);
      return kept;
    };
    const { organization, audience } = policy;
    const [firestore, auth, buildkite, google, machines] = await Promise.all([
      keep(progress.step('the Firestore emulator', 'Java, about 10 s', startFirestore), (emulator) => emulator.stop()),
      keep(progress.step('the Auth emulator', 'firebase-tools, about 10 s', startAuth), (emulator) => emulator.stop()),
      keep(
        startFakeBuildkite({
          organization,
          pipelines: toFake(policy.pipelines),
          audience,
          webhookToken: WEBHOOK_TOKEN,
        }),
        (server) => server.close(),
      ),
      keep(startFakeGoogle({ accounts: policyAccounts(policy), buckets: policyBuckets(policy) }), (server) =>
        server.close(),
      ),
      keep(startMachines(policy), (issuers) => issuers.close()),
    ]);
    const people = createPeople(buildkite, policy);
    const inForce = policyInForce(options, machines);
    closing.push(async () => inForce.remove());
    for (const name of databasesOf(policy))
      await putRules(firestore.host, name.project, name.database, newRulesFile(policy, name));

    const log: string[] = [];
    const settings = {
      GOOGLE_CLOUD_PROJECT: ledgerProject,
      KEYDESK_DATABASE: LEDGER.database,
      KEYDESK_ISSUER: buildkite.url,
      KEYDESK_IAMCREDENTIALS_URL: google.url,
      KEYDESK_IAM_URL: google.url,
      KEYDESK_STS_URL: google.url,
      KEYDESK_BUILDKITE_API_URL: buildkite.url,
      KEYDESK_IDENTITYTOOLKIT_URL: `http://${auth.host}/identitytoolkit.googleapis.com`,
      FIRESTORE_EMULATOR_HOST: firestore.host,
    };
    /** Each function has an identity of its own, from its own metadata server. */
    const serve = (target: FunctionName, own: Record<string, string>, readinessRequest?: (url: string) => Request) => {
      const variables = { ...settings, ...own, GCE_METADATA_HOST: google.metadataHosts[target] };
      const take = (line: string) => {
        log.push(line);
        onLine(line);
      };
      const starting = startFunction(target, variables, {
        onLine: take,
        ...(readinessRequest ? { readinessRequest } : {}),
      });
      return keep(starting, ({ running }) => running.stop());
    };
    /** What Buildkite sends when a notification service is created. */
    const ping = (url: string) => {
      const body = '{"event":"ping"}';
      return new Request(url, {
        method: 'POST',
        headers: { 'x-buildkite-signature': buildkite.signature(body) },
        body,
      });
    };
    const idToken = await google.idToken('sandbox@acme.example');
    /** A request that `reader` and `admin` do not log. */
    const asPerson = (url: string) => new Request(url, { headers: { authorization: `Bearer ${idToken}` } });
    const forPeople = {
      KEYDESK_OPERATOR_AUDIENCES: GCLOUD_CLIENT_ID,
      KEYDESK_GOOGLE_KEYS_URL: `${google.url}/oauth2/v3/certs`,
    };
    const [token, webhook, sweep, reader, admin] = await progress.step('the five functions', 'about 5 s', () =>
      Promise.all([
        serve('token', { KEYDESK_POLICY: inForce.file }),
        serve('webhook', { KEYDESK_WEBHOOK_TOKENS: WEBHOOK_TOKEN }, ping),
        serve('sweep', { KEYDESK_BUILDKITE_API_TOKEN: API_TOKEN, KEYDESK_BUILDKITE_TEAMS_API_TOKEN: TEAMS_API_TOKEN }),
        serve('reader', forPeople, asPerson),
        serve('admin', forPeople, asPerson),
      ]),
    );
    if (namedTeams(policy).teams.length > 0)
      await progress.step('the first sweep', 'it reads the teams of the policy', () =>
        readTeams({ policy, sweep, log }),
      );
    const { host: firestoreHost, startedBy: firestoreStartedBy } = firestore;
    return {
      policy,
      policyFile: inForce.file,
      buildkite,
      people,
      google,
      machines,
      firestoreHost,
      firestoreStartedBy,
      token,
      webhook,
      sweep,
      reader,
      admin,
      log,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The file that `token` reads: the user's, or a copy in which the fakes are the identity providers. */
function policyInForce(
  { policy, policyFile }: Pick<EnvironmentOptions, 'policy' | 'policyFile'>,
  machines: DeclaredIssuers,
): { readonly file: string; readonly remove: () => void } {
  const providers = Object.keys(policy.identityProviders);
  if (providers.length === 0) return { file: policyFile, remove: () => {} };
  const folder = mkdtempSync(join(tmpdir(), 'keydesk-policy-in-force-'));
  const file = join(folder, basename(policyFile));
  writeFileSync(file, withFakeIssuers(readFileSync(policyFile, 'utf8'), providers, machines));
  return { file, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
