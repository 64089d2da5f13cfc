// Rules that probably do not match the jobs that are meant, or that anybody who can start a build can satisfy.

import { isMatchableClaim, sourceOfClaim } from '../policy/claims.ts';
import { isWildcardOnly, matchesPattern } from '../policy/pattern.ts';
import type { WrittenPolicy } from '../policy/policy.ts';
import { isUuidClaim, type Match, narrows, type Rule } from '../policy/rule.ts';
import type { PolicyWarning } from './codes.ts';
import { isProtected } from './environments.ts';
import { patternFinding } from './pattern.ts';

export function ruleWarnings(policy: WrittenPolicy): PolicyWarning[] {
  const guards = authorChosenGuards(policy);
  return policy.rules.flatMap((rule, index) => {
    const path = ['rules', index, 'match'];
    return [
      ...patternWarnings(rule.match, path),
      ...contradictions(rule.match, policy, path),
      ...tagWarnings(rule.match, path),
      ...guards(rule, path),
      ...slugOnly(rule.match, path),
    ];
  });
}

function patternWarnings(match: Match, path: PolicyWarning['path']): PolicyWarning[] {
  return Object.entries(match).flatMap(([claim, patterns]) => {
    if (claim === 'pipeline' || isUuidClaim(claim)) return [];
    return patterns.flatMap((pattern, index) => {
      const finding = patternFinding(claim, pattern);
      return finding ? [{ ...finding, path: [...path, claim, index] }] : [];
    });
  });
}

function contradictions(
  match: Match,
  { organization, pipelines }: WrittenPolicy,
  path: PolicyWarning['path'],
): PolicyWarning[] {
  const found: PolicyWarning[] = [];
  const { id } = organization;
  if (id !== undefined && match.organization_id?.every((pattern) => !matchesPattern(pattern, id)))
    found.push({
      code: 'contradicting_claims',
      path: [...path, 'organization_id'],
      message: 'is not the id of organization, and jobs of other organizations get nothing. Remove it.',
    });
  // A slug that is itself the name of another pipeline: names in `pipelines` usually are slugs.
  const ids = match.pipeline_id ?? match.pipeline?.map((name) => pipelines[name] ?? '');
  const slugs = match.pipeline_slug;
  const ofSlugs = slugs?.map((slug) => (Object.hasOwn(pipelines, slug) ? pipelines[slug] : undefined));
  if (ids && slugs && ofSlugs?.every((other) => other !== undefined && !ids.some((one) => matchesPattern(one, other))))
    found.push({
      code: 'contradicting_claims',
      path: [...path, 'pipeline_slug'],
      message: `is ${slugs.join(', ')}, and this rule names another pipeline. Remove one of them.`,
    });
  return found;
}

/** Versions as tags have them: v*, v1.*, 1.2.*, release-*.*, v1.2.3. A branch may well be called v2 or 1.x. */
const VERSION = /^(?:v\*+|(?:v|release[-/]v?)?(?:[0-9]+|\*+)(?:\.(?:[0-9]+|\*+))+)$/i;
const BRANCH = /^(?:main|master|develop|development|trunk|(?:feature|bugfix)\/.*)$/;
/** Tags may have such names too, if the rule says so. */
const RELEASE_BRANCH = /^(?:release|hotfix)\/.*$/;

function looksLikeTag(pattern: string): boolean {
  return VERSION.test(pattern) && (pattern.includes('*') || /[0-9]\.[0-9]+\.[0-9]+$/.test(pattern));
}

function tagWarnings(match: Match, path: PolicyWarning['path']): PolicyWarning[] {
  const { build_branch = [], build_tag } = match;
  if (!build_tag)
    return build_branch.flatMap((pattern, index) =>
      looksLikeTag(pattern)
        ? [
            {
              code: 'tag_pattern_for_branch' as const,
              path: [...path, 'build_branch', index],
              message: `"${pattern}" looks like a tag, and a rule without build_tag matches no build of a tag. Add build_tag: "${pattern}".`,
            },
          ]
        : [],
    );
  const ofTags = build_tag.flatMap((pattern, index) =>
    BRANCH.test(pattern)
      ? [
          {
            code: 'branch_pattern_for_tag' as const,
            path: [...path, 'build_tag', index],
            message: `"${pattern}" looks like a branch, and build_tag holds tags. Name it in build_branch.`,
          },
        ]
      : [],
  );
  const isOnlyBranch = (pattern: string) =>
    BRANCH.test(pattern) || (RELEASE_BRANCH.test(pattern) && !build_tag.includes(pattern));
  if (ofTags.length > 0 || build_branch.length === 0 || !build_branch.every(isOnlyBranch)) return ofTags;
  return [
    {
      code: 'branch_pattern_for_tag',
      path: [...path, 'build_branch'],
      message:
        'names branches, and a build of a tag usually has the tag there too. Remove it, or write the patterns of build_tag.',
    },
  ];
}

/**
 * Keys that are the same for every build of a pipeline: a pipeline belongs to one cluster. And the kind of agents, which a step chooses
 * by its queue. What else narrows a rule is a guard within its pipeline.
 */
const NO_GUARDS = [
  ...['pipeline', 'pipeline_id', 'pipeline_slug', 'organization_id', 'cluster_id', 'cluster_name'],
  'runner_environment',
];

function authorChosenGuards(policy: WrittenPolicy): (rule: Rule, path: PolicyWarning['path']) => PolicyWarning[] {
  const { credentials, environments, pipelines, rules } = policy;
  const environmentsOf = ({ grants }: Rule) => new Set(grants.flatMap((name) => credentials[name]?.environment ?? []));
  const isProtectedName = (name: string) => isProtected(name, environments[name] ?? {});
  const byPipeline = new Map<string, Map<string, string>>();
  for (const rule of rules)
    for (const pipeline of pipelinesOf(rule.match, pipelines)) {
      const ruleByEnvironment = byPipeline.get(pipeline) ?? new Map<string, string>();
      byPipeline.set(pipeline, ruleByEnvironment);
      for (const environment of environmentsOf(rule))
        if (!ruleByEnvironment.has(environment)) ruleByEnvironment.set(environment, rule.name);
    }

  return (rule, path) => {
    // The author of a build does not choose who approves it or starts it.
    if (rule.conditions.approval || rule.conditions.created_by) return [];
    const guards = Object.keys(rule.match).filter((key) => !NO_GUARDS.includes(key) && guardsWithin(rule.match, key));
    if (guards.some((key) => !isChosenByAuthor(rule.match, key))) return [];
    const own = environmentsOf(rule);
    const protectedOnes = [...own].filter(isProtectedName);
    const others = pipelinesOf(rule.match, pipelines).flatMap((pipeline) =>
      [...(byPipeline.get(pipeline) ?? [])].filter(([environment]) => !own.has(environment)),
    );
    // Which of two environments matters more is known only where one of them is protected.
    const [other] = others.filter(([environment]) => protectedOnes.length > 0 || !isProtectedName(environment));
    const named = guards.map((key) => (key === 'build_source' ? 'build_source: api' : key)).join(', ');
    const relies = guards.length > 0 ? `relies only on ${named}, which the author of a build chooses` : undefined;
    if (protectedOnes.length > 0 ? relies === undefined && !other : relies === undefined || !other) return [];
    const isReached = other ? `, and rule "${other[1]}" grants ${other[0]} to the same pipeline` : '';
    return [
      {
        code: 'author_chosen_guards',
        path: path.slice(0, 2),
        message: `grants ${[...own].join(', ')} and ${relies ?? 'has no guard within its pipeline'}${isReached}. Add build_source without api, or ${other ? 'use a pipeline of its own' : 'accept this if only trusted people can build the pipeline'}.`,
      },
    ];
  };
}

function pipelinesOf(match: Match, pipelines: WrittenPolicy['pipelines']): string[] {
  const named = match.pipeline?.map((name) => pipelines[name] ?? '');
  return [...(named ?? match.pipeline_id ?? match.pipeline_slug ?? [])];
}

function guardsWithin(match: Match, key: string): boolean {
  return narrows(match, key) || (isUuidClaim(key) && match[key]?.every((pattern) => !isWildcardOnly(pattern)) === true);
}

/** A build that the API starts has the branch, tag and commit that the caller names. */
function isChosenByAuthor(match: Match, key: string): boolean {
  if (key === 'build_source') return match[key]?.some((pattern) => matchesPattern(pattern, 'api')) ?? false;
  return isMatchableClaim(key) && sourceOfClaim(key) === 'author';
}

function slugOnly(match: Match, path: PolicyWarning['path']): PolicyWarning[] {
  if (narrows(match, 'pipeline') || narrows(match, 'pipeline_id') || narrows(match, 'cluster_id')) return [];
  return [
    {
      code: 'slug_only',
      path: [...path, 'pipeline_slug'],
      message:
        'is the only claim that narrows the pipeline. A pipeline can be renamed, and another can take its slug. Name the pipeline in pipelines, and match pipeline.',
    },
  ];
}
