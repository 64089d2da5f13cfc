// Guards of what a policy may hold: the guards of its environments, how large it may become, and what Firestore takes as
// security rules.

import type { Mutation } from '../mutation.ts';

const POLICY_TEST = 'test/unit/core/policy/policy.test.ts';
const ENVIRONMENTS = 'shared/core/policy/environments.ts';
const ENVIRONMENTS_TEST = 'test/unit/core/policy/environments.test.ts';
const RULES_LIMITS = 'shared/core/security-rules/limits.ts';
const RULES_LIMITS_TEST = 'test/unit/core/security-rules/limits.test.ts';

export const POLICY_LIMITS: readonly Mutation[] = [
  {
    id: 'ttl-over-max-ttl',
    breaks: 'limits',
    means: 'A credential may live longer than its environment allows.',
    edits: [
      {
        file: ENVIRONMENTS,
        find: 'if (maxTtl !== undefined && ttl > maxTtl)',
        replace: 'if (maxTtl !== undefined && ttl < 0)',
      },
    ],
    killers: [ENVIRONMENTS_TEST],
  },
  {
    id: 'weak-revocation-in-guarded-environment',
    breaks: 'limits',
    means: 'A credential may outlive its job in an environment that forbids it.',
    edits: [
      {
        file: ENVIRONMENTS,
        find: 'if (revocation && !revocation.includes(actual))',
        replace: 'if (revocation && revocation.length < 1)',
      },
    ],
    killers: [ENVIRONMENTS_TEST],
  },
  {
    id: 'wildcard-meets-require',
    breaks: 'limits',
    means: 'A rule meets `require` with a pattern that fits every value.',
    edits: [
      {
        file: 'shared/core/policy/rule.ts',
        find: ': !isWildcardOnly(pattern))) ?? false',
        replace: ': pattern !== "")) ?? false',
      },
    ],
    killers: [ENVIRONMENTS_TEST],
  },
  {
    id: 'slug-meets-require-pipeline',
    breaks: 'limits',
    means: 'A rule that names a slug, which another pipeline can take, meets a required pipeline.',
    edits: [
      {
        file: ENVIRONMENTS,
        find: "const PIPELINE_KEYS = ['pipeline', 'pipeline_id'];",
        replace: "const PIPELINE_KEYS = ['pipeline', 'pipeline_id', 'pipeline_slug'];",
      },
    ],
    killers: [ENVIRONMENTS_TEST],
  },
  {
    id: 'two-names-for-one-pipeline',
    breaks: 'limits',
    means: 'Two names may stand for one pipeline, so that a rule about one grants to the other.',
    edits: [
      {
        file: 'shared/core/policy/policy.ts',
        find: '    ...pipelineProblems(result.data.pipelines),\n',
        replace: '    ...pipelineProblems(result.data.pipelines).slice(0, 0),\n',
      },
    ],
    killers: ['test/unit/core/policy/pipelines.test.ts'],
  },
  {
    id: 'two-tenants-in-one-database',
    breaks: 'limits',
    means: 'Credentials of one database name two tenants, and its rules demand one of them.',
    edits: [
      {
        file: 'shared/core/policy/policy.ts',
        find: '    ...tenantProblems(policy.credentials),\n',
        replace: '    ...tenantProblems(policy.credentials).slice(0, 0),\n',
      },
    ],
    killers: ['test/unit/core/policy/databases.test.ts'],
  },
  {
    id: 'aliases-not-bounded',
    breaks: 'limits',
    means: 'A policy whose aliases multiply is expanded, whatever its size.',
    edits: [{ file: 'shared/core/policy/yaml-data.ts', find: '      added += target.size;\n', replace: '' }],
    killers: [POLICY_TEST],
  },
  {
    id: 'alias-of-itself',
    breaks: 'limits',
    means: 'An alias inside of what it names is read as what the name meant before.',
    edits: [{ file: 'shared/core/policy/yaml-data.ts', find: '    anchored.set(anchor, undefined);\n', replace: '' }],
    killers: [POLICY_TEST],
  },
  {
    id: 'reserved-word-as-wildcard',
    breaks: 'limits',
    means: 'A policy may name a wildcard with a word that keeps its security rules from compiling.',
    edits: [
      {
        file: 'shared/core/policy/document-path.ts',
        find: "'function goto if import in is let match not null package return rules_version ' +",
        replace: "'function goto if import in is let match not null return rules_version ' +",
      },
    ],
    killers: [POLICY_TEST],
  },
  {
    id: 'crowded-document',
    breaks: 'limits',
    means: 'Rules are generated that Firestore cannot evaluate: too many cover one document.',
    edits: [
      {
        file: RULES_LIMITS,
        find: '  if (fitting.length <= MAX_MATCHES_OF_A_DOCUMENT) return undefined;',
        replace: '  if (fitting.length >= 0) return undefined;',
      },
    ],
    killers: [RULES_LIMITS_TEST],
  },
  {
    id: 'rules-too-large',
    breaks: 'limits',
    means: 'A rules file is written that is larger than Firestore takes.',
    edits: [{ file: RULES_LIMITS, find: '  if (bytes > MAX_SOURCE_BYTES)', replace: '  if (bytes < 0)' }],
    killers: [RULES_LIMITS_TEST],
  },
  {
    id: 'path-of-many-matches',
    breaks: 'limits',
    means: 'Paths that differ only in the names of their wildcards each cost a request their own match.',
    edits: [
      {
        file: 'shared/core/security-rules/generate.ts',
        find: '      const template = withoutNames(path);',
        replace: '      const template = withoutNames(path) + path;',
      },
    ],
    killers: [RULES_LIMITS_TEST],
  },
];
