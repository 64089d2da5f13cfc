// The hand-out: from a job token and the name of a credential to a Google credential on record, or a refusal.
// The order is the promise: verify, decide, reserve (the mint beside its commit), open the grant document, record the
// token, and only then let it go. Knows nothing about HTTP, Firestore or Google.

import type { VerifyJobToken } from './buildkite/job-token.ts';
import type { JobClaims } from './core/claims.ts';
import { decide, type RuleTrace } from './core/decide.ts';
import type { Grant, Request } from './core/grant.ts';
import { grantId, tokenSha256 } from './core/grant-id.ts';
import { type Credential, MAX_TTL } from './core/policy.ts';
import type { Refusal } from './core/refusal.ts';
import type { Mint, Minted } from './google/mint.ts';
import type { OpenGrantDocument } from './ledger/grant-document.ts';
import type { IssuingLedger, Reserved } from './ledger/issuing-ledger.ts';
import type { LoadedPolicy } from './policy-text.ts';

export interface HandOutParts {
  readonly policy: LoadedPolicy;
  readonly verifyJobToken: VerifyJobToken;
  readonly ledger: IssuingLedger;
  readonly mint: Mint;
  readonly openGrantDocument: OpenGrantDocument;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export interface Asked {
  readonly jobToken: string;
  readonly credentialName: string;
  readonly scopes: readonly string[];
  /** Seconds; undefined for as long as policy allows. */
  readonly lifetime: number | undefined;
}

export type HandOut =
  | {
      readonly outcome: 'issued';
      readonly grant: Grant;
      readonly grant_id: string;
      readonly accessToken: string;
      readonly token_sha256: string;
      readonly expires_at: number;
      readonly scopes: readonly string[];
      readonly trace: readonly RuleTrace[];
    }
  | {
      readonly outcome: 'refused';
      readonly refusal: Refusal;
      /** Of a job token that was verified; undefined before. */
      readonly claims: JobClaims | undefined;
    };

/** Hands out, or refuses. Throws Unavailable when something it depends on fails; then nothing has left. */
export async function handOut(parts: HandOutParts, asked: Asked): Promise<HandOut> {
  const { policy, now } = parts;
  const verified = await parts.verifyJobToken(asked.jobToken, now());
  if ('refusal' in verified) return { outcome: 'refused', refusal: verified.refusal, claims: undefined };
  const { claims } = verified;
  const refuse = (refusal: Refusal): HandOut => ({ outcome: 'refused', refusal, claims });

  const decision = decide(policy.policy, claims, asked.credentialName);
  if (decision.outcome === 'refused') {
    const { outcome: _, ...refusal } = decision;
    return refuse(refusal);
  }
  const { credential, credentialName, rule, trace } = decision;
  const ttl = Math.min(credential.ttl, asked.lifetime ?? MAX_TTL, MAX_TTL);
  const scopes = narrowScopes(credential, asked.scopes);
  const grant_id = grantId(claims.job_id, credentialName);

  const request: Request = { claims, credentialName, credential, rule, ttl, policySha256: policy.sha256 };
  let minting: Promise<Minted> | undefined;
  const startMinting = () => {
    minting ??= parts.mint({ claims, credentialName, credential, grant_id, scopes, ttl });
    minting.catch(() => {});
    return minting;
  };
  const reserved = await reserveAndOpen(parts, request, grant_id, startMinting);
  if ('refusal' in reserved) return refuse(reserved.refusal);

  const minted = await startMinting();
  const token_sha256 = tokenSha256(minted.accessToken);
  const token = { job_id: claims.job_id, grant_id, sha256: token_sha256, expires_at: minted.expires_at };
  const activated = await parts.ledger.activate(token, reserved);
  if ('refusal' in activated) return refuse(activated.refusal);
  return {
    outcome: 'issued',
    grant: activated.grant,
    grant_id,
    accessToken: minted.accessToken,
    token_sha256,
    expires_at: Math.min(minted.expires_at, activated.grant.expires_at),
    scopes,
    trace,
  };
}

/** Reserves the grant and, where rules judge its tokens, lets them in. */
async function reserveAndOpen(
  { ledger, openGrantDocument }: HandOutParts,
  request: Request,
  grant_id: string,
  startMinting: () => unknown,
): Promise<Reserved | { refusal: Refusal }> {
  const reserved = await ledger.reserve(request, startMinting);
  if ('refusal' in reserved) return reserved;
  const { grant } = reserved;
  if (grant.kind === 'firestore') {
    const { project, database, credential, expires_at } = grant;
    const opened = await openGrantDocument({ project, database, grant_id }, { roles: [credential], expires_at });
    if (!opened) return { refusal: { reason: 'grant_revoked', grant_id } };
  }
  return reserved;
}

/** The caller's scopes are a wish: they can take away from policy's, never add. */
function narrowScopes(credential: Credential, wished: readonly string[]): readonly string[] {
  if (credential.kind !== 'service_account') return [];
  const both = credential.scopes.filter((scope) => wished.includes(scope));
  return both.length > 0 ? both : credential.scopes;
}
