// The webhook function as a Cloud Run service: which version of the secret it runs with, and how it gets another one. A function reads
// its secrets when an instance starts, so another version needs a new revision.
// Source: docs.cloud.google.com/run/docs/reference/rest/v2/projects.locations.services.

import * as z from 'zod';
import { shellCommand } from '../../shared/core/shell-quote.ts';
import { stripTrailingSlash } from '../../shared/google/response.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import { CouldNotLook, type Google } from '../checks/google.ts';
import { functionOf, secretOf, type WebhookDeployment } from './deployment.ts';

const API = 'run.googleapis.com';
const SETTING = 'KEYDESK_WEBHOOK_TOKENS';
const POLL_MS = 3_000;
/** Google stops the deployment of a revision whose instances do not start after four minutes at the latest. */
const MOST_DEPLOY_MS = 6 * 60_000;

const variable = z.looseObject({
  name: z.string(),
  valueSource: z
    .looseObject({ secretKeyRef: z.looseObject({ secret: z.string(), version: z.string() }).optional() })
    .optional(),
});
const container = z.looseObject({ env: z.array(variable).optional() });
const revisionSchema = z.looseObject({ containers: z.array(container).min(1) });
/** Loose, and without defaults: everything that is not changed is sent back as it came. */
const serviceSchema = z.looseObject({
  etag: z.string().optional(),
  uri: z.string().optional(),
  urls: z.array(z.string()).optional(),
  generation: z.string().optional(),
  observedGeneration: z.string().optional(),
  reconciling: z.boolean().optional(),
  terminalCondition: z.looseObject({ state: z.string().optional(), message: z.string().optional() }).optional(),
  latestReadyRevision: z.string().optional(),
  latestCreatedRevision: z.string().optional(),
  trafficStatuses: z
    .array(
      z.looseObject({
        type: z.string().optional(),
        revision: z.string().optional(),
        percent: z.number().optional(),
      }),
    )
    .optional(),
  template: revisionSchema,
});
type Service = z.output<typeof serviceSchema>;

export interface WebhookFunction {
  /** Name of the revision that gets all requests. */
  readonly revision: string;
  /** Number of the secret's version with which its instances started. */
  readonly version: number;
  /** Every URL of it, Cloud Run's own ones. */
  readonly urls: readonly string[];
}

interface Options {
  readonly google: Google;
  readonly deployment: WebhookDeployment;
}

/**
 * The function as it runs; undefined when it is not deployed.
 * @throws CouldNotLook also while a deployment is under way, and when several revisions get requests
 */
export async function readWebhookFunction(options: Options): Promise<WebhookFunction | undefined> {
  const service = await options.google.find(serviceCall(options, 'run.services.get'));
  if (!service) return undefined;
  const name = functionOf(options.deployment);
  if (isChanging(service))
    throw new CouldNotLook(`${name} is being deployed`, 'Run this command again when the deployment has ended.');
  const revision = revisionWithTraffic(service, name);
  const { containers } = await options.google.read({
    ...serviceCall(options, 'run.revisions.get', `/revisions/${revision}`),
    shape: revisionSchema,
  });
  return { revision, version: versionIn(containers, options.deployment), urls: urlsOf(service) };
}

/**
 * Makes a revision that differs only in the secret's version, and waits until it gets all requests.
 * @throws CouldNotLook when that does not happen. The earlier revision then still serves
 */
export async function deployKeyVersion(options: Options & { readonly clock: Clock }, number: number): Promise<void> {
  const { google, clock, deployment } = options;
  const name = functionOf(deployment);
  const service = await google.read(serviceCall(options, 'run.services.get'));
  await google.read({
    ...serviceCall(options, 'run.services.update'),
    json: withVersion(service, number, deployment),
    method: 'PATCH',
    noResend: true,
    shape: z.looseObject({}),
  });
  const until = clock.now() + MOST_DEPLOY_MS;
  for (;;) {
    await clock.sleep(POLL_MS);
    const now = await google.read(serviceCall(options, 'run.services.get'));
    const { state, message } = now.terminalCondition ?? {};
    if (!isChanging(now) && state === 'CONDITION_FAILED') throw notStarted(name, number, message);
    if (!isChanging(now) && state === 'CONDITION_SUCCEEDED') break;
    if (clock.now() > until) throw notStarted(name, number, undefined);
  }
  const running = await readWebhookFunction(options);
  if (running?.version === number) return;
  throw new CouldNotLook(
    `${name} has a revision with version ${number} of the secret, and another revision still gets the requests`,
    shellCommand`Send all requests to the latest revision: gcloud run services update-traffic ${name} --to-latest --region=${deployment.region} --project=${deployment.project}`,
  );
}

function isChanging({ reconciling, generation, observedGeneration }: Service): boolean {
  return reconciling === true || generation !== observedGeneration;
}

function notStarted(name: string, number: number, message: string | undefined): CouldNotLook {
  return new CouldNotLook(
    `Cloud Run did not start a revision of ${name} with version ${number} of the secret${message === undefined ? '' : `: ${message.slice(0, 300)}`}`,
    'The earlier revision still serves. See docs/playbooks/not-starting.md, then run this command again.',
  );
}

function serviceCall({ deployment }: Options, permission: string, path = '') {
  const { project, region } = deployment;
  const name = functionOf(deployment);
  return {
    ...{ api: API, path: `v2/projects/${project}/locations/${region}/services/${name}${path}` },
    ...{ permission, role: 'roles/run.admin', on: `the service ${name} in ${region} of ${project}` },
    shape: serviceSchema,
  };
}

/** A revision name of the template's own would have to be new. Google makes one. */
function withVersion(service: Service, number: number, deployment: WebhookDeployment): unknown {
  const { revision: _, ...template } = service.template;
  const withNumber = (entry: z.output<typeof variable>) =>
    isOurs(entry, deployment)
      ? { ...entry, valueSource: { secretKeyRef: { ...entry.valueSource?.secretKeyRef, version: `${number}` } } }
      : entry;
  const containers = template.containers.map(({ env, ...rest }) =>
    env ? { ...rest, env: env.map(withNumber) } : rest,
  );
  return { ...service, template: { ...template, containers } };
}

function versionIn(containers: z.output<typeof revisionSchema>['containers'], deployment: WebhookDeployment): number {
  const [entry] = containers.flatMap(({ env = [] }) => env.filter((one) => isOurs(one, deployment)));
  const version = entry?.valueSource?.secretKeyRef?.version ?? '';
  if (/^[1-9][0-9]*$/.test(version)) return Number(version);
  throw new CouldNotLook(
    entry === undefined
      ? `${functionOf(deployment)} does not read ${SETTING} from the secret ${secretOf(deployment)}`
      : `${functionOf(deployment)} reads version ${version} of its secret, so what it runs with is not known`,
    'Deploy it with the Terraform module, or give it a version by number.',
  );
}

function isOurs({ name, valueSource }: z.output<typeof variable>, deployment: WebhookDeployment): boolean {
  return name === SETTING && valueSource?.secretKeyRef?.secret.replace(/^.*\//, '') === secretOf(deployment);
}

function revisionWithTraffic({ trafficStatuses = [], latestReadyRevision }: Service, name: string): string {
  const serving = trafficStatuses
    .filter(({ percent = 0 }) => percent > 0)
    .map(({ type, revision }) => (type === 'TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST' ? latestReadyRevision : revision));
  const [revision, ...others] = new Set(serving);
  if (revision !== undefined && others.length === 0) return revision.replace(/^.*\//, '');
  throw new CouldNotLook(
    others.length > 0 ? `several revisions of ${name} get requests` : `no revision of ${name} gets requests`,
    'Send all requests to one revision: gcloud run services update-traffic.',
  );
}

function urlsOf({ uri, urls = [] }: Service): readonly string[] {
  return [...new Set([...urls, ...(uri === undefined ? [] : [uri])].map(stripTrailingSlash))];
}
