// Verifies the token of a machine: that an identity provider of the policy signed it, for Keydesk, a short time ago, and that it has
// the claims that the policy declares. The issuer, its keys and its algorithms are the policy's: nothing that a token says of them
// is believed, and nothing is requested for an issuer that the policy does not name. Knows nothing about rules.
// Source: RFC 8693 section 2.1 (actor_token); RFC 8725.

import type { JWTPayload } from 'jose';
import type { AgentTokenReason, Refusal } from '../core/oauth/refusal.ts';
import { CONTROL_CHARACTER } from '../core/policy/claims.ts';
import type { IdentityProvider } from '../core/policy/identity-providers.ts';
import type { Policy } from '../core/policy/policy.ts';
import { acceptanceProblem } from '../oidc/acceptance.ts';
import type { GetKeys } from '../oidc/jwks-cache.ts';
import { decodeSignedToken, isSignedByOneOf } from '../oidc/signed-token.ts';
import type { VerifyAgentToken } from '../operations/ports.ts';

const LONGEST_CLAIM = 1024;

/** @param deps.getKeys finds the keys of a provider of the policy */
export function createAgentTokenVerifier(deps: {
  readonly policy: Pick<Policy, 'identityProviders'>;
  readonly getKeys: (provider: string) => GetKeys;
}): VerifyAgentToken {
  const { policy, getKeys } = deps;
  return async (token, providers, now) => {
    const named = Object.entries(policy.identityProviders).filter(([name]) => providers.has(name));
    const algorithms = [...new Set(named.flatMap(([, provider]) => provider.algorithms))];
    const decoded = decodeSignedToken(token, algorithms);
    if ('problem' in decoded) return refuse(`agent_token_${decoded.problem}`, decoded.detail);
    const { algorithm, kid, payload } = decoded;
    const aud = soleAudience(payload);
    const ofIssuer = named.filter(([, { issuer }]) => issuer === payload.iss);
    const found = ofIssuer.find(([, provider]) => provider.audience === aud) ?? ofIssuer[0];
    if (!found) return refuse('agent_token_issuer_wrong');
    const [name, provider] = found;
    if (!provider.algorithms.includes(algorithm)) return refuse('agent_token_algorithm_not_allowed');
    const keys = await getKeys(name)(kid);
    if (keys.outcome === 'unknown') return refuse('agent_token_key_unknown');
    if (keys.outcome === 'asked_recently')
      return { refusal: { reason: 'agent_token_key_not_looked_up', retryAfter: keys.retryAfter } };
    if (!isSignedByOneOf(keys.keys, algorithm, token)) return refuse('agent_token_signature_invalid');
    const accepted = { audience: provider.audience, maxLifetime: provider.maxTokenLifetime, needsNbf: false };
    const problem = acceptanceProblem({ ...payload, aud }, accepted, now / 1000);
    if (problem?.problem === 'time_claim_invalid') return refuse('agent_token_time_claim_invalid');
    if (problem) {
      const { problem: which, received, expected } = problem;
      return { refusal: { reason: `agent_token_${which}`, received, expected } };
    }
    return readClaims(name, provider, payload);
  };
}

/** Kubernetes sends a list also for one audience. A token for several is meant for somebody else too, who could use it here. */
function soleAudience({ aud }: JWTPayload): string | string[] {
  const [one, ...more] = [aud].flat();
  return typeof one === 'string' && more.length === 0 ? one : [aud ?? []].flat();
}

/** The claims that the policy declares. A token that lacks one of them is refused. */
function readClaims(
  provider: string,
  { claims }: IdentityProvider,
  payload: JWTPayload,
): Awaited<ReturnType<VerifyAgentToken>> {
  const read: [string, string][] = [];
  for (const [name, { at = [name] }] of Object.entries(claims)) {
    const text = toText(valueAt(payload, at));
    if (text === undefined) return refuse('agent_token_claim_invalid', name);
    read.push([name, text]);
  }
  return { agent: { provider, claims: Object.fromEntries(read) } };
}

function valueAt(payload: JWTPayload, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (inner, member) =>
      typeof inner === 'object' && inner !== null && !Array.isArray(inner) && Object.hasOwn(inner, member)
        ? (inner as Record<string, unknown>)[member]
        : undefined,
    payload,
  );
}

/** Numbers and truth values as JSON writes them; undefined for what is no single value, or cannot be shown. */
function toText(value: unknown): string | undefined {
  if (typeof value === 'boolean' || Number.isSafeInteger(value)) return String(value);
  if (typeof value !== 'string' || value === '' || value.length > LONGEST_CLAIM) return undefined;
  return CONTROL_CHARACTER.test(value) || !value.isWellFormed() ? undefined : value;
}

function refuse(
  reason: Exclude<
    AgentTokenReason,
    `agent_token_${'audience_wrong' | 'expired' | 'not_yet_valid' | 'issued_in_future' | 'lifetime_too_long'}`
  >,
  detail?: string,
): { readonly refusal: Refusal } {
  return { refusal: detail === undefined ? { reason } : { reason, detail } };
}
