// Rules that are hard to compare have an answer, or are "cannot tell".

import { describe, expect, it } from 'vitest';
import { type SeededRandom, seededRandom } from '../../../../sandbox/seeded-random.ts';
import { type Policy, parsePolicyData } from '../../../../shared/core/policy/policy.ts';
import { diffPolicies } from '../../../../shared/core/policy-analysis/diff.ts';
import { whatJobsGet } from '../../../../shared/core/policy-analysis/what.ts';

const SEED = 20261202;
const RULES = 40;
const CLAIMS = [
  'pipeline_slug',
  'build_branch',
  'build_tag',
  'build_commit',
  'build_source',
  'step_key',
  'runner_environment',
  'cluster_name',
  'queue_key',
  'agent_tag:a',
  'agent_tag:b',
  'agent_tag:c',
];

type Match = Readonly<Record<string, readonly string[]>>;

describe('40 rules of 12 claims with 10 wildcards', () => {
  const random = seededRandom(SEED);
  const rules = matches(() => [pattern(random, 10)]);
  const changed = (change: (claim: string, patterns: readonly string[]) => readonly string[]) =>
    rules.map((match) => Object.fromEntries(Object.entries(match).map(([claim, old]) => [claim, change(claim, old)])));

  it.each([
    ['against 40 others', matches(() => [pattern(random, 10)]), 'both'],
    ['with one pattern wider', rules.with(17, { ...rules[17], step_key: [`**${rules[17]?.step_key}`] }), 'wider'],
    ['with one rule fewer', rules.slice(1), 'narrower'],
    ['that do not cross segments', changed((_, old) => old.map((one) => one.replaceAll('**', '*'))), 'narrower'],
    ['in another order', rules.toReversed(), 'unchanged'],
  ])('have an answer %s', (_, others, verdict) => {
    expect(verdictOf(rules, others)).toBe(verdict);
  });

  it('have an answer with lists of ten patterns, and one pattern more', () => {
    const lists = matches(() => Array.from({ length: 10 }, () => `*${word(random, 2)}q*`));
    const longer = lists.with(5, { ...lists[5], build_branch: [...(lists[5]?.build_branch ?? []), 'x*'] });
    expect(verdictOf(lists, longer)).toBe('wider');
  });

  it('have an answer when each is split in two that equal it', () => {
    const lists = matches((rule, claim) => [`w${rule}*${claim.length}`, `*/x${rule}*y*z`]);
    const split = lists.flatMap((match, n) => {
      const claim = CLAIMS[n % CLAIMS.length] ?? '';
      return (match[claim] ?? []).map((one) => ({ ...match, [claim]: [one] }));
    });
    expect(verdictOf(lists, split)).toBe('unchanged');
  });
});

describe('a question that takes too long', () => {
  it('is unknown, and counts as wider', () => {
    // A UUID outside of them has each digit exactly twice.
    const patterns = [...'0123456789abcdef'].map((digit) => `*${`${digit}*`.repeat(3)}`);
    const rule = (list: readonly string[]) => [{ pipeline_slug: ['web'], queue_id: list }];
    expect(verdictOf(rule(patterns), rule(['*']))).toBe('cannot tell');
    // Nothing is gained, and it is not known whether something is lost.
    const some = [...patterns, '00000000-0000-0000-0000-000000000000'];
    expect(verdictOf(rule(['**']), rule(some))).toBe('cannot tell');
  });

  it('is unknown of a new credential too', () => {
    // No UUID has a digit 33 times.
    const patterns = [...'0123456789abcdef'].map((digit) => `*${`${digit}*`.repeat(33)}`);
    const rules = [{ match: { pipeline_slug: ['web'], queue_id: patterns }, grants: ['c', 'new'] }];
    const before = policyOf([{ match: { pipeline_slug: ['web'] }, grants: ['c'] }], ['c']);
    const { credentials, widens } = diffPolicies(before, policyOf(rules, ['c', 'new']));
    expect([credentials.find(({ credential }) => credential === 'new')?.verdict, widens]).toEqual([
      'cannot tell',
      true,
    ]);
  });

  it('is unknown of a job with few claims stated', () => {
    const patterns = [...'0123456789abcdef'].map((digit) => `*${`${digit}*`.repeat(3)}`);
    const policy = policyOf([{ match: { pipeline_slug: ['web'], agent_id: patterns }, grants: ['c'] }], ['c']);
    expect(whatJobsGet(policy, new Map()).map(({ answer }) => answer)).toEqual(['cannot tell']);
  });
});

describe('1,000 rules and 200 credentials', () => {
  it('have an answer, whatever part of them changes', () => {
    const rules = Array.from({ length: 1000 }, (_, n) => ({
      match: {
        pipeline_slug: [`pipeline-${n % 300}`],
        build_branch: ['main', `release/${n % 7}/*`],
        step_key: [`step-${n % 11}*`],
      },
      grants: [`c${n % 200}`, `c${(n * 7 + 1) % 200}`],
    }));
    const names = Array.from({ length: 200 }, (_, n) => `c${n}`);
    const verdicts = (others: typeof rules) =>
      new Set(diffPolicies(policyOf(rules, names), policyOf(others, names)).credentials.map(({ verdict }) => verdict));
    const wider = rules.map((rule) => ({ ...rule, match: { ...rule.match, step_key: ['step-**'] } }));
    expect(verdicts(rules.toReversed())).toEqual(new Set(['unchanged']));
    expect(verdicts(wider)).toEqual(new Set(['wider']));
  });
});

function matches(patterns: (rule: number, claim: string) => readonly string[]): Match[] {
  return Array.from({ length: RULES }, (_, rule) =>
    Object.fromEntries(CLAIMS.map((claim) => [claim, patterns(rule, claim)])),
  );
}

function pattern(random: SeededRandom, wildcards: number): string {
  const words = Array.from({ length: wildcards + 1 }, () => word(random, random.between(1, 3)));
  return words.join(random.chance(0.5) ? '*' : '**');
}

function word(random: SeededRandom, length: number): string {
  return Array.from({ length }, () => 'abcdefgh/'[random.between(0, 8)]).join('');
}

function verdictOf(before: readonly Match[], after: readonly Match[]) {
  const policy = (list: readonly Match[]) =>
    policyOf(
      list.map((match) => ({ match, grants: ['c'] })),
      ['c'],
    );
  const { credentials, widens } = diffPolicies(policy(before), policy(after));
  const verdict = credentials[0]?.verdict;
  expect(widens).toBe(verdict === 'wider' || verdict === 'both' || verdict === 'cannot tell');
  return verdict;
}

function policyOf(
  rules: readonly { readonly match: Match; readonly grants: readonly string[] }[],
  names: string[],
): Policy {
  const serviceAccount = { email: 'export@acme-staging.iam.gserviceaccount.com', scopes: ['https://scope.example'] };
  const result = parsePolicyData({
    version: 1,
    organization: { slug: 'acme-inc' },
    audience: 'https://keydesk.acme.example',
    environments: { staging: {} },
    credentials: Object.fromEntries(
      names.map((name) => [name, { environment: 'staging', ttl: '15m', serviceAccount }]),
    ),
    rules: rules.map((rule, n) => ({ name: `rule ${n}`, ...rule })),
  });
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  return result.policy;
}
