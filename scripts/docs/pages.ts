// What is generated in the documentation and the examples: each file as it must be.

import { readFileSync } from 'node:fs';
import { policyJsonSchema } from '../../shared/core/policy/json-schema.ts';
import { testsJsonSchema } from '../../shared/core/policy-tests/json-schema.ts';
import { auditTables } from './audit.ts';
import { toView, VIEWS } from './audit-views.ts';
import { clientTables } from './clients.ts';
import { commandTables } from './commands.ts';
import { configurationTables } from './configuration.ts';
import { doctorTables } from './doctor.ts';
import { costTables } from './grant-costs.ts';
import { guardTables } from './guards.ts';
import { liveTables } from './live.ts';
import { type Blocks, withBlocks } from './markdown.ts';
import { openApiDocument } from './openapi.ts';
import { policyTables } from './policy.ts';
import { preflightTables } from './preflight.ts';
import { privilegeTables, roleTables } from './privileges.ts';
import { refusalTables } from './refusals.ts';
import { speedTables } from './speed.ts';
import { storageTables } from './storage.ts';

/** The path of each generated file, and how its text is made. @param root of the repository, with a slash at its end */
export function generatedFiles(root: string): ReadonlyMap<string, () => string> {
  const page = (path: string, blocks: () => Blocks) =>
    [path, () => withBlocks(readFileSync(`${root}${path}`, 'utf8'), blocks())] as const;
  const view = (name: string) =>
    [
      `deploy/audit/views/${name.replaceAll('-', '_')}.sql`,
      () => toView(name, readFileSync(`${root}deploy/audit/${name}.sql`, 'utf8')),
    ] as const;
  return new Map([
    ...Object.keys(VIEWS).map(view),
    page('deploy/WITHOUT_TERRAFORM.md', roleTables),
    page('deploy/terraform/PRIVILEGES.md', privilegeTables),
    page('docs/AUDIT.md', () => ({ events: auditTables() })),
    page('docs/CLIENTS.md', clientTables),
    page('docs/COMMANDS.md', commandTables),
    page('docs/CONFIGURATION.md', () => configurationTables(root)),
    page('docs/DOCTOR.md', doctorTables),
    page('docs/OPERATIONS.md', () => ({ ...costTables(), ...liveTables() })),
    page('docs/POLICY.md', policyTables),
    page('docs/PREFLIGHT.md', preflightTables),
    page('docs/STORAGE.md', () => storageTables(root)),
    page('docs/TROUBLESHOOTING.md', refusalTables),
    page('docs/VERIFICATION.md', () => ({ ...guardTables(), ...speedTables(root) })),
    ['docs/openapi.json', () => `${JSON.stringify(openApiDocument(), null, 2)}\n`],
    ['examples/keydesk-policy-tests.schema.json', () => `${JSON.stringify(testsJsonSchema(), null, 2)}\n`],
    ['examples/keydesk-policy.schema.json', () => `${JSON.stringify(policyJsonSchema(), null, 2)}\n`],
  ]);
}
