// Creates the notification service at Buildkite, or changes the one that is there to what Keydesk needs. The function has the key before
// Buildkite signs with it. So the first run only stores a key, and the next one continues after the function is deployed.

import { markKeySince } from '../../shared/core/webhook/key-proof.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import { CouldNotLook } from '../checks/google.ts';
import { readWebhookFunction } from './cloud-run.ts';
import { functionOf } from './deployment.ts';
import type { WebhookService, WebhookServiceChange } from './notification-services.ts';
import { isKeyAcceptedByAll } from './probe.ts';
import { addKeyVersion, readKeyVersions } from './secret-versions.ts';
import { findSignedWebhook } from './signed-webhooks.ts';
import { findServices, isWebhookUrl, type RunningWebhook, readRunning, type WebhookDeps } from './situation.ts';
import { toSend, type WantedEvents } from './wanted-events.ts';

const DESCRIPTION = 'Keydesk: the ends of jobs';
const POLL_MS = 5_000;

export interface InstallOptions {
  readonly dryRun: boolean;
  /** For how long it waits for the first webhook, in milliseconds. */
  readonly waitMs: number;
  readonly newKey: () => string;
  readonly report: (line: string) => void;
}

export interface InstallResult {
  /** `stored`: the function is not deployed. Deploy it with `version`, then run it again. */
  readonly result: 'stored' | 'created' | 'changed' | 'unchanged' | 'dry_run';
  readonly version: number | null;
  readonly service: string | null;
  /** What was changed of a service that was there, or would be. */
  readonly changes: readonly string[];
  /** Whether a webhook of Buildkite was accepted since. Null: it was not looked for. */
  readonly arrived: boolean | null;
}

/** @throws CouldNotLook where it cannot go on */
export async function installWebhook(deps: WebhookDeps, options: InstallOptions): Promise<InstallResult> {
  const { dryRun, report } = options;
  if (!(await readWebhookFunction(deps))) return storeFirstKey(deps, options);
  const webhook = await readRunning(deps, '');
  const [service, ...others] = await findServices(deps, webhook);
  if (others.length > 0)
    throw new CouldNotLook(
      `Buildkite has ${others.length + 1} notification services for the webhook function`,
      'Delete all but one at Buildkite, under Settings, Notification Services.',
    );
  const { changes } = changeOf(webhook, service, deps);
  const version = webhook.running.version;
  const already = { version, service: service?.id ?? null, changes, arrived: null };
  if (changes.length === 0) return { result: 'unchanged', ...already };
  report(service ? `Changing the notification service: ${changes.join(', ')}.` : 'Creating the notification service.');
  if (dryRun) return { result: 'dry_run', ...already };
  const [key = ''] = webhook.keys.keys;
  if (!(await isKeyAcceptedByAll({ ...deps, url: webhook.url }, key)))
    throw new CouldNotLook(
      `${functionOf(deps.deployment)} refuses webhooks that its own key signed`,
      'Check that --url leads to this function. Then run this command again.',
    );
  const since = deps.clock.now();
  const { change } = changeOf(webhook, service, deps);
  const { id } = service ? await changeService(deps, service, change) : await deps.services.create(change);
  const left = changeOf(webhook, await deps.services.get(id), deps).changes;
  if (left.length > 0)
    throw new CouldNotLook(`Buildkite did not take these settings: ${left.join(', ')}`, 'Run this command again.');
  const arrived = await waitForWebhook(deps, options, since);
  return { result: service ? 'changed' : 'created', version, service: id, changes, arrived };
}

async function storeFirstKey(deps: WebhookDeps, { dryRun, newKey, report }: InstallOptions): Promise<InstallResult> {
  const [newest] = await readKeyVersions(deps);
  const nothing = { service: null, changes: [], arrived: null };
  if (newest) return { result: dryRun ? 'dry_run' : 'stored', version: newest.number, ...nothing };
  report('Storing a first key in Secret Manager.');
  if (dryRun) return { result: 'dry_run', version: null, ...nothing };
  return { result: 'stored', version: await addKeyVersion(deps, [newKey()]), ...nothing };
}

async function changeService(
  { services }: WebhookDeps,
  { id, enabled }: WebhookService,
  change: WebhookServiceChange,
): Promise<WebhookService> {
  const changed = await services.change(id, change);
  return enabled ? changed : services.enable(id);
}

/** What a service has to be changed to, with the names of what differs. Everything differs where there is none. */
function changeOf(
  webhook: Pick<RunningWebhook, 'keys' | 'running' | 'url'>,
  service: WebhookService | undefined,
  { events: wanted, clock }: { readonly events: WantedEvents; readonly clock: Clock },
): { readonly change: WebhookServiceChange; readonly changes: readonly string[] } {
  const { settings, description } = service ?? {};
  const { keys, url } = webhook;
  const hasKey = keys.keys.includes(settings?.token ?? '');
  const [key = ''] = keys.keys;
  const sent = settings?.events ?? [];
  const events = toSend(wanted, sent);
  const differs = {
    url: !settings || !isWebhookUrl(webhook, settings.url),
    token: !hasKey,
    token_mode: settings?.token_mode !== 'signature',
    events: !isSameSet(sent, events),
    tls_verify: settings?.tls_verify !== true,
    scope: service?.scope !== 'all',
    branch_configuration: (service?.branch_configuration ?? '') !== '' || !service,
    enabled: service?.enabled === false,
  };
  const change: WebhookServiceChange = {
    ...(hasKey ? {} : { description: markKeySince(description || DESCRIPTION, clock.now()) }),
    ...(differs.scope ? { scope: 'all' } : {}),
    ...(differs.branch_configuration ? { branch_configuration: '' } : {}),
    settings: {
      ...(differs.url ? { url } : {}),
      ...(differs.token ? { token: key } : {}),
      ...(differs.token_mode ? { token_mode: 'signature' } : {}),
      ...(differs.events ? { events } : {}),
      ...(differs.tls_verify ? { tls_verify: true } : {}),
    },
  };
  const changes = Object.entries(differs).flatMap(([name, isOther]) => (isOther ? [name] : []));
  return { change, changes };
}

function isSameSet(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && other.every((item) => one.includes(item));
}

/** Buildkite sends a ping when settings change. */
async function waitForWebhook(
  { google, clock, deployment }: WebhookDeps,
  { waitMs }: InstallOptions,
  since: number,
): Promise<boolean> {
  for (;;) {
    if (await findSignedWebhook(google, deployment, { since, order: 'oldest' })) return true;
    if (clock.now() + POLL_MS > since + waitMs) return false;
    await clock.sleep(POLL_MS);
  }
}
