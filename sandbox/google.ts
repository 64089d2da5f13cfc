// A Google small enough for a laptop: the metadata server that gives a function its own identity, IAM Credentials, and a
// gate that judges service accounts' access tokens as Google's APIs do. It checks what it is sent as strictly as the
// real one and remembers whatever it did not expect. Listens on loopback only.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { SignJWT } from 'jose';
import * as z from 'zod';
import { jsonServer, type LocalAnswer, type LocalRequest } from './local-server.ts';

const MAX_LIFETIME = 3600;
const MAX_JWT_AHEAD = 12 * 3600;

interface Call {
  readonly method: 'generateAccessToken' | 'signJwt';
  readonly account: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly reason: string | undefined;
}

export interface LocalGoogle {
  readonly url: string;
  /** host:port, for GCE_METADATA_HOST. */
  readonly metadataHost: string;
  /** Every call to IAM Credentials that was well-formed, oldest first. */
  readonly calls: readonly Call[];
  /** Requests the real Google would have refused as malformed, or that no part of Keydesk should make. */
  readonly unexpected: readonly string[];
  /** Runs before each call to IAM Credentials is answered; an answer it returns is sent instead. */
  before: ((call: Call) => Promise<LocalAnswer | undefined> | LocalAnswer | undefined) | undefined;
  close(): Promise<void>;
}

const generateAccessToken = z.strictObject({
  scope: z.array(z.string().regex(/^https:\/\/www\.googleapis\.com\/auth\/[a-z._-]+$/)).min(1),
  lifetime: z.string().regex(/^[1-9][0-9]*s$/),
});
const signJwt = z.strictObject({ payload: z.string() });

/** @param parts.accounts the service accounts that exist and that the caller may act for */
export async function startGoogle(parts: {
  readonly accounts: readonly string[];
  readonly port?: number;
}): Promise<LocalGoogle> {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const ownTokens = new Set<string>();
  const issued = new Map<string, { account: string; scope: string[]; expiresAt: number }>();
  const calls: Call[] = [];
  const unexpected: string[] = [];

  const metadata = ({ method, path, headers }: LocalRequest): LocalAnswer => {
    const flavor = { 'metadata-flavor': 'Google' };
    if (method !== 'GET' || headers['metadata-flavor'] !== 'Google') return { status: 403, headers: flavor };
    if (path.endsWith('/service-accounts/default/token')) {
      const accessToken = `ya29.keydesk-service.${randomBytes(16).toString('hex')}`;
      ownTokens.add(accessToken);
      return {
        status: 200,
        headers: flavor,
        json: { access_token: accessToken, expires_in: 3599, token_type: 'Bearer' },
      };
    }
    if (/\/computeMetadata\/v1\/instance\/?$/.test(path)) return { status: 200, headers: flavor, text: 'hostname\n' };
    if (path.endsWith('/universe/universe-domain')) return { status: 200, headers: flavor, text: 'googleapis.com' };
    if (path.endsWith('/project/project-id')) return { status: 200, headers: flavor, text: 'keydesk-sandbox' };
    return { status: 404, headers: flavor };
  };

  const iamCredentials = async (request: LocalRequest, account: string, method: string): Promise<LocalAnswer> => {
    const bearer = bearerOf(request);
    if (!bearer || !ownTokens.has(bearer)) {
      unexpected.push(`${method} without the service's own token`);
      return googleError(401, 'UNAUTHENTICATED', 'Request had invalid authentication credentials.');
    }
    const shape = method === 'generateAccessToken' ? generateAccessToken : signJwt;
    const body = shape.safeParse(parseJson(request.body));
    if (!body.success || request.headers['content-type'] !== 'application/json') {
      unexpected.push(`${method} malformed`);
      return googleError(400, 'INVALID_ARGUMENT', 'Invalid JSON payload received.');
    }
    const reason = request.headers['x-goog-request-reason'];
    const call = { method, account, body: body.data, reason: typeof reason === 'string' ? reason : undefined } as Call;
    calls.push(call);
    const instead = await google.before?.(call);
    if (instead) return instead;
    if (!parts.accounts.includes(account))
      return googleError(
        403,
        'PERMISSION_DENIED',
        `Permission 'iam.serviceAccounts.${method === 'signJwt' ? 'signJwt' : 'getAccessToken'}' denied on resource (or it may not exist).`,
      );
    return 'payload' in body.data ? signed(body.data.payload) : minted(account, body.data);
  };

  const minted = (account: string, { scope, lifetime }: z.output<typeof generateAccessToken>): LocalAnswer => {
    const seconds = Number(lifetime.slice(0, -1));
    if (seconds > MAX_LIFETIME) return googleError(400, 'INVALID_ARGUMENT', 'lifetime must be at most 3600s');
    const accessToken = `ya29.c.${randomBytes(32).toString('base64url')}`;
    const expiresAt = Math.floor(Date.now() / 1000) * 1000 + seconds * 1000;
    issued.set(accessToken, { account, scope, expiresAt });
    return { status: 200, json: { accessToken, expireTime: new Date(expiresAt).toISOString().replace('.000Z', 'Z') } };
  };

  const signed = async (payload: string): Promise<LocalAnswer> => {
    const claims = z.record(z.string(), z.unknown()).safeParse(parseJson(payload));
    const now = Math.floor(Date.now() / 1000);
    const exp = claims.success ? Number(claims.data.exp ?? now) : Number.NaN;
    if (!claims.success || !Number.isInteger(exp) || exp < now || exp > now + MAX_JWT_AHEAD)
      return googleError(400, 'INVALID_ARGUMENT', 'payload must be a JSON object; exp at most 12 hours ahead');
    const signedJwt = await new SignJWT(claims.data)
      .setProtectedHeader({ alg: 'RS256', kid: 'local', typ: 'JWT' })
      .sign(privateKey);
    return { status: 200, json: { keyId: 'local', signedJwt } };
  };

  const gate = (request: LocalRequest): LocalAnswer => {
    const token = issued.get(bearerOf(request) ?? '');
    if (!token || token.expiresAt <= Date.now())
      return googleError(401, 'UNAUTHENTICATED', 'Request had invalid authentication credentials.');
    return { status: 200, json: { account: token.account, scope: token.scope.join(' ') } };
  };

  const server = await jsonServer(
    'local Google',
    (request) => {
      if (request.path.startsWith('/computeMetadata/') || request.path === '/') return metadata(request);
      const call = /^\/v1\/projects\/-\/serviceAccounts\/([^/:]+):(generateAccessToken|signJwt)$/.exec(request.path);
      if (call?.[1] && call[2] && request.method === 'POST')
        return iamCredentials(request, decodeURIComponent(call[1]), call[2]);
      if (request.path.startsWith('/gate')) return gate(request);
      unexpected.push(`${request.method} ${request.path}`);
      return googleError(404, 'NOT_FOUND', 'Not here.');
    },
    parts.port,
  );

  const google: LocalGoogle = {
    url: server.url,
    metadataHost: server.url.replace('http://', ''),
    calls,
    unexpected,
    before: undefined,
    close: server.close,
  };
  return google;
}

function bearerOf(request: LocalRequest): string | undefined {
  const { authorization } = request.headers;
  return typeof authorization === 'string' ? /^Bearer (.+)$/.exec(authorization)?.[1] : undefined;
}

function googleError(code: number, status: string, message: string): LocalAnswer {
  return { status: code, json: { error: { code, status, message } } };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
