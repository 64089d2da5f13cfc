// What the restored ledger has: whether everything was ended, whether the wait is over, and whether the sweep ran.

import type { ActView } from '../../shared/core/operator-api/review.ts';
import type { StatusView } from '../../shared/core/operator-api/status.ts';
import { waitUntil } from '../../shared/core/restore/wait.ts';
import { grantPages, type ReaderApi } from '../grants/pages.ts';
import { type Item, item } from './step.ts';

export async function endedItem(call: ReaderApi): Promise<Item> {
  const left: string[] = [];
  for await (const { grants, unreadable } of grantPages(call, { state: 'live' }))
    left.push(
      ...grants.filter(({ state, ended_at }) => state !== 'revoking' && ended_at === null).map((one) => one.grant_id),
      ...unreadable.map(({ grant_id }) => grant_id),
    );
  return item(
    left.length === 0,
    {
      yes: 'Every grant on record was ended.',
      no: `${left.length} grants were not ended, or cannot be read: ${left.slice(0, 5).join(', ')}.`,
    },
    'keydesk restore replay, with the options of this command',
  );
}

/** By the function's clock, as the time of the block is. */
export function waitItem({ activated_at }: ActView, { as_of }: StatusView, maxJobTokenLifetime: number): Item {
  const until = new Date(waitUntil(Date.parse(activated_at), maxJobTokenLifetime)).toISOString();
  return item(
    as_of >= until,
    {
      yes: `Since ${until} no token and no job token of the lost time can be accepted.`,
      no: `Until ${until} a token or job token of the lost time may be accepted.`,
    },
    `Wait, and run this command again. It is ${as_of} now.`,
  );
}

export function sweptItem({ activated_at }: ActView, { sweep }: StatusView): Item {
  const at = sweep?.last_sweep_at ?? null;
  return item(
    at !== null && at > activated_at && sweep?.last_sweep_ok === true,
    { yes: `The sweep ran at ${at}.`, no: 'The sweep has not run since the block, or it failed.' },
    'Wait for it: it runs each minute. keydesk status shows it.',
  );
}
