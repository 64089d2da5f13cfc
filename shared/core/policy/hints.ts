// What a policy may say and its author probably does not mean.

import type { Policy } from './policy.ts';
import type { PolicyProblem } from './problems.ts';
import { narrows } from './rule.ts';

/** Seconds. Google's Node client renews a token that has five minutes or less; one minute more is for the request. */
const MIN_COMFORTABLE_TTL = 360;
/** `v1.*` is a good pattern for versions. */
const REGULAR_EXPRESSION = /[\^$|]|(?<![0-9])\.\*/;

export function policyHints(policy: Policy): PolicyProblem[] {
  const { organization, environments, credentials, rules } = policy;
  const hints: PolicyProblem[] = [];
  if (organization.id === undefined)
    hints.push({
      path: ['organization'],
      message: 'has no id: a slug can change hands, and the id, when it is here, must be in every job token',
    });
  const used = new Set(Object.values(credentials).map(({ environment }) => environment));
  for (const name of Object.keys(environments))
    if (!used.has(name)) hints.push({ path: ['environments', name], message: 'has no credential' });
  const granted = new Set(rules.flatMap(({ grants }) => grants));
  for (const [name, { ttl }] of Object.entries(credentials)) {
    const path = ['credentials', name];
    if (ttl < MIN_COMFORTABLE_TTL)
      hints.push({
        path: [...path, 'ttl'],
        message:
          "is under 6m: Google's Node client then asks for a new token on every call; 10m to 15m suit most steps",
      });
    if (!granted.has(name)) hints.push({ path, message: 'is granted by no rule' });
  }
  for (const [index, { match }] of rules.entries()) {
    for (const [claim, patterns] of Object.entries(match))
      for (const [at, pattern] of patterns.entries())
        if (REGULAR_EXPRESSION.test(pattern))
          hints.push({
            path: ['rules', index, 'match', claim, at],
            message: `"${pattern}" looks like a regular expression, and there are none: only * and ** stand for more than themselves, and a list is any of`,
          });
    if (!narrows(match, 'pipeline_id') && !narrows(match, 'cluster_id'))
      hints.push({
        path: ['rules', index, 'match'],
        message:
          'narrows by slug only: a pipeline can be renamed, and another can take its slug; name the pipeline in pipelines',
      });
  }
  return hints;
}
