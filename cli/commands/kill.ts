// `keydesk kill`: the kill switch. Ends every live grant it selects, and with --block keeps new ones from being issued
// until the block is removed. Runs with the operator's own application default credentials, and the settings of the functions.

import { Command } from '@commander-js/extra-typings';
import { auditEvent } from '../../shared/audit/events.ts';
import { toIsoTimes } from '../../shared/audit/iso-times.ts';
import { type AuditLogger, createAuditLogger } from '../../shared/audit/logger.ts';
import { endEvents } from '../../shared/audit/result-events.ts';
import type { Grant } from '../../shared/core/grant/grant.ts';
import { grantIdOf } from '../../shared/core/grant/id.ts';
import { type Selector, selectorSchema } from '../../shared/core/kill-switch.ts';
import { parseSettings } from '../../shared/core/settings.ts';
import { describeSubject } from '../../shared/core/subject/buildkite-job.ts';
import { activateKillSwitch, findGrants, type KillSwitchDeps } from '../../shared/operations/kill-switch.ts';
import { randomUuid, systemClock } from '../../shared/runtime/clock.ts';
import { errorMessage } from '../../shared/runtime/errors.ts';
import { examples } from '../options.ts';
import { EXIT, fail, note, printJson } from '../terminal.ts';

const SELECTORS = {
  jobId: 'job_id',
  pipelineId: 'pipeline_id',
  pipelineSlug: 'pipeline_slug',
  branch: 'build_branch',
  agentId: 'agent_id',
  credential: 'credential',
  environment: 'environment',
  policySha256: 'policy_sha256',
} as const satisfies Record<string, keyof Selector>;

export const killCommand = new Command('kill')
  .summary('end access now, and keep it ended')
  .description('End every live grant that is selected. Of the selectors, all that are given must match.')
  .usage(`SELECTOR... --actor WHO --reason WHY [--block] [--dry-run]
       keydesk kill --unblock ID --actor WHO
       keydesk kill --list-blocks [--json]`)
  .optionsGroup('Selectors:')
  .option('--job-id <uuid>', 'grants of this job')
  .option('--pipeline-id <uuid>', 'grants of this pipeline')
  .option('--pipeline-slug <slug>', 'grants of this pipeline')
  .option('--branch <name>', 'grants of builds of this branch')
  .option('--agent-id <uuid>', 'grants of jobs on this agent')
  .option('--credential <name>', 'grants of this credential')
  .option('--environment <name>', 'grants of this environment')
  .option('--policy-sha256 <sha256>', 'grants that this policy allowed')
  .option('--since <time>', 'a token was issued then or later, such as 2026-11-24T10:00:00Z')
  .option('--all', 'every live grant')
  .optionsGroup('Options:')
  .option('--actor <who>', 'who does it, for the record')
  .option('--reason <why>', 'why, for the record')
  .option('--block', 'also refuse new requests that match, until --unblock')
  .option('--dry-run', 'only list what would be ended')
  .option('--resume <id>', 'continue an act that was interrupted')
  .option('--unblock <id>', 'remove a block')
  .option('--list-blocks', 'list the active blocks')
  .option('--json', 'with --list-blocks: the blocks as JSON')
  .addHelpText(
    'after',
    `${examples(
      'kill --environment staging --dry-run',
      'kill --environment staging --actor alice@acme.example --reason "leaked token" --block',
      'kill --list-blocks',
    )}

Audit events are written to standard output (archive them); status messages go to standard error.
Settings: GOOGLE_CLOUD_PROJECT, KEYDESK_DATABASE as the functions have them.`,
  )
  .action(async (options) => {
    try {
      await runKill(options);
    } catch (error) {
      fail(EXIT.failure, errorMessage(error));
    }
  });

type KillOptions = ReturnType<typeof killCommand.opts>;

async function runKill(options: KillOptions): Promise<void> {
  const parsed = parseSettings(process.env);
  if ('problems' in parsed) return fail(EXIT.usage, parsed.problems.join('\n'));
  // Loaded late: Firestore's client is most of the command.
  const { createKillSwitchDeps } = await import('../../shared/wiring/kill-switch.ts');
  const emulator = Boolean(process.env.FIRESTORE_EMULATOR_HOST);
  const deps = createKillSwitchDeps({ settings: parsed.settings, emulator, clock: systemClock });
  const audit = createAuditLogger({
    project: parsed.settings.GOOGLE_CLOUD_PROJECT,
    write: (line) => process.stdout.write(line),
  });
  if (options.listBlocks) return listBlocks(deps, options);
  if (options.unblock !== undefined) return removeBlock(deps, audit, options.unblock, actorOf(options));
  const selector = toSelector(options);
  return options.dryRun ? dryRun(deps, selector) : activate(deps, audit, selector, options);
}

async function listBlocks({ killSwitchLedger }: KillSwitchDeps, options: KillOptions): Promise<void> {
  const blocks = await killSwitchLedger.blocks();
  if (options.json) return printJson(blocks);
  for (const { id, selector, activated_at } of blocks)
    note(`${id}  since ${new Date(activated_at).toISOString()}  ${describe(selector)}`);
  if (blocks.length === 0) note('No block is active.');
}

async function removeBlock(
  { killSwitchLedger }: KillSwitchDeps,
  audit: AuditLogger,
  id: string,
  actor: string,
): Promise<void> {
  if (!(await killSwitchLedger.deactivate(id, actor)))
    return fail(EXIT.failure, `no block ${id} is active: see --list-blocks`);
  audit(auditEvent('kill_switch.deactivated', { kill_switch_id: id, actor }));
  note(`Removed the block ${id}. Grants that it ended stay ended; jobs get new ones again.`);
}

async function dryRun(deps: KillSwitchDeps, selector: Selector): Promise<void> {
  const { selected, ambiguous, unreadable } = await findGrants(deps, selector);
  note(`Would end ${selected.length} live grants: ${describe(selector)}`);
  for (const grant of selected) note(`  ${name(grant)}  ${grant.revocation}`);
  for (const { error } of unreadable) note(`  ${error}`);
  warnAmbiguous(ambiguous);
}

async function activate(
  deps: KillSwitchDeps,
  audit: AuditLogger,
  selector: Selector,
  options: KillOptions,
): Promise<void> {
  const actor = actorOf(options);
  const reason = options.reason?.trim() || fail(EXIT.usage, '--reason WHY is missing: the record says why');
  const id = options.resume ?? randomUuid(systemClock);
  const order = { selector, actor, reason, blocks_new: options.block ?? false };
  note(`Kill switch ${id}, by ${actor}: ${describe(selector)}`);
  audit(
    auditEvent('kill_switch.activated', {
      kill_switch_id: id,
      ...order,
      selector: toIsoTimes(selector),
      selection: describe(selector),
    }),
  );
  const result = await activateKillSwitch(deps, id, order);
  for (const entry of endEvents(result)) audit(entry);
  note(`  ${result.revoked.length} revoked: access was taken away`);
  const stillAccepted = [...result.notRenewed, ...result.stillAccepted];
  note(
    `  ${stillAccepted.length} could not be revoked (shared or bucket-scoped tokens); they will not be renewed and expire as shown`,
  );
  for (const grant of stillAccepted)
    note(`    ${name(grant)}  works until ${new Date(grant.expires_at).toISOString()}`);
  note(`  ${result.expired.length} had expired`);
  const pending = [...result.pending, ...result.failures];
  note(`  ${pending.length} not finished: the sweep goes on with those that are on record as ending`);
  for (const { grant_id, error } of pending) note(`    ${grant_id ?? '-'}  ${error}`);
  warnAmbiguous(result.ambiguous);
  note(
    order.blocks_new
      ? `New requests that match are blocked until: keydesk kill --unblock ${id} --actor WHO`
      : 'Nothing is blocked.',
  );
  if (pending.length > 0 || result.ambiguous.length > 0) process.exitCode = EXIT.failure;
}

function actorOf({ actor }: KillOptions): string {
  return actor?.trim() || fail(EXIT.usage, '--actor WHO is missing: the record says who did it');
}

function toSelector(options: KillOptions): Selector {
  const since = options.since === undefined ? undefined : Date.parse(options.since);
  if (
    options.since !== undefined &&
    !(/T.*(Z|[+-]\d\d:\d\d)$/.test(options.since) && (since ?? Number.NaN) <= systemClock.now())
  )
    return fail(EXIT.usage, '--since must be a time that has been, with its zone, such as 2026-11-24T10:00:00Z');
  const named = Object.entries(SELECTORS).flatMap(([option, field]) => {
    const value = options[option as keyof typeof SELECTORS];
    // Buildkite's UUIDs are kept in lower case.
    return value === undefined ? [] : [[field, field.endsWith('_id') ? value.toLowerCase() : value]];
  });
  const issued_since = since ?? (options.all ? 0 : undefined);
  const selector = selectorSchema.safeParse({
    ...Object.fromEntries(named),
    ...(issued_since === undefined ? {} : { issued_since }),
  });
  return selector.success
    ? selector.data
    : fail(EXIT.usage, 'nothing is selected\n\nRun "keydesk kill --help" for the selectors.');
}

function describe({ issued_since, ...named }: Selector): string {
  const terms = Object.entries(named).map(([field, value]) => `${field}=${value}`);
  if (issued_since !== undefined && issued_since > 0) terms.push(`since ${new Date(issued_since).toISOString()}`);
  return terms.join(', ') || 'every live grant';
}

function name(grant: Grant): string {
  return `${grantIdOf(grant)}  ${grant.credential} of ${describeSubject(grant.subject)}`;
}

function warnAmbiguous(ambiguous: readonly Grant[]): void {
  if (ambiguous.length === 0) return;
  note(
    `${ambiguous.length} live grants have no pipeline_id, so it is not known whether they are selected. They were left as they are:`,
  );
  for (const grant of ambiguous) note(`  ${name(grant)}`);
  note('End those with --pipeline-slug.');
}
