// Guards of what is known for the conditions of rules: what is read for a request, and the records of builds and of looks at them.

import type { Mutation } from '../mutation.ts';

const BUILD_RECORD = 'shared/core/conditions/build-record.ts';
const LOOKS = 'shared/operations/look-up-builds.ts';
const WITH_FACTS = 'shared/operations/decide-with-facts.ts';
const LEDGER = 'shared/ledger/conditions.ts';
const BUILD_RECORD_TEST = 'test/unit/core/conditions/build-record.test.ts';
const APPROVALS_TEST = 'test/http/approvals.test.ts';
const APPROVAL_LOOKS_TEST = 'test/http/approval-looks.test.ts';
const WITH_FACTS_TEST = 'test/unit/operations/facts-of-a-request.test.ts';

export const CONDITION_FACTS: readonly Mutation[] = [
  {
    id: 'machine-token-of-any-provider',
    breaks: 'verification',
    means: 'A token of a machine is accepted by a provider that no matching rule names.',
    edits: [
      {
        file: WITH_FACTS,
        find: 'verifyAgentToken(presented, providers, clock.now())',
        replace: 'verifyAgentToken(presented, new Set(Object.keys(policy.identityProviders)), clock.now())',
      },
    ],
    killers: [WITH_FACTS_TEST],
  },
  {
    id: 'waiting-job-asks-for-no-look',
    breaks: 'states',
    means: 'A job that waits for an approval does not have its build looked up.',
    edits: [
      {
        file: WITH_FACTS,
        find: 'if (build && mayChangeByLook(refused)) await',
        replace: 'if (build && !mayChangeByLook(refused)) await',
      },
    ],
    killers: [APPROVAL_LOOKS_TEST, 'test/model/people.test.ts'],
  },
  {
    id: 'unknown-creator-asks-for-no-look',
    breaks: 'states',
    means: 'A job whose build has an unknown creator does not have it looked up.',
    edits: [
      {
        file: WITH_FACTS,
        find: "if (refused.reason === 'conditions_unknown') return refused.unknown === 'build';",
        replace: '',
      },
    ],
    killers: [APPROVALS_TEST],
  },
  {
    id: 'wrong-approval-asks-for-no-look',
    breaks: 'states',
    means: 'A job whose step was unblocked by the wrong person does not have its build looked up again.',
    edits: [{ file: WITH_FACTS, find: " || refused.reason === 'approval_not_accepted'", replace: '' }],
    killers: [WITH_FACTS_TEST],
  },
  {
    id: 'news-replace-who-unblocked',
    breaks: 'verification',
    means: 'A later webhook changes who unblocked a step.',
    edits: [{ file: BUILD_RECORD, find: 'known ? completed(known, unblock) : unblock', replace: 'unblock' }],
    killers: [BUILD_RECORD_TEST],
  },
  {
    id: 'news-lose-the-step',
    breaks: 'verification',
    means: 'A look does not add which step was unblocked, so its retry seems to be another step.',
    edits: [{ file: BUILD_RECORD, find: 'step_id: known.step_id ?? step_id', replace: 'step_id: known.step_id' }],
    killers: [BUILD_RECORD_TEST],
  },
  {
    id: 'news-replace-who-started',
    breaks: 'verification',
    means: 'A later webhook changes who started the build.',
    edits: [
      {
        file: BUILD_RECORD,
        find: 'creator: record.creator ?? news.creator ?? null',
        replace: 'creator: news.creator ?? record.creator',
      },
    ],
    killers: [BUILD_RECORD_TEST],
  },
  {
    id: 'news-replace-the-reason',
    breaks: 'answers',
    means: 'Metadata that a job changes later replace the reason that was given.',
    edits: [
      {
        file: BUILD_RECORD,
        find: 'reason: record.reason ?? toReason(news.reason) ?? null',
        replace: 'reason: toReason(news.reason) ?? record.reason',
      },
    ],
    killers: [BUILD_RECORD_TEST],
  },
  {
    id: 'unblocks-without-bound',
    breaks: 'limits',
    means: 'A build keeps any number of unblocks.',
    edits: [{ file: BUILD_RECORD, find: '    .slice(0, MAX_UNBLOCKS);', replace: '    .slice(0);' }],
    killers: [BUILD_RECORD_TEST],
  },
  {
    id: 'looks-without-pause',
    breaks: 'limits',
    means: 'A build for which a job waits is looked up by each sweep.',
    edits: [{ file: BUILD_RECORD, find: 'Math.max(now, (record.looked_at ?? 0) + wait)', replace: 'now + 0 * wait' }],
    killers: [BUILD_RECORD_TEST],
  },
  {
    id: 'look-of-half-a-build',
    breaks: 'limits',
    means: 'One sweep looks up any number of builds.',
    edits: [{ file: LOOKS, find: 'builds.slice(0, MAX_BUILDS)', replace: 'builds' }],
    killers: [APPROVAL_LOOKS_TEST],
  },
  {
    id: 'look-during-another-sweep',
    breaks: 'limits',
    means: 'A sweep looks builds up while another one calls Buildkite.',
    edits: [
      {
        file: LOOKS,
        find: '  if (!lock) return;\n  const budget = new CallBudget(clock, until, lock.calls);',
        replace: '  const budget = new CallBudget(clock, until, lock?.calls ?? []);',
      },
      {
        file: LOOKS,
        find: '    await jobCheckLedger.releasePollLock(lock,',
        replace: '    if (lock) await jobCheckLedger.releasePollLock(lock,',
      },
    ],
    killers: [APPROVAL_LOOKS_TEST],
  },
  {
    id: 'failed-looks-are-lost',
    breaks: 'states',
    means: 'A look that Buildkite did not respond to counts as made.',
    edits: [{ file: LOOKS, find: 'if (budget.reached) for', replace: 'if (unreached.length > 0) for' }],
    killers: [APPROVAL_LOOKS_TEST],
  },
  {
    id: 'look-overwrites-a-record',
    breaks: 'verification',
    means: 'What a look found is written over what a webhook recorded meanwhile.',
    edits: [
      {
        file: LEDGER,
        find: '(existing) => existing && addLook(existing, news, clock.now())',
        replace: '(existing) => existing && addLook({ ...existing, unblocks: [] }, news, clock.now())',
      },
    ],
    killers: [APPROVALS_TEST, APPROVAL_LOOKS_TEST],
  },
];
