// deploy/WITHOUT_TERRAFORM.md against the module: the page names each resource type, API and permission that the HCL has.

import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const MODULE = 'deploy/terraform';
const page = readFileSync('deploy/WITHOUT_TERRAFORM.md', 'utf8');
const hcl = (file: string) => readFileSync(`${MODULE}/${file}`, 'utf8');
const everything = readdirSync(MODULE)
  .filter((file) => file.endsWith('.tf'))
  .map(hcl)
  .join('\n');

const all = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, found = '']) => found);
const sorted = (values: readonly string[]) => [...new Set(values)].sort();

/** The rows of the table under a heading, each as its cells. */
function tableUnder(heading: string): string[][] {
  const [, section = ''] = page.split(`\n## ${heading}\n`);
  const rows =
    section
      .split('\n## ')[0]
      ?.split('\n')
      .filter((line) => line.startsWith('| ')) ?? [];
  return rows.slice(2).map((row) => row.split(/(?<!\\)\|/).slice(1, -1));
}

const words = (cell = '') => all(cell, /`([^`]+)`/g);

describe('deploy/WITHOUT_TERRAFORM.md', () => {
  it('names every resource type of the module, and no other', () => {
    const types = all(everything, /^resource "(\w+)"/gm);
    expect(types.length).toBeGreaterThan(30);
    expect(sorted(all(page, /`((?:google|terraform|time)_\w+)`/g))).toEqual(sorted(types));
  });

  it('names the APIs that the module switches on', () => {
    const listed = (name: string) =>
      all(
        new RegExp(`^  ${name}_apis = (?:concat\\()?(\\[[^\\]]*\\])`, 'm').exec(hcl('apis.tf'))?.[1] ?? '',
        /"(\w+)"/g,
      );
    const found = tableUnder('APIs').map(([, apis]) => sorted(words(apis)));
    expect(found).toEqual(['keydesk', 'data', 'pool'].map((name) => sorted(listed(name))));
    expect(
      sorted(
        tableUnder('APIs')
          .flatMap(([, , more]) => words(more))
          .filter((word) => word !== 'PROJECT'),
      ),
    ).toEqual(sorted([...listed('asked'), ...all(hcl('apis.tf'), /\? \["(\w+)"\]/g), 'bigquery', 'logging']));
  });
});
