// `keydesk doctor`: compares a deployment with what the policy needs. With --before-deploy: before the first apply, looks at what the policy
// and the Terraform module need. Both use the rights of the person who runs them, and only read. `--live` is in cli/live.

import { Command, InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { closestName } from '../../shared/core/closest-name.ts';
import { toIso } from '../../shared/core/iso-time.ts';
import { projectIdSchema } from '../../shared/core/policy/google-names.ts';
import { type Clock, systemClock } from '../../shared/runtime/clock.ts';
import { givenApiTokens } from '../api-token.ts';
import { countResults, explanations, resultLine, summary } from '../checks/report.ts';
import { planChecks, runChecks } from '../checks/run.ts';
import { runDoctor } from '../doctor/command.ts';
import { addLiveOptions, LIVE_DESCRIPTION, LIVE_EXAMPLES, LIVE_EXIT_CODES, readLiveOptions } from '../live/options.ts';
import { runLive } from '../live/run.ts';
import { openGoogle } from '../open-google.ts';
import { examples, policyOption } from '../options.ts';
import { readPolicy } from '../policy-file.ts';
import { CHECK_KINDS, FINDING_NAMES, TOKEN_KINDS } from '../preflight/checks.ts';
import { targetOf } from '../preflight/target.ts';
import { EXIT, note, print, printJson } from '../terminal.ts';
import { parseUrl } from './webhook/deployment-options.ts';

const FIRST_PROGRESS_MS = 1_000;
const PROGRESS_MS = 5_000;

export const doctorCommand = new Command('doctor')
  .summary('is the deployment what the policy needs?')
  .description(
    `Compare a deployment with what the policy needs: functions, identities, IAM bindings, secrets, security rules, ledger, logs. Each finding has evidence, risk, fix and undo. With --services-token-file also the notification service at Buildkite. docs/DOCTOR.md lists every finding, the exceptions, and the files of --from for auditors without access.

With --before-deploy: before the first deployment, look at what the policy and the Terraform module need, and say what would fail. The command only reads, but for one signed webhook that means nothing, with --services-token-file. It uses your application default credentials (gcloud auth application-default login) or the access token in GOOGLE_OAUTH_ACCESS_TOKEN (gcloud auth print-access-token), and the quota of the project that --project names.

The projects, databases, accounts and buckets are those of the policy. What only the Terraform module knows are options: --create-policy-accounts, --touched, --no-log-archive, --pool-groups and --project-number. Something that it could not look at is a finding, never a success. docs/PREFLIGHT.md lists every finding.

${LIVE_DESCRIPTION}`,
  )
  .addOption(policyOption())
  .option('--project <id>', "Keydesk's own project", parseProject)
  .option('--region <region>', 'region of the functions, such as europe-west1', parseLocation)
  .option('--deployment <file>', 'settings of the deployment: terraform output -json deployment > FILE')
  .option('--exceptions <file>', 'findings that do not count, with reason and expiry')
  .option('--from <folder>', 'look at exported JSON instead of the APIs')
  .option('--archives <folder>', 'compare what runs with the archives of keydesk package')
  .option(
    '--token-file <file>',
    "also look at Keydesk's Buildkite API token: a file, or - (default: BUILDKITE_API_TOKEN)",
  )
  .addOption(
    new Option(
      '--teams-token-file <file>',
      "also look at Keydesk's Buildkite API token for teams: a file, or -",
    ).conflicts('from'),
  )
  .addOption(
    new Option(
      '--services-token-file <file>',
      "also check the webhook's notification service, key and arrivals: a file with a Buildkite API token that has read_notification_services, or -",
    ).conflicts('from'),
  )
  .option('--webhook-url <url>', "where Buildkite sends webhooks (default: Cloud Run's URL of the function)", parseUrl)
  .option('--before-deploy', 'run the checks before the first deployment instead')
  .optionsGroup('With --before-deploy:')
  .option('--ledger-location <location>', "location of the ledger's database (default: --region)", parseLocation)
  .option('--scheduler-region <region>', 'region of the Cloud Scheduler job (default: --region)', parseLocation)
  .option('--touched <project...>', 'projects that pool_roles of the Terraform module names', collectProjects, [])
  .option('--create-policy-accounts', 'create_policy_accounts of the Terraform module is true')
  .option('--no-log-archive', 'log_archive of the Terraform module is null')
  .option('--pool-groups', 'pool_groups of the Terraform module is set')
  .addOption(
    new Option('--project-number <project=number...>', 'project_numbers of the Terraform module, to compare')
      .argParser(collectNumbers)
      .default({} as Record<string, string>, 'none'),
  )
  .addOption(
    new Option('--accept <finding...>', 'findings that do not count, by name')
      .argParser(collectFindings)
      .default([] as string[], 'none'),
  )
  .optionsGroup('Output:')
  .option('--json', 'the results as JSON')
  .addHelpText(
    'after',
    `${examples(
      'doctor --deployment deployment.json --exceptions exceptions.yaml',
      'doctor --project acme-keydesk --region europe-west1 --from export --json',
      'doctor --before-deploy --project acme-keydesk --region europe-west1 --ledger-location eur3 --create-policy-accounts',
      'doctor --before-deploy --project acme-keydesk --region europe-west1 --accept keys_allowed --json',
      ...LIVE_EXAMPLES,
    )}

Exit code 1: there is a finding that is not accepted or excepted, or something could not be looked at. ${LIVE_EXIT_CODES}`,
  )
  .action(async ({ accept, json, beforeDeploy, project, region, ...options }, command) => {
    if ('live' in options) return runLive(readLiveOptions(command));
    if (!beforeDeploy) return runDoctor({ ...options, project, region, json });
    if (project === undefined) return command.error("error: required option '--project <id>' not specified");
    if (region === undefined) return command.error("error: required option '--region <region>' not specified");
    const { policy, sha256 } = readPolicy(options.policy);
    const {
      ledgerLocation = region,
      schedulerRegion = region,
      touched,
      createPolicyAccounts = false,
      logArchive,
      poolGroups = false,
    } = options;
    const target = targetOf(policy, {
      project,
      region,
      ledgerLocation,
      schedulerRegion,
      touched,
      createPolicyAccounts,
      logArchive,
      poolGroups,
      projectNumbers: options.projectNumber,
    });
    const google = await openGoogle(project);
    const tokens = { policy, clock: systemClock, ...givenApiTokens(options) };
    const planned = [...planChecks(CHECK_KINDS, target), ...planChecks(TOKEN_KINDS, tokens)];
    const nameWidth = Math.max(...planned.map(({ kind }) => kind.name.length));
    const madeAt = systemClock.now();
    let done = 0;
    const progress = reportProgress(systemClock, () => `${done} of ${planned.length} checks are done…`);
    const results = await runChecks(planned, google, {
      accepted: accept,
      report: (result) => {
        done += 1;
        if (!json) print(resultLine(result, nameWidth));
      },
    });
    progress.abort();
    const counts = countResults(results);
    if (json)
      printJson({
        project,
        policy_sha256: sha256,
        made_at: toIso(madeAt),
        source: { kind: 'google_apis' },
        counts,
        checks: results,
      });
    else for (const line of ['', ...explanations(results), summary(counts)]) print(line);
    if (counts.errors + counts.warnings + counts.could_not_look > 0) process.exitCode = EXIT.failure;
  });

addLiveOptions(doctorCommand);

/** Lines on standard error after a second and then every few seconds, until it is aborted. */
function reportProgress(clock: Clock, line: () => string): AbortController {
  const ended = new AbortController();
  const report = async () => {
    for (let pause = FIRST_PROGRESS_MS; ; pause = PROGRESS_MS) {
      await clock.sleep(pause, ended.signal);
      note(line());
    }
  };
  report().catch(() => {});
  return ended;
}

function parseProject(written: string): string {
  if (projectIdSchema.safeParse(written).success) return written;
  throw new InvalidArgumentError('--project takes the ID of a Google Cloud project');
}

function collectProjects(written: string, before: readonly string[]): string[] {
  if (projectIdSchema.safeParse(written).success) return [...before, written];
  throw new InvalidArgumentError('it takes the ID of a Google Cloud project');
}

function collectNumbers(written: string, before: Readonly<Record<string, string>>): Record<string, string> {
  const [, project, number] = /^([^=]+)=([1-9][0-9]+)$/.exec(written) ?? [];
  if (project === undefined || number === undefined)
    throw new InvalidArgumentError('it takes PROJECT=NUMBER, such as acme-keydesk=123456789012');
  return { ...before, [project]: number };
}

function parseLocation(written: string): string {
  if (/^[a-z]+(-[a-z]+)?[0-9]+$/.test(written)) return written;
  throw new InvalidArgumentError('it takes a location such as europe-west1 or eur3');
}

function collectFindings(written: string, before: readonly string[]): string[] {
  if (FINDING_NAMES.includes(written)) return [...before, written];
  const closest = closestName(written, FINDING_NAMES);
  throw new InvalidArgumentError(
    closest === undefined ? 'docs/PREFLIGHT.md lists the findings.' : `Did you mean "${closest}"?`,
  );
}
