// Guards of what a policy may hold: how large it may become, and what Firestore takes as security rules.

import type { Mutation } from '../mutation.ts';

const POLICY_TEST = 'test/unit/core/policy/policy.test.ts';
const RULES_LIMITS = 'shared/core/rules/limits.ts';
const RULES_LIMITS_TEST = 'test/unit/core/rules/limits.test.ts';

export const POLICY_LIMITS: readonly Mutation[] = [
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
    means: 'Rules are generated of which Firestore cannot evaluate all that cover one document.',
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
        file: 'shared/core/rules/generate.ts',
        find: '      const template = withoutNames(path);',
        replace: '      const template = withoutNames(path) + path;',
      },
    ],
    killers: [RULES_LIMITS_TEST],
  },
];
