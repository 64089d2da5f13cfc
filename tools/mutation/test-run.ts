// Runs tests of a copy of the repository until one fails, and says which.

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { delimiter, join, relative } from 'node:path';
import * as z from 'zod';

/** Vitest's projects, cheapest first. */
export const PROJECTS = ['unit', 'http', 'model', 'emulator', 'system'] as const;
export type Project = (typeof PROJECTS)[number];

const NEED_EMULATORS: ReadonlySet<Project> = new Set(['emulator', 'system']);

export type Outcome =
  | { readonly kind: 'passed' }
  | { readonly kind: 'killed'; readonly file: string; readonly title: string }
  | { readonly kind: 'timed out'; readonly where: string }
  /** The tests could not be run: nothing is known. */
  | { readonly kind: 'broken'; readonly detail: string };

const TIMED_OUT = /^(Error: )?(Test|Hook) timed out in /;

const reportSchema = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      message: z.string(),
      assertionResults: z.array(
        z.object({ fullName: z.string(), status: z.string(), failureMessages: z.array(z.string()) }),
      ),
    }),
  ),
});
type Report = z.output<typeof reportSchema>;

const running = new Set<ChildProcess>();

/** The project of a test file: the folder in `test` that it is in. */
export function projectOf(file: string): Project {
  const project = PROJECTS.find((name) => file.startsWith(`test/${name}/`));
  if (!project) throw new Error(`${file} is in no project`);
  return project;
}

interface TestRun {
  readonly scratch: string;
  readonly project: Project;
  /** Default: the project's whole, but for what `npm run check` leaves out. */
  readonly files: readonly string[];
  readonly limitMs: number;
}

/** Runs them, those that `npm run check` leaves out last. */
export async function runTests(input: TestRun): Promise<Outcome> {
  const isDeep = (file: string) => file.endsWith('.deep.ts');
  const [deep, others] = [input.files.filter(isDeep), input.files.filter((file) => !isDeep(file))];
  const config = NEED_EMULATORS.has(input.project) ? 'vitest.all.config.ts' : 'vitest.config.ts';
  const outcome: Outcome =
    deep.length > 0 && others.length === 0 ? { kind: 'passed' } : await runVitest({ ...input, files: others, config });
  if (outcome.kind !== 'passed' || deep.length === 0) return outcome;
  return runVitest({ ...input, files: deep, config: 'vitest.deep.config.ts' });
}

async function runVitest(input: TestRun & { readonly config: string }): Promise<Outcome> {
  const { scratch, project, files, limitMs, config } = input;
  const reportFile = join(scratch, 'report.json');
  const args = [
    join(scratch, 'node_modules/vitest/vitest.mjs'),
    'run',
    ...['--project', project],
    ...['--config', config],
    ...['--bail', '1', '--maxWorkers', '1', '--no-cache', '--no-fsModuleCache'],
    ...['--reporter', 'json', '--outputFile', reportFile],
    ...files,
  ];
  const { timedOut, status, output } = await runNode(args, scratch, limitMs);
  if (timedOut) return { kind: 'timed out', where: `the tests in test/${project}` };
  const report = readReport(reportFile);
  if (!report || report.testResults.length === 0)
    return { kind: 'broken', detail: `the tests in test/${project} did not run: ${lastLines(output)}` };
  const failure = failureIn(report, scratch);
  if (failure) return failure;
  // Such as a rejection that nobody handled.
  return status === 0
    ? { kind: 'passed' }
    : { kind: 'killed', file: `test/${project}`, title: `an error outside of any test: ${lastLines(output)}` };
}

/** Ends what is still running. */
export function endTestRuns(): void {
  for (const child of running) end(child);
}

function failureIn({ testResults }: Report, scratch: string): Outcome | undefined {
  const failedTests = testResults.flatMap(({ name, assertionResults }) =>
    assertionResults
      .filter(({ status }) => status === 'failed')
      .map(({ fullName, failureMessages }) => ({ file: relative(scratch, name), title: fullName, failureMessages })),
  );
  const inTime = failedTests.find(({ failureMessages }) => !failureMessages.every((text) => TIMED_OUT.test(text)));
  if (inTime) return { kind: 'killed', file: inTime.file, title: inTime.title };
  const [late] = failedTests;
  if (late) return { kind: 'timed out', where: `${late.file} "${late.title}"` };
  // A failure outside of the tests of a file: of a hook when it has tests, else it could not be loaded.
  const failed = testResults.find(({ status }) => status === 'failed');
  if (!failed) return undefined;
  const file = relative(scratch, failed.name);
  const message = lastLines(failed.message);
  return failed.assertionResults.length > 0
    ? { kind: 'killed', file, title: `a hook: ${message}` }
    : { kind: 'broken', detail: `${file} cannot be loaded: ${message}` };
}

function readReport(file: string): Report | undefined {
  try {
    return reportSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return undefined;
  }
}

/** Runs Node with these arguments, in a process group of its own, which ends when its time is up. */
export function runNode(
  args: readonly string[],
  cwd: string,
  limitMs: number,
): Promise<{ readonly status: number | null; readonly timedOut: boolean; readonly output: string }> {
  return new Promise((resolve, reject) => {
    const path = [join(cwd, 'node_modules/.bin'), process.env.PATH].join(delimiter);
    const child = spawn(process.execPath, args, {
      cwd,
      detached: true,
      env: { ...process.env, PATH: path },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.add(child);
    let output = '';
    let timedOut = false;
    const collect = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-100_000);
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    const limit = setTimeout(() => {
      timedOut = true;
      end(child);
    }, limitMs);
    child.on('error', reject);
    child.on('close', (status) => {
      clearTimeout(limit);
      running.delete(child);
      resolve({ status, timedOut, output });
    });
  });
}

function end(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-5).join(' | ').slice(-300);
}
