// `keydesk init`: the first policy of an organization with its tests, a Terraform root, and steps for Buildkite. Overwrites nothing.

import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, statSync, writeFileSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { Command } from '@commander-js/extra-typings';
import * as z from 'zod';
import { parseJson } from '../../shared/core/json.ts';
import { shellCommand } from '../../shared/core/shell-quote.ts';
import { type Answers, type Flag, missingFlags, toAnswers, type Written } from '../../shared/core/starter/answers.ts';
import { starterFiles } from '../../shared/core/starter/files.ts';
import { preflightOptions } from '../../shared/core/starter/terraform-root.ts';
import { VERSION } from '../../shared/version.ts';
import { TERRAFORM_MODULE } from '../installation.ts';
import { collect, examples } from '../options.ts';
import { readText } from '../policy-file.ts';
import { completeByQuestions, createAsk } from '../starter-questions.ts';
import { EXIT, fail, note, print, printJson, warn } from '../terminal.ts';

const identifiers = z.object({
  organization: z.object({ slug: z.string(), id: z.string() }),
  pipelines: z.array(z.object({ name: z.string(), id: z.string(), archived: z.boolean().optional() })),
});

export const initCommand = new Command('init')
  .summary('start here: write a policy, tests, Terraform and steps')
  .description(
    `Write what an organization starts with: a policy, its tests, the JSON Schemas for editors, a Terraform root, a pipeline step, and a job that checks the policy on pull requests. On a terminal, the command asks for what the flags do not say. It overwrites no file, and sends no request.

Each environment gets a Firestore credential for --firestore, and a pool of service accounts for --pool. An environment that is called production has guards: only the step deploy-production gets its credentials. The policy names the pipelines of --deploys, and has the others as comments.`,
  )
  .argument('[folder]', 'folder to write to, such as the root of a repository', '.')
  .option('--organization <slug>', 'slug of the Buildkite organization')
  .option('--organization-id <uuid>', 'its UUID')
  .option('--pipeline <name=uuid>', 'a pipeline that deploys; repeat it for more', collect)
  .option('--ids <file>', 'the output of keydesk ids --json, in place of the three above; - for standard input')
  .option(
    '--firestore <environment=project>',
    'a Firestore database, or environment=project/database; repeat it',
    collect,
  )
  .option('--pool <environment=project>', 'a project for pooled service accounts and nothing else; repeat it', collect)
  .option(
    '--deploys <environment=pipeline>',
    'the pipeline of an environment, if there are several pipelines; repeat it',
    collect,
  )
  .option('--contact <text>', 'whom developers ask when Keydesk refuses a request')
  .option('--project <id>', 'Google Cloud project for Keydesk itself, and nothing else')
  .option('--region <region>', 'region of the functions, such as europe-west1')
  .option('--project-number <project=number>', 'number of that project or of a pool project; repeat it', collect)
  .option(
    '--url <url>',
    "URL of Keydesk and audience of job tokens (default: Cloud Run's, if --project-number is known)",
  )
  .option('--state-bucket <name>', "bucket of Terraform's state, which grant-roles.sh creates with state-bucket")
  .option('--json', 'the files and the next commands as JSON')
  .addHelpText(
    'after',
    `${examples(
      'init',
      `init --organization acme-inc --organization-id f892efa9-103e-4d28-97a1-3b8616a0994d \\
      --pipeline web=0184990a-4782-42b5-afc1-16715b10b1f0 --firestore staging=acme-staging --contact "#platform on Slack" \\
      --project acme-keydesk --region europe-west1 --url https://keydesk.acme.example keydesk`,
      `init --ids ids.json --deploys staging=web --deploys production=web-release --firestore staging=acme-staging \\
      --firestore production=acme-production --contact platform@acme.example --project acme-keydesk --region europe-west1 \\
      --project-number acme-keydesk=123456789012`,
    )}

Exit code 1: a file exists already. Nothing is written then.`,
  )
  .action(async (folder, { ids, json, ...flags }) => {
    const answers = await toCompleteAnswers({ ...flags, ...(ids === undefined ? {} : readIds(ids, flags)) });
    const files = starterFiles(answers, {
      example: readExample(),
      moduleSource: moduleSourceFrom(join(folder, 'terraform')),
      folderInRepository: folderInRepository(folder),
      version: VERSION,
    });
    writeNew(folder, files);
    const policy = join(folder, 'policy.yaml');
    const next = [
      shellCommand`keydesk policy check --policy ${policy}`,
      shellCommand`keydesk policy test --policy ${policy}`,
      `${shellCommand`keydesk doctor --before-deploy --policy ${policy}`} ${preflightOptions(answers)}`,
    ];
    const warnings = sharedPipelines(answers);
    if (json) return printJson({ files: [...files.keys()].map((path) => join(folder, path)), next, warnings });
    print('Written:');
    for (const path of files.keys()) print(`  ${join(folder, path)}`);
    print('\nNext:');
    for (const line of next) print(`  ${line}`);
    print('\nThen follow deploy/terraform/README.md of Keydesk.');
    if (answers.stateBucket === undefined) print("Name your state's bucket in terraform/main.tf.");
    for (const line of warnings) warn(`\n${line}`);
  });

const FLAG_NAMES: Readonly<Record<Flag, string>> = {
  organization: '--organization',
  organizationId: '--organization-id',
  pipeline: '--pipeline',
  firestore: '--firestore or --pool',
  pool: '--pool',
  deploys: '--deploys',
  contact: '--contact',
  project: '--project',
  projectNumber: '--project-number',
  region: '--region',
  url: '--url, or --project-number',
  stateBucket: '--state-bucket',
};

async function toCompleteAnswers(given: Written): Promise<Answers> {
  const isTerminal = process.stdin.isTTY && process.stderr.isTTY;
  const written = isTerminal ? await askForRest(given) : given;
  const missing = missingFlags(written);
  if (missing.length > 0)
    fail(EXIT.usage, ['Missing:', ...missing.map((flag) => `  ${FLAG_NAMES[flag]}`), USAGE].join('\n'));
  const answers = toAnswers(written);
  if ('problems' in answers)
    return fail(
      EXIT.usage,
      [...answers.problems.map(([flag, problem]) => `--${toKebab(flag)}: ${problem}`), USAGE].join('\n'),
    );
  return answers;
}

const USAGE = 'Run "keydesk init --help" for usage.';

async function askForRest(given: Written): Promise<Written> {
  if (missingFlags(given).length === 0) return given;
  const { ask, close } = createAsk();
  const written = await completeByQuestions(given, ask, note);
  close();
  return written ?? fail(EXIT.usage, '\nNothing is written: the input ended before the last question.');
}

/** @param flags those that the file replaces must not be given too */
function readIds(file: string, { organization, organizationId, pipeline = [] }: Written): Written {
  if (organization !== undefined || organizationId !== undefined)
    fail(EXIT.usage, '--ids has the organization. Remove --organization and --organization-id.');
  const text = file === '-' ? readFileSync(0, 'utf8') : readText(file);
  const parsed = identifiers.safeParse(parseJson(text));
  if (!parsed.success)
    return fail(EXIT.usage, `${file === '-' ? 'Standard input' : file} is not the output of keydesk ids --json.`);
  const { organization: found, pipelines } = parsed.data;
  const listed = pipelines.filter(({ archived }) => !archived).map(({ name, id }) => `${name}=${id}`);
  return { organization: found.slug, organizationId: found.id, pipeline: [...listed, ...pipeline] };
}

function readExample(): ReadonlyMap<string, string> {
  const folder = join(TERRAFORM_MODULE, 'example');
  return new Map(
    readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
      entry.isFile() ? [[entry.name, readFileSync(join(folder, entry.name), 'utf8')] as const] : [],
    ),
  );
}

/** Terraform takes a path only if it begins with a dot, or is absolute. */
function moduleSourceFrom(root: string): string {
  const path = relative(realFolder(root), realpathSync(TERRAFORM_MODULE)).split(sep).join('/');
  return isAbsolute(path) || path.startsWith('.') ? path : `./${path}`;
}

/** The folder from the root of the git repository that it is in. */
function folderInRepository(folder: string): string {
  const start = realFolder(folder);
  for (let parent = start; ; parent = dirname(parent)) {
    if (existsSync(join(parent, '.git'))) {
      const path = relative(parent, start).split(sep).join('/');
      return path === '' ? '' : `${path}/`;
    }
    if (dirname(parent) === parent) return '';
  }
}

/** With the links of the part that exists resolved. */
function realFolder(folder: string): string {
  const path = resolve(folder);
  return existsSync(path) ? realpathSync(path) : join(realFolder(dirname(path)), path.slice(dirname(path).length));
}

function writeNew(folder: string, files: ReadonlyMap<string, string>): void {
  if (existsSync(folder) && !statSync(folder).isDirectory()) fail(EXIT.usage, `${folder} is not a folder.`);
  const existing = [...files.keys()].map((path) => join(folder, path)).filter((path) => existsSync(path));
  if (existing.length > 0)
    fail(EXIT.failure, ['Nothing is written, because these files exist:', ...existing].join('\n  '));
  for (const [path, content] of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content, { flag: 'wx' });
  }
}

/** Any step of a pipeline can have the key of another. */
function sharedPipelines({ environments }: Answers): string[] {
  return environments
    .filter(({ isProtected }) => isProtected)
    .flatMap(({ name, pipeline }) => {
      const others = environments.filter((other) => other.name !== name && other.pipeline === pipeline);
      return others.length === 0
        ? []
        : [
            `The pipeline ${pipeline} deploys ${name} and ${others.map((other) => other.name).join(', ')}. Everybody who can change its steps can deploy ${name}. Use a pipeline of its own for ${name}: see docs/BUILDKITE.md.`,
          ];
    });
}

function toKebab(flag: Flag): string {
  return flag.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
