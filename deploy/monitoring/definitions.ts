// What is wanted in one project: the JSON files beside this, filled in and chosen from as deploy/terraform/monitoring.tf
// does. Of what they hold it knows only what names a thing and what says whose it is; Google judges the rest. Asks
// nobody.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import type { Body } from './google.ts';

const OBJECTIVE = /^projects\/[^/]+\/services\/([a-z0-9-]+)\/serviceLevelObjectives\/([\w.:-]+)$/;
const labels = z.record(z.string(), z.string());
const metric = z.looseObject({ name: z.string().regex(/^[a-z]+\/[a-z_]+$/) });
const objective = z.looseObject({ name: z.string().regex(OBJECTIVE) });
const alert = z.looseObject({
  displayName: z.string(),
  userLabels: labels.refine(
    ({ service, playbook }) => service && playbook,
    'an alert has the labels service and playbook',
  ),
  conditions: z.array(z.looseObject({ displayName: z.string() })),
  alertStrategy: z.looseObject({ notificationChannelStrategy: z.array(z.looseObject({})).optional() }).optional(),
});
const levels = z.strictObject({
  service: z.looseObject({ userLabels: labels }),
  serviceLevelObjectives: z.array(objective).min(1),
  alertPolicies: z.array(alert),
});
const dashboard = z.looseObject({ displayName: z.string() });
const uptimeCheck = z.looseObject({
  displayName: z.string(),
  monitoredResource: z.looseObject({ labels: z.looseObject({ host: z.string().regex(/^[A-Z]+_HOST$/) }) }),
  userLabels: labels,
});

export type Alert = z.infer<typeof alert>;

export interface Definitions {
  readonly metrics: readonly z.infer<typeof metric>[];
  readonly service: { readonly id: string; readonly body: Body };
  readonly objectives: readonly { readonly id: string; readonly body: Body }[];
  readonly alerts: readonly Alert[];
  readonly dashboard: Body;
  readonly uptimeChecks: readonly z.infer<typeof uptimeCheck>[];
  /** The labels of everything here that has labels. */
  readonly labels: Readonly<Record<string, string>>;
}

export interface Wish {
  readonly project: string;
  /** Where docs/playbooks can be read. */
  readonly playbooksUrl: string;
  /** Whether the policy has the credential that the probe asks for. */
  readonly canary: boolean;
  /** Where a function answers; undefined when Google's checkers cannot reach the desk. */
  readonly hostOf: ((name: string) => string) | undefined;
}

/** @throws Error when a file is not of its shape */
export function readDefinitions({ project, playbooksUrl, canary, hostOf }: Wish): Definitions {
  const read = <T>(name: string, schema: z.ZodType<T>): T => {
    const text = readFileSync(join(import.meta.dirname, `${name}.json`), 'utf8');
    const parsed = schema.safeParse(JSON.parse(text, (_, value: unknown) => filled(value)));
    if (!parsed.success) throw new Error(`${name}.json: ${z.prettifyError(parsed.error)}`);
    return parsed.data;
  };
  const filled = (value: unknown): unknown =>
    typeof value === 'string'
      ? value.replaceAll('PROJECT_ID', () => project).replaceAll('PLAYBOOKS_URL', () => playbooksUrl)
      : value;

  const { service, serviceLevelObjectives, alertPolicies } = read('slos', levels);
  const named = serviceLevelObjectives.map(({ name, ...body }) => {
    const [, serviceId = '', id = ''] = OBJECTIVE.exec(name) ?? [];
    return { serviceId, id, body };
  });
  const [serviceId = '', ...others] = new Set(named.map((each) => each.serviceId));
  if (others.length > 0) throw new Error('slos.json: objectives of more than one service');
  return {
    metrics: read('metrics', z.array(metric)),
    service: { id: serviceId, body: service },
    objectives: named.map(({ id, body }) => ({ id, body })),
    alerts: [...read('alerts', z.array(alert)), ...alertPolicies]
      .filter(({ userLabels }) => canary || !userLabels.playbook?.startsWith('probe'))
      .filter(({ conditions }) => hostOf || !conditions.every(readsUptimeChecks)),
    dashboard: read('dashboard', dashboard),
    uptimeChecks: hostOf ? read('uptime-checks', z.array(uptimeCheck)).map((check) => toHost(check, hostOf)) : [],
    labels: service.userLabels,
  };
}

/** TOKEN_HOST is where the function `token` answers. */
function toHost(check: z.infer<typeof uptimeCheck>, hostOf: (name: string) => string) {
  const { labels: own, ...resource } = check.monitoredResource;
  const host = hostOf(own.host.replace('_HOST', '').toLowerCase());
  return { ...check, monitoredResource: { ...resource, labels: { ...own, host } } };
}

/** Google knows no metric of checks where there is none, and refuses the alert. */
function readsUptimeChecks(condition: Body): boolean {
  return JSON.stringify(condition).includes('monitoring.googleapis.com/uptime_check/');
}
