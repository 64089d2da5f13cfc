// `keydesk grants watch`: changes of live grants, a line each, until it is interrupted.

import { Command, InvalidArgumentError } from '@commander-js/extra-typings';
import { describeUnknownName } from '../../../shared/core/operator-api/grant-list.ts';
import { READER_ROUTES } from '../../../shared/core/operator-api/reader.ts';
import { systemClock } from '../../../shared/runtime/clock.ts';
import { readFilters, withFilters } from '../../grants/filters.ts';
import { type ReaderApi, readAllGrants } from '../../grants/pages.ts';
import { watchGrants } from '../../grants/watch.ts';
import { impersonateOption, openOperatorApi, Refused, readerOption, reportFailures } from '../../operator-api.ts';
import { examples } from '../../options.ts';
import { EXIT, fail, note, print } from '../../terminal.ts';

const SHORTEST_S = 5;
const DEFAULT_S = 10;

export const watchCommand = withFilters(new Command('watch'))
  .summary('changes of live grants, a line each')
  .description(
    'Print the live grants, and then each change: new, changed, ended, and over when no token of an ended grant is accepted any more. It looks again at an interval: a grant that begins and ends in between is not seen. Ctrl-C ends it.',
  )
  .optionsGroup('Options:')
  .option('--interval <seconds>', `time between two looks, ${SHORTEST_S} or more`, parseInterval, DEFAULT_S)
  .addOption(readerOption())
  .addOption(impersonateOption())
  .addHelpText('after', examples('grants watch', 'grants watch --environment production --interval 5'))
  .action(({ reader: url, impersonate, interval, ...options }) =>
    reportFailures(async () => {
      const filters = readFilters({ ...options, state: 'live' });
      const open = () => openOperatorApi('reader', READER_ROUTES, { url, impersonate });
      const call = renewing(await open(), open);
      const interrupted = new AbortController();
      process.once('SIGINT', () => interrupted.abort());
      await watchGrants(
        {
          readLive: async () => {
            const live = await readAllGrants(call, filters);
            if (live.unknown.length > 0) fail(EXIT.failure, live.unknown.map(describeUnknownName).join('\n'));
            return live;
          },
          readGrant: (id) => call('getGrant', { params: { id } }).catch(notOnRecord),
          clock: systemClock,
          print,
          note,
          intervalMs: interval * 1000,
        },
        interrupted.signal,
      );
    }),
  );

/** An ID token lives for an hour, so another one is got when it is refused. */
function renewing(first: ReaderApi, open: () => Promise<ReaderApi>): ReaderApi {
  let call = first;
  return async (name, args) => {
    try {
      return await call(name, args);
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 401) throw error;
      call = await open();
      return call(name, args);
    }
  };
}

function notOnRecord(error: unknown): undefined {
  if (error instanceof Refused && error.status === 404) return undefined;
  throw error;
}

function parseInterval(written: string): number {
  if (/^[1-9]\d{0,4}$/.test(written) && Number(written) >= SHORTEST_S) return Number(written);
  throw new InvalidArgumentError(`it takes whole seconds, ${SHORTEST_S} or more.`);
}
