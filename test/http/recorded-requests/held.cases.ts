// Requests of those who hold an access token: who holds it, for what, until when; and that its grant ends.

import { failQueries } from '../../fixtures/in-process-keydesk.ts';
import type { Case } from './recorder.ts';
import { about, aFormTo, aHolder, anAccessToken, answering, broken, issue, MINUTE } from './requests.ts';

const KINDS = ['staging-config', 'staging-export', 'staging-admin', 'staging-cache', 'staging-artifacts'];
/** Of the form of an access token. */
const UNKNOWN = `ya29.c.${'x'.repeat(50)}`;

const bad = (path: '/introspect' | '/revoke'): readonly Case[] => [
  ['no token', () => aFormTo(path, '')],
  ['two tokens', () => aFormTo(path, 'token=a&token=b')],
  ['what is no token of Keydesk', () => about(path, 'nonsense')],
  ['a token that is not on record', () => about(path, UNKNOWN)],
  [
    'a ledger that cannot be asked',
    async (keydesk) => ({ ...about(path, await anAccessToken(keydesk, 'staging-config')), breaks: failQueries }),
  ],
];

export const INTROSPECT: readonly Case[] = [
  ...KINDS.map(
    (credential): Case => [
      credential,
      async (keydesk) => about('/introspect', await anAccessToken(keydesk, credential)),
    ],
  ),
  ...['staging-config', 'staging-export'].map(
    (credential): Case => [
      `${credential} of a job that has ended`,
      async (keydesk) => {
        const { job, held } = await aHolder(keydesk, credential);
        await keydesk.notify(keydesk.buildkite.event(job));
        return about('/introspect', held[0]?.json.access_token);
      },
    ],
  ),
  ...bad('/introspect'),
];

export const REVOKE: readonly Case[] = [
  ...KINDS.map(
    (credential): Case => [credential, async (keydesk) => about('/revoke', await anAccessToken(keydesk, credential))],
  ),
  [
    'the first of two tokens of a job that holds two credentials',
    async (keydesk) => {
      const { job, held } = await aHolder(keydesk, 'staging-config', 'staging-export');
      keydesk.clock.advance(MINUTE);
      await issue(keydesk, job, 'staging-config');
      return about('/revoke', held[0]?.json.access_token);
    },
  ],
  [
    'a token that was released before',
    async (keydesk) => {
      const accessToken = await anAccessToken(keydesk, 'staging-config');
      await keydesk.revoke(accessToken);
      return about('/revoke', accessToken);
    },
  ],
  [
    'a token that has expired',
    async (keydesk) => {
      const accessToken = await anAccessToken(keydesk, 'staging-config');
      keydesk.clock.advance(20 * MINUTE);
      return about('/revoke', accessToken);
    },
  ],
  [
    'a token of an account that Google does not disable',
    async (keydesk) => {
      const accessToken = await anAccessToken(keydesk, 'staging-admin');
      answering(keydesk, ['disable'], { status: 503, json: {} });
      return about('/revoke', accessToken);
    },
  ],
  [
    'a ledger that cannot be written',
    async (keydesk) => {
      keydesk.sweepDeps.ledger = { ...keydesk.sweepDeps.ledger, endGrant: broken };
      return about('/revoke', await anAccessToken(keydesk, 'staging-config'));
    },
  ],
  ...bad('/revoke'),
];
