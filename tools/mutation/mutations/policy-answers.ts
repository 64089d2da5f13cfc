// Guards of answers about a policy (I9): what is unknown is called so, and what a log does not prove is not suggested.

import type { Mutation } from '../mutation.ts';

const ANALYSIS = 'shared/core/policy-analysis';
const HISTORY = 'shared/core/policy-history';
const HARD = 'test/unit/core/policy-analysis/hard-policies.test.ts';
const HARD_QUESTIONS = 'test/unit/core/policy-analysis/hard-questions.test.ts';
const JOB_TOKEN = 'test/unit/core/policy-analysis/job-token.test.ts';
const KNOWN_CLAIMS = 'test/unit/core/policy-history/known-claims.test.ts';
const TIGHTENED = 'test/unit/core/policy-history/tightened.test.ts';
const UNUSED = 'test/unit/core/policy-history/unused.test.ts';

export const POLICY_ANSWERS: readonly Mutation[] = [
  {
    id: 'analysis-unknown-loss-is-unchanged',
    breaks: 'I9',
    means: 'A change is called unchanged when only its lost jobs are unknown.',
    edits: [
      {
        file: `${ANALYSIS}/change.ts`,
        find: `more === 'cannot tell' || (less === 'cannot tell' && !isKnown(more))`,
        replace: `more === 'cannot tell'`,
      },
    ],
    killers: [HARD],
  },
  {
    id: 'analysis-unknown-new-credential-is-for-nobody',
    breaks: 'I9',
    means: 'A new credential is called one that no job gets when that is unknown.',
    edits: [
      {
        file: `${ANALYSIS}/diff.ts`,
        find: `change?.direction === 'cannot tell' && isNew ? 'cannot tell' : isNew`,
        replace: `isNew`,
      },
    ],
    killers: [HARD],
  },
  {
    id: 'analysis-unknown-rule-grants-nothing',
    breaks: 'I9',
    means: 'A rule that is too complex is left out of what a job gets.',
    edits: [
      {
        file: `${ANALYSIS}/what.ts`,
        find: `if (result === 'cannot tell') return { answer: 'cannot tell', granting: [], refusing: [] };`,
        replace: `if (result === 'cannot tell') continue;`,
      },
    ],
    killers: [HARD],
  },
  {
    id: 'suggest-may-widen',
    breaks: 'I9',
    means: 'A suggestion is not compared with the present policy.',
    edits: [
      {
        file: `${HISTORY}/tightened.ts`,
        find: `return onlyNarrows(before, edited.policy) ? { text, policy: edited.policy } : undefined;`,
        replace: `return { text, policy: edited.policy };`,
      },
    ],
    killers: [TIGHTENED],
  },
  {
    id: 'suggest-ignores-rules-limits',
    breaks: 'I9',
    means: 'A suggestion may make security rules that Firestore refuses.',
    edits: [
      {
        file: `${HISTORY}/tightened.ts`,
        find: ` || generatedRulesProblems(edited.policy).length > 0`,
        replace: ``,
      },
    ],
    killers: [TIGHTENED],
  },
  {
    id: 'replay-redacted-value-is-known',
    breaks: 'I9',
    means: 'What the logger wrote in place of a token is taken for the value of a claim.',
    edits: [
      {
        file: `${HISTORY}/known-claims.ts`,
        find: `text.includes(REDACTED) || `,
        replace: ``,
      },
    ],
    killers: [KNOWN_CLAIMS],
  },
  {
    id: 'what-token-of-another-organization',
    breaks: 'I9',
    means: 'A job token with the UUID of another organization is not refused.',
    edits: [
      {
        file: `${ANALYSIS}/job-token.ts`,
        find: `claims.organization_id !== organization.id)`,
        replace: `false)`,
      },
    ],
    killers: [JOB_TOKEN],
  },
  {
    id: 'suggest-log-may-end-early',
    breaks: 'I9',
    means: 'A log that ends before the period does proves what is unused.',
    edits: [
      {
        file: `${HISTORY}/period.ts`,
        find: `if (until - last_at > longest) gaps`,
        replace: `if (false) gaps`,
      },
    ],
    killers: [UNUSED],
  },
  {
    id: 'analysis-free-looks-at-demands',
    breaks: 'I9',
    means: 'Looking at demands costs no steps, so that a hard question takes too long.',
    edits: [
      {
        file: `${ANALYSIS}/outside.ts`,
        find: 'const LOOKS_OF_STEP = 8;',
        replace: 'const LOOKS_OF_STEP = Number.POSITIVE_INFINITY;',
      },
      {
        file: `${ANALYSIS}/outside.ts`,
        find: 'tools.work.spend(demands.length + parts / LOOKS_OF_STEP);',
        replace: 'tools.work.spend(parts / LOOKS_OF_STEP);',
      },
    ],
    killers: [HARD_QUESTIONS],
  },
];
