// The Terraform module as text: format, and that nothing in it is undescribed, unused or kept from the example. What it means
// is read from plans, in the other files of this folder.

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { MODULE } from './terraform-module.ts';
import { TERRAFORM } from './terraform-plan.ts';

const FOLDERS = [MODULE, `${MODULE}/example`];

/** All files of a folder, without comments. */
function read(folder: string): string {
  const files = readdirSync(folder).filter((name) => name.endsWith('.tf'));
  return files.map((name) => readFileSync(`${folder}/${name}`, 'utf8').replace(/^\s*#.*$/gm, '')).join('\n');
}

/** The blocks of a kind at the top of a file, which terraform fmt indents by two. */
function blocks(text: string, kind: string): { readonly name: string; readonly body: string }[] {
  const found = text.matchAll(new RegExp(`^${kind}(?: "(\\w+)")? \\{\\n([\\s\\S]*?)^\\}$`, 'gm'));
  return [...found].map(([, name = '', body = '']) => ({ name, body }));
}

const variables = (text: string) => blocks(text, 'variable');
const outputs = (text: string) => blocks(text, 'output');
const localNames = (text: string) =>
  blocks(text, 'locals').flatMap(({ body }) => [...body.matchAll(/^ {2}(\w+) +=/gm)].map(([, name = '']) => name));

describe('the Terraform module', () => {
  it.skipIf(TERRAFORM.missing)(TERRAFORM.title('is formatted as terraform fmt does'), () => {
    const { status, stdout, stderr } = spawnSync(
      TERRAFORM.path ?? 'terraform',
      ['fmt', '-check', '-recursive', MODULE],
      {
        encoding: 'utf8',
      },
    );
    expect({ status, stdout }, stderr).toEqual({ status: 0, stdout: '' });
  });

  it.each(FOLDERS)('describes every variable and output: %s', (folder) => {
    const text = read(folder);
    const described = [...variables(text), ...outputs(text)];
    expect(described.length).toBeGreaterThan(20);
    for (const { name, body } of described)
      expect([name, /^ {2}description += ".*\."$/m.test(body)]).toEqual([name, true]);
    for (const { name, body } of variables(text)) expect([name, /^ {2}type +=/m.test(body)]).toEqual([name, true]);
  });

  it.each(FOLDERS)('uses every variable and every local value: %s', (folder) => {
    const text = read(folder);
    // A variable's own validation is no use of it.
    const used = text.replace(/^variable "\w+" \{\n[\s\S]*?^\}$/gm, '');
    const names = [
      ...variables(text).map(({ name }) => `var.${name}`),
      ...localNames(text).map((name) => `local.${name}`),
    ];
    expect(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(used))).toEqual([]);
  });

  it('checks every variable of the module that is more than a yes or no', () => {
    const unchecked = variables(read(MODULE)).filter(
      ({ body }) => !/^ {2}validation \{$/m.test(body) && !/bool/.test(body),
    );
    expect(unchecked.map(({ name }) => name)).toEqual([]);
  });

  it('passes every variable of the module through the example, with its type and its default', () => {
    const signature = ({ name, body }: { name: string; body: string }) => [
      name,
      /^ {2}type +=([\s\S]*?)^ {2}description/m.exec(body)?.[1]?.trim(),
      /^ {2}default +=([\s\S]*?)(?=^ {2}\w|(?![\s\S]))/m.exec(body)?.[1]?.trim(),
    ];
    const example = read(`${MODULE}/example`);
    expect(variables(example).map(signature).sort()).toEqual(variables(read(MODULE)).map(signature).sort());
    const [{ body: call } = { body: '' }] = blocks(example, 'module');
    for (const { name } of variables(example)) expect(call).toMatch(new RegExp(`^  ${name} += var\\.${name}$`, 'm'));
  });

  it('has every variable of the example in terraform.tfvars.example, if only in a comment', () => {
    const tfvars = readFileSync(`${MODULE}/example/terraform.tfvars.example`, 'utf8');
    for (const { name } of variables(read(`${MODULE}/example`)))
      expect(tfvars).toMatch(new RegExp(`^(# )?${name}\\s+=`, 'm'));
  });
});
