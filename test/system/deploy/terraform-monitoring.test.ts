// What terraform plans of deploy/monitoring, spelled back into the shapes of Google's APIs and compared with the JSON, whole:
// a field that the HCL misspells, forgets or gives a value of its own is a difference.

import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { createPlanner, type PlannedResource, type Planner, TERRAFORM, UNHURRIED } from './terraform-plan.ts';
import { type Block, PROVIDER_SCHEMA } from './terraform-provider.ts';

const PLAYBOOKS = 'https://github.com/acme/keydesk/blob/main/docs/playbooks';
const CHANNELS = ['projects/acme-keydesk/notificationChannels/1234567890'];
const POLICY = readFileSync('examples/policy.yaml', 'utf8');
const CANARY = `credentials:
  canary:
    environment: monitoring
    ttl: 1m
    firestore:
      database: staging
      allow: [{ path: "canary/{document}", verbs: [get] }]
`;

type Message = Readonly<Record<string, unknown>>;
const message: z.ZodType<Message> = z.record(z.string(), z.unknown());
const messages = z.array(message);

/** A file of deploy/monitoring, filled in as Terraform is to fill it in. */
function definitionsOf(name: string): unknown {
  const text = readFileSync(`deploy/monitoring/${name}.json`, 'utf8');
  return JSON.parse(
    text
      .replaceAll('PROJECT_ID', 'acme-keydesk')
      .replaceAll('PLAYBOOKS_URL', PLAYBOOKS)
      .replaceAll('ORGANIZATION', 'acme-inc')
      .replaceAll('REGION', 'europe-west1')
      .replaceAll(/(TOKEN|WEBHOOK)_HOST/g, (_, name: string) => `keydesk-${name.toLowerCase()}-abc123-ew.a.run.app`),
  );
}
const levels = z
  .object({ service: message, serviceLevelObjectives: messages, alertPolicies: messages })
  .parse(definitionsOf('slos'));

/** Planned values as a message of Google's: names in camel case, single blocks as objects, without what is not set. */
function toMessage({ attributes, block_types }: Block, values: Message): Message {
  const own = Object.entries(attributes).flatMap(([name, { computed, optional }]) => {
    const value = values[name];
    const googles = name === 'id' || (computed && !optional);
    return googles || isUnset(value) ? [] : [[toCamel(name), value] as const];
  });
  // How long terraform waits is no message of Google's.
  const nested = Object.entries(block_types).flatMap(([name, { block, nesting_mode, max_items }]) => {
    if (nesting_mode === 'single') return [];
    const inside = messages.parse(values[name] ?? []).map((each) => toMessage(block, each));
    if (inside.length === 0) return [];
    return [[toCamel(name), max_items === 1 ? inside[0] : inside] as const];
  });
  return Object.fromEntries([...own, ...nested]);
}

function isUnset(value: unknown): boolean {
  return value === null || value === undefined || (typeof value === 'object' && Object.keys(value).length === 0);
}

function toCamel(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

function planned(resources: readonly PlannedResource[], type: string): Message[] {
  const block = PROVIDER_SCHEMA.resource[type];
  if (!block) throw new Error(`no schema of ${type}`);
  return resources.filter((each) => each.type === type).map(({ values }) => toMessage(block, values));
}

const byName = (key: string) => (list: readonly Message[]) =>
  [...list].sort((left, right) => (String(left[key]) < String(right[key]) ? -1 : 1));
const byDisplayName = byName('displayName');

/** A set has no order. */
function withSortedLabels(metric: Message): Message {
  const { metricDescriptor } = z.object({ metricDescriptor: message }).parse(metric);
  const labels =
    metricDescriptor.labels === undefined ? {} : { labels: byName('key')(messages.parse(metricDescriptor.labels)) };
  return { ...metric, metricDescriptor: { ...metricDescriptor, ...labels } };
}

/** An alert with the channels that it is to tell, and to tell again. */
function withChannels(alert: Message): Message {
  const { alertStrategy } = z.object({ alertStrategy: message }).parse(alert);
  const { notificationChannelStrategy: again, ...strategy } = alertStrategy;
  const reported = again && messages.parse(again).map((each) => ({ ...each, notificationChannelNames: CHANNELS }));
  return {
    ...alert,
    notificationChannels: CHANNELS,
    alertStrategy: reported ? { ...strategy, notificationChannelStrategy: reported } : strategy,
  };
}

describe.skipIf(TERRAFORM.missing)(TERRAFORM.title('the plan of monitoring'), UNHURRIED, () => {
  let planner: Planner;
  let resources: readonly PlannedResource[];
  /** Without a canary, and with nobody to notify. */
  let plain: readonly PlannedResource[];

  beforeAll(async () => {
    planner = await createPlanner({ known: true });
    const canary = planner.writePolicy(
      POLICY.replace('credentials:\n', CANARY).replace('environments:\n', 'environments:\n  monitoring: {}\n'),
    );
    resources = (await planner.plan({ ...canary, webhook_tokens_version: '"3"' })).resources;
    plain = (await planner.plan({ webhook_tokens_version: '"3"', notification_channels: '[]' })).resources;
  }, UNHURRIED.timeout);
  afterAll(() => planner?.stop());

  const project = 'acme-keydesk';

  it('has the metrics of metrics.json', () => {
    const expected = messages
      .parse(definitionsOf('metrics'))
      .map((metric) => ({ ...withSortedLabels(metric), project }));
    const found = planned(resources, 'google_logging_metric').map(withSortedLabels);
    expect(byName('name')(found)).toEqual(byName('name')(expected));
  });

  it('has the alerts of alerts.json and slos.json, with their notification channels', () => {
    const all = [...messages.parse(definitionsOf('alerts')), ...levels.alertPolicies];
    const expected = all.map((alert) => ({ ...withChannels(alert), project }));
    expect(byDisplayName(planned(resources, 'google_monitoring_alert_policy'))).toEqual(byDisplayName(expected));
  });

  it('has the service and the objectives of slos.json', () => {
    const { custom, ...service } = levels.service;
    expect(custom).toEqual({});
    expect(planned(resources, 'google_monitoring_custom_service')).toEqual([
      { ...service, serviceId: 'keydesk', project },
    ]);
    const expected = levels.serviceLevelObjectives.map(({ name, serviceLevelIndicator, rollingPeriod, ...rest }) => {
      const { requestBased } = message.parse(serviceLevelIndicator);
      const rollingPeriodDays = Number(String(rollingPeriod).replace(/s$/, '')) / 86_400;
      const sloId = /^projects\/acme-keydesk\/services\/keydesk\/serviceLevelObjectives\/([\w-]+)$/.exec(
        String(name),
      )?.[1];
      return { ...rest, project, service: 'keydesk', sloId, rollingPeriodDays, requestBasedSli: requestBased };
    });
    expect(byDisplayName(planned(resources, 'google_monitoring_slo'))).toEqual(byDisplayName(expected));
  });

  it('has the uptime checks of uptime-checks.json, each of its own function', () => {
    const expected = messages.parse(definitionsOf('uptime-checks')).map((check) => ({ ...check, project }));
    expect(byDisplayName(planned(resources, 'google_monitoring_uptime_check_config'))).toEqual(byDisplayName(expected));
    const addresses = resources.map(({ address }) => address).filter((address) => address.includes('uptime_check'));
    expect(addresses.sort()).toEqual([
      'google_monitoring_uptime_check_config.keydesk["token"]',
      'google_monitoring_uptime_check_config.keydesk["webhook"]',
    ]);
  });

  it('names in filters, checks and audit queries only resources that the plan has, by labels that they have', () => {
    // Source: cloud.google.com/monitoring/api/resources.
    const types: Readonly<Record<string, { readonly of: string; readonly labels: readonly string[] }>> = {
      cloud_run_revision: {
        of: 'google_cloud_run_v2_service',
        labels: ['project_id', 'service_name', 'revision_name', 'location', 'configuration_name'],
      },
      uptime_url: { of: 'google_monitoring_uptime_check_config', labels: ['project_id', 'host'] },
      service_account: { of: 'google_service_account', labels: ['project_id', 'email_id', 'unique_id'] },
    };
    const folders = ['deploy/monitoring', 'deploy/audit'];
    const texts = folders.flatMap((folder) =>
      readdirSync(folder, { withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map(({ name }) => readFileSync(`${folder}/${name}`, 'utf8').replaceAll('\\"', '"')),
    );
    const found = (pattern: RegExp) =>
      new Set(texts.flatMap((text) => [...text.matchAll(pattern)].map(([, name = '']) => name)));
    const named = found(/resource\.type="(\w+)"/g);
    expect([...named].sort()).toEqual(['cloud_run_revision', 'global', 'uptime_url']);
    // Every project has the resource `global`: the lines of a command are of it.
    named.delete('global');
    for (const type of named) expect(planned(resources, types[type]?.of ?? type).length).toBeGreaterThan(0);
    const labels = Object.values(types).flatMap((type) => type.labels);
    expect([...found(/resource\.labels\.(\w+)/g)].filter((label) => !labels.includes(label))).toEqual([]);
    const services = planned(resources, 'google_cloud_run_v2_service').map(({ name }) => name);
    for (const service of found(/service_name="([\w-]+)"/g)) expect(services).toContain(service);
  });

  it('has the dashboard of dashboard.json', () => {
    const [dashboard, ...more] = planned(resources, 'google_monitoring_dashboard');
    expect([more, dashboard?.project]).toEqual([[], project]);
    expect(JSON.parse(String(dashboard?.dashboardJson))).toEqual(definitionsOf('dashboard'));
  });

  it('has no alert on a probe that there is none of', () => {
    const labels = z.object({ playbook: z.string() });
    const played = planned(plain, 'google_monitoring_alert_policy').map(
      ({ userLabels }) => labels.parse(userLabels).playbook,
    );
    const all = planned(resources, 'google_monitoring_alert_policy').map(
      ({ userLabels }) => labels.parse(userLabels).playbook,
    );
    expect(played.sort()).toEqual(all.filter((playbook) => !playbook.startsWith('probe')).sort());
    expect(all.filter((playbook) => playbook.startsWith('probe')).sort()).toEqual([
      'probe-failing',
      'probe-granted',
      'probe-no-webhook',
    ]);
  });

  it('has metrics and dashboard, but neither alerts nor objectives nor checks, before there are functions', async () => {
    const first = await planner.plan();
    const count = (type: string) => planned(first.resources, type).length;
    expect([count('google_monitoring_alert_policy'), count('google_monitoring_uptime_check_config')]).toEqual([0, 0]);
    expect(count('google_logging_metric')).toBe(messages.parse(definitionsOf('metrics')).length);
    expect([count('google_monitoring_dashboard'), count('google_monitoring_slo')]).toEqual([1, 0]);
  });

  it('configures no repeated notification where it has no channel', () => {
    const alerts = planned(plain, 'google_monitoring_alert_policy');
    expect(alerts.length).toBeGreaterThan(10);
    for (const alert of alerts) {
      expect(alert).not.toHaveProperty('notificationChannels');
      expect(alert.alertStrategy).not.toHaveProperty('notificationChannelStrategy');
    }
  });

  it('leaves no placeholder', () => {
    expect(JSON.stringify(resources)).not.toMatch(
      /PROJECT_ID|PLAYBOOKS_URL|ORGANIZATION|REGION|TOKEN_HOST|WEBHOOK_HOST/,
    );
  });
});
