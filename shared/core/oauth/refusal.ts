// Every way a request for a credential can be refused, and the response to it. The reason and the facts go to the audit log. The
// response has less: all job tokens that are not verified get one response, and so do all credentials that a job may not have. The
// switch is exhaustive: a new reason does not compile until it has a response.

import type { ApprovalProblem } from '../conditions/judge.ts';
import type { FailureCode } from '../failure-code.ts';
import type { GoogleRefusal } from '../google-refusal.ts';
import type { RuleTrace } from '../policy/decide.ts';

/** Why a job token was not accepted. All of these but the first give the caller one identical response. */
export const JOB_TOKEN_REASONS = [
  'job_token_missing',
  'job_token_malformed',
  'job_token_type_not_allowed',
  'job_token_algorithm_not_allowed',
  'job_token_header_not_allowed',
  'job_token_key_id_missing',
  'job_token_key_unknown',
  'job_token_signature_invalid',
  'job_token_issuer_wrong',
  'job_token_audience_wrong',
  'job_token_time_claim_invalid',
  'job_token_expired',
  'job_token_not_yet_valid',
  'job_token_issued_in_future',
  'job_token_lifetime_too_long',
  'job_token_claim_invalid',
  'job_token_organization_wrong',
] as const;
export type JobTokenReason = (typeof JOB_TOKEN_REASONS)[number];

/** `detail` names a claim or a header that is wrong. */
export type JobTokenRefusal =
  | { readonly reason: JobTokenReason; readonly detail?: string; readonly received?: never; readonly expected?: never }
  /** Of a verified job token of the policy's organization: its holder learns the cause. Printable ASCII. */
  | { readonly reason: ExplainedReason; readonly received: string; readonly expected: string };
/** Why a verified job token of the policy's organization is not accepted. */
export const EXPLAINED_REASONS = [
  'job_token_audience_wrong',
  'job_token_expired',
  'job_token_lifetime_too_long',
  'job_token_not_yet_valid',
  'job_token_issued_in_future',
] as const satisfies readonly JobTokenReason[];
export type ExplainedReason = (typeof EXPLAINED_REASONS)[number];

/** Why the machine's token was not accepted. All of these but those that name what was received give one identical response. */
export const AGENT_TOKEN_REASONS = [
  'agent_token_malformed',
  'agent_token_type_not_allowed',
  'agent_token_algorithm_not_allowed',
  'agent_token_header_not_allowed',
  'agent_token_key_id_missing',
  'agent_token_key_unknown',
  'agent_token_signature_invalid',
  'agent_token_issuer_wrong',
  'agent_token_audience_wrong',
  'agent_token_time_claim_invalid',
  'agent_token_expired',
  'agent_token_not_yet_valid',
  'agent_token_issued_in_future',
  'agent_token_lifetime_too_long',
  'agent_token_claim_invalid',
] as const;
export type AgentTokenReason = (typeof AGENT_TOKEN_REASONS)[number];
/** Of a token that the identity provider signed. */
type ExplainedAgentReason = Extract<
  AgentTokenReason,
  `agent_token_${'audience_wrong' | 'expired' | 'not_yet_valid' | 'issued_in_future' | 'lifetime_too_long'}`
>;

/** `detail` names a claim or a header that is wrong. */
type AgentTokenRefusal =
  | {
      readonly reason: Exclude<AgentTokenReason, ExplainedAgentReason>;
      readonly detail?: string;
      readonly received?: never;
      readonly expected?: never;
    }
  /** Printable ASCII. */
  | { readonly reason: ExplainedAgentReason; readonly received: string; readonly expected: string };

/** The last account of a pool that Google refused for good, where the pool has others. */
type RefusedAccount = Partial<GoogleRefusal> & { readonly service_account?: string };

export type Refusal =
  | JobTokenRefusal
  | AgentTokenRefusal
  /** The key id of the machine's token is not among the known keys of its provider, which were requested too recently. */
  | { readonly reason: 'agent_token_key_not_looked_up'; readonly retryAfter: number }
  /** Its key id is not among the known keys, and the issuer's keys were requested too recently to be requested again. */
  | { readonly reason: 'job_token_key_not_looked_up'; readonly retryAfter: number }
  | {
      readonly reason: 'parameter_missing' | 'parameter_repeated' | 'parameter_invalid' | 'body_not_allowed';
      /** What is wrong and what to send instead; holds no value of the request's. */
      readonly hint: string;
    }
  | { readonly reason: 'grant_type_not_supported' }
  | { readonly reason: 'claims_missing'; readonly missing: readonly string[]; readonly trace: readonly RuleTrace[] }
  | { readonly reason: 'unknown_credential' | 'no_matching_rule'; readonly trace: readonly RuleTrace[] }
  | {
      /** Nobody has unblocked the step yet. */
      readonly reason: 'approval_pending';
      readonly step: string;
      readonly trace: readonly RuleTrace[];
      readonly retryAfter: number;
    }
  | {
      /** The step was unblocked, and by the policy that is no approval. */
      readonly reason: 'approval_not_accepted';
      readonly step: string;
      readonly problem: ApprovalProblem;
      /** The team that the person who unblocked it is not in, by its name in the policy. */
      readonly team?: string;
      readonly trace: readonly RuleTrace[];
    }
  | {
      /** Who started the build, or a team, was not read from Buildkite yet, or too long ago. */
      readonly reason: 'conditions_unknown';
      readonly unknown: 'build' | 'team';
      readonly team?: string;
      readonly trace: readonly RuleTrace[];
      readonly retryAfter: number;
    }
  | {
      readonly reason: 'agent_token_missing';
      readonly providers: readonly string[];
      readonly trace: readonly RuleTrace[];
    }
  | { readonly reason: 'job_ended'; readonly ended_at: number }
  | { readonly reason: 'grant_revoked'; readonly grant_id: string }
  | { readonly reason: 'credential_changed'; readonly grant_id: string }
  | { readonly reason: 'live_token_limit'; readonly grant_id: string; readonly retryAfter: number }
  | { readonly reason: 'rate_limited'; readonly grant_id: string; readonly retryAfter: number }
  | {
      readonly reason: 'pipeline_grant_limit';
      readonly live_grants: number;
      readonly limit: number;
      readonly retryAfter: number;
    }
  | ({
      readonly reason: 'pool_exhausted';
      readonly pool_size: number;
      /** When the first account can be free again, in milliseconds since the epoch. */
      readonly free_at: number;
      readonly retryAfter: number;
    } & RefusedAccount)
  | { readonly reason: 'blocked'; readonly kill_switch_id: string }
  | { readonly reason: 'grant_busy'; readonly grant_id: string; readonly retryAfter: number }
  | ({
      readonly reason: 'google_refused';
      readonly dependency: string;
      readonly error: string;
      readonly code: FailureCode;
      readonly retryAfter: number;
      /** The account that the request to Google was about. */
      readonly service_account?: string;
    } & GoogleRefusal)
  | { readonly reason: 'too_many_lookups'; readonly retryAfter: number }
  | ({
      readonly reason: 'dependency_unavailable';
      readonly dependency: string;
      readonly error: string;
      readonly code: FailureCode;
      readonly retryAfter: number;
    } & RefusedAccount)
  | { readonly reason: 'not_found' }
  | { readonly reason: 'method_not_allowed'; readonly allow: string }
  | { readonly reason: 'content_type_not_supported'; readonly expected: string }
  | { readonly reason: 'request_too_large'; readonly limit: string };

/** The response to a refusal. `retryAfter` is in seconds. */
export interface WireError {
  readonly status: number;
  readonly error: string;
  readonly description: string;
  readonly retryAfter?: number;
  /** Names of claims that the job token lacks. */
  readonly missingClaims?: readonly string[];
  /** The key of the step that has to be unblocked. */
  readonly step?: string;
  readonly allow?: string;
  /** Trying again does not help. */
  readonly permanent?: true;
}

const JOB_TOKEN_NOT_ACCEPTED_TEXT =
  "The job token was not accepted. Send what buildkite-agent oidc request-token prints, in a job of the organization that this service is for. The reason is in the service's audit log, under the request ID.";

export const APPROVAL_PROBLEMS: Readonly<Record<ApprovalProblem, string>> = {
  creator_unknown: 'Buildkite does not say who started the build, and that person may not approve it',
  approver_unknown: 'Buildkite does not say who unblocked it',
  approver_not_in_team: 'who unblocked it is not a member of the team that approves',
  approver_is_creator: 'who started a build does not approve it',
  approval_expired: 'it was too long ago. Start a new build',
  approval_in_future: "Buildkite's time for it lies ahead",
  approval_ambiguous: 'the build has several steps with this key. Give each step a key of its own',
  approval_without_reason:
    'the build states no reason. Start a new build, and state the reason in its metadata break-glass-reason before the step is unblocked',
  build_differs: 'another build of the pipeline has this number',
};

function problemWords({ problem, team }: { readonly problem: ApprovalProblem; readonly team?: string }): string {
  return problem === 'approver_not_in_team' && team !== undefined
    ? `who unblocked it is not a member of ${team}`
    : APPROVAL_PROBLEMS[problem];
}

const AGENT_TOKEN_NOT_ACCEPTED_TEXT =
  "The machine's token was not accepted. Send a token of the identity provider that the policy names. The reason is in the service's audit log, under the request ID.";

interface WireContext {
  /** The job token was in the Authorization header, so its errors are those of RFC 6750 section 3.1. */
  readonly bearer: boolean;
  /** The policy's `contact`. Given only for jobs whose token was verified. */
  readonly contact?: string | undefined;
}

/** Source: RFC 6749 section 5.2. */
export function toWireError(refusal: Refusal, { bearer, contact }: WireContext): WireError {
  switch (refusal.reason) {
    case 'parameter_missing':
    case 'parameter_repeated':
    case 'parameter_invalid':
    case 'body_not_allowed':
      return { status: 400, error: 'invalid_request', description: refusal.hint };
    case 'grant_type_not_supported':
      return {
        status: 400,
        error: 'unsupported_grant_type',
        description: 'grant_type must be urn:ietf:params:oauth:grant-type:token-exchange.',
      };
    case 'claims_missing':
      return {
        status: 400,
        error: 'invalid_request',
        description: `The job token lacks claims that the policy needs. Request it with ${refusal.missing.map((claim) => `--claim ${claim}`).join(' ')}.`,
        missingClaims: refusal.missing,
      };
    case 'unknown_credential':
    case 'no_matching_rule':
      return (
        conditionUnmet(refusal, contact) ?? {
          status: 400,
          error: 'invalid_target',
          description: withContact(
            'No rule of the policy grants this job a credential of that name. To see why, run keydesk policy explain with the policy and the claims of the job.',
            contact,
          ),
        }
      );
    case 'approval_pending':
      return {
        status: 400,
        error: 'authorization_pending',
        description: `This credential needs an approval. Unblock the step ${refusal.step} of this build, and send the same request again.`,
        step: refusal.step,
        retryAfter: refusal.retryAfter,
      };
    case 'approval_not_accepted':
      return {
        status: 400,
        error: 'access_denied',
        description: withContact(
          `The step ${refusal.step} of this build was unblocked, and the policy does not accept that as an approval: ${problemWords(refusal)}.`,
          contact,
        ),
        step: refusal.step,
      };
    case 'conditions_unknown':
      return {
        status: 503,
        error: 'temporarily_unavailable',
        description:
          refusal.unknown === 'build'
            ? 'Keydesk has not read from Buildkite yet who started this build. Send the same request again after the time in Retry-After.'
            : 'Keydesk could not read a team from Buildkite lately, and this credential depends on it. Retry after the time in Retry-After.',
        retryAfter: refusal.retryAfter,
      };
    case 'agent_token_missing':
      return {
        status: 400,
        error: 'invalid_request',
        description: `This credential needs a token of the machine, from the identity provider ${refusal.providers.join(' or ')}. Send it as actor_token, or in the header Keydesk-Actor-Token.`,
      };
    case 'job_ended':
      return {
        status: 400,
        error: 'invalid_grant',
        description: 'The job has ended and receives no more credentials. Retry the job.',
      };
    case 'grant_revoked':
      return {
        status: 400,
        error: 'invalid_grant',
        description:
          'The step released this grant, or an operator ended it. This job does not receive the credential again. Retry the job.',
      };
    case 'credential_changed':
      return {
        status: 400,
        error: 'invalid_grant',
        description: 'The policy changed this credential while the job ran. Retry the job.',
      };
    case 'live_token_limit':
      return {
        status: 429,
        error: 'temporarily_unavailable',
        description: 'This job holds too many live tokens of this credential. Use one of them until it expires.',
        retryAfter: refusal.retryAfter,
      };
    case 'rate_limited':
      return {
        status: 429,
        error: 'temporarily_unavailable',
        description: 'This job requests this credential too often. Keep a token until it expires.',
        retryAfter: refusal.retryAfter,
      };
    case 'grant_busy':
      return {
        status: 429,
        error: 'temporarily_unavailable',
        description: 'Too many requests for this credential came at the same time. Try again.',
        retryAfter: refusal.retryAfter,
      };
    case 'pipeline_grant_limit':
      return {
        status: 429,
        error: 'temporarily_unavailable',
        description: 'This pipeline has reached its limit of concurrent grants. Retry when other jobs finish.',
        retryAfter: refusal.retryAfter,
      };
    case 'too_many_lookups':
      return {
        status: 429,
        error: 'temporarily_unavailable',
        description: 'Too many requests about unknown tokens came from this address, or to this instance. Try again.',
        retryAfter: refusal.retryAfter,
      };
    case 'agent_token_malformed':
    case 'agent_token_type_not_allowed':
    case 'agent_token_algorithm_not_allowed':
    case 'agent_token_header_not_allowed':
    case 'agent_token_key_id_missing':
    case 'agent_token_key_unknown':
    case 'agent_token_signature_invalid':
    case 'agent_token_issuer_wrong':
    case 'agent_token_time_claim_invalid':
    case 'agent_token_claim_invalid':
      return { status: 400, error: 'invalid_request', description: AGENT_TOKEN_NOT_ACCEPTED_TEXT };
    case 'agent_token_audience_wrong':
      return {
        status: 400,
        error: 'invalid_request',
        description: `The machine's token has the audience ${refusal.received}, and this service accepts ${refusal.expected}. Request a token for that audience.`,
      };
    case 'agent_token_expired':
      return {
        status: 400,
        error: 'invalid_request',
        description: `The machine's token expired at ${refusal.received}, and it is ${refusal.expected} now. Request a new one.`,
      };
    case 'agent_token_not_yet_valid':
    case 'agent_token_issued_in_future':
      return {
        status: 400,
        error: 'invalid_request',
        description: `The machine's token is valid from ${refusal.received}, and it is ${refusal.expected} on this service's clock. Retry. If that does not help, contact the operators of Keydesk.`,
      };
    case 'agent_token_lifetime_too_long':
      return {
        status: 400,
        error: 'invalid_request',
        description: `The machine's token lives ${refusal.received} seconds, and the policy allows ${refusal.expected}. Request one that lives that long or less.`,
      };
    case 'agent_token_key_not_looked_up':
      return {
        status: 503,
        error: 'temporarily_unavailable',
        description:
          "The key of the machine's token is not known yet. Send the same request again after the time in Retry-After.",
        retryAfter: refusal.retryAfter,
      };
    case 'job_token_key_not_looked_up':
      return {
        status: 503,
        error: 'temporarily_unavailable',
        description: "The job token's key is not known yet. Send the same request again after the time in Retry-After.",
        retryAfter: refusal.retryAfter,
      };
    case 'job_token_missing':
      return {
        ...jobTokenNotAccepted(refusal, bearer),
        description:
          'No job token was sent. Send the header Authorization: Bearer JOB_TOKEN. If you did, see whether the variable with the job token is empty.',
      };
    case 'pool_exhausted':
      return {
        status: 503,
        error: 'temporarily_unavailable',
        description: `All service accounts of the pool are in use. Retry in ${refusal.retryAfter} s, when the first can be free.`,
        retryAfter: refusal.retryAfter,
      };
    case 'blocked':
      return {
        status: 400,
        error: 'invalid_grant',
        description: withContact(
          'An operator has blocked this request. Contact the operators of Keydesk, and retry the job when the block is removed.',
          contact,
        ),
      };
    case 'google_refused':
      return {
        status: 503,
        error: 'temporarily_unavailable',
        description: withContact(
          'Google refuses to issue this credential, and a retry does not change that. Stop, and contact the operators of Keydesk.',
          contact,
        ),
        retryAfter: refusal.retryAfter,
        permanent: true,
      };
    case 'dependency_unavailable':
      return {
        status: 503,
        error: 'temporarily_unavailable',
        description: 'A service that Keydesk depends on failed or was too slow. Retry after the time in Retry-After.',
        retryAfter: refusal.retryAfter,
      };
    case 'not_found':
      return {
        status: 404,
        error: 'not_found',
        description: 'There is nothing at this path. Credentials are at /token and /token/CREDENTIAL.',
      };
    case 'method_not_allowed':
      return {
        status: 405,
        error: 'invalid_request',
        description: `This path takes only ${refusal.allow}.`,
        allow: refusal.allow,
      };
    case 'content_type_not_supported':
      return { status: 415, error: 'invalid_request', description: `The body must be ${refusal.expected}.` };
    case 'request_too_large':
      return {
        status: 413,
        error: 'invalid_request',
        description: `The request is too large. The limit is ${refusal.limit}.`,
      };
    default:
      return jobTokenNotAccepted(refusal, bearer);
  }
}

/** Only a job whose claims match a rule of the credential gets this. It learns from its approvals, too, that the credential exists. */
function conditionUnmet(
  { trace }: { readonly trace: readonly RuleTrace[] },
  contact: string | undefined,
): WireError | undefined {
  const unmet = trace.flatMap(({ outcome, condition = '' }) => (outcome === 'condition_unmet' ? [condition] : []));
  if (unmet.length === 0) return undefined;
  const conditions = [...new Set(unmet)].sort();
  const rules =
    unmet.length === 1
      ? `A rule of the policy matches the claims of this job, and its condition ${conditions.join('')} does not hold.`
      : `Rules of the policy match the claims of this job, and in each a condition does not hold: ${conditions.join(', ')}.`;
  const description = `${rules} To see why, run keydesk explain with the request ID.`;
  return { status: 400, error: 'access_denied', description: withContact(description, contact) };
}

function withContact(description: string, contact: string | undefined): string {
  return contact === undefined ? description : `${description} Contact: ${contact}.`;
}

/** Takes these refusals only: any other that has no response of its own does not compile. */
function jobTokenNotAccepted(refusal: JobTokenRefusal, bearer: boolean): WireError {
  const description = refusal.received === undefined ? JOB_TOKEN_NOT_ACCEPTED_TEXT : explain(refusal);
  return bearer
    ? { status: 401, error: 'invalid_token', description }
    : { status: 400, error: 'invalid_request', description };
}

function explain({ reason, received, expected }: JobTokenRefusal & { readonly received: string }): string {
  switch (reason) {
    case 'job_token_audience_wrong':
      return `The job token has the audience ${received}, and this service accepts ${expected}. Request a job token with --audience ${expected}.`;
    case 'job_token_expired':
      return `The job token expired at ${received}, and it is ${expected} now. Request a job token inside the step that uses it.`;
    case 'job_token_not_yet_valid':
    case 'job_token_issued_in_future':
      return `The job token is valid from ${received}, and it is ${expected} on this service's clock. Retry. If that does not help, contact the operators of Keydesk.`;
    case 'job_token_lifetime_too_long':
      return `The job token lives ${received} seconds, and the policy allows ${expected}. Request a job token with --lifetime ${expected} or less.`;
  }
}

const JOB_TOKEN_REASON_SET: ReadonlySet<string> = new Set(JOB_TOKEN_REASONS);

/** Whether a refusal is about the job token itself. */
export function isJobTokenRefusal(refusal: Refusal): boolean {
  return JOB_TOKEN_REASON_SET.has(refusal.reason);
}
