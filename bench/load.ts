// Requests to a function in a process of its own, a given number at once, and what they cost that process.

import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { type FunctionName, type RunningFunction, startFunction } from '../sandbox/functions.ts';
import { milliseconds, type Surroundings } from './measure.ts';

const MOST_AT_ONCE = 80;
/** USER_HZ of Linux, in milliseconds: man7.org/linux/man-pages/man5/proc_pid_stat.5.html. */
const TICK_MS = 10;

interface Load {
  /** Milliseconds of each request, in no order. */
  readonly latencies: readonly number[];
  /** Milliseconds of all of them together. */
  readonly all: number;
  /** Milliseconds of the function's processor time for one request. */
  readonly processor: number;
}

export interface FunctionUnderLoad {
  /** Resolves with the status. */
  readonly post: (path: string, headers: Readonly<Record<string, string>>, body?: string) => Promise<number>;
  /** Works off the items, `many` at once. */
  readonly load: <T>(many: number, items: readonly T[], work: (item: T) => Promise<void>) => Promise<Load>;
  /** Resident memory in MiB. */
  readonly resident: () => number;
}

/** @param options.folder of the code, by default this build */
export async function withFunction<T>(
  name: FunctionName,
  settings: Surroundings['settings'],
  work: (running: FunctionUnderLoad) => Promise<T>,
  options: { readonly folder?: string } = {},
): Promise<T> {
  const started = await startFunction(name, settings, options);
  try {
    return await underLoad(started, work);
  } finally {
    await started.running.stop();
  }
}

/** Puts a process that has started under load. */
export async function underLoad<T>(
  { url, running }: RunningFunction,
  work: (running: FunctionUnderLoad) => Promise<T>,
): Promise<T> {
  const { pid } = running.process;
  const agent = new Agent({ keepAlive: true, maxSockets: MOST_AT_ONCE });
  const load: FunctionUnderLoad['load'] = async (many, items, each) => {
    let next = 0;
    const latencies: number[] = [];
    const before = processorTime(pid);
    const all = await milliseconds(() =>
      Promise.all(
        Array.from({ length: many }, async () => {
          while (next < items.length) {
            const item = items[next] as (typeof items)[number];
            next += 1;
            latencies.push(await milliseconds(() => each(item)));
          }
        }),
      ),
    );
    return { latencies, all, processor: (processorTime(pid) - before) / items.length };
  };
  const post: FunctionUnderLoad['post'] = (path, headers, body = '') => send(agent, `${url}${path}`, headers, body);
  try {
    return await work({ post, load, resident: () => resident(pid) });
  } finally {
    agent.destroy();
  }
}

/** User and system time of a process and its threads, in milliseconds. */
function processorTime(pid: number | undefined): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

function resident(pid: number | undefined): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

function send(agent: Agent, url: string, headers: Readonly<Record<string, string>>, body = ''): Promise<number> {
  return new Promise((resolve, reject) => {
    const all = { ...headers, 'content-length': String(Buffer.byteLength(body)) };
    const sent = request(url, { method: 'POST', agent, headers: all }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
