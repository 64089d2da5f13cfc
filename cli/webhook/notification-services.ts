// Webhook notification services of a Buildkite organization.
// Source: buildkite.com/docs/apis/rest-api/organizations/notification-services. Its responses have the token, which is never printed.

import * as z from 'zod';
import { parseWait } from '../../shared/buildkite/rate-limit.ts';
import { stripTrailingSlash } from '../../shared/google/response.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { HttpClient, JsonResponse, OutgoingRequest } from '../../shared/runtime/http-client.ts';
import { CouldNotLook } from '../checks/google.ts';

const DEADLINE_MS = 30_000;
const MAX_BYTES = 4 * 1024 * 1024;
const PER_PAGE = 100;
const MOST_PAGES = 20;
/** How often a request waits for Buildkite's limit before it fails. */
const MOST_WAITS = 3;

const webhookSchema = z.object({
  id: z.guid(),
  description: z.string().nullish(),
  enabled: z.boolean(),
  scope: z.string(),
  branch_configuration: z.string().nullish(),
  settings: z.object({
    url: z.string(),
    token: z.string().nullish(),
    token_mode: z.string().nullish(),
    events: z.array(z.string()).nullish(),
    tls_verify: z.boolean().nullish(),
  }),
});
const anyService = z.looseObject({ provider: z.object({ id: z.string() }) });
const page = z.object({ items: z.array(anyService), links: z.object({ next: z.string().nullish() }) });

export type WebhookService = z.output<typeof webhookSchema>;

/** What is sent of a service. Buildkite leaves everything else as it is. */
export interface WebhookServiceChange {
  readonly description?: string;
  readonly scope?: 'all';
  readonly branch_configuration?: '';
  readonly settings?: {
    readonly url?: string;
    readonly token?: string;
    readonly token_mode?: 'signature';
    readonly events?: readonly string[];
    readonly tls_verify?: true;
  };
}

export interface NotificationServices {
  /** Every webhook service of the organization. @throws CouldNotLook, as all of these */
  readonly list: () => Promise<readonly WebhookService[]>;
  readonly get: (id: string) => Promise<WebhookService>;
  /** Sent once: a second request would create a second service. */
  readonly create: (service: WebhookServiceChange) => Promise<WebhookService>;
  readonly change: (id: string, change: WebhookServiceChange) => Promise<WebhookService>;
  /** Also clears a broken state. */
  readonly enable: (id: string) => Promise<WebhookService>;
}

interface Options {
  readonly sendRequest: HttpClient;
  readonly clock: Clock;
  readonly apiUrl: string;
  readonly apiToken: string;
  /** The organization's slug. */
  readonly organization: string;
}

type Request = Pick<OutgoingRequest, 'method' | 'json' | 'noResend'>;

export function createNotificationServices(options: Options): NotificationServices {
  const send = (path: string, status: number, request: Request = {}) => sendRequest(options, path, status, request);
  const one = async (response: Promise<JsonResponse>) => parse(webhookSchema, await response);
  return {
    list: async () => {
      const found: WebhookService[] = [];
      let query: string | undefined = `?per_page=${PER_PAGE}`;
      for (let pages = 0; query !== undefined; pages += 1) {
        if (pages === MOST_PAGES) throw notUnderstood();
        const { items, links } = parse(page, await send(query, 200));
        const webhooks = items.filter(({ provider }) => provider.id === 'webhook');
        found.push(...webhooks.map((item) => parse(webhookSchema, { json: item })));
        query = nextQuery(links.next);
      }
      return found;
    },
    get: (id) => one(send(`/${id}`, 200)),
    create: (service) =>
      one(send('', 201, { method: 'POST', json: { provider: 'webhook', ...service }, noResend: true })),
    change: (id, change) => one(send(`/${id}`, 200, { method: 'PATCH', json: change })),
    enable: (id) => one(send(`/${id}/enable`, 200, { method: 'PUT' })),
  };
}

async function sendRequest(options: Options, path: string, expected: number, request: Request): Promise<JsonResponse> {
  const { clock, apiUrl, apiToken, organization } = options;
  for (let waits = 0; ; waits += 1) {
    const response = await options.sendRequest({
      dependency: 'Buildkite',
      url: `${stripTrailingSlash(apiUrl)}/v2/organizations/${encodeURIComponent(organization)}/services${path}`,
      headers: { authorization: `Bearer ${apiToken}` },
      deadlineMs: DEADLINE_MS,
      maxBytes: MAX_BYTES,
      ...request,
    });
    if (response.status === expected) return response;
    if (response.status !== 429 || waits === MOST_WAITS) throw refused(response, organization, request);
    await clock.sleep(parseWait(response, clock.now()) * 1000);
  }
}

/** Of the link only the cursor is used: the API token goes to no address that a response names. */
function nextQuery(next: string | null | undefined): string | undefined {
  if (!next) return undefined;
  const after = URL.canParse(next) ? new URL(next).searchParams.get('after') : null;
  if (!after) throw notUnderstood();
  return `?per_page=${PER_PAGE}&after=${encodeURIComponent(after)}`;
}

function parse<T extends z.ZodType>(schema: T, { json }: Pick<JsonResponse, 'json'>): z.output<T> {
  const parsed = schema.safeParse(json);
  if (!parsed.success) throw notUnderstood();
  return parsed.data;
}

function notUnderstood(): CouldNotLook {
  return new CouldNotLook(
    'Buildkite returned a notification service that is not understood',
    'Report it, with the version of keydesk.',
  );
}

const ADMINISTRATOR =
  'Its owner must be an administrator of the organization, or have the permission Manage Notification Services.';

function refused({ status, json }: JsonResponse, organization: string, { method = 'GET' }: Request): CouldNotLook {
  const scope = method === 'GET' ? 'read_notification_services' : 'write_notification_services';
  switch (status) {
    case 401:
      return new CouldNotLook(
        'Buildkite does not accept the API token (401)',
        'Check that it is complete, and that it has not expired or been revoked.',
      );
    case 403:
      return new CouldNotLook(
        'Buildkite refuses the request (403)',
        `Use an API token with the scope ${scope} and access to the organization ${organization}. ${ADMINISTRATOR}`,
      );
    case 404:
      return new CouldNotLook(
        `Buildkite has no organization ${organization} with this service that the API token may see (404)`,
        `Check the slug, and that the token has access to the organization and the scope ${scope}.`,
      );
    case 422:
      return new CouldNotLook(
        `Buildkite does not take the settings (422)${messageOf(json)}`,
        'An organization has at most 15 webhook services: look at Settings, Notification Services.',
      );
    case 429:
      return new CouldNotLook('Buildkite limits requests (429)', 'Run this command again in a minute.');
    default:
      return new CouldNotLook(`Buildkite returned ${status}`, 'Run this command again later.');
  }
}

/** A message that could repeat what was sent is not shown. */
function messageOf(json: unknown): string {
  const parsed = z.object({ message: z.string().regex(/^[\w .,:'-]{1,200}$/) }).safeParse(json);
  return parsed.success && !/token/i.test(parsed.data.message) ? `: ${parsed.data.message}` : '';
}
