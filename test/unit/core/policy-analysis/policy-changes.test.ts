// A corpus of changes of policies, with verdicts that were written by hand from docs/POLICY.md. Examples of jobs are checked
// by the decision itself.

import { describe, expect, it } from 'vitest';
import { type Policy, parsePolicyData } from '../../../../shared/core/policy/policy.ts';
import { diffPolicies } from '../../../../shared/core/policy-analysis/diff.ts';
import type { PolicyChange } from '../../../fixtures/policy-changes/change.ts';
import { CLAIM_CHANGES } from '../../../fixtures/policy-changes/claims.ts';
import { CREDENTIAL_CHANGES } from '../../../fixtures/policy-changes/credentials.ts';
import { DATABASE_CHANGES } from '../../../fixtures/policy-changes/databases.ts';
import { DOCUMENT_CHANGES } from '../../../fixtures/policy-changes/documents.ts';
import { CHANGES_EVERYWHERE } from '../../../fixtures/policy-changes/everywhere.ts';
import { RULE_LIST_CHANGES } from '../../../fixtures/policy-changes/rule-lists.ts';

const CHANGES: readonly PolicyChange[] = [
  ...CLAIM_CHANGES,
  ...RULE_LIST_CHANGES,
  ...DOCUMENT_CHANGES,
  ...CREDENTIAL_CHANGES,
  ...DATABASE_CHANGES,
  ...CHANGES_EVERYWHERE,
];

describe('a change of a policy', () => {
  it.each(CHANGES.map((change) => [change.title, change] as const))('has its verdict: %s', (_, change) => {
    const { changes, credentials, widens } = diffPolicies(policyOf(change.before), policyOf(change.after));
    const differing = credentials.filter(({ verdict }) => verdict !== 'unchanged');
    const everywhere = changes.filter(({ direction }) => direction !== 'neither');
    expect({
      verdicts: Object.fromEntries(differing.map(({ credential, verdict }) => [credential, verdict])),
      everywhere: Object.fromEntries(everywhere.map(({ what, direction }) => [what, direction])),
      widens,
    }).toEqual({
      verdicts: Object.fromEntries(Object.entries(change.verdicts).filter(([, verdict]) => verdict !== 'unchanged')),
      everywhere: change.everywhere,
      widens: change.widens,
    });
  });

  it('is at least one of 220, each with a title of its own', () => {
    expect(CHANGES.length).toBeGreaterThan(220);
    expect(new Set(CHANGES.map(({ title }) => title)).size).toBe(CHANGES.length);
  });
});

function policyOf(data: unknown): Policy {
  const result = parsePolicyData(data);
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  return result.policy;
}
