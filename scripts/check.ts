// `npm run check`: what has to pass before a commit. What does not depend on each other runs at once, and each one's output is printed whole
// when it ends. Exits with 1 when anything fails, after everything has run.

import { spawn } from 'node:child_process';

interface Step {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
}

const RULES = 'rules check --policy examples/policy.yaml --project acme-staging --file examples/firestore.rules';
/** The sandbox also builds what the tests run. */
const AT_ONCE: readonly Step[] = [
  { name: 'the sandbox', command: ['npm', 'start', '--', '--once'] },
  { name: 'types', command: ['npm', 'run', '-s', 'types'] },
  { name: 'lint', command: ['npm', 'run', '-s', 'lint'] },
  { name: 'knip', command: ['npm', 'run', '-s', 'knip'] },
  { name: 'the rules of the examples', command: ['node', 'cli/keydesk.ts', ...RULES.split(' ')] },
];
const TESTS: Step = { name: 'the tests', command: ['npm', 'run', '-s', 'test:all'] };

/** Returns whether it succeeded. */
function run({ name, command: [file, ...args] }: Step, show: 'as it comes' | 'whole'): Promise<boolean> {
  const child = spawn(file, args, { stdio: ['ignore', ...(show === 'whole' ? PIPES : SHARED)] });
  const output: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => output.push(chunk));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      process.stdout.write(`\n${code === 0 ? 'passed' : 'FAILED'}: ${name}\n`);
      process.stdout.write(Buffer.concat(output));
      resolve(code === 0);
    });
  });
}

const PIPES = ['pipe', 'pipe'] as const;
const SHARED = ['inherit', 'inherit'] as const;

const passed = await Promise.all(AT_ONCE.map((step) => run(step, 'whole')));
passed.push(await run(TESTS, 'as it comes'));
const failed = [...AT_ONCE, TESTS].filter((_, index) => !passed[index]).map(({ name }) => name);
if (failed.length > 0) {
  process.stderr.write(`\nFailed: ${failed.join(', ')}\n`);
  process.exitCode = 1;
}
