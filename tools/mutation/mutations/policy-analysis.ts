// Guards of the comparison of policies (I9): a wider policy is never called unchanged or narrower.

import type { Mutation } from '../mutation.ts';

const ANALYSIS = 'shared/core/policy-analysis';
const POLICY_CHANGES = 'test/unit/core/policy-analysis/policy-changes.test.ts';
const ORACLE = 'test/unit/core/policy-analysis/oracle.test.ts';
const WORK = 'test/unit/core/policy-analysis/work.test.ts';

export const POLICY_ANALYSIS: readonly Mutation[] = [
  {
    id: 'analysis-tags-of-branch-rules',
    breaks: 'I9',
    means: 'A rule about branches is taken to match builds of tags.',
    edits: [
      {
        file: `${ANALYSIS}/jobs.ts`,
        find: `const onlyBranches = 'build_branch' in match && !('build_tag' in match);`,
        replace: `const onlyBranches = 'build_branch' in match && 'build_tag' in match && match.build_tag === undefined;`,
      },
    ],
    killers: [POLICY_CHANGES, ORACLE],
  },
  {
    id: 'analysis-absent-meets-patterns',
    breaks: 'I9',
    means: 'A job without a claim is taken to meet every demand of the claim.',
    edits: [
      {
        file: `${ANALYSIS}/claim-values.ts`,
        find: 'return { absent: absent && demand.absent, within:',
        replace: 'return { absent, within:',
      },
    ],
    killers: [POLICY_CHANGES, ORACLE],
  },
  {
    id: 'analysis-every-claim-may-lack',
    breaks: 'I9',
    means: 'A job may lack a claim that every job token has.',
    edits: [
      {
        file: `${ANALYSIS}/claim-values.ts`,
        find: 'if (values.absent && canBeAbsent(claim)) return null;',
        replace: `if (values.absent && claim !== '') return null;`,
      },
    ],
    killers: [POLICY_CHANGES, ORACLE],
  },
  {
    id: 'analysis-forgets-without',
    breaks: 'I9',
    means: 'Patterns of an alternative before are forgotten, so that what it covers counts as not covered.',
    edits: [
      {
        file: `${ANALYSIS}/claim-values.ts`,
        find: 'without: [...without, ...demand.patterns] };',
        replace: 'without: demand.patterns };',
      },
    ],
    killers: [POLICY_CHANGES, ORACLE],
  },
  {
    id: 'analysis-forgets-within',
    breaks: 'I9',
    means: 'Only the last demand of a claim counts.',
    edits: [
      {
        file: `${ANALYSIS}/claim-values.ts`,
        find: 'within: [...within, demand.patterns], without };',
        replace: 'within: [demand.patterns], without };',
      },
    ],
    killers: [POLICY_CHANGES, ORACLE],
  },
  {
    id: 'analysis-ignores-conditions',
    breaks: 'I9',
    means: 'A rule with conditions is compared as one without.',
    edits: [
      {
        file: `${ANALYSIS}/jobs.ts`,
        find: '...ofPipeline, ...conditionDemands(conditions, names)];',
        replace: '...ofPipeline, ...conditionDemands({}, names)];',
      },
    ],
    killers: [POLICY_CHANGES],
  },
  {
    id: 'analysis-ignores-the-age-of-approvals',
    breaks: 'I9',
    means: 'An approval of any age is taken to be enough.',
    edits: [
      {
        file: `${ANALYSIS}/condition-claims.ts`,
        find: "demand({ about: 'approved', step }, agesUpTo(within));",
        replace: "demand({ about: 'approved', step }, agesUpTo(Math.max(within, MAX_APPROVAL_AGE)));",
      },
    ],
    killers: [POLICY_CHANGES],
  },
  {
    id: 'analysis-ignores-organization',
    breaks: 'I9',
    means: 'Another organization is not compared.',
    edits: [
      {
        file: `${ANALYSIS}/jobs.ts`,
        find: '    .map((rule) => [...organization, ...ruleDemands(rule, policy)]);',
        replace: '    .map((rule) => [...organization.slice(2), ...ruleDemands(rule, policy)]);',
      },
    ],
    killers: [POLICY_CHANGES],
  },
  {
    id: 'analysis-star-crosses-slash',
    breaks: 'I9',
    means: `\`*\` is taken to cross segments.`,
    edits: [
      {
        file: `${ANALYSIS}/pattern-list.ts`,
        find: `(character === '/' ? ~this.#stars : ~0n)`,
        replace: `(character === '//' ? ~this.#stars : ~0n)`,
      },
    ],
    killers: [POLICY_CHANGES, ORACLE],
  },
  {
    id: 'analysis-any-uuid',
    breaks: 'I9',
    means: 'A claim of UUIDs is taken to have any text.',
    edits: [
      {
        file: `${ANALYSIS}/claim-values.ts`,
        find: 'const automaton = isUuidClaim(claim) ? UUIDS : claim',
        replace: `const automaton = claim === '' ? UUIDS : claim`,
      },
    ],
    killers: [POLICY_CHANGES, ORACLE],
  },
  {
    id: 'analysis-text-too-long',
    breaks: 'I9',
    means: 'An example is longer than the claim can be.',
    edits: [
      {
        file: `${ANALYSIS}/texts.ts`,
        find: `    if (found !== undefined && !domain.has(found)) throw new CannotTell();
`,
        replace: `    if (found === '') throw new CannotTell();
`,
      },
    ],
    killers: [WORK],
  },
  {
    id: 'analysis-without-bound',
    breaks: 'I9',
    means: 'A question may take any number of steps.',
    edits: [
      {
        file: `${ANALYSIS}/work.ts`,
        find: '    if (this.#left < 0) throw new CannotTell();',
        replace: '    if (Number.isNaN(this.#left)) throw new CannotTell();',
      },
    ],
    killers: [WORK],
  },
  {
    id: 'analysis-bound-of-each-question-only',
    breaks: 'I9',
    means: 'Many questions together may take any number of steps.',
    edits: [
      {
        file: `${ANALYSIS}/work.ts`,
        find: 'Math.min(this.#each, Math.max(few, this.#left))',
        replace: 'this.#each',
      },
    ],
    killers: [WORK],
  },
  {
    id: 'analysis-open-claim-in-example',
    breaks: 'I9',
    means: 'An example leaves a claim open that must not have every value.',
    edits: [
      {
        file: `${ANALYSIS}/outside.ts`,
        find: `  job.set(claim, valueIn(job, claim, tools));
`,
        replace: '',
      },
    ],
    killers: [POLICY_CHANGES, ORACLE],
  },
  {
    id: 'analysis-cannot-tell-is-not-wider',
    breaks: 'I9',
    means: 'What is unknown does not count as wider.',
    edits: [
      {
        file: `${ANALYSIS}/diff.ts`,
        find: `return verdict === 'wider' || verdict === 'both' || verdict === 'cannot tell';`,
        replace: `return verdict === 'wider' || verdict === 'both';`,
      },
    ],
    killers: [POLICY_CHANGES],
  },
  {
    id: 'analysis-recursive-wildcard-needs-a-segment',
    breaks: 'I9',
    means: `\`{name=**}\` is not taken to match the document before it.`,
    edits: [
      {
        file: `${ANALYSIS}/documents.ts`,
        find: `  return [before, \`\${before}/**\`];`,
        replace: `  return [\`\${before}/**\`];`,
      },
    ],
    killers: [POLICY_CHANGES, ORACLE],
  },
  {
    id: 'analysis-ignores-verbs',
    breaks: 'I9',
    means: 'Paths are compared whatever their verbs.',
    edits: [
      {
        file: `${ANALYSIS}/documents.ts`,
        find: 'allow.filter(({ verbs }) => verbs.includes(verb))',
        replace: 'allow.filter(({ verbs }) => verbs.includes(verb) || verb)',
      },
    ],
    killers: [POLICY_CHANGES, ORACLE],
  },
];
