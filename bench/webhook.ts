// From `job.finished` to the end of access. The response is sent when access has ended, so its latency is the service's part of
// that time. Buildkite's own delay comes before it.

import { type FunctionUnderLoad, withFunction } from './load.ts';
import { median, percentile, row, type Surroundings, title } from './measure.ts';

const ENDS = 240;
const IDLE_ENDS = 1_200;

export async function benchWebhook(surroundings: Surroundings): Promise<void> {
  const { buildkite, settings } = surroundings;
  title('job.finished, from the request to access ended');
  await withFunction('webhook', settings, async (webhook) => {
    const end = (body: string) => deliver(surroundings, webhook, body);
    const idle = () => Array.from({ length: IDLE_ENDS }, () => buildkite.event(buildkite.startJob()));
    await webhook.load(16, idle(), end);
    for (const many of [1, 16])
      report(`a job without a grant, ${many} at once`, await webhook.load(many, idle(), end), 2);
    await withFunction('token', settings, async (token) => {
      for (const credential of ['staging-config', 'staging-export']) {
        const bodies = await Promise.all(
          Array.from({ length: ENDS }, () => bodyOfJobWithGrant(surroundings, token, credential)),
        );
        report(`a job with ${credential}, 4 at once`, await webhook.load(4, bodies, end));
      }
    });
  });
}

async function bodyOfJobWithGrant({ buildkite }: Surroundings, { post }: FunctionUnderLoad, credential: string) {
  const job = buildkite.startJob();
  const authorization = `Bearer ${await buildkite.jobToken(job)}`;
  const status = await post(`/token/${credential}`, { authorization });
  if (status !== 200) throw new Error(`a token request returned ${status}`);
  return buildkite.event(job);
}

async function deliver({ buildkite }: Surroundings, { post }: FunctionUnderLoad, body: string): Promise<void> {
  const headers = {
    'content-type': 'application/json',
    'x-buildkite-event': 'job.finished',
    'x-buildkite-signature': buildkite.signature(body),
  };
  const status = await post('/', headers, body);
  if (status !== 200) throw new Error(`a webhook returned ${status}`);
}

function report(label: string, load: Awaited<ReturnType<FunctionUnderLoad['load']>>, aim?: number): void {
  row(`${label}: p50`, median(load.latencies), 'ms');
  row(`${label}: p99`, percentile(load.latencies, 99), 'ms');
  row(`${label}: processor time`, load.processor, 'ms', '', aim === undefined ? {} : { aim });
}
