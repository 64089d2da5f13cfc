// What is generated in the documentation and the examples is as `npm run docs` writes it now.

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { ROOT } from '../../../sandbox/functions.ts';
import { withAuditTables } from '../../../scripts/audit-tables.ts';
import { policyJsonSchema } from '../../../shared/core/policy/json-schema.ts';

it('docs/AUDIT.md has the tables of the catalogue of events', () => {
  const page = readFileSync(`${ROOT}docs/AUDIT.md`, 'utf8');
  expect(page === withAuditTables(page), 'docs/AUDIT.md is not current: run "npm run docs"').toBe(true);
});

it("examples/keydesk-policy.schema.json is the policy's JSON Schema", () => {
  const file = readFileSync(`${ROOT}examples/keydesk-policy.schema.json`, 'utf8');
  const current = `${JSON.stringify(policyJsonSchema(), null, 2)}\n`;
  expect(file === current, 'examples/keydesk-policy.schema.json is not current: run "npm run docs"').toBe(true);
});

it.each(['', '<!-- Generated from shared/audit/events.ts: npm run docs -->'])(
  'a page without both marks is refused: %j',
  (page) => {
    expect(() => withAuditTables(page)).toThrow('one line');
  },
);
