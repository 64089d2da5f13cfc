// The Terraform module as its tests read it: every file parsed by HashiCorp's own HCL parser, and the table of privileges.

import { readdirSync, readFileSync } from 'node:fs';
import { parse } from '@cdktf/hcl2json';
import * as z from 'zod';

export const MODULE = 'deploy/terraform';

const body = z.record(z.string(), z.unknown());
export type Body = z.output<typeof body>;
const blocks = z.record(z.string(), z.array(body)).default({});
const resources = z.record(z.string(), z.record(z.string(), z.array(body))).default({});
const file = z.object({
  variable: blocks,
  output: blocks,
  locals: z.array(body).default([]),
  module: blocks,
  check: blocks,
  resource: resources,
  data: resources,
});

export interface Resource {
  readonly kind: 'resource' | 'data';
  readonly type: string;
  readonly name: string;
  readonly body: Body;
}

export async function readModule(folder: string) {
  const names = readdirSync(folder).filter((name) => name.endsWith('.tf'));
  const texts = new Map(names.map((name) => [name, readFileSync(`${folder}/${name}`, 'utf8')]));
  const files = await Promise.all([...texts].map(async ([name, text]) => file.parse(await parse(name, text))));
  const resourcesOf = (kind: 'resource' | 'data') =>
    files.flatMap((each) =>
      Object.entries(each[kind]).flatMap(([type, named]) =>
        Object.entries(named).flatMap(([name, bodies]) =>
          bodies.map((own): Resource => ({ kind, type, name, body: own })),
        ),
      ),
    );
  return {
    /** All of it, without comments. */
    text: [...texts.values()].join('\n').replace(/^\s*#.*$/gm, ''),
    variables: files.flatMap(({ variable }) => toNamed(variable)),
    outputs: files.flatMap(({ output }) => toNamed(output)),
    locals: files.flatMap(({ locals }) => locals.flatMap(Object.keys)),
    modules: files.flatMap(({ module }) => toNamed(module)),
    resources: [...resourcesOf('resource'), ...resourcesOf('data')],
  };
}

function toNamed(blocksByName: Readonly<Record<string, readonly Body[]>>) {
  return Object.entries(blocksByName).flatMap(([name, bodies]) => bodies.map((own) => ({ name, body: own })));
}

export interface Privilege {
  readonly identity: string;
  /** A role, or permissions in order, separated by spaces. */
  readonly what: string;
  readonly address: string;
}

/** The rows of PRIVILEGES.md. */
export function readPrivileges(): Privilege[] {
  const text = readFileSync(`${MODULE}/PRIVILEGES.md`, 'utf8');
  const [, ...rows] = text.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| --- '));
  return rows.map((row) => {
    const [identity = '', what = '', on = '', why = '', address = '', ...more] = row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
    if (on === '' || why === '' || more.length > 0) throw new Error(`not a row of the table: ${row}`);
    return { identity, what: what.replaceAll('`', ''), address: address.replaceAll('`', '') };
  });
}

/** Whether a resource type grants somebody something. */
export function grants(type: string): boolean {
  return /_iam_(member|binding|policy)$/.test(type);
}
