// What is allowed in a policy and is probably not meant. Pure: a policy in, places and sentences out.

import type { Policy } from '../shared/core/policy/policy.ts';
import type { PolicyProblem } from '../shared/core/policy/problems.ts';

/** Google's Node client fetches anew what has five minutes or less; a minute more is for the way. */
const MIN_COMFORTABLE_TTL = 360;
/** `v1.*` is a good pattern of versions. */
const REGULAR_EXPRESSION = /[\^$|]|(?<![0-9])\.\*/;

export function policyHints(policy: Policy): PolicyProblem[] {
  const { organization, credentials, rules } = policy;
  const hints: PolicyProblem[] = [];
  if (organization.id === undefined)
    hints.push({
      path: ['organization'],
      message: 'has no id: a slug can change hands, and the id, when it is here, must be in every job token',
    });
  const granted = new Set(rules.flatMap(({ grants }) => grants));
  for (const [name, { ttl }] of Object.entries(credentials)) {
    const path = ['credentials', name];
    if (ttl < MIN_COMFORTABLE_TTL)
      hints.push({
        path: [...path, 'ttl'],
        message: "is under 6m: Google's Node client then fetches anew on every call; 10m to 15m suit most steps",
      });
    if (!granted.has(name)) hints.push({ path, message: 'is granted by no rule' });
  }
  for (const [index, { match: job }] of rules.entries()) {
    for (const [claim, patterns] of Object.entries(job))
      for (const [at, pattern] of patterns.entries())
        if (REGULAR_EXPRESSION.test(pattern))
          hints.push({
            path: ['rules', index, 'match', claim, at],
            message: `"${pattern}" looks like a regular expression, and there are none: only * and ** stand for more than themselves, and a list is any of`,
          });
    if (!narrowsById(job, 'pipeline_id') && !narrowsById(job, 'cluster_id'))
      hints.push({
        path: ['rules', index, 'match'],
        message: 'narrows by slug only: a pipeline can be renamed, and another can take its slug; pipeline_id stays',
      });
  }
  return hints;
}

function narrowsById(job: Policy['rules'][number]['match'], claim: string): boolean {
  return job[claim]?.every((pattern) => !pattern.includes('*')) ?? false;
}
