// The secrets of a deployment: the version that a function reads is enabled, and no other version is.
// Source: docs.cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets.versions. Values are never read.

import * as z from 'zod';
import { shellCommand } from '../../shared/core/shell-quote.ts';
import type { CheckKind, Found } from '../checks/check.ts';
import { FUNCTIONS, SECRETS } from './functions.ts';
import { READS } from './reads.ts';
import { readService, variablesOf } from './service.ts';
import type { DoctorTarget } from './target.ts';

const versionsShape = z.object({
  versions: z.array(z.object({ name: z.string(), state: z.string().default('') })).default([]),
  nextPageToken: z.string().optional(),
});

type Name = 'secret_version_not_enabled' | 'secret_version_not_used';

const VERSION = '{version} --secret={secret} --project={project}';

export const secrets: CheckKind<DoctorTarget, Name> = {
  name: 'secrets',
  looksAt: 'Which versions of each secret are enabled, and which of them a function reads.',
  findings: {
    secret_version_not_enabled: {
      severity: 'error',
      what: 'The version {version} of {secret} is {state}. {service} reads it.',
      why: 'No new instance of the function starts.',
      fix: `gcloud secrets versions enable ${VERSION}. If it is destroyed, add a version and set its number.`,
      undo: `gcloud secrets versions disable ${VERSION}`,
    },
    secret_version_not_used: {
      severity: 'warning',
      what: 'The version {version} of {secret} is enabled, and no function reads it.',
      why: 'A former token that can still be read is a token that can still leak, and Buildkite may still accept it.',
      fix: `gcloud secrets versions disable ${VERSION}`,
      undo: `gcloud secrets versions enable ${VERSION}`,
    },
  },
  checksOf: (target) =>
    Object.entries(SECRETS).map(([name, reader]) => ({
      subject: `${target.prefix}-${name}`,
      look: async (google) => {
        const { project } = target;
        const secret = `${target.prefix}-${name}`;
        const pages = await google.readAll({
          api: 'secretmanager.googleapis.com',
          path: `v1/projects/${project}/secrets/${secret}/versions`,
          shape: versionsShape,
          ...READS.secretVersions,
          on: `the secret ${secret}`,
          gcloud: {
            command: shellCommand`gcloud secrets versions list ${secret} --project=${project}`,
            list: 'versions',
          },
        });
        const states = new Map(
          pages
            .flatMap(({ versions }) => versions)
            .map((version) => [version.name.replace(/^.*\//, ''), version.state.toUpperCase()]),
        );
        const service = await readService(google, target, reader);
        const used = service ? referencedVersions(target, { reader, secret }, service) : [];
        const facts = { secret, project, service: `${target.prefix}-${reader}` };
        return { found: judgeVersions(states, used, facts), detail: `in use: ${used.join(', ') || 'none'}` };
      },
    })),
};

function referencedVersions(
  target: DoctorTarget,
  { reader, secret }: { readonly reader: string; readonly secret: string },
  service: NonNullable<Awaited<ReturnType<typeof readService>>>,
): string[] {
  const variables = Object.keys(FUNCTIONS.find(({ name }) => name === reader)?.secrets(target) ?? {});
  return variablesOf(service).flatMap(({ name, valueFrom }) => {
    const reference = valueFrom?.secretKeyRef;
    return variables.includes(name) && reference?.name === secret ? [reference.key] : [];
  });
}

function judgeVersions(
  states: ReadonlyMap<string, string>,
  used: readonly string[],
  facts: { readonly secret: string; readonly project: string; readonly service: string },
): Found<Name>[] {
  const latest = [...states.keys()].sort((left, right) => Number(right) - Number(left))[0];
  const numbers = used.map((version) => (version === 'latest' ? (latest ?? version) : version));
  const resource = (version: string) => `${facts.secret} version ${version}`;
  const broken = numbers
    .filter((version) => states.get(version) !== 'ENABLED')
    .map((version) => ({
      finding: 'secret_version_not_enabled' as const,
      resource: resource(version),
      facts: { ...facts, version, state: (states.get(version) ?? 'missing').toLowerCase() },
    }));
  const idle = [...states]
    .filter(([version, state]) => state === 'ENABLED' && !numbers.includes(version))
    .map(([version]) => ({
      finding: 'secret_version_not_used' as const,
      resource: resource(version),
      facts: { ...facts, version },
    }));
  return [...broken, ...idle];
}
