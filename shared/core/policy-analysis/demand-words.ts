// What a rule demands of a claim, and what a job has, in words for people.

import type { Pipelines } from '../policy/pipelines.ts';
import { visible } from '../policy/visible-text.ts';
import type { Demand } from './claim-values.ts';
import type { Demands } from './jobs.ts';
import { isLiteral } from './texts.ts';

/** `pipeline` where every UUID has a name. */
export function claimWord(claim: string, { patterns }: Demand, pipelines: Pipelines): string {
  return claim === 'pipeline_id' && patterns.every((id) => nameOf(id, pipelines) !== undefined) ? 'pipeline' : claim;
}

/** `is main`, `is one of webhook, ui`, `matches one of main, release/*`, `is absent`. */
export function demandWords(claim: string, { absent, patterns }: Demand, pipelines: Pipelines): string {
  if (patterns.includes('**')) return absent ? 'is any value or absent' : 'is any value';
  const values = patterns.map((pattern) => valueWord(claim, pattern, pipelines));
  const verb = patterns.every(isLiteral) ? 'is' : 'matches';
  const list = values.length > 1 ? `${verb} one of ${values.join(', ')}` : `${verb} ${values.join('')}`;
  if (patterns.length === 0) return 'is absent';
  return absent ? `${list} or is absent` : list;
}

/** `step_key is deploy and build_source is ui`. */
export function conditionWords(demands: Demands, pipelines: Pipelines): string {
  return demands
    .map(([claim, demand]) =>
      !demand.absent && demand.patterns.includes('**')
        ? `the token has ${claim}`
        : `${claimWord(claim, demand, pipelines)} ${demandWords(claim, demand, pipelines)}`,
    )
    .join(' and ');
}

/** A claim of a job: `pipeline is web`, `build_tag is absent`. */
export function statedWords(claim: string, value: string | null, pipelines: Pipelines): string {
  const demand = { absent: value === null, patterns: value === null ? [] : [value] };
  const word = value === null ? claim : claimWord(claim, demand, pipelines);
  return `${word} is ${value === null ? 'absent' : valueWord(claim, value, pipelines)}`;
}

function valueWord(claim: string, value: string, pipelines: Pipelines): string {
  return (claim === 'pipeline_id' ? nameOf(value, pipelines) : undefined) ?? quoted(value);
}

function nameOf(id: string, pipelines: Pipelines): string | undefined {
  return Object.entries(pipelines).find(([, known]) => known === id)?.[0];
}

/** In quotes where words or signs of the sentence could be part of it. */
function quoted(text: string): string {
  return /^[\w./*:@+-]+$/.test(text) ? text : JSON.stringify(visible(text));
}
