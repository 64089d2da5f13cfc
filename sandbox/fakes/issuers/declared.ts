// Identity providers of any policy: an issuer for each one that the policy declares, whose tokens have the claims that it declares.
// A GET of PROVIDER/token returns one, as a machine's metadata service does. Unlike the fakes next to it, it copies no vendor.
// Listens on loopback only.

import type { IdentityProvider, IdentityProviders } from '../../../shared/core/policy/identity-providers.ts';
import type { Clock } from '../../../shared/runtime/clock.ts';
import { jsonServer, type LocalRequest, type LocalResponse } from '../../local-server.ts';
import { Signer, type SigningAlgorithm } from './signer.ts';

/** Seconds. */
const LIFETIME = 300;

export interface DeclaredIssuers {
  /** What replaces `issuer` and `keys` of a provider in the policy. */
  addressesOf(provider: string): { readonly issuer: string; readonly keys: string };
  /** Where a machine requests its token. Parameters of the URL are claims, by the names of the policy. */
  tokenUrlOf(provider: string): string;
  close(): Promise<void>;
}

/** @param options.claimsOf the values of claims for which a request says none, by the name of the provider */
export async function startDeclaredIssuers(options: {
  readonly providers: IdentityProviders;
  readonly claimsOf: (provider: string) => Readonly<Record<string, string>>;
  readonly clock: Clock;
}): Promise<DeclaredIssuers> {
  const { providers, claimsOf, clock } = options;
  const signers = new Map<SigningAlgorithm, Signer>();
  for (const [algorithm] of Object.values(providers).map(({ algorithms }) => algorithms))
    if (algorithm && !signers.has(algorithm)) signers.set(algorithm, new Signer(algorithm, `sandbox-${algorithm}`));
  /** Providers that have one issuer in the policy have one here. */
  const issuerOf = (provider: string) =>
    Object.keys(providers).find((name) => providers[name]?.issuer === providers[provider]?.issuer) ?? provider;
  const urlOf = (name: string) => `${server.url}/${name}`;

  const respond = ({ method, path, query }: LocalRequest): LocalResponse => {
    const [, name = '', what] = path.split('/');
    const provider = Object.hasOwn(providers, name) ? providers[name] : undefined;
    if (method !== 'GET' || !provider)
      return text(404, `the identity providers are ${Object.keys(providers).join(', ')}`);
    if (what === 'keys') return { status: 200, json: { keys: [...signers.values()].map(({ jwk }) => jwk) } };
    if (what !== 'token') return text(404, 'the paths are PROVIDER/keys and PROVIDER/token');
    const unknown = [...query.keys()].filter((claim) => !Object.hasOwn(provider.claims, claim));
    if (unknown.length > 0)
      return text(400, `the policy declares ${Object.keys(provider.claims).join(', ') || 'no claims'} of ${name}`);
    const claims = { ...claimsOf(name), ...Object.fromEntries(query) };
    return text(200, sign(provider, urlOf(issuerOf(name)), claims));
  };

  const sign = (provider: IdentityProvider, iss: string, claims: Readonly<Record<string, string>>): string => {
    const { audience: aud, algorithms, maxTokenLifetime } = provider;
    const iat = Math.floor(clock.now() / 1000);
    const payload: Record<string, unknown> = { sub: 'sandbox-machine' };
    for (const [name, { at = [name] }] of Object.entries(provider.claims))
      setAt(payload, at, claims[name] ?? 'sandbox');
    Object.assign(payload, { iss, aud, iat, nbf: iat, exp: iat + Math.min(LIFETIME, maxTokenLifetime) });
    const signer = signers.get(algorithms[0] as SigningAlgorithm) as Signer;
    return signer.sign(payload, { typ: 'JWT' });
  };

  const server = await jsonServer('identity providers', respond);
  return {
    addressesOf: (provider) => ({ issuer: urlOf(issuerOf(provider)), keys: `${urlOf(issuerOf(provider))}/keys` }),
    tokenUrlOf: (provider) => `${urlOf(provider)}/token`,
    close: server.close,
  };
}

function setAt(payload: Record<string, unknown>, [member = '', ...more]: readonly string[], value: string): void {
  if (more.length === 0) {
    payload[member] = value;
    return;
  }
  const known = payload[member];
  const inner = typeof known === 'object' && known !== null ? (known as Record<string, unknown>) : {};
  payload[member] = inner;
  setAt(inner, more, value);
}

function text(status: number, content: string): LocalResponse {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8' }, text: content };
}
