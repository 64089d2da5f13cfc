// Requests that the token function refuses: at least one for each reason there is. A new one does not compile until it has a
// case here. Then what Google and Keydesk's own faults add to them.

import type { JobTokenReason, Refusal } from '../../../shared/core/oauth/refusal.ts';
import { createKillLedger } from '../../../shared/ledger/kill-switch.ts';
import type { InProcessDesk } from '../../fixtures/in-process-keydesk.ts';
import { aForm, aJobToken, FORM, TOKEN_TYPE } from '../token-request.ts';
import type { Case } from './recorder.ts';
import {
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
  ledgerOf,
  letBodyBeLate,
  MINUTE,
} from './requests.ts';

const KIB = 1024;
/** Of the form of an access token. */
const UNKNOWN = `ya29.c.${'x'.repeat(50)}`;

type JobTokenOptions = Parameters<InProcessDesk['buildkite']['jobToken']>[1];
const secondsOf = ({ clock }: InProcessDesk) => Math.floor(clock.now() / 1000);

/** A job token in which one thing is not as it should be. */
const bad = (title: string, options: (desk: InProcessDesk) => JobTokenOptions): readonly Case[] => [
  [
    `a job token ${title}`,
    async (desk) => byForm(desk, {}, await desk.buildkite.jobToken(desk.buildkite.startJob(), options(desk))),
  ],
];

const JOB_TOKENS: Readonly<Record<JobTokenReason, readonly Case[]>> = {
  job_token_missing: [['no job token', () => ({ path: '/token/staging-config' })]],
  job_token_malformed: [
    ['a job token that is a word, by form', (desk) => byForm(desk, {}, 'word')],
    ['a job token that is a word, by path', (desk) => byPath(desk, 'staging-config', 'word')],
  ],
  job_token_type_not_allowed: bad('of another type', () => ({ header: { typ: 'at+jwt' } })),
  job_token_algorithm_not_allowed: bad('of another algorithm', () => ({ header: { alg: 'RS512' } })),
  job_token_header_not_allowed: bad('that names a key set', () => ({ header: { jku: 'https://evil.example' } })),
  job_token_key_id_missing: bad('that names no key', () => ({ header: { kid: undefined } })),
  job_token_key_unknown: bad('that names another key', () => ({ header: { kid: 'other' } })),
  job_token_signature_invalid: [
    [
      'a job token with another signature',
      async (desk) => byForm(desk, {}, `${(await aJobToken(desk)).slice(0, -8)}AAAAAAAA`),
    ],
  ],
  job_token_issuer_wrong: bad('of another issuer', () => ({ overrides: { iss: 'https://evil.example' } })),
  job_token_audience_wrong: bad('for somebody else', () => ({ audience: 'https://buildkite.com/acme-inc' })),
  job_token_time_claim_invalid: bad('without a time', () => ({ overrides: { nbf: undefined } })),
  job_token_expired: bad('that has expired', (desk) => ({ issuedAt: secondsOf(desk) - 3_600 })),
  job_token_not_yet_valid: bad('for later', (desk) => ({ overrides: { nbf: secondsOf(desk) + 91 } })),
  job_token_issued_in_future: bad('from the future', (desk) => ({ overrides: { iat: secondsOf(desk) + 91 } })),
  job_token_lifetime_too_long: bad('that lives too long', () => ({ lifetime: 601 })),
  job_token_claim_invalid: bad('with a claim of another form', () => ({ overrides: { job_id: 'job-1' } })),
  job_token_organization_wrong: bad('of strangers', () => ({ overrides: { organization_slug: 'other' } })),
};

const OTHERS: Readonly<Record<Exclude<Refusal['reason'], JobTokenReason>, readonly Case[]>> = {
  job_token_key_not_looked_up: [
    [
      'a job token that names an unknown key, right after another',
      async (desk) => {
        const unknown = await desk.buildkite.jobToken(desk.buildkite.startJob(), { header: { kid: 'other' } });
        await desk.askByForm(unknown);
        return byForm(desk, {}, unknown);
      },
    ],
  ],
  parameter_missing: ['grant_type', 'subject_token', 'subject_token_type', 'audience'].map((name) => [
    `a form without ${name}`,
    (desk) => byForm(desk, { [name]: undefined }),
  ]),
  parameter_repeated: [
    [
      'a form that names its credential twice',
      async (desk) => aFormTo('/token', `${aForm(await aJobToken(desk))}&audience=production-config`),
    ],
  ],
  parameter_invalid: [
    ['a form for a job token of another type', (desk) => byForm(desk, { subject_token_type: `${TOKEN_TYPE}saml2` })],
    ['a form for a token of another type', (desk) => byForm(desk, { requested_token_type: `${TOKEN_TYPE}jwt` })],
    ['a form for too short a time', (desk) => byForm(desk, { lifetime: '59' })],
    [
      'metadata of no host',
      () => ({ method: 'GET', path: '/.well-known/oauth-authorization-server', headers: { host: 'a b' } }),
    ],
  ],
  parameter_not_supported: [['a form with an actor', (desk) => byForm(desk, { actor_token: 'x' })]],
  body_not_allowed: [
    ['a body where none belongs', async (desk) => ({ ...(await byPath(desk)), body: 'audience=production-config' })],
  ],
  grant_type_not_supported: [['another type of grant', (desk) => byForm(desk, { grant_type: 'client_credentials' })]],
  claims_missing: [
    [
      'a job token without a claim that policy needs',
      async (desk) => byPath(desk, 'staging-config', await aJobToken(desk, { organization_id: null })),
    ],
    [
      'a job token without a claim that a rule needs',
      async (desk) => byForm(desk, {}, await aJobToken(desk, { pipeline_id: null })),
    ],
  ],
  unknown_credential: [['a credential that does not exist', (desk) => byPath(desk, 'no-such-credential')]],
  no_matching_rule: [
    ['a credential that no rule grants', (desk) => byForm(desk, { audience: 'production-config' })],
    [
      'a credential that the rule grants another branch',
      async (desk) => byPath(desk, 'staging-config', await aJobToken(desk, { build_branch: 'feature' })),
    ],
  ],
  job_ended: [
    [
      'a job that has ended',
      async (desk) => {
        const { job } = await aHolder(desk, 'staging-config');
        await desk.notify(desk.buildkite.event(job));
        return byPath(desk, 'staging-config', await desk.buildkite.jobToken(job));
      },
    ],
    [
      'a job that had ended before it ever asked',
      async (desk) => {
        const job = desk.buildkite.startJob();
        await desk.notify(desk.buildkite.event(job));
        return byForm(desk, { audience: 'staging-admin' }, await desk.buildkite.jobToken(job));
      },
    ],
  ],
  grant_revoked: [
    [
      'a job that has given its credential back',
      async (desk) => {
        const { job, held } = await aHolder(desk, 'staging-config');
        await desk.revoke(held[0]?.json.access_token);
        return byPath(desk, 'staging-config', await desk.buildkite.jobToken(job));
      },
    ],
  ],
  credential_changed: [
    [
      'a credential that has become another while the job ran',
      async (desk) => {
        const { job } = await aHolder(desk, 'staging-config');
        changePolicy(desk, ({ credentials }) => {
          const { 'staging-export': other, ...rest } = credentials;
          return other ? { credentials: { ...rest, 'staging-config': other } } : {};
        });
        return byPath(desk, 'staging-config', await desk.buildkite.jobToken(job));
      },
    ],
  ],
  live_token_limit: [
    [
      'a job that holds five hundred tokens',
      async (desk) => {
        const { job, held } = await aHolder(desk, 'staging-config');
        const grant = ledgerOf(desk).collection('grants').doc(held[0]?.json.grant_id);
        const [token] = (await grant.get()).get('tokens');
        await grant.update({ tokens: Array.from({ length: 500 }, () => token) });
        return byPath(desk, 'staging-config', await desk.buildkite.jobToken(job));
      },
    ],
  ],
  rate_limited: [
    [
      'a job that asks too often',
      async (desk) => {
        changePolicy(desk, ({ limits }) => ({ limits: { ...limits, tokensPerMinute: 1 } }));
        const { job } = await aHolder(desk, 'staging-export');
        return byPath(desk, 'staging-export', await desk.buildkite.jobToken(job));
      },
    ],
  ],
  pipeline_grant_limit: [
    [
      'a pipeline that holds too many',
      async (desk) => {
        changePolicy(desk, ({ limits }) => ({ limits: { ...limits, liveGrantsPerPipeline: 1 } }));
        await aHolder(desk, 'staging-export');
        // What was counted is known for ten seconds.
        desk.clock.advance(10_000);
        return byPath(desk);
      },
    ],
  ],
  pool_exhausted: [
    [
      'a pool of which every account is leased',
      async (desk) => {
        for (const _ of [1, 2, 3]) await aHolder(desk, 'staging-admin');
        return byPath(desk, 'staging-admin');
      },
    ],
  ],
  blocked: [
    [
      'what an operator has barred',
      async (desk) => {
        const act = { selector: { credential: 'staging-config' }, actor: 'ops', reason: 'incident', blocks_new: true };
        const times = { activated_at: desk.clock.now(), deactivated_at: null, deactivated_by: null };
        await createKillLedger(ledgerOf(desk), desk.clock).record('incident-1', { ...act, ...times });
        return byPath(desk);
      },
    ],
  ],
  grant_busy: [
    [
      'a request whose turn does not come',
      async (desk) => {
        const { verifyJobToken } = desk.issuing;
        const minting = Promise.withResolvers<void>();
        desk.issuing.mint = () => {
          minting.resolve();
          return new Promise(() => {});
        };
        const jobToken = await aJobToken(desk);
        // Of a pool it is minted only once the reservation is written.
        desk.askByForm(jobToken, 'staging-admin').catch(() => {});
        await minting.promise;
        desk.issuing.verifyJobToken = async (...asked) => {
          const verified = await verifyJobToken(...asked);
          setImmediate(() => desk.clock.advance(800));
          return verified;
        };
        return byForm(desk, { audience: 'staging-admin', lifetime: '60' }, jobToken);
      },
    ],
  ],
  google_refused: [
    ...['staging-config', 'staging-export', 'staging-admin'].map(
      (credential): Case => [
        `${credential} where Google does not let Keydesk mint`,
        (desk) => {
          answering(desk, ['generateAccessToken', 'signJwt'], DENIED);
          return byPath(desk, credential);
        },
      ],
    ),
    [
      'an API that is disabled',
      (desk) => {
        const reason = { reason: 'SERVICE_DISABLED', metadata: { service: 'iam.example', consumer: 'projects/1' } };
        const details = [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', ...reason }];
        const error = { code: 403, status: 'PERMISSION_DENIED', message: 'It is disabled.', details };
        answering(desk, ['generateAccessToken'], { status: 403, json: { error } });
        return byForm(desk, { audience: 'staging-export' });
      },
    ],
    [
      'a token that Google does not narrow',
      (desk) => {
        answering(desk, ['exchangeToken'], {
          status: 400,
          json: { error: 'invalid_request', error_description: 'No.' },
        });
        return byPath(desk, 'staging-cache');
      },
    ],
    [
      'a sign-in that Google does not take',
      (desk) => {
        answering(desk, ['signJwt'], { status: 200, json: { keyId: 'x', signedJwt: 'not-a-jwt' } });
        return byPath(desk);
      },
    ],
  ],
  too_many_lookups: [
    [
      'a flood of unknown tokens',
      async (desk) => {
        for (let nth = 0; nth < 100; nth += 1) await desk.introspect(`${UNKNOWN}${nth}`);
        return about('/introspect', UNKNOWN);
      },
    ],
  ],
  dependency_unavailable: [
    [
      'Google that fails',
      (desk) => {
        answering(desk, ['generateAccessToken'], { status: 500, json: {} });
        return byPath(desk, 'staging-export');
      },
    ],
    [
      'Google that says when to come again',
      (desk) => {
        answering(desk, ['signJwt'], { status: 429, json: {}, headers: { 'retry-after': '37' } });
        return byForm(desk);
      },
    ],
    [
      'a ledger in which nothing can be reserved',
      (desk) => {
        desk.issuing.ledger = { ...desk.issuing.ledger, reserve: broken };
        return byPath(desk);
      },
    ],
    [
      'a ledger in which no token can be recorded',
      (desk) => {
        desk.issuing.ledger = { ...desk.issuing.ledger, activate: broken };
        return byPath(desk, 'staging-admin');
      },
    ],
    [
      'a grant document that cannot be opened',
      (desk) => {
        desk.issuing.openGrantDocument = broken;
        return byPath(desk);
      },
    ],
    [
      'an issuer that does not show its keys',
      (desk) => {
        desk.buildkite.beforeKeys = () => ({ status: 500 });
        return byPath(desk);
      },
    ],
    [
      'an account that served a pool until lately',
      async (desk) => {
        const { held } = await aHolder(desk, 'staging-admin');
        const email: string = held[0]?.audit[0].service_account;
        changePolicy(desk, ({ credentials }) => {
          const { 'staging-export': shared } = credentials;
          if (shared?.kind !== 'service_account') return {};
          return { credentials: { ...credentials, 'staging-export': { ...shared, email } } };
        });
        return byPath(desk, 'staging-export');
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
    ['too large a job token', (desk) => byForm(desk, {}, 'x'.repeat(8 * KIB + 1))],
  ],
};

export const REFUSED: readonly Case[] = [
  ...Object.values(JOB_TOKENS).flat(),
  ...Object.values(OTHERS).flat(),
  [
    'a fault of our own',
    (desk) => {
      desk.issuing.verifyJobToken = () => Promise.reject(new Error('the test broke it'));
      return byPath(desk);
    },
  ],
  [
    'a body that does not come in time',
    (desk) => {
      letBodyBeLate(desk);
      return { path: '/token', headers: { 'content-type': FORM }, unsent: 9 };
    },
  ],
  [
    'what was counted of unknown tokens a minute before',
    async (desk) => {
      await desk.introspect('nonsense');
      await desk.introspect(UNKNOWN);
      await desk.revoke(await anAccessToken(desk, 'staging-export'));
      desk.clock.advance(MINUTE);
      return { method: 'GET', path: '/health' };
    },
  ],
];
