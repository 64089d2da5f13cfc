// The options of `keydesk doctor --live`, and what they mean together.

import { type CommandUnknownOpts, InvalidArgumentError, Option } from '@commander-js/extra-typings';
import * as z from 'zod';
import { collect } from '../options.ts';
import { BOUND_MS, REJECTIONS_IN_A_ROW, TRIALS } from './method.ts';
import { parseTarget, type Target } from './targets.ts';

const GROUP = 'Options of --live:';

export const LIVE_DESCRIPTION = `With --live, in a step of a Buildkite job: measure how long a token is still accepted after its grant has ended. The command requests a canary grant of each credential that you name, uses it five times a second against an API, ends it with POST /revoke, and goes on until the API has rejected it often enough. It releases every grant that it made. A job can have a credential once, so each job is one trial: run ten jobs, and sum up their results with --join. docs/OPERATIONS.md has a pipeline.`;

export const LIVE_EXAMPLES = [
  'doctor --live --url https://keydesk.acme.example --credential canary --place europe-west1 --json > trial.json',
  'doctor --live --join trial-*.json',
];

export const LIVE_EXIT_CODES =
  'Exit code 1 with --live: a token was still accepted when its trial ended, something could not be measured, a grant may be left, or --join has too few trials.';

/** Adds them to the command `doctor`. */
export function addLiveOptions(command: CommandUnknownOpts): void {
  for (const option of liveOptions()) command.addOption(option.helpGroup(GROUP));
}

function liveOptions(): Option[] {
  return [
    new Option('--live', 'measure how long revocation takes').conflicts('beforeDeploy'),
    new Option('--url <url>', 'the function token'),
    new Option('--audience <audience>', 'audience of the job token (default: --url)'),
    new Option('--credential <name>', 'a credential to measure; no other is requested. Repeatable').argParser(collect),
    new Option(
      '--target <name=url>',
      'what a token of the credential reads (default for Firestore: a document that the policy allows). Repeatable',
    ).argParser(collect),
    new Option('--token <file>', 'a job token; only - for standard input (default: buildkite-agent)').choices(['-']),
    new Option('--place <text>', 'from where you measure, for the report, such as a region'),
    new Option('--rejections <count>', 'rejections in a row after which a token counts as ended')
      .argParser(countFrom(1, 1000))
      .default(REJECTIONS_IN_A_ROW),
    new Option('--bound <seconds>', 'how long a trial goes on after the release')
      .argParser(countFrom(5, 3600))
      .default(BOUND_MS / 1000),
    new Option('--join <file...>', 'sum up the JSON of several runs, and measure nothing'),
    new Option('--trials <count>', 'with --join: how many trials each target needs')
      .argParser(countFrom(1, 10_000))
      .default(TRIALS),
    new Option('--with-names', 'name credentials, environments, grants and URLs in the results'),
    new Option('--log', 'print a line for Cloud Logging for each measurement, and no report').conflicts('json'),
  ];
}

const schema = z.object({
  policy: z.string(),
  url: z.string().optional(),
  audience: z.string().optional(),
  credential: z.array(z.string()).default([]),
  target: z.array(z.string()).default([]),
  token: z.literal('-').optional(),
  place: z.string().max(64).optional(),
  rejections: z.number(),
  bound: z.number(),
  join: z.array(z.string()).optional(),
  trials: z.number(),
  withNames: z.boolean().default(false),
  json: z.boolean().default(false),
  log: z.boolean().default(false),
});
export type LiveOptions = z.output<typeof schema>;

export function readLiveOptions(command: CommandUnknownOpts): LiveOptions {
  return schema.parse(command.opts());
}

/** What a run needs; or what is wrong with the command line, in a sentence. */
export function plannedRun(
  options: LiveOptions,
):
  | { readonly url: string; readonly audience: string; readonly targets: ReadonlyMap<string, readonly Target[]> }
  | string {
  if (options.url === undefined) return '--url is missing: --live needs the URL of the function token.';
  const url = URL.parse(options.url);
  const isLoopback = url?.protocol === 'http:' && ['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname);
  if (url?.protocol !== 'https:' && !isLoopback) return `--url takes an https URL, and not ${options.url}.`;
  if (options.credential.length === 0)
    return '--credential is missing: name the credentials to measure. No other is requested.';
  const targets = new Map<string, Target[]>([...options.credential].map((name) => [name, []]));
  for (const written of options.target) {
    const [, name = '', targetUrl = ''] = /^([^=]*)=(.*)$/s.exec(written) ?? [];
    const named = targets.get(name);
    if (!named) return `--target takes NAME=URL, with a NAME that --credential names. It is ${written}.`;
    const target = parseTarget(targetUrl);
    if ('problem' in target) return target.problem;
    named.push(target);
  }
  const withoutSlash = options.url.replace(/\/$/, '');
  return { url: withoutSlash, audience: options.audience ?? withoutSlash, targets };
}

function countFrom(least: number, most: number): (written: string) => number {
  return (written) => {
    const count = /^[1-9][0-9]*$/.test(written) ? Number(written) : 0;
    if (count >= least && count <= most) return count;
    throw new InvalidArgumentError(`It takes a number from ${least} to ${most}.`);
  };
}
