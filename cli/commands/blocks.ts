// `keydesk blocks`: which requests operators have blocked, and the end of a block.

import { Command } from '@commander-js/extra-typings';
import { ADMIN_ROUTES } from '../../shared/core/operator-api/admin.ts';
import { type BlockView, READER_ROUTES } from '../../shared/core/operator-api/reader.ts';
import { describeSelector, fromWire } from '../../shared/core/operator-api/selector.ts';
import { visible } from '../../shared/core/policy/visible-text.ts';
import { adminOption, impersonateOption, openOperatorApi, readerOption, reportFailures } from '../operator-api.ts';
import { examples } from '../options.ts';
import { note, print, printJson } from '../terminal.ts';

const listCommand = new Command('list')
  .summary('blocks in force: who, why, since when')
  .description('List the blocks in force. A request that matches a block is refused until the block is removed.')
  .addOption(readerOption())
  .addOption(impersonateOption())
  .option('--json', 'the response of the function reader')
  .addHelpText('after', examples('blocks list', 'blocks list --json'))
  .action(({ reader: url, impersonate, json }) =>
    reportFailures(async () => {
      const call = await openOperatorApi('reader', READER_ROUTES, { url, impersonate });
      const response = await call('listBlocks');
      if (json) return printJson(response);
      for (const line of response.blocks.flatMap(linesOf)) print(line);
      if (response.blocks.length === 0) note('No block is in force.');
    }),
  );

const removeCommand = new Command('remove')
  .summary('remove a block')
  .description('Remove a block. Grants that it ended stay ended. Jobs that match get new ones again.')
  .argument('<id>', 'the id of the block: see "keydesk blocks list"')
  .addOption(adminOption())
  .addOption(impersonateOption())
  .option('--json', 'the response of the function admin')
  .addHelpText('after', examples('blocks remove 5b0e1f7e-55a1-4f5e-9d0b-0a4f6ad6f1c3'))
  .action((id, { admin: url, impersonate, json }) =>
    reportFailures(async () => {
      const call = await openOperatorApi('admin', ADMIN_ROUTES, { url, impersonate });
      const response = await call('removeBlock', { params: { id } });
      if (json) return printJson(response);
      note(`Removed the block ${id}. Grants that it ended stay ended. Jobs get new ones again.`);
    }),
  );

function linesOf({ id, selector, actor, reason, activated_at }: BlockView): string[] {
  const lines = [
    `${id}  ${describeSelector(fromWire(selector))}`,
    `  since ${activated_at}, by ${actor ?? 'unknown'}: ${reason ?? 'the record of the act cannot be read'}`,
    `  until it is removed: keydesk blocks remove ${id}`,
  ];
  return lines.map(visible);
}

export const blocksCommand = new Command('blocks')
  .summary('list and remove blocks')
  .description('List and remove the blocks that "keydesk kill --block" made.')
  .addCommand(listCommand)
  .addCommand(removeCommand);
