// `keydesk policy what`: claims from options, from a job token and from the variables of a step.

import { describe, expect, it } from 'vitest';
import { runCli } from './run-cli.ts';

const POLICY = ['--policy', 'examples/policy.yaml'];
const WEB = '0184990a-4782-42b5-afc1-16715b10b1f0';
const ID = 'f892efa9-103e-4d28-97a1-3b8616a0994d';
const what = (args: readonly string[], options = {}) => runCli('policy what', [...POLICY, ...args], options);

const PAYLOAD = {
  iss: 'https://agent.buildkite.com',
  aud: 'https://keydesk.acme.example',
  iat: 1_790_000_000,
  exp: 1_790_000_300,
  organization_slug: 'acme-inc',
  organization_id: ID,
  pipeline_slug: 'web',
  pipeline_id: WEB,
  build_number: 42,
  build_branch: 'main',
  build_tag: null,
  build_commit: '9f3182061f1e2cca4702c368cbc039b7dc9d4485',
  step_key: 'deploy',
  job_id: '0184990a-477b-4fa8-9968-496074483cee',
  agent_id: '0184990a-4782-42b5-afc1-16715b10b8ff',
  build_source: 'webhook',
  runner_environment: 'self-hosted',
};

const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
const token = (changes: object = {}) =>
  `${encoded({ alg: 'RS256', kid: 'a' })}.${encoded({ ...PAYLOAD, ...changes })}.c2lnbmF0dXJl`;

interface Answers {
  readonly credentials: readonly { readonly credential: string; readonly answer: string }[];
}

const answersIn = (out: string) =>
  Object.fromEntries(
    (JSON.parse(out) as Answers).credentials.map(({ credential, answer }): [string, string] => [credential, answer]),
  );

const OF_MAIN = {
  'staging-config': 'granted',
  'production-config': 'never',
  'staging-admin': 'granted',
  'staging-export': 'granted',
  'staging-cache': 'granted',
};

describe('keydesk policy what', () => {
  it('says on which condition a job gets what, and which claims it must request', async () => {
    const { code, out, err } = await what(['--claim', 'pipeline=web-release', '--json']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(answersIn(out)).toEqual({
      'staging-config': 'conditional',
      'production-config': 'conditional',
      'staging-admin': 'never',
      'staging-export': 'never',
      'staging-cache': 'never',
    });
    expect(JSON.parse(out)).toMatchObject({
      claim_flags: ['--claim organization_id', '--claim pipeline_id'],
      credentials: [
        {
          credential: 'staging-config',
          environment: 'staging',
          ttl: 900,
          revocation: 'immediate',
          granting_rules: [
            {
              rule: 'try a tagged release on staging',
              conditions: [
                { claim: 'build_branch', absent: false, patterns: ['v*'] },
                { claim: 'build_tag', absent: false, patterns: ['v*'] },
              ],
            },
          ],
          refusing_rules: [
            { rule: 'deploy to staging', unmet: [{ claim: 'pipeline_id', absent: false, patterns: [WEB] }] },
          ],
        },
        ...Array.from({ length: 4 }, () => expect.anything()),
      ],
    });
  });

  it('lists what is never granted with --all', async () => {
    const claims = ['--claim', 'pipeline=web'];
    expect((await what(claims)).out).toContain('Never granted: 1 of 5 credentials. --all lists them.\n');
    expect((await what([...claims, '--all'])).out).toContain('Never granted:\n  production-config ');
  });

  it('reads a job token from standard input, says that it is not verified, and prints nothing of it', async () => {
    const input = `${token()}\n`;
    const { code, out, err } = await what(['--token', '-', '--json'], { input });
    expect({ code, err }).toEqual({ code: 0, err: 'The signature of the token is not verified.\n' });
    expect(answersIn(out)).toEqual(OF_MAIN);
    expect(JSON.parse(out)).toMatchObject({ token: { verified: false, refused_for: [] } });
    for (const part of input.trim().split('.')) expect(out).not.toContain(part);
  });

  it.each([
    [{ organization_id: null }, ['organization_id']],
    [{ pipeline_id: null, organization_id: null }, ['organization_id', 'pipeline_id']],
    [{}, []],
  ])('says which claims a token with %j must request', async (changes, missing) => {
    const flags = missing.length === 0 ? [] : ['--claim organization_id', '--claim pipeline_id'];
    const { out } = await what(['--token', '-', '--json'], { input: token(changes) });
    expect(JSON.parse(out)).toMatchObject({ missing_claims: missing, claim_flags: flags });
    if (missing.length === 0) return;
    expect((await what(['--token', '-'], { input: token(changes) })).out).toContain(
      `The token lacks ${missing.join(', ')}, which rules look at.\nThe job requests its token with ${flags.join(' ')}\n`,
    );
  });

  it('says which claims a job must request that states no optional claim', async () => {
    for (const args of [[], ['--claim', 'pipeline_slug=web']])
      expect((await what(args)).out).toContain('with --claim organization_id --claim pipeline_id\n');
  });

  it('lets a claim replace a claim of the token', async () => {
    const { out } = await what(['--token', '-', '--claim', 'build_branch=feature/x', '--json'], { input: token() });
    expect(new Set(Object.values(answersIn(out)))).toEqual(new Set(['never']));
  });

  it.each([
    [{ aud: 'https://buildkite.com/acme-inc' }, 'job_token_audience_wrong'],
    [{ exp: 1_790_007_200 }, 'job_token_lifetime_too_long'],
    [{ organization_slug: 'other' }, 'job_token_organization_wrong'],
  ])('says that Keydesk refuses a token with %j', async (changes, reason) => {
    const { out } = await what(['--token', '-', '--json'], { input: token(changes) });
    expect(JSON.parse(out)).toMatchObject({ token: { refused_for: [reason] } });
    const { out: text } = await what(['--token', '-'], { input: token(changes) });
    expect(text).toContain('Keydesk refuses this token');
    if (!('organization_slug' in changes)) expect(text).toContain('Granted, once the token is accepted:');
  });

  it.each([
    ['nothing', ''],
    ['a text', 'error: no token'],
    ['another payload', 'e30.e30.e30'],
    ['a claim of another form', token({ build_number: 'x' })],
  ])('takes no token that is %s, and does not print it', async (_, input) => {
    const { code, out, err } = await what(['--token', '-'], { input });
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(/^--token: It is not a job token/);
    if (input !== '') expect(err).not.toContain(input);
  });

  it('takes no token on the command line, and does not print it', async () => {
    const { code, out, err } = await what(['--token', token()]);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).not.toContain(token());
  });

  it('reads the variables of a step, and says that they prove nothing', async () => {
    const env = {
      BUILDKITE_ORGANIZATION_SLUG: 'acme-inc',
      BUILDKITE_PIPELINE_ID: WEB.toUpperCase(),
      BUILDKITE_BRANCH: 'main',
      BUILDKITE_TAG: '',
      BUILDKITE_SOURCE: 'webhook',
      BUILDKITE_STEP_KEY: 'deploy',
      BUILDKITE_COMPUTE_TYPE: 'hosted',
    };
    const { code, out, err } = await what(['--from-step', '--json'], { env });
    expect({ code, err }).toEqual({ code: 0, err: expect.stringContaining('They prove nothing.') });
    expect(answersIn(out)).toEqual(OF_MAIN);
    const inStep = await what(['--json'], { env: { ...env, BUILDKITE_JOB_ID: WEB } });
    expect(answersIn(inStep.out)).toEqual(OF_MAIN);
    expect(JSON.parse(inStep.out)).toMatchObject({ claims: { job_id: WEB, step_key: 'deploy' } });
    const stated = await what(['--json', '--claim', 'pipeline=web'], { env: { ...env, BUILDKITE_JOB_ID: WEB } });
    expect(JSON.parse(stated.out).claims).not.toHaveProperty('step_key');
    expect(JSON.parse(out)).toMatchObject({
      claims: { pipeline_id: WEB, build_tag: null, step_key: 'deploy', runner_environment: 'buildkite-hosted' },
    });
    const other = await what(['--from-step'], { env: { ...env, BUILDKITE_ORGANIZATION_SLUG: 'other' } });
    expect(other.out).toContain("its organization is not the policy's");
  });

  it.each([
    [['--from-step'], {}, 'no BUILDKITE_* variable is set'],
    [['--from-step'], { BUILDKITE_PIPELINE_ID: 'web' }, 'BUILDKITE_PIPELINE_ID is "web"'],
    [['--from-step', '--token', '-'], {}, "cannot be used with option '--from-step'"],
    [['--claim', 'pipeline=wbe'], {}, '"wbe" is not a pipeline of this policy. Did you mean "web"?'],
    [['--claim', 'build_source=webhok'], {}, 'Did you mean "webhook"?'],
    [['--claim', 'build_source=pull_request'], {}, 'Did you mean "webhook"?'],
    [['--claim', 'build_branch=refs/heads/main'], {}, 'Write "main".'],
  ])('exits with 2 for %j with %j', async (args, env, message) => {
    expect(await what(args, { env })).toEqual({ code: 2, out: '', err: expect.stringContaining(message) });
  });

  it('does what its help shows', async () => {
    const { out: usage } = await runCli('policy what', ['--help']);
    const shown = usage.match(/(?<=^ {2}\$ keydesk ).*--policy.*$/gm) ?? [];
    expect(shown).toHaveLength(2);
    for (const line of shown) expect((await runCli(line)).code).toBe(0);
  });
});
