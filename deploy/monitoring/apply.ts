// `npm run monitoring -- OPTIONS`: puts the definitions beside it in force, for those who deploy without
// Terraform. Looks at what is there, shows what it would create or change, and does that once it is confirmed. Safe to
// repeat; stops at the first error; touches nothing that is not Keydesk's; deletes nothing. A metric that Google does not
// know yet is waited for.

import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { detailOf } from '../../shared/unavailable.ts';
import { operatorsToken } from '../as-operator.ts';
import { readDefinitions } from './definitions.ts';
import { type Change, createGoogle, type Google, Stopped } from './google.ts';
import { planAlerts, planUptimeChecks } from './plan-labelled.ts';
import { planDashboard, planMetrics, planService } from './plan-named.ts';
import type { Step } from './steps.ts';

const USAGE = `usage: npm run monitoring -- --project ID --playbooks-url URL --region REGION [options]
  --project ID         the desk's own project
  --playbooks-url URL  where docs/playbooks can be read
  --region REGION      of the functions: uptime checks ask keydesk-token-PROJECT_NUMBER.REGION.run.app, and the webhook's
  --without-uptime     instead of --region: no uptime checks, for a desk that the internet does not reach
  --channel NAME       whom alerts tell, projects/ID/notificationChannels/ID; as often as needed. Without any, each alert
                       keeps the channels that it has
  --without-canary     no alerts on the probe, for a policy without the credential canary
  --dry-run            show the plan, change nothing
  --yes                do not ask
An access token comes from GOOGLE_OAUTH_ACCESS_TOKEN, or else from gcloud.`;
/** Google says "up to 10 minutes": 24 pauses are twelve. */
const PAUSES = 24;
const PAUSE_MS = Number(process.env.KEYDESK_METRIC_PAUSE_MS ?? 30_000);
const LONGEST = 100;

const options = readArguments();
try {
  await main();
} catch (error) {
  fail(detailOf(error));
}

async function main(): Promise<void> {
  const { project, channels, region } = options;
  const google = createGoogle(project, operatorsToken(fail), process.env);
  const end = region && `${await google.projectNumber()}.${region}.run.app`;
  const definitions = readDefinitions({ ...options, hostOf: end ? (name) => `keydesk-${name}-${end}` : undefined });
  const desk = { google, definitions, project, channels };
  // Alerts come last: they name metrics and objectives, and may have to wait.
  const plans = [
    await planMetrics(desk),
    await planDashboard(desk),
    await planUptimeChecks(desk),
    await planService(desk),
    await planAlerts(desk),
  ];
  const steps = plans.flatMap((plan) => plan.steps);
  const todo = steps.filter((step) => step.change);
  for (const step of steps) show(step);
  for (const note of plans.flatMap(({ notes }) => notes)) console.log(`note: ${note}.`);
  if (todo.length === 0) return console.log(`${project}: everything is as it must be, nothing to do.`);
  console.log(`${project}: ${todo.length} to create or change, ${steps.length - todo.length} to leave.`);
  if (options.dryRun) return;
  if (!options.yes && (await answerTo('Do it? Type yes: ')) !== 'yes') throw new Stopped('nothing was changed');
  for (const [index, step] of todo.entries()) {
    await carryOut(google, step).catch((error: unknown) => {
      throw new Stopped(
        `${step.what}: ${detailOf(error)}\n${index} of ${todo.length} were done, and stay. Run it again, and it goes on from there.`,
      );
    });
  }
  console.log(`${project}: all ${todo.length} are done.`);
}

async function carryOut(google: Google, { what, change }: Step): Promise<void> {
  if (!change) return;
  for (let pauses = 0; !(await google.send(change)); pauses += 1) {
    if (pauses === PAUSES)
      throw new Stopped(
        'Google still does not know a metric that it names. One of metrics.json it knows within ten minutes; one of its own, such as Cloud Run\u2019s, once there is something to count: are the functions deployed?',
      );
    const pause = `${PAUSE_MS / 1000} s, ${pauses + 1} of ${PAUSES}`;
    console.log(`waiting  ${what}: Google does not know its metric yet, which takes up to ten minutes (${pause})`);
    await sleep(PAUSE_MS);
  }
  console.log(`${isNew(change) ? 'created' : 'changed'}  ${what}`);
}

function show({ what, change, differences }: Step): void {
  console.log(`${change ? (isNew(change) ? 'create' : 'change') : 'leave '}  ${what}`);
  for (const { path, is, wanted } of differences) console.log(`          ${path}: ${brief(is)} -> ${brief(wanted)}`);
}

function isNew({ method }: Change): boolean {
  return method === 'POST';
}

function brief(value: unknown): string {
  const text = value === undefined ? 'not set' : JSON.stringify(value);
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}

/** The first line of what is typed; empty at its end. */
async function answerTo(question: string): Promise<string> {
  process.stdout.write(question);
  const lines = createInterface({ input: process.stdin });
  for await (const line of lines) return line.trim();
  return '';
}

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        project: { type: 'string', default: '' },
        'playbooks-url': { type: 'string', default: '' },
        region: { type: 'string' },
        'without-uptime': { type: 'boolean', default: false },
        channel: { type: 'string', multiple: true, default: [] },
        'without-canary': { type: 'boolean', default: false },
        'dry-run': { type: 'boolean', default: false },
        yes: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    const { project, region, channel: channels } = values;
    if (!/^[a-z0-9.:-]+$/.test(project)) throw new Error('--project ID is needed');
    if (!/^https?:\/\/[\w.:/@%~+-]+$/.test(values['playbooks-url'])) throw new Error('--playbooks-url URL is needed');
    if (
      region === undefined ? !values['without-uptime'] : values['without-uptime'] || !/^[a-z]+-[a-z]+\d+$/.test(region)
    )
      throw new Error('--region REGION is needed, or --without-uptime');
    const wrong = channels.find((name) => !/^projects\/[^/\s]+\/notificationChannels\/\w+$/.test(name));
    if (wrong) throw new Error(`--channel ${wrong}: that is not projects/ID/notificationChannels/ID`);
    return {
      project,
      region,
      channels,
      playbooksUrl: values['playbooks-url'].replace(/\/+$/, ''),
      canary: !values['without-canary'],
      dryRun: values['dry-run'],
      yes: values.yes,
    };
  } catch (error) {
    return fail(`${detailOf(error)}\n${USAGE}`, 2);
  }
}

function fail(message: string, code = 1): never {
  console.error(`apply.ts: ${message}`);
  process.exit(code);
}
