// The part of a decision that is logged: the rule that decided, or the nearest rules within a bound, and a count of the others.

import { describe, expect, it } from 'vitest';
import { decide, type RuleTrace } from '../../../../shared/core/policy/decide.ts';
import { parsePolicy } from '../../../../shared/core/policy/parse-yaml.ts';
import { toTraceFacts } from '../../../../shared/core/policy/rule-trace.ts';
import { jobClaims } from '../../../fixtures/job-claims.ts';

const check = (claim: string, matched: boolean, patterns = ['x']) => ({ claim, patterns, value: 'x', matched });
const rule = (name: string, outcome: RuleTrace['outcome'], ...matched: boolean[]): RuleTrace => ({
  rule: name,
  outcome,
  checks: matched.map((one, nth) => check(`agent_tag:${nth}`, one)),
});
const no = (name: string, ...matched: boolean[]) => rule(name, 'claim_mismatch', ...matched);
const other = rule('other', 'other_credential');
const names = (rules: readonly RuleTrace[]) => rules.map((one) => one.rule);

describe('the trace of a decision', () => {
  it('is the rule that grants, and how many others there are', () => {
    const granting = rule('yes', 'granted', true);
    const facts = toTraceFacts([other, no('no', false), granting, rule('too', 'granted', true), other]);
    expect(facts).toEqual({
      trace: [granting],
      trace_omitted: { other_credential: 2, claim_mismatch: 1, granted: 1 },
    });
  });

  it('is the five nearest rules of a refusal, nearest first, in the order of the policy where they are as near', () => {
    const rules = [no('3', false, false, false), other, no('1a', false), no('2', false, false), no('1b', false, true)];
    expect(names(toTraceFacts(rules).trace)).toEqual(['1a', '1b', '2', '3']);
    const tag = rule('tag', 'tag_not_allowed', true);
    const facts = toTraceFacts([...rules, no('4', false, false, false, false), tag]);
    expect(names(facts.trace)).toEqual(['tag', '1a', '1b', '2', '3']);
    expect(facts.trace_omitted).toEqual({ other_credential: 1, claim_mismatch: 1 });
  });

  it('has no count of omitted rules when none was omitted', () => {
    expect(toTraceFacts([no('no', false)])).toEqual({ trace: [no('no', false)] });
    expect(toTraceFacts([])).toEqual({ trace: [] });
  });

  it('has the pattern that matched out of many, and the first of many that did not', () => {
    const patterns = Array.from({ length: 40 }, (_, nth) => `branch-${nth}`);
    const checks = [
      { claim: 'build_branch', patterns, value: 'branch-30', matched: true },
      { claim: 'build_tag', patterns, value: null, matched: false },
    ];
    const [logged] = toTraceFacts([{ rule: 'r', outcome: 'claim_mismatch', checks }]).trace;
    expect(logged?.checks[0]?.patterns).toEqual(['branch-30']);
    expect(logged?.checks[1]?.patterns).toEqual([...patterns.slice(0, 5), '… and 35 more']);
  });

  it('has the checks that failed first when there are too many', () => {
    const checks = Array.from({ length: 40 }, (_, nth) => check(`agent_tag:${nth}`, nth < 35));
    const [logged] = toTraceFacts([{ rule: 'r', outcome: 'claim_mismatch', checks }]).trace;
    expect(logged?.checks).toHaveLength(12);
    expect(logged?.checks.slice(0, 5).map(({ claim }) => claim)).toEqual(
      [35, 36, 37, 38, 39].map((nth) => `agent_tag:${nth}`),
    );
  });

  it.each([1_000, 3_000])('of %i rules about claims of 1,024 characters fits into a line', (count) => {
    const long = 'é'.repeat(1_024);
    const patterns = Array.from({ length: 20 }, (_, nth) => `${'漢'.repeat(250)}${nth}`);
    const job = `{ pipeline_slug: app, build_branch: [${patterns.join(', ')}], build_tag: [${patterns.join(', ')}], step_key: ${'é'.repeat(250)} }`;
    const far = '{ pipeline_slug: other, build_source: api, build_commit: none, runner_environment: hosted }';
    const jobOf = (nth: number) => (nth < 20 ? job : nth < count - 1 ? far : '{ pipeline_slug: web }');
    const rules = Array.from(
      { length: count },
      (_, nth) => `  - { name: r${nth}, match: ${jobOf(nth)}, grants: [it] }`,
    );
    const policy = parsePolicy(
      `version: 1
organization: { slug: acme-inc }
audience: https://keydesk.acme.example
environments: { staging: {} }
credentials:
  it:
    environment: staging
    ttl: 15m
    serviceAccount: { email: export@acme.iam.gserviceaccount.com, scopes: [https://www.googleapis.com/auth/datastore] }
rules:
${rules.join('\n')}
`,
      'policy.yaml',
    );
    if ('problems' in policy) throw new Error(policy.problems.join('\n'));
    const claims = jobClaims({ build_branch: long, build_tag: long, step_key: long, pipeline_slug: 'app' });
    const refused = decide(policy.policy, claims, 'it');
    const granted = decide(policy.policy, { ...claims, pipeline_slug: 'web' }, 'it');
    expect([refused.outcome, granted.outcome]).toEqual(['refused', 'granted']);
    expect(toTraceFacts(refused.trace).trace.map(({ checks }) => checks.length)).toEqual([1, 4, 4, 4, 4]);
    for (const { trace } of [refused, granted]) {
      const facts = toTraceFacts(trace);
      expect(Buffer.byteLength(JSON.stringify(facts))).toBeLessThan(100_000);
      const reported = facts.trace.length + Object.values(facts.trace_omitted ?? {}).reduce((sum, one) => sum + one, 0);
      expect(reported).toBe(count);
    }
  });
});
