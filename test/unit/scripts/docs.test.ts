// What is generated in the documentation and the examples is as `npm run docs` writes it now.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../../sandbox/functions.ts';
import { withBlocks } from '../../../scripts/docs/markdown.ts';
import { generatedFiles } from '../../../scripts/docs/pages.ts';

it.each([...generatedFiles(ROOT)])('%s is current', (path, text) => {
  const isCurrent = readFileSync(`${ROOT}${path}`, 'utf8') === text();
  expect(isCurrent, `${path} is not current: run "npm run docs"`).toBe(true);
});

describe('a page with generated parts', () => {
  const PAGE = 'Before.\n\n<!-- Generated (npm run docs): one -->\nold\n<!-- End of generated: one -->\n\nAfter, $1.\n';

  it('keeps what stands around them', () => {
    expect(withBlocks(PAGE, { one: 'new $1' })).toBe(
      'Before.\n\n<!-- Generated (npm run docs): one -->\n\nnew $1\n\n<!-- End of generated: one -->\n\nAfter, $1.\n',
    );
  });

  it.each([
    ['without marks', 'Before.', { one: '' }],
    ['without the end of a part', PAGE.replace('<!-- End of generated: one -->', ''), { one: '' }],
    ['with a part twice', PAGE + PAGE, { one: '' }],
    ['with a part that nothing generates', PAGE, {}],
    [
      'with the marks in the wrong order',
      PAGE.replaceAll(/(<!-- Gen.*)\n(.*)\n(<!-- End.*)/g, '$3\n$2\n$1'),
      { one: '' },
    ],
  ])('is refused %s', (_, page, blocks) => {
    expect(() => withBlocks(page, blocks)).toThrow(/once|before/);
  });
});
