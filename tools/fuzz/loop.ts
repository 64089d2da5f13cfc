// The loop of one target, in a thread of its own: an input that reaches new code becomes a parent of others. The main thread
// watches the input at hand, in memory that both share, and ends a thread that does not come back.

import { parentPort, workerData } from 'node:worker_threads';
import { randomFrom } from '../../sandbox/seeded-random.ts';
import { readCorpus } from './corpus.ts';
import { Coverage } from './coverage.ts';
import { Mutator } from './mutate.ts';
import { loadTarget, ROOT, type Target, wordsOf } from './target.ts';

export interface Order {
  readonly name: string;
  readonly seed: number;
  readonly seconds: number;
  /** Findings after which it ends. */
  readonly most: number;
  /** A counter and the length of the input at hand, 4 bytes each, then the input. */
  readonly shared: SharedArrayBuffer;
}

export interface Finding {
  readonly input: Uint8Array;
  readonly problem: string;
}

export interface Report {
  readonly inputs: number;
  readonly seconds: number;
  readonly functions: string;
  /** Of the text of the target's files, from 0 to 1. */
  readonly share: number;
  readonly slowestMs: number;
  /** The fewest inputs that together reach what was reached, without the seeds. */
  readonly corpus: readonly Uint8Array[];
  /** FILE:FROM:TO in characters. */
  readonly unreached: readonly string[];
}

export const LONGEST = 4096;
/** Inputs between two looks at the coverage, which takes some milliseconds. */
const BATCH = 64;
/** An input that takes so long three times is a finding. */
const SLOW_MS = 1_000;

class Loop {
  readonly #target: Target;
  readonly #coverage: Coverage;
  readonly #header: Int32Array;
  readonly #shown: Uint8Array;
  readonly #most: number;
  readonly #findings = new Map<string, Finding>();
  readonly corpus: Buffer[] = [];
  inputs = 0;
  slowestMs = 0;

  constructor(target: Target, coverage: Coverage, { shared, most }: Order) {
    this.#most = most;
    this.#target = target;
    this.#coverage = coverage;
    this.#header = new Int32Array(shared, 0, 2);
    this.#shown = new Uint8Array(shared, 8);
  }

  get isDone(): boolean {
    return this.#findings.size >= this.#most;
  }

  /** Runs all. Those that reach new code are kept: where there are some, each half is run again by itself. */
  async keepWhatIsNew(inputs: readonly Buffer[]): Promise<void> {
    for (const input of inputs) await this.run(input);
    const ran = this.#coverage.take();
    if (!this.#coverage.isNew(ran)) return;
    if (inputs.length === 1) this.corpus.push(...inputs);
    else {
      const half = inputs.length / 2;
      await this.keepWhatIsNew(inputs.slice(0, half));
      await this.keepWhatIsNew(inputs.slice(half));
    }
    // What runs only once, such as what fills a cache, is of no single input.
    this.#coverage.add(ran);
  }

  async run(input: Buffer): Promise<void> {
    this.inputs += 1;
    this.#shown.set(input.subarray(0, this.#shown.length));
    this.#header[1] = input.length;
    Atomics.add(this.#header, 0, 1);
    const problem = await problemOf(this.#target, input);
    if (problem.ms > this.slowestMs) this.slowestMs = await this.#confirmSlow(input, problem.ms);
    const text = problem.text ?? (problem.ms > SLOW_MS && this.slowestMs > SLOW_MS ? 'takes too long' : undefined);
    if (text !== undefined) await this.#report(input, text);
  }

  /** The least time of several runs: the machine may be busy. */
  async #confirmSlow(input: Buffer, ms: number): Promise<number> {
    let least = ms;
    for (let again = 0; again < 2; again += 1) least = Math.min(least, (await problemOf(this.#target, input)).ms);
    return Math.max(least, this.slowestMs);
  }

  async #report(input: Buffer, problem: string): Promise<void> {
    const kind = kindOf(problem);
    if (this.#findings.has(kind)) return;
    this.#findings.set(kind, { input, problem });
    const shortest = await this.#shorten(input, kind);
    const { text = problem } = await problemOf(this.#target, shortest);
    parentPort?.postMessage({ finding: { input: shortest, problem: text } satisfies Finding });
  }

  /** The input without what it does not need to show the same problem. */
  async #shorten(input: Buffer, kind: string): Promise<Buffer> {
    let shortest = input;
    for (let size = Math.ceil(input.length / 2); size > 0; size = size === 1 ? 0 : Math.ceil(size / 2))
      for (let from = 0; from < shortest.length; ) {
        const shorter = Buffer.concat([shortest.subarray(0, from), shortest.subarray(from + size)]);
        const { text } = await problemOf(this.#target, shorter);
        if (text !== undefined && kindOf(text) === kind) shortest = shorter;
        else from += size;
      }
    return shortest;
  }
}

async function problemOf({ run }: Target, input: Buffer): Promise<{ readonly text?: string; readonly ms: number }> {
  const startedAt = performance.now();
  try {
    const running = run(Buffer.from(input));
    if (running) await running;
    return { ms: performance.now() - startedAt };
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : `threw ${String(error)}`;
    return { text, ms: performance.now() - startedAt };
  }
}

/** What two inputs with the same problem have in common: its first words, and where in the source it arose. */
function kindOf(problem: string): string {
  const place = /\(?file:[^)\n]+:\d+:\d+/.exec(problem)?.[0] ?? '';
  return `${problem.split(/[:\n]/, 2).join(':')} ${place}`;
}

async function fuzz(order: Order): Promise<Report> {
  const { name, seed, seconds } = order;
  const coverage = new Coverage();
  coverage.start();
  const target = await loadTarget(name);
  const loop = new Loop(target, coverage, order);
  const mutator = new Mutator({
    random: randomFrom(seed),
    words: wordsOf(target),
    longest: target.longest ?? LONGEST,
  });
  const seeds: readonly Buffer[] = target.seeds.map((text) => Buffer.from(text));
  const startedAt = performance.now();
  const elapsed = () => (performance.now() - startedAt) / 1000;
  for (const input of [...seeds, ...readCorpus(name).map((kept) => kept.input)]) {
    await loop.keepWhatIsNew([input]);
    if (!loop.corpus.includes(input)) loop.corpus.push(input);
  }
  while (elapsed() < seconds && !loop.isDone) {
    // Every second one comes from what was found last.
    const recent = loop.corpus.slice(-8);
    const parents = Array.from({ length: BATCH }, (_, at) => mutator.pick(at % 2 === 0 ? loop.corpus : recent));
    await loop.keepWhatIsNew(parents.map((parent) => mutator.mutate(parent, loop.corpus)));
  }
  const [inputs, took] = [loop.inputs, elapsed()];
  const { ran, known, share } = coverage.summary(target.files);
  const unreached = target.files.flatMap((file) =>
    coverage.unreached(file).map(([from, to]) => `${new URL(file, ROOT).href.slice(ROOT.href.length)}:${from}:${to}`),
  );
  const corpus = await fewest(target, coverage, { seeds, others: loop.corpus.filter((one) => !seeds.includes(one)) });
  const { slowestMs } = loop;
  return { inputs, seconds: took, functions: `${ran}/${known}`, share, slowestMs, corpus, unreached };
}

async function fewest(
  target: Target,
  coverage: Coverage,
  { seeds, others }: { readonly seeds: readonly Buffer[]; readonly others: readonly Buffer[] },
): Promise<Buffer[]> {
  coverage.reset();
  for (const seed of seeds) await problemOf(target, seed);
  coverage.add(coverage.take());
  const kept: Buffer[] = [];
  for (const input of [...others].sort((one, other) => one.length - other.length)) {
    await problemOf(target, input);
    const ran = coverage.take();
    if (coverage.isNew(ran)) kept.push(input);
    coverage.add(ran);
  }
  return kept;
}

if (parentPort) {
  const port = parentPort;
  void fuzz(workerData as Order).then((report) => port.postMessage({ report }));
}
