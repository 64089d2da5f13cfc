// AGENTS.md: each command that it shows exists, with each of its options.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import { describe, expect, it } from 'vitest';
import { createProgram } from '../../../cli/program.ts';
import { ROOT } from '../../../sandbox/functions.ts';

const PAGE = readFileSync(join(ROOT, 'AGENTS.md'), 'utf8');
const COMMANDS = [...PAGE.matchAll(/^ *keydesk (.*)$/gm)].map(([, words = '']) => words);

describe('AGENTS.md', () => {
  it.each(COMMANDS)('shows a command that exists: keydesk %s', (line) => {
    const words = line.split(' ');
    let command: CommandUnknownOpts = createProgram();
    for (const word of words) command = command.commands.find((one) => one.name() === word) ?? command;
    expect(command.commands).toEqual([]);
    const known = command.options.map(({ long }) => long);
    for (const option of words.filter((word) => word.startsWith('--'))) expect(known).toContain(option);
  });

  it('shows every command of the gate', () => {
    for (const name of ['check', 'test', 'diff', 'replay'])
      expect(COMMANDS.some((line) => line.startsWith(`policy ${name} `))).toBe(true);
  });
});
