// Requests for credentials that are granted, and what else the token function says to those who only read.

import { changeFirebaseUser } from '../../fixtures/firebase-thief.ts';
import { firebasePolicyText } from '../../fixtures/firestore-policy.ts';
import { TRACE } from '../audit-line.ts';
import { newJobToken, TOKEN_TYPE } from '../token-request.ts';
import type { Case } from './recorder.ts';
import {
  APPROVAL,
  aHolder,
  anAccessToken,
  anExpired,
  byForm,
  byPath,
  changePolicy,
  DENIED,
  demand,
  MINUTE,
  readTeam,
  unblock,
} from './requests.ts';

const KINDS = ['staging-config', 'staging-export', 'staging-admin', 'staging-cache', 'staging-artifacts'];
/** In no other test: the Auth emulator's users are the same for all. */
const CHANGED_USER = 'config-of-a-changed-user';

export const TOKEN: readonly Case[] = [
  ...KINDS.map((credential): Case => [`${credential} by path`, (keydesk) => byPath(keydesk, credential)]),
  ...KINDS.map((audience): Case => [`${audience} by form`, (keydesk) => byForm(keydesk, { audience })]),
  ...KINDS.map(
    (credential): Case => [
      `${credential} again, by the job that has it`,
      async (keydesk) => {
        const { job } = await aHolder(keydesk, credential);
        keydesk.clock.advance(5 * MINUTE);
        return byPath(keydesk, credential, await keydesk.buildkite.jobToken(job));
      },
    ],
  ),
  ...([undefined, 'break-glass'] as const).map(
    (use): Case => [
      `a job whose build somebody approved${use ? ', in an emergency' : ''}`,
      async (keydesk) => {
        demand(keydesk, { approval: { ...APPROVAL, not: 'creator', ...(use ? { use } : {}) } });
        await readTeam(keydesk);
        const job = keydesk.buildkite.startJob();
        await unblock(keydesk, job, { reason: 'The shop is down' });
        return byPath(keydesk, 'staging-config', await keydesk.buildkite.jobToken(job));
      },
    ],
  ),
  [
    'fewer scopes for a shorter time',
    (keydesk) =>
      byForm(keydesk, {
        audience: 'staging-export',
        scope: 'https://www.googleapis.com/auth/datastore https://www.googleapis.com/auth/spanner.admin',
        lifetime: '60',
      }),
  ],
  [
    'the other names of the types',
    (keydesk) =>
      byForm(keydesk, {
        subject_token_type: `${TOKEN_TYPE}id_token`,
        requested_token_type: `${TOKEN_TYPE}access_token`,
      }),
  ],
  ['the token alone', (keydesk) => byPath(keydesk, 'staging-config', undefined, { accept: 'text/plain' })],
  [
    'a request that is traced',
    (keydesk) =>
      byPath(keydesk, 'staging-export', undefined, {
        'user-agent': 'curl/8',
        'x-forwarded-for': '10.0.0.1, 203.0.113.7',
        'x-cloud-trace-context': `${TRACE}/74;o=1`,
      }),
  ],
  [
    'a job with every claim there is',
    async (keydesk) => {
      const claims = {
        build_id: '0184990a-4782-42b5-afc1-16715b10b100',
        build_tag: 'v1',
        cluster_id: '0184990a-4782-42b5-afc1-16715b10b101',
        cluster_name: 'default',
        queue_id: '0184990a-4782-42b5-afc1-16715b10b102',
        queue_key: 'deploy',
        'agent_tag:queue': 'deploy',
      };
      changePolicy(keydesk, ({ rules }) => ({ rules: rules.map((rule) => ({ ...rule, match: {} })) }));
      return byPath(keydesk, 'staging-config', await newJobToken(keydesk, claims));
    },
  ],
  [
    'another account for a job whose first grant has expired',
    async (keydesk) => {
      const { job } = await anExpired(keydesk, 'staging-admin');
      await keydesk.sweep();
      return byPath(keydesk, 'staging-admin', await keydesk.buildkite.jobToken(job));
    },
  ],
  [
    'a grant that was made by an earlier policy',
    async (keydesk) => {
      const { job } = await aHolder(keydesk, 'staging-export');
      changePolicy(keydesk, () => ({}));
      return byPath(keydesk, 'staging-export', await keydesk.buildkite.jobToken(job));
    },
  ],
  [
    'another account where Google mints from the first no more',
    (keydesk) => {
      let mints = 0;
      keydesk.google.before = ({ method }) => {
        if (method !== 'generateAccessToken') return undefined;
        mints += 1;
        return mints === 1 ? DENIED : undefined;
      };
      return byPath(keydesk, 'staging-admin');
    },
  ],
  [
    'what an identical request is just getting',
    async (keydesk) => {
      const { mint, verifyJobToken } = keydesk.tokenDeps;
      const [minting, joined] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      keydesk.tokenDeps.mint = async (request) => {
        minting.resolve();
        await joined.promise;
        return mint(request);
      };
      const jobToken = await newJobToken(keydesk);
      // Of a pool it is minted only once the reservation is written.
      keydesk.requestByPath(jobToken, 'staging-admin').catch(() => {});
      await minting.promise;
      keydesk.tokenDeps.verifyJobToken = async (...requested) => {
        const verified = await verifyJobToken(...requested);
        setImmediate(joined.resolve);
        return verified;
      };
      return byPath(keydesk, 'staging-admin', jobToken);
    },
  ],
  [
    'a token of a form that Google did not use before',
    (keydesk) => {
      const { mint } = keydesk.tokenDeps;
      keydesk.tokenDeps.mint = async (request) => ({ ...(await mint(request)), accessToken: 'another-form-of-token' });
      return byPath(keydesk, 'staging-export');
    },
  ],
  [
    'a Firebase user that somebody changed',
    async (keydesk) => {
      const accessToken = await anAccessToken(keydesk, CHANGED_USER);
      await changeFirebaseUser(keydesk, accessToken, { displayName: 'Somebody' });
      return byPath(keydesk, CHANGED_USER);
    },
    { policy: firebasePolicyText({ credentials: [CHANGED_USER], tenant: 'ci-x7k2p', verbs: ['get'] }) },
  ],
  [
    'keys in hand when the issuer has none any more',
    async (keydesk) => {
      await anAccessToken(keydesk, 'staging-export');
      keydesk.clock.advance(11 * MINUTE);
      keydesk.buildkite.beforeKeys = () => ({ status: 200, json: { keys: [] } });
      return byPath(keydesk, 'staging-export');
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
