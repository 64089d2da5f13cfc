// An explanation of a refusal in lines for a terminal.

import { revocationOf } from '../kinds/kinds.ts';
import { isMatchableClaim, isOptionalClaim } from '../policy/claims.ts';
import { formatDuration } from '../policy/duration.ts';
import { conditionalLines } from '../policy/explain.ts';
import type { Pipelines } from '../policy/pipelines.ts';
import { visible } from '../policy/visible-text.ts';
import type { JobExplanation, NearRuleExplanation, RefusedExplanation } from './explain-job.ts';
import { isNotRequested, type Unmet } from './nearest-rules.ts';
import type { PolicyChange } from './policy-change-for-job.ts';

export interface LineOptions {
  /** Names for the UUIDs of pipelines. */
  readonly pipelines: Pipelines;
  /** The policy file, as its user named it. */
  readonly file: string;
  /** The policy's `contact`. */
  readonly contact?: string | undefined;
}

export function explanationLines(explanation: JobExplanation, options: LineOptions): string[] {
  return toLines(explanation, options).map(visibleLine);
}

/** Keeps the spaces at the beginning. */
function visibleLine(line: string): string {
  return visible(line).trimEnd();
}

function toLines(explanation: JobExplanation, options: LineOptions): string[] {
  if (explanation.outcome === 'granted') {
    const { credential, rule } = explanation.decision;
    return [
      `${explanation.credential}: granted by "${rule}", ${revocationOf(credential)}, ${formatDuration(credential.ttl)}`,
    ];
  }
  if (explanation.outcome === 'conditional') return conditionalLines(explanation.credential, explanation.decision);
  const { credential, reason, nearest, omitted, firstRule } = explanation;
  return [
    `${credential}: refused, ${reason}`,
    ...summaryLines(explanation),
    ...nearest.flatMap((near) => nearLines(near, options)),
    ...(omitted > 0 ? [`  ${omitted} more rules are equally near.`] : []),
    ...(firstRule ? policyLines(firstRule, options) : []),
  ];
}

function summaryLines({ reason, missing, meant, nearest, credential }: RefusedExplanation): string[] {
  if (reason === 'unknown_credential')
    return [
      meant === undefined
        ? `  The policy has no credential ${credential}. Check the name, or add the credential to the policy.`
        : `  The policy has no credential ${credential}. Did you mean "${meant}"?`,
    ];
  return [
    ...(nearest.length === 0 ? ['  No rule grants it to any job.'] : []),
    ...(reason === 'claims_missing'
      ? [`  The job token lacks claims that the policy needs: ${missing.join(', ')}.`]
      : []),
  ];
}

function nearLines(
  { rule, unmet, condition, jobChanges, policyChange }: NearRuleExplanation,
  options: LineOptions,
): string[] {
  // The claims match, so that nobody has to change them.
  if (unmet.length === 0 && condition !== undefined)
    return [`  The nearest rule is ${JSON.stringify(rule)}. Its claims match, and ${condition}.`];
  const [possible, impossible] = [jobChanges.filter((one) => one.possible), jobChanges.filter((one) => !one.possible)];
  const named = (text: string) => `    - ${withNames(text, options.pipelines)}`;
  return [
    `  The nearest rule is ${JSON.stringify(rule)}. ${unmet.length === 1 ? 'One claim does' : `${unmet.length} claims do`} not match:`,
    ...claimTable(unmet, options),
    ...(possible.length > 0 ? ['  What the job can change:', ...possible.map(({ text }) => named(text))] : []),
    ...(impossible.length > 0 ? ['  What the job cannot change:', ...impossible.map(({ text }) => named(text))] : []),
    ...(policyChange ? policyLines(policyChange, options) : []),
  ];
}

function claimTable(unmet: readonly Unmet[], { pipelines }: LineOptions): string[] {
  const rows = unmet.map((one) => [one.claim, hasText(one), needsText(one)].map((text) => withNames(text, pipelines)));
  const all = [['claim', 'has', 'needs'], ...rows];
  const widths = [0, 1].map((column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all.map((row) => `    ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`);
}

function hasText(unmet: Unmet): string {
  if (unmet.has !== null) return unmet.has;
  return isNotRequested(unmet) ? '(not requested)' : '(not in the token)';
}

function needsText({ needs }: Unmet): string {
  return needs.length === 0 ? '(no tag: the rule does not name build_tag)' : needs.join(' or ');
}

function policyLines({ place, yaml, remaining, forbidden }: PolicyChange, { file, contact }: LineOptions): string[] {
  if (forbidden.length > 0)
    return [
      '  What the policy could change: nothing small. The guards of the environment forbid such a rule:',
      ...forbidden.map((message) => `    - ${message}.`),
      ...(contact === undefined ? [] : [`  The owners of the policy: ${contact}`]),
    ];
  return [
    `  What the policy could change (${place}):`,
    ...yaml.map((line) => `    ${line}`),
    ...remainingLines(remaining),
    `  This change widens the policy. To see by how much, run: keydesk policy diff ${file} CHANGED_FILE`,
    ...(contact === undefined ? [] : [`  The owners of the policy: ${contact}`]),
  ];
}

/** What the policy cannot do for the job. */
function remainingLines(claims: readonly string[]): string[] {
  const isRequested = (claim: string) => isMatchableClaim(claim) && isOptionalClaim(claim);
  const flags = claims.filter(isRequested).map((claim) => `--claim ${claim}`);
  const others = claims.filter((claim) => !isRequested(claim));
  return [
    ...(flags.length > 0 ? [`  Even then, the job must request its token with ${flags.join(' ')}.`] : []),
    ...(others.length > 0 ? [`  Even then, the job must change ${others.join(', ')}.`] : []),
  ];
}

const UUIDS = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

function withNames(text: string, pipelines: Pipelines): string {
  return text.replaceAll(UUIDS, (id) => {
    const name = Object.entries(pipelines).find(([, uuid]) => uuid === id)?.[0];
    return name === undefined ? id : `${name} (${id})`;
  });
}
