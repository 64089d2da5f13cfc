// `pipelines`: names for the UUIDs of Buildkite pipelines, so that people can read the rules. The parser replaces a rule's
// `pipeline` by the claim pipeline_id: decisions and their traces know the claim alone.

import * as z from 'zod';
import type { PolicyProblem } from './problems.ts';
import { type Rule, uuidSchema } from './rule.ts';

export const PIPELINE_NAME = /^[a-z0-9][a-z0-9-]{0,99}$/;

const pipelineName = z.string().regex(PIPELINE_NAME, 'must be lower-case letters, digits and -');

export const pipelinesSchema = z.record(pipelineName, uuidSchema);

/** Names of pipelines to their UUIDs, in lower case. */
export type Pipelines = Readonly<Record<string, string>>;

/** The rule with the claim pipeline_id instead of `pipeline`. Names that are not in `pipelines` are dropped. */
export function resolvePipelines(rule: Rule, pipelines: Pipelines): Rule {
  const { pipeline, ...match } = rule.match;
  if (!pipeline) return rule;
  return { ...rule, match: { pipeline_id: pipeline.flatMap((name) => pipelines[name] ?? []), ...match } };
}

/** Two names for one pipeline are a copying mistake: a rule for one would also grant to the jobs of the other. */
export function pipelineProblems(pipelines: Pipelines): PolicyProblem[] {
  const names = new Map<string, string>();
  return Object.entries(pipelines).flatMap(([name, id]) => {
    const other = names.get(id);
    if (other === undefined) names.set(id, name);
    return other === undefined
      ? []
      : [{ path: ['pipelines', name], message: `has the same UUID as ${other}. Correct one of them, or remove it` }];
  });
}
