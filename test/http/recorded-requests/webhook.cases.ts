// Webhooks: of jobs that end, of whatever else Buildkite tells, and of those who are not Buildkite.

import type { InProcessKeydesk } from '../../fixtures/in-process-keydesk.ts';
import type { RawRequest } from '../../fixtures/raw-request.ts';
import { ANNE, BERT } from '../approval-setting.ts';
import { KEY, sign } from '../valid-webhook.ts';
import type { Case } from './recorder.ts';
import { aHolder, answering, broken, ledgerOf, letBodyBeLate, MINUTE, notifying } from './requests.ts';

const TOO_LARGE = 32 * 1024 * 1024 + 1;
const HEADER = 'x-buildkite-signature';

/** The end of a job that holds a grant of each. */
const ending = async (keydesk: InProcessKeydesk, ...credentials: readonly string[]) => {
  const { job } = await aHolder(keydesk, ...credentials);
  return keydesk.buildkite.event(job);
};

/** The same, with one thing that is not as it should be. */
const bad = (
  title: string,
  change: (webhook: RawRequest & { readonly body: string }, keydesk: InProcessKeydesk) => RawRequest,
): Case => [
  title,
  async (keydesk) => {
    const body = await ending(keydesk, 'staging-config');
    return change({ ...notifying(keydesk, body), body }, keydesk);
  },
];
const stamped = (title: string, difference: number) =>
  bad(title, ({ body }, { clock }) => ({
    headers: { [HEADER]: sign(clock.now() / 1000 + difference, body) },
    body,
  }));

/** A build with a block step that somebody unblocked. */
const unblocked = ({ buildkite: { builds } }: InProcessKeydesk, key: string | null = 'approve') => {
  const metaData = { 'break-glass-reason': 'The shop is down' };
  const build = builds.start({ creator: ANNE, metaData });
  const step = builds.addBlockStep(build, key);
  builds.unblock(step, BERT);
  return builds.stepEvent(build, step);
};

export const WEBHOOK: readonly Case[] = [
  ...['staging-config', 'staging-export', 'staging-admin', 'staging-cache', 'staging-artifacts'].map(
    (credential): Case => [
      `the end of a job that holds ${credential}`,
      async (keydesk) => notifying(keydesk, await ending(keydesk, credential)),
    ],
  ),
  [
    'the end of a job that holds two credentials',
    async (keydesk) => notifying(keydesk, await ending(keydesk, 'staging-config', 'staging-export')),
  ],
  [
    'the end of a job that holds nothing',
    (keydesk) => notifying(keydesk, keydesk.buildkite.event(keydesk.buildkite.startJob())),
  ],
  [
    'the end of a job, again',
    async (keydesk) => {
      const body = await ending(keydesk, 'staging-config', 'staging-export');
      await keydesk.notify(body);
      return notifying(keydesk, body);
    },
  ],
  [
    'the end of a job whose grant has expired',
    async (keydesk) => {
      const body = await ending(keydesk, 'staging-config');
      keydesk.clock.advance(20 * MINUTE);
      return notifying(keydesk, body);
    },
  ],
  [
    'the end of a job of another pipeline than its grants',
    async (keydesk) => {
      const { pipeline, ...event } = JSON.parse(await ending(keydesk, 'staging-config'));
      const id = '0184990a-4782-42b5-afc1-16715b10b1ff';
      return notifying(keydesk, JSON.stringify({ ...event, pipeline: { ...pipeline, id } }));
    },
  ],
  [
    'the end of a job whose grant document cannot be closed',
    async (keydesk) => {
      keydesk.sweepDeps.closeGrantDocument = broken;
      return notifying(keydesk, await ending(keydesk, 'staging-config'));
    },
  ],
  [
    'the end of a job whose account Google does not disable',
    async (keydesk) => {
      answering(keydesk, ['disable'], { status: 503, json: {} });
      return notifying(keydesk, await ending(keydesk, 'staging-admin'));
    },
  ],
  [
    'the end of a job one of whose grants cannot be read',
    async (keydesk) => {
      const { job, held } = await aHolder(keydesk, 'staging-config', 'staging-export');
      await ledgerOf(keydesk).collection('grants').doc(held[0]?.json.grant_id).update({ kind: 'of a later version' });
      return notifying(keydesk, keydesk.buildkite.event(job));
    },
  ],
  [
    'the end of a job that cannot be recorded',
    async (keydesk) => {
      keydesk.sweepDeps.ledger = { ...keydesk.sweepDeps.ledger, endJob: broken };
      return notifying(keydesk, await ending(keydesk, 'staging-config'));
    },
  ],
  [
    'a fault of our own',
    async (keydesk) => {
      keydesk.sweepDeps.ledger = {
        ...keydesk.sweepDeps.ledger,
        endJob: () => Promise.reject(new Error('the test broke it')),
      };
      return notifying(keydesk, await ending(keydesk, 'staging-config'));
    },
  ],
  [
    'the start of a job',
    (keydesk) => notifying(keydesk, keydesk.buildkite.event(keydesk.buildkite.startJob(), 'job.started')),
  ],
  ['a block step that was unblocked', (keydesk) => notifying(keydesk, unblocked(keydesk))],
  [
    'a block step that was unblocked, again',
    async (keydesk) => {
      const body = unblocked(keydesk);
      await keydesk.notify(body);
      return notifying(keydesk, body);
    },
  ],
  ['a block step without a key', (keydesk) => notifying(keydesk, unblocked(keydesk, null))],
  [
    'a block step that was unblocked, which cannot be recorded',
    (keydesk) => {
      keydesk.sweepDeps.buildLedger = { ...keydesk.sweepDeps.buildLedger, addNews: broken };
      return notifying(keydesk, unblocked(keydesk));
    },
  ],
  [
    'a build that was scheduled',
    (keydesk) => notifying(keydesk, keydesk.buildkite.builds.event(keydesk.buildkite.builds.start({ creator: ANNE }))),
  ],
  ['a ping', (keydesk) => notifying(keydesk, '{"event":"ping"}')],
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
  ['a body that is no event', (keydesk) => notifying(keydesk, '{"event":7}')],
  bad('another path', (webhook) => ({ ...webhook, path: '/webhook' })),
  bad('another method', (webhook) => ({ ...webhook, method: 'PUT' })),
  bad('too large a body', ({ body: _, ...webhook }) => ({ ...webhook, unsent: TOO_LARGE })),
  bad('a body that does not come in time', ({ body: _, ...webhook }, keydesk) => {
    letBodyBeLate(keydesk);
    return { ...webhook, unsent: 9 };
  }),
];
