// `npm run kill`: the kill switch. Ends every live grant it selects, and with --bar keeps new ones from being given until it
// is lifted. Runs with the operator's own application default credentials, and the settings of the functions.

import { parseArgs } from 'node:util';
import { endingEntries, toIsoTimes } from '../functions/grant-entry.ts';
import { createKilling } from '../functions/killing.ts';
import { createAudit } from '../shared/audit.ts';
import { type Selector, selectorSchema } from '../shared/core/barrier.ts';
import type { Grant } from '../shared/core/grant.ts';
import { idOf } from '../shared/core/grant-life.ts';
import { parseSettings } from '../shared/core/settings.ts';
import { findSelected, throwKillSwitch } from '../shared/kill-switch.ts';
import { randomUuid, systemClock } from '../shared/runtime/clock.ts';
import { detailOf } from '../shared/unavailable.ts';

const USAGE = `usage: npm run kill -- SELECTOR… --by WHO --reason WHY [--bar] [--dry-run]
       npm run kill -- --lift ID --by WHO
       npm run kill -- --list

SELECTOR: all that are given must fit.
  --job UUID  --pipeline-id UUID  --pipeline-slug SLUG  --branch NAME  --agent UUID
  --credential NAME  --environment NAME  --policy SHA256
  --since TIME   grants a token of which left then or later, as 2026-11-24T10:00:00Z
  --all          every live grant

--bar      also refuse new hand-outs that fit, until --lift
--dry-run  only tell what would be ended

--id ID    go on with an act that was cut off

Audit lines go to standard output, as the functions write them: keep them. What is for you goes to standard error.
Settings: GOOGLE_CLOUD_PROJECT, KEYDESK_DATABASE as the functions have them.`;

const SELECTORS = {
  job: 'job_id',
  'pipeline-id': 'pipeline_id',
  'pipeline-slug': 'pipeline_slug',
  branch: 'build_branch',
  agent: 'agent_id',
  credential: 'credential',
  environment: 'environment',
  policy: 'policy_sha256',
} as const satisfies Record<string, keyof Selector>;

try {
  await main();
} catch (error) {
  stop(detailOf(error), 1);
}

async function main(): Promise<void> {
  const { values } = read();
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  const parsed = parseSettings(process.env);
  if ('problems' in parsed) return stop(parsed.problems.join('\n'), 2);
  const emulator = Boolean(process.env.FIRESTORE_EMULATOR_HOST);
  const parts = createKilling({ settings: parsed.settings, emulator, clock: systemClock });

  const audit = createAudit({
    project: parsed.settings.GOOGLE_CLOUD_PROJECT,
    write: (line) => process.stdout.write(line),
  });

  if (values.list) {
    const barriers = await parts.killLedger.barriers();
    for (const { id, selector, thrown_at } of barriers)
      say(`${id}  since ${new Date(thrown_at).toISOString()}  ${describe(selector)}`);
    if (barriers.length === 0) say('No barrier is in force.');
    return;
  }
  const by = () => values.by?.trim() || stop('--by WHO is missing: the record says who did it', 2);
  if (values.lift !== undefined) {
    if (!(await parts.killLedger.lift(values.lift, by()))) stop(`no barrier ${values.lift} is in force: see --list`, 1);
    const message = `kill switch ${values.lift} lifted by ${by()}`;
    audit({ event: 'kill_switch.lifted', severity: 'NOTICE', message, kill_switch: values.lift, by: by() });
    say(`Lifted ${values.lift}. Grants that it ended stay ended; jobs get new ones again.`);
    return;
  }
  const selector = toSelector(values);
  if (values['dry-run']) {
    const { selected, undetermined, unreadable } = await findSelected(parts, selector);
    say(`Would end ${selected.length} live grants: ${describe(selector)}`);
    for (const grant of selected) say(`  ${name(grant)}  ${grant.revocation}`);
    if (unreadable.length > 0) say(`${unreadable.length} records cannot be read: ${unreadable.join(', ')}`);
    warnOf(undetermined);
    return;
  }
  const reason = values.reason?.trim() || stop('--reason WHY is missing: the record says why', 2);
  const id = values.id ?? randomUuid(systemClock);
  const act = { selector, by: by(), reason, bars: values.bar };
  say(`Kill switch ${id}, by ${act.by}: ${describe(selector)}`);
  audit({
    event: 'kill_switch.thrown',
    severity: 'NOTICE',
    message: `kill switch ${id} thrown by ${act.by}: ${describe(selector)}`,
    kill_switch: id,
    ...act,
    selector: toIsoTimes(selector),
  });
  const killed = await throwKillSwitch(parts, id, act);
  for (const entry of endingEntries(killed)) audit(entry);
  say(`  ${killed.revoked.length} revoked: access was taken away`);
  const lingering = [...killed.renewalEnded, ...killed.lingering];
  say(
    `  ${lingering.length} not renewed any more: of shared accounts, or narrowed to a bucket; nothing can take them away`,
  );
  for (const grant of lingering) say(`    ${name(grant)}  works until ${new Date(grant.expires_at).toISOString()}`);
  say(`  ${killed.expired.length} had expired`);
  const unfinished = [...killed.unfinished, ...killed.failures];
  say(`  ${unfinished.length} not finished: the sweep goes on with those that are on record as ending`);
  for (const { grant_id, detail } of unfinished) say(`    ${grant_id ?? '-'}  ${detail}`);
  warnOf(killed.undetermined);
  say(
    values.bar
      ? `New hand-outs that fit are barred until: npm run kill -- --lift ${id} --by WHO`
      : 'Nothing is barred.',
  );
  if (unfinished.length > 0 || killed.undetermined.length > 0) process.exitCode = 1;
}

function read() {
  try {
    return parseArgs({
      options: {
        ...(Object.fromEntries(Object.keys(SELECTORS).map((name) => [name, { type: 'string' }])) as Record<
          keyof typeof SELECTORS,
          { type: 'string' }
        >),
        since: { type: 'string' },
        all: { type: 'boolean', default: false },
        bar: { type: 'boolean', default: false },
        'dry-run': { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
        lift: { type: 'string' },
        id: { type: 'string' },
        by: { type: 'string' },
        reason: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    return stop(`${error instanceof Error ? error.message : ''}\n\n${USAGE}`, 2);
  }
}

function toSelector(values: ReturnType<typeof read>['values']): Selector {
  const since = values.since === undefined ? undefined : Date.parse(values.since);
  if (
    values.since !== undefined &&
    !(/T.*(Z|[+-]\d\d:\d\d)$/.test(values.since) && (since ?? Number.NaN) <= systemClock.now())
  )
    return stop('--since must be a time that has been, with its zone, such as 2026-11-24T10:00:00Z', 2);
  const named = Object.entries(SELECTORS).flatMap(([option, field]) => {
    const value = values[option as keyof typeof SELECTORS];
    // Buildkite's UUIDs are kept in lower case.
    return value === undefined ? [] : [[field, field.endsWith('_id') ? value.toLowerCase() : value]];
  });
  const since_at = since ?? (values.all ? 0 : undefined);
  const selector = selectorSchema.safeParse({
    ...Object.fromEntries(named),
    ...(since_at === undefined ? {} : { since_at }),
  });
  return selector.success ? selector.data : stop(`nothing is selected\n\n${USAGE}`, 2);
}

function describe({ since_at, ...named }: Selector): string {
  const parts = Object.entries(named).map(([field, value]) => `${field}=${value}`);
  if (since_at !== undefined && since_at > 0) parts.push(`since ${new Date(since_at).toISOString()}`);
  return parts.join(', ') || 'every live grant';
}

function name(grant: Grant): string {
  return `${idOf(grant)}  ${grant.credential} of job ${grant.job_id} (${grant.pipeline_slug} #${grant.build_number})`;
}

function warnOf(undetermined: readonly Grant[]): void {
  if (undetermined.length === 0) return;
  say(
    `${undetermined.length} live grants have no pipeline_id, so it cannot be told whether they are meant; left as they are:`,
  );
  for (const grant of undetermined) say(`  ${name(grant)}`);
  say('End those with --pipeline-slug.');
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

function stop(problem: string, code: number): never {
  process.stderr.write(`${problem}\n`);
  process.exit(code);
}
