// The functions as the platform runs them: several processes of each, of the built bundles. Replaces them at random, with SIGTERM
// or with `kill -9` while requests are in flight, and writes down how each ended and how much memory it took.

import { readFileSync } from 'node:fs';
import { type RunningFunction, startFunction } from '../../sandbox/functions.ts';
import type { SeededRandom } from '../../sandbox/seeded-random.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { pause } from './client.ts';
import type { FunctionName } from './observation.ts';
import type { Recorder } from './recorder.ts';

/** Within which an instance must have ended after SIGTERM: the platform kills it after ten seconds. */
export const DRAIN_MS = 10_000;
/** Requests at once that an instance gets, as the Terraform module deploys it. More wait, as on Cloud Run. */
const CONCURRENCY: Readonly<Record<FunctionName, number>> = { token: 40, webhook: 40, sweep: 1 };
/** For which an instance still gets requests that were routed to it before. */
const ROUTED_MS = 250;

export interface Instance {
  readonly name: string;
  readonly target: FunctionName;
  readonly url: string;
  readonly readyAt: number;
  inFlight: number;
}

export class Instances {
  readonly #settings: Readonly<Record<FunctionName, Readonly<Record<string, string>>>>;
  readonly #recorder: Recorder;
  readonly #random: SeededRandom;
  readonly #routed: Instance[] = [];
  readonly #processes = new Map<Instance, RunningFunction['running']>();
  readonly #ending = new Set<Promise<unknown>>();
  #started = 0;

  constructor(options: {
    readonly settings: Readonly<Record<FunctionName, Readonly<Record<string, string>>>>;
    readonly recorder: Recorder;
    readonly random: SeededRandom;
  }) {
    this.#settings = options.settings;
    this.#recorder = options.recorder;
    this.#random = options.random;
  }

  /** Starts one and routes requests to it as soon as it is ready. */
  async start(target: FunctionName): Promise<Instance> {
    this.#started += 1;
    const name = `${target}-${this.#started}`;
    const note = (event: 'started' | 'ready') =>
      this.#recorder.write({ type: 'process', at: systemClock.now(), instance: name, event });
    note('started');
    const { url, running } = await startFunction(target, this.#settings[target], {
      onLine: (line) => this.#recorder.line(name, systemClock.now(), line),
    });
    running.process.once('exit', (code, signal) =>
      this.#recorder.write({
        type: 'process',
        at: systemClock.now(),
        instance: name,
        event: 'exited',
        code,
        ...(signal ? { signal } : {}),
      }),
    );
    note('ready');
    const instance: Instance = { name, target, url, readyAt: systemClock.now(), inFlight: 0 };
    this.#processes.set(instance, running);
    this.#routed.push(instance);
    return instance;
  }

  /** Takes a place at `wanted`, or else at one that has a place. Waits while there is none. {@link leave} frees the place. */
  async enter(target: FunctionName, random: SeededRandom, wanted?: Instance): Promise<Instance> {
    for (;;) {
      const withRoom = this.#routed.filter((each) => each.target === target && each.inFlight < CONCURRENCY[target]);
      if (withRoom.length > 0) {
        const instance = wanted && withRoom.includes(wanted) ? wanted : random.one(withRoom);
        instance.inFlight += 1;
        return instance;
      }
      await pause(20);
    }
  }

  leave(instance: Instance): void {
    instance.inFlight -= 1;
  }

  /** Ends one of them while another takes its place. */
  async replace(target: FunctionName, how: 'SIGTERM' | 'SIGKILL'): Promise<Instance> {
    const routed = this.#routed.filter((instance) => instance.target === target);
    const starting = this.start(target);
    if (routed.length > 0) this.#end(this.#random.one(routed), how);
    return starting;
  }

  /** Ends all that run with SIGTERM. */
  async stop(): Promise<void> {
    for (const instance of [...this.#routed]) this.#end(instance, 'SIGTERM');
    await Promise.all(this.#ending);
  }

  sampleMemory(): void {
    for (const [{ name }, running] of this.#processes) {
      const rss = rssKib(running.process.pid);
      if (rss !== undefined)
        this.#recorder.write({ type: 'memory', at: systemClock.now(), instance: name, rss_kib: rss });
    }
  }

  #end(instance: Instance, how: 'SIGTERM' | 'SIGKILL'): void {
    const ending = how === 'SIGTERM' ? this.#drain(instance) : this.#kill(instance);
    const known = ending.finally(() => {
      this.#ending.delete(known);
      this.#processes.delete(instance);
    });
    this.#ending.add(known);
  }

  async #drain(instance: Instance): Promise<void> {
    this.#unroute(instance);
    await pause(ROUTED_MS);
    this.#signalled(instance, 'SIGTERM');
    await this.#processes.get(instance)?.stop(DRAIN_MS);
  }

  /** Kills it without a warning, while it has something to do if that comes soon. */
  async #kill(instance: Instance): Promise<void> {
    for (let waited = 0; waited < 3_000 && instance.inFlight === 0; waited += 10) await pause(10);
    const running = this.#processes.get(instance);
    this.#signalled(instance, 'SIGKILL');
    running?.process.kill('SIGKILL');
    this.#unroute(instance);
    await running?.stop();
  }

  #signalled({ name }: Instance, signal: string): void {
    this.#recorder.write({ type: 'process', at: systemClock.now(), instance: name, event: 'signalled', signal });
  }

  #unroute(instance: Instance): void {
    const at = this.#routed.indexOf(instance);
    if (at >= 0) this.#routed.splice(at, 1);
  }
}

/** Resident memory by the kernel; undefined where there is no /proc, or the process has ended. */
function rssKib(pid: number | undefined): number | undefined {
  try {
    const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return found ? Number(found[1]) : undefined;
  } catch {
    return undefined;
  }
}
