// Fuzzes the parsers that meet the outside, one after another, and prints what was run, reached and found.

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { type Kept, readCorpus, writeCorpus } from './corpus.ts';
import { type Finding, LONGEST, type Order, type Report } from './loop.ts';
import { findPlanted } from './planted.ts';
import { loadTarget, ROOT, TARGETS } from './target.ts';

const USAGE = `usage: npm run fuzz [-- [options] [target...]]

Fuzzes the parsers that meet the outside. Without names, all of them, one after another.

  --seconds N   for each target (default 30)
  --seed N      of the random changes (default: from the time). It is printed
  --keep        write the inputs that reach new code, and findings, to tools/fuzz/corpora
  --first       end at the first finding of a target
  --planted     no fuzzing: make known mistakes in copies of the repository, and see that each is found
  --unreached   print the parts of the target's files that no input reached
  --list        print the targets

exit: 0 nothing was found; 1 something was; 2 usage
`;

/** Findings of one target after which it ends. */
const MOST = 5;
/** An input that takes so long never ends. */
const HANG_MS = 10_000;

interface Options {
  readonly names: readonly string[];
  readonly seconds: number;
  readonly seed: number;
  readonly keep: boolean;
  readonly first: boolean;
  readonly planted: boolean;
  readonly unreached: boolean;
}

interface Result {
  readonly findings: readonly Finding[];
  /** Undefined when an input never ended. */
  readonly report: Report | undefined;
}

const options = readOptions(process.argv.slice(2));
process.exitCode = (options.planted ? await findPlanted(options.names) : await fuzzAll(options)) > 0 ? 1 : 0;

/** @returns how much was found */
async function fuzzAll({ names, seconds, seed, ...options }: Options): Promise<number> {
  process.stdout.write(`seed ${seed}, ${seconds} s for each target\n\n`);
  process.stdout.write(
    '| target | inputs, a second | functions, text of its files | corpus, slowest input, findings |\n',
  );
  process.stdout.write('| --- | --- | --- | --- |\n');
  let found = 0;
  for (const name of names) {
    const result = await fuzz(name, { seconds, seed, first: options.first });
    found += result.findings.length;
    process.stdout.write(toRow(name, result));
    for (const finding of result.findings) process.stdout.write(describeFinding(name, finding));
    if (options.unreached)
      for (const place of result.report?.unreached ?? []) process.stdout.write(describePlace(place));
    if (options.keep) keep(name, result);
  }
  return found;
}

/** A thread that does not come back from an input is ended, and the input is a finding. */
async function fuzz(
  name: string,
  { seconds, seed, first }: Pick<Options, 'seconds' | 'seed' | 'first'>,
): Promise<Result> {
  const { longest = LONGEST } = await loadTarget(name);
  const shared = new SharedArrayBuffer(8 + longest);
  const header = new Int32Array(shared, 0, 2);
  const atHand = () => Buffer.from(Buffer.from(shared, 8).subarray(0, header[1]));
  const worker = new Worker(new URL('loop.ts', import.meta.url), {
    workerData: { name, seed, seconds, shared, most: first ? 1 : MOST } satisfies Order,
  });
  const findings: Finding[] = [];
  let report: Report | undefined;
  return new Promise((resolve) => {
    let [seen, since] = [0, performance.now()];
    const watch = setInterval(() => {
      const counter = Atomics.load(header, 0);
      if (counter !== seen) [seen, since] = [counter, performance.now()];
      else if (performance.now() - since > HANG_MS && counter > 0) end(`does not end within ${HANG_MS / 1000} s`);
    }, 500);
    const end = (problem?: string) => {
      clearInterval(watch);
      if (problem !== undefined) findings.push({ input: atHand(), problem });
      worker.removeAllListeners();
      void worker.terminate().then(() => resolve({ findings, report }));
    };
    worker.on('message', (message: { finding?: Finding; report?: Report }) => {
      // What is shortened runs often, and is not counted.
      since = performance.now();
      if (message.finding) findings.push(message.finding);
      if (!message.report) return;
      report = message.report;
      end();
    });
    worker.on('error', (error) => end(`ended the process: ${error.stack ?? error.message}`));
    worker.on('exit', () => end('waits for something that never comes'));
  });
}

function toRow(name: string, { report, findings }: Result): string {
  if (!report) return `| ${name} | - | - | ${findings.length} findings |\n`;
  const { inputs, seconds, functions, share, slowestMs, corpus } = report;
  const count = `${inputs.toLocaleString('en')}, ${Math.round(inputs / seconds).toLocaleString('en')}`;
  const reached = `${functions}, ${(share * 100).toFixed(1)} %`;
  return `| ${name} | ${count} | ${reached} | ${corpus.length}, ${slowestMs.toFixed(0)} ms, ${findings.length} |\n`;
}

function describeFinding(name: string, { input, problem }: Finding): string {
  const lines = problem.split('\n').slice(0, 8).join('\n    ');
  return `\n${name}: ${lines}\n  input (${input.length} bytes): ${JSON.stringify(Buffer.from(input).toString('utf8')).slice(0, 2000)}\n\n`;
}

/** @param place FILE:FROM:TO */
function describePlace(place: string): string {
  const [file = '', from, to] = place.split(':');
  const text = readFileSync(new URL(file, ROOT), 'utf8');
  const part = text.slice(Number(from), Number(to)).replaceAll(/\s+/g, ' ').trim();
  const line = text.slice(0, Number(from)).split('\n').length;
  return part.length < 3 ? '' : `  ${file}:${line}: ${part.slice(0, 120)}\n`;
}

function keep(name: string, { report, findings }: Result): void {
  const before = readCorpus(name).filter((kept) => kept.found !== undefined);
  const shown = findings.map(
    ({ input, problem }): Kept => ({
      input: Buffer.from(input),
      found: problem.split('\n', 1)[0] ?? '',
    }),
  );
  const reaching = report?.corpus.map((input): Kept => ({ input: Buffer.from(input) }));
  const known = new Set([...before, ...shown].map(({ input }) => input.toString('latin1')));
  const others = reaching ?? readCorpus(name).filter((kept) => kept.found === undefined);
  writeCorpus(name, [...before, ...shown, ...others.filter(({ input }) => !known.has(input.toString('latin1')))]);
}

function readOptions(args: string[]): Options {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        seconds: { type: 'string', default: '30' },
        seed: { type: 'string' },
        keep: { type: 'boolean', default: false },
        first: { type: 'boolean', default: false },
        planted: { type: 'boolean', default: false },
        unreached: { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
      },
    });
    if (values.help || values.list) {
      process.stdout.write(values.help ? USAGE : `${TARGETS.join('\n')}\n`);
      process.exit(0);
    }
    const unknown = positionals.find((name) => !TARGETS.includes(name));
    if (unknown !== undefined) throw new Error(`there is no target ${unknown}`);
    return {
      names: positionals.length > 0 ? positionals : TARGETS,
      seconds: wholeNumber('--seconds', values.seconds),
      seed: wholeNumber('--seed', values.seed ?? String(1 + (Date.now() % 999_999))),
      keep: values.keep,
      first: values.first,
      planted: values.planted,
      unreached: values.unreached,
    };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
    process.exit(2);
  }
}

function wholeNumber(option: string, text: string): number {
  if (!/^[1-9][0-9]{0,5}$/.test(text)) throw new Error(`${option} must be a whole number from 1`);
  return Number(text);
}
