// `keydesk webhook rotate`: another key for the webhook, without a webhook that is refused.

import { Command, InvalidArgumentError } from '@commander-js/extra-typings';
import { systemClock } from '../../../shared/runtime/clock.ts';
import { examples } from '../../options.ts';
import { EXIT, note, print, printJson } from '../../terminal.ts';
import { randomKey } from '../../webhook/random-key.ts';
import { type RotationResult, rotateKey } from '../../webhook/rotate.ts';
import { CREDENTIALS_HELP, openDeployment, orExplain, withDeploymentOptions } from './deployment-options.ts';

const MINUTE_MS = 60_000;

export const rotateCommand = withDeploymentOptions(new Command('rotate'))
  .summary('replace the key with which Buildkite signs')
  .description(
    `Replace the key of the webhook by a random new one. The command stores a version of the secret with both keys, deploys the function with it, and sees that the function accepts the new key. Then it saves the new key at Buildkite, and waits until a webhook of Buildkite was signed with it and nothing that the old key signed can arrive. Only then it deploys the new key alone, and disables the earlier versions. That takes about ten minutes. The end of any job is such a webhook.

With --by-terraform it deploys nothing, and Terraform does: prefer that, because without it you may act as the account of the webhook function, which ends access and writes the data databases.

It is safe to interrupt and to repeat: the next run continues. Run one at a time. Afterwards set webhook_tokens_version to the version that the command prints. An apply with the earlier number fails, and the function keeps running.

${CREDENTIALS_HELP} The API token needs the scopes read_notification_services and write_notification_services. You need roles/secretmanager.admin and roles/logging.viewer on Keydesk's project. Without --by-terraform also roles/run.admin there, and roles/iam.serviceAccountUser on the account of the webhook function.`,
  )
  .option('--abort', 'go back to the old key, and end the rotation that was begun')
  .option('--by-terraform', 'recommended: deploy nothing, name the version to apply, and continue with the next run')
  .option('--wait <minutes>', 'for how long to wait for webhooks', parseMinutes, 20)
  .option('--dry-run', 'change nothing; say what the next step is')
  .option('--json', 'the result as JSON')
  .addHelpText(
    'after',
    `${examples(
      'webhook rotate --project acme-keydesk --region europe-west1 --organization acme-inc --by-terraform',
      'webhook rotate --project acme-keydesk --region europe-west1 --organization acme-inc',
      'webhook rotate --project acme-keydesk --region europe-west1 --organization acme-inc --abort',
    )}

Exit code 1: the rotation is not complete. The message says what to do, and every webhook is accepted until then.`,
  )
  .action(async ({ json, abort = false, byTerraform = false, dryRun = false, wait, ...options }) => {
    const deps = await openDeployment(options);
    const result = await orExplain(
      rotateKey(deps, {
        ...{ byTerraform, dryRun, goal: abort ? 'abort' : 'rotate', waitMs: wait * MINUTE_MS },
        ...{ newKey: () => randomKey(systemClock), report: note },
      }),
    );
    if (json) printJson(result);
    else print(describe(result));
    if (result.result === 'waiting' || result.result === 'apply') process.exitCode = EXIT.failure;
  });

function describe({ result, version }: RotationResult): string {
  const set = `set webhook_tokens_version = "${version}"`;
  switch (result) {
    case 'rotated':
      return `The key is rotated. The function runs with version ${version} of the secret: ${set} before the next apply.`;
    case 'aborted':
      return `The old key is in use again. The function runs with version ${version} of the secret: ${set} before the next apply.`;
    case 'nothing_to_abort':
      return 'No rotation is under way. Nothing was changed.';
    case 'waiting':
      return 'It is not certain yet that Buildkite signs with that key alone. Both keys stay valid. Run a job, then run this command again, or give it --abort.';
    case 'apply':
      return `Next: ${set}, apply, and run this command again.`;
    case 'dry_run':
      return 'Nothing was changed.';
  }
}

function parseMinutes(written: string): number {
  const minutes = /^[0-9]{1,4}$/.test(written) ? Number(written) : Number.NaN;
  if (!Number.isNaN(minutes)) return minutes;
  throw new InvalidArgumentError('it takes a number of minutes');
}
