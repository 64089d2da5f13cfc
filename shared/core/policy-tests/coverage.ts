// Which rules and credentials the cases exercise: a rule grants a credential that a case expects, and the case gets it.

import type { Policy } from '../policy/policy.ts';
import type { CaseResult } from './cases.ts';

export interface Covered {
  readonly total: number;
  /** Names that no case exercises. */
  readonly missing: readonly string[];
}

export interface Coverage {
  readonly rules: Covered;
  readonly credentials: Covered;
}

export function coverageOf({ rules, credentials }: Policy, results: readonly CaseResult[]): Coverage {
  const granted = results.flatMap(({ grantedBy }) => [...grantedBy]);
  const cover = (names: readonly string[], covered: ReadonlySet<string>): Covered => ({
    total: names.length,
    missing: names.filter((name) => !covered.has(name)),
  });
  return {
    rules: cover(
      rules.map(({ name }) => name),
      new Set(granted.map(([, rule]) => rule)),
    ),
    credentials: cover(Object.keys(credentials), new Set(granted.map(([credential]) => credential))),
  };
}

export function isComplete({ rules, credentials }: Coverage): boolean {
  return rules.missing.length === 0 && credentials.missing.length === 0;
}
