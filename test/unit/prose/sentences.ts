// The sentences of a Markdown page, for a check of their length. Code blocks and headings have none. A cell of a table and an
// item of a list are judged separately. A code span and a link's text count as their words without the address.

/** Text that ends a sentence. A point within a word, such as a file's name, ends none. */
const END = /(?<=[.!?])["')*_]*\s+(?=["'(*_`[]*[\p{Lu}\d`…])/u;

export function sentencesOf(page: string): string[] {
  return blocksOf(page)
    .map(plain)
    .flatMap((block) => block.split(END))
    .map((sentence) => sentence.trim())
    .filter((sentence) => sentence !== '');
}

export function wordCount(sentence: string): number {
  return sentence.split(/\s+/).filter((word) => /[\p{L}\d]/u.test(word)).length;
}

/** Paragraphs, items and cells, each on one line. */
function blocksOf(page: string): string[] {
  const text = page.replaceAll(/^(`{3,})[\s\S]*?^\1/gm, '\n').replaceAll(/<!--[\s\S]*?-->/g, '\n');
  return text
    .split(/\n\s*\n|\n(?=\s*(?:[-*>]|\d+\.) )|\n(?=\|)|(?<=\|)\n/)
    .filter((block) => !/^\s*#/.test(block))
    .flatMap((block) => (block.startsWith('|') ? block.split(/(?<!\\)\|/) : [block]))
    .map((block) => block.replaceAll(/\s+/g, ' '));
}

function plain(block: string): string {
  return block
    .replaceAll(/`[^`]*`/g, 'Code')
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/^\s*(?:[-*>]|\d+\.) /, '');
}
