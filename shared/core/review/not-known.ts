// What a review does not know: what evidence was not given or cannot be read, and what no ledger and no log can say.

import { toIso } from '../iso-time.ts';
import { describeUnknownName } from '../operator-api/grant-list.ts';
import { describeGap } from '../policy-history/unused.ts';
import { plural } from '../policy-history/words.ts';
import { RECORD_RETENTION_MS } from '../timing.ts';
import type { ReviewInput } from './input.ts';

const DAY = 86_400_000;

export const NOT_KNOWN_CODES = [
  'unknown_environment',
  'unreadable_grants',
  'unreadable_acts',
  'unreadable_policies',
  'policy_text_missing',
  'policy_text_unreadable',
  'no_policy_on_record',
  'period_not_over',
  'before_first_grant',
  'beyond_retention',
  'log_not_given',
  'log_incomplete',
  'log_malformed',
  'touches_not_given',
  'touches_malformed',
  'doctor_not_given',
  'doctor_stale',
  'doctor_of_another',
] as const;

export interface NotKnown {
  readonly code: (typeof NOT_KNOWN_CODES)[number];
  /** For people, with what would make it known. */
  readonly text: string;
  /** Ids of records, where it is about some. */
  readonly about: readonly string[];
}

export function notKnown(input: ReviewInput): NotKnown[] {
  return [
    ...aboutNames(input),
    ...aboutRecords(input),
    ...aboutPolicies(input),
    ...aboutPeriod(input),
    ...aboutEvidence(input),
  ];
}

function some(code: NotKnown['code'], about: readonly string[], text: string): NotKnown[] {
  return about.length === 0 ? [] : [{ code, text, about }];
}

function one(code: NotKnown['code'], isSo: boolean, text: string): NotKnown[] {
  return isSo ? [{ code, text, about: [] }] : [];
}

function aboutNames({ unknownNames }: ReviewInput): NotKnown[] {
  return unknownNames.map((unknown) => ({
    code: 'unknown_environment',
    text: `${describeUnknownName(unknown)} This review is of nothing.`,
    about: [],
  }));
}

function aboutRecords({ unreadable, records }: ReviewInput): NotKnown[] {
  const { unreadable_acts, unreadable_policies } = records;
  return [
    ...some(
      'unreadable_grants',
      unreadable.map(({ grant_id }) => grant_id),
      `${plural(unreadable.length, 'grant')} cannot be read. Whether they are of the period is not known, so they are not in the population. Read them in the console.`,
    ),
    ...some(
      'unreadable_acts',
      unreadable_acts.map(({ id }) => id),
      `${plural(unreadable_acts.length, 'act')} of the kill switch cannot be read.`,
    ),
    ...some(
      'unreadable_policies',
      unreadable_policies.map(({ id }) => id),
      `When ${plural(unreadable_policies.length, 'policy', 'policies')} started cannot be read, and so not whether they were in force.`,
    ),
  ];
}

function aboutPolicies({ policies, texts, records }: ReviewInput): NotKnown[] {
  const withProblem = (...problems: string[]) =>
    policies.flatMap(({ sha256 }) => {
      const text = texts.get(sha256);
      return text && 'problem' in text && problems.includes(text.problem) ? [sha256] : [];
    });
  const [missing, unreadable] = [withProblem('missing'), withProblem('unreadable', 'invalid')];
  return [
    ...some(
      'policy_text_missing',
      missing,
      `The text of ${plural(missing.length, 'policy', 'policies')} is not in the ledger, and grants of the period were issued by it. What it allowed is not known. Find it in git by its SHA-256.`,
    ),
    ...some(
      'policy_text_unreadable',
      unreadable,
      `The text of ${plural(unreadable.length, 'policy', 'policies')} cannot be read, has another SHA-256, or is none for this version of keydesk. What it allowed is not known.`,
    ),
    ...one(
      'no_policy_on_record',
      records.policies.length === 0,
      'The ledger has no text of any policy. What pipelines could reach, and did not, is not known.',
    ),
  ];
}

function aboutPeriod({ period, asOf, records, population }: ReviewInput): NotKnown[] {
  const { from, to } = period;
  const first = Math.min(
    records.first_grant_at === null ? asOf.at : Date.parse(records.first_grant_at),
    ...population.rows.map(({ created_at }) => Date.parse(created_at)),
  );
  return [
    ...one(
      'period_not_over',
      to > asOf.at,
      `The period ends after the ledger was read at ${asOf.text}. What happens until then is not in this review.`,
    ),
    ...one(
      'before_first_grant',
      from < first,
      `The period begins before the first grant on record, which began at ${toIso(first)}. Whether there was none before, or records were deleted, is not known.`,
    ),
    ...one(
      'beyond_retention',
      from < asOf.at - RECORD_RETENTION_MS,
      `Grants are kept for ${RECORD_RETENTION_MS / DAY} days after they expire, and the period begins at ${toIso(from)}. Older ones may be deleted.`,
    ),
  ];
}

function aboutEvidence(input: ReviewInput): NotKnown[] {
  const { period, asOf, log, touches, doctor } = input;
  return [
    ...one(
      'log_not_given',
      log === undefined,
      'Whether the ledger agrees with the audit log: no log was given. Give it with --log, or --project.',
    ),
    ...logGaps(log, period, asOf.at),
    ...one(
      'log_malformed',
      (log?.malformed ?? 0) > 0,
      `${plural(log?.malformed ?? 0, 'entry', 'entries')} of the log cannot be read, or lack fields of the event.`,
    ),
    ...one(
      'touches_not_given',
      touches === undefined,
      "What grants did reach: Google's Data Access entries were not given. Give them with --touches.",
    ),
    ...one(
      'touches_malformed',
      (touches?.malformed ?? 0) > 0,
      `${plural(touches?.malformed ?? 0, 'entry', 'entries')} of Google's log cannot be read.`,
    ),
    ...one(
      'doctor_not_given',
      doctor === undefined,
      'Whether the deployment is what the policy needs: what the doctor found was not given. Give it with --doctor.',
    ),
    ...doctorGaps(input),
  ];
}

/** A report shows one moment: of this deployment, and at the end of the period. */
function doctorGaps({ doctor, period, asOf, project, records }: ReviewInput): NotKnown[] {
  if (!doctor) return [];
  const { about } = doctor;
  if (!about)
    return one(
      'doctor_of_another',
      true,
      'Whether the deployment is what the policy needs: the report that was given is not what `keydesk doctor --json` prints about a deployment. Make one with this version of keydesk.',
    );
  const isOver = period.to <= asOf.at;
  const end = Math.min(period.to, asOf.at);
  const madeAt = Date.parse(about.made_at);
  const isFresh = madeAt >= (isOver ? end : end - DAY) && madeAt <= end + DAY;
  const ofPolicy =
    records.policies.length === 0 || records.policies.some(({ sha256 }) => sha256 === about.policy_sha256);
  return [
    ...one(
      'doctor_of_another',
      project !== undefined && about.project !== project,
      `Whether the deployment is what the policy needs: the doctor's report is of the project ${about.project}, and this review of ${project}. Give a report of ${project}.`,
    ),
    ...one(
      'doctor_of_another',
      !ofPolicy,
      "Whether the deployment is what the policy needs: the doctor's report is for a policy that this ledger does not have. Give a report of this deployment, with the policy that it runs.",
    ),
    ...one(
      'doctor_stale',
      !isFresh,
      `Whether the deployment was what the policy needs at ${toIso(end)}: the doctor's report has data of ${about.made_at}. Give a report that was made within a day after the end of the period, or now if the period is not over.`,
    ),
  ];
}

function logGaps(log: ReviewInput['log'], { from, to }: ReviewInput['period'], asOf: number): NotKnown[] {
  if (!log) return [];
  const { gaps } = log.found.coverage.report({ since: from, until: Math.min(to, asOf) }, 1);
  return gaps.map((gap) => ({ code: 'log_incomplete', text: describeGap(gap), about: [] }));
}

/** What no ledger and no log of Keydesk can say. It is the same in every review, and no reason for exit code 1. */
export const LIMITS: readonly string[] = [
  'What the IAM roles of service accounts allowed: roles are neither in the policy nor in the ledger.',
  "What a service account's token did: jobs share such an account, or it serves one job after the other. See docs/AUDIT.md.",
  'Whether the security rules that were deployed at the time agreed with the policy. `keydesk rules check` compares them today.',
  'For how long Google accepted a token after its account was disabled: Google does not say. `keydesk doctor --live` measures it.',
  'Who started a build and who unblocked it, but for grants by a rule that demands it. What the code of a build did. Buildkite has the first two.',
  'By which rule and policy the earlier tokens of a renewed grant were issued: a record keeps the latest, and those whose tokens live. The audit log has each.',
  'The clocks of the functions, Google and Buildkite may differ by 90 seconds.',
];
