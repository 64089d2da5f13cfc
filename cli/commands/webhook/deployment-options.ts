// What the commands of the webhook have in common: where the deployment is, and with whose rights they look at it.

import { existsSync } from 'node:fs';
import { type Command, InvalidArgumentError } from '@commander-js/extra-typings';
import { projectIdSchema } from '../../../shared/core/policy/google-names.ts';
import type { Policy } from '../../../shared/core/policy/policy.ts';
import { systemClock } from '../../../shared/runtime/clock.ts';
import { errorMessage } from '../../../shared/runtime/errors.ts';
import { createHttpClient } from '../../../shared/runtime/http-client.ts';
import { API_TOKEN_VARIABLE, readApiToken } from '../../api-token.ts';
import { CouldNotLook } from '../../checks/google.ts';
import { openGoogle } from '../../open-google.ts';
import { defaultPolicy, required } from '../../options.ts';
import { readPolicy } from '../../policy-file.ts';
import { EXIT, fail } from '../../terminal.ts';
import { createNotificationServices } from '../../webhook/notification-services.ts';
import type { WebhookDeps } from '../../webhook/situation.ts';
import { wantedEvents } from '../../webhook/wanted-events.ts';

export const EVENTS_HELP =
  'Which events are needed is read from the policy (KEYDESK_POLICY, else policy.yaml in the current folder): job.finished always, job.activated where a rule has an approval, build.scheduled where one has created_by. Without a policy the command demands job.finished alone, and leaves the other two as they are.';

export const CREDENTIALS_HELP = `The command reads a Buildkite API token from ${API_TOKEN_VARIABLE} or --token-file. It calls Google with your application default credentials (gcloud auth application-default login) or the access token in GOOGLE_OAUTH_ACCESS_TOKEN. It prints no token and no key.`;

interface DeploymentOptions {
  readonly organization?: string | undefined;
  readonly project?: string | undefined;
  readonly region?: string | undefined;
  readonly namePrefix: string;
  readonly url?: string | undefined;
  readonly tokenFile?: string | undefined;
}

export function withDeploymentOptions<Args extends unknown[], Opts extends Record<string, unknown>>(
  command: Command<Args, Opts>,
) {
  return command
    .option('--organization <slug>', "the Buildkite organization's slug (default: the policy's)", parseSlug)
    .option('--project <id>', "Keydesk's own project (default: GOOGLE_CLOUD_PROJECT)", parseProject)
    .option('--region <region>', 'region of the functions, such as europe-west1 (required)', parseRegion)
    .option('--name-prefix <prefix>', 'name_prefix of the Terraform module', parsePrefix, 'keydesk')
    .option('--url <url>', "where Buildkite sends webhooks (default: Cloud Run's URL of the function)", parseUrl)
    .option('--token-file <file>', 'a file with the API token, or - for standard input');
}

/** Ends the process when something is missing. */
export async function openDeployment(options: DeploymentOptions): Promise<WebhookDeps> {
  const { namePrefix, url } = options;
  const project = required(options.project ?? (process.env.GOOGLE_CLOUD_PROJECT || undefined), '--project');
  const region = required(options.region, '--region');
  const policy = policyHere();
  const organization = required(options.organization ?? policy?.organization.slug, '--organization');
  const apiToken = readApiToken(options.tokenFile);
  const sendRequest = createHttpClient(systemClock);
  return {
    google: await openGoogle(project),
    services: createNotificationServices({
      ...{ sendRequest, clock: systemClock, apiToken, organization },
      apiUrl: process.env.KEYDESK_BUILDKITE_API_URL || 'https://api.buildkite.com',
    }),
    ...{ sendRequest, clock: systemClock },
    deployment: { project, region, namePrefix, organization, url },
    events: wantedEvents(policy),
  };
}

/** Ends the process with what was not there or not allowed, and what to do. */
export async function orExplain<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof CouldNotLook) return fail(EXIT.failure, `${error.message}.\n${error.fix}`);
    return fail(EXIT.failure, `${errorMessage(error)}.`);
  }
}

/** The policy in the current folder, if there is one. */
function policyHere(): Policy | undefined {
  const file = defaultPolicy();
  return existsSync(file) ? readPolicy(file).policy : undefined;
}

function parseSlug(written: string): string {
  if (/^[^\s/:]{1,256}$/.test(written)) return written;
  throw new InvalidArgumentError('it takes the slug of an organization, such as acme-inc.');
}

export function parseProject(written: string): string {
  if (projectIdSchema.safeParse(written).success) return written;
  throw new InvalidArgumentError('it takes the ID of a Google Cloud project');
}

export function parseRegion(written: string): string {
  if (/^[a-z]+-[a-z]+[0-9]+$/.test(written)) return written;
  throw new InvalidArgumentError('it takes a region such as europe-west1');
}

export function parsePrefix(written: string): string {
  if (/^[a-z](?:[a-z0-9-]{0,18}[a-z0-9])?$/.test(written)) return written;
  throw new InvalidArgumentError('it takes name_prefix of the Terraform module, such as keydesk');
}

/** Plain HTTP is for tests on this machine. */
export function parseUrl(written: string): string {
  if (/^https:\/\/[^\s?#]+$|^http:\/\/127\.0\.0\.1:/.test(written) && URL.canParse(written)) return written;
  throw new InvalidArgumentError('it takes an https URL without a query');
}
