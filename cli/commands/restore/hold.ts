// `keydesk restore hold`: a block of everything, in the restored ledger. From then on an apply or a mistake opens nothing.

import { Command } from '@commander-js/extra-typings';
import { ADMIN_ROUTES } from '../../../shared/core/operator-api/admin.ts';
import { READER_ROUTES } from '../../../shared/core/operator-api/reader.ts';
import { randomUuid, systemClock } from '../../../shared/runtime/clock.ts';
import { openGoogle } from '../../open-google.ts';
import { adminOption, impersonateOption, openOperatorApi, readerOption, reportFailures } from '../../operator-api.ts';
import { examples, required } from '../../options.ts';
import { closedItems, sweepItem, switchItems } from '../../restore/google-facts.ts';
import { findHold } from '../../restore/hold-block.ts';
import { flagsOf, restoreOf, withRestoreOptions } from '../../restore/options.ts';
import { isDone, item, report } from '../../restore/step.ts';
import { EXIT, fail } from '../../terminal.ts';
import { orExplain } from '../webhook/deployment-options.ts';
import { EXAMPLE } from './texts.ts';

export const holdCommand = withRestoreOptions(new Command('hold'))
  .summary('step 4: a block of everything in the restored ledger')
  .description(
    `Block every request, by an act of the kill switch in the restored ledger. Only when steps 1 and 3 are done. From this moment "restore open" counts. If the block is there, the command changes nothing.

Exit code 1: something is to be done first.`,
  )
  .option('--reason <why>', 'why, for the record (required)')
  .addOption(readerOption())
  .addOption(adminOption())
  .addOption(impersonateOption())
  .addHelpText('after', examples(`restore hold ${EXAMPLE} --reason "INC-9: the ledger was deleted"`))
  .action(({ json, reader, admin, impersonate, ...options }) =>
    reportFailures(async () => {
      const restore = restoreOf(options);
      const reason = required(options.reason?.trim() || undefined, '--reason');
      const google = await openGoogle(restore.project);
      const before = await orExplain(
        Promise.all([closedItems(google, restore), sweepItem(google, restore), switchItems(google, restore)]),
      );
      const items = before.flat();
      if (isDone({ items })) {
        const read = await openOperatorApi('reader', READER_ROUTES, { url: reader, impersonate });
        const call = await openOperatorApi('admin', ADMIN_ROUTES, { url: admin, impersonate });
        const known = await findHold(read, restore);
        const id = known?.deactivated_at === null ? known.id : randomUuid(systemClock);
        if (id !== known?.id) {
          const selector = { issued_since: restore.snapshot.iso };
          const { block_id, unfinished } = await call('kill', { body: { id, selector, reason, block: true } });
          if (block_id === null) fail(EXIT.failure, unfinished[0]?.error ?? 'The block is not in force.');
        }
        items.push(item(true, { yes: `Every request is refused by the block ${id}.`, no: '' }));
      } else items.push(item(false, { yes: '', no: 'Nothing was blocked: the above comes first.' }));
      report(
        {
          step: 'hold',
          items,
          proves: 'admin writes, and reader reads, the restored ledger. Whatever opens token now, it issues nothing.',
          not_proven: [],
          next: `keydesk restore replay ${flagsOf(restore)}`,
        },
        json,
      );
    }),
  );
