// The text of a policy after suggestions, and the proof that it opens no more than before.

import { applyEdits, removeEntries } from '../policy/edit-text.ts';
import { parsePolicyText, type ReadPolicy } from '../policy/parse-yaml.ts';
import type { Policy } from '../policy/policy.ts';
import { diffPolicies } from '../policy-analysis/diff.ts';
import { unusedWarnings } from '../policy-warnings/unused.ts';
import { generatedRulesProblems } from '../security-rules/limits.ts';
import type { JobRequest } from './job-request.ts';
import { createJudge } from './judge.ts';
import type { Suggestion } from './suggest.ts';

export interface Tightened {
  readonly text: string;
  readonly policy: Policy;
  readonly applied: readonly Suggestion[];
  /** What nothing uses any more after the suggestions, such as `credentials.staging-export`, and is removed too. */
  readonly removed: readonly string[];
  /** Suggestions that are left out, because the policy would not be valid with them, or open more. */
  readonly rejected: readonly Suggestion[];
}

/** Applies all suggestions that only narrow the policy. */
export function tighten(read: ReadPolicy, suggestions: readonly Suggestion[]): Tightened {
  const all = check(read, suggestions);
  if (all) return withoutLeftovers(read, { ...all, applied: suggestions, removed: [], rejected: [] });
  const applied: Suggestion[] = [];
  const rejected: Suggestion[] = [];
  for (const one of suggestions) (check(read, [...applied, one]) ? applied : rejected).push(one);
  const checked = check(read, applied) ?? { text: read.text, policy: read.policy };
  return withoutLeftovers(read, { ...checked, applied, removed: [], rejected });
}

/** Undefined unless the edited text is a policy that opens less than the present one, or the same. */
function check(read: ReadPolicy, suggestions: readonly Suggestion[]): { text: string; policy: Policy } | undefined {
  return checkText(
    read,
    applyEdits(
      read.text,
      suggestions.flatMap(({ edits }) => edits),
    ),
  );
}

function checkText({ policy: before }: ReadPolicy, text: string): { text: string; policy: Policy } | undefined {
  const edited = parsePolicyText(text);
  if (!('policy' in edited) || generatedRulesProblems(edited.policy).length > 0) return undefined;
  return onlyNarrows(before, edited.policy) ? { text, policy: edited.policy } : undefined;
}

const NARROWER = ['unchanged', 'narrower', 'gone'];

function onlyNarrows(before: Policy, after: Policy): boolean {
  const { changes, credentials, widens } = diffPolicies(before, after);
  return (
    !widens &&
    changes.every(({ direction }) => direction === 'narrower' || direction === 'neither') &&
    credentials.every(({ verdict }) => NARROWER.includes(verdict))
  );
}

/** Removes what the suggestions left unused: credentials, then environments, databases and pipelines. */
function withoutLeftovers(read: ReadPolicy, tightened: Tightened): Tightened {
  const known = new Set(unusedWarnings(read.written).map(({ path }) => path.join('.')));
  let result = tightened;
  for (;;) {
    const edited = parsePolicyText(result.text);
    if (!('policy' in edited)) return result;
    const left = unusedWarnings(edited.written)
      .map(({ path }) => path)
      .filter((path) => !known.has(path.join('.')));
    const [section] = left[0] ?? [];
    if (section === undefined) return result;
    const paths = left.filter(([one]) => one === section);
    for (const path of paths) known.add(path.join('.'));
    const names = paths.map((path) => String(path[1]));
    const edits = removeEntries(edited, [section], names);
    const checked = edits && checkText(read, applyEdits(edited.text, edits));
    if (checked)
      result = { ...result, ...checked, removed: [...result.removed, ...paths.map((path) => path.join('.'))] };
  }
}

/** Counts requests that one policy allows, or may allow, and another refuses. */
export class NewlyRefused {
  readonly #before;
  readonly #after;
  count = 0;

  constructor(before: Policy, after: Policy) {
    this.#before = createJudge(before);
    this.#after = createJudge(after);
  }

  add({ credential, claims, conditions, outcome }: JobRequest): void {
    if (!outcome.allowed || this.#before(credential, claims, conditions).outcome === 'refused') return;
    if (this.#after(credential, claims, conditions).outcome === 'refused') this.count += 1;
  }
}
