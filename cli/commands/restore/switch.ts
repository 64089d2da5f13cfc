// `keydesk restore switch`: every function uses the restored database.

import { Command } from '@commander-js/extra-typings';
import { openGoogle } from '../../open-google.ts';
import { examples } from '../../options.ts';
import { closedItems, sweepItem, switchItems } from '../../restore/google-facts.ts';
import { flagsOf, restoreOf, withRestoreOptions } from '../../restore/options.ts';
import { report } from '../../restore/step.ts';
import { orExplain } from '../webhook/deployment-options.ts';
import { EXAMPLE, LOOKS_ONLY } from './texts.ts';

export const switchCommand = withRestoreOptions(new Command('switch'))
  .summary('step 3: every function uses it')
  .description(`Look whether each function uses the restored database, token is still closed and the sweep paused. Print the commands that are left. ${LOOKS_ONLY}

Do not run terraform apply before the last step: it opens token.`)
  .addHelpText('after', examples(`restore switch ${EXAMPLE}`))
  .action(async ({ json, ...options }) => {
    const restore = restoreOf(options);
    const google = await openGoogle(restore.project);
    const found = await orExplain(
      Promise.all([closedItems(google, restore), sweepItem(google, restore), switchItems(google, restore)]),
    );
    report(
      {
        step: 'switch',
        items: found.flat(),
        proves: `each function starts with ${restore.restored}, and token is still closed.`,
        not_proven: ['that it can read and write there. The next steps do so as reader and admin.'],
        next: `keydesk restore hold ${flagsOf(restore)} --reason WHY`,
      },
      json,
    );
  });
