// Calls Google's APIs with the rights of a person. Whatever keeps it from reading is CouldNotLook, with what to do about it: nothing that
// could not be read counts as right.
// Source of the error codes: cloud.google.com/apis/design/errors; google.api.ErrorReason.

import type * as z from 'zod';
import { type GoogleError, readGoogleError } from '../../shared/core/google-refusal.ts';
import { shellCommand } from '../../shared/core/shell-quote.ts';
import { stripTrailingSlash } from '../../shared/google/response.ts';
import { DependencyError, errorMessage } from '../../shared/runtime/errors.ts';
import type { HttpClient, JsonResponse } from '../../shared/runtime/http-client.ts';
import { LOG_IN } from '../operator-client.ts';

const DEADLINE_MS = 10_000;
const MAX_BYTES = 4 * 1024 * 1024;
const MOST_PAGES = 20;

/** Why something could not be read, and what to do about it. */
export class CouldNotLook extends Error {
  override readonly name = 'CouldNotLook';
  readonly fix: string;
  constructor(what: string, fix: string) {
    super(what);
    this.fix = fix;
  }
}

export interface Call<T> {
  /** Its host, such as `run.googleapis.com`. */
  readonly api: string;
  /** With the version, without a slash at the beginning. */
  readonly path: string;
  readonly query?: readonly (readonly [name: string, value: string])[];
  /** Sent by POST; undefined for GET. */
  readonly json?: unknown;
  /** In place of POST. */
  readonly method?: 'PATCH';
  /** Not sent again when its connection is lost. */
  readonly noResend?: boolean;
  /** By POST without a body. */
  readonly post?: true;
  readonly shape: z.ZodType<T>;
  /** What the caller needs, a role that has it, and on what. */
  readonly permission: string;
  readonly role: string;
  readonly on: string;
  /** For a request without the operator's access token, and with these headers. */
  readonly unauthenticated?: { readonly headers?: Readonly<Record<string, string>> };
  /** How gcloud prints the response, for --from. */
  readonly gcloud?: {
    /** Without `--format=json`. */
    readonly command: string;
    /** The field of the response whose items alone gcloud prints. */
    readonly list?: string;
  };
}

export type Response = Pick<JsonResponse, 'status' | 'json'>;

/** Sends a request, or finds its response. @throws CouldNotLook when there is none */
export type Transport = <T>(call: Call<T>) => Promise<Response>;

/** Google refused because there were too many requests. Later it will respond. */
export class RateLimited extends CouldNotLook {}

export interface Google {
  /** @throws CouldNotLook for any response but 200 */
  readonly read: <T>(call: Call<T>) => Promise<T>;
  /** The same; undefined when it does not exist. @param absent judges the error, by default any 404 */
  readonly find: <T>(
    call: Call<T>,
    absent?: (status: number, error: GoogleError | undefined) => boolean,
  ) => Promise<T | undefined>;
  /** Every page of a list, by `nextPageToken`. */
  readonly readAll: <T extends { readonly nextPageToken?: string | undefined }>(call: Call<T>) => Promise<readonly T[]>;
}

/**
 * @param options.quotaProject whose quota the calls use (`x-goog-user-project`). Credentials of a person need one.
 * Source: docs.cloud.google.com/docs/quotas/quota-project
 * @param options.base for tests: a server that has each API under a folder of its host
 * @param options.sendUnauthenticated for calls that do not have the operator's access token
 */
export function createGoogle(
  send: HttpClient,
  options: {
    readonly quotaProject: string;
    readonly base?: string | undefined;
    readonly sendUnauthenticated?: HttpClient;
  },
): Google {
  return createReader(createTransport(send, options), options);
}

/** @param options.quotaProject the project in messages about an API that is not enabled */
export function createReader(request: Transport, { quotaProject }: { readonly quotaProject: string }): Google {
  const parse = <T>(call: Call<T>, { status, json }: Response): T => {
    if (status !== 200) {
      const problem = refused(call, status, readGoogleError(json), quotaProject);
      throw status === 429 ? new RateLimited(problem.message, problem.fix) : problem;
    }
    const parsed = call.shape.safeParse(json);
    if (parsed.success) return parsed.data;
    throw new CouldNotLook(`${call.api} returned something unexpected`, 'Report it, with the version of keydesk.');
  };
  const read: Google['read'] = async (call) => parse(call, await request(call));
  return {
    read,
    find: async (call, absent = (status) => status === 404) => {
      const response = await request(call);
      return absent(response.status, readGoogleError(response.json)) ? undefined : parse(call, response);
    },
    readAll: async (call) => {
      const pages = [await read(call)];
      for (let token = pages[0]?.nextPageToken; token; token = pages.at(-1)?.nextPageToken) {
        if (pages.length === MOST_PAGES)
          throw new CouldNotLook(`${call.api} returned more than ${MOST_PAGES} pages`, 'Look at it in the console.');
        pages.push(await read({ ...call, query: [...(call.query ?? []), ['pageToken', token]] }));
      }
      return pages;
    },
  };
}

/** Sends requests as createGoogle does. */
export function createTransport(
  send: HttpClient,
  { quotaProject, base, sendUnauthenticated }: Parameters<typeof createGoogle>[1],
): Transport {
  return async (call) => {
    const { unauthenticated, json, method, noResend, post } = call;
    const client = unauthenticated ? sendUnauthenticated : send;
    if (!client) throw new Error(`${call.api} is not called with the operator's access token`);
    try {
      return await client({
        dependency: call.api,
        url: urlOf(call, base),
        method: method ?? (json === undefined && !post ? 'GET' : 'POST'),
        headers: unauthenticated ? { ...unauthenticated.headers } : { 'x-goog-user-project': quotaProject },
        ...(json === undefined ? {} : { json }),
        ...(noResend === undefined ? {} : { noResend }),
        deadlineMs: DEADLINE_MS,
        maxBytes: MAX_BYTES,
      });
    } catch (error) {
      throw notReached(error);
    }
  };
}

/** @param base instead of `https://` */
export function urlOf({ api, path, query = [] }: Omit<Call<unknown>, 'shape'>, base?: string): string {
  const search = query.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&');
  return `${base ? `${stripTrailingSlash(base)}/${api}` : `https://${api}`}/${path}${search && `?${search}`}`;
}

function notReached(error: unknown): CouldNotLook {
  const fix =
    DependencyError.is(error) && error.dependency.endsWith('credentials')
      ? LOG_IN
      : 'Check the network, and run this command again.';
  return new CouldNotLook(errorMessage(error), fix);
}

function refused<T>(
  { api, permission, role, on }: Call<T>,
  status: number,
  error: GoogleError | undefined,
  quotaProject: string,
): CouldNotLook {
  const what = `${api} returned ${status}${error ? ` ${error.reason ?? error.status}` : ''}`;
  if (status === 401) return new CouldNotLook(`${what}: your access token is not accepted`, LOG_IN);
  if (error?.reason === 'SERVICE_DISABLED' || error?.reason === 'accessNotConfigured')
    return new CouldNotLook(
      `${api} is not enabled in ${quotaProject}`,
      shellCommand`gcloud services enable ${api} --project=${quotaProject}`,
    );
  if (error?.reason === 'USER_PROJECT_DENIED')
    return new CouldNotLook(
      `you may not use the quota of ${quotaProject}`,
      `Get serviceusage.services.use on ${quotaProject}. roles/serviceusage.serviceUsageConsumer has it.`,
    );
  if (error?.reason === 'SECURITY_POLICY_VIOLATED')
    return new CouldNotLook(
      `VPC Service Controls reject the request to ${api}`,
      'Run this command from inside the perimeter, or add an ingress rule for your identity.',
    );
  if (status === 403)
    return new CouldNotLook(
      `${what}: you lack ${permission} on ${on}, or it does not exist`,
      `Get ${permission} on ${on}. ${role} has it.`,
    );
  if (status === 404) return new CouldNotLook(`${what}: ${on} was not found`, `Check the name ${on}.`);
  return new CouldNotLook(
    `${what}${error ? `: ${error.message.slice(0, 300)}` : ''}`,
    'Run this command again later. If it stays, look at it in the console.',
  );
}
