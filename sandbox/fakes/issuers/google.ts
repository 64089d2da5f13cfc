// A fake Google as an issuer of machines' tokens: the identity endpoint of an instance's metadata server, and the ID tokens that IAM
// Credentials makes for a service account. Listens on loopback only.
// Source: cloud.google.com/compute/docs/instances/verifying-instance-identity;
// cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateIdToken.

import type { Clock } from '../../../shared/runtime/clock.ts';
import { jsonServer, type LocalRequest, type LocalResponse } from '../../local-server.ts';
import { Signer } from './signer.ts';

const SERVICE_ACCOUNT = 'agents@acme-build.iam.gserviceaccount.com';
const UNIQUE_ID = '112179062720391305885';
export const GOOGLE_PROJECT = 'acme-build';
/** Seconds. No request changes it. */
const LIFETIME = 3600;
const IDENTITY = '/computeMetadata/v1/instance/service-accounts/default/identity';
const FLAVOR = { 'metadata-flavor': 'Google', 'content-type': 'text/html' };

export interface FakeGoogleIssuer {
  readonly issuer: string;
  readonly keysUrl: string;
  /** host:port, for GCE_METADATA_HOST. */
  readonly metadataHost: string;
  readonly signer: Signer;
  /** Requests that the real Google would have refused. */
  readonly unexpected: readonly string[];
  /** A token of the instance, as `format=full` has it, or one of its service account alone. */
  token(audience: string, format?: 'full' | 'standard'): string;
  /** What `generateIdToken` of IAM Credentials makes. */
  serviceAccountToken(audience: string, options?: { readonly includeEmail?: boolean }): string;
  close(): Promise<void>;
}

export async function startFakeGoogleIssuer({ clock }: { readonly clock: Clock }): Promise<FakeGoogleIssuer> {
  const signer = new Signer('RS256', 'b1a0c1f5e0a5d3f6');
  const unexpected: string[] = [];
  const server = await jsonServer('fake Google issuer', (request) => {
    if (request.path === '/oauth2/v3/certs') return { status: 200, json: { keys: [signer.jwk] } };
    const response = respond(request);
    if (response.status !== 200) unexpected.push(`${request.method} ${request.path}: ${response.text}`);
    return response;
  });

  function respond({ method, path, query, headers }: LocalRequest): LocalResponse {
    const { audience, format = 'standard', licenses = 'FALSE', ...others } = Object.fromEntries(query);
    if (method !== 'GET' || path !== IDENTITY) return { status: 404, headers: FLAVOR, text: 'not found' };
    if (headers['metadata-flavor'] !== 'Google' || headers['x-forwarded-for'] !== undefined)
      return { status: 403, headers: FLAVOR, text: 'Missing Metadata-Flavor:Google header' };
    if (!audience) return { status: 400, headers: FLAVOR, text: 'non-empty audience parameter required' };
    if (!['full', 'standard'].includes(format) || !/^(TRUE|FALSE)$/.test(licenses) || Object.keys(others).length > 0)
      return { status: 400, headers: FLAVOR, text: 'invalid parameter' };
    return { status: 200, headers: FLAVOR, text: google.token(audience, format === 'full' ? 'full' : 'standard') };
  }

  const common = (audience: string) => {
    const iat = Math.floor(clock.now() / 1000);
    return { iss: server.url, aud: audience, azp: UNIQUE_ID, sub: UNIQUE_ID, iat, exp: iat + LIFETIME };
  };
  const google: FakeGoogleIssuer = {
    issuer: server.url,
    keysUrl: `${server.url}/oauth2/v3/certs`,
    metadataHost: new URL(server.url).host,
    signer,
    unexpected,
    token: (audience, format = 'full') =>
      signer.sign(
        {
          ...common(audience),
          ...{ email: SERVICE_ACCOUNT, email_verified: true },
          ...(format === 'full' ? { google: { compute_engine: instanceClaims(clock.now()) } } : {}),
        },
        { typ: 'JWT' },
      ),
    serviceAccountToken: (audience, { includeEmail = false } = {}) =>
      signer.sign(
        { ...common(audience), ...(includeEmail ? { email: SERVICE_ACCOUNT, email_verified: true } : {}) },
        { typ: 'JWT' },
      ),
    close: server.close,
  };
  return google;
}

function instanceClaims(now: number) {
  return {
    ...{ project_id: GOOGLE_PROJECT, project_number: 739419398126, zone: 'europe-west1-b' },
    ...{ instance_id: '4570452845155348778', instance_name: 'buildkite-agent-7c31' },
    ...{ instance_creation_timestamp: Math.floor(now / 1000) - 86_400, instance_confidentiality: 0 },
  };
}
