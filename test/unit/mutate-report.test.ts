// What npm run mutate says of Stryker's report, and that its explanations are of code that is there.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { EXPLANATIONS } from '../../tools/stryker/explanations.ts';
import { judge, judgedAgain, mutantsOf, oneLine, reportSchema } from '../../tools/stryker/report.ts';

const FILE = 'shared/core/a.ts';
const SOURCE = 'const a = 1;\nexport const b =\n  a > 0 ? a : 2;\n';

/** Of `a > 0` in the third line. */
const mutant = (replacement: string, status: string) => ({
  mutatorName: 'ConditionalExpression',
  replacement,
  status,
  location: { start: { line: 3, column: 3 }, end: { line: 3, column: 8 } },
});
const reported = (...mutants: object[]) =>
  mutantsOf(reportSchema.parse({ files: { [FILE]: { source: SOURCE, mutants } }, thresholds: { high: 80, low: 60 } }));
const explanation = { file: FILE, from: 'a > 0 ? a : 2;', becomes: 'true ? a : 2;', why: 'a is 1' };

describe('a mutant', () => {
  it('is known by its lines, as they are and as it has them', () => {
    expect(reported(mutant('true', 'Survived'))).toEqual([
      {
        file: FILE,
        lines: { first: 3, last: 3 },
        from: explanation.from,
        becomes: explanation.becomes,
        survived: true,
      },
    ]);
  });

  it('may change several lines', () => {
    const location = { start: { line: 2, column: 14 }, end: { line: 3, column: 16 } };
    expect(reported({ ...mutant('b = 3', 'Killed'), location })).toEqual([
      {
        file: FILE,
        lines: { first: 2, last: 3 },
        from: 'export const b = a > 0 ? a : 2;',
        becomes: 'export const b = 3;',
        survived: false,
      },
    ]);
  });

  it.each([
    ['Killed', false],
    ['Timeout', false],
    ['Survived', true],
    ['NoCoverage', true],
  ])('that is %s survived: %s', (status, survived) => {
    expect(reported(mutant('true', status))).toMatchObject([{ survived }]);
  });

  it.each(['Ignored', 'RuntimeError', 'CompileError'])('that did not run is none: %s', (status) => {
    expect(reported(mutant('true', status))).toEqual([]);
  });

  it('that survived some tests and not all of them did not survive', () => {
    const first = reported(mutant('true', 'Survived'), mutant('false', 'Survived'), mutant('a >= 0', 'Killed'));
    const again = reported(mutant('true', 'Killed'), mutant('false', 'Survived'), mutant('a >= 0', 'Survived'));
    expect(judgedAgain(first, again).map(({ survived }) => survived)).toEqual([false, true, false]);
    expect(judgedAgain(first, [])).toEqual(first);
  });
});

describe('a survivor', () => {
  const mutants = reported(mutant('true', 'Survived'), mutant('false', 'Killed'), mutant('a >= 0', 'Survived'));

  it('is explained or left', () => {
    const { rows, left, stale } = judge(mutants, [explanation]);
    expect(rows).toEqual([{ file: FILE, mutants: 3, killed: 1, explained: 1 }]);
    expect(left.map(({ becomes }) => becomes)).toEqual(['a >= 0 ? a : 2;']);
    expect(stale).toEqual([]);
  });

  it('that is none any more makes its explanation stale, in the files that were run', () => {
    const killed = { ...explanation, becomes: 'false ? a : 2;' };
    expect(judge(mutants, [killed, { ...killed, file: 'shared/core/b.ts' }]).stale).toEqual([killed]);
  });
});

describe('each explanation', () => {
  it.each(EXPLANATIONS)('is of code that is there, once, and says why: $file $becomes', (own) => {
    const { file, from, becomes, why } = own;
    expect(oneLine(readFileSync(file, 'utf8'))).toContain(from);
    expect(becomes).not.toBe(from);
    expect(why).not.toBe('');
    expect(EXPLANATIONS.filter((other) => other.file === file && other.becomes === becomes)).toEqual([own]);
  });
});
