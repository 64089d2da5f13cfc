// Tokens of machines in histories: valid ones of both identity providers, and each way of being of no use. They are signed for real.

import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import type { JsonResponse } from '../../../shared/runtime/http-client.ts';
import { DEPLOYER, issuerOf, keysOf, MACHINES_AUDIENCE, PROVIDER_NAMES, type ProviderName } from './rules.ts';

/** How a token differs from a valid one of the machine that rules mean. */
export const DEFECTS = ['none', 'account', 'audience', 'issuer', 'signature', 'expired', 'lifetime', 'claim'] as const;
export type Defect = (typeof DEFECTS)[number];

export interface MachineToken {
  readonly text: string;
  readonly provider: ProviderName;
  readonly defect: Defect;
  /** By the right clock, in milliseconds since the epoch. */
  readonly expires_at: number;
}

interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

const newPair = (): KeyPair => generateKeyPairSync('ec', { namedCurve: 'P-256' });
const PAIRS: Readonly<Record<ProviderName, KeyPair>> = { cloud: newPair(), cluster: newPair() };
const STRANGER = newPair();

/** The keys of the provider whose address this is. */
export function keySetAt(url: string): JsonResponse | undefined {
  const provider = PROVIDER_NAMES.find((name) => keysOf(name) === url);
  if (!provider) return undefined;
  const jwk = PAIRS[provider].publicKey.export({ format: 'jwk' });
  return {
    status: 200,
    headers: new Headers(),
    json: { keys: [{ ...jwk, kid: provider, alg: 'ES256', use: 'sig' }] },
  };
}

/** @param now by the right clock, which the providers have */
export function machineToken(provider: ProviderName, defect: Defect, now: number): MachineToken {
  const issued = Math.floor(now / 1000) - (defect === 'expired' ? 900 : 0);
  const expires = issued + (defect === 'lifetime' ? 3600 : 300);
  const claims = {
    iss: defect === 'issuer' ? 'https://elsewhere.model' : issuerOf(provider),
    aud: defect === 'audience' ? 'another service' : MACHINES_AUDIENCE,
    iat: issued,
    exp: expires,
    ...(defect === 'claim' ? {} : { account: defect === 'account' ? 'builder' : DEPLOYER }),
  };
  const signed = [{ alg: 'ES256', kid: provider, typ: 'JWT' }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  const { privateKey } = defect === 'signature' ? STRANGER : PAIRS[provider];
  const signature = sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  const text = `${signed}.${signature.toString('base64url')}`;
  return { text, provider, defect, expires_at: expires * 1000 };
}
