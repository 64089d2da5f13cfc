// `keydesk policy who`: exit codes, JSON, and what its help shows.

import { describe, expect, it } from 'vitest';
import { runCli } from './run-cli.ts';

const who = (...args: string[]) => runCli('policy who', ['--policy', 'examples/policy.yaml', ...args]);

describe('keydesk policy who', () => {
  it('shows the rules that grant a credential, with an example that explain takes', async () => {
    const { code, out, err } = await who('production-config');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const [, example = ''] = /^ {4}Example: (.*)$/m.exec(out) ?? [];
    const job = await runCli('policy explain', [
      'production-config',
      '--policy',
      'examples/policy.yaml',
      ...example.split(' '),
    ]);
    expect(job.out).toContain('production-config: granted by');
  });

  it('exits with 3 when service accounts may open it by IAM roles', async () => {
    expect(await who('--path', 'nowhere/x')).toMatchObject({ code: 3, out: expect.stringContaining('Cannot tell') });
  });

  it('gives the same answer as JSON', async () => {
    const { code, out } = await who('--bucket', 'acme-ci-cache', '--json');
    expect(code).toBe(3);
    expect(JSON.parse(out)).toMatchObject({
      question: { about: 'bucket', bucket: 'acme-ci-cache', prefix: '' },
      credentials: [
        { credential: 'staging-admin', opening: { opens: 'cannot_tell' } },
        {
          credential: 'staging-cache',
          opening: { opens: 'part' },
          ttl: 900,
          revocation: 'expiry',
          rules: [
            {
              rule: 'deploy to staging',
              matches: 'some_jobs',
              claims: expect.arrayContaining([
                { claim: 'build_branch', absent: false, patterns: ['main', 'release/*'], chosen_by: 'author' },
                { claim: 'build_tag', absent: true, patterns: [], chosen_by: 'author' },
              ]),
              example: ['pipeline=web', 'build_branch=main', 'build_source=webhook'],
            },
          ],
        },
      ],
    });
  });

  it('asks whether a bucket is misspelt', async () => {
    const { err } = await who('--bucket', 'acme-ci-cach');
    expect(err).toBe('No credential names the bucket acme-ci-cach. Did you mean "acme-ci-cache"?\n');
  });

  it.each([
    [[], 'Give one of these'],
    [['production-confg'], 'Did you mean "production-config"?'],
    [['--environment', 'stagin'], 'Did you mean "staging"?'],
    [['examples/policy.yaml'], 'Write --policy examples/policy.yaml.'],
  ])('exits with 2 for %j', async (args, message) => {
    expect(await who(...args)).toEqual({ code: 2, out: '', err: expect.stringContaining(message) });
  });

  it('does what its help shows', async () => {
    const { out: usage } = await runCli('policy who', ['--help']);
    const shown = usage.match(/(?<=^ {2}\$ keydesk ).*--policy.*$/gm) ?? [];
    expect(shown).toHaveLength(4);
    for (const line of shown) expect([0, 3]).toContain((await runCli(line)).code);
  });
});
