// docs/openapi.json, which scripts/docs/openapi.ts makes: a document of OpenAPI 3.1 that has every route of reader and admin, and no other.

import { expect, it } from 'vitest';
import { ADMIN_ROUTES } from '../../../shared/core/operator-api/admin.ts';
import { READER_ROUTES } from '../../../shared/core/operator-api/reader.ts';
import { OPENAPI, OPENAPI_TEXT, operations, validatorOf } from '../../fixtures/openapi.ts';

it('has every route, by its name, method and function', () => {
  const routes = Object.entries({ reader: READER_ROUTES, admin: ADMIN_ROUTES }).flatMap(([of, all]) =>
    Object.entries(all).map(([name, { method, path }]) => `${of} ${name} ${method} ${path}`),
  );
  const described = operations().map(
    ({ tags: [of], operationId, method, path }) => `${of} ${operationId} ${method.toUpperCase()} ${path}`,
  );
  expect(described.sort()).toEqual(routes.sort());
  expect(new Set(operations().map(({ operationId }) => operationId)).size).toBe(described.length);
});

it('names every part of a path as a parameter, and no parameter twice', () => {
  for (const { path, parameters = [] } of operations()) {
    const inPath = parameters.filter((one) => one.in === 'path');
    expect(inPath.map(({ name }) => `{${name}}`).sort()).toEqual([...(path.match(/\{\w+\}/g) ?? [])].sort());
    expect(inPath.every(({ required }) => required)).toBe(true);
    expect(new Set(parameters.map((one) => `${one.in} ${one.name}`)).size).toBe(parameters.length);
  }
});

it('sends each path to the server of its function, and requires an ID token everywhere', () => {
  for (const { tags, servers } of operations()) {
    expect(servers).toHaveLength(1);
    expect(OPENAPI.servers).toContainEqual(servers[0]);
    expect(servers[0]?.url).toContain(`-${tags[0]}-`);
    for (const [, name = ''] of servers[0]?.url.matchAll(/\{(\w+)\}/g) ?? [])
      expect(servers[0]?.variables).toHaveProperty(name);
  }
  expect(OPENAPI.servers).toHaveLength(2);
  expect(OPENAPI.security.flatMap((one) => Object.keys(one))).toEqual(Object.keys(OPENAPI.components.securitySchemes));
});

it('describes the errors of each route in one form', () => {
  for (const { responses } of operations())
    expect(Object.keys(responses)).toEqual(['200', '400', '401', '404', '405', '409', '413', '503']);
});

it('has a valid schema behind each reference, and none that nothing refers to', () => {
  const references = [...OPENAPI_TEXT.matchAll(/"\$ref": "([^"]+)"/g)].map(([, $ref = '']) => $ref);
  const parts = (['schemas', 'responses'] as const).flatMap((kind) =>
    Object.keys(OPENAPI.components[kind]).map((name) => `#/components/${kind}/${name}`),
  );
  expect([...new Set(references)].sort()).toEqual(parts.sort());
  for (const $ref of parts.filter((part) => part.includes('/schemas/'))) validatorOf({ $ref });
});

it('refuses what a function would refuse', () => {
  const kill = validatorOf({ $ref: '#/components/schemas/KillRequest' });
  const request = { id: '5b0e1f7e-55a1-4f5e-9d0b-0a4f6ad6f1c3', all: true, reason: 'a drill' };
  expect(kill(request)).toBe(true);
  for (const wrong of [{ id: 'x' }, { reason: '' }, { everything: true }, { token_sha256: 'abc' }])
    expect([wrong, kill({ ...request, ...wrong })]).toEqual([wrong, false]);
});
