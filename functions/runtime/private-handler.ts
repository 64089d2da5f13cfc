// What `reader` and `admin` have in common: routes described by schemas, a caller whose ID token is verified here, and errors in
// one form. Cloud Run has checked that the caller may invoke the function; here it becomes known who it is.

import type * as z from 'zod';
import { type AuditEvent, auditEvent } from '../../shared/audit/events.ts';
import { parseJson } from '../../shared/core/json.ts';
import { errorSchema, findRoute, type Route, type Routes } from '../../shared/core/operator-api/route.ts';
import type { CallerProblem, VerifyCaller } from '../../shared/google/caller.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import { DependencyError } from '../../shared/runtime/errors.ts';
import {
  type ErrorResponses,
  type Handler,
  type HttpRequest,
  type HttpResponse,
  REQUEST_TIMED_OUT,
} from './http-server.ts';

/** Bytes of a request's body. */
export const PRIVATE_BODY_LIMIT = 64 * 1024;

/** A request whose caller, path, query and body are verified. */
export interface PrivateRequest<R extends Route> {
  /** The caller's e-mail address. */
  readonly actor: string;
  readonly request_id: string;
  /** Writes a line at once, before the response. */
  readonly audit: (event: AuditEvent) => void;
  /** The values of the names in the path. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: z.output<R['query']>;
  readonly body: R['body'] extends z.ZodType ? z.output<R['body']> : undefined;
}

interface Success<R extends Route> {
  readonly body: z.input<R['response']>;
  readonly auditEvents: readonly AuditEvent[];
}

/** A request that cannot be carried out. */
export interface Failure {
  readonly status: 400 | 404 | 409 | 503;
  readonly error: string;
  /** What happened and what to do. */
  readonly description: string;
  readonly auditEvents?: readonly AuditEvent[];
}

export type PrivateHandlers<R extends Routes> = {
  readonly [Name in keyof R]: (request: PrivateRequest<R[Name]>) => Promise<Success<R[Name]> | Failure>;
};

export function createPrivateHandler<const R extends Routes>(deps: {
  readonly routes: R;
  readonly handlers: PrivateHandlers<R>;
  readonly verifyCaller: VerifyCaller;
  readonly clock: Clock;
}): Handler {
  const { routes, handlers, verifyCaller, clock } = deps;
  const respond = async (request: HttpRequest): Promise<HttpResponse> => {
    const { request_id } = request;
    const caller = await callerOf(request, verifyCaller, clock.now());
    if ('problem' in caller) return refuse(caller, request_id);
    const found = findRoute(routes, request.method, request.path);
    if ('allow' in found) return noRoute(found.allow, request_id);
    const route = routes[found.name] as Route;
    const query = route.query.safeParse(readQuery(request.query));
    if (!query.success) return invalid('the query', query.error, request_id);
    const body = route.body?.safeParse(parseJson(request.body.toString('utf8')));
    if (body && !body.success) return invalid('the body', body.error, request_id);
    const handle = handlers[found.name] as (request: PrivateRequest<Route>) => Promise<Success<Route> | Failure>;
    const result = await handle({
      actor: caller.email,
      request_id,
      audit: request.audit,
      params: found.params,
      query: query.data,
      body: body?.data as undefined,
    });
    if ('status' in result) {
      const { status, error, description, auditEvents = [] } = result;
      return { ...errorResponse(status, error, description, request_id), auditEvents };
    }
    return { status: 200, body: result.body as object, auditEvents: result.auditEvents };
  };
  return async (request) => {
    try {
      return await respond(request);
    } catch (error) {
      if (!DependencyError.is(error)) throw error;
      const description = `${error.message}. Try again in ${error.retryAfter} seconds.`;
      return {
        ...errorResponse(503, 'temporarily_unavailable', description, request.request_id),
        headers: { 'retry-after': `${error.retryAfter}` },
        auditEvents: [
          auditEvent('task.failed', { dependency: error.dependency, error: error.message, code: error.code }),
        ],
      };
    }
  };
}

export const PRIVATE_ERROR_RESPONSES: ErrorResponses = {
  tooLarge: (request_id) => errorResponse(413, 'invalid_request', 'The limit is 64 KiB for a body.', request_id),
  tooSlow: REQUEST_TIMED_OUT,
};

/**
 * Cloud Run checks the token in X-Serverless-Authorization where there is one, and may replace its signature: the rest of it must be
 * what is verified here, or the actor would be somebody else than the person who was let in.
 */
function callerOf({ headers }: HttpRequest, verifyCaller: VerifyCaller, now: number): ReturnType<VerifyCaller> {
  const idToken = bearerOf(headers.authorization);
  const checked = headers['x-serverless-authorization'];
  if (idToken !== '' && checked !== undefined && signedPartOf(bearerOf(checked)) !== signedPartOf(idToken))
    return Promise.resolve({ problem: 'not_verified' });
  return verifyCaller(idToken, now);
}

function bearerOf(header = ''): string {
  return /^Bearer +(\S+) *$/i.exec(header)?.[1] ?? '';
}

/** Header and claims of a token. */
function signedPartOf(idToken: string): string {
  return idToken.split('.', 2).join('.');
}

/** All tokens that Google did not sign get one response. */
function refuse(caller: CallerProblem, request_id: string): HttpResponse {
  const auditEvents = [auditEvent('operator.refused', { problem: caller.problem })];
  if (caller.problem === 'keys_asked_recently')
    return {
      ...errorResponse(
        503,
        'temporarily_unavailable',
        "Google's keys are requested again later. Try again.",
        request_id,
      ),
      headers: { 'retry-after': `${caller.retryAfter}` },
      auditEvents,
    };
  return {
    ...errorResponse(401, 'invalid_token', describeProblem(caller), request_id),
    headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
    auditEvents,
  };
}

function describeProblem(caller: CallerProblem): string {
  switch (caller.problem) {
    case 'missing':
      return 'No ID token was sent. Send the header Authorization: Bearer ID_TOKEN, and the same in X-Serverless-Authorization.';
    case 'not_verified':
    case 'keys_asked_recently':
      return "The ID token is not one of Google's. If its signature is missing, Cloud Run removed it: send the token in X-Serverless-Authorization as well. Both headers must have the same token.";
    case 'audience_wrong':
      return `The ID token is for another audience. This function accepts: ${caller.expected.join(', ')}.`;
    case 'expired':
      return 'The ID token has expired. Get another one.';
    case 'not_yet_valid':
      return 'The ID token is not valid yet. See whether the clock of the machine that made it is right.';
    case 'email_missing':
      return 'The ID token has no e-mail address. With gcloud, add --include-email.';
    case 'email_not_verified':
      return 'The e-mail address in the ID token is not verified. Use another account.';
  }
}

function noRoute(allow: readonly string[], request_id: string): HttpResponse {
  if (allow.length === 0)
    return errorResponse(404, 'not_found', 'There is nothing at this path. See docs/openapi.json.', request_id);
  const methods = allow.join(', ');
  return {
    ...errorResponse(405, 'invalid_request', `This path accepts ${methods} only.`, request_id),
    headers: { allow: methods },
  };
}

/** A parameter that is repeated is given as a list, which no schema accepts. */
function readQuery(query: string): Record<string, unknown> {
  const parameters = new URLSearchParams(query);
  return Object.fromEntries(
    [...new Set(parameters.keys())].map((name) => {
      const values = parameters.getAll(name);
      return [name, values.length === 1 ? values[0] : values];
    }),
  );
}

function invalid(part: string, error: z.ZodError, request_id: string): HttpResponse {
  const problems = error.issues.map(({ path, message }) => [path.join('.'), message].filter(Boolean).join(': '));
  return errorResponse(400, 'invalid_request', `Something is wrong in ${part}. ${problems.join('; ')}`, request_id);
}

function errorResponse(status: number, error: string, description: string, request_id: string): HttpResponse {
  return { status, body: errorSchema.parse({ error, request_id, error_description: description }) };
}
