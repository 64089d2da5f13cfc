// `npm run kill`: the kill switch. Ends every live grant it selects, and with --block keeps new ones from being issued
// until the block is removed. Runs with the operator's own application default credentials, and the settings of the functions.

import { parseArgs } from 'node:util';
import { endEvents, toIsoTimes } from '../shared/audit/grant-events.ts';
import { createAuditLogger } from '../shared/audit/logger.ts';
import type { Grant } from '../shared/core/grant/grant.ts';
import { grantIdOf } from '../shared/core/grant/lifecycle.ts';
import { type Selector, selectorSchema } from '../shared/core/grant/selector.ts';
import { parseSettings } from '../shared/core/settings.ts';
import { activateKillSwitch, findGrants } from '../shared/operations/kill-switch.ts';
import { randomUuid, systemClock } from '../shared/runtime/clock.ts';
import { errorMessage } from '../shared/runtime/errors.ts';
import { createKillSwitchDeps } from '../shared/wiring/kill-switch.ts';

const USAGE = `usage: npm run kill -- SELECTOR… --actor WHO --reason WHY [--block] [--dry-run]
       npm run kill -- --unblock ID --actor WHO
       npm run kill -- --list-blocks

SELECTOR: all that are given must fit.
  --job-id UUID  --pipeline-id UUID  --pipeline-slug SLUG  --branch NAME  --agent-id UUID
  --credential NAME  --environment NAME  --policy-sha256 SHA256
  --since TIME   grants of which a token was issued then or later, such as 2026-11-24T10:00:00Z
  --all          every live grant

--block        also refuse new requests that match, until --unblock
--dry-run      only list what would be ended
--resume ID    continue an act that was interrupted

Audit events are written to standard output (archive them); status messages go to standard error.
Settings: GOOGLE_CLOUD_PROJECT, KEYDESK_DATABASE as the functions have them.`;

const SELECTORS = {
  'job-id': 'job_id',
  'pipeline-id': 'pipeline_id',
  'pipeline-slug': 'pipeline_slug',
  branch: 'build_branch',
  'agent-id': 'agent_id',
  credential: 'credential',
  environment: 'environment',
  'policy-sha256': 'policy_sha256',
} as const satisfies Record<string, keyof Selector>;

try {
  await main();
} catch (error) {
  stop(errorMessage(error), 1);
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
  const deps = createKillSwitchDeps({ settings: parsed.settings, emulator, clock: systemClock });

  const audit = createAuditLogger({
    project: parsed.settings.GOOGLE_CLOUD_PROJECT,
    write: (line) => process.stdout.write(line),
  });

  if (values['list-blocks']) {
    const blocks = await deps.killSwitchLedger.blocks();
    for (const { id, selector, activated_at } of blocks)
      print(`${id}  since ${new Date(activated_at).toISOString()}  ${describe(selector)}`);
    if (blocks.length === 0) print('No block is active.');
    return;
  }
  const actor = () => values.actor?.trim() || stop('--actor WHO is missing: the record says who did it', 2);
  if (values.unblock !== undefined) {
    if (!(await deps.killSwitchLedger.deactivate(values.unblock, actor())))
      stop(`no block ${values.unblock} is active: see --list-blocks`, 1);
    const message = `kill switch ${values.unblock} deactivated by ${actor()}`;
    audit({
      event: 'kill_switch.deactivated',
      severity: 'NOTICE',
      message,
      kill_switch_id: values.unblock,
      actor: actor(),
    });
    print(`Removed the block ${values.unblock}. Grants that it ended stay ended; jobs get new ones again.`);
    return;
  }
  const selector = toSelector(values);
  if (values['dry-run']) {
    const { selected, undetermined, unreadable } = await findGrants(deps, selector);
    print(`Would end ${selected.length} live grants: ${describe(selector)}`);
    for (const grant of selected) print(`  ${name(grant)}  ${grant.revocation}`);
    if (unreadable.length > 0) print(`${unreadable.length} records cannot be read: ${unreadable.join(', ')}`);
    warnAmbiguous(undetermined);
    return;
  }
  const reason = values.reason?.trim() || stop('--reason WHY is missing: the record says why', 2);
  const id = values.resume ?? randomUuid(systemClock);
  const order = { selector, actor: actor(), reason, blocks_new: values.block };
  print(`Kill switch ${id}, by ${order.actor}: ${describe(selector)}`);
  audit({
    event: 'kill_switch.activated',
    severity: 'NOTICE',
    message: `kill switch ${id} activated by ${order.actor}: ${describe(selector)}`,
    kill_switch_id: id,
    ...order,
    selector: toIsoTimes(selector),
  });
  const result = await activateKillSwitch(deps, id, order);
  for (const entry of endEvents(result)) audit(entry);
  print(`  ${result.revoked.length} revoked: access was taken away`);
  const stillAccepted = [...result.notRenewed, ...result.stillAccepted];
  print(
    `  ${stillAccepted.length} could not be revoked (shared or bucket-scoped tokens); they will not be renewed and expire as shown`,
  );
  for (const grant of stillAccepted)
    print(`    ${name(grant)}  works until ${new Date(grant.expires_at).toISOString()}`);
  print(`  ${result.expired.length} had expired`);
  const pending = [...result.pending, ...result.failures];
  print(`  ${pending.length} not finished: the sweep goes on with those that are on record as ending`);
  for (const { grant_id, error } of pending) print(`    ${grant_id ?? '-'}  ${error}`);
  warnAmbiguous(result.ambiguous);
  print(
    values.block
      ? `New requests that match are blocked until: npm run kill -- --unblock ${id} --actor WHO`
      : 'Nothing is blocked.',
  );
  if (pending.length > 0 || result.ambiguous.length > 0) process.exitCode = 1;
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
        block: { type: 'boolean', default: false },
        'dry-run': { type: 'boolean', default: false },
        'list-blocks': { type: 'boolean', default: false },
        unblock: { type: 'string' },
        resume: { type: 'string' },
        actor: { type: 'string' },
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
  const issued_since = since ?? (values.all ? 0 : undefined);
  const selector = selectorSchema.safeParse({
    ...Object.fromEntries(named),
    ...(issued_since === undefined ? {} : { issued_since }),
  });
  return selector.success ? selector.data : stop(`nothing is selected\n\n${USAGE}`, 2);
}

function describe({ issued_since, ...named }: Selector): string {
  const deps = Object.entries(named).map(([field, value]) => `${field}=${value}`);
  if (issued_since !== undefined && issued_since > 0) deps.push(`since ${new Date(issued_since).toISOString()}`);
  return deps.join(', ') || 'every live grant';
}

function name(grant: Grant): string {
  return `${grantIdOf(grant)}  ${grant.credential} of job ${grant.job_id} (${grant.pipeline_slug} #${grant.build_number})`;
}

function warnAmbiguous(undetermined: readonly Grant[]): void {
  if (undetermined.length === 0) return;
  print(
    `${undetermined.length} live grants have no pipeline_id, so it cannot be told whether they are meant; left as they are:`,
  );
  for (const grant of undetermined) print(`  ${name(grant)}`);
  print('End those with --pipeline-slug.');
}

function print(line: string): void {
  process.stderr.write(`${line}\n`);
}

function stop(problem: string, code: number): never {
  process.stderr.write(`${problem}\n`);
  process.exit(code);
}
