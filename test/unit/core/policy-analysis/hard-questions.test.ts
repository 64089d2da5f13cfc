// Questions that are as hard as satisfiability have an answer, or are "cannot tell", within a bound of steps. A step bounds what is looked
// at, so that it bounds time.

import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../../sandbox/seeded-random.ts';
import { parsePolicyData } from '../../../../shared/core/policy/policy.ts';
import type { Demand } from '../../../../shared/core/policy-analysis/claim-values.ts';
import { diffPolicies } from '../../../../shared/core/policy-analysis/diff.ts';
import { ALL_JOBS, type Demands, type Jobs } from '../../../../shared/core/policy-analysis/jobs.ts';
import { jobOutside } from '../../../../shared/core/policy-analysis/outside.ts';
import { TextFinder } from '../../../../shared/core/policy-analysis/texts.ts';
import { CannotTell, Work, WorkTogether } from '../../../../shared/core/policy-analysis/work.ts';
import { runTests } from '../../../../shared/core/policy-tests/run-tests.ts';
import { matchingWarnings } from '../../../../shared/core/policy-warnings/matching-jobs.ts';

const SEED = 20261204;
const TAGS = 80;
/** About as many as make it hard to say whether there is a job outside of them. */
const CLAUSES = 340;

type Match = Readonly<Record<string, readonly string[]>>;
const random = seededRandom(SEED);
/** Jobs with three tags of certain values. */
const clauses = Array.from({ length: CLAUSES }, (): Match => {
  const tags = new Set<number>();
  while (tags.size < 3) tags.add(random.between(0, TAGS - 1));
  return Object.fromEntries([...tags].map((tag) => [`agent_tag:t${tag}`, [random.chance(0.5) ? 'a' : 'b']]));
});
/** Jobs with one of two values of each tag. */
const all: Match = Object.fromEntries(Array.from({ length: TAGS }, (_, tag) => [`agent_tag:t${tag}`, ['a', 'b']]));
const inPipeline = (match: Match): Match => ({ pipeline_slug: ['web'], ...match });

describe('hard questions', () => {
  it('of statements have a bound together, whatever the number of rules', () => {
    const steps = 100_000;
    const policy = policyOf(Array.from({ length: 20 }, (_, n) => inPipeline({ step_key: [`s${n}`], ...all })));
    const text = JSON.stringify({
      version: 1,
      statements: [{ never: { environment: 'staging' }, unless: clauses.map(inPipeline) }],
    });
    const work = new WorkTogether(steps);
    const { files, broken } = runTests(policy, [{ file: 'policy.test.yaml', text }], work);
    expect(broken).toEqual([]);
    expect(files[0]?.proofs.map(({ verdict }) => verdict)).toEqual(['cannot tell']);
    expect(work.spent).toBeGreaterThan(steps);
    expect(work.spent).toBeLessThan(3 * steps);
  });

  it('of a check have a bound together, and no warning without an answer', () => {
    const rules = [...clauses.map(inPipeline), inPipeline(all)];
    const work = new WorkTogether(10_000, 1000);
    expect(matchingWarnings(policyOf(rules).policy, work)).toEqual([]);
    expect(work.spent).toBeGreaterThan(0);
  });

  it('of a change are unknown', () => {
    const before = clauses.map(inPipeline);
    const { credentials, widens } = diffPolicies(
      policyOf(before).policy,
      policyOf([...before, inPipeline(all)]).policy,
    );
    expect([credentials[0]?.verdict, widens]).toEqual(['cannot tell', true]);
  });
});

describe('a step', () => {
  const values = new Map(
    Object.entries(all).map(([claim, patterns]) => [claim, { absent: false, within: [patterns], without: [] }]),
  );

  it.each<[string, Jobs, (patterns: readonly string[]) => Demand]>([
    ['for values', values, (patterns) => ({ absent: false, patterns })],
    [
      'for claims that a token may lack',
      ALL_JOBS,
      ([value]) => (value === 'a' ? { absent: true, patterns: [] } : ANY_TEXT),
    ],
  ])('bounds how many demands are looked at: %s', (_, jobs, toDemand) => {
    const steps = 20_000;
    let looks = 0;
    const alternatives = clauses.map(
      (match): Demands =>
        Object.entries(match).map(([claim, patterns]) => [claim, counted(toDemand(patterns), () => (looks += 1))]),
    );
    expect(() => jobOutside(jobs, alternatives, { finder: new TextFinder(), work: new Work(steps) })).toThrow(
      CannotTell,
    );
    expect(looks / steps).toBeGreaterThan(0.5);
    expect(looks / steps).toBeLessThan(4.5);
  });

  const ANY_TEXT = { absent: false, patterns: ['**'] };
});

/** Calls `look` whenever a member is read. */
function counted(demand: Demand, look: () => void): Demand {
  return new Proxy(demand, {
    get: (target, key) => {
      look();
      return Reflect.get(target, key);
    },
  });
}

function policyOf(rules: readonly Match[]) {
  const serviceAccount = { email: 'export@acme-staging.iam.gserviceaccount.com', scopes: ['https://scope.example'] };
  const result = parsePolicyData({
    version: 1,
    organization: { slug: 'acme-inc' },
    audience: 'https://keydesk.acme.example',
    environments: { staging: {} },
    credentials: { c: { environment: 'staging', ttl: '15m', serviceAccount } },
    rules: rules.map((match, n) => ({ name: `rule ${n}`, match, grants: ['c'] })),
  });
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  return result;
}
