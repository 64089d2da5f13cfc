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
    async (desk) => ({ ...about(path, await anAccessToken(desk, 'staging-config')), breaks: failQueries }),
  ],
];

export const INTROSPECT: readonly Case[] = [
  ...KINDS.map(
    (credential): Case => [credential, async (desk) => about('/introspect', await anAccessToken(desk, credential))],
  ),
  ...['staging-config', 'staging-export'].map(
    (credential): Case => [
      `${credential} of a job that has ended`,
      async (desk) => {
        const { job, held } = await aHolder(desk, credential);
        await desk.notify(desk.buildkite.event(job));
        return about('/introspect', held[0]?.json.access_token);
      },
    ],
  ),
  ...bad('/introspect'),
];

export const REVOKE: readonly Case[] = [
  ...KINDS.map(
    (credential): Case => [credential, async (desk) => about('/revoke', await anAccessToken(desk, credential))],
  ),
  [
    'the first of two tokens of a job that holds two credentials',
    async (desk) => {
      const { job, held } = await aHolder(desk, 'staging-config', 'staging-export');
      desk.clock.advance(MINUTE);
      await issue(desk, job, 'staging-config');
      return about('/revoke', held[0]?.json.access_token);
    },
  ],
  [
    'a token that was given back before',
    async (desk) => {
      const accessToken = await anAccessToken(desk, 'staging-config');
      await desk.revoke(accessToken);
      return about('/revoke', accessToken);
    },
  ],
  [
    'a token that has expired',
    async (desk) => {
      const accessToken = await anAccessToken(desk, 'staging-config');
      desk.clock.advance(20 * MINUTE);
      return about('/revoke', accessToken);
    },
  ],
  [
    'a token of an account that Google does not disable',
    async (desk) => {
      const accessToken = await anAccessToken(desk, 'staging-admin');
      answering(desk, ['disable'], { status: 503, json: {} });
      return about('/revoke', accessToken);
    },
  ],
  [
    'a ledger that cannot be written',
    async (desk) => {
      desk.ending.ledger = { ...desk.ending.ledger, endGrant: broken };
      return about('/revoke', await anAccessToken(desk, 'staging-config'));
    },
  ],
  ...bad('/revoke'),
];
