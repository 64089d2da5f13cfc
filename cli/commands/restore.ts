// `keydesk restore`: a restore of the ledger, a command for each step.

import { Command } from '@commander-js/extra-typings';
import { closeCommand } from './restore/close.ts';
import { databaseCommand } from './restore/database.ts';
import { holdCommand } from './restore/hold.ts';
import { openCommand } from './restore/open.ts';
import { replayCommand } from './restore/replay.ts';
import { switchCommand } from './restore/switch.ts';

export const restoreCommand = new Command('restore')
  .summary('restore the ledger, a command a step')
  .description(
    'Restore the ledger from a point in time or a backup. A restored ledger lacks what happened since. Run the commands in this order, each until everything is done. docs/RESTORE.md has the page to follow.',
  )
  .addCommand(closeCommand)
  .addCommand(databaseCommand)
  .addCommand(switchCommand)
  .addCommand(holdCommand)
  .addCommand(replayCommand)
  .addCommand(openCommand);
