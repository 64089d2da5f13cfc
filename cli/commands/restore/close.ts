// `keydesk restore close`: the first step of a restore. It looks, and prints the commands that are left.

import { Command } from '@commander-js/extra-typings';
import { openGoogle } from '../../open-google.ts';
import { examples } from '../../options.ts';
import { closedItems, sweepItem } from '../../restore/google-facts.ts';
import { flagsOf, restoreOf, withRestoreOptions } from '../../restore/options.ts';
import { report } from '../../restore/step.ts';
import { orExplain } from '../webhook/deployment-options.ts';
import { EXAMPLE, LOOKS_ONLY } from './texts.ts';

export const closeCommand = withRestoreOptions(new Command('close'))
  .summary('step 1: nothing is issued, and no sweep runs')
  .description(`Look whether the function token is closed and the sweep is paused, and print the commands that are left. ${LOOKS_ONLY}

The function webhook stays open: the ends of jobs that it records are true.`)
  .addHelpText('after', examples(`restore close ${EXAMPLE}`))
  .action(async ({ json, ...options }) => {
    const restore = restoreOf(options);
    const google = await openGoogle(restore.project);
    const items = await orExplain(
      Promise.all([closedItems(google, restore), sweepItem(google, restore)]).then((found) => found.flat()),
    );
    report(
      {
        step: 'close',
        items,
        proves: 'by their settings, nobody may call token, and nothing calls the sweep.',
        not_proven: [
          'that every instance knows it: a change of IAM takes minutes. Go on when requests to /health return 403, and the log has no new grant.issued.',
        ],
        next: `keydesk restore database ${flagsOf(restore)}`,
      },
      json,
    );
  });
