// deploy/rules.sh against a fake of the Firebase Rules API: what it puts in force, what it refuses to lose, and that a
// database is never without rules.

import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ROOT } from '../../../sandbox/functions.ts';
import { type RulesApi, startRulesApi } from './rules-api.ts';

const ACCESS_TOKEN = 'token-of-gcloud';
const DEFAULT = 'projects/acme-staging/releases/cloud.firestore';
const GENERATED = readFileSync(join(ROOT, 'examples/firestore.rules'), 'utf8');
const own = (inside: string) =>
  `rules_version = '2';\nservice cloud.firestore {\n  match /databases/{database}/documents {\n${inside}\n  }\n}\n`;
/** What a database that was created in production mode has. */
const CLOSED = own('    match /{document=**} {\n      allow read, write: if false;\n    }');
const APP = '    match /users/{user} { allow read: if request.auth.uid == user; }';

describe('deploy/rules.sh', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rules-test-'));
  let api: RulesApi;
  beforeAll(() => {
    mkdirSync(join(folder, 'bin'));
    writeFileSync(
      join(folder, 'bin/gcloud'),
      `#!/bin/sh\n[ "$*" = 'auth print-access-token' ] && echo ${ACCESS_TOKEN}\n`,
    );
    chmodSync(join(folder, 'bin/gcloud'), 0o755);
  });
  beforeEach(async () => {
    api = await startRulesApi(ACCESS_TOKEN);
    return () => api.stop();
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  function rules(text: string, args = ['acme-staging', '(default)'], env: NodeJS.ProcessEnv = {}) {
    const file = join(folder, 'some.rules');
    writeFileSync(file, text);
    return new Promise<{ code: number; output: string }>((resolve) => {
      execFile(
        join(ROOT, 'deploy/rules.sh'),
        [...args, file],
        {
          env: {
            ...process.env,
            PATH: `${join(folder, 'bin')}${delimiter}${process.env.PATH}`,
            KEYDESK_FIREBASERULES_URL: api.url,
            ...env,
          },
        },
        (error, stdout, stderr) => resolve({ code: Number(error?.code ?? 0), output: stdout + stderr }),
      );
    });
  }

  it('puts the first rules of a database in force', async () => {
    expect(await rules(GENERATED)).toMatchObject({ code: 0, output: expect.stringContaining('released the rules') });
    expect(api.live(DEFAULT)).toBe(GENERATED);
  });

  it('does nothing when they are in force already', async () => {
    await rules(GENERATED);
    api.calls.length = 0;
    expect(await rules(GENERATED)).toMatchObject({ code: 0, output: expect.stringContaining('released already') });
    expect(api.calls.filter((call) => !call.startsWith('GET '))).toEqual([]);
  });

  it('changes those it deployed in one request, and deletes nothing', async () => {
    await rules(GENERATED);
    api.calls.length = 0;
    const changed = GENERATED.replace('// keydesk:begin', `${APP}\n    // keydesk:begin`);
    expect(await rules(changed)).toMatchObject({ code: 0 });
    expect(api.live(DEFAULT)).toBe(changed);
    expect(api.calls.filter((call) => !call.startsWith('GET '))).toEqual([
      'POST projects/acme-staging/rulesets',
      `PATCH ${DEFAULT}`,
    ]);
  });

  it('deploys those of a named database to its own release', async () => {
    expect(await rules(GENERATED, ['acme-staging', 'orders'])).toMatchObject({ code: 0 });
    expect(api.live(`${DEFAULT}/orders`)).toBe(GENERATED);
    expect(api.live(DEFAULT)).toBeUndefined();
  });

  it('replaces the closed rules that a new database has', async () => {
    api.deploy(DEFAULT, CLOSED);
    expect(await rules(GENERATED)).toMatchObject({ code: 0 });
    expect(api.live(DEFAULT)).toBe(GENERATED);
  });

  it('refuses to lose rules that others deployed, and shows them', async () => {
    api.deploy(DEFAULT, own(APP));
    const refused = await rules(GENERATED);
    expect(refused.code).toBe(1);
    expect(refused.output).toContain(APP);
    expect(refused.output).toContain('nothing was changed');
    expect(api.live(DEFAULT)).toBe(own(APP));
  });

  it('refuses to lose them also where they are next to its own', async () => {
    const both = GENERATED.replace('// keydesk:begin', `${APP}\n    // keydesk:begin`);
    api.deploy(DEFAULT, both);
    expect(await rules(GENERATED)).toMatchObject({ code: 1, output: expect.stringContaining(APP) });
    expect(api.live(DEFAULT)).toBe(both);
  });

  it.each([
    [
      'a condition behind an address',
      "token.iss == 'https://id.example' && token.admin",
      "token.iss == 'https://id.example'",
    ],
    ['a space in a string', "token.team == 'a b'", "token.team == 'ab'"],
  ])('sees that they differ by %s', async (_, condition, without) => {
    const live = own(`match /users/{user} { allow read: if ${condition}; }`);
    api.deploy(DEFAULT, live);
    const file = GENERATED.replace(
      '// keydesk:begin',
      `match /users/{user} { allow read: if ${without}; }\n    // keydesk:begin`,
    );
    expect((await rules(file)).code).toBe(1);
    expect(api.live(DEFAULT)).toBe(live);
  });

  it('takes them once the file holds them, however they are spaced and commented', async () => {
    api.deploy(DEFAULT, own(`// ours\n${APP}`));
    const both = GENERATED.replace(/^ *\/\/ keydesk:begin/m, (mark) => `${APP.replaceAll(' {', '\n{')}\n${mark}`);
    expect(await rules(both)).toMatchObject({ code: 0 });
    expect(api.live(DEFAULT)).toBe(both);
  });

  it('or with --overwrite', async () => {
    api.deploy(DEFAULT, own(APP));
    expect(await rules(GENERATED, ['--overwrite', 'acme-staging', '(default)'])).toMatchObject({ code: 0 });
    expect(api.live(DEFAULT)).toBe(GENERATED);
  });

  it('says what the API says of rules that do not compile, and leaves those in force', async () => {
    await rules(GENERATED);
    const { code, output } = await rules(`${GENERATED}// syntax error`);
    expect([code, output]).toEqual([1, expect.stringContaining('returned 400: Compile error: L1.')]);
    expect(api.live(DEFAULT)).toBe(GENERATED);
  });

  it.each([
    ['a file without Keydesk’s rules', own(APP), undefined, 'run keydesk rules write first', 1],
    ['no database', GENERATED, ['acme-staging'], 'usage: deploy/rules.sh', 2],
    ['a project that is none', GENERATED, ['acme/../staging', '(default)'], 'usage: deploy/rules.sh', 2],
    ['an option that is not known', GENERATED, ['--force', 'acme-staging', '(default)'], 'usage: deploy/rules.sh', 2],
  ])('refuses %s', async (_, text, args, message, code) => {
    expect(await rules(text, args)).toEqual({ code, output: expect.stringContaining(message) });
    expect(api.calls).toEqual([]);
  });

  it('takes a token from the variable that Terraform’s provider takes it from', async () => {
    const refused = await rules(GENERATED, undefined, { GOOGLE_OAUTH_ACCESS_TOKEN: 'another' });
    expect(refused).toEqual({ code: 1, output: expect.stringContaining('returned 401: no credentials') });
  });
});
