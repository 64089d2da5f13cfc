// The Security Token Service: exchanges a service account's access token for one that a Credential Access Boundary
// downscopes. As strict as the real one about the form; refuses to know what a boundary opens.
// Sources: docs.cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token; RFC 8693, sections 2.1 and 2.2.

import * as z from 'zod';
import { parseJson } from '../../../shared/core/json.ts';
import type { Clock } from '../../../shared/runtime/clock.ts';
import type { LocalRequest, LocalResponse } from '../../local-server.ts';
import { type Boundary, boundarySchema } from './boundary.ts';
import { type ExchangeCall, reasonOf } from './call.ts';
import type { AccessToken, Tokens } from './tokens.ts';

const ACCESS_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:access_token';
const CLOUD_PLATFORM = 'https://www.googleapis.com/auth/cloud-platform';

export interface Exchange {
  /** Whose token was exchanged. */
  readonly account: string;
  readonly boundary: Boundary;
  /** The form as it was sent. */
  readonly form: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

const optionsSchema = z.strictObject({ accessBoundary: boundarySchema });
const formSchema = z.strictObject({
  grant_type: z.literal('urn:ietf:params:oauth:grant-type:token-exchange'),
  requested_token_type: z.literal(ACCESS_TOKEN_TYPE),
  subject_token_type: z.literal(ACCESS_TOKEN_TYPE),
  subject_token: z.string().min(1),
  options: z.string().transform(parseJson).pipe(optionsSchema),
});

export class SecurityTokens {
  /** Every well-formed exchange, whatever the response, oldest first. */
  readonly exchanges: Exchange[] = [];
  readonly #tokens: Tokens;
  readonly #clock: Clock;

  constructor(tokens: Tokens, clock: Clock) {
    this.#tokens = tokens;
    this.#clock = clock;
  }

  /** The requested exchange, or Google's response to the request and what is wrong with it. */
  read(
    request: LocalRequest,
  ):
    | { readonly call: ExchangeCall; readonly perform: () => LocalResponse }
    | { readonly wrong: string; readonly response: LocalResponse } {
    const form = formOf(request);
    if ('wrong' in form) return refused(form.wrong);
    const { subject_token, options } = form;
    const subject = this.#subjectOf(subject_token);
    if ('wrong' in subject) return refused(subject.wrong);
    const { account } = subject;
    this.exchanges.push({ account, boundary: options.accessBoundary, form: request.body, at: this.#clock.now() });
    return {
      call: { method: 'exchangeToken', account, identity: 'nobody', body: { options }, reason: reasonOf(request) },
      perform: () => this.#exchange(subject_token, options.accessBoundary),
    };
  }

  #exchange(subjectToken: string, boundary: Boundary): LocalResponse {
    // Checked again: it may have ended since the request.
    const subject = this.#subjectOf(subjectToken);
    if ('wrong' in subject) return oauthError(400, 'invalid_request', subject.wrong);
    const { account, scope, expiresAt } = subject;
    const at = this.#clock.now();
    return {
      status: 200,
      json: {
        access_token: this.#tokens.issue('ya29.dr.', { account, scope, expiresAt, at, boundary }),
        issued_token_type: ACCESS_TOKEN_TYPE,
        token_type: 'Bearer',
        expires_in: Math.floor((expiresAt - at) / 1000),
      },
    };
  }

  #subjectOf(subjectToken: string): AccessToken | { readonly wrong: string } {
    const judged = this.#tokens.judge(subjectToken);
    if ('refusal' in judged) return { wrong: 'subject_token is not accepted' };
    const { token } = judged;
    if (token.boundary) return { wrong: 'subject_token is downscoped' };
    if (!token.scope.includes(CLOUD_PLATFORM)) return { wrong: 'subject_token has no scope cloud-platform' };
    return token;
  }
}

function formOf(request: LocalRequest): z.output<typeof formSchema> | { readonly wrong: string } {
  const { headers, query, body } = request;
  // The token that is exchanged is all it takes; the service's own would be shown to one who need not see it.
  if (headers.authorization !== undefined) return { wrong: 'an Authorization header' };
  if (query.size > 0) return { wrong: 'parameters in the URL' };
  if (!/^application\/x-www-form-urlencoded(; ?charset=utf-8)?$/i.test(String(headers['content-type'])))
    return { wrong: 'a body that is not a form' };
  const parameters = new URLSearchParams(body);
  const values = Object.fromEntries(parameters);
  if (Object.keys(values).length !== parameters.size) return { wrong: 'a parameter twice' };
  const form = formSchema.safeParse(values);
  if (form.success) return form.data;
  const [issue] = form.error.issues;
  return { wrong: issue?.code === 'unrecognized_keys' ? `${issue.keys} unknown` : `${issue?.path.join('.')} invalid` };
}

function refused(wrong: string): { readonly wrong: string; readonly response: LocalResponse } {
  return {
    wrong: `exchangeToken: ${wrong}`,
    response: oauthError(400, 'invalid_request', `Invalid request: ${wrong}.`),
  };
}

/** Source: RFC 6749, section 5.2; it has no code for a server's failure, so RFC 6749, section 4.1.2.1 lends its own. */
function oauthError(status: number, error: string, error_description: string): LocalResponse {
  return { status, json: { error, error_description } };
}

/** How the Security Token Service reports a status. */
export function oauthStatus(status: number): LocalResponse {
  const error = status === 503 ? 'temporarily_unavailable' : status >= 500 ? 'server_error' : 'invalid_request';
  return oauthError(status, error, `A fault: ${status}.`);
}
