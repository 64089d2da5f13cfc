// Values of claims that a person typed in and no job has: a misspelt source, and refs in place of names.

import type { Policy } from '../policy/policy.ts';
import { patternFinding } from '../policy-warnings/pattern.ts';

/** @param written `NAME=VALUE`s. @returns what is wrong, in sentences */
export function claimMistakes({ rules }: Policy, written: readonly string[]): string[] {
  return written.flatMap((one) => {
    const cut = one.indexOf('=');
    const [claim, value] = [one.slice(0, cut), one.slice(cut + 1)];
    const finding = value === '' ? undefined : patternFinding(claim, value);
    if (!finding) return [];
    // Buildkite may add values to those that it documents. A rule that has the same mistake has a warning.
    const isMistake =
      finding.code === 'unknown_value' ? finding.message.includes('Did you mean') : finding.code === 'ref_prefix';
    const isInRule = rules.some(({ match }) =>
      match[claim]?.some((pattern) => patternFinding(claim, pattern)?.code === finding.code),
    );
    return isMistake && !isInRule ? [finding.message] : [];
  });
}
