// That the linter's own rules of this project bite, and where: on files made for it in a folder of their own.

import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PRODUCT = ['functions', 'shared', 'shared/core', 'shared/ledger', 'cli'];
const OTHERS = ['sandbox/fakes/google', 'deploy', 'scripts', 'test/unit', 'test/http', 'test/model'];
const TIME = [
  'export const at = Date.now();',
  'export const at = new Date();',
  'export const chance = Math.random();',
  'export const at = performance.now();',
  'export const signal = AbortSignal.timeout(1);',
  'setTimeout(() => {}, 1);',
  'setInterval(() => {}, 1);',
  "import { setTimeout } from 'node:timers/promises';\n\nawait setTimeout(1);",
];
const RANDOMNESS = [
  "import { randomUUID } from 'node:crypto';\n\nexport const id = randomUUID();",
  "import { randomBytes } from 'node:crypto';\n\nexport const bytes = randomBytes(4);",
  'setImmediate(() => {});',
];
const EVENTS = ['export const event = { event: "grant.issued" } as AuditEvent;'];
/** Imports against the direction of the layers, and some along it: folder, what is imported, whether that is refused. */
const IMPORTS: readonly (readonly [string, string, boolean])[] = [
  ['shared/core', '../ledger/x.ts', true],
  ['shared/core/grant', '../../runtime/clock.ts', true],
  ['shared/core/grant', 'jose', true],
  ['shared/core/grant', 'node:fs', true],
  ['shared/core/grant', 'yaml', true],
  ['shared/core/policy', 'yaml', false],
  ['shared/core/grant', '../policy/x.ts', false],
  ['shared/runtime', '../operations/x.ts', true],
  ['shared/runtime', '../core/timing.ts', false],
  ['shared/operations', '../ledger/x.ts', true],
  ['shared/operations', '../google/x.ts', true],
  ['shared/operations', '../core/timing.ts', false],
  ['shared/google', '../ledger/x.ts', true],
  ['shared/google', '../buildkite/x.ts', true],
  ['shared/google', '../operations/issue-token.ts', true],
  ['shared/google', '../operations/ports.ts', false],
  ['shared/buildkite', '../google/x.ts', true],
  ['shared/identity-providers', '../buildkite/x.ts', true],
  ['shared/identity-providers', '../oidc/x.ts', false],
  ['shared/firestore', '../ledger/x.ts', true],
  ['shared/ledger', '../google/x.ts', true],
  ['shared/ledger', '../firestore/x.ts', false],
  ['shared/audit', '../../functions/x.ts', true],
  ['shared/audit/events', '../../ledger/x.ts', true],
  ['shared/audit/events', '../../core/x.ts', false],
  ['shared/wiring', '../../cli/x.ts', true],
  ['functions/token', '../../sandbox/x.ts', true],
  ['functions/token', '../../shared/core/x.ts', false],
  ['cli', '../test/x.ts', true],
  ['sandbox', '../test/x.ts', true],
  ['scripts', '../test/x.ts', true],
];
const ALLOWED = ['export const at = new Date(0).toISOString();', 'export const now = (clock) => clock.now();'];

interface Case {
  readonly path: string;
  readonly text: string;
  readonly refused: boolean;
}
const cases: Case[] = [
  ...PRODUCT.flatMap((folder) => toCases(folder, [...TIME, ...RANDOMNESS, ...EVENTS], true)),
  ...OTHERS.flatMap((folder) => toCases(folder, TIME, true)),
  ...[...PRODUCT, ...OTHERS].flatMap((folder) => toCases(folder, ALLOWED, false)),
  ...IMPORTS.map(([folder, imported, refused], index) => ({
    path: `${folder}/import-${index}.ts`,
    text: `import { x } from '${imported}';\n\nexport const y = x;`,
    refused,
  })),
  { path: 'shared/runtime/clock.ts', text: [...TIME.slice(0, 7), ...RANDOMNESS].join('\n'), refused: false },
];

function toCases(folder: string, texts: readonly string[], refused: boolean): Case[] {
  return texts.map((text, index) => ({
    path: `${folder}/${refused ? 'refused' : 'allowed'}-${index}.ts`,
    text,
    refused,
  }));
}

describe('the linter', () => {
  let folder: string;
  let found: ReadonlySet<string>;
  beforeAll(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'keydesk-lint-')));
    cpSync(join(ROOT, 'biome.json'), join(folder, 'biome.json'));
    cpSync(join(ROOT, 'scripts/lint'), join(folder, 'scripts/lint'), { recursive: true });
    for (const { path, text } of cases) {
      mkdirSync(join(folder, dirname(path)), { recursive: true });
      writeFileSync(join(folder, path), `${text}\n`);
    }
    const args = ['lint', '--max-diagnostics=none', '--reporter=github', '.'];
    const { stdout } = spawnSync(join(ROOT, 'node_modules/.bin/biome'), args, { cwd: folder, encoding: 'utf8' });
    const lines = stdout.split('\n').filter((line) => /from a Clock|auditEvent\(\)|noRestrictedImports/.test(line));
    found = new Set(lines.map((line) => relative(folder, /,file=([^,]+),/.exec(line)?.[1] ?? line)));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(cases.filter(({ refused }) => refused))('refuses, in $path: $text', ({ path }) => {
    expect([...found]).toContain(path);
  });

  it.each(cases.filter(({ refused }) => !refused))('allows, in $path: $text', ({ path }) => {
    expect([...found]).not.toContain(path);
  });
});
