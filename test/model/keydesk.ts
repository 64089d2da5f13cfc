// Keydesk as it is deployed, over the network that a run gives it: what each function and the operator's command are
// composed of, each with its own identity at Google.

import type { Handler } from '../../functions/runtime/http-server.ts';
import { createSweeping } from '../../functions/sweep/dependencies.ts';
import { createIssuing } from '../../functions/token/dependencies.ts';
import { createRevokeHandler } from '../../functions/token/held-token.ts';
import { LookupLimit } from '../../functions/token/lookup-limit.ts';
import type { LoadedPolicy } from '../../shared/core/policy/parse-yaml.ts';
import { parseSettings } from '../../shared/core/settings.ts';
import type { OpenDatabase } from '../../shared/ledger/client.ts';
import { endGrant } from '../../shared/operations/end-job.ts';
import type { HandOutParts } from '../../shared/operations/issue-token.ts';
import type { KillParts } from '../../shared/operations/kill-switch.ts';
import type { RevokeParts } from '../../shared/operations/revoke-grant.ts';
import type { SweepParts } from '../../shared/operations/sweep-deps.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Ask } from '../../shared/runtime/http-client.ts';
import { createKilling } from '../../shared/wiring/kill-switch.ts';
import { createEnding } from '../../shared/wiring/revocation.ts';
import { API_TOKEN, type Identity, URLS } from './google.ts';
import { claimsOf } from './setting.ts';

export interface Keydesk {
  readonly issuing: HandOutParts;
  /** Of `token`, where jobs return what they hold. */
  readonly returning: RevokeParts & Pick<ReturnType<typeof createEnding>, 'lookUpToken'>;
  readonly webhook: RevokeParts;
  readonly sweeping: SweepParts;
  readonly killing: KillParts;
}

export function composeKeydesk(parts: {
  readonly clockOf: (identity: Identity) => Clock;
  readonly policy: LoadedPolicy;
  readonly openDatabase: OpenDatabase;
  readonly ask: Ask;
  readonly askAs: (identity: Identity) => Ask;
  readonly asksBuildkite: boolean;
}): Keydesk {
  const { clockOf, policy, openDatabase, ask, askAs, asksBuildkite } = parts;
  const parsed = parseSettings({
    GOOGLE_CLOUD_PROJECT: 'keydesk-model',
    KEYDESK_DATABASE: 'ledger',
    KEYDESK_IAMCREDENTIALS_URL: URLS.iamCredentials,
    KEYDESK_IAM_URL: URLS.iam,
    KEYDESK_STS_URL: URLS.sts,
    KEYDESK_IDENTITYTOOLKIT_URL: URLS.identityToolkit,
    KEYDESK_BUILDKITE_API_URL: URLS.buildkite,
    ...(asksBuildkite ? { KEYDESK_BUILDKITE_API_TOKEN: API_TOKEN } : {}),
  });
  if ('problems' in parsed) throw new Error(parsed.problems.join('\n'));
  const as = (identity: Identity) => ({
    settings: parsed.settings,
    clock: clockOf(identity),
    emulator: false,
    network: { openDatabase, ask, askAsService: askAs(identity) },
  });
  const { warm: _, ...clients } = createIssuing({ ...as('token'), audit: () => {} });
  const verifyJobToken = async (jobToken: string) => ({ claims: claimsOf(jobToken) });
  return {
    issuing: { policy, verifyJobToken, ...clients, clock: clockOf('token') },
    returning: createEnding(as('token')),
    webhook: createEnding(as('webhook')),
    sweeping: createSweeping(as('sweep')),
    killing: createKilling(as('operator')),
  };
}

/** `POST /revoke` of a job that returns a token (RFC 7009). */
export function revokeEndpoint({
  returning,
}: Pick<Keydesk, 'returning'>): (accessToken: string) => ReturnType<Handler> {
  const { lookUpToken, clock } = returning;
  const returnGrant: Parameters<typeof createRevokeHandler>[0]['returnGrant'] = (grant) =>
    endGrant(returning, grant, { by: 'released' });
  const lookups = new LookupLimit({ clock, audit: () => {} });
  const handle = createRevokeHandler({ lookUpToken, returnGrant, clock, lookups });
  return (accessToken) =>
    handle({
      method: 'POST',
      path: '/revoke',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: Buffer.from(`token=${accessToken}`),
      request_id: 'request',
      remoteIp: '192.0.2.1',
    });
}
