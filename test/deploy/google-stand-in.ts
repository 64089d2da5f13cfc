// A stand-in for an API of Google's on loopback: lets in whoever shows the right token, and turns what is thrown into the
// answers that Google gives.

import { jsonServer, type LocalRequest } from '../../sandbox/local-server.ts';

export interface Asked extends Pick<LocalRequest, 'method' | 'query' | 'headers'> {
  /** Without the slash before it. */
  readonly path: string;
  /** Undefined without a body. */
  readonly json: unknown;
}

/** Another answer than 200. */
export class Problem extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** @param unexpected the status when something else than a Problem is thrown */
export function startGoogleStandIn(
  { accessToken, unexpected }: { readonly accessToken: string; readonly unexpected: number },
  answer: (asked: Asked) => object,
) {
  return jsonServer('stand-in', ({ method, query, headers, path, body }) => {
    try {
      if (headers.authorization !== `Bearer ${accessToken}`) throw new Problem(401, 'no credentials');
      const json: unknown = body === '' ? undefined : JSON.parse(body);
      return { status: 200, json: answer({ method, query, headers, path: path.slice(1), json }) };
    } catch (error) {
      const status = error instanceof Problem ? error.status : unexpected;
      return { status, json: { error: { code: status, message: error instanceof Error ? error.message : 'failed' } } };
    }
  });
}
