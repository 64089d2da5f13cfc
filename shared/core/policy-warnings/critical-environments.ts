// Environments that matter, and who else may reach them than their authors think: pull requests, and people with a terminal in a job.

import { matchesPattern } from '../policy/pattern.ts';
import type { WrittenPolicy } from '../policy/policy.ts';
import { type Match, narrows, type Rule } from '../policy/rule.ts';
import { isLiteral } from '../policy-analysis/texts.ts';
import type { PolicyWarning } from './codes.ts';
import { isCritical } from './environments.ts';

export function criticalWarnings(policy: WrittenPolicy): PolicyWarning[] {
  return [...pullRequestWarnings(policy), ...hostedWarnings(policy)];
}

/** Branches with such names are usually protected: nobody pushes one without a review. `**` is for names that no such rule protects. */
const PROTECTED_PATTERN = /^(?!.*\*\*)(?:(?:releases?|rel|stable|support|maintenance)[/_.-]|v?[0-9]|v\*)/i;
/** A single branch that looks like the work of one person, or is not protected in most repositories. */
const WORK_BRANCH =
  /^(?!(?:releases?|rel|stable|support|maintenance|prod|production|live|env|deploy)\/).*\/|^(?:patch|(?:bug|hot)?fix(?:es)?|bug|features?|feat|topic|wip|test|tmp|try|dev|develop|development)(?:[-_./]|$)/i;

/**
 * A pull request chooses its branch and its steps, and its builds come from webhooks. It has no tag. The claims do not say that a
 * build is of a pull request. Source: buildkite.com/docs/pipelines/source-control/github (build pull requests). A trigger step of such a
 * build can start a build of any branch: buildkite.com/docs/pipelines/configure/step-types/trigger-step.
 */
function pullRequestWarnings(policy: WrittenPolicy): PolicyWarning[] {
  return policy.rules.flatMap((rule, index) => {
    const { match } = rule;
    const [environment] = criticalEnvironmentsOf(rule, policy);
    const admits = (source: string) => match.build_source?.some((one) => matchesPattern(one, source)) ?? true;
    const way = WAYS.find(({ source }) => admits(source));
    // A queue can accept signed steps only.
    if (environment === undefined || !way || match.build_tag || narrows(match, 'queue_id')) return [];
    const path = ['rules', index, 'match'];
    const grants = `and the rule grants ${environment} to builds ${way.words}`;
    const advice = `Name protected branches in build_branch, or leave ${way.source} out of build_source.`;
    if (!match.build_branch)
      return [
        {
          code: 'pull_request_branch' as const,
          path,
          message: `has no build_branch, ${grants}. ${way.fact} ${advice}`,
        },
      ];
    return match.build_branch.flatMap((pattern, at) =>
      (isLiteral(pattern) ? !WORK_BRANCH.test(pattern) : PROTECTED_PATTERN.test(pattern))
        ? []
        : [
            {
              code: 'pull_request_branch' as const,
              path: [...path, 'build_branch', at],
              message: `"${pattern}" can be the branch of a pull request, ${grants}. ${advice}`,
            },
          ],
    );
  });
}

const WAYS = [
  { source: 'webhook', words: 'from webhooks', fact: 'Builds of pull requests are such builds.' },
  {
    source: 'trigger_job',
    words: 'that trigger steps start',
    fact: 'A step of a pull request can start such a build, of any branch.',
  },
] as const;

export function criticalEnvironmentsOf({ grants }: Rule, { credentials, environments }: WrittenPolicy): string[] {
  const names = new Set(grants.flatMap((name) => credentials[name]?.environment ?? []));
  return [...names].filter((name) => isCritical(name, environments[name] ?? {}));
}

/** One for each environment, because the switch that makes it harmless is one of the whole organization. */
function hostedWarnings(policy: WrittenPolicy): PolicyWarning[] {
  return Object.keys(policy.environments).flatMap((name) => {
    const rules = policy.rules.filter(
      (rule) => admitsHostedJobs(rule.match) && criticalEnvironmentsOf(rule, policy).includes(name),
    );
    const [first, ...more] = rules;
    if (!first) return [];
    const grantedBy = more.length > 0 ? `rule "${first.name}" and ${more.length} more` : `rule "${first.name}"`;
    return [
      {
        code: 'hosted_runners' as const,
        path: ['environments', name],
        message: `has credentials that jobs on hosted agents can get, by ${grantedBy}. Everybody who may build the pipeline can open a terminal in such a job. Add runner_environment: self-hosted, or disable remote access at Buildkite and accept this.`,
      },
    ];
  });
}

/** The agents of a queue are all hosted or all self-hosted, so that a rule with a queue has been decided about. */
function admitsHostedJobs(match: Match): boolean {
  if (narrows(match, 'queue_id')) return false;
  return match.runner_environment?.some((pattern) => matchesPattern(pattern, 'buildkite-hosted')) ?? true;
}
