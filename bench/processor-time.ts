// What requests cost in processor time of a warm instance: tokens of both kinds one by one and many at once, rejections, and an end
// of a job that ends nothing. Measured on the function's own process, so the local Google's and the emulator's work does not count.

import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { startFunction } from '../sandbox/functions.ts';
import { row, type Surroundings, title } from './measure.ts';

const TOKENS = 480;
const REJECTIONS = 6_000;
const ENDS = 1_200;
/** USER_HZ of Linux, in milliseconds: man7.org/linux/man-pages/man5/proc_pid_stat.5.html. */
const TICK_MS = 10;

export async function benchProcessorTime({ buildkite, settings }: Surroundings): Promise<void> {
  title('Processor time of a request, warm');
  const jobToken = async () => `Bearer ${await buildkite.jobToken(buildkite.startJob())}`;
  await withFunction('token', settings, async ({ post, cost }) => {
    const issue = (credential: string) => async (authorization: string) => {
      const status = await post(`/token/${credential}`, { authorization });
      if (status !== 200) throw new Error(`a token request returned ${status}`);
    };
    const tokens = async (count: number) => Promise.all(Array.from({ length: count }, jobToken));
    for (const credential of ['staging-export', 'staging-config']) {
      await atOnce(16, await tokens(TOKENS), issue(credential));
      for (const many of [1, 16, 80]) {
        const each = await cost(many, await tokens(TOKENS), issue(credential));
        row(
          `${credential}, ${many} at once`,
          each,
          'ms',
          many === 1 ? 'aim: at most 3' : many === 16 ? 'aim: at most 2' : '',
        );
      }
    }
    const expired = `Bearer ${await buildkite.jobToken(buildkite.startJob(), { issuedAt: 1_700_000_000 })}`;
    const rejected = Array.from({ length: REJECTIONS }, () => expired);
    const reject = async (authorization: string) => void (await post('/token/staging-config', { authorization }));
    await atOnce(16, rejected, reject);
    row('an expired job token, 16 at once', await cost(16, rejected, reject), 'ms', 'aim: at most 0.2');
  });
  await withFunction('webhook', settings, async ({ post, cost }) => {
    const end = async (body: string) => {
      const headers = {
        'content-type': 'application/json',
        'x-buildkite-event': 'job.finished',
        'x-buildkite-signature': buildkite.signature(body),
      };
      const status = await post('/', headers, body);
      if (status !== 200) throw new Error(`a webhook returned ${status}`);
    };
    const ends = () => Array.from({ length: ENDS }, () => buildkite.event(buildkite.startJob()));
    await atOnce(16, ends(), end);
    row('job.finished that ends nothing, 16 at once', await cost(16, ends(), end), 'ms', 'aim: at most 2');
  });
}

type Post = (path: string, headers: Record<string, string>, body?: string) => Promise<number>;
/** Milliseconds of processor time for one of the items. */
type Cost = <T>(many: number, items: readonly T[], work: (item: T) => Promise<void>) => Promise<number>;

async function withFunction(
  name: 'token' | 'webhook',
  settings: Surroundings['settings'],
  work: (using: { readonly post: Post; readonly cost: Cost }) => Promise<void>,
): Promise<void> {
  const { url, running } = await startFunction(name, settings);
  const agent = new Agent({ keepAlive: true, maxSockets: 80 });
  const cost: Cost = async (many, items, each) => {
    const before = processorTime(running.process.pid);
    await atOnce(many, items, each);
    return (processorTime(running.process.pid) - before) / items.length;
  };
  try {
    await work({ post: (path, headers, body = '') => send(agent, `${url}${path}`, headers, body), cost });
  } finally {
    agent.destroy();
    await running.stop();
  }
}

/** User and system time of a process and its threads, in milliseconds. */
function processorTime(pid: number | undefined): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

async function atOnce<T>(many: number, items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items];
  await Promise.all(
    Array.from({ length: many }, async () => {
      for (let item = waiting.pop(); item !== undefined; item = waiting.pop()) await work(item);
    }),
  );
}

function send(agent: Agent, url: string, headers: Record<string, string>, body: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const all = { ...headers, 'content-length': String(Buffer.byteLength(body)) };
    const sent = request(url, { method: 'POST', agent, headers: all }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer.statusCode ?? 0));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
