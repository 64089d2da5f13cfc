// Versions of the secret with the webhook's keys, in Secret Manager.
// Source: docs.cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets.versions.

import * as z from 'zod';
import { closestName } from '../../shared/core/closest-name.ts';
import { parseWebhookTokens } from '../../shared/core/settings.ts';
import { shellCommand } from '../../shared/core/shell-quote.ts';
import type { KeyVersion } from '../../shared/core/webhook/key-rotation.ts';
import { CouldNotLook, type Google } from '../checks/google.ts';
import { SECRET_SUFFIX, secretOf, type WebhookDeployment } from './deployment.ts';

const API = 'secretmanager.googleapis.com';
/** Disabled versions stay in the list. */
const PER_PAGE = 1_000;
const ROLE = 'roles/secretmanager.admin';

const versionPage = z.object({
  versions: z.array(z.object({ name: z.string(), state: z.string() })).default([]),
  nextPageToken: z.string().optional(),
});
const secretPage = z.object({
  secrets: z.array(z.object({ name: z.string() })).default([]),
  nextPageToken: z.string().optional(),
});
const accessed = z.object({ payload: z.object({ data: z.base64() }) });
const named = z.object({ name: z.string() });

interface Options {
  readonly google: Google;
  readonly deployment: WebhookDeployment;
}

/**
 * Every enabled version, newest first.
 * @throws CouldNotLook when there is no such secret, or a version has no webhook token
 */
export async function readKeyVersions(options: Options): Promise<readonly KeyVersion[]> {
  const { google, deployment } = options;
  const pages = await google
    .readAll({
      ...call(options, '/versions', 'secretmanager.versions.list'),
      query: [['pageSize', `${PER_PAGE}`]],
      shape: versionPage,
    })
    .catch(async (error) => {
      throw (await explainMissingSecret(options)) ?? error;
    });
  const enabled = pages
    .flatMap(({ versions }) => versions)
    .filter(({ state }) => state === 'ENABLED')
    .map(({ name }) => numberOf(name))
    .sort((one, other) => other - one);
  return Promise.all(
    enabled.map(async (number) => {
      const { payload } = await google.read({
        ...call({ google, deployment }, `/versions/${number}:access`, 'secretmanager.versions.access'),
        shape: accessed,
      });
      return { number, keys: toKeys(Buffer.from(payload.data, 'base64').toString('utf8'), number, deployment) };
    }),
  );
}

/** @returns the number of the new version. Sent once, because a second request would add a second version */
export async function addKeyVersion(options: Options, keys: readonly string[]): Promise<number> {
  const data = Buffer.from(keys.join(','), 'utf8').toString('base64');
  const { name } = await options.google.read({
    ...call(options, ':addVersion', 'secretmanager.versions.add'),
    json: { payload: { data } },
    noResend: true,
    shape: named,
  });
  return numberOf(name);
}

export async function disableKeyVersion(options: Options, number: number): Promise<void> {
  await options.google.read({
    ...call(options, `/versions/${number}:disable`, 'secretmanager.versions.disable'),
    json: {},
    shape: named,
  });
}

function call({ deployment }: Options, path: string, permission: string) {
  const secret = secretOf(deployment);
  return {
    ...{ api: API, path: `v1/projects/${deployment.project}/secrets/${secret}${path}` },
    ...{ permission, role: ROLE, on: `the secret ${secret} of ${deployment.project}` },
  };
}

/** Google says the same of a secret that does not exist and of one that somebody may not read. */
async function explainMissingSecret({ google, deployment }: Options): Promise<CouldNotLook | undefined> {
  const { project } = deployment;
  const pages = await google
    .readAll({
      ...{ api: API, path: `v1/projects/${project}/secrets`, shape: secretPage },
      ...{ permission: 'secretmanager.secrets.list', role: ROLE, on: project },
    })
    .catch(() => undefined);
  const names = pages?.flatMap(({ secrets }) => secrets.map(({ name }) => name.replace(/^.*\//, '')));
  const wanted = secretOf(deployment);
  if (names === undefined || names.includes(wanted)) return undefined;
  const prefixes = names
    .filter((name) => name.endsWith(SECRET_SUFFIX))
    .map((name) => name.slice(0, -SECRET_SUFFIX.length));
  const near = closestName(deployment.namePrefix, prefixes) ?? (prefixes.length === 1 ? prefixes[0] : undefined);
  const fix =
    near === undefined
      ? 'Apply the Terraform module first. It creates the secret. Check --project and --name-prefix.'
      : `Did you mean --name-prefix ${near}?`;
  return new CouldNotLook(`${project} has no secret ${wanted}`, fix);
}

/** As the function reads the setting. The error has no part of the value. */
function toKeys(text: string, number: number, deployment: WebhookDeployment): readonly string[] {
  const keys = parseWebhookTokens(text);
  if (keys) return keys;
  throw new CouldNotLook(
    `version ${number} of ${secretOf(deployment)} is not one or two webhook tokens, separated by a comma`,
    shellCommand`If no function runs with it: gcloud secrets versions disable ${String(number)} --secret=${secretOf(deployment)} --project=${deployment.project}`,
  );
}

function numberOf(name: string): number {
  const number = Number(/\/versions\/([1-9][0-9]*)$/.exec(name)?.[1]);
  if (Number.isSafeInteger(number)) return number;
  throw new CouldNotLook(`${API} returned something unexpected`, 'Report it, with the version of keydesk.');
}
