// What the Markdown files link to, and the files and npm scripts that they name, is there.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../../sandbox/functions.ts';

const NOT_OURS = /(^|\/)(\.git|node_modules|dist)(\/|$)/;
const FILE = /`((?:bench|cli|deploy|docs|examples|functions|plugin|sandbox|scripts|shared|test)\/[\w./-]+)`/g;
/** A test file, and the titles of tests that follow it. */
const TITLES = /`(test\/[\w./-]+\.(?:test|deep)\.ts)` ((?:"[^"]*"(?:, )?)+)/g;
/** npm's own. */
const COMMANDS = ['ci', 'install', 'pack', 'start', 'test'];

const pages = markdownIn('.').map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));
/** Without code. */
const prose = pages.map(({ path, text }) => ({ path, text: text.replaceAll(/^```[\s\S]*?^```|`[^`\n]*`/gm, '') }));
/** Not those that say what once was. */
const current = pages.filter(({ path }) => path !== 'CHANGELOG.md' && !path.startsWith('docs/adr/'));
const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: object };

function markdownIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return NOT_OURS.test(path) ? [] : markdownIn(path);
    return path.endsWith('.md') ? [path] : [];
  });
}

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsIn(text: string): ReadonlySet<string> {
  const headings = [...text.replaceAll(/^```[\s\S]*?^```/gm, '').matchAll(/^#+ (.+)$/gm)].map(
    ([, heading = '']) => heading,
  );
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\w -]/g, '')
        .replaceAll(' ', '-'),
    ),
  );
}

/** What `find` finds in each page and `isThere` does not accept. */
function missing(find: RegExp, isThere: (found: string, page: string) => boolean, of = pages): string[] {
  return of.flatMap(({ path, text }) =>
    [...text.matchAll(find)].flatMap(([, found = '']) => (isThere(found, path) ? [] : [`${path}: ${found}`])),
  );
}

describe('the Markdown files', () => {
  it('are found', () => {
    expect(pages.map(({ path }) => path)).toEqual(expect.arrayContaining(['README.md', 'docs/THREATS.md']));
  });

  it('link to files that exist', () => {
    const link = /\]\((?![a-z]+:)([^)#\s]+)/g;
    expect(missing(link, (target, page) => existsSync(join(ROOT, dirname(page), target)), prose)).toEqual([]);
  });

  it('link to headings that exist', () => {
    const link = /\]\((?![a-z]+:)([^)\s]*\.md#[^)\s]+|#[^)\s]+)\)/g;
    const isHeading = (target: string, page: string) => {
      const [file = '', anchor = ''] = target.split('#');
      return anchorsIn(readFileSync(join(ROOT, file === '' ? page : join(dirname(page), file)), 'utf8')).has(anchor);
    };
    expect(missing(link, isHeading, prose)).toEqual([]);
  });

  it('name files that exist', () => {
    expect(missing(FILE, (path) => existsSync(join(ROOT, path)), current)).toEqual([]);
  });

  it('name tests by titles that exist', () => {
    const named = current.flatMap(({ path, text }) =>
      [...text.matchAll(TITLES)].flatMap(([, file = '', titles = '']) =>
        [...titles.matchAll(/"([^"]*)"/g)].map(([, title = '']) => ({ path, file, title })),
      ),
    );
    expect(named.length).toBeGreaterThan(100);
    expect(
      named.filter(({ file, title }) => !readFileSync(join(ROOT, file), 'utf8').replaceAll("\\'", "'").includes(title)),
    ).toEqual([]);
  });

  it('name npm scripts that exist', () => {
    const run = /\bnpm (?:run (?:-s )?)?([a-z][a-z:-]*)/g;
    expect(missing(run, (name) => name in scripts || COMMANDS.includes(name), current)).toEqual([]);
  });
});
