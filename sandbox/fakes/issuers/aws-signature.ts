// Whether a request to AWS is signed with the credentials of a role, by Signature Version 4.
// Source: docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html.

import { createHash, createHmac } from 'node:crypto';
import type { LocalRequest } from '../../local-server.ts';

export interface RoleCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  /** Milliseconds since the epoch. */
  readonly expiration: number;
}

const WINDOW_MS = 5 * 60_000;
const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([^/,]+)\/(\d{8})\/([^/,]+)\/([^/,]+)\/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/;

/** Undefined when it is. */
export function signatureProblem(
  { method, path, query, headers, bytes }: LocalRequest,
  expected: { readonly credentials: RoleCredentials; readonly region: string; readonly now: number },
): string | undefined {
  const { credentials, region, now } = expected;
  const found = AUTHORIZATION.exec(String(headers.authorization ?? ''));
  if (!found) return 'The Authorization header is not one of Signature Version 4';
  const [, key, day = '', inRegion = '', service = '', list = '', signature] = found;
  const date = String(headers['x-amz-date'] ?? '');
  if (key !== credentials.accessKeyId) return 'The access key is not known';
  if (headers['x-amz-security-token'] !== credentials.sessionToken) return 'The security token is missing or wrong';
  if (now >= credentials.expiration) return 'The security token is expired';
  if (inRegion !== region || service !== 'sts') return `Credential should be scoped to ${region} and sts`;
  if (!date.startsWith(day) || Math.abs(toTime(date) - now) > WINDOW_MS) return 'Signature expired, or not yet current';
  const signed = list.split(';');
  const needed = Object.keys(headers).filter(
    (name) => ['host', 'content-type'].includes(name) || name.startsWith('x-amz-'),
  );
  const missing = needed.find((name) => !signed.includes(name));
  if (missing !== undefined) return `The header ${missing} must be signed`;
  const canonical = [
    ...[
      method,
      path,
      [...query]
        .map(([name, value]) => `${encode(name)}=${encode(value)}`)
        .toSorted()
        .join('&'),
    ],
    ...signed.map(
      (name) =>
        `${name}:${String(headers[name] ?? '')
          .trim()
          .replaceAll(/ +/g, ' ')}`,
    ),
    ...['', list, sha256(bytes)],
  ].join('\n');
  const scope = `${day}/${inRegion}/${service}/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', date, scope, sha256(canonical)].join('\n');
  const signingKey = [day, inRegion, service, 'aws4_request'].reduce<string | Buffer>(
    (secret, part) => createHmac('sha256', secret).update(part).digest(),
    `AWS4${credentials.secretAccessKey}`,
  );
  const right = createHmac('sha256', signingKey).update(text).digest('hex');
  return right === signature ? undefined : 'The signature does not match';
}

/** @param date as in 20261130T201500Z */
function toTime(date: string): number {
  return Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
}

function sha256(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);
}
