// deploy/monitoring/apply.ts against a stand-in for Google's APIs: it creates all that the files have, changes what
// differs and nothing else, leaves what is others', asks first, waits for metrics, and stops with something to do.

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { ROOT } from '../../sandbox/functions.ts';
import { type Body, type MonitoringApi, startMonitoringApi } from './monitoring-api.ts';

const ACCESS_TOKEN = 'ya29.token-of-the-test';
const PROJECT = 'acme-keydesk';
const NUMBER = '123456789012';
const PARENT = `projects/${PROJECT}`;
const PLAYBOOKS = 'https://git.acme.example/keydesk/docs/playbooks';
const [FIRST, SECOND] = [`${PARENT}/notificationChannels/1`, `${PARENT}/notificationChannels/2`];
const ARGS = ['--project', PROJECT, '--playbooks-url', `${PLAYBOOKS}/`, '--region', 'europe-west1', '--channel', FIRST];
const read = (name: string) =>
  JSON.parse(
    readFileSync(join(ROOT, `deploy/monitoring/${name}.json`), 'utf8')
      .replaceAll('PROJECT_ID', PROJECT)
      .replaceAll('PLAYBOOKS_URL', PLAYBOOKS)
      .replace(/"([A-Z]+)_HOST"/g, (_, name) => `"keydesk-${name.toLowerCase()}-${NUMBER}.europe-west1.run.app"`),
  );
const metrics = read('metrics') as Body[];
const slos = read('slos') as { service: Body; serviceLevelObjectives: Body[]; alertPolicies: Body[] };
const alerts = [...(read('alerts') as Body[]), ...slos.alertPolicies];
const checks = read('uptime-checks') as Body[];
/** An alert of the files when these are told: how often to remind is said of channels. */
const telling = (each: Body, channels: readonly string[]): Body => {
  const { notificationChannelStrategy: reminders, ...strategy } = each.alertStrategy as Record<string, Body[]>;
  const named = reminders?.map((reminder) => ({ ...reminder, notificationChannelNames: channels }));
  const notificationChannelStrategy = named && { notificationChannelStrategy: named };
  return { ...each, notificationChannels: channels, alertStrategy: { ...strategy, ...notificationChannelStrategy } };
};
const [metric, alert, objective] = [metrics[0], alerts[0], slos.serviceLevelObjectives[0]] as [Body, Body, Body];
const SERVICE = String(objective.name).replace(/\/serviceLevelObjectives\/.*/, '');
const DASHBOARD = `${PARENT}/dashboards/keydesk`;

describe('deploy/monitoring/apply.ts', () => {
  let api: MonitoringApi;
  beforeEach(async () => {
    api = await startMonitoringApi({ accessToken: ACCESS_TOKEN, project: PROJECT, number: NUMBER });
    return () => api.stop();
  });

  function apply(args: readonly string[], input = '', env: NodeJS.ProcessEnv = {}) {
    api.calls.length = 0;
    return new Promise<{ code: number; output: string }>((resolve) => {
      const child = execFile(
        process.execPath,
        [join(ROOT, 'deploy/monitoring/apply.ts'), ...args],
        {
          env: {
            ...process.env,
            GOOGLE_OAUTH_ACCESS_TOKEN: ACCESS_TOKEN,
            KEYDESK_LOGGING_URL: api.url,
            KEYDESK_MONITORING_URL: api.url,
            KEYDESK_RESOURCEMANAGER_URL: api.url,
            KEYDESK_METRIC_PAUSE_MS: '1',
            ...env,
          },
        },
        (error, stdout, stderr) => {
          expect(stdout + stderr).not.toContain(ACCESS_TOKEN);
          resolve({ code: Number(error?.code ?? 0), output: stdout + stderr });
        },
      );
      child.stdin?.end(input);
    });
  }
  const changes = () => api.calls.map(({ call }) => call).filter((call) => !call.startsWith('GET '));
  const namesOf = (kind: string) => [...api.stored.keys()].filter((name) => name.includes(`/${kind}/`));
  const alertNamed = (displayName: unknown) =>
    [...api.stored].find(([, json]) => json.displayName === displayName)?.[0] ?? '';
  const withoutIds = (name: string) => {
    const { conditions, ...json } = api.stored.get(name) as { conditions: Body[] };
    return { ...json, conditions: conditions.map(({ name: _, ...condition }) => condition) };
  };
  /** As if somebody had changed it, or had made it. */
  const put = (name: string, json: Body) => api.stored.set(name, { ...api.stored.get(name), ...json });
  const applied = async (args: readonly string[] = ARGS) => {
    expect(await apply([...args, '--yes'])).toMatchObject({ code: 0 });
  };

  it('creates everything that the files have, as it stands there, and alerts last', async () => {
    const { code, output } = await apply([...ARGS, '--yes']);
    expect([code, output]).toEqual([0, expect.stringContaining('are done')]);
    for (const each of metrics) expect(api.stored.get(`${PARENT}/metrics/${each.name}`)).toEqual(each);
    for (const { name, ...each } of slos.serviceLevelObjectives) expect(api.stored.get(String(name))).toEqual(each);
    expect(api.stored.get(SERVICE)).toEqual(slos.service);
    expect(api.stored.get(DASHBOARD)).toMatchObject(read('dashboard'));
    const sent = api.calls.filter(({ call }) => call === `POST v3/${PARENT}/alertPolicies`).map(({ json }) => json);
    expect(sent).toEqual(alerts.map((each) => telling(each, [FIRST])));
    expect(api.stored.size).toBe(
      metrics.length + slos.serviceLevelObjectives.length + alerts.length + checks.length + 2,
    );
    expect(changes().slice(-alerts.length)).toEqual(alerts.map(() => `POST v3/${PARENT}/alertPolicies`));
    for (const each of [...metrics, ...slos.serviceLevelObjectives])
      expect(output).toContain(String(each.name).replace(/^.*Objectives\//, ''));
    for (const each of alerts) expect(output).toContain(`create  alert ${each.displayName}\n`);
  });

  it('checks the functions that the internet reaches, each at its own address', async () => {
    await applied();
    const made = namesOf('uptimeCheckConfigs').map((name) => api.stored.get(name));
    expect(made).toEqual(checks);
    expect(JSON.stringify(made)).toContain('"host":"keydesk-token-123456789012.europe-west1.run.app"');
  });

  it('makes no checks, nor alerts on them, and asks for no number, when the internet does not reach the desk', async () => {
    const onChecks = alerts.filter((each) => JSON.stringify(each).includes('/uptime_check/'));
    expect(onChecks.length).toBeGreaterThan(0);
    await applied([...ARGS.slice(0, 4), '--without-uptime']);
    expect(namesOf('uptimeCheckConfigs')).toEqual([]);
    expect(namesOf('alertPolicies')).toHaveLength(alerts.length - onChecks.length);
    expect(api.calls.map(({ call }) => call)).not.toContain(`GET v3/${PARENT}`);
  });

  it('changes nothing when it is repeated', async () => {
    await applied();
    const before = structuredClone([...api.stored]);
    const { code, output } = await apply(ARGS);
    expect([code, output]).toEqual([0, expect.stringContaining('everything is as it must be, nothing to do')]);
    expect(output).not.toMatch(/^(create|change|note)/m);
    expect([changes(), [...api.stored]]).toEqual([[], before]);
  });

  it('changes a threshold back, that alert only, and keeps its condition and what others added', async () => {
    await applied();
    const limit = alerts.find(({ conditions }) => 'conditionThreshold' in ((conditions as Body[])[0] ?? {})) as Body;
    const name = alertNamed(limit.displayName);
    const before = structuredClone(api.stored.get(name)) as { conditions: Body[]; userLabels: Body };
    const threshold = before.conditions[0]?.conditionThreshold as { thresholdValue: number };
    const other = { ...before.conditions[0], conditionThreshold: { ...threshold, thresholdValue: 4711 } };
    put(name, { conditions: [other, ...before.conditions.slice(1)], userLabels: { ...before.userLabels, team: 'a' } });
    const { output } = await apply([...ARGS, '--yes']);
    expect(output).toContain(
      `change  alert ${limit.displayName}\n          conditions[0].conditionThreshold.thresholdValue: 4711 -> ${threshold.thresholdValue}\n`,
    );
    expect(changes()).toEqual([`PATCH v3/${name}?updateMask=conditions`]);
    expect(api.stored.get(name)).toEqual({ ...before, userLabels: { ...before.userLabels, team: 'a' } });
  });

  it('changes its labels back and leaves those that others added', async () => {
    await applied();
    const name = alertNamed(alert.displayName);
    put(name, { userLabels: { ...(alert.userLabels as Body), playbook: 'another', team: 'a' } });
    put(SERVICE, { userLabels: { team: 'a' } });
    await applied();
    expect(changes()).toEqual([`PATCH v3/${SERVICE}?updateMask=userLabels`, `PATCH v3/${name}?updateMask=userLabels`]);
    expect(api.stored.get(name)?.userLabels).toEqual({ ...(alert.userLabels as Body), team: 'a' });
    expect(api.stored.get(SERVICE)?.userLabels).toEqual({ ...(slos.service.userLabels as Body), team: 'a' });
  });

  it.each([
    [
      'a metric',
      `${PARENT}/metrics/${metric.name}`,
      { filter: 'a' },
      `PUT v2/${PARENT}/metrics/${encodeURIComponent(String(metric.name))}`,
    ],
    ['a metric that is switched off', `${PARENT}/metrics/${metric.name}`, { disabled: true }, /^PUT /],
    ['an objective', String(objective.name), { goal: 0.5 }, `PATCH v3/${objective.name}?updateMask=goal`],
    ['the service', SERVICE, { displayName: 'Another' }, `PATCH v3/${SERVICE}?updateMask=displayName`],
    ['the dashboard', DASHBOARD, { displayName: 'Another', etag: 'newer' }, `PATCH v1/${DASHBOARD}`],
    ['an uptime check', 'uptimeCheckConfigs', { period: '300s' }, /^PATCH \S+\?updateMask=period$/],
    [
      'what an alert says',
      'alertPolicies',
      { severity: 'WARNING', documentation: {} },
      /\?updateMask=(severity,)?documentation$/,
    ],
    [
      'what an alert has and the file has not',
      'alertPolicies',
      { alertStrategy: { ...(telling(alert, [FIRST]).alertStrategy as Body), notificationPrompts: ['OPENED'] } },
      /\?updateMask=alertStrategy$/,
    ],
  ])('changes %s back', async (_, where, json, call) => {
    await applied();
    const name = api.stored.has(where) ? where : (namesOf(where)[0] ?? '');
    const before = structuredClone(api.stored.get(name));
    put(name, json);
    expect(await apply([...ARGS, '--yes'])).toMatchObject({ code: 0 });
    expect(changes()).toEqual([typeof call === 'string' ? call : expect.stringMatching(call)]);
    expect({ ...api.stored.get(name), etag: 0, disabled: 0, validity: 0 }).toEqual({
      ...before,
      etag: 0,
      disabled: 0,
      validity: 0,
    });
  });

  it('leaves another’s alert of the same display name alone, says so, and makes its own', async () => {
    const theirs = `${PARENT}/alertPolicies/7`;
    put(theirs, { displayName: alert.displayName, userLabels: { service: 'keydesk' }, combiner: 'OR' });
    const before = structuredClone(api.stored.get(theirs));
    const { output } = await apply([...ARGS, '--yes']);
    expect(output).toContain(`note: ${theirs} is called ${alert.displayName} too, but is not ours: left alone.`);
    expect(api.stored.get(theirs)).toEqual(before);
    expect([...api.stored.values()].filter(({ displayName }) => displayName === alert.displayName)).toHaveLength(2);
    await apply(ARGS);
    expect(changes()).toEqual([]);
  });

  it('says what of its own is wanted no longer, and deletes nothing', async () => {
    await applied();
    const { userLabels } = alert;
    put(`${PARENT}/metrics/keydesk/old`, { name: 'keydesk/old', metricDescriptor: {} });
    put(`${PARENT}/metrics/others`, { name: 'others', metricDescriptor: {} });
    put(`${SERVICE}/serviceLevelObjectives/old`, { goal: 0.9 });
    put(`${PARENT}/alertPolicies/8`, { displayName: 'Keydesk: old', userLabels });
    put(`${PARENT}/alertPolicies/9`, { displayName: 'Theirs' });
    put(`${PARENT}/uptimeCheckConfigs/8`, { displayName: 'Keydesk: the desk answers', userLabels });
    const { output } = await apply([...ARGS, '--yes']);
    expect(output.match(/^note: .*/gm)).toEqual([
      'note: metric keydesk/old is wanted no longer. Nothing here deletes it.',
      `note: uptime check Keydesk: the desk answers (${PARENT}/uptimeCheckConfigs/8) is wanted no longer. Nothing here deletes it.`,
      'note: objective old is wanted no longer. Nothing here deletes it.',
      `note: alert Keydesk: old (${PARENT}/alertPolicies/8) is wanted no longer. Nothing here deletes it.`,
    ]);
    expect(changes()).toEqual([]);
  });

  it('makes another check for another host, which no check can be changed to', async () => {
    await applied();
    const moved = ARGS.map((each) => (each === 'europe-west1' ? 'europe-west4' : each));
    const { output } = await apply([...moved, '--yes']);
    expect(changes()).toEqual(checks.map(() => `POST v3/${PARENT}/uptimeCheckConfigs`));
    expect(output).toContain('is wanted no longer');
  });

  it('has no alerts on the probe without a canary, and says which were made for one', async () => {
    const ofProbe = alerts.filter(({ userLabels }) => String((userLabels as Body).playbook).startsWith('probe'));
    expect(ofProbe.length).toBeGreaterThan(0);
    await applied([...ARGS, '--without-canary']);
    expect(namesOf('alertPolicies')).toHaveLength(alerts.length - ofProbe.length);
    await applied();
    const { output } = await apply([...ARGS, '--without-canary']);
    for (const { displayName } of ofProbe) expect(output).toContain(`note: alert ${displayName} (${PARENT}`);
    expect(changes()).toEqual([]);
  });

  it('warns when alerts tell nobody, and leaves the channels that they have when it is told of none', async () => {
    const without = ARGS.slice(0, -2);
    const warning = `note: ${alerts.length} alerts tell nobody, for they have no notification channel: say --channel.`;
    expect((await apply([...without, '--yes'])).output).toContain(warning);
    for (const name of namesOf('alertPolicies')) put(name, { notificationChannels: [SECOND] });
    await applied(without);
    expect(changes().filter((call) => !call.endsWith('?updateMask=alertStrategy'))).toEqual([]);
    for (const each of alerts) expect(withoutIds(alertNamed(each.displayName))).toEqual(telling(each, [SECOND]));
    expect((await apply(without)).output).toContain('nothing to do');
    await applied([...ARGS, '--channel', SECOND]);
    expect(changes()).toHaveLength(alerts.length);
    expect((await apply([...without, '--channel', SECOND, '--channel', FIRST])).output).toContain('nothing to do');
  });

  it.each([
    ['with --dry-run', ['--dry-run'], '', 0],
    ['with --dry-run and --yes', ['--dry-run', '--yes'], '', 0],
    ['on no', [], 'no\n', 1],
    ['on y', [], 'y\n', 1],
    ['without an answer', [], '', 1],
  ])('shows the plan and changes nothing %s', async (_, args, input, code) => {
    const shown = await apply([...ARGS, ...args], input);
    expect(shown).toMatchObject({ code, output: expect.stringContaining(`create  alert ${alert.displayName}\n`) });
    if (code === 1) expect(shown.output).toContain('nothing was changed');
    expect([changes(), api.stored.size]).toEqual([[], 0]);
  });

  it('does it once yes is typed', async () => {
    expect(await apply(ARGS, 'yes\n')).toMatchObject({ code: 0 });
    expect(namesOf('alertPolicies')).toHaveLength(alerts.length);
  });

  it('waits for metrics that Google does not know yet, and says so', async () => {
    api.state.unknownFor = { serviceLevelObjectives: 3, alertPolicies: 24 };
    const { code, output } = await apply([...ARGS, '--yes']);
    expect(code).toBe(0);
    expect(output.match(/^waiting {2}.*/gm)).toHaveLength(27);
    expect(output).toMatch(/waiting {2}objective .*: Google does not know its metric yet, .* \(0.001 s, 1 of 24\)/);
    expect(output).toMatch(/waiting {2}alert .* \(0.001 s, 24 of 24\)/);
    expect(namesOf('alertPolicies')).toHaveLength(alerts.length);
  });

  it('gives up after twelve minutes, says what to do, and goes on from there the next time', async () => {
    api.state.unknownFor = { alertPolicies: 25 };
    const { code, output } = await apply([...ARGS, '--yes']);
    expect([code, output.match(/^waiting/gm)?.length]).toEqual([1, 24]);
    expect(output).toMatch(
      /apply.ts: alert .*: Google still does not know a metric that it names\. .* are the functions deployed\?/,
    );
    expect(output).toMatch(/\n\d+ of \d+ were done, and stay\. Run it again, and it goes on from there\./);
    await applied();
    expect(changes()).not.toContain(`POST v2/${PARENT}/metrics`);
  });

  it.each([
    [400, 'Google does not take that definition'],
    [403, 'roles/monitoring.editor'],
    [404, 'look at --project and --channel'],
    [409, 'wait a while'],
    [503, 'wait a while'],
  ])('stops at the first %s, says what to do, and goes on from there the next time', async (status, advice) => {
    api.state.failing = { call: /^POST \S+\/alertPolicies$/, status };
    const { code, output } = await apply([...ARGS, '--yes']);
    expect([code, output]).toEqual([1, expect.stringContaining(advice)]);
    expect(output).toContain(`POST monitoring v3/${PARENT}/alertPolicies answered ${status}: the test broke it`);
    expect(changes().filter((call) => call.endsWith('/alertPolicies'))).toHaveLength(1);
    api.state.failing = undefined;
    await applied();
    expect(changes()).toEqual(alerts.map(() => `POST v3/${PARENT}/alertPolicies`));
  });

  it('changes nothing when it cannot look', async () => {
    api.state.failing = { call: /^GET \S+\/alertPolicies$/, status: 403 };
    expect(await apply([...ARGS, '--yes'])).toEqual({
      code: 1,
      output: expect.stringContaining('roles/monitoring.editor'),
    });
    expect(changes()).toEqual([]);
  });

  it('does not overwrite a dashboard that somebody changes meanwhile', async () => {
    await applied();
    put(DASHBOARD, { displayName: 'Another' });
    api.state.failing = { call: /^PATCH v1/, status: 409 };
    expect(await apply([...ARGS, '--yes'])).toMatchObject({ code: 1 });
    const [, patch] = api.calls.filter(({ call }) => /dashboards\/keydesk$/.test(call));
    expect(patch?.json.etag).toBe(api.stored.get(DASHBOARD)?.etag);
  });

  it.each([
    ['a token that is not taken', ARGS, { GOOGLE_OAUTH_ACCESS_TOKEN: 'another' }, 'gcloud auth login', 1],
    ['no project', ARGS.slice(2), {}, '--project ID is needed', 2],
    ['no playbooks', [...ARGS.slice(0, 2), ...ARGS.slice(4)], {}, '--playbooks-url URL is needed', 2],
    ['no region', ARGS.slice(0, 4), {}, 'or --without-uptime', 2],
    ['both', [...ARGS, '--without-uptime'], {}, 'or --without-uptime', 2],
    ['a channel that is none', [...ARGS, '--channel', 'oncall@acme.example'], {}, 'that is not projects/ID', 2],
    ['an option that is not known', [...ARGS, '--force'], {}, 'usage: npm run monitoring -- ', 2],
  ])('refuses %s', async (_, args, env, message, code) => {
    expect(await apply([...args, '--yes'], '', env)).toEqual({ code, output: expect.stringContaining(message) });
    expect(changes()).toEqual([]);
  });
});
