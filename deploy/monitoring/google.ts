// Google's Logging, Monitoring and Resource Manager APIs, as far as apply.ts asks them: what is there, page by page, and one
// change at a time. Knows no definition. Messages hold what Google says, and never the token.
// Sources: docs.cloud.google.com/logging/docs/reference/v2/rest, /monitoring/api/ref_v3/rest (v3 and v1),
// /resource-manager/reference/rest/v3/projects/get.

import * as z from 'zod';
import { ask, type OutgoingAnswer } from '../../shared/outgoing.ts';
import { messageOf } from '../as-operator.ts';

const DEADLINE_MS = 30_000;
/** Small pages: an answer has a bound, and a definition may be some kilobytes. */
const PAGE = 20;
const MAX_PAGES = 200;
const APIS = {
  logging: ['KEYDESK_LOGGING_URL', 'https://logging.googleapis.com'],
  monitoring: ['KEYDESK_MONITORING_URL', 'https://monitoring.googleapis.com'],
  cloudresourcemanager: ['KEYDESK_RESOURCEMANAGER_URL', 'https://cloudresourcemanager.googleapis.com'],
} as const;
/** As alertPolicies says it (404; 400 or 404 in other words some years ago) and serviceLevelObjectives (400). */
const UNKNOWN_METRIC = /cannot find metric\(s\)|metric referenced by the provided filter is unknown/i;

export type Body = Readonly<Record<string, unknown>>;

export interface Place {
  readonly api: keyof typeof APIS;
  /** With the version, such as `v2/projects/acme/metrics`. */
  readonly path: string;
}

export interface Change extends Place {
  readonly method: 'POST' | 'PUT' | 'PATCH';
  readonly json: Body;
}

/** The end of a run: what happened, and what to do. */
export class Stopped extends Error {
  override readonly name = 'Stopped';
}

export type Google = ReturnType<typeof createGoogle>;

/** @param from the environment: there the tests say where their stand-in is. */
export function createGoogle(project: string, accessToken: string, from: NodeJS.ProcessEnv) {
  const headers = { authorization: `Bearer ${accessToken}`, 'x-goog-user-project': project };

  function call({ api, path, ...more }: Place & Partial<Change>): Promise<OutgoingAnswer> {
    const [variable, usual] = APIS[api];
    const what = `${api} ${path.replace(/\?.*$/, '')}`;
    return ask({ what, url: `${from[variable] ?? usual}/${path}`, headers, deadlineMs: DEADLINE_MS, ...more });
  }

  /** @throws Stopped, Unavailable */
  async function read(place: Place): Promise<unknown> {
    const answer = await call(place);
    return answer.status === 200 ? answer.json : stop(place, answer);
  }

  return {
    /** What is there under this name, if anything is. */
    async find(place: Place): Promise<Body | undefined> {
      const answer = await call(place);
      if (answer.status === 404) return undefined;
      return answer.status === 200 ? body.parse(answer.json) : stop(place, answer);
    },

    /** All there is; in the answer they are in that field. */
    async list(place: Place, field: string): Promise<readonly Body[]> {
      const found: Body[] = [];
      let token = '';
      for (let page = 0; page < MAX_PAGES; page += 1) {
        const query = `pageSize=${PAGE}${token && `&pageToken=${encodeURIComponent(token)}`}`;
        const answer = body.parse(await read({ ...place, path: `${place.path}?${query}` }));
        found.push(...z.array(body).parse(answer[field] ?? []));
        token = z.string().parse(answer.nextPageToken ?? '');
        if (token === '') return found;
      }
      throw new Stopped(`${place.path} has more than ${MAX_PAGES} pages`);
    },

    /** The number that stands in the addresses of Cloud Run. */
    async projectNumber(): Promise<string> {
      const answer = await read({ api: 'cloudresourcemanager', path: `v3/projects/${project}` });
      const { name } = z.object({ name: z.string().regex(/^projects\/\d+$/) }).parse(answer);
      return name.slice('projects/'.length);
    },

    /** @returns whether it was done: not when it names a metric that Google does not know (yet) */
    async send(change: Change): Promise<boolean> {
      const answer = await call(change);
      if (answer.status === 200) return true;
      if ([400, 404].includes(answer.status) && UNKNOWN_METRIC.test(messageOf(answer))) return false;
      return stop(change, answer);
    },
  };
}

const body = z.record(z.string(), z.unknown());

function stop({ api, path, ...more }: Place & Partial<Change>, answer: OutgoingAnswer): never {
  const said = `${more.method ?? 'GET'} ${api} ${path.replace(/\?.*$/, '')} answered ${answer.status}: ${messageOf(answer)}`;
  throw new Stopped(`${said}\n${adviceFor(answer.status)}`);
}

function adviceFor(status: number): string {
  switch (status) {
    case 400:
      return 'Google does not take that definition. It is in deploy/monitoring; --project and --channel fill it in.';
    case 401:
      return 'The access token is not taken: gcloud auth login, or another GOOGLE_OAUTH_ACCESS_TOKEN.';
    case 403:
      return 'It takes roles/logging.configWriter, roles/monitoring.editor and roles/serviceusage.serviceUsageConsumer on the project, and its APIs logging, monitoring and cloudresourcemanager switched on.';
    case 404:
      return 'What it names is not there: look at --project and --channel.';
    default:
      return 'That may pass: wait a while.';
  }
}
