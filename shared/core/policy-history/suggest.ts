// Suggests a tighter policy from what happened: what no request used, and what no grant touched, is removed. A suggestion needs evidence
// for the whole period, and never opens more.

import { removeEntries, replaceEntry, replaceList, type TextEdit } from '../policy/edit-text.ts';
import type { ReadPolicy } from '../policy/parse-yaml.ts';
import type { PolicyProblem } from '../policy/problems.ts';
import type { Rule } from '../policy/rule.ts';
import type { CredentialAccess } from './access-usage.ts';
import { type NarrowedEntries, narrowEntry } from './narrow-access.ts';
import type { CoverageReport, Period } from './period.ts';
import { describeAccessGaps, describeGap, describePart } from './unused.ts';
import type { PartUse } from './usage.ts';
import type { Use } from './use.ts';

/** A use that is kept. */
export interface KeptUse {
  readonly what: string;
  readonly use: Use;
  /** Not used in the second half of the period. */
  readonly rare: boolean;
}

export interface Suggestion {
  /** Where in the file. */
  readonly path: PolicyProblem['path'];
  readonly change: string;
  /** Why, in sentences. */
  readonly evidence: readonly string[];
  /** What it keeps of the place. */
  readonly kept: readonly KeptUse[];
  readonly edits: readonly TextEdit[];
}

export interface Suggestions {
  readonly suggestions: readonly Suggestion[];
  /** What is kept although it was not used in the second half of the period. */
  readonly rare: readonly KeptUse[];
  /** What is not suggested, and why, in sentences. */
  readonly not_suggested: readonly string[];
}

export interface PolicyHistory {
  readonly period: Period;
  readonly coverage: CoverageReport;
  readonly allowed: Use;
  readonly parts: readonly PartUse[];
  readonly access: readonly CredentialAccess[];
}

export function suggestChanges(read: ReadPolicy, history: PolicyHistory): Suggestions {
  const { coverage, period, parts, access } = history;
  if (coverage.gaps.length > 0) return { suggestions: [], rare: [], not_suggested: coverage.gaps.map(describeGap) };
  const found = [...fromRequests(read, history), ...access.flatMap((one) => fromTouches(read, one, period))];
  const kept = parts.map(({ part, use }) => toKept(describePart(part, read.policy.pipelines), use, period));
  const unproven = access.filter(({ grants, gaps }) => grants > 0 && gaps.length > 0);
  return {
    suggestions: found.filter((one) => one !== undefined && typeof one !== 'string'),
    rare: [...kept, ...access.flatMap((one) => keptDocuments(one, period))].filter(({ rare }) => rare),
    not_suggested: [...unproven.map(describeAccessGaps), ...found.filter((one) => typeof one === 'string')],
  };
}

function keptDocuments({ credential, entries }: CredentialAccess, period: Period): KeptUse[] {
  return entries.flatMap(({ verbs }) =>
    [...verbs].flatMap(([verb, paths]) =>
      paths.map(({ path, use }) => toKept(`credential ${credential}, ${path}: ${verb}`, use, period)),
    ),
  );
}

function toKept(what: string, use: Use, { since, until }: Period): KeptUse {
  const rare = use.count > 0 && (use.last_at === undefined || use.last_at < since + (until - since) / 2);
  return { what, use, rare };
}

/** @returns a text for what the layout of the file does not allow to edit */
function fromRequests(read: ReadPolicy, history: PolicyHistory): (Suggestion | string)[] {
  const { rules } = read.policy;
  const unusedRules = rules.flatMap(({ name }, index) =>
    history.parts.some((one) => one.part.kind === 'rule' && one.part.rule === name && isUnused(one)) ? [index] : [],
  );
  // One edit for all of them: they are neighbours in a list.
  const removed = unusedRules.length > 0 ? removeEntries(read, ['rules'], unusedRules) : [];
  return [
    ...unusedRules.map((index, nth) =>
      toSuggestion(['rules', index], 'remove the rule', [evidenceOf(history)], removed?.slice(nth, nth + 1)),
    ),
    ...rules
      .flatMap((rule, index) => (unusedRules.includes(index) ? [] : listsOf(read, rule, index, history.parts)))
      .flatMap((list) => fromList(read, list, history)),
  ];
}

function isUnused({ use, maybe }: PartUse): boolean {
  return use.count === 0 && maybe.count === 0;
}

function evidenceOf({ allowed }: PolicyHistory): string {
  return `None of ${allowed.count} allowed requests used it.`;
}

/** A list in a rule, with the use of each entry. */
interface UsedList {
  readonly path: PolicyProblem['path'];
  readonly entries: readonly { readonly name: string; readonly use: PartUse | undefined }[];
}

function listsOf({ written }: ReadPolicy, rule: Rule, index: number, parts: readonly PartUse[]): UsedList[] {
  const ofRule = parts.filter(({ part }) => 'rule' in part && part.rule === rule.name);
  const grants = rule.grants.map((name) => ({
    name,
    use: ofRule.find(({ part }) => part.kind === 'grant' && part.credential === name),
  }));
  const match = written.rules[index]?.match ?? {};
  const patterns = Object.entries(rule.match).map(([claim, listed]): UsedList => {
    // The file may name pipelines where the rule has their ids.
    const key = claim === 'pipeline_id' && match.pipeline ? 'pipeline' : claim;
    const entries = listed.map((pattern, position) => ({
      name: match[key]?.[position] ?? pattern,
      use: ofRule.find(({ part }) => part.kind === 'pattern' && part.claim === claim && part.pattern === pattern),
    }));
    return { path: ['rules', index, 'match', key], entries };
  });
  return [{ path: ['rules', index, 'grants'], entries: grants }, ...patterns];
}

function fromList(read: ReadPolicy, { path, entries }: UsedList, history: PolicyHistory): (Suggestion | string)[] {
  const positions = entries.flatMap(({ use }, position) => (use && isUnused(use) ? [position] : []));
  // A rule that granted before it was changed may match nothing of the log now.
  if (positions.length === 0 || positions.length === entries.length) return [];
  const names = positions.map((position) => entries[position]?.name);
  const kept = entries.flatMap(({ name, use }) =>
    use && use.use.count > 0 ? [toKept(`${path.at(-1)}: ${name}`, use.use, history.period)] : [],
  );
  const edits = removeEntries(read, path, positions);
  return [toSuggestion(path, `remove ${names.join(', ')}`, [evidenceOf(history)], edits, kept)];
}

function fromTouches(read: ReadPolicy, access: CredentialAccess, period: Period): (Suggestion | string)[] {
  const { credential, entries, gaps, grants, touched_grants } = access;
  if (gaps.length > 0) return [];
  const narrowed = entries.map(narrowEntry);
  const list = ['credentials', credential, 'firestore', 'allow'];
  const empty = narrowed.flatMap((one, position) => (one?.entries.length === 0 ? [position] : []));
  if (empty.length === entries.length)
    return [`${credential}: none of its documents was touched. If no job needs it, remove it by hand.`];
  const share = `${touched_grants} of ${grants} grants have entries in Google's log.`;
  const removed = empty.length > 0 ? removeEntries(read, list, empty) : [];
  return narrowed.flatMap((one, position) => {
    const entry = entries[position];
    if (!one || !entry) return [];
    const path = [...list, position];
    if (one.entries.length === 0) {
      const nth = empty.indexOf(position);
      const evidence = [`No grant touched a document that it opens. ${share}`];
      return [toSuggestion(path, `remove ${entry.path}`, evidence, removed?.slice(nth, nth + 1))];
    }
    const kept = one.entries.flatMap(({ path: kept, verbs }) =>
      [...verbs].map(([verb, use]) => toKept(`${kept}: ${verb}`, use, period)),
    );
    const evidence = [
      ...(one.untouched.length > 0 ? [`Not touched: ${one.untouched.join(', ')}.`] : []),
      share,
      ...(one.once && !one.samePath ? [ONCE] : []),
    ];
    return [toSuggestion(path, changeOf(entry.path, one), evidence, editsOf(read, path, one), kept)];
  });
}

const ONCE = 'Names that jobs created or deleted once are a wildcard: the next job has another name.';

function changeOf(path: string, { entries, untouched, samePath }: NarrowedEntries): string {
  if (samePath) return `remove ${untouched.join(', ')} from ${path}`;
  return `replace ${path} with ${entries.map((one) => `${one.path} (${[...one.verbs.keys()].join(', ')})`).join(', ')}`;
}

function editsOf(read: ReadPolicy, path: PolicyProblem['path'], { entries, samePath }: NarrowedEntries) {
  const [only] = entries;
  if (samePath && only) return replaceList(read, [...path, 'verbs'], [...only.verbs.keys()]);
  const texts = entries.map((one) => `{ path: "${one.path}", verbs: [${[...one.verbs.keys()].join(', ')}] }`);
  return replaceEntry(read, path.slice(0, -1), Number(path.at(-1)), texts);
}

function toSuggestion(
  path: PolicyProblem['path'],
  change: string,
  evidence: readonly string[],
  edits: readonly TextEdit[] | undefined,
  kept: readonly KeptUse[] = [],
): Suggestion | string {
  return edits
    ? { path, change, evidence, kept, edits }
    : `${path.join('.')}: ${change}. The layout of the file does not allow to edit it here: change it by hand.`;
}
