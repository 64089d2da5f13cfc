// What neither the record of a grant nor the policy at hand can say: a sentence each. Pure.

import type { GrantDetails } from '../../shared/core/operator-api/grant.ts';
import type { Reach } from './reach.ts';

export function notKnown(grant: GrantDetails, reach: Reach): string[] {
  return [
    ...aboutUse(grant),
    ...aboutFirebase(grant),
    ...aboutReach(grant, reach),
    ...aboutTokens(grant),
    ...aboutEnd(grant),
    ...aboutJob(grant),
  ];
}

function aboutUse({ kind }: GrantDetails): string[] {
  const shared =
    kind === 'service_account'
      ? [
          "Which of the account's entries in Google's log are of this job: jobs share the account, and an entry names no token.",
        ]
      : [];
  return [
    "Whether a token was used, and for what: that is in Google's audit log alone, if Data Access logs were on.",
    ...shared,
  ];
}

function aboutFirebase({ kind }: GrantDetails): string[] {
  if (kind !== 'firestore') return [];
  return [
    'Whether other parts of the Firebase project accepted its tokens: they may, for up to an hour after each issuance. The end of access is about requests that the generated rules judge.',
  ];
}

function aboutReach(grant: GrantDetails, reach: Reach): string[] {
  if (grant.kind !== 'firestore')
    return ["What the account's IAM roles allowed at the time: they are neither in the ledger nor in the policy."];
  switch (reach.from) {
    case 'policy':
      return ['Whether the security rules that were deployed at the time agreed with this policy.'];
    case 'other_policy':
      return [
        `Which paths and verbs: ${reach.file} has the SHA-256 ${reach.sha256}, and the grant has another. Give that version with --policy.`,
      ];
    case 'record':
      return ['Which paths and verbs: they are in the policy. Give its version with --policy FILE.'];
  }
}

function aboutTokens({ state, tokens, tokens_issued }: GrantDetails): string[] {
  const dropped = tokens_issued - tokens.length;
  return [
    ...(dropped > 0
      ? [
          `The hashes and ends of ${dropped} of its tokens: they had expired when a later one was issued. Keydesk's log has them.`,
        ]
      : []),
    ...(state === 'issuing'
      ? ['Whether a token is being minted: an issuance is in progress, or was cut off and returned none.']
      : []),
    ...(tokens_issued > 1
      ? [
          "Whether access was interrupted between its first and its last token: the record does not show gaps. Keydesk's log has each issuance.",
        ]
      : []),
  ];
}

function aboutEnd(grant: GrantDetails): string[] {
  const { state, revocation, ended_at, ended_by, job_ended_at, access_ended_at, kill_switch_id, kill_switch } = grant;
  return [
    ...(state === 'revoked' && revocation === 'propagating'
      ? [
          `For how long Google's services accepted its tokens after the account was disabled at ${access_ended_at}: Google does not say.`,
        ]
      : []),
    ...(state === 'revoking' && access_ended_at === null
      ? ['When access ends: the revocation is not confirmed yet. The sweep goes on with it.']
      : []),
    ...(ended_by === 'released' ? ['Who released it: every holder of a token of it can.'] : []),
    ...(ended_at !== null && job_ended_at === null
      ? ['When the job ended: the record has its end only if the grant was live then, or had expired.']
      : []),
    ...(kill_switch_id !== null && kill_switch === null
      ? [`Who activated the kill switch ${kill_switch_id}, and why: that record is missing or cannot be read.`]
      : []),
  ];
}

function aboutJob({ job, ended_by, job_finished_at, conditions }: GrantDetails): string[] {
  const absent = Object.entries(job).flatMap(([claim, value]) => (value === null ? [claim] : []));
  const byJob = ended_by === 'job.finished' || ended_by === 'job.reconciled';
  return [
    ...(absent.length > 0 ? [`The job's ${absent.join(', ')}: its first token had no such claim.`] : []),
    ...(byJob && job_finished_at === null
      ? ["When the job finished by Buildkite's clock: Buildkite sent no time, or an impossible one."]
      : []),
    ...peopleNotKnown(conditions),
  ];
}

function peopleNotKnown(conditions: GrantDetails['conditions']): string[] {
  const [creator, approval] = [conditions?.created_by, conditions?.approval];
  if (!creator && !approval) return ['Who started the build, and who unblocked it: see the build at Buildkite.'];
  const limit =
    'Whether another person unblocked the step: an API token with write_builds can name anybody as the one who did.';
  return [
    ...(creator ? [] : ['Who started the build: see the build at Buildkite.']),
    ...(approval ? [limit] : ['Who unblocked the build: see the build at Buildkite.']),
  ];
}
