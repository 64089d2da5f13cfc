// `npm start`: builds the functions and runs the sandbox. Reads the arguments; the rest is in sandbox/run.ts.

import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { readDeployablePolicy } from '../cli/policy-file.ts';
import { writeApprovalsPolicy } from './approvals/policy.ts';
import { ROOT } from './functions.ts';

const USAGE = `usage: npm start -- [--policy FILE | --approvals] [--once | --shell]
  Runs Keydesk's functions with Google's emulators, a fake Buildkite and a fake Google, on loopback only.
  Plays one job from start to end, prints lines to try more, and stays up until Ctrl-C.

  --policy FILE  run this policy instead of examples/policy.yaml, without the demo. The printed lines start a job that
                 one of its rules grants, and fetch its credential
  --approvals    play approvals, teams, machines and break-glass access in place of the demo, with the policies of
                 examples/approvals and examples/break-glass
  --once         do not stay up. Exit with 0 only if all steps passed or, with --policy, if every credential that a rule
                 grants was issued once
  --shell        open your shell in place of the demo. In it curl, the plugin, gcloud, Terraform, the client libraries and
                 keydesk work against the sandbox. It also reads commands from a pipe. Leaving it ends the sandbox`;

const options = readOptions();
const { once, shell, approvals } = options;
const merged = approvals ? writeApprovalsPolicy() : undefined;
const policyFile = merged?.file ?? chosenPolicy(options.policy);
const { policy } = readDeployablePolicy(policyFile);
(options.shell ? process.stderr : process.stdout).write('building the functions…\n');
// Imported only now, so that --help and problems of the policy do not wait for the build.
await import('../scripts/build.ts');
const { runSandbox } = await import('./run.ts');
const play = approvals ? 'approvals' : options.policy === undefined ? 'demo' : undefined;
const exitCode = await runSandbox({ policy, policyFile, play, once, shell }).finally(() => merged?.remove());
process.exit(exitCode);

function chosenPolicy(path: string | undefined): string {
  if (path === undefined) return join(ROOT, 'examples', 'policy.yaml');
  // npm runs this in the project's folder; INIT_CWD is the folder in which the user called npm.
  return resolve(process.env.INIT_CWD ?? process.cwd(), path);
}

/** The options that `npm start` without `--` has taken as its own settings, as they must be written. */
function optionsKeptByNpm(settings = process.env) {
  const {
    npm_config_policy: policy,
    npm_config_approvals: approvals,
    npm_config_once: once,
    npm_config_shell: shell,
  } = settings;
  return [
    ...(policy === undefined ? [] : ['--policy FILE']),
    ...(approvals === undefined ? [] : ['--approvals']),
    ...(once === undefined ? [] : ['--once']),
    // npm has a setting of this name: the path of a shell, unless it stems from the option.
    ...(shell === '' || shell === 'true' ? ['--shell'] : []),
  ];
}

interface Options {
  readonly policy?: string;
  readonly approvals: boolean;
  readonly once: boolean;
  readonly shell: boolean;
}

function readOptions(): Options {
  try {
    const kept = optionsKeptByNpm().join(' ');
    if (kept) throw new Error(`npm did not pass on ${kept}: write npm start -- ${kept}`);
    const { values } = parseArgs({
      options: {
        policy: { type: 'string' },
        approvals: { type: 'boolean', default: false },
        once: { type: 'boolean', default: false },
        shell: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.once && values.shell) throw new Error('--once and --shell exclude each other');
    if (values.approvals && values.policy !== undefined) throw new Error('--approvals and --policy exclude each other');
    if (!values.help) return values;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n${USAGE}\n`);
    process.exit(2);
  }
  process.stdout.write(`${USAGE}\n`);
  process.exit(0);
}
