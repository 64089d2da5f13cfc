// Identity providers of a policy: which are accepted, and what is reported of the others.

import { describe, expect, it } from 'vitest';
import { parsePolicy } from '../../../../shared/core/policy/parse-yaml.ts';
import { parsePolicyData } from '../../../../shared/core/policy/policy.ts';
import { account, DATASTORE, type Data, editor, policyData } from '../../../fixtures/policies.ts';

const AWS = {
  issuer: 'https://5c1f3a6e-6f0e-4f5d-9c59-5f3b2a0d7c11.tokens.sts.global.api.aws',
  keys: 'https://5c1f3a6e-6f0e-4f5d-9c59-5f3b2a0d7c11.tokens.sts.global.api.aws/.well-known/jwks.json',
  audience: 'https://keydesk.acme.example',
  algorithms: ['RS256'],
  claims: { role: { at: ['https://sts.amazonaws.com/', 'principal_id'], setBy: 'platform' } },
};
const credential = {
  environment: 'staging',
  ttl: '10m',
  serviceAccount: { email: account('export', 'acme-staging'), scopes: [DATASTORE] },
};
const valid = () => policyData('acme-staging', { export: credential }, { identityProviders: { aws: { ...AWS } } });
const { changed, accepted } = editor<Data>(valid);

function problemsOf(change: (data: Data) => void): string[] {
  const result = parsePolicyData(changed(change));
  return 'policy' in result ? [] : result.problems.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

const aws = (change: object) => (data: Data) => Object.assign(data.identityProviders.aws, change);

describe('an identity provider', () => {
  it('is kept as the file has it, with an hour for its tokens', () => {
    expect(accepted().identityProviders.aws).toEqual({ ...AWS, maxTokenLifetime: 3600 });
  });

  it.each([
    'https://accounts.google.com',
    'https://accounts.google.com/',
    'https://oidc.eks.eu-west-1.amazonaws.com/id/8EBD00EXAMPLE',
    'https://container.googleapis.com/v1/projects/acme/locations/europe-west1/clusters/agents',
    'https://acme.okta.com/oauth2/aus1example',
    'https://acme.example:8443/auth/realms/a%20b',
    'http://127.0.0.1:8080',
    'http://localhost:8080/issuer',
    'http://[::1]:8080',
  ])('may have the issuer and the keys %s', (url) => {
    accepted(aws({ issuer: url, keys: url }));
  });

  it.each([
    ['accounts.google.com', 'must be an absolute URL'],
    ['', 'must be an absolute URL'],
    ['https://', 'must be an absolute URL'],
    ['http://accounts.google.com', 'must be an https URL'],
    ['http://169.254.169.254/latest', 'must be an https URL'],
    ['http://127.0.0.1.evil.example', 'must be an https URL'],
    ['http://localhost.evil.example', 'must be an https URL'],
    ['file:///etc/passwd', 'must be an https URL'],
    ['ftp://accounts.google.com', 'must be an https URL'],
    ['javascript:alert(1)', 'must be an https URL'],
    ['https://me:secret@accounts.google.com', 'must be a URL without user, query and fragment'],
    ['https://@accounts.google.com', 'must be a URL without user, query and fragment'],
    ['https://accounts.google.com?a=b', 'must be a URL without user, query and fragment'],
    ['https://accounts.google.com/#', 'must be a URL without user, query and fragment'],
    ['https:accounts.google.com', 'must be written as https://accounts.google.com/'],
    ['https:\\\\accounts.google.com', 'must be written as https://accounts.google.com/'],
    ['HTTPS://accounts.google.com', 'must be written as https://accounts.google.com/'],
    ['https://Accounts.Google.com', 'must be written as https://accounts.google.com/'],
    ['https://accounts.google.com:443', 'must be written as https://accounts.google.com/'],
    ['https://accounts.google.com/a/../b', 'must be written as https://accounts.google.com/b'],
    [' https://accounts.google.com', 'must be written as https://accounts.google.com/'],
    ['https://accounts.google.com\n', 'must be written as https://accounts.google.com/'],
    ['https://accounts.g\u043e\u043egle.com', 'must be written as https://accounts.xn--ggle-55da.com/'],
  ])('may not have the issuer or the keys %j', (url, message) => {
    expect(problemsOf(aws({ issuer: url }))).toEqual([`identityProviders.aws.issuer: ${message}`]);
    expect(problemsOf(aws({ keys: url }))).toEqual([`identityProviders.aws.keys: ${message}`]);
  });

  it.each<[string, object, RegExp]>([
    ['no audience', { audience: '' }, /audience: must be text without spaces/],
    ['an audience with a space', { audience: 'a b' }, /audience: must be text without spaces/],
    ['no algorithm', { algorithms: [] }, /algorithms/],
    ['a shared secret', { algorithms: ['HS256'] }, /algorithms/],
    ['no signature', { algorithms: ['none'] }, /algorithms/],
    ['a padding that Keydesk does not verify', { algorithms: ['PS256'] }, /algorithms/],
    ['a claim of nobody', { claims: { role: {} } }, /claims\.role/],
    ['a claim set by somebody else', { claims: { role: { setBy: 'issuer' } } }, /claims\.role\.setBy/],
    ['a claim that is nowhere', { claims: { role: { at: [], setBy: 'platform' } } }, /claims\.role\.at/],
    ['a claim too deep', { claims: { role: { at: [...'abcdef'], setBy: 'platform' } } }, /claims\.role\.at/],
    ['a claim whose name begins with _', { claims: { _role: { setBy: 'platform' } } }, /must be a letter/],
    ['tokens for more than a day', { maxTokenLifetime: '25h' }, /maxTokenLifetime/],
  ])('may not have %s', (_, change, message) => {
    expect(problemsOf(aws(change)).join('\n')).toMatch(message);
  });

  it('drops no claim that a rule demands, and needs its declaration, whatever its name', () => {
    const agent = '"agent":{"provider":"aws","claims":{"role":"a","NAME":"b"}},"grants":';
    const textWith = (name: string) =>
      JSON.stringify(changed(() => {})).replace('"grants":', agent.replace('NAME', name));
    for (const name of ['constructor', 'toString', 'prototype', 'hasOwnProperty']) {
      expect(parsePolicy(textWith(name), 'policy.yaml')).toMatchObject({
        problems: [expect.stringContaining(`"${name}" is not a claim of the identity provider aws`)],
      });
    }
    expect(parsePolicy(textWith('__proto__'), 'policy.yaml')).toMatchObject({ problems: [expect.any(String)] });
  });
});

describe('two identity providers', () => {
  const second = (change: object) => (data: Data) => {
    data.identityProviders.other = { ...AWS, ...change };
  };

  it.each([
    ['issuers', { issuer: 'https://accounts.google.com', keys: 'https://www.googleapis.com/oauth2/v3/certs' }],
    ['audiences', { audience: 'https://other.example' }],
    ['issuers that differ by a slash', { issuer: `${AWS.issuer}/` }],
  ])('may have different %s', (_, change) => {
    expect(Object.keys(accepted(second(change)).identityProviders)).toEqual(['aws', 'other']);
  });

  it('may not have both the same', () => {
    expect(problemsOf(second({ claims: { sub: { setBy: 'platform' } } }))).toEqual([
      'identityProviders.other.audience: is the audience of aws too, which has the same issuer. Give each of the two an audience of its own, or remove one',
    ]);
  });

  it('may not have different keys for one issuer', () => {
    expect(problemsOf(second({ audience: 'https://other.example', keys: 'https://evil.example/jwks' }))).toEqual([
      'identityProviders.other.keys: differs from the keys of aws, which has the same issuer. An issuer has one key set',
    ]);
  });
});

it.each(['https://agent.buildkite.com', 'https://agent.buildkite.com/'])(
  'the issuer of job tokens, %s, is no identity provider',
  (issuer) => {
    expect(problemsOf(aws({ issuer }))).toEqual([
      'identityProviders.aws.issuer: is the issuer of job tokens: a job token alone would then be enough',
    ]);
  },
);
