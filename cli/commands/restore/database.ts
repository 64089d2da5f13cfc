// `keydesk restore database`: the ledger as it was at a time, in a new database, with all that it needs.

import { Command } from '@commander-js/extra-typings';
import { openGoogle } from '../../open-google.ts';
import { examples } from '../../options.ts';
import { databaseItems } from '../../restore/google-facts.ts';
import { flagsOf, restoreOf, withRestoreOptions } from '../../restore/options.ts';
import { report } from '../../restore/step.ts';
import { orExplain } from '../webhook/deployment-options.ts';
import { EXAMPLE, LOOKS_ONLY } from './texts.ts';

export const databaseCommand = withRestoreOptions(new Command('database'))
  .summary('step 2: the ledger of that time, in a new database')
  .description(`Look whether the restored database is there, protected, with its indexes and TTL policies, and whether each function's identity may use it. Print the commands that are left, beginning with gcloud firestore databases clone. ${LOOKS_ONLY}

From a backup, use gcloud firestore databases restore in its place, and give the time of the backup with --snapshot. The old database stays as it is: it is evidence.`)
  .addHelpText('after', examples(`restore database ${EXAMPLE}`))
  .action(async ({ json, ...options }) => {
    const restore = restoreOf(options);
    const items = await orExplain(databaseItems(await openGoogle(restore.project), restore));
    report(
      {
        step: 'database',
        items,
        proves: `${restore.restored} exists with what the ledger needs, and the functions may use it.`,
        not_proven: [
          `that its records are those of ${restore.snapshot.iso}: Google says so, and no command reads it yet.`,
        ],
        next: `keydesk restore switch ${flagsOf(restore)}`,
      },
      json,
    );
  });
