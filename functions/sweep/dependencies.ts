// The clients of the `sweep` function: those that end, and the only one that can enable an account.

import { createApiTokenDescriber } from '../../shared/buildkite/api-token.ts';
import { createBuildkiteBuilds } from '../../shared/buildkite/builds.ts';
import { createBuildkiteJobs } from '../../shared/buildkite/job-state.ts';
import { createRestApi } from '../../shared/buildkite/rest-api.ts';
import { createBuildkiteTeams } from '../../shared/buildkite/teams.ts';
import { createAccountEnabler, createAccountStateGetter } from '../../shared/google/account-state.ts';
import { createBuildLedger, createTeamLedger } from '../../shared/ledger/conditions.ts';
import { createJobCheckLedger } from '../../shared/ledger/job-checks.ts';
import { createSweepLedger } from '../../shared/ledger/sweep.ts';
import type { ApiTokenDeps } from '../../shared/operations/check-api-token.ts';
import { BUILDKITE_TEAMS } from '../../shared/operations/lookup-error.ts';
import type { TeamDeps } from '../../shared/operations/read-teams.ts';
import type { SweepDeps } from '../../shared/operations/sweep-deps.ts';
import { type ClientSettings, openClients } from '../../shared/wiring/clients.ts';
import { createRevocationDeps } from '../../shared/wiring/revocation.ts';

export function createSweepDeps(
  deps: ClientSettings,
): SweepDeps & ApiTokenDeps & TeamDeps & { readonly warmUp: () => Promise<void> } {
  const { settings, clock } = deps;
  const clients = openClients(deps);
  const { lookUpToken: _, ...revocation } = createRevocationDeps(deps, clients);
  const buildkite = { sendRequest: clients.sendRequest, apiUrl: settings.KEYDESK_BUILDKITE_API_URL, clock };
  const apiToken = settings.KEYDESK_BUILDKITE_API_TOKEN;
  const restApi = apiToken === undefined ? undefined : createRestApi({ ...buildkite, apiToken });
  const teamsApiToken = settings.KEYDESK_BUILDKITE_TEAMS_API_TOKEN;
  const teamsApi =
    teamsApiToken === undefined
      ? undefined
      : createRestApi({ ...buildkite, apiToken: teamsApiToken, dependency: BUILDKITE_TEAMS });
  const accounts = { sendAsService: clients.sendAsService, iamUrl: settings.KEYDESK_IAM_URL, clock };
  return {
    ...revocation,
    sweepLedger: createSweepLedger(clients.ledger, clock),
    jobCheckLedger: createJobCheckLedger(clients.ledger, clock),
    buildLedger: createBuildLedger(clients.ledger, clock),
    enableAccount: createAccountEnabler(accounts),
    getAccountState: createAccountStateGetter(accounts),
    buildkiteJobs: restApi && createBuildkiteJobs(restApi),
    buildkiteBuilds: restApi && createBuildkiteBuilds(restApi),
    describeApiToken: restApi && createApiTokenDescriber(restApi),
    buildkiteTeams: teamsApi && createBuildkiteTeams(teamsApi),
    describeTeamsApiToken: teamsApi && createApiTokenDescriber(teamsApi),
    teamLedger: createTeamLedger(clients.ledger, clock),
  };
}
