// Markdown as the generated parts of the documentation need it: names, tables, and the marks between which a page is generated.

/** By name, the text between a pair of marks of a page. */
export type Blocks = Readonly<Record<string, string>>;

const MARK = /<!-- (?:Generated \(npm run docs\)|End of generated): ([\w. -]+) -->/g;
const begin = (block: string) => `<!-- Generated (npm run docs): ${block} -->`;
const end = (block: string) => `<!-- End of generated: ${block} -->`;

/** The page with every generated part as `blocks` has it. @throws Error when the page has other marks than `blocks` needs */
export function withBlocks(page: string, blocks: Blocks): string {
  const wanted = Object.keys(blocks).flatMap((block) => [begin(block), end(block)]);
  const found = [...page.matchAll(MARK)].map(([mark]) => mark);
  const problem = [
    ...wanted.filter((mark) => count(found, mark) !== 1),
    ...found.filter((mark) => !wanted.includes(mark)),
  ];
  if (problem.length > 0) throw new Error(`the page must have each of these once, and no other: ${problem.join(' ')}`);
  return Object.entries(blocks).reduce((text, [block, generated]) => {
    const [before = '', rest = ''] = text.split(begin(block));
    const [, after] = rest.split(end(block));
    if (after === undefined) throw new Error(`the end of the part ${block} comes before its beginning`);
    return `${before}${begin(block)}\n\n${generated}\n\n${end(block)}${after}`;
  }, page);
}

function count(marks: readonly string[], mark: string): number {
  return marks.filter((each) => each === mark).length;
}

/** A name as code. */
export function name(text: string): string {
  return `\`${text}\``;
}

export function names(texts: readonly string[]): string {
  return texts.map(name).join(', ');
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** The parts with an empty line between them; an empty part is left out. */
export function sections(...parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join('\n\n');
}
