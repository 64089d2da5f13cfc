// What a replay does not judge, compared with the policy that decided.

import { describe, expect, it } from 'vitest';
import { parsePolicyData } from '../../../../shared/core/policy/policy.ts';
import { compareSettings } from '../../../../shared/core/policy-history/unjudged-settings.ts';
import { type Data, policyData } from '../../../fixtures/policies.ts';

function version(sha256: string, change: (data: Data) => unknown = () => {}) {
  const data = policyData('acme-data', {}, { rules: [] });
  change(data);
  const result = parsePolicyData(data);
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  return { policy: result.policy, sha256 };
}

describe('what a replay does not judge', () => {
  const [old, same] = [version('a'), version('b')];

  it.each<[string, (data: Data) => unknown]>([
    ['audience', (data) => Object.assign(data, { audience: 'https://other.acme.example' })],
    ['maxJobTokenLifetime', (data) => Object.assign(data, { maxJobTokenLifetime: '1m' })],
    ['limits.tokensPerMinute', (data) => Object.assign(data, { limits: { tokensPerMinute: 1 } })],
    ['limits.liveGrantsPerPipeline', (data) => Object.assign(data, { limits: { liveGrantsPerPipeline: 1 } })],
  ])('differs by %s', (what, change) => {
    expect(compareSettings(old, version('b', change), new Set(['a']))).toMatchObject({
      settings: 'different',
      changes: [{ what }],
    });
  });

  it.each<[string, typeof old | undefined, (string | undefined)[], string]>([
    ['is the same as the policy that decided has it', old, ['a'], 'same'],
    ['is the same where both policies decided', old, ['a', 'b'], 'same'],
    ['is the same where the policy itself decided', undefined, ['b'], 'same'],
    ['is not known where another policy decided', undefined, ['a'], 'not_known'],
    ['is not known where a third policy decided', old, ['a', 'c'], 'not_known'],
    ['is not known where the events do not say who decided', old, ['a', undefined], 'not_known'],
  ])('%s', (_, before, decidedBy, settings) => {
    expect(compareSettings(before, same, new Set(decidedBy))).toEqual({ settings });
  });
});
