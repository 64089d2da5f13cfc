// What a shell makes of a quoted word: the text that was quoted, whatever is in it.

import { execFileSync } from 'node:child_process';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shellCommand, shellQuote } from '../../../shared/core/shell-quote.ts';

/** As bash reads the words of `command`. */
function wordsOf(command: string): string[] {
  const printed = execFileSync('bash', ['-c', `printf '%s\\0' ${command}`], { encoding: 'utf8' });
  return printed.split('\0').slice(0, -1);
}

const SPECIAL = [...'\'"`$\\!;|&<>(){}[]*?~#= \t\n\r\u001b\u202e\u00a0aé'];
const text = fc.oneof(
  fc.string({ unit: fc.constantFrom(...SPECIAL) }),
  fc.string({ unit: 'grapheme' }).filter((one) => !one.includes('\0')),
);

describe('a quoted word', () => {
  it('is the text for a shell', () => {
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 50 }), (texts) => {
        expect(wordsOf(texts.map(shellQuote).join(' '))).toEqual(texts);
      }),
      { numRuns: 20, seed: 20261130 },
    );
  });

  it('shows every character', () => {
    fc.assert(
      fc.property(text, (one) => {
        expect(shellQuote(one)).not.toMatch(/[\p{Cc}\p{Cf}\u00a0]/u);
      }),
      { numRuns: 500, seed: 20261130 },
    );
  });

  it('is as it was where a shell reads it so', () => {
    expect(shellQuote('user:eve@acme.example')).toBe('user:eve@acme.example');
    expect(shellQuote('')).toBe("''");
  });
});

describe('a command', () => {
  it('has each value as one word, or as part of one, and takes what is quoted already', () => {
    const title = "x'; rm -rf /; echo '";
    const where = { quoted: shellCommand`--project=${'acme'} --region=${'a b'}` };
    const command = shellCommand`--title=${title} ${where} ${'$(id)'}`;
    expect(wordsOf(command)).toEqual([`--title=${title}`, '--project=acme', '--region=a b', '$(id)']);
  });
});
