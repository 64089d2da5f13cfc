// The claims of a job token whose signature nobody checks, and what in it Keydesk refuses before it looks at rules. For people who ask
// what their job gets.

import * as z from 'zod';
import { type JobClaims, parseClaims } from '../policy/claims.ts';
import type { Policy } from '../policy/policy.ts';

/** The reasons of the token function for what an unverified token shows. */
export type TokenRefusal = 'job_token_audience_wrong' | 'job_token_lifetime_too_long' | 'job_token_organization_wrong';

export interface UnverifiedToken {
  readonly claims: JobClaims;
  readonly refusals: readonly TokenRefusal[];
}

const payloadSchema = z.looseObject({
  aud: z.unknown(),
  iat: z.number(),
  exp: z.number(),
});

/** @returns the claims, or what is wrong in words that contain nothing of the token */
export function readJobToken(policy: Policy, text: string): UnverifiedToken | { problem: string } {
  const parts = text.trim().split('.');
  if (parts.length !== 3)
    return { problem: 'It is not a job token: a job token has three parts with dots between them.' };
  const payload = decode(parts[1] ?? '');
  const parsed = payloadSchema.safeParse(payload);
  if (!parsed.success)
    return { problem: 'It is not a job token: its payload is not JSON with the claims iat and exp.' };
  const result = parseClaims(payload);
  if ('invalidClaim' in result)
    return { problem: `It is not a job token of Buildkite: ${result.invalidClaim} is missing or has another form.` };
  return { claims: result.claims, refusals: refusalsOf(policy, result.claims, parsed.data) };
}

function decode(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
}

function refusalsOf(
  { audience, maxJobTokenLifetime, organization }: Policy,
  claims: JobClaims,
  { aud, iat, exp }: z.output<typeof payloadSchema>,
): TokenRefusal[] {
  const otherOrganization =
    claims.organization_slug !== organization.slug ||
    (organization.id !== undefined &&
      claims.organization_id !== undefined &&
      claims.organization_id !== organization.id);
  return [
    ...(aud === audience ? [] : ['job_token_audience_wrong' as const]),
    ...(exp - iat > maxJobTokenLifetime ? ['job_token_lifetime_too_long' as const] : []),
    ...(otherOrganization ? ['job_token_organization_wrong' as const] : []),
  ];
}
