// What has a name of our choice, under which it is found: metrics, the dashboard, the service and its objectives. Reads,
// changes nothing, and has no request that deletes.

import * as z from 'zod';
import { type Desk, type Plan, toStep, unwanted, withLabelsOf } from './steps.ts';

const DASHBOARD_ID = 'keydesk';
const listed = z.array(z.looseObject({ name: z.string() }));

export async function planMetrics({ google, definitions, project }: Desk): Promise<Plan> {
  const all = { api: 'logging', path: `v2/projects/${project}/metrics` } as const;
  const live = listed.parse(await google.list(all, 'metrics'));
  const steps = definitions.metrics.map((json) =>
    toStep('metric', json.name, {
      wanted: json,
      live: live.find(({ name }) => name === json.name),
      create: { ...all, method: 'POST', json },
      update: () => ({ ...all, method: 'PUT', path: `${all.path}/${encodeURIComponent(json.name)}`, json }),
    }),
  );
  const names = definitions.metrics.map(({ name }) => name);
  const prefixes = names.map((name) => name.replace(/\/.*/, '/'));
  const ours = live.map(({ name }) => name).filter((name) => prefixes.some((prefix) => name.startsWith(prefix)));
  return { steps, notes: ours.filter((name) => !names.includes(name)).map((name) => unwanted('metric', name)) };
}

/** It may be created with its name. By the etag, a change overwrites none that came between. */
export async function planDashboard({ google, definitions, project }: Desk): Promise<Plan> {
  const all = { api: 'monitoring', path: `v1/projects/${project}/dashboards` } as const;
  const one = { ...all, path: `${all.path}/${DASHBOARD_ID}` };
  const json = { ...definitions.dashboard, name: `projects/${project}/dashboards/${DASHBOARD_ID}` };
  const step = toStep('dashboard', DASHBOARD_ID, {
    wanted: definitions.dashboard,
    live: await google.find(one),
    create: { ...all, method: 'POST', json },
    update: ({ etag }) => ({ ...one, method: 'PATCH', json: { ...json, etag } }),
  });
  return { steps: [step], notes: [] };
}

/** Their names in answers have the project's number where ours have its id: only the last part is compared. */
export async function planService({ google, definitions, project }: Desk): Promise<Plan> {
  const all = { api: 'monitoring', path: `v3/projects/${project}/services` } as const;
  const { id: serviceId, body } = definitions.service;
  const one = { ...all, path: `${all.path}/${serviceId}` };
  const live = await google.find(one);
  const service = toStep('service', serviceId, {
    wanted: body,
    live,
    create: { ...all, method: 'POST', path: `${all.path}?serviceId=${serviceId}`, json: body },
    update: (former, mask) => ({
      ...one,
      method: 'PATCH',
      path: `${one.path}?updateMask=${mask}`,
      json: withLabelsOf(former, body),
    }),
  });

  const objectives = { ...all, path: `${one.path}/serviceLevelObjectives` };
  const found = live ? listed.parse(await google.list(objectives, 'serviceLevelObjectives')) : [];
  const byId = new Map(found.map((each) => [each.name.replace(/^.*\//, ''), each]));
  const steps = definitions.objectives.map(({ id, body: json }) => {
    const created = `${objectives.path}?serviceLevelObjectiveId=${id}`;
    return toStep('objective', id, {
      wanted: json,
      live: byId.get(id),
      create: { ...objectives, method: 'POST', path: created, json },
      update: (former, mask) => ({
        ...objectives,
        method: 'PATCH',
        path: `${objectives.path}/${id}?updateMask=${mask}`,
        json: withLabelsOf(former, json),
      }),
    });
  });
  const ids = definitions.objectives.map(({ id }) => id);
  const left = [...byId.keys()].filter((id) => !ids.includes(id));
  return { steps: [service, ...steps], notes: left.map((id) => unwanted('objective', id)) };
}
