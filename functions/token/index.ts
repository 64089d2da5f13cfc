// The `token` function: composes the hand-out from settings and policy. What talks to Firestore and Google is loaded
// beside the first request, not before it.

import { readFileSync } from 'node:fs';
import { createJobTokenVerifier } from '../../shared/buildkite/job-token.ts';
import { IssuerKeys } from '../../shared/buildkite/jwks-cache.ts';
import { type LoadedPolicy, parsePolicyText } from '../../shared/core/policy/parse-yaml.ts';
import { waysIntoLedger } from '../../shared/core/policy/policy.ts';
import { parseSettings } from '../../shared/core/settings.ts';
import { endGrant } from '../../shared/operations/end-job.ts';
import { type HandOut, handOut } from '../../shared/operations/issue-token.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { createAsk } from '../../shared/runtime/http-client.ts';
import { auditLog, orStop, start } from '../runtime/bootstrap.ts';
import { onceWarm } from '../runtime/lazy.ts';
import { LookupLimit } from './lookup-limit.ts';
import { createTokenHandler, TOKEN_BODY_LIMIT, TOKEN_FAILURES, toKeysUnusable } from './routes.ts';

const { settings, policy } = configure();

const audit = auditLog(settings.GOOGLE_CLOUD_PROJECT);
const keys = new IssuerKeys({
  issuer: settings.KEYDESK_ISSUER,
  ask: createAsk(systemClock),
  clock: systemClock,
  onUnusable: (detail) => audit(toKeysUnusable(detail)),
});
const verifyJobToken = createJobTokenVerifier({
  issuer: settings.KEYDESK_ISSUER,
  policy: policy.policy,
  keysOf: keys.keysOf,
});

const lookups = new LookupLimit({ clock: systemClock, audit });
// Standard output is a pipe here, and Node writes to pipes synchronously (nodejs.org/api/process.html, "A note on process I/O").
process.once('exit', () => lookups.reportRest());

const issuing = onceWarm(async () => {
  const { createIssuing } = await import('./dependencies.ts');
  const emulator = Boolean(process.env.FIRESTORE_EMULATOR_HOST);
  return createIssuing({ settings, emulator, clock: systemClock, audit });
}, systemClock);

const ending = onceWarm(async () => {
  const { createEnding } = await import('../../shared/wiring/revocation.ts');
  return createEnding({ settings, emulator: Boolean(process.env.FIRESTORE_EMULATOR_HOST), clock: systemClock });
}, systemClock);

export const token = start({
  handler: createTokenHandler({
    handOut: async (asked, request_id): Promise<HandOut> => {
      const [{ warm: _, ...clients }] = await Promise.all([issuing(), keys.warm()]);
      return handOut({ policy, verifyJobToken, ...clients, clock: systemClock }, asked, request_id);
    },
    lookUpToken: async (token_sha256) => (await ending()).lookUpToken(token_sha256),
    returnGrant: async (grant) => endGrant(await ending(), grant, { by: 'released' }),
    clock: systemClock,
    lookups,
  }),
  failures: TOKEN_FAILURES,
  bodyLimit: TOKEN_BODY_LIMIT,
  project: settings.GOOGLE_CLOUD_PROJECT,
  warm: () => {
    void keys.warm();
    void issuing().catch(() => {});
  },
});

function configure() {
  const parsed = parseSettings(process.env);
  const loaded = loadPolicy(process.env.KEYDESK_POLICY?.trim() || 'policy.yaml');
  if ('settings' in parsed && 'policy' in loaded) {
    const { GOOGLE_CLOUD_PROJECT: project, KEYDESK_DATABASE: database } = parsed.settings;
    const problems = waysIntoLedger(loaded.policy, { project, database });
    if (problems.length > 0) orStop({ problems });
    return { settings: parsed.settings, policy: loaded };
  }
  return orStop<never>({
    problems: [parsed, loaded].flatMap((result) => ('problems' in result ? result.problems : [])),
  });
}

function loadPolicy(path: string): LoadedPolicy | { problems: string[] } {
  try {
    return parsePolicyText(readFileSync(path, 'utf8'), path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    return { problems: [`KEYDESK_POLICY names a file that cannot be read (${code})`] };
  }
}
