// An explanation always agrees with the decision: random jobs against the example policy.

import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseClaims } from '../../../../shared/core/policy/claims.ts';
import { decide } from '../../../../shared/core/policy/decide.ts';
import { explainDecisions, parseJob } from '../../../../shared/core/policy/explain.ts';
import { parsePolicy } from '../../../../shared/core/policy/parse-yaml.ts';

const EXAMPLE = readFileSync(new URL('../../../../examples/policy.yaml', import.meta.url), 'utf8');
const OTHER = '0184990a-0000-4000-8000-000000000000';

describe('the explanation of a decision', () => {
  const loaded = parsePolicy(EXAMPLE, 'policy.yaml');
  if ('problems' in loaded) throw new Error(loaded.problems.join('\n'));
  const { policy } = loaded;
  const claim = (...values: string[]) => fc.option(fc.constantFrom(...values), { nil: undefined });
  const jobs = fc.record({
    organization_id: claim(policy.organization.id ?? '', ''),
    pipeline_id: claim(policy.pipelines.web ?? '', policy.pipelines['web-release'] ?? '', OTHER),
    build_branch: fc.constantFrom('main', 'release/1', 'release/1/2', 'v1', 'v1/2'),
    build_tag: claim('v1', 'main'),
    build_source: claim('webhook', 'ui', 'schedule'),
    step_key: claim('deploy-production', 'deploy'),
  });

  it('agrees with the decision for a token with these claims', () => {
    let granted = 0;
    fc.assert(
      fc.property(jobs, (job) => {
        const given = Object.entries(job).filter(([, value]) => value !== undefined);
        const read = parseJob(
          policy,
          given.map(([name, value]) => `${name}=${value}`),
        );
        const payload = {
          organization_slug: 'acme-inc',
          organization_id: policy.organization.id,
          pipeline_slug: 'app',
          build_number: 42,
          build_commit: 'c0ffee',
          job_id: '0184990a-4782-42b5-afc1-16715b10b8f1',
          agent_id: '0184990a-4782-42b5-afc1-16715b10b8f2',
          ...Object.fromEntries(given),
        };
        const real = parseClaims(payload);
        if ('problems' in read || 'invalidClaim' in real) throw new Error('neither is refused');
        const said = explainDecisions(policy, read.claims).filter((line) => !line.startsWith(' '));
        const decided = Object.keys(policy.credentials).map((name) => {
          const decision = decide(policy, real.claims, name);
          if (decision.outcome === 'granted') granted += 1;
          if (decision.outcome === 'conditional') throw new Error('no rule has conditions');
          return decision.outcome === 'granted'
            ? `${name}: granted by "${decision.rule}"`
            : `${name}: refused, ${decision.reason}`;
        });
        expect(said.map((line, index) => line.slice(0, decided[index]?.length))).toEqual(decided);
      }),
      { seed: 20261124, numRuns: 2000 },
    );
    expect(granted).toBeGreaterThan(50);
  });

  it('demands only claims of rules that grant the credentials in question', () => {
    const rules = [
      { name: 'a', match: { step_key: ['x'] }, conditions: {}, grants: ['one'] },
      { name: 'b', match: { build_branch: ['main'] }, conditions: {}, grants: ['two'] },
    ];
    expect(parseJob({ ...policy, rules }, [], ['one'])).toHaveProperty('claims');
    for (const wanted of [['two'], []])
      expect(parseJob({ ...policy, rules }, [], wanted)).toMatchObject({
        problems: [expect.stringContaining('build_branch is missing: every job has one, and rule "b" looks at it')],
      });
  });
});
