// Runs Stryker on the pure ring, or on the files named, and says which of its mutants no test notices and nobody has explained.

import { spawn } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join, parse, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { EXPLANATIONS } from './explanations.ts';
import { type Judgement, judge, judgedAgain, type Mutant, mutantsOf, reportSchema } from './report.ts';

const USAGE = `usage: npm run mutate [-- FILE...]

Changes one expression of a file at a time, and runs the unit tests that reach it. Without files, all that decide about access.
About a second a mutant. First the tests next to a file judge its mutants, then all tests in test/unit/core judge those that survived.

Prints each survivor without an explanation, and a table. tools/stryker/explanations.ts has the explanations.

exit: 0 each mutant is killed or explained; 1 one is not, or an explanation explains nothing any more; 2 usage
`;

/** What decides who gets access, and what ends it. */
const GUARDS = [
  'shared/core/conditions/*.ts',
  'shared/core/grant/*.ts',
  'shared/core/pool/*.ts',
  'shared/core/kinds/*.ts',
  'shared/core/subject/*.ts',
  'shared/core/webhook/{signature,event}.ts',
  'shared/core/oauth/{refusal,token-request,exchange-request}.ts',
  'shared/core/policy/{decide,pattern,rule,claims}.ts',
  'shared/core/{kill-switch,retry-after,timing}.ts',
];
/** They describe and decide nothing. */
const NOT_MUTATED = /\/(?:stored-(?:[a-z]+-)?fields|reason-words)\.ts$/;

const ROOT = join(import.meta.dirname, '../..');
const ALL_TESTS = 'test/unit/core/**/*.test.ts';

const files = readFiles(process.argv.slice(2));
const mutants: Mutant[] = [];
for (const [tests, ofTests] of Map.groupBy(files, testsNextTo)) {
  const judged = await mutate(ofTests, tests);
  const survivors = judged.filter(({ survived }) => survived);
  const again = survivors.length > 0 && tests !== ALL_TESTS ? await mutate(survivors.map(placeOf), ALL_TESTS) : [];
  mutants.push(...judgedAgain(judged, again));
}
const judgement = judge(mutants, EXPLANATIONS);
process.stdout.write(describe(judgement));
process.exitCode = judgement.left.length + judgement.stale.length > 0 ? 1 : 0;

function readFiles(args: string[]): string[] {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { help: { type: 'boolean', short: 'h', default: false } },
    });
    if (values.help) {
      process.stdout.write(USAGE);
      process.exit(0);
    }
    const missing = positionals.filter((file) => !existsSync(join(ROOT, file)));
    if (missing.length > 0) throw new Error(`there is no file ${missing.join(', ')}`);
    const all = positionals.length > 0 ? positionals : globSync(GUARDS, { cwd: ROOT });
    return all.map((file) => relative(ROOT, join(ROOT, file))).filter((file) => !NOT_MUTATED.test(file));
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
    process.exit(2);
  }
}

/** Those of the file's folder, or its own where the folder is the whole ring: to load few tests is what makes a mutant quick. */
function testsNextTo(file: string): string {
  const { dir, name } = parse(file.replace(/^shared/, 'test/unit'));
  const next = dir === 'test/unit/core' ? `${dir}/${name}.test.ts` : `${dir}/*.test.ts`;
  return globSync(next, { cwd: ROOT }).length > 0 ? next : ALL_TESTS;
}

/** The lines of the mutant, as Stryker names them. */
function placeOf({ file, lines }: Mutant): string {
  return `${file}:${lines.first}-${lines.last}`;
}

/** @param places files, or lines of files */
async function mutate(places: readonly string[], tests: string): Promise<Mutant[]> {
  const stryker = 'tools/stryker/node_modules/@stryker-mutator/core/bin/stryker.js';
  const args = [stryker, 'run', 'tools/stryker/stryker.config.json', '--mutate', [...new Set(places)].join(',')];
  // vitest.config.ts reads TESTS.
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: 'inherit', env: { ...process.env, TESTS: tests } });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  const status = await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', resolve);
  });
  if (status !== 0) process.exit(1);
  return mutantsOf(reportSchema.parse(JSON.parse(readFileSync(join(ROOT, 'dist/stryker/mutation.json'), 'utf8'))));
}

function describe({ rows, left, stale }: Judgement): string {
  const total = (key: 'mutants' | 'killed' | 'explained') => rows.reduce((sum, row) => sum + row[key], 0);
  const sum = { file: 'all', mutants: total('mutants'), killed: total('killed'), explained: total('explained') };
  return [
    '',
    ...left.map(({ file, lines, from, becomes }) => `LEFT ${file}:${lines.first}\n  - ${from}\n  + ${becomes}`),
    ...stale.map(({ file, from, becomes }) => `STALE explanation: ${file}\n  - ${from}\n  + ${becomes}`),
    '',
    '| file | mutants | killed, explained, left |',
    '| --- | --- | --- |',
    ...[...rows, sum].map(({ file, mutants, killed, explained }) => {
      const remaining = mutants - killed - explained;
      return `| \`${file}\` | ${mutants} | ${killed}, ${explained}, ${remaining} |`;
    }),
    '',
  ].join('\n');
}
