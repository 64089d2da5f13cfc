// What requests cost that get nothing: their processor time, and how many a second one instance refuses, compared with the
// bare framework.

import { REFUSING, withBareHandler } from './bare.ts';
import { withFunction } from './load.ts';
import { row, type Surroundings, title } from './measure.ts';

const REQUESTS = 6_000;
const OTHER_PIPELINE = '0184990a-0000-4000-8000-000000000000';

export async function benchRejections({ buildkite, settings }: Surroundings): Promise<void> {
  title('Rejected requests, 16 at once');
  const none = Array.from({ length: REQUESTS }, () => 'Bearer none');
  const bare = await withBareHandler(REFUSING, async ({ post, load }) => {
    const refuse = async (authorization: string) => void (await post('/', { authorization }));
    await load(16, none, refuse);
    const { all, processor } = await load(16, none, refuse);
    row('bare framework, 400 to everything: processor time', processor, 'ms');
    return (REQUESTS / all) * 1000;
  });
  row('bare framework, 400 to everything: a second', bare, '/s');
  const tokens = {
    malformed: 'not-a-job-token',
    expired: await buildkite.jobToken(buildkite.startJob(), { issuedAt: 1_700_000_000 }),
    'no rule': await buildkite.jobToken(buildkite.startJob({ pipeline_id: OTHER_PIPELINE })),
  };
  await withFunction('token', settings, async ({ post, load }) => {
    for (const [what, jobToken] of Object.entries(tokens)) {
      const items = Array.from({ length: REQUESTS }, () => `Bearer ${jobToken}`);
      const reject = async (authorization: string) => void (await post('/token/staging-config', { authorization }));
      await load(16, items, reject);
      const { all, processor } = await load(16, items, reject);
      const rate = (REQUESTS / all) * 1000;
      row(`${what}: a second`, rate, '/s', `${(rate / bare).toFixed(2)} × bare`);
      row(`${what}: processor time`, processor, 'ms', '', { aim: 0.2 });
    }
  });
}
