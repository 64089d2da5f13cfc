// Reads a token request out of its form: RFC 8693 section 2.1, with the parameter rules of RFC 6749 section 3.2
// (a parameter occurs once, an empty one counts as absent, unknown ones are ignored).
// Knows nothing about HTTP headers, tokens or policy.

import { MAX_TTL, MIN_TTL } from '../policy/credential.ts';
import type { Refusal } from './refusal.ts';

export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
export const ACCESS_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:access_token';
const TOKEN_TYPES = ['urn:ietf:params:oauth:token-type:jwt', 'urn:ietf:params:oauth:token-type:id_token'];

export interface ExchangeRequest {
  readonly jobToken: string;
  /** Of the machine, as `actor_token`; undefined when there is none. */
  readonly agentToken: string | undefined;
  readonly credentialName: string;
  /** What the caller would like, in its order; empty when it did not say. */
  readonly scopes: readonly string[];
  /** Seconds the caller would like; undefined when it did not say. */
  readonly lifetime: number | undefined;
}

/** Reads the form, or says which parameter to fix. The form's values are never repeated in the hint. */
export function parseExchangeRequest(form: string): { request: ExchangeRequest } | { refusal: Refusal } {
  const parameters = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(form)) {
    if (parameters.has(name)) return { refusal: { reason: 'parameter_repeated', hint: repeated(name) } };
    parameters.set(name, value);
  }
  const param = (name: string) => parameters.get(name) || undefined;

  const grantType = param('grant_type');
  if (grantType === undefined) return missing('grant_type', TOKEN_EXCHANGE);
  if (grantType !== TOKEN_EXCHANGE) return { refusal: { reason: 'grant_type_not_supported' } };

  const jobToken = param('subject_token')?.trim();
  if (!jobToken) return missing('subject_token', "the job's OIDC token");
  const jobTokenType = param('subject_token_type');
  if (jobTokenType === undefined) return missing('subject_token_type', TOKEN_TYPES.join(' or '));
  if (!TOKEN_TYPES.includes(jobTokenType)) return invalid('subject_token_type', TOKEN_TYPES.join(' or '));
  const agentToken = param('actor_token')?.trim();
  const agentTokenType = param('actor_token_type');
  if (agentToken && agentTokenType === undefined) return missing('actor_token_type', TOKEN_TYPES.join(' or '));
  if (agentTokenType !== undefined && !agentToken)
    return missing('actor_token', "the machine's token, or leave out actor_token_type");
  if (agentTokenType !== undefined && !TOKEN_TYPES.includes(agentTokenType))
    return invalid('actor_token_type', TOKEN_TYPES.join(' or '));
  const requestedType = param('requested_token_type');
  if (requestedType !== undefined && requestedType !== ACCESS_TOKEN_TYPE)
    return invalid('requested_token_type', ACCESS_TOKEN_TYPE);
  const credentialName = param('audience');
  if (credentialName === undefined) return missing('audience', 'the name of a credential of the policy');

  const lifetime = param('lifetime');
  if (lifetime !== undefined && !isLifetime(lifetime))
    return invalid('lifetime', `a whole number of seconds from ${MIN_TTL} to ${MAX_TTL}`);
  return {
    request: {
      jobToken,
      agentToken,
      credentialName,
      scopes: param('scope')?.split(' ').filter(Boolean) ?? [],
      lifetime: lifetime === undefined ? undefined : Number(lifetime),
    },
  };
}

function isLifetime(text: string): boolean {
  return /^[0-9]{1,5}$/.test(text) && Number(text) >= MIN_TTL && Number(text) <= MAX_TTL;
}

function repeated(name: string): string {
  const known = /^[a-z_]{1,32}$/.test(name) ? name : 'A parameter';
  return `${known} is repeated. Send each parameter once.`;
}

function missing(name: string, expected: string): { refusal: Refusal } {
  return { refusal: { reason: 'parameter_missing', hint: `${name} is missing: send ${expected}.` } };
}

function invalid(name: string, expected: string): { refusal: Refusal } {
  return { refusal: { reason: 'parameter_invalid', hint: `${name} must be ${expected}.` } };
}
