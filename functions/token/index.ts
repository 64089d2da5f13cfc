// The `token` function: composes issuance from settings and policy. The clients of Firestore and Google are loaded
// during the first request, not before it.

import { readFile } from 'node:fs/promises';
import { createJobTokenVerifier, jobTokenKeysUrl } from '../../shared/buildkite/job-token.ts';
import { apiKeyProblems } from '../../shared/core/policy/api-key-to-be-created.ts';
import { ledgerExposureProblems } from '../../shared/core/policy/ledger-exposure.ts';
import { namedTeams } from '../../shared/core/policy/named-teams.ts';
import { DEFAULT_POLICY_FILE, parseSettings } from '../../shared/core/settings.ts';
import { createAgentTokenVerifier } from '../../shared/identity-providers/agent-token.ts';
import { createProviderKeys } from '../../shared/identity-providers/provider-keys.ts';
import { JwksCache, type KeySetProblem } from '../../shared/oidc/jwks-cache.ts';
import { endGrant } from '../../shared/operations/end-job.ts';
import { type IssueResult, issueToken } from '../../shared/operations/issue-token.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { createHttpClient } from '../../shared/runtime/http-client.ts';
import { BackgroundRecord } from '../runtime/background.ts';
import { createStdoutLogger, exitOnProblems, serve } from '../runtime/bootstrap.ts';
import { instance } from '../runtime/instance.ts';
import { logLateEnds } from '../runtime/late-ends.ts';
import { lazyWarm } from '../runtime/lazy.ts';
import { loadPolicy } from './load-policy.ts';
import { LookupLimit } from './lookup-limit.ts';
import { createTokenHandler, keysUnusableEvent, TOKEN_BODY_LIMIT, TOKEN_ERROR_RESPONSES } from './routes.ts';

const policyFile = process.env.KEYDESK_POLICY?.trim() || DEFAULT_POLICY_FILE;
const { settings, policy } = configure();

const audit = createStdoutLogger(settings.GOOGLE_CLOUD_PROJECT);
const sendRequest = createHttpClient(systemClock);
const onUnusable = (problem: KeySetProblem) => audit(keysUnusableEvent(problem));
const keys = new JwksCache({
  algorithms: ['RS256'],
  url: jobTokenKeysUrl(settings.KEYDESK_ISSUER),
  sendRequest,
  clock: systemClock,
  onUnusable,
});
const verifyJobToken = createJobTokenVerifier({
  issuer: settings.KEYDESK_ISSUER,
  policy: policy.policy,
  getKeys: keys.getKeys,
});

const providerKeys = createProviderKeys({ policy: policy.policy, sendRequest, clock: systemClock, onUnusable });
const verifyAgentToken = createAgentTokenVerifier({ policy: policy.policy, getKeys: providerKeys.getKeys });

const lookups = new LookupLimit({ clock: systemClock, audit });
// Standard output is a pipe here, and Node writes to pipes synchronously (nodejs.org/api/process.html, "A note on process I/O").
process.once('exit', () => lookups.flush());

const loadTokenDeps = lazyWarm(async () => {
  const { createTokenDeps } = await import('./dependencies.ts');
  const emulatorHost = process.env.FIRESTORE_EMULATOR_HOST;
  return createTokenDeps({ settings, emulatorHost, clock: systemClock, audit });
}, systemClock);

const loadRevocationDeps = lazyWarm(async () => {
  const { createRevocationDeps } = await import('../../shared/wiring/revocation.ts');
  const emulatorHost = process.env.FIRESTORE_EMULATOR_HOST;
  return { ...createRevocationDeps({ settings, emulatorHost, clock: systemClock }), ...logLateEnds(audit) };
}, systemClock);

const deployment = new BackgroundRecord({
  record: async () => {
    const { deploymentLedger } = await loadTokenDeps();
    const teams = namedTeams(policy.policy);
    const text = await readFile(policyFile, 'utf8');
    await deploymentLedger.recordToken(instance, { sha256: policy.sha256, text, teams });
  },
  audit,
  clock: systemClock,
});

export const token = serve({
  handler: createTokenHandler({
    issueToken: async (requested, request_id): Promise<IssueResult> => {
      const [{ warmUp: _, deploymentLedger: __, ...clients }] = await Promise.all([loadTokenDeps(), keys.warmUp()]);
      return issueToken(
        { policy, verifyJobToken, verifyAgentToken, ...clients, clock: systemClock },
        requested,
        request_id,
      );
    },
    lookUpToken: async (token_sha256) => (await loadRevocationDeps()).lookUpToken(token_sha256),
    releaseGrant: async (grant) => endGrant(await loadRevocationDeps(), grant, { by: 'released' }),
    policySha256: policy.sha256,
    contact: policy.policy.contact,
    clock: systemClock,
    lookups,
  }),
  errorResponses: TOKEN_ERROR_RESPONSES,
  bodyLimit: TOKEN_BODY_LIMIT,
  settings,
  warmUp: () => {
    void keys.warmUp();
    void providerKeys.warmUp();
    void loadTokenDeps().catch(() => {});
  },
  background: deployment.run,
});

function configure() {
  const parsed = parseSettings(process.env);
  const loadedPolicy = loadPolicy(policyFile);
  if ('settings' in parsed && 'policy' in loadedPolicy) {
    const { GOOGLE_CLOUD_PROJECT: project, KEYDESK_DATABASE: database } = parsed.settings;
    const problems = [
      ...ledgerExposureProblems(loadedPolicy.policy, { project, database }),
      // Google's emulator accepts any API key.
      ...(process.env.FIRESTORE_EMULATOR_HOST ? [] : apiKeyProblems(loadedPolicy.policy)),
    ];
    if (problems.length > 0) exitOnProblems({ problems });
    return { settings: parsed.settings, policy: loadedPolicy };
  }
  return exitOnProblems<never>({
    problems: [parsed, loadedPolicy].flatMap((result) => ('problems' in result ? result.problems : [])),
  });
}
