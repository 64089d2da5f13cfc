// `identityProviders`: issuers of tokens that say on which machine a job runs. Nothing of a provider is found out at run time: its
// issuer, its keys and its claims are what the reviewed policy says.

import * as z from 'zod';
import { durationSchema } from './duration.ts';
import type { PolicyProblem } from './problems.ts';

/** Of signatures. Source: RFC 7518 section 3.1. */
export const PROVIDER_ALGORITHMS = ['RS256', 'ES256', 'ES384'] as const;

/** Who decides the value of a claim: the platform that signs it, or the caller who asks the platform for a token. */
export const CLAIM_SETTERS = ['platform', 'caller'] as const;

/** Seconds. */
const MIN_TOKEN_LIFETIME = 60;
const MAX_TOKEN_LIFETIME = 24 * 3600;

const httpsUrl = z
  .string()
  .max(512)
  .refine((text) => httpsUrlProblem(text) === undefined, { error: ({ input }) => httpsUrlProblem(String(input)) });

function httpsUrlProblem(text: string): string | undefined {
  if (!URL.canParse(text)) return 'must be an absolute URL';
  const url = new URL(text);
  const isLoopback = url.protocol === 'http:' && ['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname);
  if (url.protocol !== 'https:' && !isLoopback) return 'must be an https URL';
  if (url.username || url.password || /[?#@]/.test(text)) return 'must be a URL without user, query and fragment';
  // Other spellings lead to the same place, and are other issuers.
  if (url.href !== text && url.href !== `${text}/`) return `must be written as ${url.href}`;
  return undefined;
}

const claim = z.strictObject({
  /** The members that lead to the claim, from the outermost. Without it, the claim has its own name. */
  at: z.array(z.string().min(1).max(256)).min(1).max(5).optional(),
  setBy: z.enum(CLAIM_SETTERS),
});

const identityProviderSchema = z.strictObject({
  /** Compared to the letter with `iss`. */
  issuer: httpsUrl,
  /** The address of its JSON Web Key Set. */
  keys: httpsUrl.refine((text) => !text.includes('/.well-known/openid-configuration'), {
    error: 'is the address of the discovery document. Write the address that it has as jwks_uri',
  }),
  /** Compared to the letter with `aud`. */
  audience: z.string().regex(/^\S{1,512}$/, 'must be text without spaces: exactly what the machine asks its token for'),
  algorithms: z.array(z.enum(PROVIDER_ALGORITHMS)).min(1),
  /** In seconds when parsed. */
  maxTokenLifetime: durationSchema(MIN_TOKEN_LIFETIME, MAX_TOKEN_LIFETIME, 'from 1m to 24h').prefault('1h'),
  /** The claims that every token must have, by the names that rules use. */
  claims: z.record(
    z.string().regex(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/, 'must be a letter, and then letters, digits, _ and -'),
    claim,
  ),
});
export type IdentityProvider = z.output<typeof identityProviderSchema>;

export const identityProvidersSchema = z.record(
  z.string().regex(/^[a-z0-9][a-z0-9-]{0,99}$/, 'must be lower-case letters, digits and -'),
  identityProviderSchema,
);

export type IdentityProviders = Readonly<Record<string, IdentityProvider>>;

/** Every job has tokens of this issuer. One of them would be the proof of the machine too. */
const JOB_TOKEN_ISSUER = 'https://agent.buildkite.com';

/** Providers that no token distinguishes, or that prove nothing. */
export function providerProblems(providers: IdentityProviders): PolicyProblem[] {
  const all = Object.entries(providers);
  return all.flatMap(([name, provider], index) => {
    const problem = (key: string, message: string): PolicyProblem => ({
      path: ['identityProviders', name, key],
      message,
    });
    if (provider.issuer.replace(/\/$/, '') === JOB_TOKEN_ISSUER)
      return [problem('issuer', 'is the issuer of job tokens: a job token alone would then be enough')];
    const sameIssuer = all.slice(0, index).filter(([, { issuer }]) => issuer === provider.issuer);
    const sameAudience = sameIssuer.find(([, { audience }]) => audience === provider.audience);
    if (sameAudience)
      return [
        problem(
          'audience',
          `is the audience of ${sameAudience[0]} too, which has the same issuer. Give each of the two an audience of its own, or remove one`,
        ),
      ];
    const otherKeys = sameIssuer.find(([, { keys }]) => keys !== provider.keys);
    return otherKeys
      ? [
          problem(
            'keys',
            `differs from the keys of ${otherKeys[0]}, which has the same issuer. An issuer has one key set`,
          ),
        ]
      : [];
  });
}
