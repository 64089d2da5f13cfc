// One call to IAM or IAM Credentials as it is read from a request, and the permission it takes. Judges the form of a
// call as strictly as Google does; refuses to know which accounts exist and in which state.

import * as z from 'zod';
import { googleError } from './google-error.ts';
import type { Identity } from './google-metadata.ts';
import type { LocalAnswer, LocalRequest } from './local-server.ts';

export interface Call {
  readonly method: 'generateAccessToken' | 'signJwt' | 'get' | 'disable' | 'enable';
  readonly account: string;
  /** Whose token the call came with. */
  readonly identity: Identity;
  /** Empty for `get`, `disable` and `enable`. */
  readonly body: Readonly<Record<string, unknown>>;
  readonly reason: string | undefined;
}

export const PERMISSIONS: Readonly<Record<Call['method'], string>> = {
  generateAccessToken: 'iam.serviceAccounts.getAccessToken',
  signJwt: 'iam.serviceAccounts.signJwt',
  get: 'iam.serviceAccounts.get',
  disable: 'iam.serviceAccounts.disable',
  enable: 'iam.serviceAccounts.enable',
};

const ALLOWED: Readonly<Record<Identity, readonly Call['method'][]>> = {
  anyone: ['generateAccessToken', 'signJwt', 'get', 'disable', 'enable'],
  token: ['generateAccessToken', 'signJwt', 'get', 'disable'],
  webhook: ['get', 'disable'],
  sweep: ['get', 'disable', 'enable'],
};

export function isAllowed({ identity, method }: Call): boolean {
  return ALLOWED[identity].includes(method);
}

export const generateAccessTokenBody = z.strictObject({
  scope: z.array(z.string().regex(/^https:\/\/www\.googleapis\.com\/auth\/[a-z._-]+$/)).min(1),
  lifetime: z.string().regex(/^[1-9][0-9]*s$/),
});
export const signJwtBody = z.strictObject({ payload: z.string() });
const noBody = z.strictObject({});

const BODIES: Readonly<Record<Call['method'], z.ZodType<Readonly<Record<string, unknown>>>>> = {
  generateAccessToken: generateAccessTokenBody,
  signJwt: signJwtBody,
  get: noBody,
  disable: noBody,
  enable: noBody,
};

const PATH = /^\/v1\/projects\/([^/]+)\/serviceAccounts\/([^/:]+)(:[A-Za-z]+)?$/;
const METHODS: ReadonlyMap<string, Call['method']> = new Map([
  ['POST:generateAccessToken', 'generateAccessToken'],
  ['POST:signJwt', 'signJwt'],
  ['GET', 'get'],
  ['POST:disable', 'disable'],
  ['POST:enable', 'enable'],
]);

export type Target = Pick<Call, 'method' | 'account'> & { readonly project: string };

/** What a request is about, by its verb and path alone; undefined when nothing here answers to them. */
export function targetOf(request: LocalRequest): Target | undefined {
  const [, project, account, verb = ''] = PATH.exec(request.path) ?? [];
  const method = METHODS.get(`${request.method}${verb}`);
  if (!project || !account || !method) return undefined;
  return { method, account: decodeURIComponent(account), project: decodeURIComponent(project) };
}

/** The call, or what Google answers a request of that form and what was wrong with it. */
export function readCall(
  { method, account, project }: Target,
  identity: Identity,
  request: LocalRequest,
): Call | { readonly wrong: string; readonly answer: LocalAnswer } {
  const ofCredentials = method === 'generateAccessToken' || method === 'signJwt';
  // IAM itself takes the wildcard too, but then says 403 where 404 is meant: Keydesk must not depend on that.
  if (ofCredentials ? project !== '-' : project === '-')
    return {
      wrong: `${method} with ${project} for the project`,
      answer: googleError(400, 'INVALID_ARGUMENT', `Invalid project in the resource name: ${project}`),
    };
  if (!ofCredentials && !account.endsWith(`@${project.split(':').reverse().join('.')}.iam.gserviceaccount.com`))
    return {
      wrong: `${method} of ${account} in another project, ${project}`,
      answer: googleError(404, 'NOT_FOUND', 'Unknown service account'),
    };
  const empty = !ofCredentials && request.body === '';
  const body = BODIES[method].safeParse(empty ? {} : parseJson(request.body));
  if (!body.success || (!empty && request.headers['content-type'] !== 'application/json'))
    return {
      wrong: `${method} malformed`,
      answer: googleError(400, 'INVALID_ARGUMENT', 'Invalid JSON payload received.'),
    };
  const reason = request.headers['x-goog-request-reason'];
  return { method, account, identity, body: body.data, reason: typeof reason === 'string' ? reason : undefined };
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
