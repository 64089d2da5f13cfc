import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDocument } from 'yaml';
import { documentPathProblem, RULES_WORDS } from '../../../../shared/core/policy/document-path.ts';
import { parsePolicy } from '../../../../shared/core/policy/parse-yaml.ts';
import { parsePolicyData } from '../../../../shared/core/policy/policy.ts';
import { toData } from '../../../../shared/core/policy/yaml-data.ts';
import {
  account,
  CONTACT,
  DATASTORE,
  type Data,
  editor,
  ORGANIZATION_ID,
  PIPELINE_ID,
  policyData,
} from '../../../fixtures/policies.ts';

/** A valid policy as plain data; each case changes one thing in a copy of its own. */
const valid = () =>
  policyData(
    'acme-staging',
    {
      config: {
        environment: 'staging',
        ttl: '15m',
        firestore: { database: 'data', allow: [{ path: 'config/{document=**}', verbs: ['get', 'list'] }] },
      },
      export: {
        environment: 'staging',
        ttl: '10m',
        serviceAccount: { email: account('export', 'acme-staging'), scopes: [DATASTORE] },
      },
    },
    {
      organization: { slug: 'acme-inc', id: ORGANIZATION_ID },
      contact: CONTACT,
      maxJobTokenLifetime: '10m',
      pipelines: { app: PIPELINE_ID },
      rules: [
        {
          name: 'deploy',
          match: { pipeline_id: PIPELINE_ID, build_branch: ['main', 'release/*'] },
          grants: ['config', 'export'],
        },
      ],
    },
  );

const { changed, accepted } = editor<Data>(valid);

function problemsOf(data: unknown): string[] {
  const result = parsePolicyData(data);
  return 'policy' in result ? [] : result.problems.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('a policy', () => {
  it('becomes a value with seconds for durations, one list of patterns per claim, one kind per credential and its database', () => {
    expect(accepted()).toEqual({
      version: 1,
      organization: { slug: 'acme-inc', id: 'f892efa9-103e-4d28-97a1-3b8616a0994d' },
      audience: 'https://keydesk.acme.example',
      contact: '#platform on Slack',
      maxJobTokenLifetime: 600,
      limits: { tokensPerMinute: 60, liveGrantsPerPipeline: 1000, teamsMaxAge: 3600 },
      environments: { staging: {} },
      pipelines: { app: PIPELINE_ID },
      teams: {},
      identityProviders: {},
      credentials: {
        config: {
          kind: 'firestore',
          environment: 'staging',
          ttl: 900,
          project: 'acme-staging',
          database: '(default)',
          apiKey: 'web-key',
          signer: 'signer@acme-staging.iam.gserviceaccount.com',
          allow: [{ path: 'config/{document=**}', verbs: ['get', 'list'] }],
        },
        export: {
          kind: 'service_account',
          environment: 'staging',
          ttl: 600,
          email: 'export@acme-staging.iam.gserviceaccount.com',
          scopes: ['https://www.googleapis.com/auth/datastore'],
          storage: null,
        },
      },
      rules: [
        {
          name: 'deploy',
          match: { pipeline_id: ['0184990a-4782-42b5-afc1-16715b10b1f0'], build_branch: ['main', 'release/*'] },
          conditions: {},
          grants: ['config', 'export'],
        },
      ],
    });
  });

  it('is frozen, with everything in it', () => {
    const loose: string[] = [];
    const visit = (value: unknown, path: string) => {
      if (typeof value !== 'object' || value === null) return;
      if (!Object.isFrozen(value)) loose.push(path);
      for (const [name, inner] of Object.entries(value)) visit(inner, `${path}.${name}`);
    };
    visit(accepted(), 'policy');
    expect(loose).toEqual([]);
  });

  it('fills in the default database and job token lifetime', () => {
    const policy = accepted((data) => {
      delete data.maxJobTokenLifetime;
      delete data.databases.data.database;
    });
    expect(policy.maxJobTokenLifetime).toBe(600);
    expect(policy.credentials.config).toMatchObject({ database: '(default)' });
  });

  it('expands read and write, with each verb once', () => {
    const policy = accepted((data) => {
      data.credentials.config.firestore.allow[0].verbs = ['read', 'get', 'write', 'update'];
    });
    expect(policy.credentials.config).toMatchObject({
      allow: [{ verbs: ['get', 'list', 'create', 'update', 'delete'] }],
    });
  });

  it('needs no organization id, contact, pipelines, rules, databases or credentials', () => {
    expect(accepted((data) => delete data.contact)).not.toHaveProperty('contact');
    expect(accepted((data) => delete data.pipelines).pipelines).toEqual({});
    expect(accepted((data) => delete data.organization.id).organization).toEqual({ slug: 'acme-inc' });
    expect(accepted((data) => (data.rules = [])).rules).toEqual([]);
    expect(
      accepted((data) => {
        data.rules = [];
        data.credentials = {};
        delete data.databases;
      }).credentials,
    ).toEqual({});
  });

  it('compares UUIDs of organizations in lower case', () => {
    const policy = accepted((data) => (data.organization.id = 'F892EFA9-103E-4D28-97A1-3B8616A0994D'));
    expect(policy.organization.id).toBe('f892efa9-103e-4d28-97a1-3b8616a0994d');
  });

  it('accepts a build number that is a number', () => {
    const policy = accepted((data) => (data.rules[0].match.build_number = 42));
    expect(policy.rules[0]?.match.build_number).toEqual(['42']);
  });

  const config = (field: string, value: unknown) => (data: Data) => {
    data.credentials.config[field] = value;
  };
  const database = (field: string, value: unknown) => (data: Data) => {
    data.databases.data[field] = value;
  };
  const firestore = (field: string, value: unknown) => (data: Data) => {
    data.credentials.config.firestore[field] = value;
  };
  const account = (field: string, value: unknown) => (data: Data) => {
    data.credentials.export.serviceAccount[field] = value;
  };
  const rule = (field: string, value: unknown) => (data: Data) => {
    data.rules[0][field] = value;
  };
  const job = (value: unknown) => rule('match', value);
  const pipeline = { pipeline_id: PIPELINE_ID };

  it.each<[string, (data: Data) => void, string, RegExp]>([
    ['another version', (data) => (data.version = 2), 'version', /must be 1/],
    ['a version in quotes', (data) => (data.version = '1'), 'version', /must be 1/],
    ['no organization', (data) => delete data.organization, 'organization', /^is missing$/],
    ['an empty slug', (data) => (data.organization.slug = ''), 'organization.slug', /./],
    ['an organization id that is no UUID', (data) => (data.organization.id = 'acme'), 'organization.id', /UUID/],
    ['no audience', (data) => delete data.audience, 'audience', /^is missing$/],
    ['an empty audience', (data) => (data.audience = ''), 'audience', /without spaces/],
    ['an audience with a space', (data) => (data.audience = 'a b'), 'audience', /without spaces/],
    ['several audiences', (data) => (data.audience = ['a', 'b']), 'audience', /^must be text$/],
    ["Buildkite's audience", (data) => (data.audience = 'https://buildkite.com/acme-inc'), 'audience', /default aud/],
    ["Buildkite's audience bare", (data) => (data.audience = 'https://buildkite.com'), 'audience', /default aud/],
    ["Buildkite's audience in capitals", (data) => (data.audience = 'HTTPS://Buildkite.com/a'), 'audience', /default/],
    [
      'a job token lifetime under a minute',
      (data) => (data.maxJobTokenLifetime = '59s'),
      'maxJobTokenLifetime',
      /1m to 2h/,
    ],
    [
      'a job token lifetime over two hours',
      (data) => (data.maxJobTokenLifetime = '7201s'),
      'maxJobTokenLifetime',
      /1m to 2h/,
    ],
    ['no credentials', (data) => delete data.credentials, 'credentials', /^is missing$/],
    ['credentials as a list', (data) => (data.credentials = []), 'credentials', /^must be a map/],
    [
      'a credential name in capitals',
      (data) => (data.credentials.Web = data.credentials.config),
      'credentials.Web',
      /lower-case/,
    ],
    [
      'a credential name with a quote',
      (data) => (data.credentials["a'"] = data.credentials.config),
      "credentials.a'",
      /lower-case/,
    ],
    [
      'a credential name with a slash',
      (data) => (data.credentials['a/b'] = data.credentials.config),
      'credentials.a/b',
      /lower-case/,
    ],
    [
      'a credential name that begins with a digit',
      (data) => (data.credentials['1a'] = data.credentials.config),
      'credentials.1a',
      /begin with a letter/,
    ],
    [
      'a credential name of 64 letters',
      (data) => (data.credentials['a'.repeat(64)] = data.credentials.config),
      `credentials.${'a'.repeat(64)}`,
      /lower-case/,
    ],
    [
      'a credential that is nothing',
      (data) => (data.credentials.web = null),
      'credentials.web',
      /^has no value\. It must be a map/,
    ],
    ['a blank contact', (data) => (data.contact = '   '), 'contact', /not only spaces/],
    ['an empty contact', (data) => (data.contact = ''), 'contact', /printable ASCII/],
    ['a contact with a quote', (data) => (data.contact = 'ask "us"'), 'contact', /printable ASCII/],
    ['a contact with a backslash', (data) => (data.contact = 'a\\b'), 'contact', /printable ASCII/],
    ['a contact of two lines', (data) => (data.contact = 'a\nb'), 'contact', /printable ASCII/],
    ['a contact beyond ASCII', (data) => (data.contact = 'Zoë'), 'contact', /printable ASCII/],
    ['a contact of 201 characters', (data) => (data.contact = 'a'.repeat(201)), 'contact', /1 to 200/],
    ['no environment', config('environment', undefined), 'credentials.config.environment', /^is missing$/],
    ['no environments', (data) => delete data.environments, 'environments', /^is missing$/],
    ['no ttl', config('ttl', undefined), 'credentials.config.ttl', /^is missing\. It must be a duration/],
    ['a ttl without a unit', config('ttl', '15'), 'credentials.config.ttl', /15 has no unit/],
    ['a ttl as a number', config('ttl', 900), 'credentials.config.ttl', /must be a duration/],
    ['a ttl of no time', config('ttl', '0m'), 'credentials.config.ttl', /must be a duration/],
    ['a ttl below a minute', config('ttl', '59s'), 'credentials.config.ttl', /1m to 1h/],
    ['a ttl above an hour', config('ttl', '3601s'), 'credentials.config.ttl', /1m to 1h/],
    ['a ttl with a fraction', config('ttl', '1.5m'), 'credentials.config.ttl', /Write 90s$/],
    ['a ttl with a newline', config('ttl', '15m\n'), 'credentials.config.ttl', /must be a duration/],
    ['a credential of no kind', config('firestore', undefined), 'credentials.config', /It has none$/],
    [
      'a credential of two kinds',
      config('serviceAccount', valid().credentials.export.serviceAccount),
      'credentials.config',
      /It has firestore and serviceAccount: keep one$/,
    ],
    ['a Firestore project with capitals', database('project', 'Acme'), 'databases.data.project', /project ID/],
    ['a Firestore database with a slash', database('database', 'a/b'), 'databases.data.database', /database ID/],
    ['no web key', database('apiKey', undefined), 'databases.data.apiKey', /^is missing$/],
    ['a web key with a space', database('apiKey', 'AIza x'), 'databases.data.apiKey', /web API key/],
    ['a web key with a parameter', database('apiKey', 'a&b=c'), 'databases.data.apiKey', /web API key/],
    ['a signer that is no address', database('signer', 'signer'), 'databases.data.signer', /e-mail address/],
    ['a signer that climbs out of a URL', database('signer', '../x@acme'), 'databases.data.signer', /e-mail address/],
    ['nothing allowed', firestore('allow', []), 'credentials.config.firestore.allow', /./],
    ['no verbs', firestore('allow', [{ path: 'a/{b}', verbs: [] }]), 'credentials.config.firestore.allow.0.verbs', /./],
    [
      'an unknown verb',
      firestore('allow', [{ path: 'a/{b}', verbs: ['get', 'admin'] }]),
      'credentials.config.firestore.allow.0.verbs.1',
      /./,
    ],
    [
      'a path without a document',
      firestore('allow', [{ path: 'a', verbs: ['get'] }]),
      'credentials.config.firestore.allow.0.path',
      /names a collection and no document/,
    ],
    [
      'no account',
      account('email', undefined),
      'credentials.export.serviceAccount',
      /exactly one of email and pool\. It has neither/,
    ],
    [
      'an account of another type',
      account('email', 7),
      'credentials.export.serviceAccount.email',
      /^must be text\. Put it in quotes$/,
    ],
    [
      'an account that is no address',
      account('email', 'export'),
      'credentials.export.serviceAccount.email',
      /e-mail address/,
    ],
    [
      'an account with a newline',
      account('email', 'a@b.c\n'),
      'credentials.export.serviceAccount.email',
      /e-mail address/,
    ],
    ['no scopes', account('scopes', []), 'credentials.export.serviceAccount.scopes', /./],
    ['two scopes in one', account('scopes', ['a b']), 'credentials.export.serviceAccount.scopes.0', /OAuth scope/],
    ['no rules', (data) => delete data.rules, 'rules', /^is missing$/],
    ['a rule without a name', rule('name', ''), 'rules.0.name', /./],
    ['a rule that grants nothing', rule('grants', []), 'rules.0.grants', /./],
    [
      'a rule that grants what is not there',
      rule('grants', ['config', 'konfig']),
      'rules.0.grants.1',
      /"konfig" is not a credential/,
    ],
    [
      'a rule that grants an inherited name',
      rule('grants', ['constructor']),
      'rules.0.grants.0',
      /"constructor" is not a credential/,
    ],
    [
      'a rule that grants __proto__',
      rule('grants', ['__proto__']),
      'rules.0.grants.0',
      /"__proto__" is not a credential/,
    ],
    [
      'two rules of one name',
      (data) => data.rules.push(data.rules[0]),
      'rules.1.name',
      /"deploy" is the name of an earlier rule/,
    ],
    ['a rule about sub', job({ ...pipeline, sub: '*' }), 'rules.0.match.sub', /is not a claim/],
    [
      'a rule about an unknown claim',
      job({ ...pipeline, branch: 'main' }),
      'rules.0.match.branch',
      /is not a claim that a rule can match/,
    ],
    [
      'a rule about an inherited name',
      job({ ...pipeline, constructor: 'main' }),
      'rules.0.match.constructor',
      /is not a claim/,
    ],
    [
      'a rule about a nameless agent tag',
      job({ ...pipeline, 'agent_tag:': 'a' }),
      'rules.0.match.agent_tag:',
      /is not a claim/,
    ],
    ['an empty pattern', job({ ...pipeline, build_branch: '' }), 'rules.0.match.build_branch', /must be a pattern/],
    ['no patterns', job({ ...pipeline, build_branch: [] }), 'rules.0.match.build_branch', /./],
    [
      'a pattern that is null',
      job({ ...pipeline, build_branch: null }),
      'rules.0.match.build_branch',
      /must be a pattern/,
    ],
    [
      'a pattern that is true',
      job({ ...pipeline, build_branch: true }),
      'rules.0.match.build_branch',
      /must be a pattern/,
    ],
    [
      'a pattern that is a map',
      job({ ...pipeline, build_branch: { not: 'main' } }),
      'rules.0.match.build_branch',
      /must be a pattern/,
    ],
    [
      'a pattern of 257 characters',
      job({ ...pipeline, build_branch: 'a'.repeat(257) }),
      'rules.0.match.build_branch',
      /1 to 256/,
    ],
    ['a build number of 0', job({ ...pipeline, build_number: 0 }), 'rules.0.match.build_number', /must be a pattern/],
    [
      '0 in a list of numbers',
      job({ ...pipeline, build_number: [1, 0] }),
      'rules.0.match.build_number.1',
      /^must be 1 at/,
    ],
    [
      '0 in a list of ids',
      job({ ...pipeline, queue_id: ['*', 0] }),
      'rules.0.match.queue_id.1',
      /^must be 1 at least$/,
    ],
    ['a rule about nothing', job({}), 'rules.0.match', /A rule must narrow one of pipeline/],
    [
      'a rule about a branch only',
      job({ build_branch: 'main' }),
      'rules.0.match',
      /A rule must narrow one of pipeline/,
    ],
    ['a rule about a step only', job({ step_key: 'deploy' }), 'rules.0.match', /A rule must narrow one of pipeline/],
    [
      'a rule about an agent tag only',
      job({ 'agent_tag:queue': 'deploy' }),
      'rules.0.match',
      /A rule must narrow one of pipeline/,
    ],
    ['a rule about any pipeline', job({ pipeline_slug: '*' }), 'rules.0.match', /A rule must narrow one of pipeline/],
    [
      'a rule about any pipeline at any depth',
      job({ pipeline_id: '**' }),
      'rules.0.match',
      /A rule must narrow one of pipeline/,
    ],
    [
      'a rule about any pipeline with slashes',
      job({ pipeline_slug: '**/*' }),
      'rules.0.match',
      /A rule must narrow one of pipeline/,
    ],
    [
      'a rule about one pipeline or any',
      job({ pipeline_slug: ['app', '*'] }),
      'rules.0.match',
      /A rule must narrow one of pipeline/,
    ],
  ])('is refused with %s', (_, change, at, message) => {
    const [problem, ...more] = problemsOf(changed(change));
    expect(more).toEqual([]);
    expect(problem?.slice(0, at.length + 2)).toBe(`${at}: `);
    expect(problem?.slice(at.length + 2)).toMatch(message);
  });

  it.each([
    ['the top', (data: Data) => data, 'extra'],
    ['organization', (data: Data) => data.organization, 'organization.extra'],
    ['a credential', (data: Data) => data.credentials.config, 'credentials.config.extra'],
    ['an environment', (data: Data) => data.environments.staging, 'environments.staging.extra'],
    ['a database', (data: Data) => data.databases.data, 'databases.data.extra'],
    ['firestore', (data: Data) => data.credentials.config.firestore, 'credentials.config.firestore.extra'],
    ['allow', (data: Data) => data.credentials.config.firestore.allow[0], 'credentials.config.firestore.allow.0.extra'],
    [
      'serviceAccount',
      (data: Data) => data.credentials.export.serviceAccount,
      'credentials.export.serviceAccount.extra',
    ],
    ['a rule', (data: Data) => data.rules[0], 'rules.0.extra'],
  ])('is refused with an unknown key in %s', (_, at, path) => {
    expect(problemsOf(changed((data) => (at(data).extra = 1)))).toEqual([`${path}: is not a key of this format`]);
  });

  it.each([
    ['a pipeline slug', { pipeline_slug: 'app' }],
    ['a pipeline slug with a wildcard and text', { pipeline_slug: 'app-*' }],
    ['a cluster', { cluster_id: '0184990a-4782-42b5-afc1-16715b10b1f0' }],
    ['an agent tag and a pipeline', { pipeline_slug: 'app', 'agent_tag:queue': 'deploy' }],
  ])('may have a rule that names %s', (_, named) => {
    expect(accepted(job(named)).rules[0]?.match).toEqual(
      Object.fromEntries(Object.entries(named).map(([claim, pattern]) => [claim, [pattern]])),
    );
  });

  it('distinguishes a credential called constructor from the members that objects inherit', () => {
    const policy = accepted((data) => {
      data.credentials.constructor = data.credentials.export;
      data.rules[0].grants = ['constructor'];
    });
    expect(policy.credentials.constructor).toMatchObject({ kind: 'service_account' });
  });

  it('reports all of its problems at once', () => {
    expect(
      problemsOf(
        changed((data) => {
          data.version = 3;
          data.audience = 'a b';
          data.credentials.config.ttl = '2h';
          data.credentials.export.serviceAccount.scopes = ['a b'];
          data.rules[0].match = { build_branch: 'main', sub: 'x' };
          data.rules[0].grants = ['konfig'];
        }),
      )
        .map((problem) => problem.split(':')[0])
        .sort(),
    ).toEqual([
      'audience',
      'credentials.config.ttl',
      'credentials.export.serviceAccount.scopes.0',
      'rules.0.grants.0',
      'rules.0.match',
      'rules.0.match.sub',
      'version',
    ]);
  });

  it.each([[undefined], [null], [1], ['text'], [[]], [new Map()]])('is refused when it is %o', (data) => {
    expect(problemsOf(data)).not.toEqual([]);
  });
});

const TEXT = `version: 1
organization: { slug: acme-inc }
audience: https://keydesk.acme.example
environments: { staging: {} }
credentials:
  export:
    environment: staging
    ttl: 10m
    serviceAccount:
      email: export@acme-staging.iam.gserviceaccount.com
      scopes: [https://www.googleapis.com/auth/datastore]
rules:
  - name: deploy
    match: { pipeline_slug: app, build_branch: main }
    grants: [export]
`;

describe('the text of a policy', () => {
  const replaced = (before: string, after: string) => {
    expect(TEXT).toContain(before);
    return TEXT.replace(before, after);
  };
  const problemsIn = (text: string) => {
    const result = parsePolicy(text, 'policy.yaml');
    return 'problems' in result ? result.problems : [];
  };

  it('results in the policy and the SHA-256 of the text', () => {
    const result = parsePolicy(TEXT, 'policy.yaml');
    expect(result).toMatchObject({ policy: { version: 1 }, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(parsePolicy(`${TEXT}# a comment\n`, 'policy.yaml')).not.toMatchObject({
      sha256: 'sha256' in result ? result.sha256 : '',
    });
  });

  it.each([
    ['a value', replaced('ttl: 10m', 'ttl: 2h'), 'policy.yaml:8:10: '],
    ['a list item', replaced('[export]', '[export, import]'), 'policy.yaml:15:22: '],
    ['an unknown key', replaced('name: deploy', 'nmae: x\n    name: deploy'), 'policy.yaml:13:5: '],
    ['a missing key, at what lacks it', replaced('    ttl: 10m\n', ''), 'policy.yaml:6:3: '],
    ['a claim in a flow map', replaced('build_branch: main', 'branch: main'), 'policy.yaml:14:42: '],
    ['a credential name', replaced('  export:', '  Export:'), 'policy.yaml:6:3: '],
    ['a key twice', replaced('ttl: 10m', 'ttl: 10m\n    ttl: 20m'), 'policy.yaml:9:5: '],
    ['bad YAML', replaced('[export]', '[export'), 'policy.yaml:'],
    ['a tag', replaced('slug: acme-inc', 'slug: !env SLUG'), 'policy.yaml:2:23: '],
    ['an alias of nothing', replaced('[export]', '*nothing'), 'policy.yaml:'],
    ['a merge', replaced('    ttl: 10m', '    ttl: 10m\n    <<: { x: 1 }'), 'policy.yaml:9:5: '],
    ['a second document', `${TEXT}---\nversion: 1\n`, 'policy.yaml:16:1: '],
    ['a tab for indentation', replaced('    ttl: 10m', '\tttl: 10m'), 'policy.yaml:'],
  ])('is refused with the place of %s', (_, text, message) => {
    const problems = problemsIn(text);
    expect(problems.length).toBeGreaterThan(0);
    expect(problems[0]).toMatch(/^policy\.yaml:\d+:\d+: \S/);
    expect(problems.some((problem) => problem.startsWith(message))).toBe(true);
  });

  it.each([
    ['an empty file', ''],
    ['comments only', '# nothing yet\n'],
    ['prose', 'no policy yet'],
    ['a list', '- a\n- b\n'],
    ['bytes', '\u0000\u0001'],
    ['JSON cut short', '{"version": 1, '],
  ])('is refused when it is %s', (_, text) => {
    expect(problemsIn(text)[0]).toMatch(/^policy\.yaml:\d+:\d+: \S/);
  });

  it('puts several problems in the order of the file', () => {
    const text = replaced('ttl: 10m', 'ttl: 2h').replace('version: 1', 'version: 2').replace('app, ', '"*", ');
    expect(problemsIn(text).map((problem) => problem.split(' ')[0])).toEqual([
      'policy.yaml:1:10:',
      'policy.yaml:8:10:',
      'policy.yaml:14:5:',
    ]);
  });

  it('refuses a bomb of aliases instead of unfolding it', () => {
    const levels = Array.from({ length: 12 }, (_, level) => {
      const inner = level === 0 ? 'x' : `*a${level - 1}`;
      return `a${level}: &a${level} [${Array(10).fill(inner).join(', ')}]`;
    });
    expect(problemsIn([...levels, 'version: 1'].join('\n'))).toEqual([
      expect.stringMatching(/^policy\.yaml:6:15: .*\*a4 .* 250000 /),
    ]);
  });

  it.each([
    ['4,000 levels of it', 4_000, 'policy.yaml:6:15: '],
    ['one of two aliases a level', 40, 'policy.yaml:'],
  ])('refuses a bomb of %s once, without walking it', (_, count, message) => {
    const width = count > 100 ? 10 : 2;
    const levels = Array.from(
      { length: count },
      (_, level) =>
        `a${level}: &a${level} [${Array(width)
          .fill(level === 0 ? 'x' : `*a${level - 1}`)
          .join(', ')}]`,
    );
    const problems = problemsIn([...levels, 'version: 1'].join('\n'));
    expect(problems).toHaveLength(1);
    expect(problems[0]?.startsWith(message)).toBe(true);
  });

  it('refuses a bomb inside of a rule', () => {
    const patterns = `build_branch: &b [${Array.from({ length: 600 }, (_, index) => `b${index}`).join(', ')}]`;
    const rules = Array.from(
      { length: 600 },
      (_, index) => `  - { name: r${index}, match: { pipeline_slug: app, build_branch: *b }, grants: [export] }\n`,
    );
    const text = `${replaced('build_branch: main', patterns)}${rules.join('')}`;
    expect(problemsIn(text)).toEqual([expect.stringContaining('*b makes the file too large')]);
  });

  it.each([51, 3_000])('accepts %i rules that share one list by an alias', (count) => {
    const shared = replaced('build_branch: main', 'build_branch: &branches [main, "release/*"]').replace(
      'grants: [export]',
      'grants: &grants [export]',
    );
    const rules = Array.from(
      { length: count - 1 },
      (_, index) =>
        `  - { name: r${index}, match: { pipeline_slug: app, build_branch: *branches }, grants: *grants }\n`,
    );
    const result = parsePolicy(`${shared}${rules.join('')}`, 'policy.yaml');
    if ('problems' in result) throw new Error(result.problems.join('\n'));
    expect(result.policy.rules).toHaveLength(count);
    expect(result.policy.rules.at(-1)).toEqual({ ...result.policy.rules[0], name: `r${count - 2}` });
  });

  it.each([
    ['an alias of nothing', '*nothing', '15:13: '],
    ['an alias of what comes later', '[*later, &later export]', '15:14: '],
    ['an alias of what it stands in', '&all [*all]', '15:19: '],
    ['an alias of what it stands in, of a name used before', '[&all export, &all [*all]]', '15:33: '],
  ])('names the place of %s', (_, grants, message) => {
    expect(problemsIn(replaced('[export]', grants))).toEqual([expect.stringContaining(`policy.yaml:${message}`)]);
  });

  it('resolves an alias to the latest anchor of its name, as the YAML library does', () => {
    const scalar = fc.constantFrom(
      'x',
      '1',
      'null',
      'true',
      '"a b"',
      '~',
      '[]',
      '{}',
      '*a',
      '*b',
      '&a y',
      '&b [*a, z]',
      '&a {k: *b}',
    );
    fc.assert(
      fc.property(fc.array(scalar, { minLength: 1, maxLength: 8 }), (items) => {
        const document = parseDocument(`[&a p, &b q, ${items.join(', ')}]`, { stringKeys: true });
        expect(toData(document)).toEqual({ data: document.toJS({ maxAliasCount: -1 }) });
      }),
    );
  });

  it('accepts anchors and aliases in ordinary numbers', () => {
    const shared = replaced('ttl: 10m', 'ttl: &ttl 10m').replace(
      'rules:',
      '  copy:\n    environment: staging\n    ttl: *ttl\n    serviceAccount: { email: export@acme.iam.gserviceaccount.com, scopes: [openid] }\nrules:',
    );
    expect(problemsIn(shared)).toEqual([]);
  });

  it.each([
    ["a rule's claims", replaced('build_branch: main', '__proto__: main')],
    ['the credentials', replaced('credentials:\n', 'credentials:\n  __proto__: { environment: x }\n')],
    ['the top', `__proto__: { version: 1 }\n${TEXT}`],
    ['a rule', replaced('    grants', '    __proto__: x\n    grants')],
  ])('is refused when __proto__ is a key of %s', (_, text) => {
    expect(problemsIn(text)).not.toEqual([]);
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  it.each(['2.0', '010', '0x10', '1e3', '+7'])('never turns a branch written %s into another name', (branch) => {
    const result = parsePolicy(replaced('build_branch: main', `build_branch: ${branch}`), 'policy.yaml');
    if ('policy' in result) expect(result.policy.rules[0]?.match.build_branch).toEqual([branch]);
  });
});

/** Collections, each with one document of this name. */
const nested = (count: number, nameOf: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => `c/${nameOf(index)}`).join('/');

describe('a path of documents', () => {
  it.each([
    'config/{document}',
    'config/web',
    'config/{document=**}',
    'config/web/{rest=**}',
    'config/{document}/history/{entry}',
    'config/{document}/history/{entry=**}',
    'a-b/_x',
    '2024/1',
    'if/true',
    `${'c'.repeat(128)}/{d}`,
    'c/keydesk_grants/c/{d}',
    'keydesk_grants2/{d}',
    'packages/{package_id}',
    'packages/{Package}',
    `c/{a}/${nested(18, (index) => `{w${index}}`)}`,
    `c/d/${nested(47, () => 'd')}/{rest=**}`,
  ])('may be %s', (path) => {
    expect(documentPathProblem(path)).toBeUndefined();
  });

  it.each([
    ['', /must not be empty/],
    ['config', /names a collection and no document\. Write "config\/{document}"/],
    ['config/', /must not end with a slash\. Write "config\/{document}"/],
    ['/config/{d}', /must not begin with a slash\. Write "config\/{d}"/],
    ['config//{d}', /two slashes in a row\. Write "config\/{d}"/],
    ['config/{d}/history', /ends in a collection/],
    ['config/{d}/{e}', /ends in a collection/],
    ['{c}/{d}', /must begin with the name of a collection/],
    ['{c=**}', /must begin with the name of a collection/],
    ['config/{d=**}/x/{e}', /must be the last segment/],
    ['config/{d=*}', /neither a name/],
    ['config/{d=***}', /neither a name/],
    ['config/{}', /neither a name/],
    ['config/{1d}', /neither a name/],
    ['config/{d', /neither a name/],
    ['config/x{d}', /neither a name/],
    ['config/{d}x', /neither a name/],
    ['config/{d}/x/{d}', /two wildcards {d}/],
    ['config/{d}/x/{d=**}', /two wildcards {d}/],
    ['config/**', /Write "config\/{document=\*\*}"$/],
    ['config/web/**', /Write "config\/web\/{document=\*\*}"$/],
    ['a/*/b/*', /Write "a\/{document}\/b\/{entry}"$/],
    ['a/{d=**}/b/{e}', /Write "a\/{d}\/b\/{e}"$/],
    ['projects/acme/databases/(default)/documents/config/{d}', /Write "config\/{d}"$/],
    ['/databases/{database}/documents/config/{d}', /Write "config\/{d}"$/],
    ['config/{request}', /reserved/],
    ['config/{resource}', /reserved/],
    ['config/{database}', /reserved/],
    ['config/{true}', /reserved/],
    ['config/{keydeskAllows}', /begin with keydesk are reserved/],
    ['packages/{package}', /{package}, a reserved name .* such as {package_id}/],
    ['packages/{package=**}', /{package}, a reserved name/],
    ...RULES_WORDS.map((word): [string, RegExp] => [`config/{${word}}`, /a reserved name/]),
    [`c/{a}/${nested(19, (index) => `{w${index}}`)}`, /has 20 wildcards/],
    [`c/{a}/${nested(18, (index) => `{w${index}}`)}/{rest=**}`, /has 20 wildcards/],
    [`c/d/${nested(48, () => 'd')}`, /has 98 segments/],
    ['config/__id7__', /neither a name/],
    ['__x__/{d}', /neither a name/],
    ['config/..', /neither a name/],
    ['config/*', /Write "config\/{document}"$/],
    ['config/$(x)', /neither a name/],
    ["config/a'b", /neither a name/],
    ['config/a b', /neither a name/],
    ['config/a\n', /neither a name/],
    ['config/{d}\n', /neither a name/],
    ['config/{d} { allow read; } match /x/{y}', /neither a name/],
    ['config/ä', /neither a name/],
    [`${'c'.repeat(129)}/{d}`, /neither a name/],
    ['keydesk_grants/{d}', /must not open keydesk_grants/],
    ['keydesk_grants/{d=**}', /must not open keydesk_grants/],
    ['keydesk_grants/{d}/notes/{n}', /must not open keydesk_grants/],
  ])('may not be %j', (path, problem) => {
    expect(documentPathProblem(path)).toMatch(problem);
  });
});
