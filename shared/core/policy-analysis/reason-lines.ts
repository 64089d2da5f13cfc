// Why a request was refused and who can change that, in lines for a terminal.

import { conditionOutcome } from '../conditions/reason-words.ts';
import { visible } from '../policy/visible-text.ts';
import type { AuditLine } from './audit-line.ts';
import { type ReasonExplanation, type Side, withoutAbsent } from './refused-request.ts';

const WHO: Readonly<Record<Exclude<Side, 'time'>, string>> = {
  job: 'the developer of the job',
  team: 'an administrator of the team at Buildkite',
  policy: 'the owners of the policy',
  operators: 'the operators of Keydesk',
};

/** @param explained.byRules whether the explanation of the rules follows, which says what to do */
export function reasonLines(
  requestId: string,
  { credential, job, trace = [] }: AuditLine,
  { reason, sides, when, whatToDo, facts, byRules }: ReasonExplanation & { readonly byRules: boolean },
): string[] {
  const about = [
    ...(credential === undefined ? [] : [['credential', visible(credential)]]),
    ...(job ? [['job', jobText(job)]] : []),
    ...facts.map(([name, value]) => [name, value]),
  ];
  const width = Math.max(0, ...about.map(([name = '']) => name.length));
  return [
    `The request ${requestId} was refused: ${visible(reason)}`,
    ...about.map(([name = '', value]) => `  ${name.padEnd(width)}  ${value}`),
    ...trace.flatMap(conditionLines),
    ...(byRules ? [] : [`  ${reason.startsWith('job_token_') ? 'The job token: ' : ''}${when}`]),
    ...(byRules ? [] : [`  What to do: ${whatToDo}`]),
    ...whoLines(sides),
  ];
}

/** How far a rule got whose claims match and whose conditions do not hold. */
function conditionLines(traced: NonNullable<AuditLine['trace']>[number]): string[] {
  const words = conditionOutcome(withoutAbsent(traced));
  return words === undefined ? [] : [`  Rule ${JSON.stringify(visible(traced.rule))}: ${words}.`];
}

function whoLines(sides: readonly Side[]): string[] {
  const people = sides.flatMap((side) => (side === 'time' ? [] : [WHO[side]]));
  return [
    ...(people.length > 0 ? [`  Who can change it: ${people.join(', ')}.`] : []),
    ...(sides.includes('time') ? ['  The cause can pass without a change.'] : []),
  ];
}

function jobText(job: Readonly<Record<string, unknown>>): string {
  const text = (name: string) => visible(String(job[name] ?? 'not known'));
  return `${text('job_id')} (${text('pipeline_slug')} #${text('build_number')})`;
}
