// What `keydesk policy suggest` prints: each suggestion with its evidence, then the difference to the policy file. The same as data.

import { toIsoOrNull } from '../iso-time.ts';
import type { ReadPolicy } from '../policy/parse-yaml.ts';
import { unifiedDiff } from '../unified-diff.ts';
import type { KeptUse, PolicyHistory, Suggestion, Suggestions } from './suggest.ts';
import type { Tightened } from './tightened.ts';
import { describeGap, toGapJson } from './unused.ts';
import { formatPeriod, formatTime, plural, toUseJson } from './words.ts';

export interface SuggestReport {
  /** As the person wrote it. */
  readonly file: string;
  readonly read: ReadPolicy;
  readonly history: PolicyHistory;
  readonly found: Suggestions;
  readonly tightened: Tightened;
  /** Touches by grants that are not in Keydesk's log. */
  readonly unknownGrants: number;
}

export function diffOf({ file, read, tightened }: SuggestReport): string {
  return unifiedDiff(read.text, tightened.text, [file, file]);
}

export function suggestLines(report: SuggestReport): string[] {
  const { file, history, found, tightened, unknownGrants } = report;
  const { since, until } = history.period;
  const notSuggested = [
    ...found.not_suggested,
    ...tightened.rejected.map(
      ({ change }) => `${change}: it is not proven that the policy would be valid, and open no more than before.`,
    ),
    ...(unknownGrants > 0
      ? [
          `${plural(unknownGrants, "entry of Google's log is", "entries of Google's log are")} by grants that Keydesk's log does not have.`,
        ]
      : []),
  ];
  return [
    `${file}, from ${formatTime(since)} to ${formatTime(until)} UTC: ${plural(history.allowed.count, 'request')} allowed`,
    ...(tightened.applied.length === 0 ? ['', 'Nothing is suggested.'] : []),
    ...tightened.applied.flatMap((one) => ['', ...describeSuggestion(report, one)]),
    ...(tightened.removed.length > 0 ? ['', removedLine(tightened.removed)] : []),
    ...section('Kept, and not used in the second half of the period', found.rare.map(describeUse)),
    ...section('Not suggested', notSuggested),
  ];
}

function removedLine(names: readonly string[]): string {
  return `Nothing uses ${names.join(', ')} any more, so ${names.length > 1 ? 'they are' : 'it is'} removed too.`;
}

function describeSuggestion({ file, read }: SuggestReport, { path, change, evidence, kept }: Suggestion): string[] {
  const { line, where } = read.locate({ path, message: 'Is here' });
  return [
    `${file}:${line}: ${where === '' ? '' : `${where}: `}${change}.`,
    ...evidence.map((sentence) => `  ${sentence}`),
    ...kept.map((one) => `  Kept: ${describeUse(one)}${one.rare ? ', not in the second half of the period' : ''}`),
  ];
}

function describeUse({ what, use }: KeptUse): string {
  return `${what}, ${plural(use.count, 'time')}, ${formatPeriod(use)}`;
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', title, ...lines.map((line) => `  ${line}`)];
}

export function suggestJson(report: SuggestReport) {
  const { read, history, found, tightened, unknownGrants } = report;
  const { coverage, period, allowed, access } = history;
  const toKeptJson = ({ use, ...kept }: KeptUse) => ({ ...kept, use: toUseJson(use) });
  return {
    policy_sha256: read.sha256,
    period: { since: toIsoOrNull(period.since), until: toIsoOrNull(period.until) },
    proven: coverage.gaps.length === 0,
    gaps: coverage.gaps.map((gap) => ({ ...toGapJson(gap), message: describeGap(gap) })),
    requests: toUseJson(allowed),
    access: access.map(({ entries: _, touches, ...rest }) => ({ ...rest, touches: toUseJson(touches) })),
    touches_of_unknown_grants: unknownGrants,
    suggestions: tightened.applied.map(({ edits: _, kept, ...one }) => ({ ...one, kept: kept.map(toKeptJson) })),
    removed_with_them: tightened.removed,
    rare: found.rare.map(toKeptJson),
    not_suggested: [...found.not_suggested, ...tightened.rejected.map(({ change }) => change)],
    diff: diffOf(report),
  };
}
