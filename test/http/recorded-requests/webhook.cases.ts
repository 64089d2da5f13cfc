// Webhooks: of jobs that end, of whatever else Buildkite tells, and of those who are not Buildkite.

import type { InProcessDesk } from '../../fixtures/in-process-keydesk.ts';
import type { RawRequest } from '../../fixtures/raw-request.ts';
import { KEY, sign } from '../valid-webhook.ts';
import type { Case } from './recorder.ts';
import { aHolder, answering, broken, ledgerOf, letBodyBeLate, MINUTE, notifying } from './requests.ts';

const TOO_LARGE = 32 * 1024 * 1024 + 1;
const HEADER = 'x-buildkite-signature';

/** The end of a job that holds a grant of each. */
const ending = async (desk: InProcessDesk, ...credentials: readonly string[]) => {
  const { job } = await aHolder(desk, ...credentials);
  return desk.buildkite.event(job);
};

/** The same, of which one thing is not as it should be. */
const bad = (
  title: string,
  change: (webhook: RawRequest & { readonly body: string }, desk: InProcessDesk) => RawRequest,
): Case => [
  title,
  async (desk) => {
    const body = await ending(desk, 'staging-config');
    return change({ ...notifying(desk, body), body }, desk);
  },
];
const stamped = (title: string, difference: number) =>
  bad(title, ({ body }, { clock }) => ({
    headers: { [HEADER]: sign(clock.now() / 1000 + difference, body) },
    body,
  }));

export const WEBHOOK: readonly Case[] = [
  ...['staging-config', 'staging-export', 'staging-admin', 'staging-cache', 'staging-artifacts'].map(
    (credential): Case => [
      `the end of a job that holds ${credential}`,
      async (desk) => notifying(desk, await ending(desk, credential)),
    ],
  ),
  [
    'the end of a job that holds two credentials',
    async (desk) => notifying(desk, await ending(desk, 'staging-config', 'staging-export')),
  ],
  ['the end of a job that holds nothing', (desk) => notifying(desk, desk.buildkite.event(desk.buildkite.startJob()))],
  [
    'the end of a job, again',
    async (desk) => {
      const body = await ending(desk, 'staging-config', 'staging-export');
      await desk.notify(body);
      return notifying(desk, body);
    },
  ],
  [
    'the end of a job whose grant has expired',
    async (desk) => {
      const body = await ending(desk, 'staging-config');
      desk.clock.advance(20 * MINUTE);
      return notifying(desk, body);
    },
  ],
  [
    'the end of a job of another pipeline than its grants',
    async (desk) => {
      const { pipeline, ...event } = JSON.parse(await ending(desk, 'staging-config'));
      const id = '0184990a-4782-42b5-afc1-16715b10b1ff';
      return notifying(desk, JSON.stringify({ ...event, pipeline: { ...pipeline, id } }));
    },
  ],
  [
    'the end of a job whose grant document cannot be closed',
    async (desk) => {
      desk.ending.closeGrantDocument = broken;
      return notifying(desk, await ending(desk, 'staging-config'));
    },
  ],
  [
    'the end of a job whose account Google does not disable',
    async (desk) => {
      answering(desk, ['disable'], { status: 503, json: {} });
      return notifying(desk, await ending(desk, 'staging-admin'));
    },
  ],
  [
    'the end of a job one of whose grants cannot be read',
    async (desk) => {
      const { job, held } = await aHolder(desk, 'staging-config', 'staging-export');
      await ledgerOf(desk).collection('grants').doc(held[0]?.json.grant_id).update({ kind: 'of a later version' });
      return notifying(desk, desk.buildkite.event(job));
    },
  ],
  [
    'the end of a job that cannot be recorded',
    async (desk) => {
      desk.ending.ledger = { ...desk.ending.ledger, endJob: broken };
      return notifying(desk, await ending(desk, 'staging-config'));
    },
  ],
  [
    'a fault of our own',
    async (desk) => {
      desk.ending.ledger = { ...desk.ending.ledger, endJob: () => Promise.reject(new Error('the test broke it')) };
      return notifying(desk, await ending(desk, 'staging-config'));
    },
  ],
  ['the start of a job', (desk) => notifying(desk, desk.buildkite.event(desk.buildkite.startJob(), 'job.started'))],
  ['a ping', (desk) => notifying(desk, '{"event":"ping"}')],
  bad('a signature of the second key', ({ body }, { clock }) => ({
    headers: { [HEADER]: sign(clock.now() / 1000, body, 'second-webhook-token') },
    body,
  })),
  bad('no signature', ({ body }) => ({ body })),
  bad('the key in place of a signature', ({ body }) => ({ headers: { 'x-buildkite-token': KEY }, body })),
  bad('a signature of another form', ({ body }) => ({ headers: { [HEADER]: 'sha256=0' }, body })),
  bad('a signature of another key', ({ body }, { clock }) => ({
    headers: { [HEADER]: sign(clock.now() / 1000, body, 'another-webhook-token') },
    body,
  })),
  stamped('a signature of five minutes and a second ago', -301),
  stamped('a signature of in five minutes and a second', 301),
  ['a body that is no event', (desk) => notifying(desk, '{"event":7}')],
  bad('another path', (webhook) => ({ ...webhook, path: '/webhook' })),
  bad('another method', (webhook) => ({ ...webhook, method: 'PUT' })),
  bad('too large a body', ({ body: _, ...webhook }) => ({ ...webhook, unsent: TOO_LARGE })),
  bad('a body that does not come in time', ({ body: _, ...webhook }, desk) => {
    letBodyBeLate(desk);
    return { ...webhook, unsent: 9 };
  }),
];
