// Webhook notification services of an organization, as the REST API has them: by cursor, 30 a page, or up to 100 by request; changes of some
// fields; 15 at most; a state in which Buildkite sends nothing. Refuses fields and parameters that the documentation does not know.
// Sources: buildkite.com/docs/apis/rest-api/organizations/notification-services, /docs/platform/limits, /docs/apis/webhooks/pipelines.

import { createHmac, randomUUID } from 'node:crypto';
import * as z from 'zod';
import { parseJson } from '../../../shared/core/json.ts';
import type { LocalReply, LocalRequest, LocalResponse } from '../../local-server.ts';

type ServiceScope = 'read_notification_services' | 'write_notification_services';

/** API tokens of an administrator: for notification services, and to look at them only. */
export const SERVICES_API_TOKEN = 'sandbox-services-api-token';
export const SERVICES_READ_API_TOKEN = 'sandbox-services-read-api-token';
export const SERVICE_SCOPES: Readonly<Record<string, readonly ServiceScope[]>> = {
  [SERVICES_API_TOKEN]: ['read_notification_services', 'write_notification_services'],
  [SERVICES_READ_API_TOKEN]: ['read_notification_services'],
};

const EVENTS = [
  ...['ping', 'build.scheduled', 'build.running', 'build.failing', 'build.finished', 'build.skipped'],
  ...['job.scheduled', 'job.started', 'job.finished', 'job.activated', 'job.promised_exit_status'],
  ...['agent.connected', 'agent.lost', 'agent.disconnected', 'agent.stopping', 'agent.stopped', 'agent.blocked'],
  'cluster_token.registration_blocked',
];
const STATES = 'build_passed build_fixed build_failed build_blocked build_canceled build_failing job_activated'.split(
  ' ',
);
const MOST_WEBHOOKS = 15;

const settingsSchema = z.strictObject({
  url: z.url({ protocol: /^https?$/ }),
  token: z.string().min(1).optional(),
  token_mode: z.enum(['token', 'signature']).optional(),
  version: z.literal(3).optional(),
  events: z.array(z.enum(EVENTS)).optional(),
  tls_verify: z.boolean().optional(),
});
const top = {
  description: z.string().optional(),
  branch_configuration: z.string().optional(),
  scope: z.enum(['all', 'some_projects', 'some_teams', 'some_clusters']).optional(),
  scope_uuids: z.array(z.guid()).optional(),
  build_states: z.record(z.enum(STATES), z.boolean()).optional(),
};
const createSchema = z.strictObject({ ...top, provider: z.literal('webhook'), settings: settingsSchema });
const changeSchema = z.strictObject({
  ...top,
  provider: z.literal('webhook').optional(),
  settings: settingsSchema.partial().optional(),
});

export interface FakeService {
  readonly id: string;
  description: string;
  enabled: boolean;
  scope: string;
  scope_uuids: readonly string[];
  branch_configuration: string;
  settings: {
    url: string;
    version: number;
    token: string;
    token_mode: string;
    events: readonly string[];
    tls_verify: boolean;
  };
  /** With which it still signs, although another one is saved. */
  earlierToken?: string | undefined;
}

/** A request that Buildkite sends. */
export interface Delivery {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface FakeServices {
  /** Oldest first. Tests may change them. */
  readonly all: FakeService[];
  /** What each service of the organization sends for an event. Those that are disabled send nothing. */
  readonly deliveries: (event: string, body: string) => Delivery[];
  /** Takes the ping that follows a change of settings. */
  onPing: ((delivery: Delivery) => void) | undefined;
  /** Runs before a request is handled; what it returns is sent instead. */
  before: ((request: LocalRequest) => LocalReply | undefined) | undefined;
  /** @param path below the organization */
  readonly handle: (request: LocalRequest, path: string, scopes: readonly ServiceScope[]) => LocalReply;
}

/** @param options.url of the organization's services */
export function createServices(options: {
  readonly url: () => string;
  readonly organization: object;
  readonly now: () => number;
}): FakeServices {
  const { url, now } = options;
  const show = (service: FakeService) => toJson(service, url());
  const ping = (service: FakeService) => {
    const { id, settings } = service;
    const { organization } = options;
    const body = { event: 'ping', service: { id, provider: 'webhook', settings: { url: settings.url } }, organization };
    const delivery = service.enabled ? deliver(service, 'ping', JSON.stringify(body), now()) : undefined;
    if (delivery) fake.onPing?.(delivery);
  };
  const create = (json: unknown): LocalReply => {
    const parsed = createSchema.safeParse(json);
    if (!parsed.success) return invalid(parsed.error);
    if (fake.all.length >= MOST_WEBHOOKS) return refuse('The limit of 15 webhook services is reached');
    const { settings, ...rest } = parsed.data;
    const service = newService(settings, rest);
    fake.all.push(service);
    ping(service);
    return { status: 201, json: show(service) };
  };
  const change = (service: FakeService, json: unknown): LocalReply => {
    const parsed = changeSchema.safeParse(json);
    if (!parsed.success) return invalid(parsed.error);
    const { settings, provider: _, ...rest } = parsed.data;
    Object.assign(service, rest);
    if (settings) {
      Object.assign(service.settings, settings);
      ping(service);
    }
    return { status: 200, json: show(service) };
  };
  const one = ({ method, body }: LocalRequest, service: FakeService, act: string | undefined): LocalReply => {
    if (method === 'GET' && act === undefined) return { status: 200, json: show(service) };
    if (method === 'PATCH' && act === undefined) return change(service, parseJson(body));
    if (method !== 'PUT' || act === undefined) return NOT_FOUND;
    service.enabled = act === 'enable';
    return { status: 200, json: show(service) };
  };
  const fake: FakeServices = {
    all: [],
    onPing: undefined,
    before: undefined,
    deliveries: (event, body) => fake.all.flatMap((service) => deliver(service, event, body, now()) ?? []),
    handle: (request, path, scopes) => {
      const scope = request.method === 'GET' ? 'read_notification_services' : 'write_notification_services';
      if (!scopes.includes(scope)) return { status: 403, json: { message: `Forbidden: the token needs ${scope}` } };
      const instead = fake.before?.(request);
      if (instead) return instead;
      const [, id, act] = /^services(?:\/([0-9a-f-]{36})(?:\/(enable|disable))?)?$/.exec(path) ?? [];
      if (id === undefined) {
        if (path !== 'services') return NOT_FOUND;
        if (request.method === 'POST') return create(parseJson(request.body));
        return request.method === 'GET' ? list(fake.all.map(show), url(), request.query) : NOT_FOUND;
      }
      const service = fake.all.find((other) => other.id === id);
      return service ? one(request, service, act) : NOT_FOUND;
    },
  };
  return fake;
}

const NOT_FOUND: LocalResponse = { status: 404, json: { message: 'No notification service found' } };

/** With what the documentation gives to what is left out. */
function newService(
  settings: z.output<typeof settingsSchema>,
  { description = '', scope = 'all', scope_uuids = [], branch_configuration = '' }: z.output<typeof changeSchema>,
): FakeService {
  return {
    ...{ id: randomUUID(), description, enabled: true, scope, scope_uuids, branch_configuration },
    settings: {
      url: settings.url,
      version: 3,
      token: settings.token ?? randomUUID(),
      token_mode: settings.token_mode ?? 'token',
      events: settings.events ?? [],
      tls_verify: settings.tls_verify ?? true,
    },
  };
}

function toJson({ earlierToken: _, ...service }: FakeService, url: string) {
  return {
    ...service,
    graphql_id: null,
    url: `${url}/${service.id}`,
    provider: { id: 'webhook', name: 'Webhook' },
    build_states: Object.fromEntries(STATES.map((state) => [state, false])),
    created_at: '2026-11-24T10:00:00.000Z',
    created_by: null,
  };
}

function deliver(service: FakeService, event: string, body: string, now: number): Delivery | undefined {
  const { enabled, settings, earlierToken: token = settings.token } = service;
  if (!enabled || (event !== 'ping' && !settings.events.includes(event))) return undefined;
  const timestamp = Math.floor(now / 1000);
  const signature = createHmac('sha256', token).update(`${timestamp}.${body}`).digest('hex');
  const proof: Record<string, string> =
    settings.token_mode === 'signature'
      ? { 'x-buildkite-signature': `timestamp=${timestamp},signature=${signature}` }
      : { 'x-buildkite-token': token };
  const headers = { 'content-type': 'application/json', 'user-agent': 'Buildkite-Request', 'x-buildkite-event': event };
  return { url: settings.url, headers: { ...headers, ...proof }, body };
}

function list(all: readonly { readonly id: string }[], url: string, query: URLSearchParams): LocalResponse {
  const unknown = [...query.keys()].filter((name) => !['per_page', 'after', 'before'].includes(name));
  if (unknown.length > 0) return refuse(`unknown parameter: ${unknown.join(', ')}`);
  const size = query.get('per_page') ?? '30';
  if (!/^[1-9][0-9]?$|^100$/.test(size)) return refuse('per_page must be from 1 to 100');
  const after = query.get('after');
  const start = after === null ? 0 : all.findIndex(({ id }) => cursorOf(id) === after) + 1;
  if (after !== null && start === 0) return refuse('after is not a cursor of this list');
  const items = all.slice(start, start + Number(size));
  const last = items.at(-1);
  const hasMore = start + items.length < all.length;
  const next = last && hasMore ? `${url}?${new URLSearchParams({ after: cursorOf(last.id), per_page: size })}` : null;
  return { status: 200, json: { items, links: { self: `${url}?${query}`, next } } };
}

/** Opaque, and of characters that a URL must escape. */
function cursorOf(id: string): string {
  return Buffer.from(`service/${id}+`).toString('base64');
}

function invalid(error: z.ZodError): LocalResponse {
  return refuse(error.issues.map(({ path, code }) => `${path.join('.')} ${code}`).join(', '));
}

function refuse(message: string): LocalResponse {
  return { status: 422, json: { message } };
}
