// `node scripts/provider-schema.ts`: writes test/deploy/google-provider.schema.json, the schemas of those resource types of
// Terraform's Google provider that deploy/terraform uses. The provider itself can only be had from Terraform's registry, so
// they are read out of the newest bindings that were generated from it and published as an npm package.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from '@cdktf/hcl2json';
import * as z from 'zod';

const BINDINGS = '@cdktf/provider-google@16.12.1';
const MODULE = 'deploy/terraform';
const OUT = 'test/deploy/google-provider.schema.json';

/** `required`, `computed` (Google sets it) or neither, after the type. */
type Attributes = Record<string, string>;
interface Block {
  nesting?: string;
  attributes: Attributes;
  blocks?: Record<string, Block>;
}

const moduleFile = z.object({
  resource: z.record(z.string(), z.unknown()).default({}),
  data: z.record(z.string(), z.unknown()).default({}),
});

const used = await typesInUse();
const folder = mkdtempSync(join(tmpdir(), 'provider-schema-'));
try {
  const tarball = execFileSync('npm', ['pack', '--silent', BINDINGS], { cwd: folder, encoding: 'utf8' }).trim();
  execFileSync('tar', ['xzf', tarball], { cwd: folder });
  const lib = join(folder, 'package/lib');
  const schema = {
    bindings: BINDINGS,
    provider: `hashicorp/google ${providerVersion(lib)}`,
    resource: Object.fromEntries(used.resource.map((type) => [type, schemaOf(lib, type, '')])),
    data: Object.fromEntries(used.data.map((type) => [type, schemaOf(lib, type, 'data-google-')])),
  };
  writeFileSync(OUT, `${JSON.stringify(schema, null, 2)}\n`);
  console.log(`${OUT}: ${used.resource.length} resource and ${used.data.length} data types of ${schema.provider}`);
} finally {
  rmSync(folder, { recursive: true });
}

async function typesInUse() {
  const resource = new Set<string>();
  const data = new Set<string>();
  for (const file of readdirSync(MODULE).filter((name) => name.endsWith('.tf'))) {
    const found = moduleFile.parse(await parse(file, readFileSync(join(MODULE, file), 'utf8')));
    for (const type of Object.keys(found.resource)) if (type.startsWith('google_')) resource.add(type);
    for (const type of Object.keys(found.data)) data.add(type);
  }
  return { resource: [...resource].sort(), data: [...data].sort() };
}

function providerVersion(lib: string): string {
  const text = readFileSync(join(lib, 'provider/index.js'), 'utf8');
  return /providerVersion: '([^']+)'/.exec(text)?.[1] ?? fail('provider/index.js names no version');
}

function schemaOf(lib: string, type: string, prefix: string): Block {
  const path = join(lib, prefix + type.replace(/^google_/, '').replaceAll('_', '-'));
  const js = readFileSync(join(path, 'index.js'), 'utf8');
  const types = readFileSync(join(path, 'index.d.ts'), 'utf8');
  const body = /synthesizeHclAttributes\(\) \{([\s\S]*?)\n {4}\}\n/.exec(js)?.[1] ?? fail(`${type} has no attributes`);
  const name =
    /class (\w+) extends cdktf\.Terraform(?:Resource|DataSource)/.exec(js)?.[1] ?? fail(`${type} has no class`);
  return blockOf({ js, types }, name, { body, options: `${name}Config`, class: name });
}

/** @param part the class's own text, and the interface of what can be set */
function blockOf(
  source: { readonly js: string; readonly types: string },
  name: string,
  part: { readonly body: string; readonly options: string; readonly class: string },
): Block {
  const options =
    new RegExp(`export interface ${part.options} [^{]*\\{([\\s\\S]*?)\\n\\}`).exec(source.types)?.[1] ?? '';
  const attributes: Attributes = {};
  const blocks: Record<string, Block> = {};
  const members = /^ +(\w+): \{\s+value: [\s\S]*?isBlock: (\w+),\s+type: "(\w+)",\s+storageClassType: "(\w+)"/gm;
  for (const [, key = '', isBlock, nesting, storage = ''] of part.body.matchAll(members)) {
    const required = new RegExp(`readonly ${toCamelCase(key)}: `).test(options);
    if (isBlock === 'false') attributes[key] = required ? `${typeNamed(storage)} required` : typeNamed(storage);
    else if (key !== 'timeouts') {
      const many = source.js.includes(`class ${storage} extends`);
      const block = nestedBlock(source, storage.replace(/List$/, ''));
      blocks[key] = { nesting: `${many ? nesting : 'one'}${required ? ' required' : ''}`, ...block };
    }
  }
  const own =
    new RegExp(`class ${part.class} extends[\\s\\S]*?\\n\\}`).exec(source.js)?.[0] ?? fail(`no class ${part.class}`);
  for (const [, kind = '', key = ''] of own.matchAll(
    /return this\.get(String|Number|Boolean|List|StringMap)Attribute\('(\w+)'\)/g,
  ))
    if (!(key in attributes) && !(key in blocks))
      attributes[key] = `${kind === 'List' ? 'stringList' : lowerFirst(kind)} computed`;
  if (Object.keys(attributes).length + Object.keys(blocks).length === 0 && part.options === `${name}Config`)
    fail(`nothing was read of ${name}`);
  return { attributes: sorted(attributes), ...(Object.keys(blocks).length > 0 && { blocks: sorted(blocks) }) };
}

function nestedBlock(source: { readonly js: string; readonly types: string }, name: string): Block {
  const start = `function ${lowerFirst(name)}ToHclTerraform(struct) {`;
  const text = source.js.slice(source.js.indexOf(start));
  if (!source.js.includes(start)) fail(`${name} is not described`);
  const body = text.slice(0, text.indexOf('\n}\n'));
  return blockOf(source, name, { body, options: name, class: `${name}OutputReference` });
}

function typeNamed(storage: string): string {
  const known = ['string', 'number', 'boolean', 'stringList', 'numberList', 'stringMap'];
  return known.includes(storage) ? storage : fail(`unknown type ${storage}`);
}

function toCamelCase(key: string): string {
  return key.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}

function sorted<T>(record: Record<string, T>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).sort(([left], [right]) => (left < right ? -1 : 1)));
}

function fail(message: string): never {
  throw new Error(`${BINDINGS}: ${message}`);
}
