// `keydesk webhook install`: the notification service at Buildkite, with a key that the function has.

import { Command } from '@commander-js/extra-typings';
import { systemClock } from '../../../shared/runtime/clock.ts';
import { examples } from '../../options.ts';
import { note, print, printJson, warn } from '../../terminal.ts';
import { type InstallResult, installWebhook } from '../../webhook/install.ts';
import { randomKey } from '../../webhook/random-key.ts';
import {
  CREDENTIALS_HELP,
  EVENTS_HELP,
  openDeployment,
  orExplain,
  withDeploymentOptions,
} from './deployment-options.ts';

const WAIT_MS = 60_000;

export const installCommand = withDeploymentOptions(new Command('install'))
  .summary('create or correct the notification service at Buildkite')
  .description(
    `Create the notification service at Buildkite that reports the ends of jobs, or correct the one that is there: signature mode, the events that Keydesk needs and no other, TLS verified, all pipelines, no branch filter.

Run it before the functions are deployed, and again after. The first run stores a random key in the secret of the Terraform module, and names the version for webhook_tokens_version. The second run creates the service. So no webhook is signed with a key that the function does not have. It is safe to repeat.

${EVENTS_HELP}

${CREDENTIALS_HELP} The API token needs the scopes read_notification_services and write_notification_services. You need roles/secretmanager.admin, roles/run.viewer and roles/logging.viewer on Keydesk's project.`,
  )
  .option('--dry-run', 'change nothing; say what would change')
  .option('--json', 'the result as JSON')
  .addHelpText(
    'after',
    `${examples(
      'webhook install --project acme-keydesk --region europe-west1 --organization acme-inc',
      'webhook install --project acme-keydesk --region europe-west1 --organization acme-inc --dry-run',
    )}

Exit code 1: something is missing or was refused. What was done until then stays, and the next run continues.`,
  )
  .action(async ({ json, dryRun = false, ...options }) => {
    const deps = await openDeployment(options);
    const result = await orExplain(
      installWebhook(deps, { dryRun, waitMs: WAIT_MS, newKey: () => randomKey(systemClock), report: note }),
    );
    if (json) return printJson(result);
    print(describe(result));
    if (result.arrived === false) warn('No webhook has arrived in a minute. Run a job, then: keydesk webhook check');
  });

function describe({ result, version, service, changes }: InstallResult): string {
  switch (result) {
    case 'stored':
      return `Version ${version} of the secret has the key. Next: set webhook_tokens_version = "${version}", apply, and run this command again.`;
    case 'created':
      return `Buildkite has the notification service ${service}. It signs with a key of version ${version}.`;
    case 'changed':
      return `The notification service ${service} is as Keydesk needs it. Changed: ${changes.join(', ')}.`;
    case 'unchanged':
      return `The notification service ${service} is as Keydesk needs it. Nothing was changed.`;
    case 'dry_run':
      return 'Nothing was changed.';
  }
}
