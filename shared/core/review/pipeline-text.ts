// One pipeline of a review as lines for people.

import { plural } from '../policy-history/words.ts';
import type { PipelineReview } from './pipeline-review.ts';
import { titleOf } from './pipelines.ts';
import type { ReachableCredential } from './reach.ts';
import type { TouchedCredential } from './touches.ts';

const FOR: Readonly<Record<ReachableCredential['for'], string>> = {
  all_jobs: 'all its jobs',
  some_jobs: 'jobs that meet the conditions',
  cannot_tell: 'cannot tell for which jobs',
};

export function pipelineLines({ pipeline, could_reach, got, never_used, touched }: PipelineReview): string[] {
  const { id, slugs } = pipeline;
  return [
    `${titleOf(pipeline)}  ${id ?? 'without a UUID'}${slugs.length > 0 ? `, slug ${slugs.join(', ')}` : ', no grant'}`,
    ...could_reach.map(
      (one) =>
        `  could reach  ${one.credential}  ${one.environment}  ${FOR[one.for]}, by ${one.rules.map((rule) => JSON.stringify(rule)).join(', ')}`,
    ),
    ...got.map(
      (one) =>
        `  did get      ${one.credential}  ${one.environment}  ${plural(one.grants, 'grant')}, ${plural(one.tokens_issued, 'token')}, from ${one.first_created_at} to ${one.last_created_at}`,
    ),
    ...(never_used.length > 0 ? [`  never used   ${never_used.join(', ')}`] : []),
    ...touchedLines(touched),
  ];
}

function touchedLines(touched: readonly TouchedCredential[] | null): string[] {
  if (touched === null) return ['  did touch    not known'];
  return touched.flatMap(({ credential, grants, touched_grants, allowed, unclear, outside, not_proven }) => [
    `  did touch    ${credential}  ${touched_grants} of ${plural(grants, 'grant')} in Google's log`,
    ...allowed.map(({ path, verb, count }) => `    ${count === 0 ? 'never' : `${count} times`}  ${verb} ${path}`),
    ...(unclear > 0 ? [`    ${plural(unclear, 'entry', 'entries')} do not say what was touched`] : []),
    ...(outside > 0 ? [`    ${plural(outside, 'touch', 'touches')} that the policy does not open`] : []),
    ...(not_proven === null ? [] : [`    that the others were not touched is not proven: ${not_proven}`]),
  ]);
}
