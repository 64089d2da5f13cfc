// Writes the commands that the sandbox's shell has on its PATH, and its start files.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Environment } from './environment.ts';
import { ROOT } from './functions.ts';
import type { Playground } from './playground.ts';
import { CURL, quoted } from './shell-text.ts';

const AGENT = fileURLToPath(new URL('fakes/buildkite/agent.ts', import.meta.url));
const STEP = fileURLToPath(new URL('step-command.ts', import.meta.url));
const CLI = join(ROOT, 'cli', 'keydesk.ts');
const NODE = quoted(process.execPath);
/** Who runs `keydesk` in the sandbox. */
export const PERSON = 'alice@acme.example';

/** Writes them into `folder`: `bin`, `bashrc`, `.zshrc`, and what `step` reads. */
export function writeShellCommands(folder: string, environment: Environment, { jobsUrl }: Playground): void {
  const { policy, buildkite, token, sweep, google, machines } = environment;
  const job = join(folder, 'job.env');
  const claims = join(folder, 'job.claims');
  const [gcloud, gsutil] = [join(folder, 'settings', 'gcloud'), join(folder, 'settings', 'gsutil')].map(quoted);
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  const command = (name: string, ...lines: string[]) =>
    writeFileSync(join(bin, name), ['#!/bin/sh', ...lines, ''].join('\n'), { mode: 0o755 });

  command(
    'start-job',
    '# start-job [CLAIM=VALUE...]',
    `printf '%s\\n' "$@" > ${quoted(`${claims}.new`)}`,
    'for claim do set -- "$@" --data-urlencode "$claim"; shift; done',
    `new=${quoted(`${job}.new`)}`,
    `${CURL} -X POST "$@" ${jobsUrl} > "$new" || { sh "$new"; exit 1; }`,
    `sed 's/^\\([A-Z_]*=\\)/export \\1/' "$new" > ${quoted(job)}`,
    `mv ${quoted(`${claims}.new`)} ${quoted(claims)}`,
    '# gcloud and gsutil keep access tokens by the name of the credential, and use them for another job too.',
    `rm -rf ${gcloud} ${gsutil} && mkdir ${gcloud} ${gsutil}`,
    `. ${quoted(job)}`,
    'echo "job $BUILDKITE_JOB_ID: pipeline $BUILDKITE_PIPELINE_SLUG, branch $BUILDKITE_BRANCH, step $BUILDKITE_STEP_KEY"',
  );
  command('finish-job', `. ${quoted(job)}`, `${CURL} -X POST ${jobsUrl}/$BUILDKITE_JOB_ID/finish | sh`, 'echo');
  command(
    'unblock',
    '# unblock [by=bob|alice|carol]',
    `. ${quoted(job)}`,
    '# What is refused comes as a line of shell that says why, so curl says nothing.',
    `answer=$(curl -s --fail-with-body -X POST -d "$1" ${jobsUrl}/$BUILDKITE_JOB_ID/unblock)`,
    'code=$?',
    `printf '%s\\n' "$answer" | sh`,
    'case $code in',
    '0) echo ;;',
    '22) exit 1 ;;',
    '*) echo "the sandbox does not respond: curl ended with $code" >&2; exit 1 ;;',
    'esac',
  );
  const [provider] = Object.keys(policy.identityProviders);
  if (provider !== undefined)
    command(
      'machine-token',
      '# machine-token [PROVIDER]',
      `case "\${1:-${provider}}" in`,
      ...Object.keys(policy.identityProviders).map((name) => `${name}) ${CURL} ${machines.tokenUrlOf(name)} ;;`),
      `*) echo "the policy has no identity provider $1" >&2; exit 1 ;;`,
      'esac',
    );
  command('sweep', `${CURL} -X POST ${sweep.url}/`, 'echo');
  command('buildkite-agent', `. ${quoted(job)}`, `exec ${NODE} ${quoted(AGENT)} "$@"`);
  command('step', `exec ${NODE} ${quoted(STEP)} "$@"`);
  // It acts as a person, who has no job's credential.
  command(
    'keydesk',
    'unset GOOGLE_APPLICATION_CREDENTIALS',
    `KEYDESK_ID_TOKEN=$(${CURL} ${google.url}/people/${PERSON}/id-token)`,
    'export KEYDESK_ID_TOKEN',
    `exec ${NODE} ${quoted(CLI)} "$@"`,
  );

  const functions = [
    `PATH=${quoted(bin)}:$PATH`,
    `start-job() { command start-job "$@" && . ${quoted(job)}; }`,
    `. ${quoted(job)}`,
  ];
  const bash = ['unset BASH_ENV', 'case $- in *i*) [ ! -f ~/.bashrc ] || . ~/.bashrc; PS1="(sandbox) $PS1";; esac'];
  writeFileSync(join(folder, 'bashrc'), [...bash, ...functions, ''].join('\n'));
  const zsh = ['ZDOTDIR=$HOME', '[ ! -f ~/.zshrc ] || . ~/.zshrc', 'PS1="(sandbox) $PS1"'];
  writeFileSync(join(folder, '.zshrc'), [...zsh, ...functions, ''].join('\n'));
  writeFileSync(join(folder, 'redacted'), '');
  writeFileSync(
    join(folder, 'step.json'),
    JSON.stringify({ organization: buildkite.organization, audience: policy.audience, url: token.url, jobsUrl }),
  );
}
