// Which tests a change loses: those that demand something that no test demands afterwards.

import { describe, expect, it } from 'vitest';
import { lostTests } from '../../../../shared/core/policy-tests/lost-tests.ts';

const NEVER = { name: 'releases only', never: { environment: 'production' }, unless: { pipeline: ['web', 'api'] } };
const CASE = { name: 'a branch', job: { pipeline: 'web', build_branch: 'x' }, gets: [] };
const GRANTED = { name: 'main', job: { pipeline: 'web' }, granted: ['a'] };
type Tests = Readonly<Record<string, unknown>>;

function lost(before: Tests, after: Tests): string[] {
  const file = (name: string, data: Tests) => [{ file: name, text: JSON.stringify({ version: 1, ...data }) }];
  const found = lostTests(file('one.test.yaml', before), file('two.test.yaml', after));
  return found.map(({ change, kind, name }) => `${change} ${kind} ${name}`);
}

describe('a change of tests', () => {
  const all = { statements: [NEVER], cases: [CASE, GRANTED] };

  it.each<[string, Tests, string[]]>([
    ['nothing, when tests move or are in another order', { cases: [GRANTED, CASE], statements: [NEVER] }, []],
    [
      'nothing, when lists are in another order',
      { ...all, statements: [{ ...NEVER, unless: { pipeline: ['api', 'web'] } }] },
      [],
    ],
    ['nothing, when a name changes', { ...all, statements: [{ ...NEVER, name: 'other' }] }, []],
    [
      'nothing, when claims of a case are those of all cases',
      { ...all, job: { build_branch: 'x' }, cases: [{ ...CASE, job: { pipeline: 'web' } }] },
      [],
    ],
    ['nothing, without a case that says only what a job gets', { ...all, cases: [CASE] }, []],
    ['a statement', { cases: [CASE, GRANTED] }, ['removed statement releases only']],
    [
      'a statement with one more exception',
      { ...all, statements: [{ ...NEVER, unless: { pipeline: ['web', 'api', 'x'] } }] },
      ['changed statement releases only'],
    ],
    [
      'a statement that assumes something',
      { ...all, statements: [{ never: { path: 'a/b' } }] },
      ['removed statement releases only'],
    ],
    ['a case', { ...all, cases: [GRANTED] }, ['removed case a branch']],
    ['a case of a job that gets something', { ...all, cases: [{ ...CASE, gets: ['a'] }] }, ['changed case a branch']],
    [
      'everything, when the tests cannot be read',
      { cases: 'none' },
      ['removed statement releases only', 'removed case a branch'],
    ],
  ])('loses %s', (_, after, expected) => {
    expect(lost(all, after)).toEqual(expected);
  });

  it('loses what is not known when the tests before cannot be read', () => {
    expect(lost({ cases: 'none' }, all)).toEqual(['unreadable file one.test.yaml']);
  });
});
