// The JSON Schema that `keydesk policy schema --tests` prints: it accepts what the parser accepts, refuses what an editor should mark, and
// describes every key.

import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { TextFinder } from '../../../../shared/core/policy-analysis/texts.ts';
import { Work } from '../../../../shared/core/policy-analysis/work.ts';
import { testsJsonSchema } from '../../../../shared/core/policy-tests/json-schema.ts';
import { parseTests } from '../../../../shared/core/policy-tests/parse-tests.ts';
import { changedAt, placesIn, valueAt } from '../../../fixtures/data-places.ts';
import type { Data } from '../../../fixtures/policies.ts';
import { testSchemaProblems } from '../../../fixtures/policy-schema.ts';
import { policyFrom } from '../../../fixtures/policy-tests.ts';

const POLICY = policyFrom();
const example = (): Data => {
  const data = parse(readFileSync(new URL('../../../../examples/policy.test.yaml', import.meta.url), 'utf8'));
  data.cases.push({
    name: 'both',
    job: { 'agent_tag:os': 'linux', build_number: 7 },
    granted: ['staging-cache'],
    refused: ['staging-config'],
  });
  data.statements.push(
    { name: 'a', never: { credential: 'staging-admin' }, unless: [{ pipeline: 'web' }, { 'agent_tag:os': ['*'] }] },
    { never: { bucket: 'acme-ci-cache', prefix: 'cold/' }, unless: { pipeline: ['web'] } },
    { always: { credential: ['staging-config'] }, for: { pipeline: 'web' } },
  );
  return data;
};
const isAccepted = (data: unknown) => {
  const finder = new TextFinder();
  return !('problems' in parseTests(JSON.stringify(data), POLICY, () => ({ finder, work: new Work() })));
};

describe('the JSON Schema of test files', () => {
  it('accepts a file with every key, like the parser', () => {
    expect(isAccepted(example())).toBe(true);
    expect(testSchemaProblems(example())).toEqual([]);
  });

  it('accepts whatever the parser accepts of files with a change anywhere', () => {
    const count = { accepted: 0, refused: 0 };
    const changes = fc.constantFrom<unknown>(
      ...[undefined, null, true, 0, 1, 42, 1.5, '', '*', 'a', 'web', 'main', 'staging', 'production', [], {}, ['*']],
      ...[['web'], [7], { x: 1 }, { pipeline: 'web' }, [{ build_branch: 'main' }], 'get', 'a/{b}', 'a/{b=**}', 'warm/'],
    );
    fc.assert(
      fc.property(fc.nat(), changes, fc.boolean(), fc.nat(), (choice, value, swap, from) => {
        const data = example();
        const places = placesIn(data);
        const other = valueAt(data, places[from % places.length] ?? []);
        const changed = changedAt(data, places[choice % places.length] ?? [], swap ? other : value);
        const accepted = isAccepted(changed);
        count[accepted ? 'accepted' : 'refused'] += 1;
        if (accepted) expect(testSchemaProblems(changed)).toEqual([]);
      }),
      { seed: 20261130, numRuns: 300 },
    );
    expect(count.accepted).toBeGreaterThan(25);
    expect(count.refused).toBeGreaterThan(100);
  });

  it.each<[string, (data: Data) => void]>([
    ['an unknown key', (data) => (data.case = [])],
    ['an unknown key of a case', (data) => (data.cases[0].get = [])],
    ['an unknown claim', (data) => (data.cases[0].job = { branch: 'main' })],
    ['a case without an expectation', (data) => delete data.cases[0].gets],
    ['an unknown verb', (data) => (data.statements[2].never.verb = 'remove')],
    ['an unknown claim of unless', (data) => (data.statements[0].unless = { branch: 'main' })],
    ['two subjects', (data) => (data.statements[0].never.credential = 'staging-admin')],
    ['neither never nor always', (data) => delete data.statements[0].never],
    ['no tests', (data) => ['cases', 'statements'].map((key) => delete data[key])],
  ])('refuses %s', (_, change) => {
    const data = example();
    change(data);
    expect(testSchemaProblems(data)).not.toEqual([]);
  });

  it('describes every key', () => {
    const undescribed = (schema: Data, path: string): string[] =>
      Object.entries<Data>(schema.properties ?? {}).flatMap(([key, inner]) => [
        ...(inner.description ? [] : [`${path}.${key}`]),
        ...undescribed(inner, `${path}.${key}`),
        ...undescribed(inner.items ?? {}, `${path}.${key}.*`),
      ]);
    const schema = testsJsonSchema() as Data;
    expect(undescribed(schema, '')).toEqual([]);
    expect(undescribed(schema.$defs.job, 'job')).toEqual([]);
    expect(undescribed(schema.$defs.match, 'match')).toEqual([]);
  });
});
