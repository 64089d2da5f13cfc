// What is printed of broken test files, in messages.golden.txt for people to read. Each has as many problems as mistakes, and the caret is
// under the mistake. `RECORD=1 npx vitest run --project unit test/unit/core/policy-tests/messages.test.ts` writes the file.

import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { renderProblem } from '../../../../shared/core/policy/render-problem.ts';
import { runTests } from '../../../../shared/core/policy-tests/run-tests.ts';
import { changedExample } from '../../../fixtures/policy-tests.ts';

const GOLDEN = new URL('messages.golden.txt', import.meta.url);
const POLICY = changedExample(['  staging: {}\n', '  staging: {}\n  spare: {}\n']);
const CASES = '- { name: a, job: { build_branch: main }, gets: [] }';
const file = (...lines: string[]) => ['version: 1', ...lines].join('\n');
const oneCase = (text: string) => file('cases:', `  - ${text}`);
const oneStatement = (text: string) => file('statements:', `  - ${text}`);
const job = (text: string) => oneCase(`{ name: a, job: ${text}, gets: [] }`);
const never = (text: string) => oneStatement(`never: ${text}`);
const unless = (text: string) => oneStatement(`{ never: { environment: production }, unless: ${text} }`);

/** « and » enclose what a message must point at: as many problems, there and nowhere else. */
const BROKEN: Readonly<Record<string, string>> = {
  'an empty file': '«»',
  'a policy': '«version»: 1\norganization: { slug: acme }\nrules: []',
  'another version': `version: «2»\ncases:\n  ${CASES}`,
  'no tests': file('cases: []').replace('version', '«version»'),
  'a misspelt key of the file': file('cases:', `  ${CASES}`, '«statments»: []'),
  'a misspelt key of a case': oneCase('{ name: a, job: { build_branch: main }, gets: [], «get»: [] }'),
  'a misspelt expectation': oneCase('{ name: a, job: { build_branch: main }, «get»: [] }'),
  'a misspelt never': oneStatement('{ «nevr»: { environment: production } }'),
  'a case without an expectation': oneCase('«{ name: a, job: { build_branch: main } }»'),
  'a case without a name': oneCase('«{ job: { build_branch: main }, gets: [] }»'),
  'two kinds of expectation': oneCase(
    '{ name: a, job: { build_branch: main }, «gets»: [staging-cache], refused: [staging-cache] }',
  ),
  'a credential in both lists': oneCase(
    '{ name: a, job: { build_branch: main }, granted: [staging-cache], refused: [«staging-cache»] }',
  ),
  'a name twice': file('cases:', `  ${CASES}`, `  ${CASES.replace('a,', '«a»,')}`),
  'an unknown credential': oneCase('{ name: a, job: { build_branch: main }, gets: [«staging-confg»] }'),
  'a credential that is like no other': oneCase('{ name: a, job: { build_branch: main }, refused: [«everything»] }'),
  'an unknown claim': job('{ «branch»: main, build_branch: main }'),
  'an environment variable': job('{ «BUILDKITE_TAG»: v1, build_branch: main }'),
  'an unknown pipeline': job('{ pipeline: «wbe», build_branch: main }'),
  'a pattern for a value': job('{ build_branch: «"release/*"» }'),
  'a list for a value': job('{ «build_branch»: [main, other] }'),
  'a slug for an id': job('{ build_branch: main, cluster_id: «main-cluster» }'),
  'an unknown source': job('{ build_branch: main, build_source: «webhok» }'),
  'a ref for a branch': job('{ build_branch: «refs/heads/main» }'),
  'a label for a key': job('{ build_branch: main, step_key: «Deploy to staging» }'),
  'another organization': job('{ build_branch: main, organization_id: «0184990a-4782-42b5-afc1-16715b10b1f0» }'),
  'a claim that every job has': oneCase('{ name: a, «job»: { pipeline: web }, gets: [] }'),
  'both keys of the pipeline': job(
    '{ build_branch: main, pipeline: web, pipeline_id: «0184990a-4782-42b5-afc1-16715b10b1f0» }',
  ),
  'a claim of all cases': `${file('job: { «branch»: main }', 'cases:', `  ${CASES}`)}`,
  'a case without a dash': file(
    'cases:',
    '  - name: a',
    '    job: { build_branch: main }',
    '    gets: []',
    '    «name»: b',
    '    job: { build_branch: x }',
    '    gets: []',
  ),
  'a statement of nothing': oneStatement('«{ unless: { pipeline: web } }»'),
  'a statement of two kinds': oneStatement(
    '{ never: { credential: staging-admin }, «always»: { credential: staging-admin }, for: { pipeline: web } }',
  ),
  'an unknown environment': never('{ environment: «prodction» }'),
  'an environment without credentials': never('{ environment: «spare» }'),
  'an unknown credential of a statement': never('{ credential: [staging-admin, «staging-amin»] }'),
  'an unknown database': never('{ path: "a/{b}", database: «live» }'),
  'an unknown verb': never('{ path: "a/{b}", verb: «remove» }'),
  'an unknown bucket': never('{ bucket: «acme-cache» }'),
  'a path of a collection': never('{ path: «config» }'),
  'a path with *': never('{ path: «"config/**"» }'),
  'two subjects': oneStatement('«never»: { environment: production, credential: staging-admin }'),
  'a verb without a path': never('{ environment: production, verb: «get» }'),
  'a prefix without a bucket': never('{ path: "a/{b}", prefix: «warm/» }'),
  'a prefix with a wildcard': never('{ bucket: acme-ci-cache, prefix: «"warm/*"» }'),
  'a misspelt key of never': never('{ environment: production, «buckt»: x }'),
  'an unknown claim of unless': unless('{ «branch»: main }'),
  'an unknown pipeline of unless': unless('{ pipeline: [web, «web-relaese»] }'),
  'a pattern of pipelines': unless('{ pipeline: «"web-*"» }'),
  'a slug for an id in unless': unless('{ pipeline_id: «web-release» }'),
  'an unknown source in unless': unless('{ pipeline: web, build_source: «"web-hook*"» }'),
  'another organization in unless': unless(
    '{ pipeline: web, organization_id: «0184990a-4782-42b5-afc1-16715b10b1f0» }',
  ),
  'a ref for a branch in for': oneStatement(
    '{ never: { environment: production }, for: { build_branch: «"refs/heads/*"» } }',
  ),
  'a regular expression in unless': unless('{ pipeline: web, step_key: «"^deploy-.*$"» }'),
  'an unless that has all of for': oneStatement(
    '{ never: { environment: production }, «for»: { pipeline: web, build_source: api }, unless: { pipeline: web } }',
  ),
  'an unless that has one of two': oneStatement(
    '{ never: { environment: production }, for: [«{ pipeline: web, build_source: api }», { build_source: api }], unless: { pipeline: web } }',
  ),
  'an unless that has every job': oneStatement(
    '{ never: { environment: production }, «unless»: [{ pipeline_slug: "**" }] }',
  ),
  'an empty unless': oneStatement('{ never: { environment: production }, «unless»: {} }'),
  'an unless that is a name': unless('«web-release»'),
  'an unless without alternatives': oneStatement('{ never: { environment: production }, «unless»: [] }'),
  'the second of two': unless('[{ pipeline: web }, { pipeline: «wbe» }]'),
  'always without jobs': oneStatement('«always»: { credential: staging-admin }'),
  'a misspelt key of always': oneStatement('{ always: { «credentials»: staging-admin }, for: { pipeline: web } }'),
  'assume without need': oneStatement(
    '{ never: { path: "config/{d=**}" }, unless: { pipeline: [web, web-release] }, assume: { «staging-admin»: it has no such role } }',
  ),
  'assume without a reason': oneStatement(
    '{ never: { path: "users/{d=**}" }, assume: { staging-admin: «no», staging-export: it has no such role } }',
  ),
  'conditions that are names': oneCase(
    '{ name: a, job: { build_branch: main }, gets: [], conditions: { team: «backend», created_by: «backend», approved: «approve», agent: «gce» } }',
  ),
  'lists of names': oneCase(
    '{ name: a, job: { build_branch: main }, gets: [], conditions: { team: [«backend»], «created_by»: [sre], approved: [«approve»] } }',
  ),
  'wrong values of conditions': oneCase(
    '{ name: a, job: { build_branch: main }, gets: [], conditions: { team: { name: web, access: «build» }, approved: { step: approve, ago: «2d», approver: «author» } } }',
  ),
  'wrong values in lists of conditions': oneCase(
    '{ name: a, job: { build_branch: main }, gets: [], conditions: { team: [{ name: web, access: «build» }], approved: [{ step: approve, ago: «2d» }] } }',
  ),
  'an unknown team and step of a map': oneCase(
    '{ name: a, job: { build_branch: main }, gets: [], conditions: { team: { name: «web» }, approved: { step: «approve», by: «web» } } }',
  ),
  'conditions without names': oneCase(
    '{ name: a, job: { build_branch: main }, gets: [], conditions: { «team»: {}, «created_by»: {}, «approved»: {}, «agent»: { provider: gce } } }',
  ),
  'keys of rules': oneCase(
    '{ name: a, job: { build_branch: main }, gets: [], conditions: { team: { name: web, «acess»: read_only }, created_by: { «name»: web }, «approval»: {} } }',
  ),
  'a number as a claim': oneCase(
    '{ name: a, job: { build_branch: main }, gets: [], conditions: { agent: { provider: gce, claims: { project: «123456789012» } } } }',
  ),
  'a step without rules': oneCase(
    '{ name: a, job: { build_branch: main }, gets: [], conditions: { approved: { step: «approve» } } }',
  ),
  'conditions of unless that are names': unless('{ team: «web», created_by: «web» }'),
  'an approval of unless by two teams': unless('{ approval: { step: approve, «by»: [a, b], within: 1h } }'),
  'an approval of unless without a team': unless('{ «approval»: { step: approve, within: 1h } }'),
  'not YAML': oneCase('{ name: a, job: «{» build_branch: main, gets: [] '),
};

const broken = (marked: string) => {
  const expected = [...marked.matchAll(/«([^»]*)»/g)].map(({ 1: under = '', index }) => {
    const before = marked.slice(0, index).replace(/[«»]/g, '').split('\n');
    return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1, under };
  });
  const text = marked.replace(/[«»]/g, '');
  const { broken: files } = runTests(POLICY, [{ file: 'policy.test.yaml', text }]);
  return { text, expected, problems: files.flatMap(({ problems }) => problems) };
};

describe('a message about a test file', () => {
  it.each(Object.entries(BROKEN))('is one for each mistake, at the mistake: %s', (_, marked) => {
    const { text, expected, problems } = broken(marked);
    const lines = text.split('\n');
    const found = problems.map(({ line, column, length }) => ({
      line,
      column,
      under: lines[line - 1]?.slice(column - 1, column - 1 + length) ?? '',
    }));
    expect(found).toEqual(expected);
  });

  it('is what a person has read', () => {
    const golden = Object.entries(BROKEN)
      .map(([title, marked]) => {
        const { text, problems } = broken(marked);
        const rendered = problems.map((problem) =>
          renderProblem({ severity: 'error', ...problem }, { file: 'policy.test.yaml', text }),
        );
        return `## ${title}\n\n${rendered.join('\n')}\n`;
      })
      .join('\n');
    if (process.env.RECORD) writeFileSync(GOLDEN, golden);
    expect(golden).toBe(readFileSync(GOLDEN, 'utf8'));
  });
});
