import { createPrivateHandler, type PrivateRequest } from '../../../functions/runtime/private-handler.ts';
import { ADMIN_ROUTES } from '../../../shared/core/operator-api/admin.ts';
import { READER_ROUTES } from '../../../shared/core/operator-api/reader.ts';
import type { Route } from '../../../shared/core/operator-api/route.ts';
import { fromWire, toWire } from '../../../shared/core/operator-api/selector.ts';
import { operations, validatorOf } from '../../../test/fixtures/openapi.ts';
import { formParameters } from '../independent/form.ts';
import { readRequest, type WrittenRequest, writeRequest } from '../independent/http-request.ts';
import { CLOCK } from '../independent/setting.ts';
import { demand, demandEqual, type Target } from '../target.ts';

const ROUTES: Readonly<Record<string, Route>> = { ...READER_ROUTES, ...ADMIN_ROUTES };
const GOOD = { authorization: 'Bearer good' };
const ID = '0184990a-477b-4fa8-9968-496074483cee';
const kill = (body: object) => writeRequest('POST /kill', GOOD, JSON.stringify({ id: ID, reason: 'leaked', ...body }));

export const target: Target = {
  claim:
    'A request to reader or admin: what reaches a route is valid by docs/openapi.json as ajv reads it, from a verified caller, with each parameter once.',
  files: [
    'functions/runtime/private-handler.ts',
    'shared/core/operator-api/route.ts',
    'shared/core/operator-api/selector.ts',
    'shared/core/operator-api/admin.ts',
    'shared/core/operator-api/grant-list.ts',
  ],
  seeds: [
    kill({
      selector: { job_id: ID, environment: 'production', issued_since: '2026-11-24T10:00:00+01:00' },
      block: true,
    }),
    kill({ all: true, dry_run: true, unknown_ok: false, resume: false }),
    kill({ token_sha256: 'a'.repeat(64) }),
    kill({ pipeline: 'web', selector: { policy_sha256: 'b'.repeat(64), build_branch: 'main', agent_id: ID } }),
    writeRequest('POST /kill/lost', GOOD, JSON.stringify({ id: ID, grants: [{ grant_id: 'a'.repeat(32) }] })),
    writeRequest(`POST /blocks/${ID}/remove`, GOOD),
    writeRequest('GET /status', GOOD),
    writeRequest(`GET /grants?pipeline=web&branch=main&state=live&from=2026-11-24T10:00:00Z&limit=50&cursor=abc`, GOOD),
    writeRequest(`GET /grants?job_id=${ID}&token_sha256=${'c'.repeat(64)}&account=a%40b&limit=500`, GOOD),
    writeRequest('GET /grants/a%2Fb', { ...GOOD, 'x-serverless-authorization': 'bearer good' }),
    writeRequest(
      'GET /review?as_of=2026-11-24T10:00:00.000001Z&from=2026-11-24T10:00:00Z&to=2026-11-25T10:00:00Z',
      GOOD,
    ),
    writeRequest('GET /policies/abc', { authorization: 'Bearer bad' }),
  ],
  run: async (input) => {
    const request = readRequest(input);
    const reached: { name: string; request: PrivateRequest<Route> }[] = [];
    const response = await handlerOf(reached)({
      ...request,
      ...{ request_id: 'request-id', remoteIp: undefined, audit: () => {} },
    });
    demand([200, 400, 401, 404, 405].includes(response.status), `the status ${response.status} is documented`);
    const said = response.body as { error?: string; request_id?: string; error_description?: string };
    if (response.status !== 200) demand(!!said.error && !!said.error_description, 'an error says what happened');
    demand(reached.length === (response.status === 200 ? 1 : 0), 'what is refused reaches no route');
    for (const one of reached) demandValid(one.name, one.request, request);
  },
};

function handlerOf(reached: { name: string; request: PrivateRequest<Route> }[]) {
  const handlers = Object.keys(ROUTES).map((name) => {
    const handle = async (request: PrivateRequest<Route>) => {
      reached.push({ name, request });
      return { body: {}, auditEvents: [] };
    };
    return [name, handle] as const;
  });
  return createPrivateHandler({
    routes: ROUTES,
    handlers: Object.fromEntries(handlers),
    verifyCaller: async (idToken) => (idToken === 'good' ? { email: 'ops@acme.example' } : { problem: 'not_verified' }),
    clock: CLOCK,
  });
}

function demandValid(name: string, { actor, params, body }: PrivateRequest<Route>, written: WrittenRequest): void {
  demand(/^bearer +good *$/i.test(written.headers.authorization ?? ''), 'the caller sent a good token');
  demand(actor === 'ops@acme.example', 'the actor is the caller');
  const operation = operations().find(({ operationId }) => operationId === name);
  demand(operation !== undefined, 'the route is described');
  const place = new RegExp(`^${operation.path.replaceAll(/\{\w+\}/g, '([^/]+)')}$`).exec(written.path);
  demandEqual(Object.values(params), place?.slice(1).map(decodeURIComponent), 'the values in the path');
  const parameters = formParameters(Buffer.from(written.query, 'latin1'));
  const known = (operation.parameters ?? []).filter((parameter) => parameter.in === 'query');
  demand(
    parameters.every(([one]) => known.some((parameter) => parameter.name === one)),
    'each parameter is known',
  );
  demand(new Set(parameters.map(([one]) => one)).size === parameters.length, 'each parameter is given once');
  const ajv = validatorOfBody(operation);
  const data: unknown = ajv && JSON.parse(written.body.toString('utf8'));
  demand(!ajv || ajv(data), 'the body is valid by docs/openapi.json');
  const { selector } = (body ?? {}) as { selector?: Parameters<typeof fromWire>[0] };
  if (selector)
    demandEqual(fromWire(toWire(fromWire(selector))), fromWire(selector), 'a selector survives its own text');
}

function validatorOfBody({ requestBody }: ReturnType<typeof operations>[number]) {
  return requestBody && validatorOf(requestBody.content['application/json'].schema);
}
