// Reads what a webhook's key depends on: the function, the versions of its secret, and the notification service at Buildkite.

import { shellCommand } from '../../shared/core/shell-quote.ts';
import { type KeyEvidence, keySince } from '../../shared/core/webhook/key-proof.ts';
import type { KeyVersion } from '../../shared/core/webhook/key-rotation.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { HttpClient } from '../../shared/runtime/http-client.ts';
import { CouldNotLook, type Google } from '../checks/google.ts';
import { readWebhookFunction, type WebhookFunction } from './cloud-run.ts';
import { functionOf, isSameHost, isSameUrl, secretOf, type WebhookDeployment } from './deployment.ts';
import type { NotificationServices, WebhookService } from './notification-services.ts';
import { readKeyVersions } from './secret-versions.ts';
import { findSignedWebhook } from './signed-webhooks.ts';
import type { WantedEvents } from './wanted-events.ts';

export interface WebhookDeps {
  readonly google: Google;
  readonly services: NotificationServices;
  /** Without credentials: for webhooks to the function. */
  readonly sendRequest: HttpClient;
  readonly clock: Clock;
  readonly deployment: WebhookDeployment;
  readonly events: WantedEvents;
}

export interface RunningWebhook {
  readonly running: WebhookFunction;
  readonly keys: KeyVersion;
  readonly versions: readonly KeyVersion[];
  /** Where Buildkite sends webhooks. */
  readonly url: string;
}

/** @throws CouldNotLook; `notDeployed` says what to do when the function is not there */
export async function readRunning(deps: WebhookDeps, notDeployed: string): Promise<RunningWebhook> {
  const { deployment } = deps;
  const [running, versions] = await Promise.all([readWebhookFunction(deps), readKeyVersions(deps)]);
  if (!running)
    throw new CouldNotLook(
      `${deployment.project} has no service ${functionOf(deployment)} in ${deployment.region}`,
      notDeployed,
    );
  const keys = versions.find(({ number }) => number === running.version);
  if (!keys)
    throw new CouldNotLook(
      `${functionOf(deployment)} runs with version ${running.version} of its secret, which is not enabled: a new instance does not start`,
      shellCommand`gcloud secrets versions enable ${String(running.version)} --secret=${secretOf(deployment)} --project=${deployment.project}`,
    );
  return { running, keys, versions, url: webhookUrl(deployment, running) };
}

/** Cloud Run's URL of the form that Terraform's outputs have, which is the first one. */
function webhookUrl({ url }: WebhookDeployment, { urls }: WebhookFunction): string {
  const [first] = urls;
  if (url !== undefined) return url;
  if (first !== undefined) return first;
  throw new CouldNotLook('Cloud Run does not say the URL of the webhook function', 'Name it with --url.');
}

/** The services that send webhooks to the function, at any path of Cloud Run's own host names. */
export async function findServices(
  { services, deployment }: WebhookDeps,
  { running }: Pick<RunningWebhook, 'running'>,
): Promise<readonly WebhookService[]> {
  const { url: own } = deployment;
  return (await services.list()).filter(({ settings: { url } }) => {
    return running.urls.some((one) => isSameHost(one, url)) || (own !== undefined && isSameUrl(own, url));
  });
}

/** Whether it is a URL at which the function takes webhooks. */
export function isWebhookUrl({ running, url: own }: Pick<RunningWebhook, 'running' | 'url'>, url: string): boolean {
  return [own, ...running.urls].some((one) => isSameUrl(one, url));
}

/** What the log says of the key that is saved at Buildkite, since it was saved there. */
export async function readEvidence(
  { google, deployment }: WebhookDeps,
  { running, keys }: RunningWebhook,
  { description, settings }: WebhookService,
  otherwiseSince: number,
): Promise<KeyEvidence> {
  const saved = keys.keys.indexOf(settings.token ?? '') + 1;
  const search = { revision: running.revision, since: keySince(description ?? '') ?? otherwiseSince };
  const others = keys.keys.map((_, index) => index + 1).filter((key) => key !== saved);
  const [first, ...last] = await Promise.all([
    findSignedWebhook(google, deployment, { ...search, key: saved, order: 'oldest' }),
    ...others.map((key) => findSignedWebhook(google, deployment, { ...search, key, order: 'newest' })),
  ]);
  return { firstBySaved: first?.at, lastByOther: last[0]?.at };
}
