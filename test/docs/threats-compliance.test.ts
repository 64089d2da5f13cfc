// The evidence that docs/THREATS.md and docs/COMPLIANCE.md point at is there: each file, each test by its title, each collection
// and field; and so is what the other documents link to. Whether it is good evidence, a reader decides.

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../sandbox/functions.ts';
import { partOf, read, rowsOf } from './page.ts';

/** Tests as `FILE` "TITLE", "TITLE". */
function testsIn(text: string): [string, string][] {
  return [...text.matchAll(/`(test\/[\w./-]+\.ts)`((?:,? "[^"]+")*)/g)].flatMap(([, file = '', titles = '']) =>
    [...titles.matchAll(/"([^"]+)"/g)].map(([, title]): [string, string] => [file, title ?? '']),
  );
}

/** Whether a test of that title stands in the source, as it is written there. */
function hasTest(file: string, title: string): boolean {
  const escaped = title.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`\\(\\s*(['"\`])${escaped}\\1`).test(read(file));
}

const DOCUMENTS = [
  'THREATS',
  'COMPLIANCE',
  'ARCHITECTURE',
  'AUDIT',
  'BUILDKITE',
  'EVIDENCE',
  'FAQ',
  'OPERATIONS',
  'STORAGE',
  'TROUBLESHOOTING',
];

describe.each(['SECURITY.md', ...DOCUMENTS.map((name) => `docs/${name}.md`)])('%s', (document) => {
  const text = read(document);

  it('names only files that exist', () => {
    const paths = [
      ...text.matchAll(/`((?:test|docs|deploy|shared|functions)\/[\w./-]+|package-lock\.json|firestore\.rules)`/g),
    ];
    for (const [, path] of paths) expect([path, existsSync(join(ROOT, path ?? ''))]).toEqual([path, true]);
  });

  it('links only to files that exist', () => {
    const folder = document.includes('/') ? 'docs' : '.';
    for (const [, path] of text.matchAll(/\]\((?!https?:)([^)#]+)\)/g))
      expect([path, existsSync(join(ROOT, folder, path ?? ''))]).toEqual([path, true]);
  });

  it('names only tests that exist, by their titles', () => {
    for (const [file, title] of testsIn(text)) expect([file, title, hasTest(file, title)]).toEqual([file, title, true]);
  });
});

describe('docs/THREATS.md', () => {
  const rows = rowsOf(read('docs/THREATS.md'));

  it('has for every threat what stands against it, what remains, and a test', () => {
    expect(rows.length).toBeGreaterThan(25);
    for (const row of rows) {
      expect([row[0], row.length]).toEqual([row[0], 4]);
      expect([row[0], testsIn(row[3] ?? '').length > 0]).toEqual([row[0], true]);
    }
  });

  it('covers every class of attack', () => {
    const named = rows.flatMap(([threat = '']) => [...(/\(([0-9]+)\)$/.exec(threat)?.slice(1) ?? [])].map(Number));
    expect([...new Set(named)].sort((left, right) => left - right)).toEqual(
      Array.from({ length: 19 }, (_, at) => at + 1),
    );
  });
});

describe('docs/COMPLIANCE.md', () => {
  const rows = rowsOf(read('docs/COMPLIANCE.md'));

  it('has evidence for every control, and says what stays with the reader', () => {
    expect(rows.length).toBeGreaterThan(20);
    for (const row of rows) {
      expect([row[0], row.length]).toEqual([row[0], 4]);
      expect([row[0], /`[\w./-]+`/.test(row[2] ?? '')]).toEqual([row[0], true]);
      expect([row[0], (row[3] ?? '').length > 0]).toEqual([row[0], true]);
    }
  });

  it('names collections and fields that docs/STORAGE.md has', () => {
    const storage = read('docs/STORAGE.md');
    const fields = rows.flatMap(([, , evidence = '']) =>
      [...evidence.matchAll(/`([a-z_]+)`/g)].map(([, name]) => name),
    );
    expect(fields.length).toBeGreaterThan(5);
    for (const field of fields) expect([field, new RegExp(`\`${field}[\`/]`).test(storage)]).toEqual([field, true]);
  });
});

it('SECURITY.md leads to the threats', () => {
  expect(read('SECURITY.md')).toContain('(docs/THREATS.md)');
});

describe('docs/EVIDENCE.md', () => {
  const page = read('docs/EVIDENCE.md');
  const said = rowsOf(partOf(page, '## The invariants')).map(([name]) => name);

  it('says what each invariant is, before it names one', () => {
    expect(said).toEqual(Array.from({ length: 8 }, (_, at) => `I${at + 1}`));
    expect(page.split('## The invariants')[0]).not.toMatch(/\bI[0-9]\b/);
  });

  it.each(['SECURITY.md', 'README.md', ...readdirSync(join(ROOT, 'docs')).filter((name) => name.endsWith('.md'))])(
    '%s names no other',
    (name) => {
      const text = read(existsSync(join(ROOT, name)) ? name : `docs/${name}`);
      for (const [invariant] of text.matchAll(/\bI[0-9]+\b/g)) expect(said).toContain(invariant);
    },
  );

  it('has a mistake that was caught, or why there is none, for every invariant but the last', () => {
    const mistakes = rowsOf(partOf(page, '## Guards taken out one at a time')).map(([name]) => name);
    for (const name of said.slice(0, -1)) expect(mistakes).toContain(name);
    expect(partOf(page, '## The invariants')).toContain(`${said.at(-1)} is about identities`);
  });
});
