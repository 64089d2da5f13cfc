// What `keydesk init` takes for an answer: flags that are missing, values that are wrong, and names that do not fit together.

import { describe, expect, it } from 'vitest';
import { defaultUrl, missingFlags, toAnswers, type Written } from '../../../../shared/core/starter/answers.ts';

const WEB = '0184990a-4782-42b5-afc1-16715b10b1f0';
const RELEASE = '0184990b-11f2-4a8e-b0d4-5f7a0c2d9e31';
const COMPLETE: Written = {
  organization: 'acme-inc',
  organizationId: 'F892EFA9-103E-4D28-97A1-3B8616A0994D',
  pipeline: [`web=${WEB}`, `web-release=${RELEASE}`],
  firestore: ['staging=acme-staging', 'production=acme-production/orders'],
  pool: ['staging=acme-ci-pool', 'tools=acme-ci-pool'],
  deploys: ['staging=web', 'production=web-release', 'tools=web'],
  contact: '#platform on Slack',
  project: 'acme-keydesk',
  region: 'europe-west1',
  url: 'https://keydesk.acme.example',
};

function problemsOf(change: Written): string[] {
  const answers = toAnswers({ ...COMPLETE, ...change });
  return 'problems' in answers ? answers.problems.map(([flag]) => flag) : [];
}

describe('answers', () => {
  it('have an environment for each name of --firestore and --pool', () => {
    expect(toAnswers(COMPLETE)).toMatchObject({
      organization: { slug: 'acme-inc', id: 'f892efa9-103e-4d28-97a1-3b8616a0994d' },
      pipelines: { web: WEB, 'web-release': RELEASE },
      environments: [
        {
          name: 'staging',
          isProtected: false,
          pipeline: 'web',
          database: { project: 'acme-staging', database: '(default)' },
        },
        { name: 'production', isProtected: true, pipeline: 'web-release', database: { database: 'orders' }, pool: [] },
        { name: 'tools', isProtected: false, pipeline: 'web', database: undefined },
      ],
    });
  });

  it('give environments that share a project different pooled accounts', () => {
    const answers = toAnswers(COMPLETE);
    const pools = 'problems' in answers ? [] : answers.environments.flatMap(({ pool }) => pool);
    expect(pools).toHaveLength(6);
    expect(new Set(pools).size).toBe(6);
  });

  it('have one pipeline for every environment, if there is one', () => {
    const { deploys: _, ...rest } = COMPLETE;
    const one = { ...rest, pipeline: [`web=${WEB}`] };
    expect(missingFlags(one)).toEqual([]);
    expect(toAnswers(one)).toMatchObject({
      environments: [{ pipeline: 'web' }, { pipeline: 'web' }, { pipeline: 'web' }],
    });
  });

  it('have the URL of Cloud Run if the number of the project is known', () => {
    const { url: _, ...rest } = COMPLETE;
    expect(missingFlags(rest)).toEqual(['url']);
    const known = { ...rest, projectNumber: ['acme-ci-pool=222222222222', 'acme-keydesk=123456789012'] };
    expect(missingFlags(known)).toEqual([]);
    expect(defaultUrl(known)).toBe('https://keydesk-token-123456789012.europe-west1.run.app');
    expect(toAnswers(known)).toMatchObject({ url: defaultUrl(known) });
  });

  it.each(Object.keys(COMPLETE) as (keyof Written)[])('are complete only with %s', (flag) => {
    const { [flag]: _, ...rest } = COMPLETE;
    // One of --firestore and --pool is enough.
    expect(missingFlags(rest)).toEqual(['firestore', 'pool'].includes(flag) ? [] : [flag]);
    expect(missingFlags({ ...rest, firestore: [], pool: [] })).toContain('firestore');
  });

  it.each<[keyof Written, string]>([
    ['organization', 'https://buildkite.com/acme-inc'],
    ['organization', 'Acme Inc'],
    ['organizationId', 'acme-inc'],
    ['organizationId', '00000000-0000-0000-0000-000000000000'],
    ['contact', 'say "hello"'],
    ['project', 'Acme'],
    ['project', 'your-project'],
    ['region', 'eur3'],
    ['url', 'http://keydesk.acme.example'],
    ['url', 'https://keydesk.example.com'],
    ['url', 'https://keydesk.acme.example/?a=b'],
    ['url', 'https://keydesk.acme.example # x'],
  ])('are refused with %s "%s"', (flag, value) => {
    expect(problemsOf({ [flag]: value })).toEqual([flag]);
  });

  it.each<[keyof Written, string]>([
    ['pipeline', WEB],
    ['pipeline', 'web=acme'],
    ['pipeline', `Web=${WEB}`],
    ['firestore', 'acme-staging'],
    ['firestore', 'staging=acme-staging/(default)/x'],
    ['firestore', 'Staging=acme-staging'],
    ['pool', 'staging=acme_pool'],
    ['deploys', 'web'],
    ['projectNumber', 'acme-keydesk=one'],
  ])('are refused with %s "%s" in a list', (flag, value) => {
    expect(problemsOf({ [flag]: [value] })).toEqual([flag]);
  });

  it.each<[keyof Written, string, string]>([
    ['firestore', 'production=acme-prod/ehr', 'has the database ID "ehr". A database ID has 4 to 63'],
    ['firestore', 'production=acme', 'has the project ID "acme". A project ID has 6 to 30'],
    ['firestore', 'acme-prod', 'must be ENVIRONMENT=PROJECT'],
    ['pool', 'staging=CI-Pool', 'has the project ID "CI-Pool"'],
  ])('say which part of %s "%s" is wrong', (flag, value, message) => {
    const answers = toAnswers({ ...COMPLETE, [flag]: [value] });
    expect('problems' in answers && answers.problems.map(([, problem]) => problem)).toEqual([
      expect.stringContaining(message),
    ]);
  });

  it.each<[string, Written, keyof Written]>([
    ['an environment that nothing opens', { deploys: [...(COMPLETE.deploys ?? []), 'qa=web'] }, 'deploys'],
    ['a pipeline that is not declared', { deploys: ['staging=wbe', 'production=web', 'tools=web'] }, 'deploys'],
    ['an environment without a pipeline', { deploys: ['staging=web', 'production=web'] }, 'deploys'],
    [
      'two databases of an environment',
      { firestore: ['staging=acme-one', 'staging=acme-two', 'production=acme-three'] },
      'firestore',
    ],
    ['a pipeline twice', { pipeline: [`web=${WEB}`, `web=${RELEASE}`, `web-release=${RELEASE}`] }, 'pipeline'],
  ])('are refused with %s', (_, change, flag) => {
    expect(problemsOf(change)).toEqual([flag]);
  });
});
