// What Google names, so that it is ours by the labels of our files, and found by its display name among those: alerts and
// uptime checks. Another's of the same display name is left alone. Reads, changes nothing, and has no request that
// deletes.

import * as z from 'zod';
import type { Alert } from './definitions.ts';
import { differencesOf } from './differences.ts';
import type { Body, Place } from './google.ts';
import { type Desk, type Pair, type Plan, toStep, unwanted, withLabelsOf } from './steps.ts';

type Labels = Readonly<Record<string, string>>;
const labelled = z.looseObject({
  name: z.string().regex(/^projects\/[^/?#]+\/(alertPolicies|uptimeCheckConfigs)\/[^/?#]+$/),
  displayName: z.string().default(''),
  userLabels: z.record(z.string(), z.string()).default({}),
  conditions: z.array(z.looseObject({ displayName: z.string().optional(), name: z.string() })).default([]),
  notificationChannels: z.array(z.string()).default([]),
});
type Labelled = z.infer<typeof labelled>;

export async function planAlerts({ google, definitions, project, channels }: Desk): Promise<Plan> {
  const place = { api: 'monitoring', path: `v3/projects/${project}/alertPolicies` } as const;
  const all = z.array(labelled).parse(await google.list(place, 'alertPolicies'));
  const ours = all.filter((each) => has(each, definitions.labels) && 'playbook' in each.userLabels);
  const pairs = definitions.alerts.map((alert) => {
    const live = ours.find(({ displayName }) => displayName === alert.displayName);
    const wanted = telling(alert, channels.length > 0 ? channels : (live?.notificationChannels ?? []));
    // One that is sent without its name becomes another condition, with another id.
    const named = alert.conditions.map((each) => ({ ...each, ...nameOf(each.displayName, live) }));
    return toPair(place, { wanted, live, changed: { ...wanted, conditions: named } });
  });
  const names = definitions.alerts.map(({ displayName }) => displayName);
  const foreign = all.filter((each) => !ours.includes(each) && names.includes(each.displayName));
  const unheard = pairs.filter(({ wanted }) => !wanted.notificationChannels).length;
  return {
    steps: pairs.map((pair) => toStep('alert', pair.wanted.displayName, pair)),
    notes: [
      ...leftOf(ours, pairs).map((each) => unwanted('alert', `${each.displayName} (${each.name})`)),
      ...foreign.map((each) => `${each.name} is called ${each.displayName} too, but is not ours: left alone`),
      ...(unheard > 0 ? [`${unheard} alerts tell nobody, for they have no notification channel: say --channel`] : []),
    ],
  };
}

/** What a check asks cannot be changed: one that asks another host is another check. */
export async function planUptimeChecks({ google, definitions, project }: Desk): Promise<Plan> {
  const place = { api: 'monitoring', path: `v3/projects/${project}/uptimeCheckConfigs` } as const;
  const all = z.array(labelled).parse(await google.list(place, 'uptimeCheckConfigs'));
  const ours = all.filter((each) => has(each, definitions.labels));
  const pairs = definitions.uptimeChecks.map((wanted) => {
    const { displayName, monitoredResource } = wanted;
    const asked = { displayName, monitoredResource };
    const live = ours.find((each) => differencesOf('uptime check', asked, each).length === 0);
    return toPair(place, { wanted, live, changed: wanted });
  });
  return {
    steps: pairs.map((pair) => toStep('uptime check', pair.wanted.displayName, pair)),
    notes: leftOf(ours, pairs).map((each) => unwanted('uptime check', `${each.displayName} (${each.name})`)),
  };
}

/** How often to remind is said of channels by their names, which the files cannot know. */
function telling(alert: Alert, channels: readonly string[]) {
  const { notificationChannelStrategy = [], ...strategy } = alert.alertStrategy ?? {};
  if (channels.length === 0) return { ...alert, alertStrategy: strategy };
  const named = notificationChannelStrategy.map((each) => ({ ...each, notificationChannelNames: channels }));
  const reminding = named.length > 0 ? { notificationChannelStrategy: named } : {};
  return { ...alert, notificationChannels: channels, alertStrategy: { ...strategy, ...reminding } };
}

function toPair<Wanted extends Body>(
  place: Place,
  { wanted, live, changed }: { wanted: Wanted; live: Labelled | undefined; changed: Body },
): Pair<Labelled> & { readonly wanted: Wanted } {
  return {
    wanted,
    live,
    create: { ...place, method: 'POST', json: wanted },
    update: (former, mask) => ({
      ...place,
      method: 'PATCH',
      path: `v3/${former.name}?updateMask=${mask}`,
      json: withLabelsOf(former, changed),
    }),
  };
}

function nameOf(displayName: string, live: Labelled | undefined): { readonly name?: string } {
  const [one, ...more] = live?.conditions.filter((each) => each.displayName === displayName) ?? [];
  return one && more.length === 0 ? { name: one.name } : {};
}

function has({ userLabels }: Labelled, labels: Labels): boolean {
  return Object.entries(labels).every(([key, value]) => userLabels[key] === value);
}

function leftOf(ours: readonly Labelled[], pairs: readonly { readonly live: Labelled | undefined }[]): Labelled[] {
  return ours.filter((each) => !pairs.some(({ live }) => live === each));
}
