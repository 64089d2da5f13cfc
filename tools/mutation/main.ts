// Takes the guards out one at a time, each in a copy of the repository, and says which test notices.

import { parseArgs } from 'node:util';
import { type Breaks, editsByFile, type Mutation } from './mutation.ts';
import { MUTATIONS } from './mutations.ts';
import { removeScratches, withScratch } from './scratch.ts';
import { endTestRuns, type Outcome, PROJECTS, type Project, projectOf, runTests } from './test-run.ts';
import { checkTypes } from './type-check.ts';

const USAGE = `usage: node tools/mutation/run.mjs [options] [mutation...]

Takes guards out of the code one at a time, each in a copy, and runs the tests that must notice.
A mutation is named by its id or a number it is known by; without names all are run.

  --project NAME  run the tests of this project; may be repeated (default: unit, http and model)
  --only-unit     the same as --project unit
  --any-test      run all tests of the projects, not only the named ones, to find out which notice
  --types         run no tests, but see that each mutated copy compiles
  --workers N     mutations at a time (default 1)
  --limit S       seconds that the tests of one project may take (default 600)

exit: 0 every mutation was noticed that must be; 1 one was not, or cannot be applied; 2 usage
`;

interface Options {
  readonly mutations: readonly Mutation[];
  readonly projects: readonly Project[];
  readonly anyTest: boolean;
  readonly types: boolean;
  readonly workers: number;
  readonly limitMs: number;
}

type Verdict = 'killed' | 'survived' | 'SURVIVED' | 'not run' | 'ERROR';

interface Result {
  readonly verdict: Verdict;
  readonly detail: string;
}

const options = readOptions(process.argv.slice(2));
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    endTestRuns();
    removeScratches();
    process.exit(1);
  });
process.exitCode = (await run(options)) ? 0 : 1;

async function run(options: Options): Promise<boolean> {
  const problem = options.types ? undefined : await problemWithoutMutation(options);
  if (problem !== undefined) {
    process.stdout.write(`ERROR without any mutation: ${problem}\n`);
    return false;
  }
  const waiting = [...options.mutations];
  const verdicts = new Map<Verdict, number>();
  const work = async () => {
    for (let mutation = waiting.shift(); mutation; mutation = waiting.shift()) {
      const startedAt = performance.now();
      const { verdict, detail } = await resultOf(mutation, options);
      const took = Math.round((performance.now() - startedAt) / 1000);
      verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
      process.stdout.write(`${verdict.padEnd(8)} ${nameOf(mutation)} ${detail} (${took} s)\n`);
    }
  };
  await Promise.all(Array.from({ length: options.workers }, work));
  const summary = [...verdicts].map(([verdict, count]) => `${count} ${verdict}`).join(', ');
  process.stdout.write(`${options.mutations.length} mutations: ${summary}\n`);
  return !verdicts.has('SURVIVED') && !verdicts.has('ERROR');
}

/** A test that fails without any mutation would seem to notice all of them. */
async function problemWithoutMutation(options: Options): Promise<string | undefined> {
  return withScratch(new Map(), async (scratch) => {
    for (const project of options.projects) {
      const named = new Set(options.mutations.flatMap((mutation) => killersIn(mutation, project)));
      if (named.size === 0 && !options.anyTest) continue;
      const files = options.anyTest ? [] : [...named];
      const outcome = await runTests({ scratch, project, files, limitMs: options.limitMs });
      if (outcome.kind !== 'passed') return tell(outcome);
    }
    return undefined;
  });
}

async function resultOf(mutation: Mutation, options: Options): Promise<Result> {
  try {
    return await withScratch(editsByFile(mutation), async (scratch) => {
      if (options.types) {
        const problem = await checkTypes(scratch);
        return problem === undefined
          ? { verdict: 'not run', detail: 'compiles' }
          : { verdict: 'ERROR', detail: problem };
      }
      return judge(mutation, await noticedBy(mutation, scratch, options));
    });
  } catch (error) {
    return { verdict: 'ERROR', detail: error instanceof Error ? error.message : String(error) };
  }
}

/** What the tests say, project by project, until one objects; undefined when none did and not all that are named ran. */
async function noticedBy(
  mutation: Mutation,
  scratch: string,
  { projects, anyTest, limitMs }: Options,
): Promise<Outcome | undefined> {
  for (const project of projects) {
    const killers = killersIn(mutation, project);
    if (killers.length === 0 && !anyTest) continue;
    const outcome = await runTests({ scratch, project, files: anyTest ? [] : killers, limitMs });
    if (outcome.kind !== 'passed') return outcome;
  }
  const complete = mutation.killers.every((file) => projects.includes(projectOf(file)));
  return complete ? { kind: 'passed' } : undefined;
}

function judge({ knownSurvivor, hangs, killers, means }: Mutation, outcome: Outcome | undefined): Result {
  if (!outcome) return { verdict: 'not run', detail: 'no test of these projects noticed; those of others did not run' };
  if (outcome.kind === 'broken') return { verdict: 'ERROR', detail: tell(outcome) };
  if (outcome.kind === 'timed out' && !hangs)
    return { verdict: 'ERROR', detail: `${tell(outcome)}, and it is not known to hang` };
  if (outcome.kind !== 'passed') {
    const surprise = knownSurvivor ? ', and is no survivor any more: correct the list' : '';
    return { verdict: 'killed', detail: `by ${tell(outcome)}${surprise}` };
  }
  if (knownSurvivor) return { verdict: 'survived', detail: 'as known: no test notices it yet' };
  return { verdict: 'SURVIVED', detail: `${killers.join(', ')}: ${means}` };
}

function killersIn({ killers }: Mutation, project: Project): string[] {
  return killers.filter((file) => projectOf(file) === project);
}

function nameOf({ id, breaks, aliases = [] }: Mutation): string {
  const known: (Breaks | string)[] = [breaks, ...aliases];
  return `${id} (${known.join(', ')})`;
}

function tell(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'passed':
      return 'every test passed';
    case 'killed':
      return `${outcome.file} "${outcome.title}"`;
    case 'timed out':
      return `${outcome.where} ran out of time`;
    case 'broken':
      return outcome.detail;
  }
}

function readOptions(args: string[]): Options {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        project: { type: 'string', multiple: true, default: ['unit', 'http', 'model'] },
        'only-unit': { type: 'boolean', default: false },
        'any-test': { type: 'boolean', default: false },
        types: { type: 'boolean', default: false },
        workers: { type: 'string', default: '1' },
        limit: { type: 'string', default: '600' },
      },
    });
    if (values.help) {
      process.stdout.write(USAGE);
      process.exit(0);
    }
    const wanted = new Set(values['only-unit'] ? ['unit'] : values.project);
    const projects = PROJECTS.filter((project) => wanted.delete(project));
    if (wanted.size > 0) throw new Error(`there is no project ${[...wanted].join(', ')}`);
    return {
      mutations: positionals.length > 0 ? positionals.flatMap(namedMutations) : MUTATIONS,
      projects,
      anyTest: values['any-test'],
      types: values.types,
      workers: wholeNumber('--workers', values.workers),
      limitMs: wholeNumber('--limit', values.limit) * 1000,
    };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
    process.exit(2);
  }
}

function namedMutations(name: string): readonly Mutation[] {
  const named = MUTATIONS.filter(({ id, aliases }) => id === name || aliases?.includes(name));
  if (named.length === 0) throw new Error(`there is no mutation ${name}`);
  return named;
}

function wholeNumber(option: string, text: string): number {
  if (!/^[1-9][0-9]{0,5}$/.test(text)) throw new Error(`${option} must be a whole number from 1`);
  return Number(text);
}
