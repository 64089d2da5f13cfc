import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ROOT } from '../../../sandbox/functions.ts';
import { runCli } from './run-cli.ts';

interface Opening {
  readonly name: string;
  readonly project: string;
  readonly database: string;
}
const opening = (name: string, project: string, database = '(default)'): Opening => ({ name, project, database });
/** A policy with these credentials, each with a database of its own name. */
function policy(...openings: readonly Opening[]): string {
  const section = (name: string, entries: readonly string[]) =>
    `${name}:${entries.length > 0 ? `\n${entries.join('')}` : ' {}\n'}`;
  const databases = openings.map(
    ({ name, project, database }) => `  ${name}:
    project: ${project}
    database: ${database}
    apiKey: web-key
    signer: signer@${project}.iam.gserviceaccount.com
`,
  );
  const credentials = openings.map(
    ({ name }) => `  ${name}:
    environment: staging
    ttl: 15m
    firestore:
      database: ${name}
      allow: [{ path: "config/{document}", verbs: [get] }]
`,
  );
  return `version: 1
organization: { slug: acme-inc }
audience: https://keydesk.acme.example
environments: { staging: {} }
${section('databases', databases)}${section('credentials', credentials)}rules: []
`;
}
const POLICY = policy(opening('web', 'acme-staging'));

const HAND_WRITTEN = `rules_version = '2';
// ours – ünïcode, tabs\tand trailing blanks  \r
service cloud.firestore {
  match /databases/{database}/documents {
    match /public/{document} { allow read: if true; }
      // keydesk:begin
      what stood here before
      // keydesk:end
    match /users/{user} { allow get: if request.auth.uid == user; }
  }
}
// the last line has no end`;

describe('keydesk rules write', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'keydesk-rules-'));
    put('policy.yaml', POLICY);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const put = (name: string, text: string) => writeFileSync(join(folder, name), text);
  const rulesFile = (name = 'firestore.rules') => readFileSync(join(folder, name), 'utf8');
  const exists = (name = 'firestore.rules') => {
    try {
      return rulesFile(name) !== undefined;
    } catch {
      return false;
    }
  };

  const rules = (args: readonly string[] = [], options: { cwd?: string; env?: Record<string, string> } = {}) =>
    runCli(
      args.includes('--check') ? 'rules check' : 'rules write',
      args.filter((arg) => arg !== '--check'),
      {
        cwd: folder,
        ...options,
      },
    );

  it('writes a whole new file, and a second time finds nothing to do', async () => {
    const first = await rules();
    expect(first).toEqual({
      code: 0,
      err: '',
      out: expect.stringMatching(/^firestore\.rules written: .*policy\.yaml.*\n.*\n$/),
    });
    expect(first.out).toContain(
      "firestore.rules is a new file: it holds no rules but Keydesk's. Deploying it closes the database to every other client: if the database has rules, save them into this file first",
    );
    const written = rulesFile();
    expect(written).toContain("allow get: if keydeskAllows('web');");
    const second = await rules();
    expect(second).toEqual({ code: 0, err: '', out: expect.stringMatching(/^firestore\.rules agrees with .*\n$/) });
    expect(rulesFile()).toBe(written);
  });

  it('keeps what is written by hand around the marks byte for byte', async () => {
    put('firestore.rules', HAND_WRITTEN);
    const first = await rules();
    expect(first).toMatchObject({ code: 0, out: expect.stringMatching(/^firestore\.rules updated: .*\n$/) });
    const written = rulesFile();
    const [before, after] = HAND_WRITTEN.split(/\/\/ keydesk:begin[\s\S]*\/\/ keydesk:end/);
    expect(written.startsWith(before ?? '-')).toBe(true);
    expect(written.endsWith(after ?? '-')).toBe(true);
    expect(written).not.toContain('what stood here before');
    expect(written).toContain("        allow get: if keydeskAllows('web');");
    expect((await rules()).code).toBe(0);
    expect(rulesFile()).toBe(written);
  });

  it('with --check is content with a file that agrees, and writes nothing', async () => {
    await rules();
    const written = rulesFile();
    expect(await rules(['--check'])).toMatchObject({ code: 0, err: '' });
    expect(rulesFile()).toBe(written);
  });

  it('with --check fails when policy has moved on, says what to run, and writes nothing', async () => {
    await rules();
    const written = rulesFile();
    put('policy.yaml', POLICY.replace('[get]', '[get, list]'));
    const { code, out, err } = await rules(['--check']);
    expect({ code, out }).toEqual({ code: 3, out: '' });
    expect(err).toContain('does not agree with policy.yaml');
    expect(err).toContain(
      "run: keydesk rules write --policy policy.yaml --project acme-staging --database '(default)' --file firestore.rules",
    );
    expect(rulesFile()).toBe(written);
  });

  it('says as JSON whether they agree, with the same exit codes', async () => {
    const database = { file: 'firestore.rules', project: 'acme-staging', database: '(default)' };
    const json = async (...args: string[]) => {
      const { code, out } = await rules([...args, '--json']);
      return { code, json: JSON.parse(out) };
    };
    expect(await json('--check')).toEqual({ code: 3, json: { ...database, agrees: false } });
    expect(await json()).toEqual({ code: 0, json: { ...database, changed: true } });
    expect(await json('--check')).toEqual({ code: 0, json: { ...database, agrees: true } });
    expect(await json()).toEqual({ code: 0, json: { ...database, changed: false } });
  });

  it('with --check fails when somebody changed the generated part', async () => {
    await rules();
    put('firestore.rules', rulesFile().replace("keydeskAllows('web')", 'true'));
    expect((await rules(['--check'])).code).toBe(3);
  });

  it('with --check fails when there is no file, and makes none', async () => {
    expect((await rules(['--check'])).code).toBe(3);
    expect(exists()).toBe(false);
  });

  it.each([
    ['without marks', (text: string) => text.replaceAll('// keydesk:', '// '), 'needs one line'],
    ['with two beginnings', (text: string) => text.replace('// ours', '// keydesk:begin'), 'needs one line'],
    [
      'with a wildcard of another name',
      (text: string) => text.replace('{database}', '{db}'),
      'the wildcard named database',
    ],
  ])('says what to fix in a file %s, and leaves it alone', async (_, change, message) => {
    put('firestore.rules', change(HAND_WRITTEN));
    const { code, out, err } = await rules();
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain(`firestore.rules `);
    expect(err).toContain(message);
    expect(rulesFile()).toBe(change(HAND_WRITTEN));
  });

  it('refuses a file that is not UTF-8 instead of mangling it', async () => {
    const bytes = Buffer.concat([Buffer.from(HAND_WRITTEN), Buffer.from([0xff])]);
    writeFileSync(join(folder, 'firestore.rules'), bytes);
    expect(await rules()).toMatchObject({ code: 1, err: expect.stringMatching(/^firestore\.rules is not UTF-8\. /) });
    expect(readFileSync(join(folder, 'firestore.rules')).equals(bytes)).toBe(true);
  });

  it('requires a database when policy opens several, and accepts one', async () => {
    put(
      'policy.yaml',
      policy(opening('a', 'acme-staging'), opening('b', 'acme-staging', 'other'), opening('c', 'acme-live')),
    );
    const { code, err } = await rules();
    expect(code).toBe(1);
    expect(err).toContain("  --project acme-staging --database '(default)'\n");
    expect(err).toContain('  --project acme-staging --database other\n');
    expect(err).toContain("  --project acme-live --database '(default)'\n");
    expect((await rules(['--project', 'acme-staging'])).code).toBe(1);
    expect((await rules(['--database', '(default)'])).code).toBe(1);
    expect((await rules(['--project', 'acme-live', '--database', 'other'])).err).toContain('opens no such database');
    expect(exists()).toBe(false);
    expect((await rules(['--project', 'acme-live', '--file', 'live.rules'])).code).toBe(0);
    expect(rulesFile('live.rules')).toContain("keydeskAllows('c')");
    expect((await rules(['--database', 'other', '--file', 'other.rules'])).code).toBe(0);
    expect(rulesFile('other.rules')).toContain("keydeskAllows('b')");
  });

  describe('for a policy without a firestore credential', () => {
    beforeEach(() => put('policy.yaml', policy()));

    it.each([[[]], [['--check']], [['--project', 'acme-staging']]])('has nothing to write with %j', async (args) => {
      expect(await rules(args)).toEqual({
        code: 0,
        out: 'policy.yaml has no firestore credential: there are no rules to write\n',
        err: '',
      });
      expect(exists()).toBe(false);
    });

    it.each([[['--project', 'acme-staging']], [['--database', 'other']]])(
      'fails when the check names %j, which the policy does not have',
      async (args) => {
        expect(await rules(['--check', ...args])).toEqual({
          code: 1,
          out: '',
          err: 'policy.yaml has no firestore credential, and so opens no such database\n',
        });
      },
    );
  });

  it('shows every problem of a policy with its line and column, and writes nothing', async () => {
    put('policy.yaml', POLICY.replace('ttl: 15m', 'ttl: 2h').replace('version: 1', 'version: 2'));
    const { code, out, err } = await rules();
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err.match(/^\S+: error: \S+/gm)).toEqual([
      'policy.yaml:1:10: error: version',
      'policy.yaml:14:10: error: ttl',
    ]);
    expect(exists()).toBe(false);
  });

  it.each([
    [
      'eleven paths that cover one document',
      Array.from({ length: 11 }, (_, index) => `c/d${'/s/d'.repeat(index)}/{rest=**}`),
      'has 10 matches for "get" of one document',
    ],
    [
      'a file that is too large',
      Array.from({ length: 3_000 }, (_, index) => `collection-of-a-team-${index}/{document=**}`),
      'bytes, and Firestore accepts 256000',
    ],
  ])("refuses what exceeds Firestore's limits, and leaves the file as it is: %s", async (_, paths, problem) => {
    await rules();
    const written = rulesFile();
    const allow = paths.map((path) => `{ path: "${path}", verbs: [get] }`).join(', ');
    put('policy.yaml', POLICY.replace(/allow: .*/, `allow: [${allow}]`));
    for (const args of [[], ['--check']]) {
      const { code, out, err } = await rules(args);
      expect({ code, out }).toEqual({ code: 1, out: '' });
      expect(err).toMatch(/^firestore\.rules has /);
      expect(err).toContain(problem);
    }
    expect(rulesFile()).toBe(written);
  });

  it('says so when the policy cannot be read', async () => {
    expect(await rules(['--policy', 'none.yaml'])).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^none\.yaml does not exist\. /),
    });
  });

  it('takes the policy of KEYDESK_POLICY unless an option names another', async () => {
    put('from-environment.yaml', policy(opening('from-environment', 'acme-staging')));
    const env = { KEYDESK_POLICY: 'from-environment.yaml' };
    await rules([], { env });
    expect(rulesFile()).toContain("keydeskAllows('from-environment')");
    await rules(['--policy', 'policy.yaml'], { env });
    expect(rulesFile()).toContain("keydeskAllows('web')");
  });

  it('warns of each hand-written rule that every signed-in user satisfies, with its line, and says what to add', async () => {
    put('firestore.rules', HAND_WRITTEN);
    const first = await rules();
    expect(first.code).toBe(0);
    const line =
      rulesFile()
        .split('\n')
        .findIndex((text) => text.includes('/users/{user}')) + 1;
    expect(first.err).toContain(
      `firestore.rules:${line}: warning: "allow get: if request.auth.uid == user;" admits every signed-in user`,
    );
    expect(first.err).toContain('Add "&& !keydeskUser()" to this rule');
    // --check says it too, and does not fail by it.
    expect(await rules(['--check'])).toMatchObject({ code: 0, err: first.err });
    put('firestore.rules', rulesFile().replace('== user;', '== user && !keydeskUser();'));
    expect(await rules(['--check'])).toMatchObject({ code: 0, err: '' });
  });

  it('warns of a rule that only a Keydesk user with a password satisfies, and says how a user comes by one', async () => {
    put(
      'firestore.rules',
      HAND_WRITTEN.replace('request.auth.uid == user', "request.auth.token.email == 'a@b.example'"),
    );
    const { code, err } = await rules();
    expect(code).toBe(0);
    expect(err).toContain('may admit a Keydesk user that a job has changed: a job can give its user a password');
    expect(err).not.toContain('every Keydesk token');
  });

  it.each([
    ["request.auth.token.firebase.get('tenant', null) == null", true, false],
    ["request.auth.token.firebase.tenant == 'ci-x7k2p'", false, true],
  ])('warns of a tenant in a rule by the tenant of policy: %s', async (condition, withoutTenant, withTenant) => {
    for (const [text, warned] of [
      [POLICY, withoutTenant],
      [POLICY.replace('    apiKey:', '    tenant: ci-x7k2p\n    apiKey:'), withTenant],
    ] as const) {
      put('policy.yaml', text);
      put('firestore.rules', HAND_WRITTEN.replace('request.auth.uid == user', condition));
      expect((await rules()).err.includes('warning')).toBe(warned);
    }
  });

  it('warns of a hand-written match that covers the grant documents, and still does its work', async () => {
    put('firestore.rules', HAND_WRITTEN.replace('match /public/{document}', 'match /{document=**}'));
    for (const args of [[], ['--check']]) {
      const { code, err } = await rules(args);
      expect(code).toBe(0);
      expect(err).toContain('firestore.rules: warning: the hand-written "match /{document=**}" also covers the grant');
    }
  });

  it.each([[['--bogus']], [['stray']], [['--project']], [['--check=no']]])(
    'responds to %j with its usage',
    async (args) => {
      const { code, out, err } = await rules(args);
      expect({ code, out }).toEqual({ code: 2, out: '' });
      expect(err).toContain('Run "keydesk rules write --help"');
      expect(exists()).toBe(false);
    },
  );

  it("finds the example's rules in agreement with the example policy", async () => {
    const args = [
      '--policy',
      'examples/policy.yaml',
      '--project',
      'acme-staging',
      '--file',
      'examples/firestore.rules',
      '--check',
    ];
    expect(await rules(args, { cwd: ROOT })).toMatchObject({ code: 0, err: '' });
  });

  describe('with --all', () => {
    const write = (...args: string[]) => runCli('rules write', ['--all', ...args], { cwd: folder });

    it('writes what it writes for each database alone, in files named after them', async () => {
      put('policy.yaml', policy(opening('web', 'acme-staging'), opening('jobs', 'acme-staging', 'jobs')));
      expect(await write()).toMatchObject({ code: 0, err: '' });
      for (const [file, database] of [
        ['acme-staging.rules', '(default)'],
        ['acme-staging-jobs.rules', 'jobs'],
      ] as const) {
        const named = ['--project', 'acme-staging', '--database', database, '--file', `alone-${file}`];
        await runCli('rules write', named, { cwd: folder });
        expect(rulesFile(file)).toBe(rulesFile(`alone-${file}`));
      }
      expect(exists()).toBe(false);
    });

    it('keeps the rules around those that it writes', async () => {
      put('acme-staging.rules', HAND_WRITTEN);
      const { code, out } = await write('--json');
      expect({ code, files: JSON.parse(out).files }).toEqual({
        code: 0,
        files: [{ file: 'acme-staging.rules', project: 'acme-staging', database: '(default)', changed: true }],
      });
      expect(rulesFile('acme-staging.rules')).toContain('match /public/{document} { allow read: if true; }');
    });

    it('writes nothing when two databases would have one file, or when a file is named', async () => {
      expect(await write('--file', 'a.rules')).toMatchObject({ code: 2 });
      put(
        'policy.yaml',
        policy(opening('web', 'acme-staging'), opening('jobs', 'acme1', 'staging'), opening('more', 'acme1-staging')),
      );
      expect(await write()).toMatchObject({ code: 1 });
      expect(exists('acme-staging.rules')).toBe(false);
    });
  });
});
