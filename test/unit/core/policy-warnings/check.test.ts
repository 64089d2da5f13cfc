// The warnings about a policy: one valid policy without any, and one thing changed in each case. Next to what gives a warning stands
// what nearly does. What the warnings say is in warnings.golden.txt, for people to read; RECORD=1 writes the file.

import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parsePolicy, parsePolicyText } from '../../../../shared/core/policy/parse-yaml.ts';
import { checkPolicy } from '../../../../shared/core/policy-warnings/check.ts';
import { WARNING_CODES, type WarningCode } from '../../../../shared/core/policy-warnings/codes.ts';
import {
  account,
  DATASTORE,
  type Data,
  databaseData,
  everyKindPolicyText,
  PIPELINE_ID,
  policyData,
  policyText,
} from '../../../fixtures/policies.ts';

/** Of the form of Google's, and none of them. */
const API_KEY = 'AIzaSyD4k_9XxQwErTy0-12345abcdeFGHIJKLM';
const RELEASE_ID = '0184990c-4782-42b5-afc1-16715b10b1f1';
const GOLDEN = new URL('warnings.golden.txt', import.meta.url);
const REASON = 'this is only a test';

const firestore = (ttl: string, environment: string, database = 'data') => ({
  ...{ environment, ttl },
  firestore: { database, allow: [{ path: 'config/{document}', verbs: ['get'] }] },
});

const valid = (): Data =>
  policyData(
    'acme-data',
    {
      config: firestore('15m', 'staging'),
      export: {
        ...{ environment: 'staging', ttl: '10m' },
        serviceAccount: { email: account('export', 'acme-data'), scopes: [DATASTORE] },
      },
      live: firestore('10m', 'production', 'live'),
    },
    {
      environments: { staging: {}, production: { require: ['pipeline', 'build_source'] } },
      pipelines: { web: PIPELINE_ID, release: RELEASE_ID },
      databases: {
        data: databaseData('acme-data', { apiKey: API_KEY }),
        live: databaseData('acme-live', { apiKey: API_KEY }),
      },
      rules: [
        {
          name: 'deploy',
          match: { pipeline: 'web', build_branch: ['main', 'release/*'] },
          grants: ['config', 'export'],
        },
        {
          name: 'release',
          match: { pipeline: 'release', build_source: ['schedule', 'ui'], runner_environment: 'self-hosted' },
          grants: ['live'],
        },
      ],
    },
  );

function read(text: string) {
  const result = parsePolicyText(text);
  if ('problems' in result) throw new Error(result.problems.map(({ message }) => message).join('\n'));
  return result;
}

function check(text: string) {
  return checkPolicy(read(text));
}

type Change = (data: Data) => void;

function checkWith(...changes: Change[]) {
  const data = valid();
  for (const change of changes) change(data);
  return check(policyText(data));
}

const found = (...changes: Change[]) =>
  checkWith(...changes).warnings.map(({ code, path }) => `${path.join('.')} ${code}`);

/** One pattern of a claim in the first rule. A claim other than the branch is added to it. */
const pattern =
  (claim: string, value: unknown): Change =>
  (data) => {
    data.rules[0].match[claim] = value;
  };
const match =
  (claims: object, index = 0): Change =>
  (data) => {
    data.rules[index].match = index === 1 ? { runner_environment: 'self-hosted', ...claims } : claims;
  };
/** A pattern that is alone in the rule if it is of a tag: a tag with a branch has a warning of its own. */
const withPattern = (claim: string, value: string): Change[] => [
  ...(claim === 'build_tag' ? [match({ pipeline: 'web' })] : []),
  pattern(claim, value),
];
const addRule =
  (rule: object): Change =>
  (data) => {
    data.rules.push({ name: 'added', ...rule });
  };

const PATTERNS: readonly [WarningCode, claim: string, pattern: string][] = [
  ['ref_prefix', 'build_branch', 'refs/heads/main'],
  ['ref_prefix', 'build_branch', 'refs/heads/release/*'],
  ['ref_prefix', 'build_branch', 'refs/tags/v1'],
  ['ref_prefix', 'build_branch', 'refs/pull/12/head'],
  ['ref_prefix', 'build_branch', 'refs/remotes/origin/main'],
  ['ref_prefix', 'build_branch', 'heads/main'],
  ['ref_prefix', 'build_branch', 'origin/main'],
  ['ref_prefix', 'build_branch', 'upstream/main'],
  ['ref_prefix', 'build_tag', 'refs/tags/v1.*'],
  ['ref_prefix', 'build_tag', 'tags/v1.*'],
  ['pattern_syntax', 'build_branch', '{main,develop}'],
  ['pattern_syntax', 'build_branch', 'release/{1,2}'],
  ['pattern_syntax', 'build_branch', '!main'],
  ['pattern_syntax', 'build_branch', '^main$'],
  ['pattern_syntax', 'build_branch', '^main'],
  ['pattern_syntax', 'build_branch', 'main$'],
  ['pattern_syntax', 'build_branch', '/^main$/'],
  ['pattern_syntax', 'build_branch', '(main|develop)'],
  ['pattern_syntax', 'build_branch', 'main|develop'],
  ['pattern_syntax', 'build_branch', 'main,develop'],
  ['pattern_syntax', 'build_branch', 'main, develop'],
  ['pattern_syntax', 'build_branch', 'main;develop'],
  ['pattern_syntax', 'build_branch', 'main develop'],
  ['pattern_syntax', 'build_branch', 'main or develop'],
  ['pattern_syntax', 'build_branch', '[main, develop]'],
  ['pattern_syntax', 'build_branch', 'main !release/*'],
  ['pattern_syntax', 'build_branch', '[main, !release/*]'],
  ['pattern_syntax', 'build_branch', '.*'],
  ['pattern_syntax', 'build_branch', 'release/.*'],
  ['pattern_syntax', 'build_branch', 'release/.+'],
  ['pattern_syntax', 'build_branch', 'release\\.1'],
  ['pattern_syntax', 'build_branch', 'release/[0-9]*'],
  ['pattern_syntax', 'build_branch', 'v[12]'],
  ['pattern_syntax', 'build_branch', 'v?.0'],
  ['pattern_syntax', 'build_branch', '"main"'],
  ['pattern_syntax', 'build_branch', '“main”'],
  ['pattern_syntax', 'build_branch', "'main'"],
  ['pattern_syntax', 'build_source', 'webhook,ui'],
  ['pattern_syntax', 'build_source', '^ui'],
  ['pattern_syntax', 'step_key', 'deploy|release'],
  ['pattern_syntax', 'agent_tag:os', '^linux$'],
  ['pattern_syntax', 'cluster_name', '{Blue,Green}'],
  ['impossible_value', 'build_branch', 'main '],
  ['impossible_value', 'build_branch', ' main'],
  ['impossible_value', 'build_branch', 'a..b'],
  ['impossible_value', 'build_branch', 'a~1'],
  ['impossible_value', 'build_branch', 'a^b'],
  ['impossible_value', 'build_branch', 'a:b:c'],
  ['impossible_value', 'build_branch', 'a@{1}'],
  ['impossible_value', 'build_branch', '/main'],
  ['impossible_value', 'build_branch', 'release/'],
  ['impossible_value', 'build_branch', 'a//b'],
  ['impossible_value', 'build_branch', 'main.lock'],
  ['impossible_value', 'build_branch', 'main.'],
  ['impossible_value', 'build_branch', 'a/.b'],
  ['impossible_value', 'build_tag', 'user:v1'],
  ['impossible_value', 'step_key', 'Deploy to production'],
  ['impossible_value', 'step_key', PIPELINE_ID],
  ['impossible_value', 'pipeline_slug', 'acme-inc/web'],
  ['impossible_value', 'pipeline_slug', 'Web'],
  ['impossible_value', 'queue_key', 'queue=deploy'],
  ['impossible_value', 'agent_tag:queue', 'queue=deploy'],
  ['impossible_value', 'build_commit', 'main'],
  ['impossible_value', 'build_commit', '9f31820'],
  ['impossible_value', 'build_commit', '9F3182061F1E2CCA4702C368CBC039B7DC9D4485'],
  ['unknown_value', 'build_source', 'scheduled'],
  ['unknown_value', 'build_source', 'push'],
  ['unknown_value', 'build_source', 'Webhook'],
  ['unknown_value', 'build_source', 'trigger-job'],
  ['unknown_value', 'runner_environment', 'hosted'],
  ['unknown_value', 'runner_environment', 'self_hosted'],
  ['tag_pattern_for_branch', 'build_branch', 'v*'],
  ['tag_pattern_for_branch', 'build_branch', 'v1.*'],
  ['tag_pattern_for_branch', 'build_branch', 'v*.*.*'],
  ['tag_pattern_for_branch', 'build_branch', '1.2.*'],
  ['tag_pattern_for_branch', 'build_branch', 'v1.2.3'],
  ['tag_pattern_for_branch', 'build_branch', 'release-*.*'],
  ['stray_character', 'build_branch', 'm\u0430in'],
  ['stray_character', 'build_branch', 'release/\u03bdersion'],
  ['placeholder', 'build_branch', '<branch>'],
  ['placeholder', 'step_key', '__STEP_KEY__'],
];

/** Patterns that mean what they say. */
const FINE: readonly [claim: string, pattern: unknown][] = [
  ...[
    'main',
    'release/*',
    'release/**',
    'feature/**',
    '*-hotfix',
    'user:main',
    '*:main',
    '**',
    'v2',
    '1.x',
    'v1.x',
    'release-*',
    'release/v1.*x',
    'origin',
    'heads',
    'refs',
    'tags-2024',
    'fix#12',
    'a+b',
    'a@b',
    'a=b',
    'a{b}',
    'a(b)',
    'ä/ö',
    'ветка',
    'ветка/main',
    'dependabot/npm_and_yarn/lodash-4.17.21',
    'change-api',
    'replace-bucket',
    'example/com',
    'gh-readonly-queue/main/*',
  ].map((branch): [string, string] => ['build_branch', branch]),
  ...['ui', 'api', 'webhook', 'trigger_job', 'schedule', '*', 'web*'].map((source): [string, string] => [
    'build_source',
    source,
  ]),
  ['runner_environment', 'self-hosted'],
  ['runner_environment', '*-hosted'],
  ...['deploy', 'deploy-*', 'Deploy_1', 'a:b', '//app:test'].map((key): [string, string] => ['step_key', key]),
  ['build_commit', 'HEAD'],
  ['build_commit', '9f3182061f1e2cca4702c368cbc039b7dc9d4485'],
  ['build_commit', '9f31820*'],
  ['queue_key', 'deploy'],
  ['agent_tag:queue', 'deploy=fast'],
  ['agent_tag:os', 'Windows Server, 2022 (x64)'],
  ['cluster_name', 'Blue & Green: "prod", EU'],
  ['pipeline_slug', 'web-app'],

  ['build_number', 42],
];

const ofSecond =
  (claim: string, value: unknown): Change =>
  (data) => {
    data.rules[1].match[claim] = value;
  };
const MANAGERS = '4c9bd9b0-2ac3-4f4b-a1d6-5b0a3a1c0f11';
/** The second rule demands an approval. Of its builds Buildkite knows who started them. */
const approval =
  (change: object = {}, source: unknown = 'ui'): Change =>
  (data) => {
    data.teams = { managers: MANAGERS };
    data.rules[1].match.build_source = source;
    data.rules[1].approval = { step: 'approve', by: 'managers', within: '4h', not: 'creator', ...change };
  };
const machine =
  (setBy: string): Change =>
  (data) => {
    data.identityProviders = {
      aws: {
        ...{ issuer: 'https://aws.acme.dev', keys: 'https://aws.acme.dev/jwks', audience: 'keydesk' },
        ...{ algorithms: ['RS256'], claims: { role: { setBy }, zone: { setBy: 'caller' } } },
      },
    };
    data.rules[1].agent = { provider: 'aws', claims: { role: 'ci', zone: 'a' } };
  };

/** A machine, by a claim at this path. */
const at =
  (...members: string[]): Change =>
  (data) => {
    machine('platform')(data);
    data.identityProviders.aws.claims.role.at = members;
  };

/** A machine at Google, by a claim at this path. */
const google =
  (...at: string[]): Change =>
  (data) => {
    const name = at.at(-1) ?? '';
    data.identityProviders = {
      google: {
        ...{ issuer: 'https://accounts.google.com', keys: 'https://www.googleapis.com/oauth2/v3/certs' },
        ...{ audience: 'keydesk', algorithms: ['RS256'], claims: { [name]: { at, setBy: 'platform' } } },
      },
    };
    data.rules[1].agent = { provider: 'google', claims: { [name]: 'a' } };
  };

const OTHERS: readonly [WarningCode, what: string, path: string, ...changes: Change[]][] = [
  ...[';', ',', '"', '”'].map((ending): [WarningCode, string, string, Change] => [
    'stray_character',
    `an audience that ends in ${ending}`,
    'audience',
    (data) => {
      data.audience = `https://keydesk.acme.dev${ending}`;
    },
  ]),
  ...['datastor', 'cloud-plattform', 'devstorage.read-only'].map((scope): [WarningCode, string, string, Change] => [
    'unknown_scope',
    `the scope ${scope}`,
    'credentials.export.serviceAccount.scopes.0',
    (data) => {
      data.credentials.export.serviceAccount.scopes = [`https://www.googleapis.com/auth/${scope}`];
    },
  ]),
  ...['web-key', 'AIzaSyD4k9XxQwErTy0', `AIza${'b7'.repeat(18)}`].map((key): [WarningCode, string, string, Change] => [
    'api_key_form',
    `the API key ${key}`,
    'databases.data.apiKey',
    (data) => {
      data.databases.data.apiKey = key;
    },
  ]),
  [
    'default_database',
    'a database called default',
    'databases.data.database',
    (data) => {
      data.databases.data.database = 'default';
    },
  ],
  [
    'tag_pattern_for_branch',
    'one tag among branches',
    'rules.0.match.build_branch.1',
    pattern('build_branch', ['main', 'v*']),
  ],
  [
    'branch_pattern_for_tag',
    'a tag called main',
    'rules.0.match.build_tag.0',
    match({ pipeline: 'web', build_tag: 'main' }),
  ],
  [
    'branch_pattern_for_tag',
    'tags on a branch',
    'rules.0.match.build_branch',
    match({ pipeline: 'web', build_branch: 'main', build_tag: 'v*' }),
  ],
  [
    'contradicting_claims',
    'another organization',
    'rules.0.match.organization_id',
    pattern('organization_id', RELEASE_ID),
    addRule({ match: { pipeline: 'web', build_branch: 'dev' }, grants: ['config', 'export'] }),
    (data) => {
      data.organization.id = '0184990d-4782-42b5-afc1-16715b10b1f1';
    },
  ],
  ...['Acme Inc', 'https://buildkite.com/acme-inc'].map((slug): [WarningCode, string, string, Change] => [
    'impossible_value',
    `the organization ${slug}`,
    'organization.slug',
    (data) => {
      data.organization.slug = slug;
      data.audience = 'https://keydesk.acme.dev';
      data.pipelines.web = '0184990f-4782-42b5-afc1-16715b10b1f0';
    },
  ]),
  [
    'contradicting_claims',
    'the slug of another pipeline',
    'rules.0.match.pipeline_slug',
    pattern('pipeline_slug', 'release'),
  ],
  ['own_approval', 'an approval by anybody', 'rules.1.approval', approval({ not: undefined })],
  ...['schedule', 'webhook', ['ui', 'trigger_job'], 'u*'].map((source): [WarningCode, string, string, ...Change[]] => [
    'unverified_creator',
    `an approval of a build by ${source}`,
    'rules.1.approval.not',
    approval({}, source),
    ofSecond('build_branch', 'main'),
  ]),
  ['short_approval', 'an approval that is shorter than the ttl', 'rules.1.approval.within', approval({ within: '9m' })],
  ['pattern_syntax', 'a pattern of steps', 'rules.1.approval.step', approval({ step: 'approve-*' })],
  ['impossible_value', 'the label of a step', 'rules.1.approval.step', approval({ step: 'Approve production' })],
  ['caller_set_claims', 'claims that the caller sets', 'rules.1.agent.claims', machine('caller')],
  ['public_issuer', 'a zone of Google', 'rules.1.agent.claims', google('google', 'compute_engine', 'zone')],
  [
    'public_issuer',
    'the name of a machine of Google',
    'rules.1.agent.claims',
    google('google', 'compute_engine', 'instance_name'),
  ],
  ['break_glass_creator', 'an emergency that anybody begins', 'rules.1.approval.use', approval({ use: 'break-glass' })],
  [
    'pattern_syntax',
    'a pattern of accounts of machines',
    'rules.1.agent.claims.role.1',
    machine('platform'),
    (data) => {
      data.rules[1].agent.claims.role = ['ci', 'system:serviceaccount:buildkite:*'];
    },
  ],
  ['dotted_member', 'a path in one member', 'identityProviders.aws.claims.role.at', at('google.compute_engine.zone')],
  ['dotted_member', 'a path behind a domain', 'identityProviders.aws.claims.role.at', at('kubernetes.io.pod', 'name')],
  ['public_issuer', 'a verified address of Google', 'rules.1.agent.claims', google('email_verified')],
  [
    'caller_set_claims',
    'an account of Google that the caller sets',
    'rules.1.agent.claims',
    google('sub'),
    (data) => {
      data.identityProviders.google.claims.sub.setBy = 'caller';
    },
  ],
  ['public_issuer', 'a claim of a name that Google has elsewhere', 'rules.1.agent.claims', google('x', 'project_id')],
  [
    'duplicate_entry',
    'a value of a machine twice',
    'rules.1.agent.claims.role.1',
    machine('platform'),
    (data) => {
      data.rules[1].agent.claims.role = ['ci', 'ci'];
    },
  ],
  [
    'unused_team',
    'a team',
    'teams.managers',
    (data) => {
      data.teams = { managers: MANAGERS };
    },
  ],
  [
    'unused_provider',
    'an identity provider',
    'identityProviders.aws',
    machine('platform'),
    (data) => {
      delete data.rules[1].agent;
    },
  ],
  [
    'author_chosen_guards',
    'production by tag and step',
    'rules.1',
    match({ pipeline: 'release', build_tag: 'v*', step_key: 'deploy' }, 1),
    (data) => {
      data.environments.production = { require: ['pipeline'] };
    },
  ],
  [
    'author_chosen_guards',
    'production from the API',
    'rules.1',
    match({ pipeline: 'release', build_tag: 'v*', build_source: ['webhook', 'api'] }, 1),
  ],
  [
    'author_chosen_guards',
    'production by branch in the cluster of its pipeline',
    'rules.1',
    (data) => {
      data.environments.production = { require: ['pipeline'] };
    },
    match({ pipeline: 'release', cluster_id: PIPELINE_ID, build_branch: 'main' }, 1),
  ],
  [
    'author_chosen_guards',
    'an environment with guards, by branch',
    'rules.0',
    (data) => {
      data.environments.staging = { maxTtl: '30m' };
    },
  ],
  [
    'author_chosen_guards',
    'two environments of one pipeline, by branch',
    'rules.0',
    (data) => {
      data.environments.test = {};
      data.databases.test = databaseData('acme-test', { apiKey: API_KEY });
      data.credentials.test = firestore('15m', 'test', 'test');
    },
    addRule({ match: { pipeline: 'web' }, grants: ['test'] }),
  ],
  [
    'author_chosen_guards',
    'a guarded environment of a pipeline that also gets staging, without a guard',
    'rules.1',
    (data) => {
      data.environments = { staging: {}, guarded: { maxTtl: '30m' } };
      data.credentials.live.environment = 'guarded';
    },
    match({ pipeline: 'release' }, 1),
    addRule({ match: { pipeline: 'release', build_branch: 'dev' }, grants: ['config'] }),
  ],
  [
    'author_chosen_guards',
    'production by branch and the kind of agents',
    'rules.1',
    (data) => {
      data.environments.production = { require: ['pipeline'] };
    },
    match({ pipeline: 'release', build_branch: 'main' }, 1),
  ],
  ...[
    ...['**', '*', 'feature/*', 'main*', '*/main', 'hotfix/*', 'prod-*', 'release/**'],
    ...['alice/fix', 'patch-1', 'hotfix/login', 'develop'],
  ].map((branch): [WarningCode, string, string, Change] => [
    'pull_request_branch',
    `production by branch ${branch}`,
    'rules.1.match.build_branch.1',
    match({ pipeline: 'release', build_branch: ['main', branch], build_source: ['webhook', 'ui'] }, 1),
  ]),
  [
    'pull_request_branch',
    'production by trigger steps of any branch',
    'rules.1.match',
    match({ pipeline: 'release', build_source: ['trigger_job', 'ui'] }, 1),
  ],
  [
    'pull_request_branch',
    'production by trigger steps of branches that anybody can push',
    'rules.1.match.build_branch.0',
    match({ pipeline: 'release', build_source: 'trigger_job', build_branch: 'f*' }, 1),
  ],
  [
    'pull_request_branch',
    'production by webhook',
    'rules.1.match',
    match({ pipeline: 'release', build_source: ['webhook', 'ui'] }, 1),
  ],
  [
    'pull_request_branch',
    'production by its pipeline alone',
    'rules.1.match',
    match({ pipeline: 'release' }, 1),
    (data) => {
      data.environments.production = { require: ['pipeline'] };
    },
  ],
  [
    'pull_request_branch',
    'an environment with require, from any source but the API',
    'rules.0.match.build_branch.0',
    (data) => {
      data.environments.staging = { require: ['build_branch'] };
    },
    match({ pipeline: 'web', build_branch: 'f**', build_source: 'w*', runner_environment: 'self-hosted' }),
  ],
  [
    'hosted_runners',
    'production on agents of any kind',
    'environments.production',
    match({ pipeline: 'release', build_source: 'ui', runner_environment: '*' }, 1),
  ],
  [
    'hosted_runners',
    'two rules of production without the kind of agents',
    'environments.production',
    (data) => {
      delete data.rules[1].match.runner_environment;
    },
    addRule({ match: { pipeline: 'web', build_source: 'schedule' }, grants: ['live'] }),
  ],
  [
    'rule_never_matches',
    'a number that is too large',
    'rules.2.match.build_number',
    addRule({ match: { pipeline: 'web', build_number: '9'.repeat(20) }, grants: ['config'] }),
  ],
  [
    'rule_never_matches',
    'a UUID with too many parts',
    'rules.2.match.queue_id',
    addRule({ match: { pipeline: 'web', queue_id: ['*-*-*-*-*-*', 'ab-*'] }, grants: ['config'] }),
  ],
  [
    'rule_shadowed',
    'a narrower rule',
    'rules.2',
    addRule({ match: { pipeline: 'web', build_branch: 'release/1' }, grants: ['export', 'config'] }),
  ],
  [
    'rule_shadowed',
    'a rule of the same jobs, in other words',
    'rules.2',
    addRule({ match: { pipeline: 'web', build_branch: ['release/*', 'release/1', 'main'] }, grants: ['config'] }),
  ],
  [
    'rule_shadowed',
    'a rule that two others cover together',
    'rules.2',
    addRule({ match: { pipeline: 'web', build_branch: 'dev' }, grants: ['config'] }),
    addRule({ name: 'tags', match: { pipeline: 'web', build_branch: 'dev', build_tag: '**' }, grants: ['config'] }),
    addRule({ name: 'all', match: { pipeline: 'web', build_branch: 'd*', step_key: 'x' }, grants: ['export'] }),
    (data) => {
      data.rules[2].match = { pipeline: 'web', build_branch: 'dev', step_key: ['a', 'b'] };
      data.rules[3].match = { pipeline: 'web', build_branch: 'd*', step_key: 'a' };
      data.rules[4] = {
        name: 'all',
        match: { pipeline: 'web', build_branch: '*v', step_key: 'b' },
        grants: ['config', 'export'],
      };
    },
  ],
  [
    'unguarded_production',
    'production without guards',
    'environments.production',
    (data) => {
      data.environments.production = {};
    },
  ],
  [
    'unguarded_production',
    'eu-prod with another guard',
    'environments.eu-prod',
    (data) => {
      data.environments['eu-prod'] = { maxTtl: '15m' };
      data.credentials.live.environment = 'eu-prod';
      delete data.environments.production;
    },
  ],
  [
    'slug_only',
    'a slug alone',
    'rules.0.match.pipeline_slug',
    match({ pipeline_slug: 'web', build_branch: 'main' }),
    (data) => {
      delete data.pipelines.web;
      data.organization.id = '0184990d-4782-42b5-afc1-16715b10b1f1';
    },
  ],
  [
    'duplicate_rule',
    'the same match twice',
    'rules.2',
    addRule({
      match: { pipeline: 'release', build_source: ['schedule', 'ui'], runner_environment: 'self-hosted' },
      grants: ['config'],
    }),
  ],
  [
    'duplicate_rule',
    'the same match in another order, by id',
    'rules.2',
    addRule({
      match: {
        build_source: ['ui', 'schedule'],
        runner_environment: 'self-hosted',
        pipeline_id: RELEASE_ID.toUpperCase(),
      },
      grants: ['live'],
    }),
  ],
  ['duplicate_entry', 'a credential granted twice', 'rules.0.grants.2', (data) => data.rules[0].grants.push('config')],
  ['duplicate_entry', 'a pattern twice', 'rules.0.match.build_branch.1', pattern('build_branch', ['main', 'main'])],
  [
    'duplicate_entry',
    'a scope twice',
    'credentials.export.serviceAccount.scopes.1',
    (data) => data.credentials.export.serviceAccount.scopes.push(DATASTORE),
  ],
  [
    'duplicate_entry',
    'a required claim twice',
    'environments.production.require.2',
    (data) => data.environments.production.require.push('pipeline'),
  ],
  ['unused_credential', 'a credential of no rule', 'credentials.export', (data) => data.rules[0].grants.pop()],
  [
    'unused_environment',
    'an environment of no credential',
    'environments.test',
    (data) => {
      data.environments.test = {};
    },
  ],
  [
    'unused_pipeline',
    'a pipeline of no rule',
    'pipelines.docs',
    (data) => {
      data.pipelines.docs = '0184990e-4782-42b5-afc1-16715b10b1f1';
    },
  ],
  [
    'unused_database',
    'a database of no credential',
    'databases.old',
    (data) => {
      data.databases.old = { ...data.databases.data, project: 'acme-old', signer: account('signer', 'acme-old') };
    },
  ],
  [
    'signer_project',
    'a signer of another project',
    'databases.data.signer',
    (data) => {
      data.databases.data.signer = account('signer', 'acme-other');
    },
  ],
  ...['359s', '1m', '4m'].map((ttl): [WarningCode, string, string, Change] => [
    'short_ttl',
    `a ttl of ${ttl}`,
    'credentials.config.ttl',
    (data) => {
      data.credentials.config.ttl = ttl;
    },
  ]),
  [
    'unroutable_name',
    'a name that ends in z',
    'credentials.quiz',
    (data) => {
      data.credentials.quiz = data.credentials.export;
      delete data.credentials.export;
      data.rules[0].grants = ['config', 'quiz'];
    },
  ],
  ...['https://keydesk.example.com', 'https://<host>', 'https://your-company.dev'].map(
    (audience): [WarningCode, string, string, Change] => [
      'placeholder',
      `the audience ${audience}`,
      'audience',
      (data) => {
        data.audience = audience;
      },
    ],
  ),
  ...[
    '00000000-0000-0000-0000-000000000000',
    '00000000-0000-0000-0000-000000000001',
    'aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa',
    '11111111-1111-4111-8111-111111111111',
    '12345678-1234-1234-1234-123456789012',
  ].map((id): [WarningCode, string, string, Change] => [
    'placeholder',
    `the UUID ${id}`,
    'pipelines.web',
    (data) => {
      data.pipelines.web = id;
    },
  ]),
  ...['AIzaXXXXXXXXXXXX', 'AIza', 'AIzaSyYOUR_API_KEY'].map((key): [WarningCode, string, string, Change] => [
    'placeholder',
    `the API key ${key}`,
    'databases.data.apiKey',
    (data) => {
      data.databases.data.apiKey = key;
    },
  ]),
  ...sharedPlaces(),
  [
    'large_rules',
    'rules of more than 250 KB when compiled',
    'databases.data',
    (data) => {
      const allow = Array.from({ length: 1600 }, (_, at) => ({ path: `collection-${at}/{document}`, verbs: ['get'] }));
      data.credentials.config.firestore.allow = allow;
    },
  ],
];

/** What one environment opens, in credentials of another. */
function sharedPlaces(): [WarningCode, string, string, Change][] {
  const inStaging =
    (opens: object): Change =>
    (data) => {
      data.credentials.debug = { environment: 'staging', ttl: '15m', ...opens };
      data.rules[0].grants.push('debug');
    };
  const serviceAccount = (...pool: string[]) => ({ serviceAccount: { pool, scopes: [DATASTORE] } });
  const bucket = { bucket: 'acme-live-pages', role: 'roles/storage.objectUser' };
  return (
    [
      ['the database of production', inStaging(firestore('15m', 'staging', 'live'))],
      [
        'an account of its project',
        inStaging(serviceAccount(account('ci-001', 'acme-ci'), account('ci-002', 'acme-live'))),
      ],
      [
        'a pooled account of the project of its pools',
        inStaging(serviceAccount(account('ci-001', 'acme-ci'), account('ci-003', 'acme-ci-live'))),
        (data) => {
          const pool = serviceAccount(account('ci-001', 'acme-ci-live'), account('ci-002', 'acme-ci-live'));
          data.credentials.admin = { environment: 'production', ttl: '15m', ...pool };
          data.rules[1].grants.push('admin');
        },
      ],
      [
        'a bucket of production',
        inStaging({ storage: { serviceAccount: account('publish', 'acme-data'), prefix: 'debug/', ...bucket } }),
        (data) => {
          const storage = { serviceAccount: account('live-pages', 'acme-live'), prefix: 'site/', ...bucket };
          data.credentials.pages = { environment: 'production', ttl: '15m', storage };
          data.rules[1].grants.push('pages');
        },
      ],
      [
        'a database with the name of another environment',
        inStaging(firestore('15m', 'staging', 'other')),
        (data) => {
          data.databases.other = databaseData('acme-other', { apiKey: API_KEY });
          data.environments.other = {};
          data.credentials.other = {
            ...firestore('15m', 'other'),
            ...serviceAccount(account('exporter', 'acme-other-ci')),
          };
          delete data.credentials.other.firestore;
          data.rules[0].grants.push('other');
        },
      ],
    ] satisfies [string, ...Change[]][]
  ).map(([what, ...changes]) => [
    'other_environment',
    `staging with ${what}`,
    'credentials.debug.environment',
    (data) => {
      for (const change of changes) change(data);
    },
  ]);
}

const release = (claims: object) => match({ pipeline: 'release', build_source: ['webhook', 'ui'], ...claims }, 1);

/** Changes that nearly give a warning. */
const NEARLY: readonly [what: string, ...changes: Change[]][] = [
  ['a claim with a URL', at('https://sts.amazonaws.com/', 'principal_tags', 'role')],
  ['a claim with the name of a domain', at('kubernetes.io', 'namespace')],
  ['an emergency that a team begins', approval({ use: 'break-glass' }), ofSecond('created_by', { team: 'managers' })],
  ['a service account of Google', google('sub')],
  ['the address of a service account of Google', google('email')],
  [
    'a region of AWS, which has an issuer for each account',
    google('https://sts.amazonaws.com/', 'source_region'),
    (data) => {
      data.identityProviders.google.issuer = 'https://5c1f3a6e.tokens.sts.global.api.aws';
    },
  ],
  ['a project of Google', google('google', 'compute_engine', 'project_id')],
  [
    'pools of two environments in one project that has nothing else',
    (data) => {
      for (const [index, environment] of ['staging', 'production'].entries()) {
        const pool = [account(`ci-00${index}`, 'acme-ci')];
        data.credentials[`${environment}-admin`] = {
          ...{ environment, ttl: '15m' },
          serviceAccount: { pool, scopes: [DATASTORE] },
        };
        data.rules[index].grants.push(`${environment}-admin`);
      }
    },
  ],
  [
    'another environment with a bucket in a project of production',
    (data) => {
      const storage = {
        serviceAccount: account('publish', 'acme-live'),
        bucket: 'acme-pages',
        role: 'roles/storage.objectUser',
      };
      data.credentials.pages = { environment: 'staging', ttl: '15m', storage };
      data.rules[0].grants.push('pages');
    },
  ],
  ['a tag pattern in both claims', match({ pipeline: 'web', build_branch: 'v*', build_tag: 'v*' })],
  ['a tag pattern alone', match({ pipeline: 'web', build_tag: ['v1.*', 'release-*', 'release/*'] })],
  ['tags called release/…', match({ pipeline: 'web', build_branch: 'release/*', build_tag: 'release/*' })],
  ['any branch with a tag', match({ pipeline: 'web', build_branch: '*', build_tag: 'v*' })],
  [
    'its own organization',
    pattern('organization_id', RELEASE_ID),
    (data) => {
      data.organization.id = RELEASE_ID;
    },
  ],
  ...['main', 'production', 'release/*', 'release-*', 'stable/*', 'release/7', '2.x*', 'fixed-price'].map(
    (branch): [string, Change] => [`production by webhook for branch ${branch}`, release({ build_branch: branch })],
  ),
  [
    'production by trigger steps of main',
    match({ pipeline: 'release', build_source: 'trigger_job', build_branch: 'main' }, 1),
  ],
  ['production by webhook for tags', release({ build_tag: 'v*' })],
  ['production by webhook in one queue', release({ queue_id: RELEASE_ID })],
  ['production in one queue of any agents', release({ queue_id: RELEASE_ID, runner_environment: '*' })],
  [
    'staging with another guard, by webhook and any branch',
    (data) => {
      data.environments.staging = { maxTtl: '30m' };
    },
    match({ pipeline: 'web', build_source: 'webhook' }),
  ],
  [
    'a rule that grants one credential more than a wider one',
    addRule({
      match: { pipeline: 'release', build_source: ['ui'], runner_environment: 'self-hosted' },
      grants: ['live', 'config'],
    }),
  ],
  [
    'a rule that matches one job more than two others',
    addRule({ match: { pipeline: 'web', build_branch: ['main', 'a'], step_key: '*' }, grants: ['config'] }),
    addRule({ name: 'tags', match: { pipeline: 'web', build_tag: '*', step_key: 'x' }, grants: ['config'] }),
  ],
  ['the slug that pipelines names', pattern('pipeline_slug', 'web')],
  ['a slug that pipelines does not name', pattern('pipeline_slug', 'web-app')],
  ['production by branch and source', match({ pipeline: 'release', build_source: 'webhook', build_branch: 'main' }, 1)],
  [
    'production by branch and queue',
    match({ pipeline: 'release', queue_id: RELEASE_ID, build_branch: 'main' }, 1),
    (data) => {
      data.environments.production = { require: ['queue_id'] };
    },
  ],
  [
    'staging by tag in the pipeline of production',
    addRule({ match: { pipeline: 'release', build_branch: 'v*', build_tag: 'v*' }, grants: ['config'] }),
  ],
  [
    'two rules of one environment in one pipeline',
    addRule({ match: { pipeline: 'web', build_branch: 'dev' }, grants: ['config'] }),
  ],
  [
    'environments that are not production',
    (data) => {
      for (const [index, name] of ['producers', 'non-prod', 'pre-production', 'preprod', 'live-preview'].entries()) {
        data.environments[name] = {};
        data.databases[name] = databaseData(`acme-${name}`, { apiKey: API_KEY });
        data.credentials[name] = firestore('15m', name, name);
        data.pipelines[name] = `0184990a-4782-42b5-afc1-16715b10b1a${index}`;
        data.rules.push({ name, match: { pipeline: name }, grants: [name] });
      }
    },
  ],
  ['a slug next to an id', match({ pipeline_slug: 'web', pipeline_id: PIPELINE_ID, build_branch: 'main' })],
  [
    'a slug in a cluster',
    match({ pipeline_slug: 'web', cluster_id: RELEASE_ID, build_branch: 'main' }),
    (data) => {
      delete data.pipelines.web;
    },
  ],
  [
    'the same match with another branch',
    addRule({ match: { pipeline: 'web', build_branch: ['main', 'dev'] }, grants: ['config'] }),
  ],
  ['a pipeline that is used by its id', match({ pipeline_id: PIPELINE_ID.toUpperCase(), build_branch: 'main' })],
  [
    'a ttl of six minutes',
    (data) => {
      data.credentials.config.ttl = '6m';
    },
  ],
  [
    'a signer of the project, which belongs to a domain',
    (data) => {
      data.databases.data.project = 'acme.dev:acme-data';
      data.databases.data.signer = 'signer@acme-data.acme.dev.iam.gserviceaccount.com';
    },
  ],
  [
    "values of the documentation's organization",
    (data) => {
      data.databases.data.apiKey = 'AIzaSyExampleWebKeyOfAcmeStaging';
    },
  ],
  [
    'a real API key',
    (data) => {
      data.databases.data.apiKey = 'AIzaSyD4k_9XxQwErTy0-12345abcdeFGHIJKLM';
    },
  ],
];

describe('the warnings about a policy', () => {
  it('are none for a policy without mistakes', () => {
    expect(checkWith()).toEqual({ warnings: [], accepted: [], problems: [] });
  });

  it.each(PATTERNS)('are %s for %s: %j', (code, claim, value) => {
    const path = `rules.0.match.${claim}.0`;
    expect(found(...withPattern(claim, value))).toEqual([`${path} ${code}`]);
  });

  it.each(FINE)('are none for %s: %j', (claim, value) => {
    expect(found(pattern(claim, value))).toEqual([]);
  });

  it.each(OTHERS)('are %s for %s', (code, _, path, ...changes) => {
    expect(found(...changes)).toEqual([`${path} ${code}`]);
  });

  it.each(NEARLY)('are none for %s', (_, ...changes) => {
    expect(found(...changes)).toEqual([]);
  });

  it("are dotted_member and public_issuer, for a path in one member at Google's issuer", () => {
    const project: Change = (data) => {
      data.identityProviders.google.claims.sub.at = ['google.compute_engine.project_id'];
    };
    expect(found(google('sub'), project)).toEqual([
      'identityProviders.google.claims.sub.at dotted_member',
      'rules.1.agent.claims public_issuer',
    ]);
  });

  it('are no_organization_id and slug_only, when the organization has no id', () => {
    const bySlug = match({ pipeline_slug: 'web', build_branch: 'main' });
    expect(found(bySlug, (data) => delete data.pipelines.web)).toEqual([
      'organization no_organization_id',
      'rules.0.match.pipeline_slug slug_only',
    ]);
  });

  it("are one for each value of Keydesk's documentation that another organization has", () => {
    const other: Change = (data) => {
      data.organization.slug = 'globex';
      data.databases.data.apiKey = 'AIzaSyExampleWebKeyOfAcmeStaging';
    };
    expect(found(other)).toEqual([
      'audience placeholder',
      'pipelines.web placeholder',
      'databases.data.apiKey placeholder',
    ]);
  });

  const EXAMPLE = readFileSync(new URL('../../../../examples/policy.yaml', import.meta.url), 'utf8');
  it.each([
    ['contact', 'contact: "#platform on Slack"', 'contact: ask #help'],
    ['rules.0.name', 'name: deploy to staging', 'name: deploy #1 nightly'],
    ['rules.2.match.step_key', 'step_key: deploy-production', 'step_key: deploy  #production'],
  ])('are comment_in_value for %s', (path, before, after) => {
    const found = check(EXAMPLE.replace(before, after)).warnings;
    expect(found.map((warning) => `${warning.path.join('.')} ${warning.code}`)).toEqual([`${path} comment_in_value`]);
  });

  it.each(['contact: ask # help', 'contact: "ask #help"', 'contact: ask ## help', 'contact: ask#help'])(
    'are none for %s',
    (line) => {
      expect(check(EXAMPLE.replace('contact: "#platform on Slack"', line)).warnings).toEqual([]);
    },
  );

  it('have each code in a case', () => {
    const codes = new Set([...PATTERNS, ...OTHERS].map(([code]) => code));
    expect(WARNING_CODES.filter((code) => !codes.has(code))).toEqual(['no_organization_id', 'comment_in_value']);
  });

  it('are what a person has read', () => {
    const cases = [
      ...PATTERNS.map(
        ([code, claim, value]) => [`${code}: ${claim} ${JSON.stringify(value)}`, withPattern(claim, value)] as const,
      ),
      ...OTHERS.map(([code, what, , ...changes]) => [`${code}: ${what}`, changes] as const),
    ];
    const printed = cases.map(([title, changes]) => {
      const data = valid();
      for (const change of changes) change(data);
      const policy = read(policyText(data));
      const warnings = checkPolicy(policy).warnings.map(policy.locate);
      return [
        `# ${title}`,
        ...warnings.map(({ where, message }) => (where === '' ? message : `${message}\n  in ${where}`)),
        '',
      ].join('\n');
    });
    const golden = printed.join('\n');
    if (process.env.RECORD) writeFileSync(GOLDEN, golden);
    expect(golden).toBe(readFileSync(GOLDEN, 'utf8'));
  });

  it('say in whole sentences what to do', () => {
    for (const [, , , ...changes] of OTHERS)
      for (const { message } of checkWith(...changes).warnings) expect(message).toMatch(/^["\w].*[.?]$/);
  });

  it.each([
    ['policy.yaml', ['hosted_runners']],
    ['first-policy.yaml', []],
  ])('are all accepted in examples/%s', (name, codes) => {
    const text = readFileSync(new URL(`../../../../examples/${name}`, import.meta.url), 'utf8');
    const { accepted, ...rest } = check(text);
    expect(rest).toEqual({ warnings: [], problems: [] });
    expect(accepted.map(({ code }) => code)).toEqual(codes);
  });

  it('are none for an API key that is to-be-created', () => {
    const { warnings } = checkWith((data) => (data.databases.data.apiKey = 'to-be-created'));
    expect(warnings.map(({ code }) => code)).toEqual([]);
  });

  it('are the expected ones for credentials of every kind', () => {
    const { warnings } = check(everyKindPolicyText('acme-staging'));
    expect(warnings.map(({ code, path }) => `${path.join('.')} ${code}`)).toEqual([
      'environments.production unguarded_production',
      'databases.data.apiKey api_key_form',
      'credentials.production-config.ttl short_ttl',
      'credentials.staging-config.environment other_environment',
      'credentials.staging-export.environment other_environment',
      'credentials.staging-admin.environment other_environment',
      'credentials.production-config unused_credential',
    ]);
  });
});

it('a credential that only rules without jobs grant is unused', () => {
  const never = addRule({ match: { pipeline: 'web', queue_id: 'ab-*' }, grants: ['export'] });
  const onlyNever: Change = (data) => data.rules[0].grants.pop();
  expect(found(never, onlyNever)).toEqual([
    'rules.2.match.queue_id rule_never_matches',
    'credentials.export unused_credential',
  ]);
});

it('of two rules that match the same jobs the later one is shadowed, and both are of three', () => {
  const same = (name: string, branches: string[]) =>
    addRule({ name, match: { pipeline: 'web', build_branch: branches }, grants: ['export', 'config'] });
  expect(found(same('again', ['main', 'release/*', 'release/1']))).toEqual(['rules.2 rule_shadowed']);
  expect(found(same('again', ['main', 'release/*', 'release/1']), same('all', ['**']))).toEqual([
    'rules.0 rule_shadowed',
    'rules.2 rule_shadowed',
  ]);
});

describe('a pattern that no value of its claim fits', () => {
  it.each([
    ['build_number', 'forty-two'],
    ['build_number', '4x*'],
    ['build_number', '0*'],
    ['build_number', '-1'],
    ['queue_id', 'default-*'],
    ['queue_id', '*/**'],
    ['cluster_id', '0184990z-*'],
    ['build_branch', 'main\n'],
    ['step_key', 'a\tb'],
    ['agent_tag:os', 'linux\n'],
  ])('is a problem: %s %j', (claim, value) => {
    const { problems } = checkWith(pattern(claim, value));
    expect(problems.map(({ path }) => path.join('.'))).toEqual([`rules.0.match.${claim}.0`]);
  });

  it.each([
    ['build_number', 42],
    ['build_number', '42'],
    ['build_number', '1*'],
    ['build_number', '*'],
    ['queue_id', PIPELINE_ID.toUpperCase()],
    ['queue_id', '0184990A-*'],
    ['queue_id', '**'],
    ['agent_tag:host_id', 'default'],
  ])('is not %s %j', (claim, value) => {
    expect(checkWith(pattern(claim, value)).problems).toEqual([]);
  });
});

describe('a scope', () => {
  const problemsWith = (scope: string) =>
    checkWith((data) => {
      data.credentials.export.serviceAccount.scopes = [scope];
    }).problems;

  it.each([
    ['datastore', DATASTORE],
    ['auth/datastore', DATASTORE],
    ['http://www.googleapis.com/auth/datastore', DATASTORE],
    ['https://googleapis.com/auth/datastore', DATASTORE],
    ['www.googleapis.com/auth/datastore', DATASTORE],
    [`${DATASTORE}/`, DATASTORE],
    ['cloud-platform', 'https://www.googleapis.com/auth/cloud-platform'],
    ['cloud_platform', 'https://www.googleapis.com/auth/cloud-platform'],
    ['devstorage.read_only', 'https://www.googleapis.com/auth/devstorage.read_only'],
    ['https://acme.com/auth/x', DATASTORE],
    ['https://google.com.acme.com/x', DATASTORE],
  ])('is a problem as %s, and the message has %s', (written, meant) => {
    expect(problemsWith(written)).toEqual([
      {
        path: ['credentials', 'export', 'serviceAccount', 'scopes', 0],
        message: expect.stringMatching(new RegExp(` ${meant.replaceAll('.', '\\.')}$`)),
      },
    ]);
  });

  it.each([
    DATASTORE,
    'https://www.googleapis.com/auth/devstorage.read_only',
    'https://mail.google.com/',
    'openid',
    'email',
  ])('may be %s', (written) => {
    expect(problemsWith(written)).toEqual([]);
  });
});

describe('accept', () => {
  /** Where the file accepts a warning: in the rule or the credential that it is about, or at the top. */
  const acceptAt =
    (path: readonly (string | number)[], code: string, reason = REASON): Change =>
    (data) => {
      const [section = '', name = ''] = path;
      const place = section === 'rules' || section === 'credentials' ? data[section][name] : data;
      place.accept = { ...place.accept, [code]: reason };
    };

  it.each([
    ...PATTERNS.map(([code, claim, value]) => [code, value, withPattern(claim, value)] as const),
    ...OTHERS.map(([code, what, , ...changes]) => [code, what, changes] as const),
  ])('accepts %s for %s, with the reason', (code, _, changes) => {
    const { warnings } = checkWith(...changes);
    const accepting = warnings.map(({ path, code: given }) => acceptAt(path, given));
    const { accepted, ...rest } = checkWith(...changes, ...accepting);
    expect(rest).toEqual({ warnings: [], problems: [] });
    expect(accepted).toEqual(warnings.map((warning) => ({ ...warning, reason: REASON })));
    expect(accepted.map((warning) => warning.code)).toContain(code);
  });

  const problems = (...changes: Change[]) =>
    checkWith(...changes).problems.map(({ path, message }) => `${path.join('.')} ${message}`);
  const short: Change = (data) => {
    data.credentials.config.ttl = '5m';
  };

  it.each<[string, Change[], RegExp]>([
    ['a warning that is not given', [acceptAt([], 'unused_pipeline')], /^accept\.unused_pipeline Nothing to accept/],
    [
      'a warning of another place, which it names',
      [short, acceptAt(['rules', 0], 'short_ttl')],
      /^rules\.0\.accept\.short_ttl Nothing to accept: credential config has/,
    ],
    [
      'a misspelt code',
      [acceptAt([], 'unused_pipelines')],
      /^accept\.unused_pipelines "unused_pipelines" .* mean "unused_pipeline"\?$/,
    ],
    ['an unknown code', [acceptAt([], 'constructor')], /^accept\.constructor .* Known: ref_prefix, /],
  ])('is refused for %s', (_, changes, problem) => {
    expect(problems(...changes)).toEqual([expect.stringMatching(problem)]);
  });

  it('leaves the same warning elsewhere, and other warnings there', () => {
    const changes = [
      short,
      (data: Data) => {
        data.credentials.export.ttl = '5m';
        data.rules[0].grants = ['export'];
      },
      acceptAt(['credentials', 'config'], 'short_ttl'),
    ];
    expect(found(...changes)).toEqual(['credentials.export.ttl short_ttl', 'credentials.config unused_credential']);
  });

  it.each(['', 'ok', 'not now', '  two words  '])('needs a reason of three words: not %j', (reason) => {
    expect(problems(short, acceptAt(['credentials', 'config'], 'short_ttl', reason))).toEqual([
      expect.stringMatching(/^credentials\.config\.accept\.short_ttl must have a reason/),
    ]);
  });

  it('is no part of what a credential opens', () => {
    const accepting = valid();
    short(accepting);
    acceptAt(['credentials', 'config'], 'short_ttl')(accepting);
    const result = parsePolicy(policyText(accepting), 'policy.yaml');
    expect('policy' in result && result.policy.credentials.config).toMatchObject({ kind: 'firestore', ttl: 300 });
  });
});
