// Whoever asks a command how it is used is told so, before anything else is looked at.

import { describe, expect, it } from 'vitest';
import { runCli } from './run-cli.ts';

describe.each(['policy', 'rules', 'kill', 'users'])('npm run %s', (name) => {
  it.each(['--help', '-h'])('answers %s with its usage and 0', async (option) => {
    const env = { KEYDESK_POLICY: '/nonexistent', GOOGLE_CLOUD_PROJECT: '' };
    expect(await runCli(`${name}.ts`, [option], { env })).toEqual({
      code: 0,
      out: expect.stringMatching(new RegExp(`^usage: npm run ${name} -- `)),
      err: '',
    });
  });

  it('answers what it does not know with its usage and 2', async () => {
    const { code, out, err } = await runCli(`${name}.ts`, ['--bogus']);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain('--bogus');
    expect(err).toContain(`usage: npm run ${name} -- `);
  });
});
