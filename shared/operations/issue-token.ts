// Issues a token: from a job token and the name of a credential to a Google credential on record, or a refusal.
// Every request is verified and decided by itself; only then may identical ones share one issue.
// The order is the guarantee: verify, decide, reserve (the mint during its commit, or after it where an account is leased),
// open the grant document, check whether it was blocked meanwhile, record the token, and only then return it.
// Knows nothing about HTTP, Firestore or Google.

import { isAboutEveryAccount, isAboutOneAccount } from '../core/google-refusal.ts';
import type { Grant } from '../core/grant/grant.ts';
import { grantId, grantIdOf, tokenSha256 } from '../core/grant/id.ts';
import type { IssueRequest } from '../core/grant/reserve.ts';
import { revocableAccess, scopesOf } from '../core/kinds/kinds.ts';
import { isPooled, isPooledGrant, type PooledGrant } from '../core/kinds/pooled-service-account.ts';
import type { Refusal } from '../core/oauth/refusal.ts';
import type { JobClaims } from '../core/policy/claims.ts';
import { type Credential, MAX_TTL } from '../core/policy/credential.ts';
import { decide, type RuleTrace } from '../core/policy/decide.ts';
import type { LoadedPolicy } from '../core/policy/parse-yaml.ts';
import { boundWait, LONGEST_RETRY_AFTER } from '../core/retry-after.ts';
import { toSubject } from '../core/subject/buildkite-job.ts';
import type { Clock } from '../runtime/clock.ts';
import { DependencyError } from '../runtime/errors.ts';
import { type ConditionDeps, decideWithFacts } from './decide-with-facts.ts';
import type { IssuesInProgress } from './issues-in-progress.ts';
import type {
  IssuanceLedger,
  Mint,
  Minted,
  OpenGrantDocument,
  PrepareMint,
  Refused,
  Reserved,
  VerifyJobToken,
} from './ports.ts';

/** For how many milliseconds a job tries further pooled accounts before the response says that Google fails. */
const MAX_ACCOUNTS_TRIED = 3;
const ACCOUNT_RETRY_WINDOW_MS = 5 * 60_000;
/** Why a grant is not issued again. */
const ENDED: ReadonlySet<Refusal['reason']> = new Set(['job_ended', 'grant_revoked']);
/** The same when the instance is busy with other requests for the grant. */
const BUSY_RETRY_AFTER = 1;

export interface IssueDeps extends Omit<ConditionDeps, 'policy' | 'clock'> {
  readonly policy: LoadedPolicy;
  readonly verifyJobToken: VerifyJobToken;
  readonly ledger: IssuanceLedger;
  readonly prepareMint: PrepareMint;
  readonly mint: Mint;
  readonly openGrantDocument: OpenGrantDocument;
  readonly issuesInProgress: IssuesInProgress<IssueResult>;
  /** Milliseconds since the epoch. */
  readonly clock: Clock;
}

export interface TokenRequest {
  readonly jobToken: string;
  readonly credentialName: string;
  /** Of the machine, by an identity provider of the policy. */
  readonly agentToken?: string | undefined;
  readonly scopes: readonly string[];
  /** Seconds; undefined for as long as policy allows. */
  readonly lifetime: number | undefined;
}

export type IssueResult =
  | {
      readonly outcome: 'issued';
      readonly grant: Grant;
      readonly grant_id: string;
      readonly accessToken: string;
      readonly token_sha256: string;
      readonly expires_at: number;
      readonly scopes: readonly string[];
      /** Of the job token that was verified. */
      readonly claims: JobClaims;
      readonly trace: readonly RuleTrace[];
      /** The request whose issue this shares; undefined when it issued by itself. */
      readonly shared_with?: string;
      readonly accountFailures: readonly DependencyError[];
    }
  | {
      readonly outcome: 'refused';
      readonly refusal: Refusal;
      /** Of a job token that was verified; undefined before. */
      readonly claims: JobClaims | undefined;
      /** Why pooled accounts were given up for another, each with its account where Google refuses for good. */
      readonly accountFailures: readonly DependencyError[];
    };

/** Issues a token, or refuses. Throws DependencyError when a dependency fails; then no token was returned. */
export async function issueToken(deps: IssueDeps, requested: TokenRequest, request_id: string): Promise<IssueResult> {
  const { policy, clock } = deps;
  const verified = await deps.verifyJobToken(requested.jobToken, clock.now());
  if ('refusal' in verified)
    return { outcome: 'refused', refusal: verified.refusal, claims: undefined, accountFailures: [] };
  const { claims } = verified;
  const refuse = (refusal: Refusal): IssueResult => ({ outcome: 'refused', refusal, claims, accountFailures: [] });

  const decision = decide(policy.policy, claims, requested.credentialName);
  if (decision.outcome === 'refused') {
    const { outcome: _, ...refusal } = decision;
    return refuse(refusal);
  }
  const decided =
    decision.outcome === 'conditional'
      ? await decideWithFacts(deps, decision, { claims, agentToken: requested.agentToken })
      : { ...decision, basis: null };
  if ('refusal' in decided) return refuse(decided.refusal);
  const { credential, credentialName, rule, trace, basis } = decided;
  const ttl = Math.min(credential.ttl, requested.lifetime ?? MAX_TTL, MAX_TTL);
  const scopes = narrowScopes(credential, requested.scopes);
  const grant_id = grantId(claims.job_id, credentialName);
  const limits = policy.policy.limits;
  const subject = toSubject(claims);
  const request: IssueRequest = {
    ...{ subject, credentialName, credential, rule, conditions: basis, ttl, limits },
    policySha256: policy.sha256,
  };

  const key = toKey(claims, request, scopes);
  const shared = await deps.issuesInProgress.share({ grant_id, key, request_id }, (close) =>
    issueOnce(deps, { claims, request, scopes, trace }, close),
  );
  if (shared === 'busy') return refuse({ reason: 'grant_busy', grant_id, retryAfter: BUSY_RETRY_AFTER });
  const { result, shared_with } = shared;
  if (shared_with === undefined) return result;
  if (result.outcome === 'refused') return { ...result, accountFailures: [] };
  // A block may have come after the one who issued looked for it, and before this request.
  const blocked = await deps.ledger.checkBlocks(request);
  return blocked ? refuse(blocked.refusal) : { ...result, shared_with, accountFailures: [] };
}

/** Everything that an issue depends on: requests with equal keys get one token. */
function toKey(
  { agentTags, ...claims }: JobClaims,
  { rule, ttl, policySha256, conditions }: IssueRequest,
  scopes: readonly string[],
) {
  return JSON.stringify([Object.entries(claims), [...agentTags], rule, ttl, policySha256, conditions, scopes]);
}

/** Reserves, mints and records. @param close nobody joins this issue from then on: see {@link IssuesInProgress} */
async function issueOnce(
  deps: IssueDeps,
  decided: {
    readonly claims: JobClaims;
    readonly request: IssueRequest;
    readonly scopes: readonly string[];
    readonly trace: readonly RuleTrace[];
  },
  close: () => void,
): Promise<IssueResult> {
  const { claims, request, scopes, trace } = decided;
  const { subject, credentialName, credential, ttl } = request;
  const grant_id = grantId(subject.id, credentialName);
  const accountFailures: DependencyError[] = [];
  const refuse = (refusal: Refusal): IssueResult => ({ outcome: 'refused', refusal, claims, accountFailures });
  const preparation = await deps.prepareMint({ subject, credentialName, credential });
  const startMint: StartMint = (latestExpiry, lease) => {
    const mintRequest = { subject, credentialName, credential, grant_id, scopes };
    const pendingMint = deps.mint({ ...mintRequest, ttl, latestExpiry, lease, preparation });
    pendingMint.catch(() => {});
    return pendingMint;
  };
  let outcome: MintOutcome;
  try {
    outcome = isPooled(credential)
      ? await mintFromPool(deps, request, startMint, accountFailures)
      : await mintAlongsideCommit(deps, request, startMint);
  } catch (error) {
    const refusal = toGoogleRefusal(error);
    if (!refusal) throw error;
    return refuse(refusal);
  }
  if ('refusal' in outcome) return refuse(outcome.refusal);

  const { minted, reserved } = outcome;
  const token_sha256 = tokenSha256(minted.accessToken);
  const { grant } = reserved;
  const token = { grant_id, sha256: token_sha256, expires_at: minted.expires_at };
  const leased = isPooledGrant(grant) ? { service_account: grant.service_account } : {};
  // An end that comes during this write is recorded before a later request, which must see it.
  close();
  const activated = await deps.ledger.activate({ ...token, ...leased }, reserved);
  if ('refusal' in activated) return refuse(activated.refusal);
  return {
    outcome: 'issued',
    grant: activated.grant,
    grant_id,
    accessToken: minted.accessToken,
    token_sha256,
    expires_at: Math.min(minted.expires_at, activated.grant.expires_at),
    scopes,
    claims,
    trace,
    accountFailures,
  };
}

function toGoogleRefusal(error: unknown): Refusal | undefined {
  if (!DependencyError.is(error) || !error.permanent) return undefined;
  const { permanent, dependency, message, code } = error;
  return { reason: 'google_refused', ...permanent, dependency, error: message, code, retryAfter: LONGEST_RETRY_AFTER };
}

type StartMint = (latestExpiry: number, lease?: string) => Promise<Minted>;
type MintOutcome = { readonly minted: Minted; readonly reserved: Reserved } | { readonly refusal: Refusal };

/** Reserves the grant while the token is minted and, where rules judge its tokens, opens its grant document. */
async function mintAlongsideCommit(deps: IssueDeps, request: IssueRequest, startMint: StartMint): Promise<MintOutcome> {
  const reservation = await deps.ledger.prepare(request);
  if ('refusal' in reservation) return reservation;
  const pendingMint = reservation.mayMintNow ? startMint(reservation.latestExpiry) : undefined;
  const reserved = await reservation.commit();
  if ('refusal' in reserved) return reserved;
  const [blocked, opened, minted] = await Promise.all([
    deps.ledger.checkBlocks(request),
    openDocumentFor(deps, reserved.grant),
    pendingMint ?? startMint(reserved.latestExpiry),
  ]);
  if (blocked) return blocked;
  return opened ? { minted, reserved } : { refusal: { reason: 'grant_revoked', grant_id: grantIdOf(reserved.grant) } };
}

async function openDocumentFor({ openGrantDocument }: IssueDeps, grant: Grant): Promise<boolean> {
  const access = revocableAccess(grant);
  if (access?.by !== 'grant_document') return true;
  const { project, database } = access;
  const { credential, expires_at } = grant;
  return openGrantDocument({ project, database, grant_id: grantIdOf(grant) }, { roles: [credential], expires_at });
}

/**
 * Mints from an account that is leased to this job by then. If Google refuses to mint from it (disabled by somebody, deleted,
 * role not bound yet), the job leases another one, as long as it holds no token of the first. For a job that had some of them
 * the cause is elsewhere, and the whole pool would be disabled for it.
 */
async function mintFromPool(
  deps: IssueDeps,
  request: IssueRequest,
  startMint: StartMint,
  accountFailures: DependencyError[],
): Promise<MintOutcome> {
  const excludedAccounts: string[] = [];
  for (;;) {
    const reservation = await deps.ledger.prepare({ ...request, excludedAccounts });
    const reserved = 'refusal' in reservation ? reservation : await reservation.commit();
    if ('refusal' in reserved) {
      // Then it is why Google refused the last account.
      if (ENDED.has(reserved.refusal.reason)) return reserved;
      const last = accountFailures.at(-1);
      // Waiting for an account helps only while there is one that Google may mint from.
      if (last?.permanent && coversPool(excludedAccounts, request.credential)) throw last;
      // The log names the refused account, not the want of another alone.
      return reserved.refusal.reason === 'pool_exhausted' && last?.permanent
        ? { refusal: { ...reserved.refusal, ...last.permanent } }
        : reserved;
    }
    const { grant, latestExpiry } = reserved;
    if (!isPooledGrant(grant)) throw new Error('a pooled credential got another kind of grant');
    try {
      const [blocked, minted] = await Promise.all([
        deps.ledger.checkBlocks(request),
        startMint(latestExpiry, grant.service_account),
      ]);
      return blocked ?? { minted, reserved };
    } catch (error) {
      if (!DependencyError.is(error)) throw error;
      const recentLeases = grant.past_leases.filter(
        ({ access_ended_at }) => access_ended_at > deps.clock.now() - ACCOUNT_RETRY_WINDOW_MS,
      );
      const mayRetry = accountMayBeAtFault(error) && grant.tokens.length === 0;
      if (!mayRetry || recentLeases.length + 1 >= MAX_ACCOUNTS_TRIED)
        return answerPoolFailure(deps, { request, grant, recentLeases, excludedAccounts }, error);
      accountFailures.push(error);
      excludedAccounts.push(grant.service_account);
    }
  }
}

/** Whether another account of the pool may fare better. */
function accountMayBeAtFault({ rejected, permanent }: DependencyError): boolean {
  return rejected && !(permanent && isAboutEveryAccount(permanent));
}

/** The response to a job for which no other account of the pool is tried. @throws DependencyError where waiting does not help */
async function answerPoolFailure(
  { ledger, clock }: IssueDeps,
  tried: {
    readonly request: IssueRequest;
    readonly grant: PooledGrant;
    readonly recentLeases: PooledGrant['past_leases'];
    readonly excludedAccounts: readonly string[];
  },
  error: DependencyError,
): Promise<Refused> {
  const { request, grant, recentLeases, excludedAccounts } = tried;
  // It may have failed because an operator ended the grant meanwhile: then that is the response.
  const blocked = await ledger.checkBlocks(request);
  if (blocked) return blocked;
  // Or because the end of the job disabled the account.
  const again = await ledger.prepare(request);
  if ('refusal' in again && ENDED.has(again.refusal.reason)) return again;
  const leased = [...recentLeases.map((past) => past.service_account), grant.service_account];
  const { permanent } = error;
  const another =
    permanent && isAboutOneAccount(permanent) && !coversPool([...excludedAccounts, ...leased], request.credential);
  if (!accountMayBeAtFault(error) || !another) throw error;
  const wait = (nextAccountAt(grant, recentLeases) - clock.now()) / 1000;
  return { refusal: toTemporary(error, boundWait(wait)) };
}

/** When the job may have another account: once its tokens have ended, or else when it has tried fewer lately. */
function nextAccountAt({ tokens }: PooledGrant, recentLeases: PooledGrant['past_leases']): number {
  return tokens.length > 0
    ? Math.max(...tokens.map(({ expires_at }) => expires_at))
    : Math.min(...recentLeases.map(({ access_ended_at }) => access_ended_at)) + ACCOUNT_RETRY_WINDOW_MS;
}

/** Google refuses some accounts, and the pool has others: this job may have one of them when it may change its own. */
function toTemporary({ dependency, message, code, permanent }: DependencyError, retryAfter: number): Refusal {
  return { reason: 'dependency_unavailable', dependency, error: message, code, retryAfter, ...permanent };
}

function coversPool(accounts: readonly string[], credential: Credential): boolean {
  return isPooled(credential) && credential.pool.every((email) => accounts.includes(email));
}

/**
 * The caller's scopes are a wish: they can take away from policy's, never add. What rules judge or a boundary narrows has
 * none: there they say nothing.
 */
function narrowScopes(credential: Credential, requested: readonly string[]): readonly string[] {
  const scopes = scopesOf(credential);
  const both = scopes.filter((scope) => requested.includes(scope));
  return both.length > 0 ? both : scopes;
}
