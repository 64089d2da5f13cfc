// Command lines that look right and are not, in any command; and output that cannot be written.

import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it, type MockInstance, vi } from 'vitest';
import { hideTokens } from '../../../cli/hide-tokens.ts';
import { createProgram } from '../../../cli/program.ts';
import { tokenAlone } from '../../../cli/token-hash.ts';
import { ROOT } from '../../../sandbox/functions.ts';
import { runCli } from '../../system/cli/run-cli.ts';

const ACCESS_TOKEN = 'ya29.c.b0Aaekm1J6wq3GvX-_9';
const JOB_TOKEN = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl';

describe('an option with a value', () => {
  const program = createProgram();
  let written: MockInstance;
  beforeAll(() => {
    written = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  });
  afterAll(() => written.mockRestore());
  const refusal = (line: string) =>
    program.parseAsync(line.split(' '), { from: 'user' }).then(
      () => 'accepted',
      ({ code, message }) => `${code} ${message}`,
    );

  it.each([
    ['kill --environment production --reason --dry-run', '--reason needs a value, and --dry-run is an option.'],
    ['kill --environment production --reason -h', '--reason needs a value, and -h is an option.'],
    ['kill --environment --reason=why --dry-run', '--environment needs a value, and --reason=why is an option.'],
    ['kill --reason why --environment --dryrun', '--environment needs a value, and --dryrun looks like an option.'],
    ['grants list --environment --json', '--environment needs a value, and --json is an option.'],
    ['policy check --policy --json', '--policy needs a value, and --json is an option.'],
    ['doctor --touched --json', '--touched needs a value, and --json is an option.'],
    ['kill --environment staging --reason a --environment production', '--environment is given twice.'],
    ['kill --environment=staging --reason a --environment=staging', '--environment is given twice.'],
    ['grants list --environment staging --environment production', '--environment is given twice.'],
    ['policy check --policy a.yaml --policy b.yaml', '--policy is given twice.'],
    ['kill --reason why --environment=', '--environment is empty.'],
    ['kill --since noon', '--since cannot be "noon": it takes a day such as 2026-11-30, or a time in UTC such as'],
    ['review --from 30d', '--from cannot be "30d": it takes a day'],
    ['kill --resume 7', '--resume cannot be "7": it takes a UUID, such as 0184990a-477b-4fa8-9968-496074483cee.'],
    [
      'kill --approver Bob --reason why',
      '--approver cannot be "Bob": it takes a UUID, such as 0184990a-477b-4fa8-9968-496074483cee, and no name: "keydesk grants show GRANT" has it.',
    ],
    ['policy unused --since 2999-01-01', '--since cannot be "2999-01-01": it takes a time in the past.'],
    ['grants list --state LIVEE', '--state cannot be "LIVEE": it is one of'],
    ['webhook rotate --project X', '--project cannot be "X": it takes the ID of a Google Cloud project.'],
  ])('takes no option as its value, and one value alone: %s', async (line, message) => {
    expect(await refusal(line)).toContain(`commander.error error: ${message}`);
  });

  it.each([
    'policy explain --claim a=b --claim=c=d --bogus',
    'doctor --touched acme-one acme-two --touched acme-three --bogus',
    'kill --environment=--dry-run --reason=--reason --bogus',
    'kill --token - --reason -x --bogus',
  ])('may be a list, or begin with - after an equals sign: %s', async (line) => {
    expect(await refusal(line)).toContain("error: unknown option '--bogus'");
  });
});

describe('a token in the wrong place', () => {
  it.each([ACCESS_TOKEN, JOB_TOKEN, 'bkua_0123456789abcdef'])('is not repeated by a message: %s', (token) => {
    for (const text of [`${token}: no such file`, `--since: "${token}" is no time`, `unknown command '${token}'`]) {
      expect(hideTokens(text)).not.toContain(token.slice(5));
      expect(hideTokens(text).length).toBeGreaterThan(20);
    }
    expect(hideTokens('keydesk.acme.example eyJ ya29 5f1d7a84f8')).toBe('keydesk.acme.example eyJ ya29 5f1d7a84f8');
  });

  it.each<[string, string]>([
    ['kill --reason why --token', 'secret-without-a-form-of-its-own'],
    ['grants show', JOB_TOKEN],
    ['', ACCESS_TOKEN],
  ])('is not repeated by the command: %s', async (command, token) => {
    const { code, out, err } = await runCli(command, [token]);
    expect(code).toBe(2);
    expect(err).not.toBe('');
    expect(out + err).not.toContain(token);
  });

  it.each([
    `"${ACCESS_TOKEN}"`,
    `'${ACCESS_TOKEN}'`,
    `TOKEN=${ACCESS_TOKEN}`,
    `access_token=${ACCESS_TOKEN}`,
    `${ACCESS_TOKEN},`,
    `${ACCESS_TOKEN} ${ACCESS_TOKEN}`,
    `Bearer ${ACCESS_TOKEN}`,
    `{"access_token":"${ACCESS_TOKEN}"}`,
    'short',
    '',
  ])('has to be alone: %s', (text) => {
    expect(tokenAlone(text)).toBeUndefined();
    expect(tokenAlone(`${ACCESS_TOKEN}\n`)).toBe(ACCESS_TOKEN);
    expect(tokenAlone('ab+/cdefghijklmnop==')).toBe('ab+/cdefghijklmnop==');
  });
});

describe('output that cannot be written', () => {
  it.runIf(process.platform === 'linux').each(['version', '--help'])('is one line and exit code 1: %s', (line) => {
    const script = `"$0" cli/keydesk.ts ${line} > /dev/full`;
    const { status, stderr } = spawnSync('sh', ['-c', script, process.execPath], { cwd: ROOT, encoding: 'utf8' });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^The output could not be written: ENOSPC[^\n]*\n$/);
  });
});
