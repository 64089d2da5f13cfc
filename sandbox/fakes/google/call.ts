// One call to Google as the fake records it; of those to IAM and IAM Credentials, how they are read from a request
// and the permission they take. Judges the form of a call as strictly as Google does; refuses to know which accounts
// exist and in which state.

import * as z from 'zod';
import { permissionsOf } from '../../../deploy/privileges.ts';
import { parseJson } from '../../../shared/core/json.ts';
import type { LocalRequest, LocalResponse } from '../../local-server.ts';
import type { Boundary } from './boundary.ts';
import { googleError } from './error.ts';
import type { Identity } from './metadata.ts';

export interface IamCall {
  readonly method: 'generateAccessToken' | 'signJwt' | 'get' | 'disable' | 'enable';
  readonly account: string;
  /** Whose token the call came with. */
  readonly identity: Identity;
  /** Empty for `get`, `disable` and `enable`. */
  readonly body: Readonly<Record<string, unknown>>;
  readonly reason: string | undefined;
}

/** A call to the Security Token Service: the token that it exchanges is all it takes, so nobody is known to make it. */
export interface ExchangeCall {
  readonly method: 'exchangeToken';
  /** Whose token is exchanged. */
  readonly account: string;
  readonly identity: 'nobody';
  readonly body: { readonly options: { readonly accessBoundary: Boundary } };
  readonly reason: string | undefined;
}

export type Call = IamCall | ExchangeCall;

export const PERMISSIONS: Readonly<Record<IamCall['method'], string>> = {
  generateAccessToken: 'iam.serviceAccounts.getAccessToken',
  signJwt: 'iam.serviceAccounts.signJwt',
  get: 'iam.serviceAccounts.get',
  disable: 'iam.serviceAccounts.disable',
  enable: 'iam.serviceAccounts.enable',
};

/** As the Terraform module grants it. */
const ALLOWED: Readonly<Record<Identity, readonly string[]>> = {
  anyone: Object.values(PERMISSIONS),
  token: [...permissionsOf('token')],
  webhook: [...permissionsOf('webhook')],
  sweep: [...permissionsOf('sweep')],
  reader: [...permissionsOf('reader')],
  admin: [...permissionsOf('admin')],
};

export function isAllowed({ identity, method }: IamCall): boolean {
  return ALLOWED[identity].includes(PERMISSIONS[method]);
}

export const generateAccessTokenBody = z.strictObject({
  scope: z.array(z.string().regex(/^https:\/\/www\.googleapis\.com\/auth\/[a-z._-]+$/)).min(1),
  lifetime: z.string().regex(/^[1-9][0-9]*s$/),
});
export const signJwtBody = z.strictObject({ payload: z.string() });
const noBody = z.strictObject({});

const BODIES: Readonly<Record<IamCall['method'], z.ZodType<Readonly<Record<string, unknown>>>>> = {
  generateAccessToken: generateAccessTokenBody,
  signJwt: signJwtBody,
  get: noBody,
  disable: noBody,
  enable: noBody,
};

const PATH = /^\/v1\/projects\/([^/]+)\/serviceAccounts\/([^/:]+)(:[A-Za-z]+)?$/;
const METHODS: ReadonlyMap<string, IamCall['method']> = new Map([
  ['POST:generateAccessToken', 'generateAccessToken'],
  ['POST:signJwt', 'signJwt'],
  ['GET', 'get'],
  ['POST:disable', 'disable'],
  ['POST:enable', 'enable'],
]);

export type Target = Pick<IamCall, 'method' | 'account'> & { readonly project: string };

/** What a request is about, by its verb and path alone; undefined when they are unknown here. */
export function targetOf(request: LocalRequest): Target | undefined {
  const [, project, account, verb = ''] = PATH.exec(request.path) ?? [];
  const method = METHODS.get(`${request.method}${verb}`);
  if (!project || !account || !method) return undefined;
  return { method, account: decodeURIComponent(account), project: decodeURIComponent(project) };
}

/** The call, or Google's response to a request of that form and what is wrong with it. */
export function readCall(
  { method, account, project }: Target,
  identity: Identity,
  request: LocalRequest,
): IamCall | { readonly wrong: string; readonly response: LocalResponse } {
  const ofCredentials = method === 'generateAccessToken' || method === 'signJwt';
  // IAM itself takes the wildcard too, but then says 403 where 404 is meant: Keydesk must not depend on that.
  if (ofCredentials ? project !== '-' : project === '-')
    return {
      wrong: `${method} with ${project} for the project`,
      response: googleError(400, 'INVALID_ARGUMENT', `Invalid project in the resource name: ${project}`),
    };
  if (!ofCredentials && !account.endsWith(`@${project.split(':').reverse().join('.')}.iam.gserviceaccount.com`))
    return {
      wrong: `${method} of ${account} in another project, ${project}`,
      response: googleError(404, 'NOT_FOUND', 'Unknown service account'),
    };
  const empty = !ofCredentials && request.body === '';
  const body = BODIES[method].safeParse(empty ? {} : parseJson(request.body));
  if (!body.success || (!empty && request.headers['content-type'] !== 'application/json'))
    return {
      wrong: `${method} malformed`,
      response: googleError(400, 'INVALID_ARGUMENT', 'Invalid JSON payload received.'),
    };
  return { method, account, identity, body: body.data, reason: reasonOf(request) };
}

/** Why the caller says that it calls. Source: docs.cloud.google.com/apis/docs/system-parameters */
export function reasonOf({ headers }: LocalRequest): string | undefined {
  const reason = headers['x-goog-request-reason'];
  return typeof reason === 'string' ? reason : undefined;
}
