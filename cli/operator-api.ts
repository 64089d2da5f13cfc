// Calls the private functions `reader` and `admin`, as docs/openapi.json describes them.

import { Option } from '@commander-js/extra-typings';
import type * as z from 'zod';
import { errorSchema, pathOf, type Route, type Routes } from '../shared/core/operator-api/route.ts';
import { stripTrailingSlash } from '../shared/google/response.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import { DependencyError } from '../shared/runtime/errors.ts';
import { createHttpClient } from '../shared/runtime/http-client.ts';
import { causeOf } from './connection-cause.ts';
import { findIdToken, NoIdToken } from './id-token.ts';
import { EXIT, fail } from './terminal.ts';

/** `admin` takes four minutes at most for what it ends. */
const DEADLINE_MS = 290_000;
const MAX_BYTES = 32 * 1024 * 1024;

const VARIABLES = { reader: 'KEYDESK_READER_URL', admin: 'KEYDESK_ADMIN_URL' } as const;
type FunctionName = keyof typeof VARIABLES;

export function readerOption() {
  return new Option('--reader <url>', 'URL of the function reader').env('KEYDESK_READER_URL');
}

export function adminOption() {
  return new Option('--admin <url>', 'URL of the function admin').env('KEYDESK_ADMIN_URL');
}

export function impersonateOption() {
  return new Option('--impersonate <email>', 'act as this service account').env('KEYDESK_IMPERSONATE');
}

interface Arguments<R extends Route> {
  readonly params?: Readonly<Record<string, string>>;
  /** Undefined members are left out. */
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: R['body'] extends z.ZodType ? z.input<R['body']> : undefined;
}

export type OperatorApi<R extends Routes> = <Name extends keyof R & string>(
  name: Name,
  args?: Arguments<R[Name]>,
) => Promise<z.output<R[Name]['response']>>;

/** The function responded that it does not do this. The message is the function's own. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly status: number;
  /** For machines; undefined where another server than the function responded. */
  readonly code: string | undefined;
  constructor(status: number, code: string | undefined, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/**
 * A client of one function. Gets the ID token once, for the life of the command.
 * Its calls throw Refused, and DependencyError when the function cannot be reached.
 */
export async function openOperatorApi<const R extends Routes>(
  name: FunctionName,
  routes: R,
  options: { readonly url: string | undefined; readonly impersonate: string | undefined },
): Promise<OperatorApi<R>> {
  const url = checkUrl(name, options.url);
  const idToken = await findIdToken(url, options.impersonate, systemClock);
  const send = createHttpClient(systemClock);
  return async (routeName, { params = {}, query = {}, body } = {}) => {
    const route = routes[routeName] as Route;
    const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
    const search = new URLSearchParams(given).toString();
    const { status, json } = await send({
      dependency: `The function ${name} at ${new URL(url).host}`,
      url: `${url}${pathOf(route, params)}${search && `?${search}`}`,
      method: route.method,
      // Cloud Run removes the signature of the token that it checks, which is this one where both are sent.
      headers: { authorization: `Bearer ${idToken}`, 'x-serverless-authorization': `Bearer ${idToken}` },
      ...(body === undefined ? {} : { json: body }),
      deadlineMs: DEADLINE_MS,
      maxBytes: MAX_BYTES,
    });
    if (status !== 200) throw refused(name, url, status, json);
    const parsed = route.response.safeParse(json);
    if (parsed.success) return parsed.data as z.output<R[typeof routeName]['response']>;
    throw new Refused(
      status,
      undefined,
      `${url} returned something that this version of keydesk cannot read. Use the version that is deployed: see ${url}/.`,
    );
  };
}

/** Runs a command that calls a function, and reports what keeps it from doing so. */
export async function reportFailures(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof Refused || error instanceof NoIdToken) fail(EXIT.failure, error.message);
    if (DependencyError.is(error))
      fail(EXIT.failure, `${error.message}${causeOf(error)}. See docs/WITHOUT_CLOUD_RUN.md if it stays so.`);
    throw error;
  }
}

function checkUrl(name: FunctionName, url: string | undefined): string {
  if (!url)
    return fail(
      EXIT.usage,
      `${VARIABLES[name]} is not set. Set it to the URL of the function ${name}: terraform output ${name}_url. Or use --${name}.`,
    );
  const { protocol, hostname } = URL.canParse(url) ? new URL(url) : { protocol: '', hostname: '' };
  if (protocol === 'https:' || (protocol === 'http:' && ['127.0.0.1', 'localhost'].includes(hostname)))
    return stripTrailingSlash(url);
  return fail(EXIT.usage, `${url} must be a URL that begins with https://. Your ID token is sent to it.`);
}

function refused(name: FunctionName, url: string, status: number, json: unknown): Refused {
  const error = errorSchema.safeParse(json);
  if (error.success && error.data.error === 'unknown_path')
    return new Refused(
      status,
      error.data.error,
      `${url} is not the function ${name}, or one of another version. Check ${VARIABLES[name]}: terraform output ${name}_url.`,
    );
  if (error.success) return new Refused(status, error.data.error, error.data.error_description);
  if (status === 401 || status === 403)
    return new Refused(
      status,
      undefined,
      `Cloud Run refuses the request to ${name} (${status}). Your account needs roles/run.invoker on it: see \`${name}s\` in the Terraform module. Also check the account: gcloud auth list.`,
    );
  return new Refused(status, undefined, `${url} returned ${status}, and not the response of the function ${name}.`);
}
