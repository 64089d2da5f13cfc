// The checks of the notification service at Buildkite that calls the function `webhook`: the one place from which the doctor plans them. They
// need an API token that may read notification services, and they send the function one signed webhook that means nothing.

import type { Clock } from '../../shared/runtime/clock.ts';
import { createHttpClient } from '../../shared/runtime/http-client.ts';
import { readApiToken } from '../api-token.ts';
import type { CheckKind } from '../checks/check.ts';
import type { Google } from '../checks/google.ts';
import type { Planned } from '../checks/run.ts';
import { webhookChecks } from '../webhook/check.ts';
import { webhookArrivalKind, webhookKeyKind, webhookServiceKind } from '../webhook/findings.ts';
import { createNotificationServices } from '../webhook/notification-services.ts';
import type { WebhookDeps } from '../webhook/situation.ts';
import { wantedEvents } from '../webhook/wanted-events.ts';
import type { DoctorTarget } from './target.ts';

/** What the documentation and the exceptions know of a kind of check. */
export type DescribedKind = Pick<CheckKind<never>, 'name' | 'looksAt' | 'findings'>;

/** Every kind of check about that service. */
export const WEBHOOK_KINDS: readonly DescribedKind[] = [webhookServiceKind, webhookKeyKind, webhookArrivalKind];

export interface WebhookAccess extends Pick<WebhookDeps, 'services' | 'sendRequest' | 'clock'> {
  /** Where Buildkite sends webhooks; undefined for Cloud Run's own URL. */
  readonly url: string | undefined;
}

const SERVICES_TOKEN_OPTION = '--services-token-file';

/** @param file has an API token with read_notification_services. Ends the process when it does not have one */
export function openWebhookAccess(
  file: string,
  {
    organization,
    url,
    clock,
  }: { readonly organization: string; readonly url: string | undefined; readonly clock: Clock },
): WebhookAccess {
  const sendRequest = createHttpClient(clock);
  const services = createNotificationServices({
    ...{ sendRequest, clock, organization, apiToken: readApiToken(file, SERVICES_TOKEN_OPTION) },
    apiUrl: process.env.KEYDESK_BUILDKITE_API_URL || 'https://api.buildkite.com',
  });
  return { services, sendRequest, clock, url };
}

/** None without access: what is not asked for is not looked at. */
export function planWebhookChecks(
  { project, region, prefix: namePrefix, policy }: DoctorTarget,
  google: Google,
  access: WebhookAccess | undefined,
): readonly Planned[] {
  if (!access) return [];
  const { url, ...deps } = access;
  const organization = policy.organization.slug;
  const deployment = { project, region, namePrefix, organization, url };
  return webhookChecks({ ...deps, google, deployment, events: wantedEvents(policy) });
}
