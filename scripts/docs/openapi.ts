// docs/openapi.json: the private functions `reader` and `admin`, made of the routes by which they serve and by which keydesk calls them.
// Source: spec.openapis.org/oas/v3.1.1.html.

import * as z from 'zod';
import { ADMIN_ROUTES } from '../../shared/core/operator-api/admin.ts';
import { grantSummarySchema } from '../../shared/core/operator-api/grant.ts';
import { blockSchema, READER_ROUTES } from '../../shared/core/operator-api/reader.ts';
import { errorSchema, type Route, type Routes } from '../../shared/core/operator-api/route.ts';
import { selectorOnWire } from '../../shared/core/operator-api/selector.ts';
import { VERSION } from '../../shared/version.ts';

const FUNCTIONS: Readonly<Record<string, { readonly routes: Routes; readonly about: string }>> = {
  reader: { routes: READER_ROUTES, about: 'The function reader: what people may know. It writes nothing.' },
  admin: { routes: ADMIN_ROUTES, about: 'The function admin: people end access, and remove blocks.' },
};

/** Parts of several bodies, by name. */
const SHARED = { Grant: grantSummarySchema, Block: blockSchema, Selector: selectorOnWire, Error: errorSchema };

const ERRORS = {
  400: 'The query or the body is wrong, and error_description says where.',
  401: 'There is no ID token that this function accepts. Cloud Run responds with 401 or 403 itself, without this body, where the caller may not invoke the function.',
  404: 'Nothing is at this path, or nothing matches.',
  409: 'The ledger is not in a state in which this can be done.',
  405: 'The path has other methods, which the header Allow names.',
  413: 'The body is larger than 64 KiB.',
  503: 'Something that the function depends on failed. The header Retry-After has seconds.',
} as const;

const TO_COMPONENT = '#/components/schemas/';

export function openApiDocument(): object {
  const named = Object.values(FUNCTIONS).flatMap(({ routes }) => Object.entries(routes));
  const schemas = componentSchemas(named);
  return {
    openapi: '3.1.1',
    info: {
      title: 'Keydesk: reader and admin',
      version: VERSION,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      description:
        'What people do goes through these two functions. Cloud Run decides who may call them, and each checks the ID token itself. keydesk calls them as this document describes. It is generated: npm run docs.',
    },
    servers: Object.keys(FUNCTIONS).map(serverOf),
    security: [{ idToken: [] }],
    paths: paths(),
    components: {
      schemas,
      responses: Object.fromEntries(
        Object.entries(ERRORS).map(([status, description]) => [
          `Error${status}`,
          { description, content: { 'application/json': { schema: { $ref: `${TO_COMPONENT}Error` } } } },
        ]),
      ),
      securitySchemes: {
        idToken: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description:
            "An ID token of Google for the caller's own account, such as gcloud auth print-identity-token prints. Its audience is the function's URL or gcloud's client ID. Send it in X-Serverless-Authorization as well: Cloud Run removes the signature of the token that it checks.",
        },
      },
    },
  };
}

function serverOf(name: string): object {
  return {
    url: `https://{name_prefix}-${name}-{project_number}.{region}.run.app`,
    description: FUNCTIONS[name]?.about,
    variables: {
      name_prefix: { default: 'keydesk', description: 'name_prefix of the Terraform module' },
      project_number: { default: '123456789012', description: "number of Keydesk's project" },
      region: { default: 'europe-west1', description: 'region of the functions' },
    },
  };
}

function paths(): object {
  const found = new Map<string, { readonly of: string; readonly operations: Record<string, object> }>();
  for (const [of, { routes }] of Object.entries(FUNCTIONS))
    for (const [name, route] of Object.entries(routes)) {
      const item = found.get(route.path) ?? { of, operations: {} };
      if (item.of !== of) throw new Error(`${route.path} is a path of both functions`);
      item.operations[route.method.toLowerCase()] = operation(of, name, route);
      found.set(route.path, item);
    }
  return Object.fromEntries(
    [...found].map(([path, { of, operations }]) => [path, { servers: [serverOf(of)], ...operations }]),
  );
}

function operation(of: string, name: string, route: Route): object {
  const parameters = [...pathParameters(route), ...queryParameters(route)];
  return {
    operationId: name,
    tags: [of],
    summary: route.summary,
    ...(parameters.length > 0 && { parameters }),
    ...(route.body && { requestBody: { required: true, content: json(componentOf(name, 'Request')) } }),
    responses: {
      200: { description: 'It was done.', content: json(componentOf(name, 'Response')) },
      ...Object.fromEntries(
        Object.keys(ERRORS).map((status) => [status, { $ref: `#/components/responses/Error${status}` }]),
      ),
    },
  };
}

function pathParameters({ path }: Route): object[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
}

function queryParameters({ query }: Route): object[] {
  const { properties = {}, required = [] } = z.toJSONSchema(query, { io: 'input' });
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    schema,
  }));
}

function json(component: string): object {
  return { 'application/json': { schema: { $ref: `${TO_COMPONENT}${component}` } } };
}

function componentOf(route: string, part: 'Request' | 'Response'): string {
  return `${route.charAt(0).toUpperCase()}${route.slice(1)}${part}`;
}

/** As they are on the wire: what is sent, before a schema has read it. */
function componentSchemas(routes: readonly (readonly [string, Route])[]): object {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(SHARED)) registry.add(schema, { id });
  for (const [name, { body, response }] of routes) {
    if (body) registry.add(body, { id: componentOf(name, 'Request') });
    registry.add(response, { id: componentOf(name, 'Response') });
  }
  const { schemas } = z.toJSONSchema(registry, { io: 'input', uri: (id) => `${TO_COMPONENT}${id}` });
  return Object.fromEntries(Object.entries(schemas).map(([id, { $schema: _, $id: __, ...schema }]) => [id, schema]));
}
