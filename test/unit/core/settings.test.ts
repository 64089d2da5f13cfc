import { describe, expect, it } from 'vitest';
import { parseSettings, parseWebhookSettings } from '../../../shared/core/settings.ts';

const NEEDED = { GOOGLE_CLOUD_PROJECT: 'acme-keydesk' };
const DEFAULTS = {
  GOOGLE_CLOUD_PROJECT: 'acme-keydesk',
  KEYDESK_DATABASE: '(default)',
  KEYDESK_ISSUER: 'https://agent.buildkite.com',
  KEYDESK_BUILDKITE_API_URL: 'https://api.buildkite.com',
  KEYDESK_IAMCREDENTIALS_URL: 'https://iamcredentials.googleapis.com',
  KEYDESK_IAM_URL: 'https://iam.googleapis.com',
  KEYDESK_STS_URL: 'https://sts.googleapis.com',
  KEYDESK_IDENTITYTOOLKIT_URL: 'https://identitytoolkit.googleapis.com',
  KEYDESK_TRUSTED_PROXIES: 0,
};
const URL_NAMES = [
  'KEYDESK_ISSUER',
  'KEYDESK_BUILDKITE_API_URL',
  'KEYDESK_IAMCREDENTIALS_URL',
  'KEYDESK_IAM_URL',
  'KEYDESK_STS_URL',
  'KEYDESK_IDENTITYTOOLKIT_URL',
] as const;

type Environment = Record<string, string | undefined>;
const problemsOf = (
  environment: Environment,
  parse = parseSettings as (e: Environment) => object,
): readonly string[] => {
  const result = parse(environment);
  return 'problems' in result ? (result.problems as string[]) : [];
};

describe('settings', () => {
  it('need a project and have a default for everything else', () => {
    expect(parseSettings(NEEDED)).toEqual({ settings: DEFAULTS });
    expect(problemsOf({})).toEqual([
      'GOOGLE_CLOUD_PROJECT is not set: it names the Google Cloud project that holds the ledger',
    ]);
  });

  it('pass through what is set', () => {
    const environment = {
      GOOGLE_CLOUD_PROJECT: 'example.com:acme-keydesk',
      KEYDESK_DATABASE: 'ledger',
      ...Object.fromEntries(URL_NAMES.map((name) => [name, `https://${name.length}.example/base`])),
      KEYDESK_TRUSTED_PROXIES: '1',
      KEYDESK_BUILDKITE_API_TOKEN: 'bkua_abc',
    };
    expect(parseSettings({ ...environment, KEYDESK_WEBHOOK_TOKENS: 'one' })).toEqual({
      settings: { ...environment, KEYDESK_TRUSTED_PROXIES: 1, KEYDESK_WEBHOOK_TOKENS: ['one'] },
    });
  });

  it('ignore variables that are not theirs', () => {
    expect(parseSettings({ ...NEEDED, PATH: '/bin', KEYDESK_UNKNOWN: 'x' })).toEqual({ settings: DEFAULTS });
  });

  it('take an empty variable for one that is not set', () => {
    const empty = Object.fromEntries(Object.keys(DEFAULTS).map((name) => [name, '']));
    expect(parseSettings({ ...empty, KEYDESK_WEBHOOK_TOKENS: '', KEYDESK_BUILDKITE_API_TOKEN: '', ...NEEDED })).toEqual(
      {
        settings: DEFAULTS,
      },
    );
    expect(problemsOf({ GOOGLE_CLOUD_PROJECT: '' })).toEqual(problemsOf({}));
  });

  it.each(['\n', '\r\n', ' ', '\t', '\ufeff'])('are read without the space around them: %j', (space) => {
    const set = {
      GOOGLE_CLOUD_PROJECT: 'example.com:acme-keydesk',
      KEYDESK_DATABASE: 'ledger',
      ...Object.fromEntries(URL_NAMES.map((name) => [name, `https://${name.length}.example/base`])),
      KEYDESK_TRUSTED_PROXIES: '2',
      KEYDESK_BUILDKITE_API_TOKEN: 'bkua_abc',
      KEYDESK_WEBHOOK_TOKENS: 'one,two',
    };
    const around = Object.entries(set).map(([name, value]) => [name, `${space}${value}${space}`]);
    for (const parse of [parseSettings, parseWebhookSettings])
      expect(parse(Object.fromEntries(around))).toEqual({
        settings: { ...set, KEYDESK_TRUSTED_PROXIES: 2, KEYDESK_WEBHOOK_TOKENS: ['one', 'two'] },
      });
    const blank = Object.fromEntries(Object.keys(set).map((name) => [name, space]));
    expect(parseSettings({ ...blank, ...NEEDED })).toEqual({ settings: DEFAULTS });
    expect(problemsOf({ GOOGLE_CLOUD_PROJECT: space })).toEqual(problemsOf({}));
  });

  it.each(['-1', '10', '1.0', '1e0', '0x1', '+1', '01', '1,1', 'Infinity', 'NaN', '\u0661'])(
    'may not count proxies as %j',
    (KEYDESK_TRUSTED_PROXIES) => {
      expect(problemsOf({ ...NEEDED, KEYDESK_TRUSTED_PROXIES })).toEqual([
        'KEYDESK_TRUSTED_PROXIES must be a number from 0 to 9',
      ]);
    },
  );

  it.each(['bkua_a bkua_b', 'bkua_a\nbkua_b', 'bkua_a\tb', 'bkua_a\u200b', 'bkua_ä', 'bkua_a\u0000'])(
    'may not hold an API token that no header can: %j',
    (KEYDESK_BUILDKITE_API_TOKEN) => {
      expect(problemsOf({ ...NEEDED, KEYDESK_BUILDKITE_API_TOKEN })).toEqual([
        'KEYDESK_BUILDKITE_API_TOKEN must be an API token, without spaces',
      ]);
    },
  );

  const WRONG: Record<string, string> = {
    GOOGLE_CLOUD_PROJECT: 'Hunter2 Project',
    KEYDESK_DATABASE: 'Hunter2/Database',
    KEYDESK_ISSUER: 'hunter2-issuer',
    KEYDESK_BUILDKITE_API_URL: 'http://hunter2.example',
    KEYDESK_IAMCREDENTIALS_URL: 'https://user:hunter2@google.example',
    KEYDESK_IAM_URL: 'https://google.example/?key=hunter2',
    KEYDESK_STS_URL: 'https://google.example/#hunter2',
    KEYDESK_IDENTITYTOOLKIT_URL: 'ftp://hunter2.example',
    KEYDESK_TRUSTED_PROXIES: 'hunter2',
    KEYDESK_WEBHOOK_TOKENS: 'hunter2,hunter3,hunter4',
    KEYDESK_BUILDKITE_API_TOKEN: 'hunter2 hunter3',
  };

  it.each([
    ['the shared settings', parseSettings],
    ['the settings of webhook', parseWebhookSettings],
  ])('that are wrong are reported all at once, by name and never by value: %s', (_, parse) => {
    const problems = problemsOf(WRONG, parse);
    expect(problems.map((problem) => problem.split(' ', 1)[0]).sort()).toEqual(Object.keys(WRONG).sort());
    for (const problem of problems) {
      expect(problem).toMatch(/^[A-Z_]+ (must|is) [^\n]+$/);
      expect(problem.toLowerCase()).not.toMatch(/hunter|google\.example/);
    }
  });

  it.each(Object.entries(WRONG))('are refused for %s alone when that alone is wrong', (name, value) => {
    const problems = problemsOf({ ...NEEDED, [name]: value });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(new RegExp(`^${name} must be `));
    expect(problems[0]).not.toContain(value);
  });
});

describe('base URLs', () => {
  it.each([
    'https://agent.buildkite.com',
    'https://agent.buildkite.com:8443/base/',
    'http://127.0.0.1:8080',
    'http://localhost',
    'http://[::1]:8080',
  ])('may be https, or http on loopback: %s', (url) => {
    for (const name of URL_NAMES) expect(problemsOf({ ...NEEDED, [name]: url })).toEqual([]);
  });

  it.each([
    ['plain http', 'http://agent.buildkite.com'],
    ['http on a name that only begins like loopback', 'http://localhost.attacker.example'],
    ['http on an address that only begins like loopback', 'http://127.0.0.1.attacker.example'],
    ['http with loopback as the user', 'http://127.0.0.1@attacker.example'],
    ['http on the unspecified address', 'http://0.0.0.0'],
    ['another scheme', 'file:///etc/passwd'],
    ['a script', 'javascript:alert(1)'],
    ['data', 'data:text/plain,x'],
    ['no scheme', 'agent.buildkite.com'],
    ['no host', 'https://'],
    ['a path alone', '/v1'],
    ['a user', 'https://user@agent.buildkite.com'],
    ['a password', 'https://:secret@agent.buildkite.com'],
    ['a query', 'https://agent.buildkite.com/?a=b'],
    ['a query that is empty', 'https://agent.buildkite.com/?'],
    ['a fragment', 'https://agent.buildkite.com/#a'],
    ['a fragment that is empty', 'https://agent.buildkite.com/#'],
    ['a newline inside', 'https://agent.buildkite.com\n/base'],
    ['a space inside', 'https://agent.buildkite.com /base'],
    ['a tab inside', 'https://agent.build\tkite.com'],
  ])('may not be %s', (_, url) => {
    for (const name of URL_NAMES) {
      const problems = problemsOf({ ...NEEDED, [name]: url });
      expect(problems).toHaveLength(1);
      expect(problems[0]).toMatch(new RegExp(`^${name} must be `));
    }
  });
});

describe('names of projects and databases', () => {
  it.each(['acme-keydesk', 'acme1', 'example.com:acme'])('may be a project ID: %s', (project) => {
    expect(problemsOf({ GOOGLE_CLOUD_PROJECT: project })).toEqual([]);
  });

  it.each(['ACME', '1acme', 'a', 'acme-', 'acme/other', 'acme\nkeydesk', 'acme keydesk', `a${'b'.repeat(63)}`])(
    'may not be anything else: %j',
    (project) => {
      expect(problemsOf({ GOOGLE_CLOUD_PROJECT: project })).toEqual([
        'GOOGLE_CLOUD_PROJECT must be a Google Cloud project ID',
      ]);
    },
  );

  it.each(['(default)', 'ledger', 'ledger-2'])('may be a database ID: %s', (database) => {
    expect(problemsOf({ ...NEEDED, KEYDESK_DATABASE: database })).toEqual([]);
  });

  it.each(['default)', 'Ledger', 'a/b', 'ab', 'led\nger', 'led ger', '../x'])(
    'may not be anything else: %j',
    (database) => {
      expect(problemsOf({ ...NEEDED, KEYDESK_DATABASE: database })).toEqual([
        'KEYDESK_DATABASE must be a Firestore database ID',
      ]);
    },
  );
});

describe('webhook keys', () => {
  it.each([
    ['one', ['one']],
    ['one,two', ['one', 'two']],
    [' one , two\n', ['one', 'two']],
    ['one=two,+/==', ['one=two', '+/==']],
  ])('are one or two, without the space around them: %j', (text, expected) => {
    const environment = { ...NEEDED, KEYDESK_WEBHOOK_TOKENS: text };
    expect(parseWebhookSettings(environment)).toEqual({
      settings: { ...DEFAULTS, KEYDESK_WEBHOOK_TOKENS: expected },
    });
    expect(parseSettings(environment)).toEqual({ settings: { ...DEFAULTS, KEYDESK_WEBHOOK_TOKENS: expected } });
  });

  it.each(['one,two,three', 'one,', ',one', ',', 'one,,two', 'one two', 'one\ntwo', 'one\u200b'])(
    'are nothing else, above all never an empty key: %j',
    (text) => {
      for (const parse of [parseSettings, parseWebhookSettings])
        expect(problemsOf({ ...NEEDED, KEYDESK_WEBHOOK_TOKENS: text }, parse)).toEqual([
          'KEYDESK_WEBHOOK_TOKENS must be one or two webhook tokens, separated by a comma',
        ]);
    },
  );

  it('are needed by webhook, which says so together with everything else that is wrong', () => {
    const missing =
      "KEYDESK_WEBHOOK_TOKENS is not set: it holds the token of Buildkite's notification service, from Secret Manager";
    expect(problemsOf(NEEDED, parseWebhookSettings)).toEqual([missing]);
    expect(problemsOf({ ...NEEDED, KEYDESK_WEBHOOK_TOKENS: '' }, parseWebhookSettings)).toEqual([missing]);
    expect(problemsOf({ KEYDESK_DATABASE: 'Wrong' }, parseWebhookSettings)).toEqual(
      expect.arrayContaining([missing, expect.stringMatching(/^GOOGLE_CLOUD/), expect.stringMatching(/^KEYDESK_DATA/)]),
    );
  });
});
