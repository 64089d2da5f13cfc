// The verdict table: bad tokens, each the valid one with exactly one thing changed, under the reason the audit log must give. Nearly all
// cases are of machines' tokens too. A new reason does not compile until it has a case here. Knows nothing about HTTP.

import type { JobTokenReason } from '../../shared/core/oauth/refusal.ts';
import { by, byHmac, byOtherKind, byPss, encode, type Signing, type ValidJobToken } from './bad-job-tokens.issuer.ts';

export interface BadJobToken {
  /** Completes "refuses a job token …". */
  readonly title: string;
  readonly jobToken: (valid: ValidJobToken) => string;
  /** What the audit line names in addition to the reason. */
  readonly detail?: string;
  /** Seconds after it was issued; 0 by default. */
  readonly at?: number;
  /** The form it fits in; both by default. */
  readonly only?: 'form';
  /** A machine's token that is so is a good one, or refused for another reason. */
  readonly of?: 'job';
}

/** A request by path that holds no job token. */
export interface NoJobToken {
  readonly title: string;
  readonly authorization: (jobToken: string) => string | undefined;
}

type Cases<T> = readonly [T, ...T[]];
type Change = Readonly<Record<string, unknown>>;

const OTHER_UUID = '0184990a-0000-4000-8000-000000000000';

const signed =
  (change: (valid: ValidJobToken) => Signing): BadJobToken['jobToken'] =>
  (valid) =>
    valid.signed(change(valid));
const header = (change: Change, signature?: Signing['signature']) =>
  signed((valid) => ({ header: { ...valid.header, ...change }, ...(signature ? { signature } : {}) }));
const claims = (change: Change) => signed((valid) => ({ payload: { ...valid.payload, ...change } }));
const times = (change: (iat: number) => Change) =>
  signed((valid) => ({ payload: { ...valid.payload, ...change(valid.iat) } }));
const issuer = (title: string, iss: (valid: ValidJobToken) => unknown): BadJobToken => ({
  title,
  jobToken: signed((valid) => ({ payload: { ...valid.payload, iss: iss(valid) } })),
});
const audience = (title: string, aud: (ours: string) => unknown): BadJobToken => ({
  title,
  jobToken: signed((valid) => ({ payload: { ...valid.payload, aud: aud(String(valid.payload.aud)) } })),
});
const claim = (name: string, is: string, value: unknown): BadJobToken => ({
  title: `whose ${name} is ${is}`,
  jobToken: claims({ [name]: value }),
  detail: name,
});
/** The payload's JSON with some of its text replaced: what JSON.stringify cannot write. */
const payloadText = (from: string | RegExp, to: string) =>
  signed(({ payload }) => {
    const text = JSON.stringify(payload);
    const changed = text.replace(from, to);
    if (changed === text) throw new Error(`nothing to replace: ${from}`);
    return { payload: changed };
  });
const parts = (change: (header: string, payload: string, signature: string) => string): BadJobToken['jobToken'] => {
  return ({ jobToken }) => change(...(jobToken.split('.') as [string, string, string]));
};
const signatureBytes = (change: (bytes: Buffer) => Buffer) =>
  parts((h, p, s) => `${h}.${p}.${change(Buffer.from(s, 'base64url')).toString('base64url')}`);

export const BAD_JOB_TOKENS = {
  job_token_missing: [
    { title: 'without an Authorization header', authorization: () => undefined },
    { title: 'with an empty Authorization header', authorization: () => '' },
    { title: 'with Basic instead of Bearer', authorization: () => `Basic ${btoa('client:secret')}` },
    { title: 'with the job token in Basic', authorization: (jobToken) => `Basic ${btoa(`x:${jobToken}`)}` },
    { title: 'with the scheme alone', authorization: () => 'Bearer' },
    { title: 'with nothing but spaces after the scheme', authorization: () => 'Bearer    ' },
    { title: 'with the job token and no scheme', authorization: (jobToken) => jobToken },
    { title: 'with no space after the scheme', authorization: (jobToken) => `Bearer${jobToken}` },
    { title: 'with a longer scheme', authorization: (jobToken) => `BearerX ${jobToken}` },
    { title: 'with a word before the scheme', authorization: (jobToken) => `x Bearer ${jobToken}` },
  ],
  job_token_malformed: [
    { title: 'that is one word', jobToken: () => 'garbage' },
    { title: 'that is only dots', jobToken: () => '..' },
    { title: 'that is three words', jobToken: () => 'not.a.jwt' },
    { title: 'that says "undefined"', jobToken: () => 'undefined' },
    { title: 'whose signature was stripped', jobToken: parts((h, p) => `${h}.${p}.`) },
    { title: 'whose signature was stripped with its dot', jobToken: parts((h, p) => `${h}.${p}`) },
    { title: 'of algorithm none, unsigned', jobToken: header({ alg: 'none' }, () => Buffer.alloc(0)) },
    { title: 'with an empty header', jobToken: parts((_, p, s) => `.${p}.${s}`) },
    { title: 'with an empty payload', jobToken: parts((h, _, s) => `${h}..${s}`) },
    { title: 'with a fourth part', jobToken: parts((h, p, s) => `${h}.${p}.${s}.${s}`) },
    { title: 'with an empty fourth part', jobToken: parts((h, p, s) => `${h}.${p}.${s}.`) },
    { title: 'with five parts, like an encrypted one', jobToken: parts((h, p, s) => `${h}.${p}.${s}.${p}.${s}`) },
    { title: 'with padding', jobToken: ({ jobToken }) => `${jobToken}==` },
    { title: 'with a plus in it', jobToken: parts((h, p, s) => `${h}.${p}.+${s.slice(1)}`) },
    { title: 'with a slash in it', jobToken: parts((h, p, s) => `${h}.${p}./${s.slice(1)}`) },
    { title: 'with a percent escape in it', jobToken: parts((h, p, s) => `${h}%2E${p}.${s}`) },
    { title: 'with a letter that is not ASCII', jobToken: parts((h, p, s) => `${h}.${p}.é${s.slice(1)}`) },
    { title: 'with a space inside', jobToken: parts((h, p, s) => `${h}.${p} .${s}`) },
    { title: 'with a tab inside', jobToken: parts((h, p, s) => `${h}\t.${p}.${s}`) },
    { title: 'with a newline inside', jobToken: parts((h, p, s) => `${h}.${p}.\n${s}`), only: 'form' },
    { title: 'with a null character after it', jobToken: ({ jobToken }) => `${jobToken}\0`, only: 'form' },
    { title: 'in quotes', jobToken: ({ jobToken }) => `"${jobToken}"` },
    { title: 'with the scheme before it again', jobToken: ({ jobToken }) => `Bearer ${jobToken}` },
    { title: 'given twice with a comma', jobToken: ({ jobToken }) => `${jobToken},${jobToken}` },
    { title: 'in the JSON form of a signature', jobToken: parts((h, p, s) => toJson(h, p, s)) },
    { title: 'with a lone base64 character too many', jobToken: parts((h, p, s) => `${lone(h)}.${p}.${s}`) },
    { title: 'whose header is a list', jobToken: signed(() => ({ header: '[{"alg":"RS256"}]' })) },
    { title: 'whose header is text', jobToken: signed(() => ({ header: '"RS256"' })) },
    { title: 'whose header is null', jobToken: signed(() => ({ header: 'null' })) },
    { title: 'whose header is not JSON', jobToken: signed(() => ({ header: '{alg:RS256}' })) },
    { title: 'whose header is cut off', jobToken: signed((v) => ({ header: JSON.stringify(v.header).slice(0, -1) })) },
    { title: 'whose header is not UTF-8', jobToken: signed((v) => ({ header: notUtf8(v.header) })) },
    { title: 'whose payload is a list', jobToken: signed(({ payload }) => ({ payload: JSON.stringify([payload]) })) },
    { title: 'whose payload is a number', jobToken: signed(() => ({ payload: '42' })) },
    { title: 'whose payload is null', jobToken: signed(() => ({ payload: 'null' })) },
    {
      title: 'whose payload is an object twice',
      jobToken: signed((v) => ({ payload: JSON.stringify(v.payload).repeat(2) })),
    },
    { title: 'whose payload is another token', jobToken: signed(({ jobToken }) => ({ payload: jobToken })) },
    { title: 'whose payload is not UTF-8', jobToken: signed((v) => ({ payload: notUtf8(v.payload) })) },
    { title: 'whose payload has a comma too many', jobToken: payloadText(/\}$/, ',}') },
  ],
  job_token_algorithm_not_allowed: [
    { title: 'of algorithm none, with a signature', jobToken: header({ alg: 'none' }) },
    { title: 'of algorithm None', jobToken: header({ alg: 'None' }) },
    { title: 'signed with the public key as a secret', jobToken: header({ alg: 'HS256' }, byHmac) },
    { title: 'signed by RS384', jobToken: header({ alg: 'RS384' }, by('current', 'sha384')) },
    { title: 'signed by RS512', jobToken: header({ alg: 'RS512' }, by('current', 'sha512')) },
    { title: 'signed by PS256', jobToken: header({ alg: 'PS256' }, byPss) },
    {
      title: 'signed by the algorithm of another kind of key',
      jobToken: signed(({ header, issuer }) => ({
        header: { ...header, alg: issuer.otherAlgorithm, kid: 'otherKind' },
        signature: byOtherKind,
      })),
    },
    { title: 'said to be EdDSA', jobToken: header({ alg: 'EdDSA' }) },
    { title: 'with the algorithm in lower case', jobToken: header({ alg: 'rs256' }) },
    { title: 'with a space after the algorithm', jobToken: header({ alg: 'RS256 ' }) },
    { title: 'with a list of algorithms', jobToken: header({ alg: ['RS256'] }) },
    { title: 'without an algorithm', jobToken: header({ alg: undefined }) },
    { title: 'whose algorithm stands twice, a bad one last', jobToken: headerText('"alg":"RS256","alg":"none"') },
  ],
  job_token_header_not_allowed: [
    { title: 'with crit', jobToken: header({ crit: ['exp'], exp: 1 }), detail: 'crit' },
    { title: 'with an empty crit', jobToken: header({ crit: [] }), detail: 'crit' },
    { title: 'with b64 true', jobToken: header({ b64: true }), detail: 'b64' },
    { title: 'with b64 false', jobToken: header({ b64: false }), detail: 'b64' },
    { title: 'with a key of its own', jobToken: header({ jwk: { kty: 'RSA', n: 'AQAB', e: 'AQAB' } }), detail: 'jwk' },
    { title: 'with a null key of its own', jobToken: header({ jwk: null }), detail: 'jwk' },
    { title: 'with the address of a key set', jobToken: header({ jku: 'https://evil.example/jwks' }), detail: 'jku' },
    { title: 'with a certificate', jobToken: header({ x5c: ['MIIB'] }), detail: 'x5c' },
    { title: 'with the address of a certificate', jobToken: header({ x5u: 'https://evil.example/' }), detail: 'x5u' },
  ],
  job_token_type_not_allowed: [
    { title: 'of type at+jwt', jobToken: header({ typ: 'at+jwt' }) },
    { title: 'of type dpop+jwt', jobToken: header({ typ: 'dpop+jwt' }) },
    { title: 'of type logout+jwt', jobToken: header({ typ: 'logout+jwt' }) },
    { title: 'of type JOSE', jobToken: header({ typ: 'JOSE' }) },
    { title: 'of an empty type', jobToken: header({ typ: '' }) },
    { title: 'of a type with a newline', jobToken: header({ typ: 'JWT\n' }) },
    { title: 'of a type that is a number', jobToken: header({ typ: 42 }) },
    { title: 'of a type that is null', jobToken: header({ typ: null }) },
  ],
  job_token_key_id_missing: [
    { title: 'without a key id', jobToken: header({ kid: undefined }) },
    { title: 'with an empty key id', jobToken: header({ kid: '' }) },
    { title: 'with a key id that is a number', jobToken: header({ kid: 42 }) },
    { title: 'with a key id that is null', jobToken: header({ kid: null }) },
    { title: 'with a key id that is a list', jobToken: header({ kid: ['current'] }) },
  ],
  // Each comes when the issuer may be asked again.
  job_token_key_unknown: [
    {
      title: 'of a key id the issuer does not publish',
      at: 31,
      jobToken: header({ kid: 'notPublished' }, by('notPublished')),
    },
    { title: 'of the key id in upper case', at: 62, jobToken: header({ kid: 'CURRENT' }) },
    { title: 'of a key id that is a path', at: 93, jobToken: header({ kid: '../../../dev/null' }) },
    { title: 'of a key id that every object has', at: 124, jobToken: header({ kid: '__proto__' }) },
    { title: 'of a key of another kind', at: 155, jobToken: header({ kid: 'otherKind' }, byOtherKind) },
    { title: 'of a key for encryption', at: 186, jobToken: header({ kid: 'encryption' }, by('encryption')) },
    {
      title: 'of a key for another algorithm',
      at: 217,
      jobToken: header({ kid: 'otherAlgorithm' }, by('otherAlgorithm')),
    },
  ],
  job_token_signature_invalid: [
    { title: 'with a bit of the signature flipped', jobToken: signatureBytes(flipped) },
    { title: 'whose signature is cut off', jobToken: signatureBytes((bytes) => bytes.subarray(0, -1)) },
    {
      title: 'whose signature has a byte too many',
      jobToken: signatureBytes((b) => Buffer.concat([b, b.subarray(1, 2)])),
    },
    { title: 'whose signature is all zero', jobToken: signatureBytes((bytes) => Buffer.alloc(bytes.length)) },
    { title: 'whose signature is one byte', jobToken: signatureBytes(() => Buffer.alloc(1)) },
    { title: 'signed by another key under our key id', jobToken: signed(() => ({ signature: by('notPublished') })) },
    { title: 'of a key id published twice, signed by neither', jobToken: header({ kid: 'doubled' }, by('next')) },
    { title: "signed by another of the issuer's keys", jobToken: signed(() => ({ signature: by('next') })) },
    { title: 'signed with another digest', jobToken: signed(() => ({ signature: by('current', 'sha512') })) },
    { title: 'signed with another padding', jobToken: signed(() => ({ signature: byPss })) },
    { title: 'with a claim changed after signing', jobToken: parts((h, p, s) => `${h}.${withOtherTime(p)}.${s}`) },
    { title: 'with a space added after signing', jobToken: parts((h, p, s) => `${h}.${encode(`${text(p)} `)}.${s}`) },
    {
      title: 'with a header changed after signing',
      jobToken: parts((h, p, s) => `${encode(`${text(h)} `)}.${p}.${s}`),
    },
  ],
  job_token_issuer_wrong: [
    issuer('without an issuer', () => undefined),
    issuer('whose issuer is null', () => null),
    issuer('whose issuer is empty', () => ''),
    issuer('whose issuer ends in a slash', (v) => `${v.issuer.url}/`),
    issuer('whose issuer is in upper case', (v) => v.issuer.url.toUpperCase()),
    issuer('whose issuer has a user before its host', (v) => `http://keydesk@localhost:${v.issuer.port}`),
    issuer('whose issuer is a user of another host', (v) => `${v.issuer.url}@evil.example`),
    issuer('whose issuer has another port', (v) => v.issuer.url.replace(v.issuer.port, '443')),
    issuer('whose issuer has no port', () => 'http://localhost'),
    issuer('whose issuer has another scheme', (v) => v.issuer.url.replace('http:', 'https:')),
    issuer('whose issuer is another name of the host', (v) => v.issuer.url.replace('localhost', '127.0.0.1')),
    issuer('whose issuer begins with ours', (v) => `${v.issuer.url}.evil.example`),
    issuer('whose issuer is a beginning of ours', (v) => v.issuer.url.slice(0, -1)),
    issuer('whose issuer is below ours', (v) => `${v.issuer.url}/acme-inc`),
    issuer('whose issuer has a fragment', (v) => `${v.issuer.url}#`),
    issuer('whose issuer has a homograph', (v) => v.issuer.url.replace('c', '\u0441')),
    issuer('whose issuer ends in a newline', (v) => `${v.issuer.url}\n`),
    issuer('whose issuer is a list', (v) => [v.issuer.url]),
    issuer("whose issuer is Buildkite's own", () => 'https://agent.buildkite.com'),
    issuer('whose issuer is the metadata server', () => 'http://169.254.169.254'),
  ],
  job_token_audience_wrong: [
    audience('without an audience', () => undefined),
    audience("for Buildkite's default audience", () => 'https://buildkite.com/acme-inc'),
    audience('for another service', () => 'sts.amazonaws.com'),
    audience('for a list that holds us', (ours) => [ours, 'https://evil.example']),
    { ...audience('for a list of us alone', (ours) => [ours]), of: 'job' },
    audience('for a list of us twice', (ours) => [ours, ours]),
    audience('for an empty list', () => []),
    audience('for a list in a list', (ours) => [[ours]]),
    audience('for an object', (ours) => ({ [ours]: true })),
    audience('for the empty audience', () => ''),
    audience('for null', () => null),
    audience('for true', () => true),
    audience('for an audience that ours begins with', (ours) => ours.slice(0, -1)),
    audience('for an audience that begins with ours', (ours) => `${ours}.evil.example`),
    audience('for ours with a slash', (ours) => `${ours}/`),
    audience('for ours in upper case', (ours) => ours.toUpperCase()),
    audience('for ours with a space', (ours) => `${ours} `),
    audience('for two audiences in one text', (ours) => `${ours} https://evil.example`),
    {
      title: 'whose audience stands twice, ours first',
      jobToken: payloadText(/\}$/, ',"aud":"https://evil.example"}'),
    },
    {
      title: 'whose audience is in __proto__',
      jobToken: payloadText(/"aud":("[^"]*"|\[[^\]]*\])/, '"__proto__":{"aud":$1}'),
    },
  ],
  job_token_time_claim_invalid: [
    { title: 'without exp', jobToken: claims({ exp: undefined }) },
    { title: 'without nbf', jobToken: claims({ nbf: undefined }), of: 'job' },
    { title: 'without iat', jobToken: claims({ iat: undefined }) },
    { title: 'whose exp is null', jobToken: claims({ exp: null }) },
    { title: 'whose exp is text', jobToken: times((iat) => ({ exp: String(iat + 300) })) },
    { title: 'whose nbf is text', jobToken: times((iat) => ({ nbf: String(iat) })) },
    { title: 'whose iat is text', jobToken: times((iat) => ({ iat: String(iat) })) },
    { title: 'whose iat is a date', jobToken: times((iat) => ({ iat: new Date(iat * 1000).toISOString() })) },
    { title: 'whose exp is a list', jobToken: times((iat) => ({ exp: [iat + 300] })) },
    { title: 'whose exp is a fraction', jobToken: times((iat) => ({ exp: iat + 300.5 })) },
    { title: 'whose nbf is a fraction', jobToken: times((iat) => ({ nbf: iat + 0.5 })) },
    { title: 'whose iat is a fraction', jobToken: times((iat) => ({ iat: iat + 0.5 })) },
    { title: 'whose exp is beyond whole numbers', jobToken: claims({ exp: 2 ** 53 }) },
    { title: 'whose exp is infinite', jobToken: payloadText(/"exp":\d+/, '"exp":1e400') },
    { title: 'that expires as it is issued', jobToken: times((iat) => ({ exp: iat })) },
    { title: 'that expires before it is issued', jobToken: times((iat) => ({ exp: iat - 1 })) },
  ],
  job_token_expired: [
    { title: 'that expired the whole leeway ago', jobToken: ({ jobToken }) => jobToken, at: 310 },
    { title: 'that expired an hour ago', jobToken: ({ jobToken }) => jobToken, at: 3900 },
    { title: 'whose exp is zero', jobToken: claims({ exp: 0 }) },
    { title: 'whose exp is negative', jobToken: claims({ exp: -1 }) },
    { title: 'whose exp is in milliseconds of long ago', jobToken: times((iat) => ({ exp: Math.floor(iat / 1000) })) },
  ],
  job_token_not_yet_valid: [
    { title: 'whose nbf is 91 s ahead', jobToken: times((iat) => ({ nbf: iat + 91 })) },
    { title: 'whose nbf is in milliseconds', jobToken: times((iat) => ({ nbf: iat * 1000 })) },
    { title: 'issued by a clock 91 s ahead', jobToken: ({ jobToken }) => jobToken, at: -91, of: 'job' },
  ],
  job_token_issued_in_future: [
    { title: 'whose iat is 91 s ahead', jobToken: times((iat) => ({ iat: iat + 91 })) },
    { title: 'whose iat is an hour ahead', jobToken: times((iat) => ({ iat: iat + 3600 })) },
    { title: 'whose iat is in milliseconds', jobToken: times((iat) => ({ iat: iat * 1000 })) },
  ],
  job_token_lifetime_too_long: [
    { title: 'that lives a second too long', jobToken: times((iat) => ({ exp: iat + 601 })) },
    { title: 'that lives longer than Buildkite allows', jobToken: times((iat) => ({ exp: iat + 7201 })) },
    { title: 'whose exp is in milliseconds', jobToken: times((iat) => ({ exp: (iat + 300) * 1000 })) },
    { title: 'whose iat is zero', jobToken: claims({ iat: 0 }) },
    { title: 'whose iat is negative', jobToken: claims({ iat: -1 }) },
  ],
  job_token_claim_invalid: [
    claim('job_id', 'missing', undefined),
    claim('job_id', 'null', null),
    claim('job_id', 'a list', [OTHER_UUID]),
    claim('job_id', 'no UUID', 'job-1'),
    claim('job_id', 'a path', `../${OTHER_UUID}`),
    claim('job_id', 'a UUID and a newline', `${OTHER_UUID}\n`),
    claim('job_id', 'a UUID in braces', `{${OTHER_UUID}}`),
    claim('organization_slug', 'missing', undefined),
    claim('organization_slug', 'null', null),
    claim('organization_slug', 'empty', ''),
    claim('organization_slug', 'a list', ['acme-inc']),
    claim('organization_slug', 'ours and a newline', 'acme-inc\n'),
    claim('organization_id', 'no UUID', 'acme-inc'),
    claim('pipeline_slug', 'missing', undefined),
    claim('pipeline_slug', 'too long', 'a'.repeat(257)),
    claim('pipeline_slug', 'text with a control character', 'app\u001b[2K'),
    claim('pipeline_slug', 'text with a line separator', 'app\u2028'),
    claim('pipeline_id', 'no UUID', 'app'),
    claim('pipeline_id', 'a number', 1),
    claim('build_number', 'missing', undefined),
    claim('build_number', 'text', '42'),
    claim('build_number', 'a fraction', 42.5),
    claim('build_number', 'zero', 0),
    claim('build_number', 'negative', -1),
    claim('build_number', 'beyond whole numbers', 2 ** 53),
    claim('build_branch', 'missing', undefined),
    claim('build_branch', 'null', null),
    claim('build_branch', 'a number', 7),
    claim('build_branch', 'empty', ''),
    claim('build_branch', 'too long', 'a'.repeat(1025)),
    claim('build_branch', 'a list that holds main', ['main']),
    claim('build_branch', 'main and a null character', 'main\0'),
    claim('build_commit', 'missing', undefined),
    claim('build_commit', 'a number', 9),
    claim('build_commit', 'too long', 'a'.repeat(257)),
    claim('build_tag', 'a number', 1),
    claim('build_tag', 'false', false),
    claim('build_source', 'a number', 1),
    claim('step_key', 'an object', { key: 'deploy' }),
    claim('agent_id', 'missing', undefined),
    claim('agent_id', 'no UUID', 'agent-1'),
    claim('runner_environment', 'a list', ['self-hosted']),
    claim('build_id', 'no UUID', '42'),
    claim('cluster_id', 'no UUID', 'default'),
    claim('cluster_name', 'too long', 'a'.repeat(257)),
    claim('queue_id', 'a number', 1),
    claim('queue_key', 'an object', {}),
    claim('agent_tag:queue', 'a number', 1),
    claim('agent_tag:queue', 'a list', ['default']),
    claim('agent_tag:queue', 'too long', 'a'.repeat(1025)),
    claim('agent_tag:queue', 'text with a newline', 'default\n'),
    {
      title: 'with job_id in __proto__',
      jobToken: payloadText(/"job_id":("[^"]*")/, '"__proto__":{"job_id":$1}'),
      detail: 'job_id',
    },
    { title: 'with job_id twice, a bad one last', jobToken: payloadText(/\}$/, ',"job_id":null}'), detail: 'job_id' },
    {
      title: 'with an infinite build',
      jobToken: payloadText('"build_number":42', '"build_number":1e400'),
      detail: 'build_number',
    },
  ],
  job_token_organization_wrong: [
    { title: 'of another organization', jobToken: claims({ organization_slug: 'evil' }), detail: 'organization_slug' },
    {
      title: 'of ours in upper case',
      jobToken: claims({ organization_slug: 'ACME-INC' }),
      detail: 'organization_slug',
    },
    {
      title: 'of one that begins with ours',
      jobToken: claims({ organization_slug: 'acme-inc-2' }),
      detail: 'organization_slug',
    },
    { title: 'of one that is a pattern', jobToken: claims({ organization_slug: '*' }), detail: 'organization_slug' },
    {
      title: 'of one that took over our slug',
      jobToken: claims({ organization_id: OTHER_UUID }),
      detail: 'organization_id',
    },
  ],
} satisfies Record<Exclude<JobTokenReason, 'job_token_missing'>, Cases<BadJobToken>> &
  Record<'job_token_missing', Cases<NoJobToken>>;

function headerText(alg: string): BadJobToken['jobToken'] {
  return signed(() => ({ header: `{"kid":"current",${alg}}` }));
}

function notUtf8(part: Change): Uint8Array {
  return Buffer.from(JSON.stringify({ ...part, name: '\u00e9' }), 'latin1');
}

function flipped(bytes: Buffer): Buffer {
  return Buffer.from(bytes.map((byte, index) => (index === 40 ? byte ^ 1 : byte)));
}

function text(segment: string): string {
  return Buffer.from(segment, 'base64url').toString('utf8');
}

function withOtherTime(payload: string): string {
  return encode(text(payload).replace(/(?<="iat":)\d+/, (iat) => String(Number(iat) - 1)));
}

/** A segment whose length no base64 text can have. */
function lone(segment: string): string {
  return segment + 'A'.repeat((5 - (segment.length % 4)) % 4);
}

function toJson(header: string, payload: string, signature: string): string {
  return JSON.stringify({ protected: header, payload, signature });
}
