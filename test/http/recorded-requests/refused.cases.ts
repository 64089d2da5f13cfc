// Requests that the token function refuses: at least one for each reason there is. A new one does not compile until it has a
// case here. Then what Google and Keydesk's own faults add to them.

import { createPublicKey } from 'node:crypto';
import { Signer } from '../../../sandbox/fakes/issuers/signer.ts';
import type { AgentTokenReason, JobTokenReason, Refusal } from '../../../shared/core/oauth/refusal.ts';
import { createAgentTokenVerifier } from '../../../shared/identity-providers/agent-token.ts';
import { createKillSwitchLedger } from '../../../shared/ledger/kill-switch.ts';
import type { InProcessKeydesk } from '../../fixtures/in-process-keydesk.ts';
import { FORM, newJobToken, TOKEN_TYPE, tokenForm } from '../token-request.ts';
import type { Case } from './recorder.ts';
import {
  APPROVAL,
  about,
  aFormTo,
  aHolder,
  anAccessToken,
  answering,
  broken,
  byForm,
  byPath,
  changePolicy,
  DENIED,
  demand,
  ledgerOf,
  letBodyBeLate,
  MINUTE,
  unblock,
} from './requests.ts';

const KIB = 1024;
/** Of the form of an access token. */
const UNKNOWN = `ya29.c.${'x'.repeat(50)}`;

type JobTokenOptions = Parameters<InProcessKeydesk['buildkite']['jobToken']>[1];
const secondsOf = ({ clock }: InProcessKeydesk) => Math.floor(clock.now() / 1000);

/** A job token in which one thing is not as it should be. */
const bad = (title: string, options: (keydesk: InProcessKeydesk) => JobTokenOptions): readonly Case[] => [
  [
    `a job token ${title}`,
    async (keydesk) =>
      byForm(keydesk, {}, await keydesk.buildkite.jobToken(keydesk.buildkite.startJob(), options(keydesk))),
  ],
];

const JOB_TOKENS: Readonly<Record<JobTokenReason, readonly Case[]>> = {
  job_token_missing: [['no job token', () => ({ path: '/token/staging-config' })]],
  job_token_malformed: [
    ['a job token that is a word, by form', (keydesk) => byForm(keydesk, {}, 'word')],
    ['a job token that is a word, by path', (keydesk) => byPath(keydesk, 'staging-config', 'word')],
  ],
  job_token_type_not_allowed: bad('of another type', () => ({ header: { typ: 'at+jwt' } })),
  job_token_algorithm_not_allowed: bad('of another algorithm', () => ({ header: { alg: 'RS512' } })),
  job_token_header_not_allowed: bad('that names a key set', () => ({ header: { jku: 'https://evil.example' } })),
  job_token_key_id_missing: bad('that names no key', () => ({ header: { kid: undefined } })),
  job_token_key_unknown: bad('that names another key', () => ({ header: { kid: 'other' } })),
  job_token_signature_invalid: [
    [
      'a job token with another signature',
      async (keydesk) => byForm(keydesk, {}, `${(await newJobToken(keydesk)).slice(0, -8)}AAAAAAAA`),
    ],
  ],
  job_token_issuer_wrong: bad('of another issuer', () => ({ overrides: { iss: 'https://evil.example' } })),
  job_token_audience_wrong: bad('for somebody else', () => ({ audience: 'https://buildkite.com/acme-inc' })),
  job_token_time_claim_invalid: bad('without a time', () => ({ overrides: { nbf: undefined } })),
  job_token_expired: bad('that has expired', (keydesk) => ({ issuedAt: secondsOf(keydesk) - 3_600 })),
  job_token_not_yet_valid: bad('for later', (keydesk) => ({ overrides: { nbf: secondsOf(keydesk) + 91 } })),
  job_token_issued_in_future: bad('from the future', (keydesk) => ({ overrides: { iat: secondsOf(keydesk) + 91 } })),
  job_token_lifetime_too_long: bad('that lives too long', () => ({ lifetime: 601 })),
  job_token_claim_invalid: bad('with a claim of another form', () => ({ overrides: { job_id: 'job-1' } })),
  job_token_organization_wrong: bad('of strangers', () => ({ overrides: { organization_slug: 'other' } })),
};

/** Of an identity provider whose keys are known without a request: the recordings are of Keydesk's own requests. */
const AGENT_KEYS = new Signer('RS256', 'agents');
const ISSUER = 'https://issuer.example';

/** Every rule demands a token of a machine from now on. The provider's key set has one key. */
function demandAgent(keydesk: InProcessKeydesk): void {
  const conditions = { agent: { provider: 'build-agents', claims: { sub: ['agents'] } } };
  const provider = {
    ...{ issuer: ISSUER, keys: `${ISSUER}/jwks`, audience: 'https://keydesk.acme.example', maxTokenLifetime: 600 },
    ...{ algorithms: ['RS256' as const], claims: { sub: { setBy: 'platform' as const } } },
  };
  changePolicy(keydesk, ({ rules }) => ({
    rules: rules.map((rule) => ({ ...rule, conditions })),
    identityProviders: { 'build-agents': provider },
  }));
  const key = { algorithm: 'RS256' as const, key: createPublicKey(AGENT_KEYS.privateKey) };
  keydesk.tokenDeps.verifyAgentToken = createAgentTokenVerifier({
    policy: keydesk.tokenDeps.policy.policy,
    getKeys: () => async (kid) => {
      if (kid === 'agents') return { outcome: 'found', keys: [key] };
      return kid === 'later' ? { outcome: 'asked_recently', retryAfter: 20 } : { outcome: 'unknown' };
    },
  });
}

interface AgentTokenChange {
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly header?: Readonly<Record<string, unknown>>;
}

function agentToken(keydesk: InProcessKeydesk, { claims = {}, header = {} }: AgentTokenChange = {}): string {
  const iat = secondsOf(keydesk);
  const payload = { iss: ISSUER, aud: 'https://keydesk.acme.example', sub: 'agents', iat, exp: iat + 300, ...claims };
  const [input, signature = ''] = AGENT_KEYS.sign(payload).split(/\.(?=[^.]*$)/);
  if (Object.keys(header).length === 0) return `${input}.${signature}`;
  const head = Buffer.from(JSON.stringify({ alg: 'RS256', kid: 'agents', ...header })).toString('base64url');
  return `${head}.${input?.split('.')[1]}.${signature}`;
}

/** A request with a machine's token in which one thing is not as it should be. */
const badAgent = (title: string, change: (keydesk: InProcessKeydesk) => AgentTokenChange | string): readonly Case[] => [
  [
    `a machine's token ${title}`,
    (keydesk) => {
      demandAgent(keydesk);
      const changed = change(keydesk);
      const actor_token = typeof changed === 'string' ? changed : agentToken(keydesk, changed);
      return byForm(keydesk, { actor_token, actor_token_type: `${TOKEN_TYPE}jwt` });
    },
  ],
];

const AGENT_TOKENS: Readonly<Record<AgentTokenReason, readonly Case[]>> = {
  agent_token_malformed: [
    ...badAgent('that is a word, by form', () => 'word'),
    [
      "a machine's token that is a word, by path",
      (keydesk) => {
        demandAgent(keydesk);
        return byPath(keydesk, 'staging-config', undefined, { 'keydesk-actor-token': 'word' });
      },
    ],
  ],
  agent_token_type_not_allowed: badAgent('of another type', () => ({ header: { typ: 'at+jwt' } })),
  agent_token_algorithm_not_allowed: badAgent('of another algorithm', () => ({ header: { alg: 'ES256' } })),
  agent_token_header_not_allowed: badAgent('that names a key set', () => ({ header: { jku: 'https://evil.example' } })),
  agent_token_key_id_missing: badAgent('that names no key', () => ({ header: { kid: undefined } })),
  agent_token_key_unknown: badAgent('that names another key', () => ({ header: { kid: 'other' } })),
  agent_token_signature_invalid: badAgent('with another signature', () => ({ header: { typ: 'JWT' } })),
  agent_token_issuer_wrong: badAgent('of another issuer', () => ({ claims: { iss: `${ISSUER}/` } })),
  agent_token_audience_wrong: badAgent('for two audiences', () => ({ claims: { aud: ['a', 'b'] } })),
  agent_token_time_claim_invalid: badAgent('without a time', () => ({ claims: { iat: undefined } })),
  agent_token_expired: badAgent('that has expired', (keydesk) => ({
    claims: { iat: secondsOf(keydesk) - 600, exp: secondsOf(keydesk) - 300 },
  })),
  agent_token_not_yet_valid: badAgent('for later', (keydesk) => ({ claims: { nbf: secondsOf(keydesk) + 91 } })),
  agent_token_issued_in_future: badAgent('from the future', (keydesk) => ({
    claims: { iat: secondsOf(keydesk) + 91 },
  })),
  agent_token_lifetime_too_long: badAgent('that lives too long', (keydesk) => ({
    claims: { exp: secondsOf(keydesk) + 601 },
  })),
  agent_token_claim_invalid: badAgent('without a claim of the policy', () => ({ claims: { sub: undefined } })),
};

const OTHERS: Readonly<Record<Exclude<Refusal['reason'], JobTokenReason | AgentTokenReason>, readonly Case[]>> = {
  agent_token_key_not_looked_up: badAgent('of a key that was requested lately', () => ({ header: { kid: 'later' } })),
  job_token_key_not_looked_up: [
    [
      'a job token that names an unknown key, right after another',
      async (keydesk) => {
        const unknown = await keydesk.buildkite.jobToken(keydesk.buildkite.startJob(), { header: { kid: 'other' } });
        await keydesk.requestByForm(unknown);
        return byForm(keydesk, {}, unknown);
      },
    ],
  ],
  parameter_missing: ['grant_type', 'subject_token', 'subject_token_type', 'audience'].map((name) => [
    `a form without ${name}`,
    (keydesk) => byForm(keydesk, { [name]: undefined }),
  ]),
  parameter_repeated: [
    [
      'a form that names its credential twice',
      async (keydesk) => aFormTo('/token', `${tokenForm(await newJobToken(keydesk))}&audience=production-config`),
    ],
  ],
  parameter_invalid: [
    [
      'a form for a job token of another type',
      (keydesk) => byForm(keydesk, { subject_token_type: `${TOKEN_TYPE}saml2` }),
    ],
    ['a form for a token of another type', (keydesk) => byForm(keydesk, { requested_token_type: `${TOKEN_TYPE}jwt` })],
    [
      "a form with a machine's token of another type",
      (keydesk) => byForm(keydesk, { actor_token: 'x', actor_token_type: `${TOKEN_TYPE}saml2` }),
    ],
    ['a form for too short a time', (keydesk) => byForm(keydesk, { lifetime: '59' })],
    [
      'metadata of no host',
      () => ({ method: 'GET', path: '/.well-known/oauth-authorization-server', headers: { host: 'a b' } }),
    ],
  ],
  body_not_allowed: [
    [
      'a body where none belongs',
      async (keydesk) => ({ ...(await byPath(keydesk)), body: 'audience=production-config' }),
    ],
  ],
  grant_type_not_supported: [
    ['another type of grant', (keydesk) => byForm(keydesk, { grant_type: 'client_credentials' })],
  ],
  claims_missing: [
    [
      'a job token without a claim that policy needs',
      async (keydesk) => byPath(keydesk, 'staging-config', await newJobToken(keydesk, { organization_id: null })),
    ],
    [
      'a job token without a claim that a rule needs',
      async (keydesk) => byForm(keydesk, {}, await newJobToken(keydesk, { pipeline_id: null })),
    ],
  ],
  unknown_credential: [['a credential that does not exist', (keydesk) => byPath(keydesk, 'no-such-credential')]],
  no_matching_rule: [
    ['a credential that no rule grants', (keydesk) => byForm(keydesk, { audience: 'production-config' })],
    [
      'a credential that the rule grants another branch',
      async (keydesk) => byPath(keydesk, 'staging-config', await newJobToken(keydesk, { build_branch: 'feature' })),
    ],
    [
      'a credential that the rule grants another machine',
      (keydesk) => {
        demandAgent(keydesk);
        const actor_token = agentToken(keydesk, { claims: { sub: 'laptops' } });
        return byForm(keydesk, { actor_token, actor_token_type: `${TOKEN_TYPE}jwt` });
      },
    ],
  ],
  approval_pending: [
    [
      'a job whose build nobody has approved',
      (keydesk) => {
        demand(keydesk, { approval: APPROVAL });
        return byPath(keydesk);
      },
    ],
  ],
  approval_not_accepted: [
    [
      'a job whose build was unblocked, and Buildkite does not say by whom',
      async (keydesk) => {
        demand(keydesk, { approval: APPROVAL });
        const job = keydesk.buildkite.startJob();
        await unblock(keydesk, job, { unblocked_by: null });
        return byPath(keydesk, 'staging-config', await keydesk.buildkite.jobToken(job));
      },
    ],
  ],
  conditions_unknown: [
    [
      'a job of a pipeline whose team was never read',
      (keydesk) => {
        demand(keydesk, { team: { name: 'platform', access: 'read_only' } });
        return byForm(keydesk, {});
      },
    ],
    [
      'a job of a build whose creator is not known',
      async (keydesk) => {
        demand(keydesk, { created_by: { team: 'platform' } });
        return byForm(keydesk, {}, await newJobToken(keydesk, { build_source: 'ui' }));
      },
    ],
  ],
  agent_token_missing: [
    [
      "a request without the machine's token",
      (keydesk) => {
        demandAgent(keydesk);
        return byPath(keydesk);
      },
    ],
  ],
  job_ended: [
    [
      'a job that has ended',
      async (keydesk) => {
        const { job } = await aHolder(keydesk, 'staging-config');
        await keydesk.notify(keydesk.buildkite.event(job));
        return byPath(keydesk, 'staging-config', await keydesk.buildkite.jobToken(job));
      },
    ],
    [
      'a job that had ended before it ever asked',
      async (keydesk) => {
        const job = keydesk.buildkite.startJob();
        await keydesk.notify(keydesk.buildkite.event(job));
        return byForm(keydesk, { audience: 'staging-admin' }, await keydesk.buildkite.jobToken(job));
      },
    ],
  ],
  grant_revoked: [
    [
      'a job that has given its credential back',
      async (keydesk) => {
        const { job, held } = await aHolder(keydesk, 'staging-config');
        await keydesk.revoke(held[0]?.json.access_token);
        return byPath(keydesk, 'staging-config', await keydesk.buildkite.jobToken(job));
      },
    ],
  ],
  credential_changed: [
    [
      'a credential that has become another while the job ran',
      async (keydesk) => {
        const { job } = await aHolder(keydesk, 'staging-config');
        changePolicy(keydesk, ({ credentials }) => {
          const { 'staging-export': other, ...rest } = credentials;
          return other ? { credentials: { ...rest, 'staging-config': other } } : {};
        });
        return byPath(keydesk, 'staging-config', await keydesk.buildkite.jobToken(job));
      },
    ],
  ],
  live_token_limit: [
    [
      'a job that holds five hundred tokens',
      async (keydesk) => {
        const { job, held } = await aHolder(keydesk, 'staging-config');
        const grant = ledgerOf(keydesk).collection('grants').doc(held[0]?.json.grant_id);
        const [token] = (await grant.get()).get('tokens');
        await grant.update({ tokens: Array.from({ length: 500 }, () => token) });
        return byPath(keydesk, 'staging-config', await keydesk.buildkite.jobToken(job));
      },
    ],
  ],
  rate_limited: [
    [
      'a job that asks too often',
      async (keydesk) => {
        changePolicy(keydesk, ({ limits }) => ({ limits: { ...limits, tokensPerMinute: 1 } }));
        const { job } = await aHolder(keydesk, 'staging-export');
        return byPath(keydesk, 'staging-export', await keydesk.buildkite.jobToken(job));
      },
    ],
  ],
  pipeline_grant_limit: [
    [
      'a pipeline that holds too many',
      async (keydesk) => {
        changePolicy(keydesk, ({ limits }) => ({ limits: { ...limits, liveGrantsPerPipeline: 1 } }));
        await aHolder(keydesk, 'staging-export');
        // What was counted is known for ten seconds.
        keydesk.clock.advance(10_000);
        return byPath(keydesk);
      },
    ],
  ],
  pool_exhausted: [
    [
      'a pool whose accounts are all leased',
      async (keydesk) => {
        for (const _ of [1, 2, 3]) await aHolder(keydesk, 'staging-admin');
        return byPath(keydesk, 'staging-admin');
      },
    ],
  ],
  blocked: [
    [
      'what an operator has blocked',
      async (keydesk) => {
        const act = { selector: { credential: 'staging-config' }, actor: 'ops', reason: 'incident', blocks_new: true };
        const times = { activated_at: keydesk.clock.now(), deactivated_at: null, deactivated_by: null };
        await createKillSwitchLedger(ledgerOf(keydesk), keydesk.clock).record('incident-1', { ...act, ...times });
        return byPath(keydesk);
      },
    ],
  ],
  grant_busy: [
    [
      'a request whose turn does not come',
      async (keydesk) => {
        const { verifyJobToken } = keydesk.tokenDeps;
        const minting = Promise.withResolvers<void>();
        keydesk.tokenDeps.mint = () => {
          minting.resolve();
          return new Promise(() => {});
        };
        const jobToken = await newJobToken(keydesk);
        // Of a pool it is minted only once the reservation is written.
        keydesk.requestByForm(jobToken, 'staging-admin').catch(() => {});
        await minting.promise;
        keydesk.tokenDeps.verifyJobToken = async (...requested) => {
          const verified = await verifyJobToken(...requested);
          setImmediate(() => keydesk.clock.advance(800));
          return verified;
        };
        return byForm(keydesk, { audience: 'staging-admin', lifetime: '60' }, jobToken);
      },
    ],
  ],
  google_refused: [
    ...['staging-config', 'staging-export', 'staging-admin'].map(
      (credential): Case => [
        `${credential} where Google does not let Keydesk mint`,
        (keydesk) => {
          answering(keydesk, ['generateAccessToken', 'signJwt'], DENIED);
          return byPath(keydesk, credential);
        },
      ],
    ),
    [
      'an API that is disabled',
      (keydesk) => {
        const reason = { reason: 'SERVICE_DISABLED', metadata: { service: 'iam.example', consumer: 'projects/1' } };
        const details = [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', ...reason }];
        const error = { code: 403, status: 'PERMISSION_DENIED', message: 'It is disabled.', details };
        answering(keydesk, ['generateAccessToken'], { status: 403, json: { error } });
        return byForm(keydesk, { audience: 'staging-export' });
      },
    ],
    [
      'a token that Google does not narrow',
      (keydesk) => {
        answering(keydesk, ['exchangeToken'], {
          status: 400,
          json: { error: 'invalid_request', error_description: 'No.' },
        });
        return byPath(keydesk, 'staging-cache');
      },
    ],
    [
      'a sign-in that Google does not take',
      (keydesk) => {
        answering(keydesk, ['signJwt'], { status: 200, json: { keyId: 'x', signedJwt: 'not-a-jwt' } });
        return byPath(keydesk);
      },
    ],
  ],
  too_many_lookups: [
    [
      'a flood of unknown tokens',
      async (keydesk) => {
        for (let nth = 0; nth < 100; nth += 1) await keydesk.introspect(`${UNKNOWN}${nth}`);
        return about('/introspect', UNKNOWN);
      },
    ],
  ],
  dependency_unavailable: [
    [
      'Google that fails',
      (keydesk) => {
        answering(keydesk, ['generateAccessToken'], { status: 500, json: {} });
        return byPath(keydesk, 'staging-export');
      },
    ],
    [
      'Google that says when to come again',
      (keydesk) => {
        answering(keydesk, ['signJwt'], { status: 429, json: {}, headers: { 'retry-after': '37' } });
        return byForm(keydesk);
      },
    ],
    [
      'a ledger in which nothing can be reserved',
      (keydesk) => {
        keydesk.tokenDeps.ledger = { ...keydesk.tokenDeps.ledger, prepare: broken };
        return byPath(keydesk);
      },
    ],
    [
      'a ledger in which no token can be recorded',
      (keydesk) => {
        keydesk.tokenDeps.ledger = { ...keydesk.tokenDeps.ledger, activate: broken };
        return byPath(keydesk, 'staging-admin');
      },
    ],
    [
      'a grant document that cannot be opened',
      (keydesk) => {
        const { mint } = keydesk.tokenDeps;
        const minted = Promise.withResolvers<void>();
        keydesk.tokenDeps.mint = (...requested) => mint(...requested).finally(minted.resolve);
        // After the mint, which runs at the same time: otherwise the recording has as many calls to Google as happen by then.
        keydesk.tokenDeps.openGrantDocument = () => minted.promise.then(broken);
        return byPath(keydesk);
      },
    ],
    [
      'an issuer that does not show its keys',
      (keydesk) => {
        keydesk.buildkite.beforeKeys = () => ({ status: 500 });
        return byPath(keydesk);
      },
    ],
    [
      'an account that served a pool until lately',
      async (keydesk) => {
        const { held } = await aHolder(keydesk, 'staging-admin');
        const email: string = held[0]?.audit[0].service_account;
        changePolicy(keydesk, ({ credentials }) => {
          const { 'staging-export': shared } = credentials;
          if (shared?.kind !== 'service_account') return {};
          return { credentials: { ...credentials, 'staging-export': { ...shared, email } } };
        });
        return byPath(keydesk, 'staging-export');
      },
    ],
  ],
  not_found: [['another path', () => ({ path: '/nothing' })]],
  method_not_allowed: ['/token', '/token/staging-config', '/revoke', '/introspect', '/health'].map((path) => [
    `another method at ${path}`,
    () => ({ method: 'PUT', path }),
  ]),
  content_type_not_supported: ['/token', '/revoke', '/introspect'].map((path) => [
    `another type of body at ${path}`,
    () => ({ path, headers: { 'content-type': 'application/json' }, body: '{}' }),
  ]),
  request_too_large: [
    ['too large a body', () => aFormTo('/token', `padding=${'x'.repeat(16 * KIB)}`)],
    ['too large a job token', (keydesk) => byForm(keydesk, {}, 'x'.repeat(8 * KIB + 1))],
    [
      "too large a machine's token",
      (keydesk) => byForm(keydesk, { actor_token: 'x'.repeat(8 * KIB + 1), actor_token_type: `${TOKEN_TYPE}jwt` }),
    ],
  ],
};

export const REFUSED: readonly Case[] = [
  ...Object.values(JOB_TOKENS).flat(),
  ...Object.values(AGENT_TOKENS).flat(),
  ...Object.values(OTHERS).flat(),
  [
    'a fault of our own',
    (keydesk) => {
      keydesk.tokenDeps.verifyJobToken = () => Promise.reject(new Error('the test broke it'));
      return byPath(keydesk);
    },
  ],
  [
    'a body that does not come in time',
    (keydesk) => {
      letBodyBeLate(keydesk);
      return { path: '/token', headers: { 'content-type': FORM }, unsent: 9 };
    },
  ],
  [
    'what was counted of unknown tokens a minute before',
    async (keydesk) => {
      await keydesk.introspect('nonsense');
      await keydesk.introspect(UNKNOWN);
      await keydesk.revoke(await anAccessToken(keydesk, 'staging-export'));
      keydesk.clock.advance(MINUTE);
      return { method: 'GET', path: '/health' };
    },
  ],
];
