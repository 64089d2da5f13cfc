// Keydesk as it is deployed, over the network that a run gives it: what each function and the operator's command are
// composed of, each with its own identity at Google.

import type { Handler } from '../../functions/runtime/http-server.ts';
import { createSweepDeps } from '../../functions/sweep/dependencies.ts';
import { createTokenDeps } from '../../functions/token/dependencies.ts';
import { LookupLimit } from '../../functions/token/lookup-limit.ts';
import { createRevokeHandler } from '../../functions/token/revoke.ts';
import { createWebhookDeps } from '../../functions/webhook/dependencies.ts';
import type { LoadedPolicy } from '../../shared/core/policy/parse-yaml.ts';
import { parseSettings } from '../../shared/core/settings.ts';
import type { HistoricDatabase, OpenDatabase } from '../../shared/firestore/database.ts';
import { createAgentTokenVerifier } from '../../shared/identity-providers/agent-token.ts';
import { createProviderKeys } from '../../shared/identity-providers/provider-keys.ts';
import { endGrant } from '../../shared/operations/end-job.ts';
import type { IssueDeps } from '../../shared/operations/issue-token.ts';
import type { KillSwitchDeps } from '../../shared/operations/kill-switch.ts';
import type { BuildLedger, DeploymentLedger } from '../../shared/operations/ports.ts';
import { type TeamDeps, TeamReads } from '../../shared/operations/read-teams.ts';
import type { RevokeDeps } from '../../shared/operations/revoke-grant.ts';
import type { SweepDeps } from '../../shared/operations/sweep-deps.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { HttpClient } from '../../shared/runtime/http-client.ts';
import { createAdminDeps } from '../../shared/wiring/admin.ts';
import type { ClientSettings } from '../../shared/wiring/clients.ts';
import { createRevocationDeps } from '../../shared/wiring/revocation.ts';
import { API_TOKEN, type Identity, URLS } from './google.ts';
import { TEAMS_API_TOKEN } from './people/buildkite.ts';
import { claimsOf } from './setting.ts';

export interface Keydesk {
  readonly tokenDeps: IssueDeps & { readonly deploymentLedger: DeploymentLedger };
  /** Of `token`, where jobs return what they hold. */
  readonly releaseDeps: RevokeDeps & Pick<ReturnType<typeof createRevocationDeps>, 'lookUpToken'>;
  readonly webhookDeps: RevokeDeps & { readonly buildLedger: BuildLedger };
  readonly sweepDeps: SweepDeps & TeamDeps;
  readonly teamReads: TeamReads;
  readonly killSwitchDeps: KillSwitchDeps;
}

export function composeKeydesk(deps: {
  readonly clockOf: (identity: Identity) => Clock;
  readonly policy: LoadedPolicy;
  readonly openDatabase: OpenDatabase;
  readonly sendRequest: HttpClient;
  readonly sendAs: (identity: Identity) => HttpClient;
  readonly callsBuildkite: boolean;
}): Keydesk {
  const { clockOf, policy, openDatabase, sendRequest, sendAs, callsBuildkite } = deps;
  const parsed = parseSettings({
    GOOGLE_CLOUD_PROJECT: 'keydesk-model',
    KEYDESK_DATABASE: 'ledger',
    KEYDESK_IAMCREDENTIALS_URL: URLS.iamCredentials,
    KEYDESK_IAM_URL: URLS.iam,
    KEYDESK_STS_URL: URLS.sts,
    KEYDESK_IDENTITYTOOLKIT_URL: URLS.identityToolkit,
    KEYDESK_BUILDKITE_API_URL: URLS.buildkite,
    ...(callsBuildkite
      ? { KEYDESK_BUILDKITE_API_TOKEN: API_TOKEN, KEYDESK_BUILDKITE_TEAMS_API_TOKEN: TEAMS_API_TOKEN }
      : {}),
  });
  if ('problems' in parsed) throw new Error(parsed.problems.join('\n'));
  const as = (identity: Identity) => ({
    settings: parsed.settings,
    clock: clockOf(identity),
    network: { openDatabase, sendRequest, sendAsService: sendAs(identity) },
  });
  const { warmUp: _, ...clients } = createTokenDeps({ ...as('token'), audit: () => {} });
  const verifyJobToken = async (jobToken: string) => ({ claims: claimsOf(jobToken) });
  const { getKeys } = createProviderKeys({
    policy: policy.policy,
    sendRequest,
    clock: clockOf('token'),
    onUnusable: () => {},
  });
  const verifyAgentToken = createAgentTokenVerifier({ policy: policy.policy, getKeys });
  return {
    tokenDeps: { policy, verifyJobToken, verifyAgentToken, ...clients, clock: clockOf('token') },
    releaseDeps: createRevocationDeps(as('token')),
    webhookDeps: createWebhookDeps(as('webhook')),
    sweepDeps: createSweepDeps(as('sweep')),
    teamReads: new TeamReads(),
    // The model has no reads of the past.
    killSwitchDeps: createAdminDeps(as('operator') as ClientSettings<HistoricDatabase>),
  };
}

/** `POST /revoke` of a job that returns a token (RFC 7009). */
export function revokeEndpoint({
  releaseDeps,
}: Pick<Keydesk, 'releaseDeps'>): (accessToken: string) => ReturnType<Handler> {
  const { lookUpToken, clock } = releaseDeps;
  const releaseGrant: Parameters<typeof createRevokeHandler>[0]['releaseGrant'] = (grant) =>
    endGrant(releaseDeps, grant, { by: 'released' });
  const lookups = new LookupLimit({ clock, audit: () => {} });
  const handle = createRevokeHandler({ lookUpToken, releaseGrant, clock, lookups });
  return (accessToken) =>
    handle({
      method: 'POST',
      path: '/revoke',
      query: '',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: Buffer.from(`token=${accessToken}`),
      request_id: 'request',
      remoteIp: '192.0.2.1',
      audit: () => {},
    });
}
