// The teams of a policy in the fake Buildkite are those that its rules can be met with.

import { afterEach, beforeEach, expect, it } from 'vitest';
import { type FakeBuildkite, startFakeBuildkite } from '../../../sandbox/fakes/buildkite/buildkite.ts';
import { APP } from '../../../sandbox/fakes/buildkite/job.ts';
import { createPeople } from '../../../sandbox/people.ts';
import { checkPolicyText } from '../../../shared/core/policy/check-text.ts';

const [WEB, API] = ['0184990a-4782-42b5-afc1-16715b10b1f1', '0184990a-4782-42b5-afc1-16715b10b1f2'];
const POLICY = `
version: 1
organization: { slug: acme-inc }
audience: https://keydesk.acme.example
environments: { staging: {} }
pipelines: { web: ${WEB}, api: ${API} }
teams: { platform: 0184990d-55aa-4c1b-8e21-0a9b8c7d6e5f, unused: 0184990e-7c44-4f0a-a3b2-9d8c7b6a5f4e }
credentials:
  export:
    environment: staging
    ttl: 10m
    serviceAccount: { email: export@acme.iam.gserviceaccount.com, scopes: [https://www.googleapis.com/auth/datastore] }
rules:
  - { name: reading, match: { pipeline: [web, api], team: { name: platform } }, grants: [export] }
  - { name: building, match: { pipeline: web, team: { name: platform, access: build_and_read } }, grants: [export] }
  - { name: by name, match: { pipeline_slug: "app-*", team: { name: platform } }, grants: [export] }
`;

let buildkite: FakeBuildkite;
beforeEach(async () => {
  buildkite = await startFakeBuildkite({ audience: 'https://keydesk.acme.example', webhookToken: 'token' });
});
afterEach(() => buildkite.close());

it('a team has the pipelines of its rules with the most that one demands, and Alice and Bob as members', () => {
  const checked = checkPolicyText(POLICY);
  if ('problems' in checked) throw new Error(JSON.stringify(checked.problems));
  const { alice, bob, carol } = createPeople(buildkite, checked.policy);
  const [platform, unused] = buildkite.teams.all;
  expect(platform?.members.map(({ user }) => user)).toEqual([alice, bob]);
  expect(Object.fromEntries(platform?.pipelines ?? [])).toEqual({
    ...{ [WEB]: 'build_and_read', [API]: 'read_only' },
    [APP.id]: 'read_only',
  });
  expect(unused?.pipelines.size).toBe(0);
  expect(buildkite.teams.people).toEqual([alice, bob, carol]);
});
