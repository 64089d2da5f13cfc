// `keydesk grants`: who holds what, and the whole history of one grant. The function `reader` reads the ledger.

import { Command } from '@commander-js/extra-typings';
import { exportCommand } from './grants/export.ts';
import { listCommand } from './grants/list.ts';
import { showCommand } from './grants/show.ts';
import { watchCommand } from './grants/watch.ts';

export const grantsCommand = new Command('grants')
  .summary('who holds or held what, and the history of a grant')
  .description('Show who holds what now, who could use what at a time, and the whole history of one grant.')
  .addCommand(listCommand)
  .addCommand(showCommand)
  .addCommand(watchCommand)
  .addCommand(exportCommand);
