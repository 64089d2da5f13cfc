// Checks of the webhook: the service at Buildkite, its key, and what arrived. `keydesk webhook check` runs them. They are planned like the
// checks of the preflight, so other commands can run them too.

import { toIso } from '../../shared/core/iso-time.ts';
import { CouldNotLook } from '../checks/google.ts';
import type { Planned } from '../checks/run.ts';
import { functionOf } from './deployment.ts';
import { webhookArrivalKind, webhookKeyKind, webhookServiceKind } from './findings.ts';
import type { WebhookService } from './notification-services.ts';
import { isKeyAccepted } from './probe.ts';
import { findSignedWebhook } from './signed-webhooks.ts';
import { findServices, isWebhookUrl, type RunningWebhook, readRunning, type WebhookDeps } from './situation.ts';
import { toSend, type WantedEvents } from './wanted-events.ts';

const DAY_MS = 24 * 60 * 60_000;
/** How far back the log is searched, in days: Cloud Logging keeps it for 30. */
const LOG_DAYS = 7;

interface Found {
  readonly webhook: RunningWebhook;
  readonly services: readonly WebhookService[];
}

/** To run with `runChecks`. Each reads for itself what it needs, once for all of them. */
export function webhookChecks(deps: WebhookDeps): readonly Planned[] {
  let found: Promise<Found> | undefined;
  const read = () => {
    found ??= readAll(deps);
    return found;
  };
  const subject = functionOf(deps.deployment);
  return [
    { kind: webhookServiceKind, check: { subject, look: async () => lookAtService(deps.events, await read()) } },
    { kind: webhookKeyKind, check: { subject, look: async () => lookAtKey(deps, await read()) } },
    { kind: webhookArrivalKind, check: { subject, look: async () => lookAtArrival(deps, await read()) } },
  ];
}

async function readAll(deps: WebhookDeps): Promise<Found> {
  const webhook = await readRunning(
    deps,
    'Deploy it first, or check --project, --region and --name-prefix. Without the function, run: keydesk webhook install',
  );
  return { webhook, services: await findServices(deps, webhook) };
}

function lookAtService(wanted: WantedEvents, { webhook, services }: Found) {
  const [service, ...others] = services;
  if (!service) return { found: [{ finding: 'webhook_service_missing' as const, facts: { url: webhook.url } }] };
  if (others.length > 0)
    return {
      found: [
        {
          finding: 'webhook_services_several' as const,
          facts: { count: `${services.length}`, ids: services.map(({ id }) => id).join(', ') },
        },
      ],
    };
  const { id, enabled, scope, branch_configuration, settings } = service;
  const events = settings.events ?? [];
  const unneeded = events.filter((event) => !toSend(wanted, events).includes(event));
  const whenMissing = (needed: readonly string[], finding: ServiceFinding) => {
    const missing = needed.filter((event) => !events.includes(event));
    return when(missing.length > 0, finding, { events: missing.join(', ') });
  };
  const found = [
    when(!enabled, 'webhook_service_disabled'),
    when(!isWebhookUrl(webhook, settings.url), 'webhook_url_wrong'),
    when(settings.token_mode !== 'signature', 'webhook_not_signed'),
    whenMissing(wanted.ends, 'webhook_events_missing'),
    whenMissing(wanted.approvals, 'webhook_approvals_missing'),
    whenMissing(wanted.creators, 'webhook_creators_missing'),
    when(unneeded.length > 0, 'webhook_events_unneeded', { events: unneeded.join(', ') }),
    when(settings.tls_verify !== true, 'webhook_tls_not_verified'),
    when(scope !== 'all', 'webhook_not_for_all_pipelines', { scope }),
    when((branch_configuration ?? '') !== '', 'webhook_branch_filter'),
  ].flat();
  return { found: found.map(({ finding, facts }) => ({ finding, facts: { id, ...facts } })), detail: id };
}

type ServiceFinding = keyof typeof webhookServiceKind.findings;

function when(isFound: boolean, finding: ServiceFinding, facts: Readonly<Record<string, string>> = {}) {
  return isFound ? [{ finding, facts }] : [];
}

async function lookAtKey(deps: WebhookDeps, { webhook, services }: Found) {
  const { keys, url } = webhook;
  const saved = keyOfOnlyService(services);
  const facts = { version: `${keys.number}` };
  const detail = `version ${keys.number} of the secret`;
  const unfinished = keys.keys.length > 1 ? [{ finding: 'webhook_rotation_unfinished' as const, facts }] : [];
  if (!keys.keys.includes(saved))
    return { found: [{ finding: 'webhook_key_unknown' as const, facts }, ...unfinished], detail };
  const refused = (await isKeyAccepted({ ...deps, url }, saved))
    ? []
    : [{ finding: 'webhook_key_not_accepted' as const, facts }];
  return { found: [...refused, ...unfinished], detail };
}

async function lookAtArrival(deps: WebhookDeps, { webhook, services }: Found) {
  const { google, clock, deployment } = deps;
  const { revision } = webhook.running;
  const search = { since: clock.now() - LOG_DAYS * DAY_MS, order: 'newest' } as const;
  const last = await findSignedWebhook(google, deployment, { ...search, revision });
  if (!last) {
    // The numbers of the keys of an earlier revision may mean others.
    const earlier = await findSignedWebhook(google, deployment, search);
    return earlier
      ? { found: [], detail: `${earlier.event} at ${toIso(earlier.at)}, before the revision ${revision}` }
      : { found: [{ finding: 'webhook_never_arrived' as const, facts: { days: `${LOG_DAYS}` } }] };
  }
  const saved = webhook.keys.keys.indexOf(keyOfOnlyService(services)) + 1;
  const detail = `${last.event} at ${toIso(last.at)}, signed by key ${last.key} of ${webhook.keys.keys.length}`;
  const isOther = saved > 0 && saved !== last.key;
  const facts = { at: toIso(last.at), key: `${last.key}`, saved: `${saved}` };
  return { found: isOther ? [{ finding: 'webhook_signed_by_other_key' as const, facts }] : [], detail };
}

function keyOfOnlyService([service, ...others]: readonly WebhookService[]): string {
  if (service && others.length === 0) return service.settings.token ?? '';
  throw new CouldNotLook(
    `Buildkite has ${service ? 'several notification services' : 'no notification service'} for the function, so its key is not known`,
    'See the finding about the webhook service.',
  );
}
