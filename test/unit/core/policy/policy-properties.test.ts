// What holds for every policy: the published JSON Schema takes what the parser takes, environments are guarded, and the name of a
// pipeline means its UUID. Oracles read the raw data and know none of the parser's code.

import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkPolicyText } from '../../../../shared/core/policy/check-text.ts';
import { type JobClaims, parseClaims } from '../../../../shared/core/policy/claims.ts';
import { decide } from '../../../../shared/core/policy/decide.ts';
import { parsePolicyText } from '../../../../shared/core/policy/parse-yaml.ts';
import { type Policy, parsePolicyData } from '../../../../shared/core/policy/policy.ts';
import { renderProblem } from '../../../../shared/core/policy/render-problem.ts';
import { changedAt, placesIn, valueAt } from '../../../fixtures/data-places.ts';
import { type Data, PIPELINE_ID } from '../../../fixtures/policies.ts';
import { schemaProblems } from '../../../fixtures/policy-schema.ts';
import { writtenPolicies } from '../../../fixtures/written-policies.ts';

const SEED = 20261129;
const OTHER_ID = '0184990b-11f2-4a8e-b0d4-5f7a0c2d9e31';

describe('the guards of an environment', () => {
  it('hold in every policy that is accepted, and refuse no other', () => {
    const count = { accepted: 0, refused: 0 };
    fc.assert(
      fc.property(writtenPolicies, (data) => {
        const result = parsePolicyData(data);
        const broken = brokenGuards(data);
        if ('policy' in result) count.accepted += 1;
        else count.refused += 1;
        expect('policy' in result ? [] : result.problems.map(({ path }) => path.slice(0, 2).join('.')).sort()).toEqual(
          broken,
        );
      }),
      { seed: SEED, numRuns: 1000 },
    );
    expect(count.accepted).toBeGreaterThan(200);
    expect(count.refused).toBeGreaterThan(200);
  });
});

describe('the JSON Schema', () => {
  it('accepts every policy, even one that breaks a guard, which it cannot know', () => {
    fc.assert(
      fc.property(writtenPolicies, (data) => {
        expect(schemaProblems(data)).toEqual([]);
      }),
      { seed: SEED, numRuns: 1000 },
    );
  });

  it('accepts whatever the parser accepts of policies with a change anywhere', () => {
    const count = { accepted: 0, refused: 0 };
    const acceptedPolicies = writtenPolicies.filter((data) => 'policy' in parsePolicyData(data));
    const changes = fc.oneof(
      fc.constantFrom<unknown>(
        undefined,
        null,
        true,
        0,
        1,
        42,
        2 ** 53,
        1.5,
        '',
        '*',
        '1',
        '60s',
        '3601s',
        '1h',
        'a|b',
        'ab12',
      ),
      fc.constantFrom<unknown>(
        '😀'.repeat(128),
        '😀'.repeat(129),
        'x'.repeat(256),
        'a\n',
        ' ',
        'constructor',
        '__proto__',
      ),
      fc.constantFrom<unknown>(
        [],
        {},
        ['*'],
        [7],
        ['web'],
        { x: 1 },
        'https://buildkite.com/acme',
        'roles/storage.objectViewer',
      ),
      fc.constantFrom<unknown>(
        'a/{b}',
        'a/{b=**}',
        'a/{b=**}/c',
        'ci-001@acme-ci.iam.gserviceaccount.com',
        'keydesk_grants/{a}',
      ),
      fc.string({ unit: 'grapheme', maxLength: 12 }),
    );
    fc.assert(
      fc.property(acceptedPolicies, fc.nat(), changes, fc.boolean(), (data, choice, value, swap) => {
        const places = placesIn(data);
        const place = places[choice % places.length] ?? [];
        // Values from elsewhere in the policy fit more often.
        const other = valueAt(data, places[(choice * 31 + 7) % places.length] ?? []);
        const changed = changedAt(data, place, swap ? other : value);
        const accepted = 'policy' in parsePolicyData(changed);
        count[accepted ? 'accepted' : 'refused'] += 1;
        if (accepted) expect(schemaProblems(changed)).toEqual([]);
      }),
      { seed: SEED, numRuns: 1500 },
    );
    expect(count.accepted).toBeGreaterThan(150);
    expect(count.refused).toBeGreaterThan(300);
  });
});

describe('the example policy with one character too many or too few', () => {
  const EXAMPLE = readFileSync(new URL('../../../../examples/policy.yaml', import.meta.url), 'utf8');
  const inserted = fc.oneof(
    fc.constantFrom(...' \t\n\r:-?#&*!|>%@`"\'{}[],.~<$\\/0'),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    fc.constantFrom('\u202e', '\u200b', '\ufeff', '\u00a0', '\u2028', '\ud800', '\udc00'),
  );

  it('is a policy, or has a problem with a place in the text', () => {
    const count = { accepted: 0, refused: 0 };
    fc.assert(
      fc.property(fc.nat(EXAMPLE.length - 1), fc.option(inserted), (at, added) => {
        const text = `${EXAMPLE.slice(0, at)}${added ?? ''}${EXAMPLE.slice(added === null ? at + 1 : at)}`;
        const result = checkPolicyText(text);
        expect('policy' in parsePolicyText(text)).toBe('policy' in result);
        count['policy' in result ? 'accepted' : 'refused'] += 1;
        if ('policy' in result) return;
        expect(result.problems.length).toBeGreaterThan(0);
        const lines = text.split('\n');
        for (const problem of result.problems) {
          const line = lines[problem.line - 1] ?? '';
          expect(problem.line).toBeLessThanOrEqual(lines.length);
          expect(problem.column).toBeGreaterThanOrEqual(1);
          // An empty line, and the end of one, have a place too.
          expect(problem.column + problem.length - 1).toBeLessThanOrEqual(line.length + 1);
          expect(renderProblem({ severity: 'error', ...problem }, { file: 'policy.yaml', text })).toMatch(/\^+$/);
        }
      }),
      { seed: SEED, numRuns: 1500 },
    );
    expect(count.accepted).toBeGreaterThan(100);
    expect(count.refused).toBeGreaterThan(300);
  });
});

describe('the name of a pipeline', () => {
  it('decides like its UUID, for any job', () => {
    const other = fc.record(
      {
        pipeline_id: fc.constantFrom(PIPELINE_ID, OTHER_ID, OTHER_ID.toUpperCase()),
        build_branch: fc.constantFrom('main', 'release/1'),
        build_tag: fc.constantFrom('main', ''),
        step_key: fc.constantFrom('deploy-1', ''),
      },
      { requiredKeys: [] },
    );
    const seen = new Set<string>();
    fc.assert(
      fc.property(writtenPolicies, fc.nat(), other, (data, choice, change) => {
        const unguarded = { ...data, environments: { staging: {}, production: {}, constructor: {} } };
        const named = policyOf(unguarded);
        const numbered = policyOf(withUuids(unguarded));
        const claims = claimsOf({ ...fittingClaims(data, choice), ...change });
        expect(numbered).toEqual(named);
        for (const credential of [...Object.keys(data.credentials), 'unknown']) {
          const decision = decide(named, claims, credential);
          expect(decide(numbered, claims, credential)).toEqual(decision);
          const byName = data.rules.some(({ match }: Data) => 'pipeline' in match);
          if (byName) seen.add(decision.outcome === 'refused' ? decision.reason : decision.outcome);
        }
      }),
      { seed: SEED, numRuns: 800 },
    );
    expect([...seen].sort()).toEqual(['claims_missing', 'granted', 'no_matching_rule', 'unknown_credential']);
  });
});

function policyOf(data: Data): Policy {
  const result = parsePolicyData(data);
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  return result.policy;
}

function claimsOf(optional: object): JobClaims {
  const result = parseClaims({
    organization_slug: 'acme-inc',
    pipeline_slug: 'web',
    build_number: 7,
    build_branch: 'main',
    build_commit: 'HEAD',
    job_id: '0184990a-4782-42b5-afc1-16715b10b8f1',
    agent_id: '0184990a-4782-42b5-afc1-16715b10b8f2',
    ...optional,
  });
  if ('invalidClaim' in result) throw new Error(result.invalidClaim);
  return result.claims;
}

/** Claims that fit one of the rules. */
function fittingClaims({ organization, pipelines, rules }: Data, choice: number): object {
  const { pipeline, ...match } = rules[choice % rules.length]?.match ?? {};
  const fitting = Object.entries<Data>(match).map(([claim, patterns]) => {
    const [pattern] = [patterns].flat().map(String);
    return [claim, claim.endsWith('_id') && pattern?.includes('*') ? PIPELINE_ID : pattern?.replaceAll('*', 'x')];
  });
  const [name] = [pipeline].flat();
  return {
    organization_id: organization.id,
    ...Object.fromEntries(fitting),
    ...(name === undefined ? {} : { pipeline_id: pipelines[name] }),
  };
}

/** The policy with the UUIDs that its names of pipelines stand for, written as pipeline_id. */
function withUuids(data: Data): Data {
  const rules = data.rules.map(({ match: { pipeline, ...match }, ...rule }: Data) =>
    pipeline === undefined
      ? { ...rule, match }
      : { ...rule, match: { pipeline_id: [pipeline].flat().map((name) => data.pipelines[name]), ...match } },
  );
  return { ...data, rules };
}

/** Where a policy breaks a guard of an environment, as "credentials.NAME" or "rules.INDEX", once for each breach. */
function brokenGuards({ environments, credentials, rules }: Data): string[] {
  const broken: string[] = [];
  for (const [name, credential] of Object.entries<Data>(credentials)) {
    const { maxTtl = '1h', revocation } = environments[credential.environment];
    if (secondsOf(credential.ttl) > secondsOf(maxTtl)) broken.push(`credentials.${name}`);
    if (revocation && !revocation.includes(revocationOf(credential))) broken.push(`credentials.${name}`);
  }
  for (const [index, { match, grants }] of rules.entries())
    for (const environment of new Set<string>(grants.map((name: string) => credentials[name].environment)))
      for (const key of environments[environment].require ?? [])
        if (!isNarrowed(match, key)) broken.push(`rules.${index}`);
  return broken.sort();
}

function secondsOf(duration: string): number {
  const factor = duration.endsWith('h') ? 3600 : duration.endsWith('m') ? 60 : 1;
  return Number.parseInt(duration, 10) * factor;
}

function revocationOf({ firestore, serviceAccount }: Data): string {
  if (firestore) return 'immediate';
  return serviceAccount?.pool ? 'propagating' : 'expiry';
}

function isNarrowed(match: Data, key: string): boolean {
  if (key === 'pipeline') return 'pipeline' in match || isNarrowed(match, 'pipeline_id');
  if (key === 'pipeline_id' && 'pipeline' in match) return true;
  if (!(key in match)) return false;
  return [match[key]]
    .flat()
    .every((pattern) =>
      key.endsWith('_id')
        ? !String(pattern).includes('*')
        : [...String(pattern)].some((character) => !'*/'.includes(character)),
    );
}
