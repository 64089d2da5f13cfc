import { createHash } from 'node:crypto';
import { LookupLimit } from '../../../functions/token/lookup-limit.ts';
import { createTokenHandler } from '../../../functions/token/routes.ts';
import type { AuditEvent } from '../../../shared/audit/events.ts';
import { createAuditLogger } from '../../../shared/audit/logger.ts';
import { ACCESS_TOKEN_TYPE, TOKEN_EXCHANGE } from '../../../shared/core/oauth/exchange-request.ts';
import type { TokenRequest } from '../../../shared/operations/issue-token.ts';
import { claims, grantIn } from '../../../test/fixtures/grants.ts';
import { formParameters } from '../independent/form.ts';
import { readRequest, type WrittenRequest, writeRequest } from '../independent/http-request.ts';
import { CLOCK } from '../independent/setting.ts';
import { demand, demandEqual, type Target } from '../target.ts';

const JWT = 'urn:ietf:params:oauth:token-type:jwt';
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
/** No response and no audit line may have it. */
const SECRET = 'eyJhbGciOiJSUzI1NiJ9.eyJqb2IiOjF9.c2lnbmF0dXJl';
const ACCESS_TOKEN = 'ya29.c.accesstokenaccesstoken';
const GRANT = grantIn('active', 'firestore');
const exchange = (more: Readonly<Record<string, string>> = {}) =>
  new URLSearchParams({
    ...{ grant_type: TOKEN_EXCHANGE, subject_token: SECRET, subject_token_type: JWT, audience: 'staging-config' },
    ...more,
  }).toString();

export const target: Target = {
  claim:
    'A request to the token function: it issues, revokes or looks up only what a form that is read byte by byte, or the path and a bearer token, says once; responses are those of the RFCs and repeat no secret.',
  files: [
    'functions/token/routes.ts',
    'functions/token/exchange.ts',
    'functions/token/form.ts',
    'functions/token/held-token.ts',
    'functions/token/revoke.ts',
    'functions/token/introspect.ts',
    'functions/token/metadata.ts',
    'functions/token/error-response.ts',
    'shared/core/oauth/exchange-request.ts',
    'shared/core/oauth/token-request.ts',
    'shared/core/oauth/access-token-form.ts',
  ],
  seeds: [
    writeRequest('POST /token', FORM, exchange()),
    writeRequest(
      'POST /token',
      { 'content-type': 'Application/X-WWW-Form-Urlencoded ; charset=utf-8' },
      exchange({ scope: 'a  b', lifetime: '600', requested_token_type: ACCESS_TOKEN_TYPE }),
    ),
    writeRequest('POST /token', FORM, exchange({ actor_token: 'x' })),
    writeRequest('POST /token', FORM, `${exchange()}&audience=other`),
    writeRequest('POST /token/staging-config', { authorization: `Bearer ${SECRET}`, accept: 'text/plain' }),
    writeRequest('POST /token/a%2Fb//?x=1', { authorization: `bearer   ${SECRET}  ` }),
    writeRequest('POST /token/staging-config', { authorization: 'Basic eDp5' }),
    writeRequest('POST /revoke', FORM, `token=${ACCESS_TOKEN}&token_type_hint=access_token`),
    writeRequest('POST /introspect', { ...FORM, 'content-encoding': 'identity' }, `token=${ACCESS_TOKEN}`),
    writeRequest(
      'POST /introspect',
      FORM,
      'token=eyJhIjoxfQ.eyJrZXlkZXNrX2dyYW50IjoiMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAifQ.',
    ),
    writeRequest('GET /.well-known/oauth-authorization-server', {
      host: 'keydesk.example',
      'x-forwarded-proto': 'https',
    }),
    writeRequest('GET /health', {}),
    writeRequest('PUT /token', FORM, 'grant_type=password'),
  ],
  run: async (input) => {
    const request = readRequest(input);
    const done: Done = { issued: [], lookedUp: [], released: 0 };
    const {
      status,
      headers = {},
      body,
      auditEvents = [],
    } = await handlerOf(done)({
      ...request,
      ...{ request_id: 'request-id', remoteIp: '192.0.2.1', audit: () => {} },
    });
    demand([200, 400, 401, 404, 405, 413, 415, 429, 503].includes(status), `the status ${status} is documented`);
    const said = typeof body === 'string' ? body : JSON.stringify(body);
    const logged = logOf(auditEvents, request);
    demand(!said.includes(SECRET) && !logged.includes(SECRET), 'no job token is repeated');
    demand(!logged.includes(ACCESS_TOKEN), 'no access token is logged');
    if (status !== 200) demandError(said, headers);
    const expected = judge(request);
    demandEqual(done.issued, expected.issues, 'what is issued');
    demandEqual(done.lookedUp, expected.looksUp, 'which tokens are looked up');
    demand(done.released === (request.path === '/revoke' ? expected.looksUp.length : 0), 'what is released');
  },
};

/** As it is written. A token that somebody put into a path is taken out there. */
function logOf(events: readonly AuditEvent[], { method, path, headers }: WrittenRequest): string {
  const lines: string[] = [];
  const audit = createAuditLogger({ project: 'acme', write: (line) => lines.push(line) });
  const seen = { request_id: 'request-id', remoteIp: undefined, status: 400, latencyMs: 1, trace: undefined };
  for (const event of events) audit(event, { ...seen, method, path, userAgent: headers['user-agent'] });
  return lines.join('');
}

interface Done {
  readonly issued: TokenRequest[];
  readonly lookedUp: string[];
  released: number;
}

function handlerOf(done: Done) {
  return createTokenHandler({
    issueToken: async (requested) => {
      done.issued.push(requested);
      const { jobToken, ...rest } = requested;
      if (jobToken !== SECRET) return refused(jobToken === '' ? 'job_token_missing' : 'job_token_malformed');
      return {
        ...{ outcome: 'issued', grant: GRANT, grant_id: 'grant', accessToken: ACCESS_TOKEN, scopes: rest.scopes },
        ...{ token_sha256: 'sha256', expires_at: CLOCK.now() + 600_000, claims, trace: [], accountFailures: [] },
      } as const;
    },
    lookUpToken: async (sha256) => {
      done.lookedUp.push(sha256);
      return { ...GRANT, tokens: [{ sha256, expires_at: CLOCK.now() + 600_000 }], expires_at: CLOCK.now() + 600_000 };
    },
    releaseGrant: async (grant) => {
      done.released += 1;
      return { revoked: [grant], notRenewed: [], expired: [], pending: [] };
    },
    policySha256: 'policy',
    contact: '#platform',
    clock: CLOCK,
    lookups: new LookupLimit({ clock: CLOCK, audit: () => {} }),
  });
}

function refused(reason: 'job_token_missing' | 'job_token_malformed') {
  return { outcome: 'refused', refusal: { reason }, claims: undefined, accountFailures: [] } as const;
}

/** RFC 6749 section 5.2. */
function demandError(said: string, headers: Readonly<Record<string, string>>): void {
  const { error, request_id, error_description } = JSON.parse(said) as Record<string, unknown>;
  demand(/^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/.test(`${error}`), 'error has the characters of RFC 6749');
  demand(/^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/.test(`${error_description}`), 'error_description has them too');
  demand(request_id === 'request-id', 'the response has the request id');
  demand(
    Object.values(headers).every((value) => /^[\x20-\x7e]*$/.test(value)),
    'headers are printable',
  );
}

interface Effects {
  readonly issues: readonly TokenRequest[];
  readonly looksUp: readonly string[];
}

function judge(request: WrittenRequest): Effects {
  const { method, path, headers, body } = request;
  const nothing: Effects = { issues: [], looksUp: [] };
  if (method !== 'POST') return nothing;
  if (path.startsWith('/token/')) return { ...nothing, issues: byPath(path.slice('/token/'.length), headers, body) };
  const type = (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
  if (type !== FORM['content-type'] || (headers['content-encoding'] ?? 'identity') !== 'identity') return nothing;
  const parameters = formParameters(Buffer.from(body.toString('utf8')));
  if (path === '/token') return { ...nothing, issues: byForm(parameters) };
  if (path !== '/revoke' && path !== '/introspect') return nothing;
  const tokens = parameters.filter(([name]) => name === 'token').map(([, value]) => value.trim());
  const [token] = tokens;
  if (tokens.length !== 1 || !token || !mayBeIssued(token)) return nothing;
  return { ...nothing, looksUp: [createHash('sha256').update(token).digest('hex')] };
}

function byPath(credentialName: string, headers: WrittenRequest['headers'], body: Buffer): TokenRequest[] {
  if (body.length > 0 || credentialName.replaceAll('/', '') === '') return [];
  const [scheme = '', ...rest] = (headers.authorization ?? '').split(' ');
  const written = rest.join(' ').replace(/^ +/, '');
  const jobToken = scheme.toLowerCase() === 'bearer' && !/^\s|[\r\n]/.test(written) ? written.trim() : '';
  return short({ jobToken, credentialName, scopes: [], lifetime: undefined });
}

function byForm(parameters: readonly (readonly [string, string])[]): TokenRequest[] {
  const names = parameters.map(([name]) => name);
  if (new Set(names).size !== names.length) return [];
  const form = new Map(parameters.filter(([, value]) => value !== ''));
  const jobToken = form.get('subject_token')?.trim() ?? '';
  const lifetime = form.get('lifetime');
  const isWrong =
    form.get('grant_type') !== TOKEN_EXCHANGE ||
    form.has('actor_token') ||
    form.has('actor_token_type') ||
    jobToken === '' ||
    ![JWT, 'urn:ietf:params:oauth:token-type:id_token'].includes(form.get('subject_token_type') ?? '') ||
    (form.get('requested_token_type') ?? ACCESS_TOKEN_TYPE) !== ACCESS_TOKEN_TYPE ||
    !form.has('audience') ||
    (lifetime !== undefined && !(/^\d{1,5}$/.test(lifetime) && Number(lifetime) >= 60 && Number(lifetime) <= 3600));
  if (isWrong) return [];
  const scopes = (form.get('scope') ?? '').split(' ').filter((scope) => scope !== '');
  const credentialName = form.get('audience') ?? '';
  return short({ jobToken, credentialName, scopes, lifetime: lifetime === undefined ? undefined : Number(lifetime) });
}

function short(requested: TokenRequest): TokenRequest[] {
  return Buffer.byteLength(requested.jobToken) > 8192 ? [] : [requested];
}

/** A Google access token, or a JWT with a grant. */
function mayBeIssued(token: string): boolean {
  if (/^ya29\.[A-Za-z0-9._~+/=-]{16,}$/.test(token)) return true;
  const [header = '', payload = '', signature, ...more] = token.split('.');
  const isJwt = signature !== undefined && more.length === 0 && /^[A-Za-z0-9_.-]+$/.test(token);
  if (!isJwt || !/^eyJ./.test(header) || !/^eyJ./.test(payload)) return false;
  try {
    const { keydesk_grant } = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as Record<string, unknown>;
    return typeof keydesk_grant === 'string' && /^[0-9a-f]{32}$/.test(keydesk_grant);
  } catch {
    return false;
  }
}
