// What `policy who` and `policy what` say to people: access.golden.txt, for people to read; RECORD=1 writes the file.

import { readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { parsePolicyText } from '../../../../shared/core/policy/parse-yaml.ts';
import { parsePartialJob } from '../../../../shared/core/policy-analysis/partial-job.ts';
import { readQuestion, type WrittenQuestion } from '../../../../shared/core/policy-analysis/questions.ts';
import { readStepClaims } from '../../../../shared/core/policy-analysis/step-claims.ts';
import { whatJobsGet } from '../../../../shared/core/policy-analysis/what.ts';
import { refusalWords, statedLine, whatLines } from '../../../../shared/core/policy-analysis/what-lines.ts';
import { whoGets } from '../../../../shared/core/policy-analysis/who.ts';
import { whoLines } from '../../../../shared/core/policy-analysis/who-lines.ts';
import { account, DATASTORE, databaseData, PIPELINE_ID, policyData, policyText } from '../../../fixtures/policies.ts';

const GOLDEN = new URL('access.golden.txt', import.meta.url);

function read(text: string) {
  const result = parsePolicyText(text);
  if ('problems' in result) throw new Error(result.problems.map(({ message }) => message).join('\n'));
  return result;
}

const EXAMPLE = read(readFileSync(new URL('../../../../examples/policy.yaml', import.meta.url), 'utf8'));

/** Claims, patterns and credentials that the example does not have. */
const UNUSUAL = read(
  policyText(
    policyData(
      'acme-data',
      {
        live: {
          ...{ environment: 'production', ttl: '10m' },
          firestore: { database: 'data', allow: [{ path: 'orders/{order}', verbs: ['get', 'update'] }] },
        },
        export: {
          ...{ environment: 'staging', ttl: '10m' },
          serviceAccount: { email: account('export', 'acme-data'), scopes: [DATASTORE] },
        },
        idle: {
          ...{ environment: 'staging', ttl: '10m' },
          storage: {
            serviceAccount: account('cache-ci', 'acme-data'),
            bucket: 'acme-cache',
            role: 'roles/storage.objectViewer',
          },
        },
      },
      {
        environments: { staging: {}, production: {}, empty: {} },
        pipelines: { web: PIPELINE_ID },
        databases: { data: databaseData('acme-data') },
        rules: [
          {
            name: 'deploy',
            match: {
              pipeline_id: [PIPELINE_ID, '0184990c-4782-42b5-afc1-16715b10b1f1'],
              build_branch: '**',
              build_tag: ['v1', 'two words'],
              'agent_tag:os': 'linux',
              queue_key: '*',
            },
            grants: ['live', 'export'],
          },
          { name: 'never', match: { pipeline: 'web', build_source: 'x'.repeat(65) }, grants: ['live'] },
          ...Array.from({ length: 7 }, (_, index) => ({
            name: `step ${index}`,
            match: { pipeline: 'web', step_key: `step-${index}` },
            grants: ['export'],
          })),
        ],
      },
    ),
  ),
);

const TEAMS = { platform: '4c9bd9b0-2ac3-4f4b-a1d6-5b0a3a1c0f11', managers: '9d1d1c9e-6d3f-4b51-8f9c-0d0c5f8f7e21' };
/** Rules with conditions, one of them without any claim but the pipeline. */
const CONDITIONAL = read(
  policyText(
    policyData(
      'acme-data',
      {
        live: {
          ...{ environment: 'production', ttl: '10m' },
          firestore: { database: 'data', allow: [{ path: 'orders/{order}', verbs: ['get', 'update'] }] },
        },
      },
      {
        ...{ pipelines: { web: PIPELINE_ID }, teams: TEAMS },
        identityProviders: {
          aws: {
            ...{ issuer: 'https://aws.acme.example', keys: 'https://aws.acme.example/jwks', audience: 'keydesk' },
            ...{ algorithms: ['RS256'], claims: { role: { setBy: 'platform' }, account: { setBy: 'platform' } } },
          },
        },
        rules: [
          {
            name: 'approved',
            match: {
              ...{ pipeline: 'web', build_source: ['ui', 'api'], created_by: { team: 'platform' } },
              team: { name: 'platform', access: 'manage_build_and_read' },
            },
            approval: { step: 'approve', by: 'managers', within: '90m', not: 'creator' },
            grants: ['live'],
          },
          {
            name: 'on a machine',
            match: { pipeline_slug: 'web', team: { name: 'managers', access: 'build_and_read' } },
            approval: { step: 'sign', by: 'platform', within: '1h' },
            agent: { provider: 'aws', claims: { role: ['ci', 'deploy*'], account: '123456789012' } },
            grants: ['live'],
          },
        ],
      },
    ),
  ),
);

type Policies = typeof EXAMPLE;

function who(title: string, { policy, written }: Policies, asked: Partial<WrittenQuestion>): string {
  const nothing = { credential: undefined, environment: undefined, path: undefined, verbs: [] };
  const question = readQuestion(written, {
    ...{ ...nothing, database: undefined, bucket: undefined, prefix: undefined },
    ...asked,
  });
  const lines =
    'problem' in question ? [question.problem] : whoLines(policy, question, whoGets(policy, written, question));
  return [`# who ${title}`, ...lines, ''].join('\n');
}

function what(title: string, { policy }: Policies, claims: readonly string[], showRefused = false): string {
  const stated = parsePartialJob(policy, claims);
  const lines =
    'problems' in stated
      ? stated.problems
      : [
          statedLine(policy, stated.job),
          '',
          ...whatLines(policy, whatJobsGet(policy, stated.job), {
            refused: showRefused,
            accepted: !title.includes('refused token'),
          }),
        ];
  return [`# what ${title}`, ...lines, ''].join('\n');
}

it('says what the golden file has', () => {
  const { policy } = EXAMPLE;
  const step = readStepClaims(policy, { BUILDKITE_BUILD_NUMBER: 'x\u001b', BUILDKITE_PIPELINE_ID: 'web' });
  const said = [
    who('production-config', EXAMPLE, { credential: 'production-config' }),
    who('--environment staging', EXAMPLE, { environment: 'staging' }),
    who('--path config/web --verb update', EXAMPLE, { path: 'config/web', verbs: ['update'] }),
    who('--path releases/{release}', EXAMPLE, { path: 'releases/{release}' }),
    who('--path nowhere/x --verb get', EXAMPLE, { path: 'nowhere/x', verbs: ['get'] }),
    who('--bucket acme-ci-cache', EXAMPLE, { bucket: 'acme-ci-cache' }),
    who('--bucket acme-ci-cache --prefix cold/', EXAMPLE, { bucket: 'acme-ci-cache', prefix: 'cold/' }),
    who('live: a rule that matches no job, claims of agents, a pipeline without a name', UNUSUAL, {
      credential: 'live',
    }),
    who('idle: no rule', UNUSUAL, { credential: 'idle' }),
    who('--environment production: one of staging has an account of its project', UNUSUAL, {
      environment: 'production',
    }),
    who('--environment empty', UNUSUAL, { environment: 'empty' }),
    who('stagin-config', EXAMPLE, { credential: 'stagin-config' }),
    who('live: rules with conditions', CONDITIONAL, { credential: 'live' }),
    what('conditions, nothing stated', CONDITIONAL, []),
    what('conditions, all claims stated', CONDITIONAL, ['pipeline=web', 'build_source=ui', 'pipeline_slug=web']),
    what(
      'conditions, none of a webhook',
      CONDITIONAL,
      ['pipeline=web', 'build_source=webhook', 'pipeline_slug=x'],
      true,
    ),
    what('without claims', EXAMPLE, []),
    what('pipeline=web', EXAMPLE, ['pipeline=web']),
    what('pipeline=web, main, from the UI', EXAMPLE, [
      'pipeline=web',
      'build_branch=main',
      'build_source=ui',
      'build_tag=',
    ]),
    what('a tagged release, --all', EXAMPLE, ['pipeline=web-release', 'build_branch=v1', 'build_tag=v1'], true),
    what('a pipeline without a name, and a value with spaces', UNUSUAL, [
      'pipeline_id=0184990c-4782-42b5-afc1-16715b10b1f1',
      'build_tag=two words',
    ]),
    what('many rules, --all', UNUSUAL, ['pipeline=web'], true),
    what('without the id of the organization, --all', EXAMPLE, ['pipeline=web', 'organization_id='], true),
    what('a refused token', EXAMPLE, ['pipeline=web-release', 'build_branch=v1', 'build_tag=v1']),
    what('mistakes', EXAMPLE, ['pipeline=web', 'build_branch=', 'build_number=0', 'step_key=']),
    ...(['job_token_audience_wrong', 'job_token_lifetime_too_long', 'job_token_organization_wrong'] as const).map(
      (refusal) => [`# what --token: ${refusal}`, refusalWords(policy, refusal), ''].join('\n'),
    ),
    ['# what --from-step: mistakes', ...('problems' in step ? step.problems : []), ''].join('\n'),
  ].join('\n');
  if (process.env.RECORD === '1') writeFileSync(GOLDEN, said);
  expect(said).toBe(readFileSync(GOLDEN, 'utf8'));
});
