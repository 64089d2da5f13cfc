// What the fields of grants and jobs hold: see ../stored-fields.ts.

import { ACCESS_FIELDS, STORAGE_SCOPE_FIELDS } from '../kinds/stored-fields.ts';
import { type StoredFields, within } from '../stored-fields.ts';
import { BUILD_FIELDS, SUBJECT_FIELDS } from '../subject/stored-fields.ts';
import type { Grant } from './grant.ts';
import type { JobRecord } from './job-record.ts';

export const GRANT_FIELDS: StoredFields<Grant> = {
  subject:
    'the job that holds the grant, with the claims of its token at the first issuance; null for a claim that it lacked',
  ...within('subject', SUBJECT_FIELDS),
  credential: "the credential's name in the policy",
  environment: "the credential's environment",
  rule: 'the rule that granted the latest issuance',
  policy_sha256: 'SHA-256 of the policy that decided the latest issuance',
  conditions: 'by what the conditions of the rule held at the latest issuance; null for a rule without conditions',
  'conditions.team': 'the team that the pipeline belongs to; null where the rule does not demand one',
  'conditions.team.id': 'the UUID of the team',
  'conditions.team.access': "the team's access to the pipeline",
  'conditions.team.read_at': 'when the team was read from Buildkite',
  'conditions.created_by': 'who started the build; null where the rule does not demand it',
  'conditions.created_by.user_id': 'the UUID of the Buildkite user',
  'conditions.created_by.team_id': 'the UUID of the team that the user is a member of',
  'conditions.created_by.read_at': 'when the team was read from Buildkite',
  'conditions.approval': 'the approval; null where the rule does not demand one',
  'conditions.approval.step_key': 'the key of the block step that was unblocked',
  'conditions.approval.job_id': 'the UUID of the job of that step',
  'conditions.approval.approved_by': 'the UUID of the Buildkite user who unblocked it',
  'conditions.approval.approved_at': 'when it was unblocked',
  'conditions.approval.team_id': 'the UUID of the team that the user is a member of',
  'conditions.approval.read_at': 'when the team was read from Buildkite',
  'conditions.approval.reason': "the build's metadata `break-glass-reason`; null where it has none",
  'conditions.approval.break_glass': 'whether the rule is for emergencies',
  'conditions.agent': "the machine's token; null where the rule does not demand one",
  'conditions.agent.provider': 'the identity provider, by its name in the policy',
  'conditions.agent.claims': 'the claims of the token that the policy declares, by their names in the policy',
  state: 'the state: see [A grant](LIFECYCLE.md#a-grant)',
  created_at: 'when the job first requested the credential',
  requested_at: 'when the job last requested it',
  issued_at: 'when a token was last issued; null before the first',
  tokens_issued: 'how many tokens were issued',
  rate_window_at: 'the beginning of the minute in which requests are counted',
  rate_window_count: 'requests in that minute, for the limit `tokensPerMinute`',
  tokens: 'each token that may still be accepted, at most 500',
  'tokens.sha256': 'SHA-256 of the token',
  'tokens.expires_at': 'the latest time at which it can be accepted. A Firestore token also ends with its grant',
  expires_at: 'no token of the grant lives longer',
  ended_at: 'when the grant ended; nothing is issued from then on',
  ended_by: 'what ended it',
  ending_since:
    'when Keydesk began to record the end of this grant alone; null before and after. The sweep completes it',
  ending_by: 'what is ending it; null before and after',
  ending_kill_switch_id: 'the act of the kill switch that is ending it; null before and after',
  kill_switch_id: 'the act of the kill switch that ended it',
  job_ended_at: "when the job's end was recorded; null while it runs, and when the grant was revoked before",
  job_finished_at: "when the job finished by Buildkite's clock; null when Buildkite sent no time or an impossible one",
  access_ended_at:
    'when its tokens are no longer accepted: the grant document was closed, IAM confirmed that the account is disabled, or the tokens expire. It can lie in the future',
  delete_at: 'when the document may be deleted: see [Deletion](#deletion)',
  superseded: 'earlier policies and accesses by which tokens were issued that may still be accepted, at most 20',
  'superseded.rule': 'the rule that granted them',
  'superseded.policy_sha256': 'SHA-256 of the policy that decided',
  'superseded.approved_by': 'the UUID of the Buildkite user who approved them; null where nobody had to',
  'superseded.scopes': 'the OAuth scopes of the tokens',
  'superseded.storage': 'the part of a bucket to which they are narrowed; null when they are not',
  ...within('superseded.storage', STORAGE_SCOPE_FIELDS),
  'superseded.expires_at': 'the latest time at which one of them can be accepted',
  ...ACCESS_FIELDS,
};

export const JOB_FIELDS: StoredFields<JobRecord> = {
  grants: "ids of the job's grants, in the order of their first issuance",
  build: 'the build of the job; null for a job that never held a grant',
  ...within('build', BUILD_FIELDS),
  check_at: 'when the sweep next looks the job up at Buildkite; null when none of its grants is live',
  checks_failed: 'lookups that failed since the last response. The next ones follow after 1, 2, 4, 8 and 15 minutes',
  unchecked_since:
    'when Buildkite last responded about the job, or when its first grant was reserved; null when `check_at` is',
  ending_since:
    "when Keydesk began to record the job's end; null before and after. It is written when the job's own requests made that commit fail. No request of the job is accepted from then on",
  ending_by: 'what is ending it; null before and after',
  ending_finished_at: "when the job finished by Buildkite's clock; null before and after",
  ended_at: "when the job's end was recorded; null while it runs",
  ended_by: 'what reported the end: a webhook (`job.finished`) or a lookup at Buildkite (`job.reconciled`)',
  delete_at: 'when the document may be deleted: see [Deletion](#deletion)',
};
