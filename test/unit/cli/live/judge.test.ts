import { expect, it } from 'vitest';
import { judgeResponse } from '../../../../cli/live/judge.ts';

const error = (code: number, more: object = {}) => ({ error: { code, message: 'no', status: 'X', ...more } });
const info = (reason: string) => ({
  details: [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason, domain: 'googleapis.com' }],
});

it.each([
  ['a document', 200, { name: 'a' }, 'accepted'],
  ['no content', 204, undefined, 'accepted'],
  ['a document that is not there', 404, error(404), 'accepted'],
  ['an unknown or ended token', 401, error(401, info('ACCOUNT_STATE_INVALID')), 'rejected'],
  ['a refusal of the rules', 403, error(403, { status: 'PERMISSION_DENIED' }), 'rejected'],
  ['a refusal of Cloud Storage', 403, error(403, { errors: [{ reason: 'forbidden' }] }), 'rejected'],
  ['a quota', 403, error(403, info('RATE_LIMIT_EXCEEDED')), 'error'],
  ["a quota of Cloud Storage's", 403, error(403, { errors: [{ reason: 'rateLimitExceeded' }] }), 'error'],
  ['an API that is off', 403, error(403, info('SERVICE_DISABLED')), 'error'],
  ["a proxy's page", 403, undefined, 'error'],
  ["a proxy's JSON", 401, { error: 'login' }, 'error'],
  ['another code inside', 401, error(403), 'error'],
  ['too many requests', 429, error(429), 'error'],
  ['a malformed request', 400, error(400), 'error'],
  ['an outage', 503, error(503), 'error'],
])('%s (%i)', (_, status, json, outcome) => {
  expect(judgeResponse({ status, json })).toBe(outcome);
});
