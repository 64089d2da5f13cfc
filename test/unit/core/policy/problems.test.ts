// Messages about a policy are written for its author: none has the wording of the schema library.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parsePolicy } from '../../../../shared/core/policy/parse-yaml.ts';
import { parsePolicyData } from '../../../../shared/core/policy/policy.ts';
import { changedAt, placesIn } from '../../../fixtures/data-places.ts';
import type { Data } from '../../../fixtures/policies.ts';

const EXAMPLE = readFileSync(new URL('../../../../examples/policy.yaml', import.meta.url), 'utf8');
const example = (): Data => {
  const data = parse(EXAMPLE);
  return { ...data, limits: { tokensPerMinute: 5, liveGrantsPerPipeline: 5 }, maxJobTokenLifetime: '5m' };
};
const WRONG = [undefined, null, true, 0, -1, 2 ** 40, 1.5, '', 'x y'.repeat(400), [], [7], [null], {}, { x: 1 }, 'a|b'];

describe('a message about a policy', () => {
  it('never has the wording of zod, for any wrong value at any place', () => {
    const said = new Map<string, string>();
    for (const path of placesIn(example()))
      for (const value of WRONG) {
        const result = parsePolicyData(changedAt(example(), path, value));
        if ('problems' in result)
          for (const { message } of result.problems) said.set(message, `${path.join('.')} = ${JSON.stringify(value)}`);
      }
    expect(said.size).toBeGreaterThan(40);
    const raw = [...said].filter(([message]) => /invalid|expected|received|too (small|big)|undefined/i.test(message));
    expect(raw).toEqual([]);
  });

  /** The place of a text, as messages name it. */
  const at = (text: string, what: string) => {
    const before = text.slice(0, text.indexOf(what)).split('\n');
    return `policy.yaml:${before.length}:${(before.at(-1) ?? '').length + 1}:`;
  };
  const problemsIn = (text: string) => {
    const result = parsePolicy(text, 'policy.yaml');
    return 'problems' in result ? result.problems : [];
  };
  const PIPELINE = '      pipeline: web\n      build_branch: [main';
  const withPipeline = (lines: string) => {
    expect(EXAMPLE).toContain(PIPELINE);
    return EXAMPLE.replace(PIPELINE, `${lines}\n      build_branch: [main`);
  };
  const WHERE = 'rule "deploy to staging", match, ';
  const advice = "is not a UUID, so it matches nothing. Use pipeline_slug, or the id from Buildkite's API";

  it('says at a pipeline_id that is a slug what to use instead', () => {
    const text = withPipeline('      pipeline_id: globex-web');
    expect(problemsIn(text)).toEqual([`${at(text, 'globex-web')} ${WHERE}pipeline_id: "globex-web" ${advice}.`]);
  });

  it('says the same at a slug in a list, also when the rule names a pipeline_slug', () => {
    const lines =
      '      pipeline_slug: web\n      pipeline_id: [0184990a-4782-42b5-afc1-16715b10b1f0, globex-web, "018*"]';
    const text = withPipeline(lines);
    expect(problemsIn(text)).toEqual([`${at(text, 'globex-web')} ${WHERE}pipeline_id: "globex-web" ${advice}.`]);
  });

  it('names every other id that is no UUID, and no agent tag', () => {
    const lines = '      pipeline_slug: web\n      queue_id: default\n      agent_tag:host_id: Blue';
    const text = withPipeline(lines);
    expect(problemsIn(text)).toEqual([
      `${at(text, 'default\n')} ${WHERE}queue_id: "default" is not a UUID, so it matches nothing.`,
    ]);
    const allowed = parsePolicy(withPipeline(lines.replace('queue_id', 'queue_key')), 'policy.yaml');
    expect('policy' in allowed && allowed.policy.rules[0]?.match['agent_tag:host_id']).toEqual(['Blue']);
  });

  const VERBS = ', verbs: [get, list, create, update]';
  const SCOPES = 'scopes: [https://www.googleapis.com/auth/datastore]';

  it.each([
    ['verbs that are missing', VERBS, '', '{ path: "config', 'verbs is missing'],
    ['verbs that are text', VERBS, ', verbs: get', 'get }', 'verbs must be a list. Write [get]'],
    ['an unknown verb', VERBS, ', verbs: [get, set]', 'set]', '"set" must be one of get, list, create'],
    ['no verb', VERBS, ', verbs: []', 'verbs: []', 'verbs must not be empty'],
    ['scopes that are empty', SCOPES, 'scopes:', 'scopes:\n', 'scopes has no value. It must be a list'],
  ])('is short and at its place: %s', (_, before, after, place, message) => {
    const text = EXAMPLE.replace(before, after);
    expect(text).not.toBe(EXAMPLE);
    const [problem = '', ...more] = problemsIn(text);
    expect(more).toEqual([]);
    expect(problem.split(' ')[0]).toBe(at(text, place));
    expect(problem).toContain(message);
  });
});
