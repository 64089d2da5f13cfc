// The fake Buildkite as an OIDC issuer: its discovery document, its keys, and the tokens of its jobs.

import { generateKeyPairSync, type KeyObject, randomBytes, randomUUID } from 'node:crypto';
import { exportJWK, SignJWT } from 'jose';
import type { LocalReply, LocalRequest } from '../../local-server.ts';
import { DEFAULT_LIFETIME, mustBeRequested, REQUESTABLE_CLAIMS, type RequestedToken } from './agent-api.ts';
import { claimsOfJob, type Job, type Organization } from './job.ts';

interface JobTokenOptions {
  readonly audience?: unknown;
  /** Seconds. */
  readonly lifetime?: number;
  /** Seconds since the epoch. */
  readonly issuedAt?: number;
  readonly overrides?: Readonly<Record<string, unknown>>;
  readonly header?: Readonly<Record<string, unknown>>;
}

export interface IssuerControls {
  /** A job token with every claim that can be requested. `overrides` replace claims; undefined removes one. */
  jobToken(job: Job, options?: JobTokenOptions): Promise<string>;
  /** Publishes a new signing key next to the old ones, or in place of them, and signs with it from then on. */
  rotateKey(options?: { readonly keepOld: boolean }): Promise<void>;
  /** How often the keys were requested. */
  readonly keyRequests: () => number;
}

export interface Issuer extends IssuerControls {
  /** The token that a job requests of the agent API. */
  signRequested(job: Job, requested: RequestedToken): Promise<string>;
  /** @param instead a response to send in place of the key set @returns undefined for another path */
  handle(request: LocalRequest, instead: (() => LocalReply | undefined) | undefined): LocalReply | undefined;
}

interface SigningKey {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly jwk: object;
}

export async function createIssuer(options: {
  /** Of the issuer, once it listens. */
  readonly url: () => string;
  readonly organization: Organization;
  /** Of job tokens for which no other is chosen. */
  readonly audience: string;
  readonly now: () => number;
}): Promise<Issuer> {
  const { url, organization, now } = options;
  firstKey ??= newKey();
  let keys = [await firstKey];
  let keyRequests = 0;

  const sign = async (
    job: Job,
    payload: Readonly<Record<string, unknown>>,
    { iat, lifetime }: { readonly iat: number; readonly lifetime: number },
    header: Readonly<Record<string, unknown>> = {},
  ): Promise<string> => {
    const claims = claimsOfJob(organization, job);
    const whole = {
      iss: url(),
      sub: `organization:${claims.organization_slug}:pipeline:${claims.pipeline_slug}:ref:refs/heads/${claims.build_branch}:commit:${claims.build_commit}:step:${claims.step_key}`,
      iat,
      nbf: iat,
      exp: iat + lifetime,
      jti: randomUUID(),
      ...payload,
    };
    const key = keys[0] as SigningKey;
    return new SignJWT(JSON.parse(JSON.stringify(whole)))
      .setProtectedHeader({ kid: key.kid, alg: 'RS256', ...header })
      .sign(key.privateKey);
  };

  return {
    jobToken: async (
      job,
      { audience = options.audience, lifetime = DEFAULT_LIFETIME, issuedAt, overrides = {}, header = {} } = {},
    ) => {
      const payload = { aud: audience, ...claimsOfJob(organization, job), ...overrides };
      return sign(job, payload, { iat: issuedAt ?? Math.floor(now() / 1000), lifetime }, header);
    },
    signRequested: (job, requested) => {
      const all = { ...REQUESTABLE_CLAIMS, ...claimsOfJob(organization, job) };
      const held = Object.entries(all).filter(([claim]) => !mustBeRequested(claim) || requested.claims.includes(claim));
      const { audience = `https://buildkite.com/${organization.slug}`, lifetime } = requested;
      return sign(job, { aud: audience, ...Object.fromEntries(held) }, { iat: Math.floor(now() / 1000), lifetime });
    },
    rotateKey: async ({ keepOld } = { keepOld: true }) => {
      keys = [await newKey(), ...(keepOld ? keys : [])];
    },
    keyRequests: () => keyRequests,
    handle: ({ method, path }, instead) => {
      if (method !== 'GET') return undefined;
      if (path === '/.well-known/openid-configuration')
        return {
          status: 200,
          json: {
            issuer: url(),
            jwks_uri: `${url()}/.well-known/jwks`,
            id_token_signing_alg_values_supported: ['RS256'],
          },
        };
      if (path !== '/.well-known/jwks') return undefined;
      keyRequests += 1;
      return instead?.() ?? { status: 200, json: { keys: keys.map(({ jwk }) => jwk) } };
    },
  };
}

/** Of every Buildkite of this process, because making one takes a while. */
let firstKey: Promise<SigningKey> | undefined;

async function newKey(): Promise<SigningKey> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const kid = randomBytes(32).toString('hex');
  return { kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: 'RS256', use: 'sig' } };
}
