// Requests for credentials that are granted, and what else the token function says to those who only read.

import { changeFirebaseUser } from '../../fixtures/firebase-thief.ts';
import { firebasePolicyText } from '../../fixtures/firestore-policy.ts';
import { TRACE } from '../audit-line.ts';
import { aJobToken, TOKEN_TYPE } from '../token-request.ts';
import type { Case } from './recorder.ts';
import { aHolder, anAccessToken, anExpired, byForm, byPath, changePolicy, DENIED, MINUTE } from './requests.ts';

const KINDS = ['staging-config', 'staging-export', 'staging-admin', 'staging-cache', 'staging-artifacts'];
/** In no other test: the Auth emulator's users are the same for all. */
const CHANGED_USER = 'config-of-a-changed-user';

export const TOKEN: readonly Case[] = [
  ...KINDS.map((credential): Case => [`${credential} by path`, (desk) => byPath(desk, credential)]),
  ...KINDS.map((audience): Case => [`${audience} by form`, (desk) => byForm(desk, { audience })]),
  ...KINDS.map(
    (credential): Case => [
      `${credential} again, by the job that has it`,
      async (desk) => {
        const { job } = await aHolder(desk, credential);
        desk.clock.advance(5 * MINUTE);
        return byPath(desk, credential, await desk.buildkite.jobToken(job));
      },
    ],
  ),
  [
    'fewer scopes for a shorter time',
    (desk) =>
      byForm(desk, {
        audience: 'staging-export',
        scope: 'https://www.googleapis.com/auth/datastore https://www.googleapis.com/auth/spanner.admin',
        lifetime: '60',
      }),
  ],
  [
    'the other names of the types',
    (desk) =>
      byForm(desk, {
        subject_token_type: `${TOKEN_TYPE}id_token`,
        requested_token_type: `${TOKEN_TYPE}access_token`,
      }),
  ],
  ['the token alone', (desk) => byPath(desk, 'staging-config', undefined, { accept: 'text/plain' })],
  [
    'a request that is traced',
    (desk) =>
      byPath(desk, 'staging-export', undefined, {
        'user-agent': 'curl/8',
        'x-forwarded-for': '10.0.0.1, 203.0.113.7',
        'x-cloud-trace-context': `${TRACE}/74;o=1`,
      }),
  ],
  [
    'a job with every claim there is',
    async (desk) => {
      const claims = {
        build_id: '0184990a-4782-42b5-afc1-16715b10b100',
        build_tag: 'v1',
        cluster_id: '0184990a-4782-42b5-afc1-16715b10b101',
        cluster_name: 'default',
        queue_id: '0184990a-4782-42b5-afc1-16715b10b102',
        queue_key: 'deploy',
        'agent_tag:queue': 'deploy',
      };
      changePolicy(desk, ({ rules }) => ({ rules: rules.map((rule) => ({ ...rule, match: {} })) }));
      return byPath(desk, 'staging-config', await aJobToken(desk, claims));
    },
  ],
  [
    'another account for a job whose first grant has expired',
    async (desk) => {
      const { job } = await anExpired(desk, 'staging-admin');
      await desk.sweep();
      return byPath(desk, 'staging-admin', await desk.buildkite.jobToken(job));
    },
  ],
  [
    'a grant that was made by an earlier policy',
    async (desk) => {
      const { job } = await aHolder(desk, 'staging-export');
      changePolicy(desk, () => ({}));
      return byPath(desk, 'staging-export', await desk.buildkite.jobToken(job));
    },
  ],
  [
    'another account where Google mints from the first no more',
    (desk) => {
      let mints = 0;
      desk.google.before = ({ method }) => {
        if (method !== 'generateAccessToken') return undefined;
        mints += 1;
        return mints === 1 ? DENIED : undefined;
      };
      return byPath(desk, 'staging-admin');
    },
  ],
  [
    'what an identical request is just getting',
    async (desk) => {
      const { mint, verifyJobToken } = desk.issuing;
      const [minting, joined] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      desk.issuing.mint = async (request) => {
        minting.resolve();
        await joined.promise;
        return mint(request);
      };
      const jobToken = await aJobToken(desk);
      // Of a pool it is minted only once the reservation is written.
      desk.askByPath(jobToken, 'staging-admin').catch(() => {});
      await minting.promise;
      desk.issuing.verifyJobToken = async (...asked) => {
        const verified = await verifyJobToken(...asked);
        setImmediate(joined.resolve);
        return verified;
      };
      return byPath(desk, 'staging-admin', jobToken);
    },
  ],
  [
    'a token of a form that Google did not use before',
    (desk) => {
      const { mint } = desk.issuing;
      desk.issuing.mint = async (request) => ({ ...(await mint(request)), accessToken: 'another-form-of-token' });
      return byPath(desk, 'staging-export');
    },
  ],
  [
    'a Firebase user that somebody changed',
    async (desk) => {
      const accessToken = await anAccessToken(desk, CHANGED_USER);
      await changeFirebaseUser(desk, accessToken, { displayName: 'Somebody' });
      return byPath(desk, CHANGED_USER);
    },
    { policy: firebasePolicyText({ credentials: [CHANGED_USER], tenant: 'ci-x7k2p', verbs: '[get]' }) },
  ],
  [
    'keys in hand when the issuer has none any more',
    async (desk) => {
      await anAccessToken(desk, 'staging-export');
      desk.clock.advance(11 * MINUTE);
      desk.buildkite.beforeKeys = () => ({ status: 200, json: { keys: [] } });
      return byPath(desk, 'staging-export');
    },
  ],
  ['health', () => ({ method: 'GET', path: '/health' })],
  ['the head of health', () => ({ method: 'HEAD', path: '/health' })],
  [
    'metadata',
    () => ({
      method: 'GET',
      path: '/.well-known/oauth-authorization-server',
      headers: { host: 'keydesk.acme.example' },
    }),
  ],
];
