// A fake AWS: the metadata service of an EC2 instance (IMDSv2), the regional endpoint of STS with GetWebIdentityToken, and the issuer
// of one account. Checks requests as the documentation says, and lists those that it did not expect. Listens on loopback only.
// Source: docs.aws.amazon.com/STS/latest/APIReference/API_GetWebIdentityToken.html;
// docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_outbound_token_claims.html;
// docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html.

import type { Clock } from '../../../shared/runtime/clock.ts';
import { jsonServer, type LocalRequest, type LocalResponse } from '../../local-server.ts';
import { signatureProblem } from './aws-signature.ts';
import { InstanceMetadata } from './imds.ts';
import { Signer, type SigningAlgorithm } from './signer.ts';

const ACCOUNT = '123456789012';
const REGION = 'eu-west-1';
const INSTANCE = 'i-0abc1234def567890';
export const AWS_ROLE = `arn:aws:iam::${ACCOUNT}:role/buildkite-agents`;
/** Claims that AWS adds are members of this one. */
export const AWS_CLAIMS = 'https://sts.amazonaws.com/';

const MAX_AUDIENCES = 10;
const MAX_AUDIENCE_LENGTH = 1000;
const MAX_TAGS = 50;
/** Source: docs.aws.amazon.com/STS/latest/APIReference/API_Tag.html. */
const MAX_TAG = { key: 128, value: 256 };
const DURATION = { least: 60, usual: 300, most: 3600 };
const XML = { 'content-type': 'text/xml' };

interface TokenRequest {
  readonly audiences: readonly string[];
  readonly algorithm: SigningAlgorithm;
  /** Seconds. */
  readonly duration: number;
  readonly tags: Readonly<Record<string, string>>;
}

export interface FakeAws {
  /** Of the account. */
  readonly issuer: string;
  readonly keysUrl: string;
  /** For AWS_EC2_METADATA_SERVICE_ENDPOINT. */
  readonly metadataUrl: string;
  /** For AWS_ENDPOINT_URL_STS. */
  readonly stsUrl: string;
  readonly signers: Readonly<Record<'RS256' | 'ES384', Signer>>;
  /** Requests that the real AWS would have refused. */
  readonly unexpected: readonly string[];
  /** A token as GetWebIdentityToken returns it. */
  token(requested: Partial<TokenRequest> & { readonly audiences: readonly string[] }): string;
  /** Whether the account has enabled outbound identity federation. */
  enabled: boolean;
  /** Whether an instance profile gives the instance its role. */
  hasRole: boolean;
  close(): Promise<void>;
}

export async function startFakeAws({ clock }: { readonly clock: Clock }): Promise<FakeAws> {
  const signers = { RS256: new Signer('RS256', 'RSA_0'), ES384: new Signer('ES384', 'EC384_0') };
  const unexpected: string[] = [];
  const metadata = new InstanceMetadata({ role: 'buildkite-agents', region: REGION, clock });
  const server = await jsonServer('fake AWS', (request) => {
    const { path } = request;
    if (path === '/.well-known/jwks.json')
      return { status: 200, json: { keys: [signers.RS256.jwk, signers.ES384.jwk] } };
    if (path.startsWith('/latest/')) return metadata.respond(request, fake.hasRole);
    const response = path === '/' ? getWebIdentityToken(request) : failure(404, 'NotFound', 'Not here.');
    if (response.status !== 200) unexpected.push(`${request.method} ${path}: ${response.text}`);
    return response;
  });

  function getWebIdentityToken(request: LocalRequest): LocalResponse {
    const problem = signatureProblem(request, { credentials: metadata.credentials, region: REGION, now: clock.now() });
    if (problem !== undefined) return failure(403, 'SignatureDoesNotMatch', problem);
    const form = new URLSearchParams(request.body);
    const parsed = parse(form);
    if ('problem' in parsed) return failure(400, 'ValidationError', parsed.problem);
    if (!fake.enabled)
      return failure(403, 'OutboundWebIdentityFederationDisabledException', 'It is not enabled for the account.');
    const ends = clock.now() + parsed.duration * 1000;
    if (ends > metadata.credentials.expiration)
      return failure(403, 'SessionDurationEscalationException', 'The token would outlive the session.');
    const expiration = new Date(ends).toISOString();
    const result = `<WebIdentityToken>${fake.token(parsed)}</WebIdentityToken>\n    <Expiration>${expiration}</Expiration>`;
    return {
      status: 200,
      headers: XML,
      text: `<GetWebIdentityTokenResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">\n  <GetWebIdentityTokenResult>\n    ${result}\n  </GetWebIdentityTokenResult>\n</GetWebIdentityTokenResponse>\n`,
    };
  }

  const fake: FakeAws = {
    issuer: server.url,
    keysUrl: `${server.url}/.well-known/jwks.json`,
    metadataUrl: server.url,
    stsUrl: server.url,
    signers,
    unexpected,
    enabled: true,
    hasRole: true,
    token: ({ audiences, algorithm = 'RS256', duration = DURATION.usual, tags = {} }) => {
      const iat = Math.floor(clock.now() / 1000);
      const [one, ...more] = audiences;
      return signers[algorithm === 'ES384' ? 'ES384' : 'RS256'].sign(
        {
          ...{ iss: server.url, aud: more.length === 0 ? one : audiences, sub: AWS_ROLE, iat, exp: iat + duration },
          jti: '5c1f3a6e-6f0e-4f5d-9c59-5f3b2a0d7c11',
          [AWS_CLAIMS]: {
            ...{ aws_account: ACCOUNT, source_region: REGION, org_id: 'o-abc1234567', principal_id: AWS_ROLE },
            principal_tags: { environment: 'production' },
            ec2_source_instance_arn: `arn:aws:ec2:${REGION}:${ACCOUNT}:instance/${INSTANCE}`,
            ec2_role_delivery: '2.0',
            ...(Object.keys(tags).length > 0 ? { request_tags: tags } : {}),
          },
        },
        { typ: 'JWT' },
      );
    },
    close: server.close,
  };
  return fake;
}

function parse(form: URLSearchParams): TokenRequest | { readonly problem: string } {
  const audiences = membersOf(form, 'Audience.member.', '');
  const names = membersOf(form, 'Tags.member.', '.Key');
  const values = membersOf(form, 'Tags.member.', '.Value');
  const algorithm = form.get('SigningAlgorithm');
  const seconds = form.get('DurationSeconds') ?? String(DURATION.usual);
  const duration = Number(seconds);
  const known =
    /^(Action|Version|SigningAlgorithm|DurationSeconds|Audience\.member\.\d+|Tags\.member\.\d+\.(Key|Value))$/;
  const unknown = [...form.keys()].find((name) => !known.test(name));
  if (unknown !== undefined) return { problem: `Unknown parameter ${unknown}` };
  if (form.get('Action') !== 'GetWebIdentityToken' || form.get('Version') !== '2011-06-15')
    return { problem: 'Could not find operation' };
  if (audiences.length < 1 || audiences.length > MAX_AUDIENCES) return { problem: 'Audience: 1 to 10 members' };
  if (audiences.some(({ length }) => length < 1 || length > MAX_AUDIENCE_LENGTH))
    return { problem: 'Audience: 1 to 1000 characters' };
  if (algorithm !== 'RS256' && algorithm !== 'ES384') return { problem: 'SigningAlgorithm: RS256 or ES384' };
  if (!/^\d+$/.test(seconds) || duration < DURATION.least || duration > DURATION.most)
    return { problem: 'DurationSeconds: 60 to 3600' };
  if (names.length > MAX_TAGS || names.length !== values.length) return { problem: 'Tags: 50 at most' };
  if (names.some(({ length }) => length < 1 || length > MAX_TAG.key)) return { problem: 'Tags: keys of 1 to 128' };
  if (values.some(({ length }) => length > MAX_TAG.value)) return { problem: 'Tags: values of 256 at most' };
  if (new Set(names).size < names.length) return { problem: 'Tags: the same key twice' };
  const tags = Object.fromEntries(names.map((name, index) => [name, values[index] ?? '']));
  return { audiences, algorithm, duration, tags };
}

function membersOf(form: URLSearchParams, before: string, after: string): string[] {
  const found: string[] = [];
  for (let number = 1; form.has(`${before}${number}${after}`); number += 1)
    found.push(form.get(`${before}${number}${after}`) ?? '');
  return found;
}

function failure(status: number, code: string, message: string): LocalResponse {
  const error = `<Error>\n    <Type>Sender</Type>\n    <Code>${code}</Code>\n    <Message>${message}</Message>\n  </Error>`;
  return {
    status,
    headers: XML,
    text: `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">\n  ${error}\n  <RequestId>c6104cbe-af31-11e0-8154-cbc7ccf896c7</RequestId>\n</ErrorResponse>\n`,
  };
}
