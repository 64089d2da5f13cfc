// The preflight looks at the Buildkite API tokens that it is given, and says which one the policy's conditions need and nobody gave.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createGoogle } from '../../cli/checks/google.ts';
import { explanations } from '../../cli/checks/report.ts';
import { COULD_NOT_LOOK, planChecks, runChecks } from '../../cli/checks/run.ts';
import { FINDING_NAMES, TOKEN_KINDS } from '../../cli/preflight/checks.ts';
import { type FakeBuildkite, startFakeBuildkite } from '../../sandbox/fakes/buildkite/buildkite.ts';
import { API_TOKEN } from '../../sandbox/fakes/buildkite/rest-api.ts';
import { PEOPLE_API_TOKEN, TEAMS_API_TOKEN } from '../../sandbox/fakes/buildkite/teams.ts';
import { createHttpClient } from '../../shared/runtime/http-client.ts';
import { withRule } from '../fixtures/broken-deployments.ts';
import { POLICY, policyOf } from '../fixtures/preflight-world.ts';
import { TestClock } from '../fixtures/test-clock.ts';

const clock = new TestClock(Date.parse('2026-11-24T10:00:00Z'));
const APPROVAL = { approval: { step: 'approve', by: 'platform', within: '1h' } };
const TEAM = { match: { team: { name: 'platform' } } };
const CREATED_BY = { match: { build_source: 'ui', created_by: { team: 'platform' } } };

let buildkite: FakeBuildkite;
beforeAll(async () => {
  buildkite = await startFakeBuildkite({ audience: 'https://keydesk.acme.example', webhookToken: 'x', clock });
});
afterAll(() => buildkite.close());
beforeEach(() => {
  buildkite.beforeToken = undefined;
  clock.advance(60_000);
});

interface Given {
  readonly rule?: object;
  readonly apiToken?: string;
  readonly teamsApiToken?: string;
  readonly accepted?: readonly string[];
}

async function run({ rule = {}, apiToken, teamsApiToken, accepted = [] }: Given) {
  const send = createHttpClient(clock);
  const toBuildkite: typeof send = (request) =>
    send({ ...request, url: request.url.replace('https://api.buildkite.com', buildkite.url) });
  const asOperator: typeof send = () =>
    Promise.reject(new Error("no API token is sent to Google, nor the operator's to Buildkite"));
  const google = createGoogle(asOperator, { quotaProject: 'acme-keydesk', sendUnauthenticated: toBuildkite });
  const target = { policy: policyOf(withRule(rule)(POLICY)), clock, apiToken, teamsApiToken };
  return runChecks(planChecks(TOKEN_KINDS, target), google, { accepted, report: () => {} });
}

const found = (results: Awaited<ReturnType<typeof run>>) =>
  results.flatMap(({ findings }) => findings.map(({ finding }) => finding));
const PERSON = () => buildkite.builds.apiTokenOf({ id: '0184990a-477b-4fa8-9968-496074483ca1', name: 'Anne' });

describe('the preflight of API tokens', () => {
  it.each<[string, () => Given, readonly string[]]>([
    ['nothing where no rule has a condition, and no token is given', () => ({}), []],
    ['nothing where the tokens are as they must be', () => ({ rule: APPROVAL, ...BOTH }), []],
    ['that teams need a token', () => ({ rule: TEAM, apiToken: API_TOKEN }), ['teams_api_token_not_given']],
    ['that an approval needs both', () => ({ rule: APPROVAL }), ['api_token_not_given', 'teams_api_token_not_given']],
    [
      'that who started a build needs both',
      () => ({ rule: CREATED_BY }),
      ['api_token_not_given', 'teams_api_token_not_given'],
    ],
    ['no need of an API token for a machine', () => ({ apiToken: API_TOKEN }), []],
    [
      'the token for jobs given for teams',
      () => ({ rule: TEAM, apiToken: API_TOKEN, teamsApiToken: API_TOKEN }),
      ['api_token_scope_missing', 'api_token_scope_not_needed'],
    ],
    ['a token for teams that can do more', () => ({ teamsApiToken: PEOPLE_API_TOKEN }), ['api_token_scope_not_needed']],
    [
      'a token for jobs that can unblock steps',
      () => ({ rule: APPROVAL, apiToken: PERSON(), teamsApiToken: TEAMS_API_TOKEN }),
      ['api_token_may_unblock'],
    ],
    [
      'a token for teams that can change them',
      () => {
        buildkite.beforeToken = () => ({
          status: 200,
          json: { scopes: ['view_teams', 'write_teams'], expires_at: null },
        });
        return { teamsApiToken: TEAMS_API_TOKEN };
      },
      ['api_token_scope_not_needed'],
    ],
    [
      'a token that expires soon',
      () => {
        buildkite.beforeToken = () => ({
          status: 200,
          json: { scopes: ['read_builds'], expires_at: '2026-12-01 10:00:00 UTC' },
        });
        return { apiToken: API_TOKEN };
      },
      ['api_token_expires_soon'],
    ],
    ['a token that Buildkite does not know', () => ({ apiToken: 'nobody' }), ['api_token_not_accepted']],
  ])('finds %s', async (_, given, expected) => {
    expect(found(await run(given())).sort()).toEqual([...expected].sort());
  });

  it('could not look where Buildkite does not respond', async () => {
    buildkite.beforeToken = () => ({ status: 503, json: { message: 'Service unavailable' } });
    expect(found(await run({ apiToken: API_TOKEN }))).toEqual([COULD_NOT_LOOK]);
  });

  it('names the conditions and the teams, and can be accepted', async () => {
    const text = explanations(await run({ rule: APPROVAL })).join('\n');
    expect(text).toMatch(/approval.*\n[\s\S]*platform/);
    expect(text).toContain('--teams-token-file');
    const accepted = ['api_token_not_given', 'teams_api_token_not_given'];
    expect(explanations(await run({ rule: APPROVAL, accepted })).join('')).not.toContain('platform');
    expect(FINDING_NAMES).toEqual(expect.arrayContaining(accepted));
  });
});

const BOTH = { apiToken: API_TOKEN, teamsApiToken: TEAMS_API_TOKEN };
