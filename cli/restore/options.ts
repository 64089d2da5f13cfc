// What the commands of a restore have in common: where the deployment is, which time the restored ledger shows, and in which database it is.

import { type Command, InvalidArgumentError } from '@commander-js/extra-typings';
import { shellCommand } from '../../shared/core/shell-quote.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { parsePrefix, parseProject, parseRegion } from '../commands/webhook/deployment-options.ts';
import { required } from '../options.ts';
import { EXIT, fail } from '../terminal.ts';
import { parseTime } from '../time-options.ts';

export interface RestoreOptions {
  readonly project?: string | undefined;
  readonly region?: string | undefined;
  readonly namePrefix: string;
  readonly database: string;
  readonly restored?: string | undefined;
  /** Milliseconds since the epoch. */
  readonly snapshot?: number | undefined;
}

export interface Restore {
  readonly project: string;
  readonly region: string;
  readonly prefix: string;
  /** The ledger's database until now, and the one that takes its place. */
  readonly database: string;
  readonly restored: string;
  /** Which time the restored one shows: milliseconds since the epoch, and ISO 8601. */
  readonly snapshot: { readonly at: number; readonly iso: string };
}

/** All commands take the same options, so that one variable of the shell has them. */
export function withRestoreOptions<Args extends unknown[], Opts extends Record<string, unknown>>(
  command: Command<Args, Opts>,
) {
  return command
    .option('--project <id>', "Keydesk's own project (required)", parseProject)
    .option('--region <region>', 'region of the functions, such as europe-west1 (required)', parseRegion)
    .option('--snapshot <time>', 'the time that the restored ledger shows, a whole minute in UTC (required)', parseTime)
    .option('--restored <id>', 'the database that takes the place of the ledger (required)', parseDatabase)
    .option('--database <id>', "the ledger's database until now", parseDatabase, 'keydesk')
    .option('--name-prefix <prefix>', 'name_prefix of the Terraform module', parsePrefix, 'keydesk')
    .option('--json', 'the result as JSON');
}

/** Ends the process when something is missing. */
export function restoreOf(options: RestoreOptions): Restore {
  const { database, namePrefix: prefix } = options;
  const project = required(options.project, '--project');
  const region = required(options.region, '--region');
  const at = required(options.snapshot, '--snapshot');
  const restored = required(options.restored, '--restored');
  if (restored === database) fail(EXIT.usage, '--restored must be a new database: the old one is evidence, and stays.');
  if (at > systemClock.now()) fail(EXIT.usage, '--snapshot is in the future.');
  return { project, region, prefix, database, restored, snapshot: { at, iso: new Date(at).toISOString() } };
}

/** The options of one command line for the next. */
export function flagsOf({ project, region, prefix, database, restored, snapshot }: Restore): string {
  return [
    shellCommand`--project ${project} --region ${region} --snapshot ${snapshot.iso} --restored ${restored}`,
    ...(database === 'keydesk' ? [] : [shellCommand`--database ${database}`]),
    ...(prefix === 'keydesk' ? [] : [shellCommand`--name-prefix ${prefix}`]),
  ].join(' ');
}

/** Source: docs.cloud.google.com/firestore/docs/manage-databases#database_id. */
function parseDatabase(written: string): string {
  if (/^[a-z][a-z0-9-]{2,61}[a-z0-9]$/.test(written)) return written;
  throw new InvalidArgumentError('it takes the ID of a database: 4 to 63 lower-case letters, digits and hyphens');
}
