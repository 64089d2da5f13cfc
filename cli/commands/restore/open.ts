// `keydesk restore open`: the last step. It removes the block once nothing can be left of the time that the ledger has lost.

import { Command } from '@commander-js/extra-typings';
import { ADMIN_ROUTES } from '../../../shared/core/operator-api/admin.ts';
import { READER_ROUTES } from '../../../shared/core/operator-api/reader.ts';
import { MAX_JOB_TOKEN_LIFETIME } from '../../../shared/core/policy/policy.ts';
import { shellCommand } from '../../../shared/core/shell-quote.ts';
import { openGoogle } from '../../open-google.ts';
import { adminOption, impersonateOption, openOperatorApi, readerOption, reportFailures } from '../../operator-api.ts';
import { examples } from '../../options.ts';
import { readPolicy } from '../../policy-file.ts';
import { closedItems, jobName, schedulerState, switchItems } from '../../restore/google-facts.ts';
import { findHold } from '../../restore/hold-block.ts';
import { endedItem, sweptItem, waitItem } from '../../restore/ledger-facts.ts';
import { restoreOf, withRestoreOptions } from '../../restore/options.ts';
import { type Item, isDone, item, report } from '../../restore/step.ts';
import { EXIT, fail } from '../../terminal.ts';
import { orExplain } from '../webhook/deployment-options.ts';
import { EXAMPLE } from './texts.ts';

export const openCommand = withRestoreOptions(new Command('open'))
  .summary('step 6: wait, sweep, remove the block, open')
  .description(
    `Remove the block of "restore hold" when it is safe: every function uses the restored ledger, every grant on record was ended, and so much time has passed that no token and no job token of the lost time can be accepted. Then the sweep must have run once. Until then the command says what is missing, and from when on it may be removed. Run it again until everything is done.

Without --policy it waits two hours, the longest maxJobTokenLifetime of any policy.

Exit code 1: something is to be done, or it is too early.`,
  )
  .option('--policy <file>', 'the policy, for its maxJobTokenLifetime')
  .addOption(readerOption())
  .addOption(adminOption())
  .addOption(impersonateOption())
  .addHelpText('after', examples(`restore open ${EXAMPLE} --policy policy.yaml`))
  .action(({ json, reader, admin, impersonate, policy: file, ...options }) =>
    reportFailures(async () => {
      const restore = restoreOf(options);
      const lifetime = file === undefined ? MAX_JOB_TOKEN_LIFETIME : readPolicy(file).policy.maxJobTokenLifetime;
      const google = await openGoogle(restore.project);
      const items: Item[] = await orExplain(switchItems(google, restore));
      const read = await openOperatorApi('reader', READER_ROUTES, { url: reader, impersonate });
      const hold = await findHold(read, restore);
      if (!hold)
        return fail(EXIT.failure, `Nothing was blocked since ${restore.snapshot.iso}. Run: keydesk restore hold`);
      if (hold.deactivated_at === null) {
        const status = await read('getStatus');
        items.push(await endedItem(read), waitItem(hold, status, lifetime));
        if (isDone({ items })) {
          const isRunning = (await orExplain(schedulerState(google, restore))) === 'ENABLED';
          const resume = shellCommand`gcloud scheduler jobs resume ${jobName(restore)}`;
          items.push(item(isRunning, { yes: 'The scheduler job runs.', no: 'The scheduler job is paused.' }, resume));
          items.push(sweptItem(hold, status));
        }
        if (isDone({ items })) {
          const call = await openOperatorApi('admin', ADMIN_ROUTES, { url: admin, impersonate });
          await call('removeBlock', { params: { id: hold.id } });
        }
      }
      if (isDone({ items })) {
        items.push(item(true, { yes: `The block ${hold.id} is removed.`, no: '' }));
        const isClosed = isDone({ items: await orExplain(closedItems(google, restore)) });
        const open = shellCommand`gcloud run services update ${restore.prefix}-token --no-invoker-iam-check --region=${restore.region} --project=${restore.project}`;
        const opened = { yes: 'token is open.', no: 'token is closed.' };
        items.push(
          item(!isClosed, opened, open, 'With public_access = "all_users": terraform apply, as the page says.'),
        );
      }
      report(
        {
          step: 'open',
          items,
          proves:
            'the restored ledger has no live grant of before, and the sweep works on it. Jobs that run must be retried.',
          not_proven: ['that Terraform agrees: follow the page, then run keydesk doctor.'],
          next: 'keydesk doctor --deployment deployment.json',
        },
        json,
      );
    }),
  );
