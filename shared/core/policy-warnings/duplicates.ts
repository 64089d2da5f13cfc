// What a policy says twice.

import type { WrittenPolicy } from '../policy/policy.ts';
import type { JobSet } from '../policy-analysis/jobs.ts';
import type { PolicyWarning } from './codes.ts';

export function duplicateWarnings(policy: WrittenPolicy): PolicyWarning[] {
  return [...duplicateRules(policy), ...lists(policy).flatMap(({ path, entries }) => duplicateEntries(path, entries))];
}

function duplicateRules({ rules, pipelines }: WrittenPolicy): PolicyWarning[] {
  const names = new Map<string, string>();
  return rules.flatMap((rule, index) => {
    const { name } = rule;
    const key = duplicateKey(rule, pipelines);
    const first = names.get(key);
    if (first === undefined) names.set(key, name);
    return first === undefined
      ? []
      : [
          {
            code: 'duplicate_rule' as const,
            path: ['rules', index],
            message: `matches the same jobs as rule "${first}". Add the grants to that rule, and remove this one.`,
          },
        ];
  });
}

/** The same for rules that match the same jobs, as far as equal patterns and conditions show it. */
export function duplicateKey(
  { match: { pipeline, ...match }, conditions }: JobSet,
  pipelines: WrittenPolicy['pipelines'] = {},
): string {
  const ids = pipeline?.map((name) => pipelines[name] ?? '');
  const claims = Object.entries({ ...match, ...(ids && { pipeline_id: ids }) });
  return JSON.stringify([claims.map(([claim, patterns]) => [claim, [...new Set(patterns)].sort()]).sort(), conditions]);
}

interface List {
  readonly path: PolicyWarning['path'];
  readonly entries: readonly string[];
}

function lists({ environments, credentials, rules }: WrittenPolicy): List[] {
  return [
    ...Object.entries(environments).flatMap(([name, { require = [], revocation = [] }]) => [
      { path: ['environments', name, 'require'], entries: require },
      { path: ['environments', name, 'revocation'], entries: revocation },
    ]),
    ...Object.entries(credentials).flatMap(([name, credential]) =>
      credential.kind === 'firestore'
        ? []
        : [{ path: ['credentials', name, 'serviceAccount', 'scopes'], entries: credential.scopes }],
    ),
    ...rules.flatMap(({ match, conditions, grants }, index) => [
      ...Object.entries(conditions.agent?.claims ?? {}).map(([claim, entries]) => ({
        path: ['rules', index, 'agent', 'claims', claim],
        entries,
      })),
      ...Object.entries(match).map(([claim, entries]) => ({ path: ['rules', index, 'match', claim], entries })),
      { path: ['rules', index, 'grants'], entries: grants },
    ]),
  ];
}

function duplicateEntries(path: List['path'], entries: readonly string[]): PolicyWarning[] {
  const seen = new Set<string>();
  return entries.flatMap((entry, index) => {
    const isKnown = seen.has(entry);
    seen.add(entry);
    return isKnown
      ? [
          {
            code: 'duplicate_entry' as const,
            path: [...path, index],
            message: `"${entry}" is in this list twice. Remove one.`,
          },
        ]
      : [];
  });
}
