// How a route of `reader` and `admin` is described: once, for the function that serves it, for the command that calls it, and for
// docs/openapi.json.

import * as z from 'zod';

export interface Route {
  readonly method: 'GET' | 'POST';
  /** As in OpenAPI: `/grants/{id}`. A name in braces stands for one segment. */
  readonly path: string;
  /** For people, in one sentence. */
  readonly summary: string;
  /** Parameters of the query; each is given at most once. */
  readonly query: z.ZodObject;
  /** The body, sent as JSON; undefined for a request without one. */
  readonly body: z.ZodType | undefined;
  /** The body of the response with status 200. */
  readonly response: z.ZodType;
}

export type Routes = Readonly<Record<string, Route>>;

/** Keeps the types of the schemas, which callers and functions use. */
export function defineRoutes<const R extends Routes>(routes: R): R {
  return routes;
}

export const NO_QUERY = z.strictObject({});

/** The body of every response that is not a success. */
export const errorSchema = z.object({
  error: z.string(),
  request_id: z.string(),
  error_description: z.string(),
});

/** The route that a request means, with the values of the names in its path; `allow` where only the method is wrong. */
export function findRoute<R extends Routes>(
  routes: R,
  method: string,
  path: string,
):
  | { readonly name: keyof R & string; readonly params: Readonly<Record<string, string>> }
  | { readonly allow: string[] } {
  const fitting = Object.entries(routes).flatMap(([name, route]) => {
    const params = matchPath(route.path, path);
    return params ? [{ name, params, method: route.method }] : [];
  });
  const found = fitting.find((candidate) => candidate.method === method);
  return found ?? { allow: fitting.map((candidate) => candidate.method) };
}

/** The path of a request, with each name in braces replaced. */
export function pathOf({ path }: Route, params: Readonly<Record<string, string>>): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params[name] ?? ''));
}

function matchPath(pattern: string, path: string): Record<string, string> | undefined {
  const wanted = pattern.split('/');
  const given = path.split('/');
  if (wanted.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [at, segment] of wanted.entries()) {
    const value = decodeSegment(given[at] ?? '');
    const [, name] = /^\{(\w+)\}$/.exec(segment) ?? [];
    if (value === undefined || (name === undefined ? value !== segment : value === '')) return undefined;
    if (name !== undefined) params[name] = value;
  }
  return params;
}

function decodeSegment(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
