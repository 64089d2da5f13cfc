// A Cloud Run service as version 1 of the API and gcloud show it.
// Source: docs.cloud.google.com/run/docs/reference/rest/v1/namespaces.services (annotations: metav1.ObjectMeta).

import * as z from 'zod';
import { shellCommand } from '../../shared/core/shell-quote.ts';
import type { Google } from '../checks/google.ts';
import { READS } from './reads.ts';
import { type DoctorTarget, numberOf } from './target.ts';

const environmentShape = z.object({
  name: z.string(),
  value: z.string().optional(),
  valueFrom: z
    .object({ secretKeyRef: z.object({ name: z.string(), key: z.string().default('') }).optional() })
    .optional(),
});

const serviceShape = z.object({
  metadata: z.object({ annotations: z.record(z.string(), z.string()).default({}) }).prefault({}),
  spec: z.object({
    template: z.object({
      spec: z.object({
        serviceAccountName: z.string().default(''),
        containers: z
          .array(
            z.object({
              image: z.string().default(''),
              command: z.array(z.string()).default([]),
              args: z.array(z.string()).default([]),
              env: z.array(environmentShape).default([]),
              resources: z
                .object({ limits: z.object({ memory: z.string().default('512Mi') }).prefault({}) })
                .prefault({}),
            }),
          )
          .min(1),
      }),
    }),
    traffic: z
      .array(
        z.object({
          latestRevision: z.boolean().default(false),
          percent: z.number().default(0),
          revisionName: z.string().default(''),
          tag: z.string().default(''),
        }),
      )
      .default([]),
  }),
  status: z.object({ url: z.string().default('') }).prefault({}),
});

export type Service = z.output<typeof serviceShape>;
export type Variable = z.output<typeof environmentShape>;

/** Where the services are. */
export type Place = Pick<DoctorTarget, 'project' | 'region' | 'prefix'>;

export function serviceName({ prefix }: Place, name: string): string {
  return `${prefix}-${name}`;
}

/** Undefined when it does not exist. */
export function readService(google: Google, target: Place, name: string): Promise<Service | undefined> {
  const { project, region } = target;
  const service = serviceName(target, name);
  return google.find({
    api: 'run.googleapis.com',
    path: `v1/projects/${project}/locations/${region}/services/${service}`,
    shape: serviceShape,
    ...READS.service,
    on: `the service ${service}`,
    gcloud: { command: shellCommand`gcloud run services describe ${service} --project=${project} --region=${region}` },
  });
}

export function variablesOf({ spec }: Service): readonly Variable[] {
  return spec.template.spec.containers.flatMap(({ env }) => env);
}

/** Cloud Run's own address of a service. Source: docs.cloud.google.com/run/docs/triggering/https-request#deterministic */
export function hostOf(target: DoctorTarget, name: string): string {
  return `${serviceName(target, name)}-${numberOf(target, target.project)}.${target.region}.run.app`;
}
