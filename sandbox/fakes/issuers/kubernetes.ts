// A fake cluster that issues tokens of service accounts, as the kubelet projects them into a pod's file. EKS and GKE publish the keys
// at addresses of their own. Listens on loopback only.
// Source: kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin; kubernetes.io/docs/tasks/configure-pod-container/
// configure-service-account; kubernetes/kubernetes, pkg/serviceaccount/claims.go.

import type { Clock } from '../../../shared/runtime/clock.ts';
import { jsonServer } from '../../local-server.ts';
import { Signer } from './signer.ts';

export const SERVICE_ACCOUNT = { namespace: 'buildkite', name: 'agents' };
const MIN_EXPIRATION = 600;
const MAX_EXPIRATION = 2 ** 32;
const KEYS = '/id/8EBD00EXAMPLE/keys';

interface ProjectedToken {
  /** The audience of the API server when left out. */
  readonly audience?: string;
  /** Of the volume's source; an hour when left out. */
  readonly expirationSeconds?: number;
}

export interface FakeCluster {
  readonly issuer: string;
  readonly keysUrl: string;
  readonly signer: Signer;
  /** @throws RangeError for an `expirationSeconds` that the API server refuses */
  token(projected: ProjectedToken): string;
  /** What TokenRequest makes for several audiences. */
  tokenFor(audiences: readonly string[]): string;
  close(): Promise<void>;
}

export async function startFakeCluster({ clock }: { readonly clock: Clock }): Promise<FakeCluster> {
  const signer = new Signer('RS256', '6f1c2b9d0e');
  const server = await jsonServer('fake cluster', ({ method, path }) =>
    method === 'GET' && path === KEYS ? { status: 200, json: { keys: [signer.jwk] } } : { status: 404 },
  );
  const issuer = `${server.url}/id/8EBD00EXAMPLE`;
  const { namespace, name } = SERVICE_ACCOUNT;
  const sign = (aud: readonly string[], seconds: number) => {
    const iat = Math.floor(clock.now() / 1000);
    const pod = { name: 'agent-5f7d', uid: '900f80ed-bafe-49f0-9ae2-c5f0a3ac2cbe' };
    const node = { name: 'node-1', uid: '1f4a5c2e-3c0b-4d53-8a40-5c0f6f8f7e11' };
    const serviceaccount = { name, uid: 'a709ef71-30e2-489a-bd19-ade97031b9db' };
    return signer.sign({
      ...{ iss: issuer, aud, sub: `system:serviceaccount:${namespace}:${name}`, iat, nbf: iat, exp: iat + seconds },
      jti: 'f1a2b3c4-5d6e-4f70-8a91-b2c3d4e5f607',
      'kubernetes.io': { namespace, node, pod, serviceaccount },
    });
  };
  return {
    issuer,
    keysUrl: `${server.url}${KEYS}`,
    signer,
    token: ({ audience = issuer, expirationSeconds = 3600 }) => {
      if (expirationSeconds < MIN_EXPIRATION || expirationSeconds > MAX_EXPIRATION)
        throw new RangeError('spec.expirationSeconds: may not specify a duration less than 10 minutes, or over 2^32 s');
      return sign([audience], expirationSeconds);
    },
    tokenFor: (audiences) => sign(audiences, 3600),
    close: server.close,
  };
}
