// Writes test/system/deploy/google-api.schema.json: the fields of Google's messages that deploy/monitoring is made of, taken from
// the typings that Google generates from its API descriptions. Run by hand, for a newer version; the tests read the file
// only. The typings know no enumerations: their values are the test's business.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PACKAGE = `googleapis@${process.argv[2] ?? '188.0.0'}`;
const ROOTS = {
  'logging/v2': ['LogMetric'],
  'monitoring/v1': ['Dashboard'],
  'monitoring/v3': ['AlertPolicy', 'Service', 'ServiceLevelObjective', 'UptimeCheckConfig'],
};

type Fields = Record<string, string>;

/** The fields of each interface of the typings, with their types as written there, without `null`. */
function interfacesOf(typings: string): Map<string, Fields> {
  const bare = typings.replaceAll(/\/\*\*[\s\S]*?\*\//g, '');
  const found = [...bare.matchAll(/^ {4}export interface Schema\$(\w+) \{\n([\s\S]*?)^ {4}\}$/gm)];
  return new Map(found.map(([, name = '', body = '']) => [name, fieldsOf(name, body)]));
}

function fieldsOf(owner: string, body: string): Fields {
  const flat = body
    .replaceAll(/\{\s*\[key: string\]: ([\w$]+);\s*\}/g, 'map<$1>')
    .replaceAll(/Array<([\w$<>]+)>/g, '$1[]');
  const lines = flat.trim().split(/;\s*/).filter(Boolean);
  return Object.fromEntries(
    lines.map((line) => {
      const [, name, type] = /^(\w+)\?: ((?:map<)?[\w$]+>?(?:\[\])?)(?: \| null)?$/.exec(line) ?? [];
      if (!name || !type) throw new Error(`${owner} has a field of an unknown form: ${line}`);
      return [name, type.replace('Schema$', '')];
    }),
  );
}

/** The roots and all that they are made of. */
function reachable(all: Map<string, Fields>, roots: readonly string[]): Record<string, Fields> {
  const reached: Record<string, Fields> = {};
  const visit = (name: string) => {
    const fields = all.get(name);
    if (!fields || reached[name]) return;
    reached[name] = fields;
    for (const type of Object.values(fields)) visit(type.replace(/^map<|>?(\[\])?$/g, ''));
  };
  for (const root of roots) visit(root);
  return Object.fromEntries(Object.entries(reached).sort(([left], [right]) => (left < right ? -1 : 1)));
}

const folder = mkdtempSync(join(tmpdir(), 'keydesk-googleapis-'));
try {
  const packed = execFileSync('npm', ['pack', PACKAGE, '--silent', '--pack-destination', folder], { encoding: 'utf8' });
  execFileSync('tar', ['-xzf', join(folder, packed.trim()), '-C', folder, 'package/build/src/apis']);
  const types = Object.fromEntries(
    Object.entries(ROOTS).map(([api, roots]) => {
      const typings = readFileSync(join(folder, `package/build/src/apis/${api}.d.ts`), 'utf8');
      return [api, reachable(interfacesOf(typings), roots)];
    }),
  );
  const target = new URL('../test/system/deploy/google-api.schema.json', import.meta.url);
  writeFileSync(target, `${JSON.stringify({ source: `npm ${PACKAGE}`, types }, null, 2)}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
