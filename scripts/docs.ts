// `npm run docs`: writes what is generated in the documentation and the examples.

import { readFileSync, writeFileSync } from 'node:fs';
import { policyJsonSchema } from '../shared/core/policy/json-schema.ts';
import { withAuditTables } from './audit-tables.ts';

writeFileSync('docs/AUDIT.md', withAuditTables(readFileSync('docs/AUDIT.md', 'utf8')));
writeFileSync('examples/keydesk-policy.schema.json', `${JSON.stringify(policyJsonSchema(), null, 2)}\n`);
