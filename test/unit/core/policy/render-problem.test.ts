// The caret is under the part that is wrong, whatever the characters before it, and no text commands the terminal.

import { describe, expect, it } from 'vitest';
import { renderProblem } from '../../../../shared/core/policy/render-problem.ts';

function shown(text: string, wrong: string, line = 1): string[] {
  const source = text.split('\n')[line - 1] ?? '';
  const place = { line, column: source.indexOf(wrong) + 1, length: wrong.length };
  const rendered = renderProblem({ ...place, severity: 'error', where: '', message: 'M' }, { file: 'p.yaml', text });
  return rendered.split('\n').slice(1);
}

describe('a problem', () => {
  it('has place, severity, code, message, the keys around it, the source line and a caret', () => {
    const problem = { line: 2, column: 6, length: 3, where: 'credential "x"', message: 'ttl is wrong.' };
    const text = 'x:\nttl: 99h # hours\r\n';
    expect(renderProblem({ ...problem, severity: 'warning', code: 'short_ttl' }, { file: 'p.yaml', text })).toBe(
      'p.yaml:2:6: warning short_ttl: ttl is wrong.\n  in credential "x"\n  2 | ttl: 99h # hours\n    |      ^^^',
    );
  });

  it('has its severity and its caret in colour', () => {
    const problem = { line: 1, column: 1, length: 1, where: '', message: 'M', severity: 'error' } as const;
    const paint = (_: string, plain: string) => `<${plain}>`;
    expect(renderProblem(problem, { file: 'p.yaml', text: 'ab', paint })).toBe(
      'p.yaml:1:1: <error>: M\n  1 | ab\n    | <^>',
    );
  });

  it.each([
    ['a tab', 'a:\twrong # x', '  1 | a:    wrong # x', '    |       ^^^^^'],
    ['a letter of two columns', 'a: "日本" wrong', '  1 | a: "日本" wrong', '    |           ^^^^^'],
    ['an emoji', '"😀" wrong', '  1 | "😀" wrong', '    |      ^^^^^'],
    ['a combining accent', '"e\u0301" wrong', '  1 | "e\u0301" wrong', '    |     ^^^^^'],
    ['what is invisible', 'a\u202e wrong', '  1 | a<U+202E> wrong', '    |           ^^^^^'],
    ['an escape', '\u001b[31m wrong', '  1 | <U+001B>[31m wrong', '    |              ^^^^^'],
  ])('has its caret right after %s', (_, text, line, caret) => {
    expect(shown(text, 'wrong')).toEqual([line, caret]);
  });

  it('shows a long line around the caret', () => {
    const [line = '', caret = ''] = shown(`${'a'.repeat(300)}wrong${'b'.repeat(300)}`, 'wrong');
    expect(line).toMatch(/^ {2}1 \| …a{40}wrongb{55}…$/);
    expect(caret).toBe(`    | ${' '.repeat(41)}^^^^^`);
  });

  it('ends its caret where a long line is cut', () => {
    const [line = '', caret = ''] = shown(`x ${'w'.repeat(300)}`, 'w'.repeat(300));
    expect(line).toBe(`  1 | x ${'w'.repeat(98)}…`);
    expect(caret).toBe(`    |   ${'^'.repeat(98)}`);
  });

  it('has a caret at the end of a line and of the text', () => {
    const at = (line: number, column: number, text: string) =>
      renderProblem({ line, column, length: 1, where: '', message: 'M', severity: 'error' }, { file: 'p', text });
    expect(at(1, 3, 'ab\nc')).toBe('p:1:3: error: M\n  1 | ab\n    |   ^');
    expect(at(2, 1, 'ab\n')).toBe('p:2:1: error: M\n  2 |\n    | ^');
  });

  it('shows control characters of its message by their code points', () => {
    const problem = { line: 1, column: 1, length: 1, where: 'rule "\u001b[2J"', message: '"a\u0007\nb" M' } as const;
    const rendered = renderProblem({ ...problem, severity: 'error' }, { file: 'p', text: 'x' });
    expect(rendered).toBe('p:1:1: error: "a<U+0007> b" M\n  in rule "<U+001B>[2J"\n  1 | x\n    | ^');
  });
});
