// The Terraform module as text: format, names, and that nothing in it is unused, undescribed or unknown to the provider.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import names7 from './google-provider-7.names.json' with { type: 'json' };
import { grants, MODULE, type Resource, readModule, readPrivileges } from './terraform-module.ts';
import { type Block, PROVIDER_SCHEMA } from './terraform-provider.ts';

const terraform = spawnSync('terraform', ['version']).status === 0;
const skipped = !terraform && process.env.CI !== 'true';

const root = await readModule(MODULE);
/** Without what Terraform has built in. */
const ofProvider = root.resources.filter(({ type }) => type.startsWith('google_'));
const example = await readModule(`${MODULE}/example`);
const META = new Set(['for_each', 'count', 'depends_on', 'lifecycle', 'provider', 'dynamic']);
/** As scripts/provider-names.ts writes them. */
interface Names {
  readonly [name: string]: string | Names;
}
const NAMES_7: Readonly<Record<'resource' | 'data', Readonly<Record<string, Names>>>> = names7;
const bodies = z.array(z.record(z.string(), z.unknown()));

describe('the Terraform module', () => {
  it.skipIf(skipped)(`is formatted as terraform fmt does${skipped ? ' (skipped: no terraform on PATH)' : ''}`, () => {
    const { status, stdout, stderr } = spawnSync('terraform', ['fmt', '-check', '-recursive', MODULE], {
      encoding: 'utf8',
    });
    expect({ status, stdout }, stderr).toEqual({ status: 0, stdout: '' });
  });

  it('uses no resource type that the committed provider schema does not have', () => {
    const unknown = ofProvider.filter(({ kind, type }) => !PROVIDER_SCHEMA[kind][type]).map(({ type }) => type);
    expect(unknown, 'run: npm run schemas').toEqual([]);
  });

  it('keeps no resource type in the schema that is not in use', () => {
    const used = new Set(root.resources.map(({ kind, type }) => `${kind} ${type}`));
    const kept = (['resource', 'data'] as const).flatMap((kind) =>
      Object.keys(PROVIDER_SCHEMA[kind]).map((type) => `${kind} ${type}`),
    );
    expect(
      kept.filter((type) => !used.has(type)),
      'run: npm run schemas',
    ).toEqual([]);
  });

  it.each(ofProvider.map((resource) => [`${resource.type}.${resource.name}`, resource] as const))(
    '%s has only arguments and blocks of the provider, and all that it requires',
    (_, { kind, type, body }) => {
      const schema = PROVIDER_SCHEMA[kind][type];
      expect(schema && problemsOf(body, schema, type)).toEqual([]);
    },
  );

  it('notices a wrong argument, a wrong block and one that is missing', () => {
    const schema = PROVIDER_SCHEMA.resource.google_project_iam_member;
    const body = {
      project: 'p',
      rôle: 'r',
      member: 'm',
      condition: [{ titel: 't', expression: 'e' }],
      conditions: [{}],
    };
    expect(schema && problemsOf(body, schema, 'x')).toEqual([
      'x: no rôle',
      'x.condition: no titel',
      'x.condition: title is missing',
      'x: no conditions',
      'x: role is missing',
    ]);
  });

  it.each(ofProvider.map((resource) => [`${resource.type}.${resource.name}`, resource] as const))(
    '%s has names that version 7 of the provider has too, and all that it requires',
    (_, { kind, type, body }) => {
      const names = NAMES_7[kind][type];
      expect(names && problemsOf7(body, names, type), 'run: npm run schemas').toEqual([]);
    },
  );

  it('notices what version 7 does not have, or requires', () => {
    const names = NAMES_7.resource.google_firestore_index;
    const body = { collection: 'c', project: 'p', scope: 's', fields: [{ field_path: 'a', ordre: 'b' }] };
    expect(names && problemsOf7(body, names, 'x')).toEqual(['x: no scope', 'x.fields: no ordre']);
    expect(names && problemsOf7({ project: 'p' }, names, 'x')).toEqual([
      'x: collection is missing',
      'x: fields is missing',
    ]);
    const bound = NAMES_7.resource.google_project_iam_member;
    const condition = { project: 'p', role: 'r', member: 'm', condition: [{ title: 't' }] };
    expect(bound && problemsOf7(condition, bound, 'x')).toEqual(['x.condition: expression is missing']);
  });

  it.each([
    ['the module', root],
    ['the example', example],
  ])('declares every variable of %s with a type and a description, and uses it', (_, { variables, text }) => {
    for (const { name, body } of variables) {
      expect(body, name).toMatchObject({ type: expect.stringMatching(/./), description: expect.stringMatching(/\.$/) });
      const uses = withoutVariable(text, name).match(new RegExp(`\\bvar\\.${name}\\b`, 'g'));
      expect(uses, `${name} is not used`).not.toBeNull();
    }
    const declared = new Set(variables.map(({ name }) => name));
    const named = [...text.matchAll(/\bvar\.(\w+)/g)].map(([, name]) => name ?? '');
    expect(named.filter((name) => !declared.has(name))).toEqual([]);
  });

  it('checks every variable of the module that is text or numbers', () => {
    const unchecked = root.variables.filter(({ body }) => !/bool/.test(String(body.type)) && !body.validation);
    expect(unchecked.map(({ name }) => name)).toEqual([]);
  });

  it('uses every local value', () => {
    const unused = root.locals.filter((name) => !new RegExp(`\\blocal\\.${name}\\b`).test(root.text));
    expect(unused).toEqual([]);
  });

  it.each([
    ['the module', root],
    ['the example', example],
  ])('describes every output of %s', (_, { outputs }) => {
    for (const { name, body } of outputs)
      expect(body, name).toMatchObject({ description: expect.stringMatching(/\.$/), value: expect.anything() });
  });

  it('passes on in the example every output, and every variable that has no default', () => {
    expect(example.outputs.map(({ name }) => name)).toEqual(root.outputs.map(({ name }) => name));
    const given = Object.keys(example.modules.find(({ name }) => name === 'keydesk')?.body ?? {});
    const required = root.variables.filter(({ body }) => !('default' in body)).map(({ name }) => name);
    expect(given).toEqual(expect.arrayContaining(required));
  });

  it('has every variable of the example in terraform.tfvars.example, if only in a comment', () => {
    const tfvars = readFileSync(`${MODULE}/example/terraform.tfvars.example`, 'utf8');
    for (const { name } of example.variables) expect(tfvars).toMatch(new RegExp(`^(# )?${name}\\s+=`, 'm'));
  });

  it('keeps secrets out of its state: there is no resource for a secret version or a key', () => {
    const types = root.resources.map(({ type }) => type);
    expect(types).not.toContain('google_secret_manager_secret_version');
    expect(types).not.toContain('google_service_account_key');
  });

  it('grants in privileges.tf exactly what PRIVILEGES.md has a row for', () => {
    const inHcl = root.resources.filter(({ type }) => grants(type)).map(toAddress);
    const inTable = new Set(readPrivileges().map(({ address }) => address));
    expect([...inTable].sort()).toEqual(inHcl.sort());
    const text = readFileSync(`${MODULE}/privileges.tf`, 'utf8');
    for (const address of inHcl) expect(text).toContain(`resource "${address.replace('.', '" "')}" {`);
  });

  it('never lets an apply enable a pooled account, nor destroy the ledger', () => {
    expect(bodyOf('google_service_account', 'pooled')).toMatchObject({
      lifecycle: [{ ignore_changes: [expect.stringMatching(/^\$\{disabled\}$/)] }],
    });
    expect(bodyOf('google_firestore_database', 'ledger')).toMatchObject({ lifecycle: [{ prevent_destroy: true }] });
  });

  it('reads what it consumes from files that exist', () => {
    const paths = [...root.text.matchAll(/\$\{path\.module\}\/([\w./${}-]+)/g)].map(([, path]) => path ?? '');
    expect(paths).toEqual([
      '../../firestore.indexes.json',
      expect.stringMatching(/^\.\.\/monitoring\/\$\{name\}\.json$/),
      '../rules.sh',
    ]);
    for (const path of ['firestore.indexes.json', 'deploy/rules.sh']) expect(existsSync(path)).toBe(true);
  });
});

/** Its arguments and blocks, those that are made by `dynamic` too. */
function membersOf(body: Readonly<Record<string, unknown>>): (readonly [string, unknown])[] {
  const dynamic = z.record(z.string(), z.array(z.object({ content: bodies }))).parse(body.dynamic ?? {});
  const nested = Object.entries(dynamic).map(
    ([name, found]) => [name, found.flatMap(({ content }) => content)] as const,
  );
  return [...Object.entries(body).filter(([name]) => !META.has(name)), ...nested];
}

function problemsOf(body: Readonly<Record<string, unknown>>, schema: Block, where: string): string[] {
  const members = membersOf(body);
  const problems = members.flatMap(([name, value]) => {
    const block = schema.blocks?.[name];
    if (block) return bodies.parse(value).flatMap((each) => problemsOf(each, block, `${where}.${name}`));
    const attribute = schema.attributes[name];
    if (!attribute) return [`${where}: no ${name}`];
    return attribute.endsWith(' computed') ? [`${where}: ${name} is Google's to set`] : [];
  });
  const present = new Set(members.map(([name]) => name));
  const required = [
    ...Object.entries(schema.attributes).filter(([, type]) => type.endsWith(' required')),
    ...Object.entries(schema.blocks ?? {}).filter(([, { nesting }]) => nesting?.endsWith(' required')),
  ];
  return [...problems, ...required.flatMap(([name]) => (present.has(name) ? [] : [`${where}: ${name} is missing`]))];
}

function problemsOf7(body: Readonly<Record<string, unknown>>, names: Names, where: string): string[] {
  const spelt = new Map(Object.entries(names).filter(([name]) => name !== ''));
  const present = new Set<string>();
  const problems = membersOf(body).flatMap(([name, value]) => {
    const camel = name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
    // The bindings name in the plural what may stand more than once.
    const found = [camel, `${camel}s`, camel.replace(/y$/, 'ies')].find((each) => spelt.has(each));
    if (found === undefined) return [`${where}: no ${name}`];
    present.add(found);
    const inside = spelt.get(found);
    const blocks = bodies.safeParse(value);
    if (inside === undefined || typeof inside === 'string' || !blocks.success) return [];
    return blocks.data.flatMap((block) => problemsOf7(block, inside, `${where}.${name}`));
  });
  const missing = [...spelt].filter(([name, inside]) => !present.has(name) && isRequired(inside));
  return [...problems, ...missing.map(([name]) => `${where}: ${name} is missing`)];
}

function isRequired(inside: string | Names): boolean {
  return (typeof inside === 'string' ? inside : inside['']) === 'required';
}

function toAddress({ type, name }: Resource): string {
  return `${type}.${name}`;
}

function bodyOf(type: string, name: string) {
  return root.resources.find((resource) => resource.type === type && resource.name === name)?.body;
}

/** The text without the variable's own block, whose validation names it too. */
function withoutVariable(text: string, name: string): string {
  return text.replace(new RegExp(`^variable "${name}" \\{[\\s\\S]*?^\\}`, 'm'), '');
}
