// The one valid token request that the tests of the token endpoint change one thing in, and what every answer must be.

import { expect } from 'vitest';
import type { Called, InProcessKeydesk } from '../fixtures/in-process-keydesk.ts';
import { databaseOf } from '../fixtures/in-process-keydesk.ts';
import { callRaw, type RawRequest } from '../fixtures/raw-request.ts';

export const FORM = 'application/x-www-form-urlencoded';
const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:token-exchange';
export const TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:';

/** A job token of a running job of its own. */
export async function newJobToken(keydesk: InProcessKeydesk, claims: Record<string, unknown> = {}): Promise<string> {
  return keydesk.buildkite.jobToken(keydesk.buildkite.startJob(claims));
}

/** The valid form. */
export function tokenForm(jobToken: string): URLSearchParams {
  return new URLSearchParams({
    grant_type: GRANT_TYPE,
    subject_token: jobToken,
    subject_token_type: `${TOKEN_TYPE}jwt`,
    audience: 'staging-config',
  });
}

/** Sends it to the token function and checks what holds of every answer, good or bad. */
export async function send(keydesk: InProcessKeydesk, raw: RawRequest): Promise<Called> {
  const response = await callRaw(keydesk, keydesk.tokenUrl, raw);
  const requestId = response.headers.get('x-request-id');
  expect(requestId).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  expect(response.headers.get('cache-control')).toBe('no-store');
  expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  expect(response.text).not.toMatch(/<[a-z!]/i);
  if (response.status === 200) return response;
  expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
  expect(response.headers.has('retry-after')).toBe(response.status === 503 || response.status === 429);
  expect(response.audit).toMatchObject([
    { event: 'grant.refused', request_id: requestId, httpRequest: { status: response.status } },
  ]);
  if (raw.method === 'HEAD') return response;
  expect(response.json).toEqual({
    error: expect.stringMatching(/^[a-z_]+$/),
    request_id: requestId,
    error_description: expect.stringMatching(/^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/),
    ...(response.json.missing_claims === undefined ? {} : { missing_claims: expect.any(Array) }),
    ...(response.headers.has('retry-after') ? { retry_after: Number(response.headers.get('retry-after')) } : {}),
    ...(response.audit[0].reason === 'google_refused' ? { permanent: true } : {}),
  });
  expect(Object.keys(response.json).slice(0, 3)).toEqual(['error', 'request_id', 'error_description']);
  return response;
}

export function sendForm(
  keydesk: InProcessKeydesk,
  form: URLSearchParams | string,
  headers: RawRequest['headers'] = {},
) {
  return send(keydesk, { path: '/token', headers: { 'content-type': FORM, ...headers }, body: String(form) });
}

export function sendByPath(
  keydesk: InProcessKeydesk,
  jobToken: string,
  credential: string,
  headers: RawRequest['headers'] = {},
) {
  return send(keydesk, { path: `/token/${credential}`, headers: { authorization: `Bearer ${jobToken}`, ...headers } });
}

/** The answer's text without what differs by nature. */
export function withoutRequestId({ status, text, json }: Called): string {
  return `${status} ${text.replaceAll(json.request_id, 'ID')}`;
}

/** What the ledger holds of the job of a job token. */
export async function grantsOf(keydesk: InProcessKeydesk, jobToken: string): Promise<Record<string, unknown>[]> {
  const claims = JSON.parse(Buffer.from(jobToken.split('.')[1] ?? '', 'base64url').toString()) as { job_id: string };
  const grants = databaseOf(keydesk.project, 'ledger').collection('grants').where('subject.id', '==', claims.job_id);
  return (await grants.get()).docs.map((grant) => grant.data());
}
