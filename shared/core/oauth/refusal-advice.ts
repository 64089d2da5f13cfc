// When each refusal happens and what to do about it, for docs/TROUBLESHOOTING.md and `keydesk explain`: the functions do not load this. The compiler
// checks that every reason has both. Links are relative to docs/.

import type { ApprovalProblem, UnmetReason } from '../conditions/judge.ts';
import type { AgentTokenReason, JobTokenReason, Refusal } from './refusal.ts';

export interface Advice {
  readonly when: string;
  readonly whatToDo: string;
}

const NOT_BUILDKITES =
  'Buildkite does not make such tokens. If it was not a test, look into it with `bad-job-tokens.logql`.';

/** Why a job token is not accepted. */
export const JOB_TOKEN_ADVICE: Readonly<Record<JobTokenReason, Advice>> = {
  job_token_missing: {
    when: 'There is no Authorization header, or it does not begin with `Bearer`.',
    whatToDo: 'Check whether the variable with the job token is empty. The response names this cause and no other.',
  },
  job_token_malformed: {
    when: 'It is not a JWT.',
    whatToDo: 'Check whether the variable holds an error message, or a token that was cut off.',
  },
  job_token_audience_wrong: {
    when: "Its audience is not the policy's `audience`. A slash at the end counts.",
    whatToDo: "Pass the policy's `audience` with `--audience`. Without the flag it is Buildkite's default.",
  },
  job_token_expired: {
    when: 'It has expired. Without `--lifetime` it lives for five minutes.',
    whatToDo: 'Request it in the step that uses it. A credential file with a file source cannot refresh it.',
  },
  job_token_lifetime_too_long: {
    when: "It lives longer than the policy's `maxJobTokenLifetime`, which is ten minutes by default.",
    whatToDo: 'Lower `--lifetime`, or raise `maxJobTokenLifetime`.',
  },
  job_token_organization_wrong: {
    when: "Its organization is not the policy's. `detail` names the claim.",
    whatToDo: 'Check whether the organization was renamed at Buildkite.',
  },
  job_token_claim_invalid: {
    when: 'A claim is missing or has another form than Buildkite gives it. `detail` names the claim.',
    whatToDo: NOT_BUILDKITES,
  },
  job_token_not_yet_valid: {
    when: 'It becomes valid more than 90 seconds from now.',
    whatToDo: 'Two clocks differ. Request a new token. If it continues, report it.',
  },
  job_token_issued_in_future: {
    when: 'It was issued more than 90 seconds from now.',
    whatToDo: 'Two clocks differ. Request a new token. If it continues, report it.',
  },
  job_token_key_unknown: {
    when: 'The issuer in `KEYDESK_ISSUER` has no key with its key ID, or has withdrawn it.',
    whatToDo: 'Check whether `KEYDESK_ISSUER` is the issuer of your agents.',
  },
  job_token_issuer_wrong: {
    when: 'Its issuer is not the one in `KEYDESK_ISSUER`.',
    whatToDo: "Send the token of `buildkite-agent oidc request-token`, and not another service's.",
  },
  job_token_type_not_allowed: { when: 'Its header has another `typ` than `JWT`.', whatToDo: NOT_BUILDKITES },
  job_token_algorithm_not_allowed: {
    when: 'It is signed with another algorithm than RS256.',
    whatToDo: NOT_BUILDKITES,
  },
  job_token_header_not_allowed: {
    when: 'Its header has its own key, or changes what is signed. `detail` names the member.',
    whatToDo: NOT_BUILDKITES,
  },
  job_token_key_id_missing: { when: 'Its header has no key ID.', whatToDo: NOT_BUILDKITES },
  job_token_signature_invalid: { when: 'Its signature is wrong.', whatToDo: NOT_BUILDKITES },
  job_token_time_claim_invalid: {
    when: 'A time is missing, is not a whole number, or ends before it begins.',
    whatToDo: NOT_BUILDKITES,
  },
};

const NOT_THE_PROVIDERS =
  'The identity provider does not make such tokens. If it was not a test, look into it with `bad-job-tokens.logql`.';

/** Why the token of a machine is not accepted. */
export const AGENT_TOKEN_ADVICE: Readonly<Record<AgentTokenReason, Advice>> = {
  agent_token_malformed: {
    when: "The machine's token is not a JWT.",
    whatToDo: 'Check whether the variable holds an error message, or a token that was cut off.',
  },
  agent_token_issuer_wrong: {
    when: 'No identity provider of the matching rules has its issuer.',
    whatToDo: 'Compare `iss` of the token with `issuer` in `identityProviders`, to the letter.',
  },
  agent_token_audience_wrong: {
    when: "Its audience is not the provider's `audience` in the policy, or it has several.",
    whatToDo: 'Request it for the audience that the response names.',
  },
  agent_token_expired: { when: 'It has expired.', whatToDo: 'Request it in the step that uses it.' },
  agent_token_lifetime_too_long: {
    when: "It lives longer than the provider's `maxTokenLifetime`.",
    whatToDo: 'Request a shorter one, or raise `maxTokenLifetime`.',
  },
  agent_token_not_yet_valid: {
    when: 'It becomes valid more than 90 seconds from now.',
    whatToDo: 'Two clocks differ. Request a new token. If it continues, report it.',
  },
  agent_token_issued_in_future: {
    when: 'It was issued more than 90 seconds from now.',
    whatToDo: 'Two clocks differ. Request a new token. If it continues, report it.',
  },
  agent_token_claim_invalid: {
    when: "It lacks a claim that the provider's `claims` declare, or the claim is no text, number or truth value. `detail` names the claim.",
    whatToDo: 'Correct `at` in the policy, or leave the claim out of `claims`.',
  },
  agent_token_key_unknown: {
    when: "The key set at the provider's `keys` has no key with its key ID.",
    whatToDo: "Compare `keys` with `jwks_uri` of the issuer's discovery document.",
  },
  agent_token_algorithm_not_allowed: {
    when: "It is signed with an algorithm that the provider's `algorithms` do not name.",
    whatToDo: 'Add the algorithm to the policy, if the provider uses it.',
  },
  agent_token_type_not_allowed: { when: 'Its header has another `typ` than `JWT`.', whatToDo: NOT_THE_PROVIDERS },
  agent_token_header_not_allowed: {
    when: 'Its header has its own key, or changes what is signed. `detail` names the member.',
    whatToDo: NOT_THE_PROVIDERS,
  },
  agent_token_key_id_missing: { when: 'Its header has no key ID.', whatToDo: NOT_THE_PROVIDERS },
  agent_token_signature_invalid: { when: 'Its signature is wrong.', whatToDo: NOT_THE_PROVIDERS },
  agent_token_time_claim_invalid: {
    when: 'A time is missing, is not a whole number, or ends before it begins.',
    whatToDo: NOT_THE_PROVIDERS,
  },
};

const UNBLOCKED_BY_ANOTHER = 'Start a new build, and let another member of the team unblock its step.';

/** Why an unblocked step is no approval. */
export const APPROVAL_ADVICE: Readonly<Record<ApprovalProblem, Advice>> = {
  approver_not_in_team: {
    when: 'In the last copy of the team `by`, the person who unblocked the step is not a member. They may have joined or left since.',
    whatToDo:
      'Let a member unblock the step of a new build. Somebody who has just joined counts after the next copy, in about five minutes: retry the job then.',
  },
  approver_is_creator: {
    when: 'The rule has `not: creator`, and one person started the build and unblocked the step.',
    whatToDo: UNBLOCKED_BY_ANOTHER,
  },
  approver_unknown: { when: 'Buildkite names nobody who unblocked the step.', whatToDo: UNBLOCKED_BY_ANOTHER },
  creator_unknown: {
    when: 'The rule has `not: creator`, and Buildkite names nobody who started the build, such as of a scheduled one.',
    whatToDo: 'Start the build in the web interface or by API. Or remove `not: creator`, if one person may do both.',
  },
  approval_expired: {
    when: 'The step was unblocked longer ago than `within`. A job that renews for longer than `within` ends so too.',
    whatToDo: 'Start a new build. Raise `within`, if jobs wait or run for longer.',
  },
  approval_in_future: {
    when: "Buildkite's time of the unblock is more than 90 seconds ahead of this service's clock.",
    whatToDo: 'Two clocks differ. Retry the job. If it continues, report it.',
  },
  approval_ambiguous: {
    when: 'Several steps of the build with the key were unblocked.',
    whatToDo: 'Give each step of the pipeline a key of its own, and start a new build.',
  },
  approval_without_reason: {
    when: 'The rule has `use: break-glass`, and the build has no metadata `break-glass-reason`.',
    whatToDo:
      'Start a new build, and state the reason before the step is unblocked: see [BREAK_GLASS.md](BREAK_GLASS.md).',
  },
  build_differs: {
    when: 'Another build of the pipeline is on record with this number.',
    whatToDo: 'Start a new build. If that does not help, report it.',
  },
};

/** Why a condition other than the approval does not hold, of a rule whose claims match. */
export const CONDITION_ADVICE: Readonly<
  Record<Exclude<UnmetReason, Exclude<ApprovalProblem, 'creator_unknown'>>, Advice>
> = {
  pipeline_not_in_team: {
    when: 'In the last copy of the team, the pipeline does not belong to it. It may have been added or removed since.',
    whatToDo: 'Add the pipeline to the team at Buildkite. It counts after the next copy, in about five minutes.',
  },
  team_access_too_low: {
    when: 'In the last copy of the team, it has less access to the pipeline than the rule demands.',
    whatToDo:
      "Raise the team's access to the pipeline at Buildkite. It counts after the next copy, in about five minutes.",
  },
  creator_unverified: {
    when: 'The rule has `created_by`, and the build was started neither in the web interface nor by API.',
    whatToDo: 'Start the build in the web interface or by API.',
  },
  creator_unknown: {
    when: 'The rule has `created_by`, and Buildkite names nobody who started the build.',
    whatToDo: 'Let a person start a new build in the web interface or by API.',
  },
  creator_not_in_team: {
    when: 'In the last copy of the team, the person who started the build is not a member. They may have joined or left since.',
    whatToDo:
      'Let a member start a new build. Somebody who has just joined counts after the next copy, in about five minutes: retry the job then.',
  },
  agent_token_missing: {
    when: 'The rule has an `agent`, and the request had no token of its identity provider.',
    whatToDo: "Send the machine's token. The plugin has `agent-token` for it.",
  },
  agent_of_other_provider: {
    when: "The machine's token is of another identity provider than the rule demands.",
    whatToDo: 'Run the step on a machine of that provider: choose its queue.',
  },
  agent_claims_differ: {
    when: "The machine's token has other values than the rule demands.",
    whatToDo: 'Run the step on a machine that the rule names: choose its queue.',
  },
};

type OtherReason = Exclude<Refusal['reason'], JobTokenReason | AgentTokenReason>;

/** All other refusals. */
export const REFUSAL_ADVICE: Readonly<Record<OtherReason, Advice>> = {
  no_matching_rule: {
    when: 'No rule of the policy matches the job and grants the credential.',
    whatToDo:
      "Check the spelling. Then run `keydesk policy explain CREDENTIAL --policy FILE --claim NAME=VALUE …` with the job's claims and `pipeline=NAME`. In the log, `trace` says the same. `claim_mismatch` shows the claim and its patterns. `tag_not_allowed` means that the rule names a branch and the build is of a tag. `other_credential` means that the rule matches and grants another credential. Where the response is `access_denied`, the claims match a rule, and one of its conditions does not hold: run `keydesk explain REQUEST_ID`.",
  },
  unknown_credential: {
    when: 'The policy has no credential of that name. The response is the same as for `no_matching_rule`.',
    whatToDo:
      'Check the spelling, and whether the deployed policy is the one that you read: `GET /health` has its SHA-256.',
  },
  claims_missing: {
    when: 'A rule needs claims that the job token lacks. `missing_claims` lists them.',
    whatToDo: "Add the flags to `oidc request-token`, or the claims to the plugin's `claims`.",
  },
  approval_pending: {
    when: 'The rule has an `approval`, and nobody has unblocked its step in this build. Or Keydesk does not know it yet: the next sweep looks at Buildkite.',
    whatToDo: 'Unblock the step, and send the same request again. The plugin waits for it.',
  },
  approval_not_accepted: {
    when: 'The step was unblocked, and by the policy that is no approval. The response and `problem` in the log say why.',
    whatToDo: 'See [why an approval was not accepted](TROUBLESHOOTING.md#why-an-approval-was-not-accepted).',
  },
  conditions_unknown: {
    when: 'A rule depends on a team or on who started the build. Keydesk did not read that from Buildkite, or longer ago than `limits.teamsMaxAge`.',
    whatToDo:
      'Wait as `Retry-After` says. If it continues, `unknown` in the log says which of the two it is. For a team, follow [teams-stale](playbooks/teams-stale.md). For a build, see [Approvals](BUILDKITE.md#approvals).',
  },
  agent_token_missing: {
    when: 'The rule has an `agent`, and the request had no token of its identity provider.',
    whatToDo:
      "Send the machine's token as `actor_token`, or in the header `Keydesk-Actor-Token`. The plugin has `agent-token` for it.",
  },
  job_ended: {
    when: "The job's end is recorded.",
    whatToDo:
      'Retry the job. If it still runs, Buildkite lost its agent for minutes, or somebody else has a webhook token.',
  },
  grant_revoked: {
    when: 'The step released the grant, or an operator ended it. `ended_by` in the ledger says which.',
    whatToDo: 'Retry the job.',
  },
  credential_changed: {
    when: 'The policy gives this name another account, database, bucket or environment than before. Or it changed more than 20 times while tokens lived.',
    whatToDo: 'Retry the job.',
  },
  blocked: {
    when: 'An operator blocked such requests with the kill switch.',
    whatToDo: 'Contact the operators. `keydesk blocks list` lists the blocks, `keydesk blocks remove ID` removes one.',
  },
  pool_exhausted: {
    when: 'Every account of the pool is leased or cooling down.',
    whatToDo:
      'Wait as `Retry-After` says. Add accounts, or shorten `ttl`: see [How many accounts a pool needs](OPERATIONS.md#how-many-accounts-a-pool-needs).',
  },
  google_refused: {
    when: 'Google refuses the credential permanently. The log names the cause, the permission or API, and the account.',
    whatToDo: 'Do not retry. Follow [google-refuses](playbooks/google-refuses.md).',
  },
  dependency_unavailable: {
    when: 'A dependency of Keydesk failed or was too slow. `dependency` and `code` in the log name it.',
    whatToDo: 'Wait as `Retry-After` says. If it continues, see [When 503 lasts](#when-503-lasts).',
  },
  agent_token_key_not_looked_up: {
    when: "The machine's token has a key ID that Keydesk does not know yet. Keydesk requests the keys of a provider every 30 seconds at most.",
    whatToDo: "Wait as `Retry-After` says. If it continues, compare the provider's `keys` with its discovery document.",
  },
  job_token_key_not_looked_up: {
    when: 'The job token has a key ID that Keydesk does not know yet. Keydesk requests the keys of the issuer every 30 seconds at most.',
    whatToDo: 'Wait as `Retry-After` says. If it continues, the token is not signed by the issuer in `KEYDESK_ISSUER`.',
  },
  rate_limited: {
    when: "The job requested more tokens of one grant in a minute than the policy's `limits.tokensPerMinute`.",
    whatToDo:
      "Use one token until it expires. Node's library requests one on every call when `ttl` is five minutes or less: 10 to 15 minutes suit. Or raise the limit.",
  },
  live_token_limit: {
    when: 'The grant has 500 tokens that have not expired.',
    whatToDo: 'Find the loop that requests a token each time, and use one token in it.',
  },
  pipeline_grant_limit: {
    when: "The pipeline has as many live grants as the policy's `limits.liveGrantsPerPipeline`. Grants of shared accounts count until they expire.",
    whatToDo: 'Find jobs that never end, or raise the limit.',
  },
  grant_busy: {
    when: 'Requests of one job for one credential with other scopes or lifetimes came at the same time. They take turns.',
    whatToDo: 'Try again after a second. Identical requests share one token.',
  },
  too_many_lookups: {
    when: 'Too many requests to `/revoke` and `/introspect` had tokens that Keydesk never issued. The log counts them in `token.unknown` and has no line for each.',
    whatToDo: 'Wait as `Retry-After` says, and find who sends them.',
  },
  parameter_missing: {
    when: 'A parameter of the form is missing. An empty one counts as missing.',
    whatToDo: 'Send what the response names. Check whether the variable with the job token is empty.',
  },
  parameter_repeated: {
    when: 'A parameter of the form is repeated.',
    whatToDo: 'Send one request for each credential, and one for each token to `/revoke` and `/introspect`.',
  },
  parameter_invalid: {
    when: 'A parameter has a value that is not accepted, or the Host header names no host.',
    whatToDo: 'Send what the response names. For the Host header, check which proxy sets it.',
  },
  body_not_allowed: {
    when: '`POST /token/CREDENTIAL` has a body.',
    whatToDo: 'With curl, send `--data ""`. Or send a form to `/token`.',
  },
  grant_type_not_supported: {
    when: '`grant_type` is not the grant type of a token exchange.',
    whatToDo: 'Use the token exchange of RFC 8693. Keydesk has no other grant.',
  },
  not_found: { when: 'Nothing is at this path.', whatToDo: "Set `url` to Keydesk's base URL, without `/token`." },
  method_not_allowed: {
    when: 'The path takes another method.',
    whatToDo: 'Use the https URL: a redirect from http, or a proxy, turns a POST into a GET.',
  },
  content_type_not_supported: { when: 'The body is not a form.', whatToDo: 'Send a form, not JSON.' },
  request_too_large: {
    when: 'A token is larger than 8 KiB, or the body larger than 16 KiB.',
    whatToDo: 'Check what is sent in place of the token.',
  },
};
