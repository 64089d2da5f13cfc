// What is generated in the documentation is as `npm run docs` writes it now.

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { ROOT } from '../../../sandbox/functions.ts';
import { withAuditTables } from '../../../scripts/audit-tables.ts';

it('docs/AUDIT.md has the tables of the catalogue of events', () => {
  const page = readFileSync(`${ROOT}docs/AUDIT.md`, 'utf8');
  expect(page === withAuditTables(page), 'docs/AUDIT.md is not current: run "npm run docs"').toBe(true);
});

it.each(['', '<!-- Generated from shared/audit/events.ts: npm run docs -->'])(
  'a page without both marks is refused: %j',
  (page) => {
    expect(() => withAuditTables(page)).toThrow('one line');
  },
);
