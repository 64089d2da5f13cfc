// `keydesk webhook check`: whether the ends of jobs can arrive, and which key signs them. Reads only, but for one signed webhook.

import { Command } from '@commander-js/extra-typings';
import { countResults, explanations, resultLine, summary } from '../../checks/report.ts';
import { runChecks } from '../../checks/run.ts';
import { examples } from '../../options.ts';
import { EXIT, print, printJson } from '../../terminal.ts';
import { webhookChecks } from '../../webhook/check.ts';
import { CREDENTIALS_HELP, EVENTS_HELP, openDeployment, withDeploymentOptions } from './deployment-options.ts';

export const checkCommand = withDeploymentOptions(new Command('check'))
  .summary('check the service at Buildkite, its key, and what arrived')
  .description(
    `Check that the ends of jobs can arrive: the notification service at Buildkite and its settings, whether the running function has its key, and which key signed the last webhook. The command changes nothing. It sends the function one webhook that means nothing, signed with the key at Buildkite. Something that it could not look at is a finding, never a success.

${EVENTS_HELP}

${CREDENTIALS_HELP} The API token needs the scope read_notification_services. You need to read the secret's versions (roles/secretmanager.admin, or roles/secretmanager.viewer and roles/secretmanager.secretAccessor), roles/run.viewer and roles/logging.viewer.`,
  )
  .option('--json', 'the results as JSON')
  .addHelpText(
    'after',
    `${examples('webhook check --project acme-keydesk --region europe-west1 --organization acme-inc')}

Exit code 1: there is a finding, or something could not be looked at.`,
  )
  .action(async ({ json, ...options }) => {
    const deps = await openDeployment(options);
    const planned = webhookChecks(deps);
    const nameWidth = Math.max(...planned.map(({ kind }) => kind.name.length));
    const results = await runChecks(planned, deps.google, {
      accepted: [],
      report: (result) => {
        if (!json) print(resultLine(result, nameWidth));
      },
    });
    const counts = countResults(results);
    if (json) printJson({ project: deps.deployment.project, counts, checks: results });
    else for (const line of ['', ...explanations(results), summary(counts)]) print(line);
    if (counts.ok < counts.checks) process.exitCode = EXIT.failure;
  });
