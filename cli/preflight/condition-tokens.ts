// Whether somebody gave the Buildkite API tokens without which conditions of the policy's rules cannot be judged. What the tokens may do is
// looked at in api-token.ts.

import { namedTeams } from '../../shared/core/policy/named-teams.ts';
import type { CheckKind, Found } from '../checks/check.ts';
import { conditionsOfBuilds, type TokenTarget } from './api-token.ts';

type Name = 'api_token_not_given' | 'teams_api_token_not_given';

const CREATE = 'Create a token with {needed} alone at https://buildkite.com/user/api-access-tokens';

export const conditionTokens: CheckKind<TokenTarget, Name> = {
  name: 'API tokens for conditions',
  looksAt:
    'Whether the Buildkite API tokens are given that rules with conditions need: read_builds for approval and created_by, read_teams for teams.',
  findings: {
    api_token_not_given: {
      severity: 'warning',
      what: 'Rules have {conditions}, and no API token is given that can look at builds.',
      why: 'Without one, an approval or the creator of a build is known from webhooks alone: where one is lost, the job gets nothing.',
      fix: `${CREATE}, and run this command with --token-file FILE.`,
    },
    teams_api_token_not_given: {
      severity: 'warning',
      what: 'Rules name teams, and no API token for teams is given: {teams}.',
      why: 'Without one the sweep reads no team, and these rules grant nothing.',
      fix: `${CREATE}, and run this command with --teams-token-file FILE.`,
    },
  },
  checksOf: ({ policy, apiToken, teamsApiToken }) => {
    const conditions = conditionsOfBuilds(policy);
    const teams = namedTeams(policy).teams.map(({ name }) => name);
    if (conditions.length + teams.length === 0) return [];
    const found: Found<Name>[] = [];
    if (apiToken === undefined && conditions.length > 0)
      found.push({
        finding: 'api_token_not_given',
        facts: { conditions: conditions.join(' and '), needed: 'read_builds' },
      });
    if (teamsApiToken === undefined && teams.length > 0)
      found.push({ finding: 'teams_api_token_not_given', facts: { teams: teams.join(', '), needed: 'read_teams' } });
    return [{ subject: 'policy', look: async () => ({ found }) }];
  },
};
