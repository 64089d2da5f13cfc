// `npm start` and its arguments: whoever asks how it is used is told so, and nothing starts.

import { describe, expect, it } from 'vitest';
import { ROOT } from '../../../sandbox/functions.ts';
import { watch } from './processes.ts';

const start = async (...args: string[]) => {
  const watched = watch(process.execPath, [`${ROOT}sandbox/main.ts`, ...args]);
  return { code: await watched.ended, out: watched.out(), err: watched.err() };
};

describe('npm start', () => {
  it.each(['--help', '-h'])('answers %s with its usage and 0', async (option) => {
    const { code, out, err } = await start(option);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/^usage: npm start -- \[--once\]\n/);
    expect(out).not.toContain('starting');
  });

  it.each([['--onec'], ['once'], ['--once=yes']])('answers %s with its usage and 2', async (argument) => {
    const { code, out, err } = await start(argument);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(/^.+\nusage: npm start -- \[--once\]\n/);
  });
});
