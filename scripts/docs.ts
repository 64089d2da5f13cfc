// `npm run docs`: writes what is generated in the documentation.

import { readFileSync, writeFileSync } from 'node:fs';
import { withAuditTables } from './audit-tables.ts';

writeFileSync('docs/AUDIT.md', withAuditTables(readFileSync('docs/AUDIT.md', 'utf8')));
