// The fakes of identity providers are as strict as their documentation, in each of its limits.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, type JWTPayload, jwtVerify } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AWS_CLAIMS, AWS_ROLE, type FakeAws, startFakeAws } from '../../../../../sandbox/fakes/issuers/aws.ts';
import { type FakeGoogleIssuer, startFakeGoogleIssuer } from '../../../../../sandbox/fakes/issuers/google.ts';
import { type FakeCluster, startFakeCluster } from '../../../../../sandbox/fakes/issuers/kubernetes.ts';
import { type FakeOkta, OKTA_CLIENT, startFakeOkta } from '../../../../../sandbox/fakes/issuers/okta.ts';
import { systemClock } from '../../../../../shared/runtime/clock.ts';
import { TestClock } from '../../../../fixtures/test-clock.ts';

const AUDIENCE = 'https://keydesk.acme.example';
const NOW = systemClock.now();
const run = promisify(execFile);

/** The claims of a token, once jose has verified it by the published keys. */
async function verified(token: string, { issuer, keysUrl }: { issuer: string; keysUrl: string }): Promise<JWTPayload> {
  const keys = createLocalJWKSet((await (await fetch(keysUrl)).json()) as Parameters<typeof createLocalJWKSet>[0]);
  return (await jwtVerify(token, keys, { issuer, audience: AUDIENCE, currentDate: new Date(NOW) })).payload;
}

describe('AWS', () => {
  let aws: FakeAws;
  let clock: TestClock;
  beforeAll(async () => {
    clock = new TestClock(NOW);
    aws = await startFakeAws({ clock });
  });
  beforeEach(() => {
    clock.reset();
    aws.enabled = true;
    aws.hasRole = true;
  });
  afterAll(() => aws.close());

  const metadata = (path: string, init: RequestInit = {}) => fetch(`${aws.metadataUrl}/latest/${path}`, init);
  const ttl = (seconds: string, more: Record<string, string> = {}) =>
    metadata('api/token', { method: 'PUT', headers: { 'x-aws-ec2-metadata-token-ttl-seconds': seconds, ...more } });
  const session = async () => ({ 'x-aws-ec2-metadata-token': await (await ttl('60')).text() });
  const CREDENTIALS = 'meta-data/iam/security-credentials/';

  /** A request of curl to STS with the credentials of the role. */
  async function sts(parameters: Record<string, string>, { change = [] as string[], region = 'eu-west-1' } = {}) {
    const { AccessKeyId, SecretAccessKey, Token } = (await (
      await metadata(`${CREDENTIALS}buildkite-agents`, { headers: await session() })
    ).json()) as Record<string, string>;
    const good = { Action: 'GetWebIdentityToken', Version: '2011-06-15', SigningAlgorithm: 'RS256' };
    const form = new URLSearchParams({ ...good, 'Audience.member.1': AUDIENCE, ...parameters });
    const { stdout } = await run('curl', [
      ...[
        '--disable',
        '--silent',
        '--user',
        `${AccessKeyId}:${SecretAccessKey}`,
        '--aws-sigv4',
        `aws:amz:${region}:sts`,
      ],
      ...['--header', `X-Amz-Security-Token: ${Token}`, '--header', 'Content-Type: application/x-www-form-urlencoded'],
      ...['--data', String(form), ...change, '--write-out', '%{http_code}', `${aws.stsUrl}/`],
    ]);
    const [, code = ''] = /<Code>(\w+)<\/Code>/.exec(stdout) ?? [];
    const [, token = ''] = /<WebIdentityToken>(.+)<\/WebIdentityToken>/.exec(stdout) ?? [];
    return { status: stdout.slice(-3), code, token };
  }

  it('gives a role its token for a signed request, with the claims that the documentation names', async () => {
    const { status, token } = await sts({ 'Tags.member.1.Key': 'queue', 'Tags.member.1.Value': 'deploy' });
    expect(status).toBe('200');
    expect(await verified(token, aws)).toMatchObject({
      ...{ iss: aws.issuer, aud: AUDIENCE, sub: AWS_ROLE },
      [AWS_CLAIMS]: { aws_account: '123456789012', principal_id: AWS_ROLE, request_tags: { queue: 'deploy' } },
    });
    const { iat = 0, exp } = decodeJwt(token);
    expect(exp).toBe(iat + 300);
  });

  it('signs with ES384 where that is requested', async () => {
    const { token } = await sts({ SigningAlgorithm: 'ES384', DurationSeconds: '3600' });
    expect(decodeProtectedHeader(token).alg).toBe('ES384');
    const { iat = 0, exp } = await verified(token, aws);
    expect(exp).toBe(iat + 3600);
  });

  it('has a list of audiences where several are requested', async () => {
    const { token } = await sts({ 'Audience.member.2': 'b' });
    expect((await verified(token, aws)).aud).toEqual([AUDIENCE, 'b']);
  });

  const tags = (count: number) =>
    Object.fromEntries(
      Array.from({ length: count }, (_, i) => [
        [`Tags.member.${i + 1}.Key`, `k${i}`],
        [`Tags.member.${i + 1}.Value`, 'v'],
      ]).flat(),
    );
  const tag = (key: string, value: string) => ({ 'Tags.member.1.Key': key, 'Tags.member.1.Value': value });
  const audiences = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`Audience.member.${i + 1}`, `a${i}`]));
  it.each<[string, Record<string, string>]>([
    ['an algorithm of another kind', { SigningAlgorithm: 'HS256' }],
    ['no algorithm', { SigningAlgorithm: '' }],
    ['less than a minute', { DurationSeconds: '59' }],
    ['more than an hour', { DurationSeconds: '3601' }],
    ['a time that is none', { DurationSeconds: 'x' }],
    ['a time that is no whole number', { DurationSeconds: '3e2' }],
    ['an empty time', { DurationSeconds: '' }],
    ['an empty audience', { 'Audience.member.1': '' }],
    ['an audience that is too long', { 'Audience.member.1': 'x'.repeat(1001) }],
    ['eleven audiences', audiences(11)],
    ['51 tags', tags(51)],
    ['a tag whose key is too long', tag('k'.repeat(129), 'v')],
    ['a tag without a key', tag('', 'v')],
    ['a tag whose value is too long', tag('k', 'v'.repeat(257))],
    ['a tag without a value', { 'Tags.member.1.Key': 'k' }],
    ['the same tag twice', { ...tag('k', 'v'), 'Tags.member.2.Key': 'k', 'Tags.member.2.Value': 'w' }],
    ['another version', { Version: '2010-05-08' }],
    ['another action', { Action: 'GetCallerIdentity' }],
    ['a parameter that nobody knows', { Subject: 'root' }],
  ])('refuses %s', async (_, parameters) => {
    expect(await sts(parameters)).toEqual({ status: '400', code: expect.any(String), token: '' });
  });

  it('takes what is just at its limits', async () => {
    expect((await sts({ ...audiences(10), ...tags(50), DurationSeconds: '60' })).status).toBe('200');
    expect((await sts({ 'Audience.member.1': 'x'.repeat(1000) })).status).toBe('200');
    expect((await sts(tag('k'.repeat(128), 'v'.repeat(256)))).status).toBe('200');
    expect((await sts(tag('k', ''))).status).toBe('200');
  });

  it.each<[string, { change?: string[]; region?: string }]>([
    ['for another region', { region: 'us-east-1' }],
    ['with a header that is not signed', { change: ['--aws-sigv4', 'aws:amz:eu-west-1:iam'] }],
    ['with another secret', { change: ['--user', 'ASIAQ3EGEXAMPLE00001:other'] }],
    ['with another session', { change: ['--header', 'X-Amz-Security-Token: other'] }],
  ])('refuses a request that is signed %s', async (_, options) => {
    expect(await sts({}, options)).toMatchObject({ status: '403', code: 'SignatureDoesNotMatch' });
  });

  it('refuses a request that is not signed, and one that is ten minutes old', async () => {
    expect((await fetch(`${aws.stsUrl}/`, { method: 'POST', body: new URLSearchParams() })).status).toBe(403);
    const held = await session();
    expect(held).toBeDefined();
    clock.advance(-10 * 60_000);
    expect(await sts({})).toMatchObject({ status: '403' });
  });

  it('issues no token that outlives the session of the role, and none after its end', async () => {
    const [young, hours] = [aws, 6 * 3_600_000];
    const older = new TestClock(NOW - hours + 300_000);
    aws = await startFakeAws({ clock: older });
    older.advance(hours - 300_000);
    expect((await sts({ DurationSeconds: '300' })).status).toBe('200');
    expect(await sts({ DurationSeconds: '301' })).toMatchObject({
      status: '403',
      code: 'SessionDurationEscalationException',
    });
    older.advance(299_000);
    expect(await sts({ DurationSeconds: '60' })).toMatchObject({ code: 'SessionDurationEscalationException' });
    older.advance(1_000);
    expect(await sts({ DurationSeconds: '60' })).toMatchObject({ code: 'SignatureDoesNotMatch' });
    await aws.close();
    aws = young;
  });

  it('issues nothing for an account that has not enabled it', async () => {
    aws.enabled = false;
    expect(await sts({})).toMatchObject({ status: '403', code: 'OutboundWebIdentityFederationDisabledException' });
  });

  it('gives metadata to holders of a session alone, until it ends', async () => {
    expect((await metadata('meta-data/placement/region')).status).toBe(401);
    const headers = await session();
    const at = await metadata('meta-data/placement/region', { headers });
    expect([at.status, await at.text()]).toEqual([200, 'eu-west-1']);
    clock.advance(60_000);
    expect((await metadata('meta-data/placement/region', { headers })).status).toBe(401);
  });

  it.each(['0', '21601', '-1', 'x', ''])('makes no session for %j seconds', async (seconds) => {
    expect((await ttl(seconds)).status).toBe(400);
  });

  it('makes no session through a proxy, and none for GET', async () => {
    expect((await ttl('60', { 'x-forwarded-for': '10.0.0.1' })).status).toBe(403);
    expect((await metadata('api/token')).status).toBe(405);
  });

  it('has no credentials without an instance profile', async () => {
    aws.hasRole = false;
    for (const path of [CREDENTIALS, `${CREDENTIALS}buildkite-agents`])
      expect((await metadata(path, { headers: await session() })).status).toBe(404);
  });
});

describe('Google', () => {
  let google: FakeGoogleIssuer;
  beforeAll(async () => {
    google = await startFakeGoogleIssuer({ clock: new TestClock(NOW) });
  });
  afterAll(() => google.close());

  const identity = (query: string, headers: Record<string, string> = { 'metadata-flavor': 'Google' }) =>
    fetch(`http://${google.metadataHost}/computeMetadata/v1/instance/service-accounts/default/identity${query}`, {
      headers,
    });

  it('gives an instance its token, with its details in the full format alone', async () => {
    const full = await verified(await (await identity(`?audience=${AUDIENCE}&format=full`)).text(), google);
    expect(full).toMatchObject({ aud: AUDIENCE, google: { compute_engine: { project_id: 'acme-build' } } });
    const { iat = 0, exp } = full;
    expect(exp).toBe(iat + 3600);
    expect(await verified(await (await identity(`?audience=${AUDIENCE}`)).text(), google)).not.toHaveProperty('google');
  });

  it.each([
    ['without an audience', '?format=full'],
    ['with an empty audience', '?audience='],
    ['in another format', `?audience=${AUDIENCE}&format=jwt`],
    ['with another parameter', `?audience=${AUDIENCE}&lifetime=60`],
    ['with licenses that are neither TRUE nor FALSE', `?audience=${AUDIENCE}&format=full&licenses=yes`],
  ])('refuses a request %s', async (_, query) => {
    expect((await identity(query)).status).toBe(400);
  });

  it('refuses a request without its header, and one that was forwarded', async () => {
    for (const headers of [{}, { 'metadata-flavor': 'Google', 'x-forwarded-for': '10.0.0.1' }] as Record<
      string,
      string
    >[])
      expect((await identity(`?audience=${AUDIENCE}`, headers)).status).toBe(403);
  });

  it('has the address of a service account in its token where that is requested', async () => {
    expect(await verified(google.serviceAccountToken(AUDIENCE), google)).not.toHaveProperty('email');
    const withEmail = google.serviceAccountToken(AUDIENCE, { includeEmail: true });
    expect(await verified(withEmail, google)).toMatchObject({ email_verified: true });
  });
});

describe('Kubernetes', () => {
  let cluster: FakeCluster;
  beforeAll(async () => {
    cluster = await startFakeCluster({ clock: new TestClock(NOW) });
  });
  afterAll(() => cluster.close());

  it('gives a pod a token with a list for its audience', async () => {
    const claims = await verified(cluster.token({ audience: AUDIENCE }), cluster);
    expect(claims).toMatchObject({
      aud: [AUDIENCE],
      sub: 'system:serviceaccount:buildkite:agents',
      'kubernetes.io': { namespace: 'buildkite', serviceaccount: { name: 'agents' } },
    });
    expect(claims.nbf).toBe(claims.iat);
    expect(decodeProtectedHeader(cluster.token({}))).not.toHaveProperty('typ');
  });

  it('means itself where no audience is named', () => {
    expect(decodeJwt(cluster.token({})).aud).toEqual([cluster.issuer]);
  });

  it('issues a token for ten minutes at least', () => {
    expect(() => cluster.token({ expirationSeconds: 599 })).toThrow(RangeError);
    expect(() => cluster.token({ expirationSeconds: 2 ** 32 + 1 })).toThrow(RangeError);
    const { iat = 0, exp } = decodeJwt(cluster.token({ expirationSeconds: 600 }));
    expect(exp).toBe(iat + 600);
  });
});

describe('Okta', () => {
  let okta: FakeOkta;
  beforeAll(async () => {
    okta = await startFakeOkta({ clock: new TestClock(NOW), audience: AUDIENCE });
  });
  afterAll(() => okta.close());

  async function request(form: Record<string, string>, { id, secret } = OKTA_CLIENT) {
    const good = { grant_type: 'client_credentials', scope: 'keydesk' };
    const authorization = `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
    const body = new URLSearchParams({ ...good, ...form });
    const response = await fetch(okta.tokenUrl, { method: 'POST', headers: { authorization }, body });
    const { access_token = '', error } = (await response.json()) as Record<string, string>;
    return { status: response.status, access_token, error };
  }

  it('gives a service app an access token for the audience of the server', async () => {
    const { status, access_token } = await request({ audience: 'https://other.example' });
    expect(status).toBe(200);
    const { id } = OKTA_CLIENT;
    expect(await verified(access_token, okta)).toMatchObject({
      ver: 1,
      cid: id,
      sub: id,
      scp: ['keydesk'],
      aud: AUDIENCE,
    });
    expect(decodeProtectedHeader(access_token)).toEqual({ alg: 'RS256', kid: expect.any(String) });
  });

  it.each<[string, Record<string, string>, number, string]>([
    ['of a person', { scope: 'openid' }, 400, 'invalid_scope'],
    ['of nobody', { scope: 'other' }, 400, 'invalid_scope'],
    ['that is missing', { scope: '' }, 400, 'invalid_scope'],
  ])('refuses a scope %s', async (_, form, status, error) => {
    expect(await request(form)).toMatchObject({ status, error });
  });

  it('refuses another grant, and another secret', async () => {
    expect(await request({ grant_type: 'password' })).toMatchObject({ status: 400, error: 'unsupported_grant_type' });
    expect(await request({}, { ...OKTA_CLIENT, secret: 'x' })).toMatchObject({ status: 401, error: 'invalid_client' });
  });

  it('lets an access token live five minutes at least, and a day at most', () => {
    for (const lifetime of [299, 86_401]) expect(() => okta.token(lifetime)).toThrow(RangeError);
    for (const lifetime of [300, 86_400]) expect(okta.token(lifetime)).toMatch(/^eyJ/);
  });
});
