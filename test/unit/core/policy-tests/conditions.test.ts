// Tests of a policy whose rules have conditions: what cases say beyond claims, and statements about teams, approvals and machines.

import { describe, expect, it } from 'vitest';
import { credentialTable } from '../../../../shared/core/policy/table.ts';
import { reportFile } from '../../../../shared/core/policy-tests/report.ts';
import { policyFrom, run, runStatement } from '../../../fixtures/policy-tests.ts';

const POLICY = policyFrom(`
version: 1
organization: { slug: acme-inc }
audience: https://keydesk.acme.example
environments: { production: {}, staging: {}, signing: {} }
pipelines: { web: 0184990a-4782-42b5-afc1-16715b10b1f0 }
teams:
  platform: 4c9bd9b0-2ac3-4f4b-a1d6-5b0a3a1c0f11
  managers: 9d1d1c9e-6d3f-4b51-8f9c-0d0c5f8f7e21
identityProviders:
  aws:
    issuer: https://aws.acme.example
    keys: https://aws.acme.example/jwks
    audience: keydesk
    algorithms: [RS256]
    claims: { role: { at: [sub], setBy: platform } }
credentials:
  production:
    environment: production
    ttl: 10m
    serviceAccount: { email: deploy@acme-live.iam.gserviceaccount.com, scopes: ["https://www.googleapis.com/auth/datastore"] }
  staging:
    environment: staging
    ttl: 10m
    serviceAccount: { email: deploy@acme-staging.iam.gserviceaccount.com, scopes: ["https://www.googleapis.com/auth/datastore"] }
  signing:
    environment: signing
    ttl: 10m
    serviceAccount: { email: signer@acme-signing.iam.gserviceaccount.com, scopes: ["https://www.googleapis.com/auth/datastore"] }
rules:
  - name: release
    match: { pipeline: web, build_source: [ui, api], team: { name: platform, access: build_and_read }, created_by: { team: platform } }
    approval: { step: approve, by: managers, within: 4h, not: creator }
    grants: [production]
  - name: sign
    match: { pipeline: web, build_source: schedule }
    approval: { step: sign, by: managers, within: 4h }
    grants: [signing]
  - name: on a machine
    match: { pipeline: web }
    agent: { provider: aws, claims: { role: [ci, deploy] } }
    grants: [staging]
`);
const TEAM = 'team: { name: platform, access: manage_build_and_read }';
const CREATED = 'created_by: { team: platform }';
const APPROVED = 'approved: { step: approve, by: managers, ago: 2h }';

function caseOf(conditions: string | undefined, expected: string, source = 'ui') {
  const stated = conditions === undefined ? '' : `conditions: { ${conditions} }, `;
  const { files, broken, passed } = run(
    POLICY,
    'cases:',
    `  - { name: a, job: { pipeline: web, build_source: ${source} }, ${stated}${expected} }`,
  );
  return {
    passed,
    problems: broken.flatMap(({ problems }) => problems.map(({ message }) => message)),
    wrong: files[0]?.cases[0]?.wrong.map(([name, { outcome }]) => `${name} ${outcome}`),
  };
}

describe('a case with conditions', () => {
  it.each([
    ['all of them hold', `${TEAM}, ${CREATED}, ${APPROVED}`, 'gets: [production]'],
    ['nothing is so', '', 'gets: []'],
    ['nobody approved', `${TEAM}, ${CREATED}`, 'gets: []'],
    ['it was approved just now', `${TEAM}, ${CREATED}, ${APPROVED.replace(', ago: 2h', '')}`, 'gets: [production]'],
    ['it was approved too long ago', `${TEAM}, ${CREATED}, ${APPROVED.replace('2h', '14401s')}`, 'gets: []'],
    ['the creator approved it', `${TEAM}, ${CREATED}, ${APPROVED.replace('ago: 2h', 'approver: creator')}`, 'gets: []'],
    [
      'somebody of another team approved it',
      `${TEAM}, ${CREATED}, ${APPROVED.replace('managers', 'platform')}`,
      'gets: []',
    ],
    ['somebody of no team approved it', `${TEAM}, ${CREATED}, approved: { step: approve }`, 'gets: []'],
    ['another step was approved', `${TEAM}, ${CREATED}, ${APPROVED.replace('approve,', 'sign,')}`, 'gets: []'],
    [
      'several steps were approved',
      `${TEAM}, ${CREATED}, approved: [{ step: sign }, { step: approve, by: [platform, managers] }]`,
      'gets: [production]',
    ],
    ['the team may only read', `team: { name: platform }, ${CREATED}, ${APPROVED}`, 'gets: []'],
    [
      'another team has access',
      `team: [{ name: managers, access: build_and_read }], ${CREATED}, ${APPROVED}`,
      'gets: []',
    ],
    ['somebody else started it', `${TEAM}, created_by: { team: [managers] }, ${APPROVED}`, 'gets: []'],
    ['the machine has the role', 'agent: { provider: aws, claims: { role: deploy } }', 'gets: [staging]'],
    ['the machine has another role', 'agent: { provider: aws, claims: { role: web } }', 'gets: []'],
  ])('decides where %s', (_, conditions, expected) => {
    expect(caseOf(conditions, expected)).toEqual({ passed: true, problems: [], wrong: [] });
  });

  it('does not know who started a build from a webhook', () => {
    const all = `${TEAM}, ${CREATED}, ${APPROVED}`;
    expect(caseOf(all, 'gets: []', 'webhook').passed).toBe(true);
  });

  it('is neither granted nor refused what is granted on conditions, unless it states them', () => {
    expect(caseOf(undefined, 'granted: [production]').wrong).toEqual(['production conditional']);
    expect(caseOf(undefined, 'refused: [production]').wrong).toEqual(['production conditional']);
    expect(caseOf(undefined, 'gets: []').wrong).toEqual(['production conditional', 'staging conditional']);
    expect(caseOf('', 'refused: [production]').passed).toBe(true);
  });

  it.each([
    ['a team', 'team: { name: platfrom }', '"platfrom" is not a team of the policy. Did you mean "platform"?'],
    ['the team of a creator', 'created_by: { team: x }', '"x" is not a team of the policy. Known: platform, managers.'],
    [
      'the team of an approver',
      'approved: { step: sign, by: manager }',
      '"manager" is not a team of the policy. Did you mean "managers"?',
    ],
    [
      'a provider',
      'agent: { provider: gce, claims: {} }',
      '"gce" is not an identity provider of the policy. Known: aws.',
    ],
    [
      'a claim',
      'agent: { provider: aws, claims: { rol: x } }',
      '"rol" is not a claim of aws of the policy. Did you mean "role"?',
    ],
    ['no claim', 'agent: { provider: aws, claims: {} }', 'lacks role. Keydesk accepts no token of aws without'],
    ['a step twice', 'approved: [{ step: sign }, { step: sign }]', '"sign" is approved twice. Keep one of the two'],
    [
      'a step',
      'approved: { step: aprove, by: managers }',
      'No rule has an approval of the step "aprove". Did you mean "approve"?',
    ],
    [
      'the second step',
      'approved: [{ step: sign }, { step: deploy }]',
      'No rule has an approval of the step "deploy". Known: approve, sign.',
    ],
    ['a key', 'aproved: { step: a }', '"aproved" is not a key of conditions. Did you mean "approved"?'],
  ])('names %s that the policy has', (_, conditions, message) => {
    expect(caseOf(conditions, 'gets: []').problems).toEqual([expect.stringContaining(message)]);
  });
});

describe('the report of a case that fails', () => {
  const report = (conditions: string | undefined, expected: string) => {
    const stated = conditions === undefined ? '' : `conditions: { ${conditions} }, `;
    const { files } = run(
      POLICY,
      'cases:',
      `  - { name: a, job: { pipeline: web, build_source: ui }, ${stated}${expected} }`,
    );
    return files.flatMap((file) => reportFile(POLICY.policy, file)).slice(2);
  };
  const refused = (credential: string, rule: string, unmet: readonly string[]) => [
    'policy.test.yaml:3:5: case "a" fails',
    `  expected  ${credential}`,
    '  got       nothing',
    `  ${credential} is refused`,
    ...(unmet.length === 1
      ? [`    nearest is rule "${rule}": ${unmet[0]}`]
      : [`    nearest is rule "${rule}":`, ...unmet.map((line) => `      ${line}`)]),
  ];

  it('says of each condition what is so and what the rule needs', () => {
    const conditions =
      'team: { name: platform }, created_by: { team: managers }, approved: { step: approve, by: managers, ago: 5h }';
    expect(report(conditions, 'gets: [production]')).toEqual(
      refused('production', 'release', [
        'team does not hold: platform has read_only, and the rule needs build_and_read',
        'created_by does not hold: the person who started the build is not a member of platform',
        'approval does not hold: the step was unblocked 5h ago, and within is 4h',
      ]),
    );
    expect(report('', 'gets: [production]').slice(-3)).toEqual([
      '      team does not hold: the pipeline does not belong to platform',
      '      created_by does not hold: the person who started the build is not a member of platform',
      '      approval does not hold: nobody unblocked the step approve',
    ]);
  });

  it.each([
    ['approved: { step: approve }', 'the person who unblocked approve is not a member of managers'],
    [`${APPROVED.replace('ago: 2h', 'approver: creator')}`, 'the person who unblocked the step started the build'],
  ])('says on one line what does not hold alone: %s', (approved, words) => {
    expect(report(`${TEAM}, ${CREATED}, ${approved}`, 'gets: [production]')).toEqual(
      refused('production', 'release', [`approval does not hold: ${words}`]),
    );
  });

  it('names the claims of a machine that differ', () => {
    const machine = 'agent: { provider: aws, claims: { role: web } }';
    expect(report(machine, 'gets: [staging]')).toEqual(
      refused('staging', 'on a machine', ['agent does not hold: role is web, and the rule needs ci or deploy']),
    );
  });

  it('cannot tell without conditions, and lists those of the rules', () => {
    expect(report(undefined, 'granted: [production]')).toEqual([
      'policy.test.yaml:3:5: case "a" fails',
      '  expected  granted production',
      '  got       cannot tell without conditions',
      '  production is granted on conditions, and the case does not say whether they hold. Add conditions to it, or {} if none does',
      '    rule "release", with',
      '      team: platform with build_and_read or more',
      '      created_by: platform',
      '      approval: approve by managers, not the creator, within 4h',
    ]);
  });
});

it('the table of a policy has the conditions of each rule', () => {
  expect(credentialTable(POLICY.policy).filter((line) => !line.includes(' opens '))).toEqual([
    expect.stringContaining('CREDENTIAL'),
    expect.stringContaining('production'),
    '  granted by  "release", with',
    '              team: platform with build_and_read or more',
    '              created_by: platform',
    '              approval: approve by managers, not the creator, within 4h',
    expect.stringContaining('staging'),
    '  granted by  "on a machine", with',
    '              agent: aws with role ci or deploy',
    expect.stringContaining('signing'),
    '  granted by  "sign", with',
    '              approval: sign by managers, within 4h',
  ]);
});

describe('a statement with conditions', () => {
  const APPROVAL = 'approval: { step: approve, by: managers, within: 4h, not: creator }';

  it.each([
    [`{ never: { environment: production }, unless: { ${APPROVAL} } }`, 'proven'],
    [
      '{ never: { environment: production }, unless: { approval: { step: approve, by: managers, within: 24h } } }',
      'proven',
    ],
    [
      '{ never: { environment: production }, unless: { approval: { step: approve, by: managers, within: 1h } } }',
      'refuted',
    ],
    [
      '{ never: { environment: production }, unless: { approval: { step: sign, by: managers, within: 4h } } }',
      'refuted',
    ],
    [
      '{ never: { environment: production }, unless: { approval: { step: approve, by: platform, within: 4h } } }',
      'refuted',
    ],
    ['{ never: { environment: production }, unless: { team: { name: platform } } }', 'proven'],
    [
      '{ never: { environment: production }, unless: { team: { name: platform, access: manage_build_and_read } } }',
      'refuted',
    ],
    ['{ never: { environment: production }, unless: { created_by: { team: platform }, pipeline: web } }', 'proven'],
    [
      '{ never: { credential: staging }, unless: { agent: { provider: aws, claims: { role: [ci, deploy, x] } } } }',
      'proven',
    ],
    ['{ never: { credential: staging }, unless: { agent: { provider: aws, claims: { role: ci } } } }', 'refuted'],
    [
      '{ always: { credential: staging }, for: { pipeline: web, agent: { provider: aws, claims: { role: ci } } } }',
      'proven',
    ],
    ['{ always: { credential: staging }, for: { pipeline: web } }', 'refuted'],
    [`{ always: { credential: production }, for: { pipeline: web, build_source: ui, ${APPROVAL} } }`, 'refuted'],
  ])('%s is %s', (statement, verdict) => {
    const { proof, problems } = runStatement(POLICY, statement);
    expect({ problems, verdict: proof?.verdict }).toEqual({ problems: [], verdict });
  });

  it.each([
    ['{ team: { name: platfrom } }', '"platfrom" is not a team of the policy. Did you mean "platform"?'],
    ['{ approval: { step: a, by: x, within: 1h } }', '"x" is not a team of the policy. Known: platform, managers.'],
    ['{ approval: { step: a, by: managers } }', 'within is missing'],
    [
      '{ agent: { provider: awz, claims: { role: ci } } }',
      '"awz" is not an identity provider of the policy. Did you mean "aws"?',
    ],
    [
      '{ agent: { provider: aws, claims: { rol: ci } } }',
      '"rol" is not a claim of aws of the policy. Did you mean "role"?',
    ],
  ])('unless %s is an error', (unless, message) => {
    const { problems } = runStatement(POLICY, `{ never: { environment: production }, unless: ${unless} }`);
    expect(problems.map((one) => `${one.where} ${one.message}`)).toEqual([
      expect.stringContaining(message.replace(/^within /, '')),
    ]);
  });
});
