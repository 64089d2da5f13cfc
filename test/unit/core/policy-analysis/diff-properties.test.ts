// What holds for the comparison of any two policies, with the decision as the judge of jobs.

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type SeededRandom, seededRandom } from '../../../../sandbox/seeded-random.ts';
import { parseClaims } from '../../../../shared/core/policy/claims.ts';
import { decide } from '../../../../shared/core/policy/decide.ts';
import { type Policy, parsePolicyData } from '../../../../shared/core/policy/policy.ts';
import type { Direction } from '../../../../shared/core/policy-analysis/change.ts';
import { diffPolicies, type PolicyDiff } from '../../../../shared/core/policy-analysis/diff.ts';
import type { Data } from '../../../fixtures/policies.ts';
import { writtenPolicies } from '../../../fixtures/written-policies.ts';

const SEED = 20261201;
const JOBS = 40;
const UNGUARDED = { staging: {}, production: {}, constructor: {} };

const unguarded = writtenPolicies
  .filter(({ rules }) => rules.length > 0)
  .map((data): Data => ({ ...data, environments: UNGUARDED }));
const seeds = fc.integer({ min: 1, max: 2 ** 31 - 1 });

describe('the comparison of two policies', () => {
  it('names every job that the new one grants more, and every one that it grants no longer', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(unguarded, seeds, (data, seed) => {
        const random = seededRandom(seed);
        const changed = withAnotherRule(data, random);
        const [before, after] = [policyOf(data), policyOf(changed)];
        const diff = diffPolicies(before, after);
        for (let n = 0; n < JOBS; n += 1) {
          const payload = randomJob([...data.rules, ...changed.rules], data, random);
          for (const { credential } of diff.credentials) {
            const [old, new_] = [granted(before, payload, credential), granted(after, payload, credential)];
            const direction = jobsOf(diff, credential);
            if (new_ && !old) expect(['wider', 'both', 'cannot tell']).toContain(direction);
            if (old && !new_) expect(['narrower', 'both', 'cannot tell']).toContain(direction);
            if (old !== new_) seen.add(direction);
          }
        }
      }),
      { seed: SEED, numRuns: 400 },
    );
    expect([...seen].sort()).toEqual(['both', 'narrower', 'wider']);
  });

  it('finds nothing between a policy and itself', () => {
    fc.assert(
      fc.property(unguarded, (data) => {
        const { changes, credentials, widens } = diffPolicies(policyOf(data), policyOf(data));
        expect([changes, credentials.flatMap((one) => one.changes), widens]).toEqual([[], [], false]);
        expect(credentials.filter(({ verdict }) => verdict !== 'unchanged')).toEqual([]);
      }),
      { seed: SEED, numRuns: 300 },
    );
  });

  it('finds the opposite the other way around', () => {
    fc.assert(
      fc.property(unguarded, unguarded, (data, other) => {
        const [before, after] = [policyOf(data), policyOf(other)];
        const there = directions(diffPolicies(before, after));
        expect(directions(diffPolicies(after, before))).toEqual(
          there.map(([at, direction]) => [at, mirrored(direction)]),
        );
      }),
      { seed: SEED, numRuns: 300 },
    );
  });

  it('finds no job fewer after a rule is added, and none more after it is removed', () => {
    fc.assert(
      fc.property(unguarded, unguarded, (data, other) => {
        const grants = Object.keys(data.credentials);
        const rule = { ...other.rules[0], name: 'another', grants };
        const [before, after] = [policyOf(data), policyOf({ ...data, rules: [rule, ...data.rules] })];
        for (const { verdict } of diffPolicies(before, after).credentials)
          expect(['unchanged', 'wider']).toContain(verdict);
        for (const { verdict } of diffPolicies(after, before).credentials)
          expect(['unchanged', 'narrower']).toContain(verdict);
      }),
      { seed: SEED, numRuns: 300 },
    );
  });

  it('finds nothing in another order of rules, of lists and of grants', () => {
    fc.assert(
      fc.property(unguarded, (data) => {
        const rules = data.rules.toReversed().map(({ match, grants, ...rule }: Data) => ({
          ...rule,
          grants: grants.toReversed(),
          match: Object.fromEntries(
            Object.entries<Data>(match)
              .reverse()
              .map(([claim, patterns]) => [claim, [patterns].flat().reverse()]),
          ),
        }));
        const { credentials, widens } = diffPolicies(policyOf(data), policyOf({ ...data, rules }));
        expect(credentials.flatMap(({ changes }) => changes)).toEqual([]);
        expect(widens).toBe(false);
      }),
      { seed: SEED, numRuns: 300 },
    );
  });
});

/** Where the direction is not known, the other one may be: an added account may open anything, and a removed one is narrower. */
function directions({ changes, credentials }: PolicyDiff): [at: string, Direction][] {
  const all = [
    ...changes.map(({ what, direction }) => [what, direction] as [string, Direction]),
    ...credentials.flatMap((one) =>
      one.changes.map(({ what, direction }) => [`${one.credential} ${what}`, direction] as [string, Direction]),
    ),
  ];
  return all.filter(([at]) => !at.endsWith(' accounts')).sort(([left], [right]) => (left < right ? -1 : 1));
}

function mirrored(direction: Direction): Direction {
  return direction === 'wider' ? 'narrower' : direction === 'narrower' ? 'wider' : direction;
}

function jobsOf({ credentials }: PolicyDiff, name: string): string {
  const { changes = [] } = credentials.find(({ credential }) => credential === name) ?? {};
  return changes.find(({ what }) => what === 'jobs')?.direction ?? 'unchanged';
}

/** One rule loses a claim, gets one of another rule, or grants something else; or there is one rule fewer. */
function withAnotherRule(data: Data, random: SeededRandom): Data {
  const at = random.between(0, data.rules.length - 1);
  const rule = data.rules[at];
  const other = data.rules[random.between(0, data.rules.length - 1)];
  const keys = Object.keys(rule.match);
  const dropped = keys[random.between(0, keys.length - 1)] ?? '';
  const { [dropped]: patterns, ...fewer } = rule.match;
  const credentials = Object.keys(data.credentials);
  const change = random.between(0, 4);
  const changed = [
    { ...rule, match: fewer },
    { ...rule, match: { ...rule.match, ...other.match } },
    { ...rule, match: { ...other.match, ...rule.match } },
    { ...rule, match: { ...rule.match, [dropped]: [patterns].flat().slice(0, 1) } },
    { ...rule, grants: [credentials[random.between(0, credentials.length - 1)]] },
  ][change];
  const rules = data.rules.map((one: Data, index: number) => (index === at ? changed : one));
  const result = { ...data, rules: random.chance(0.15) ? data.rules.toSpliced(at, 1) : rules };
  return 'policy' in parsePolicyData(result) ? result : { ...data, rules: data.rules.toSpliced(at, 1) };
}

/** A job near one of the rules. */
function randomJob(rules: readonly Data[], { organization, pipelines }: Data, random: SeededRandom): object {
  const { pipeline, ...match } = rules[random.between(0, rules.length - 1)]?.match ?? {};
  const one = (list: Data) => [list].flat()[random.between(0, [list].flat().length - 1)];
  const fill = (pattern: string) => pattern.replaceAll(/\*+/g, () => one(['x', '', 'a/b', '1']));
  const claims = Object.entries<Data>(match).map(([claim, patterns]) => {
    const value = fill(String(one(patterns)));
    return [claim, claim === 'build_number' ? Number(value) : value];
  });
  return {
    organization_slug: organization.slug,
    organization_id: random.chance(0.9) ? organization.id : undefined,
    pipeline_slug: 'web',
    build_number: 7,
    build_branch: 'main',
    build_commit: 'HEAD',
    job_id: '0184990a-4782-42b5-afc1-16715b10b8f1',
    agent_id: '0184990a-4782-42b5-afc1-16715b10b8f2',
    ...(random.chance(0.3) && { build_tag: one(['v1', 'main', 'x']) }),
    ...Object.fromEntries(claims.filter(() => random.chance(0.95))),
    ...(pipeline !== undefined && { pipeline_id: pipelines[one(pipeline)] }),
  };
}

function granted(policy: Policy, payload: object, credential: string): boolean {
  const parsed = parseClaims(payload);
  return 'claims' in parsed && decide(policy, parsed.claims, credential).outcome === 'granted';
}

function policyOf(data: unknown): Policy {
  const result = parsePolicyData(data);
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  return result.policy;
}
