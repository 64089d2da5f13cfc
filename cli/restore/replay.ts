// Gives a restored ledger back what the audit log has: grants, which end at once, and blocks.

import type { ADMIN_ROUTES, KillResponse } from '../../shared/core/operator-api/admin.ts';
import type { GrantSummary } from '../../shared/core/operator-api/grant.ts';
import { type LostGrant, MAX_LOST_GRANTS } from '../../shared/core/operator-api/lost-grant.ts';
import type { LostLines } from '../../shared/core/restore/log-lines.ts';
import { randomUuid, systemClock } from '../../shared/runtime/clock.ts';
import type { ReaderApi } from '../grants/pages.ts';
import { type OperatorApi, Refused } from '../operator-api.ts';

/** Bytes of JSON in one request: the function takes 64 KiB. */
const MAX_BYTES = 48 * 1024;

type AdminApi = OperatorApi<typeof ADMIN_ROUTES>;

export interface Replayed {
  readonly in_log: number;
  /** Ids of grants. */
  readonly recorded: readonly string[];
  readonly refused: readonly { readonly grant_id: string; readonly problem: string }[];
  /** Also those whose account is disabled: Google may accept its tokens for some time. */
  readonly revoked: number;
  readonly expired: number;
  /** Nothing ends their tokens before they expire. */
  readonly still_accepted: readonly GrantSummary[];
  readonly unfinished: readonly { readonly grant_id: string | null; readonly error: string }[];
  readonly blocks: readonly { readonly id: string; readonly problem: string | null }[];
  /** In force, although somebody removed them after the snapshot. */
  readonly blocks_to_remove: readonly string[];
}

export async function replay(
  { read, call }: { readonly read: ReaderApi; readonly call: AdminApi },
  { lines, holdId, reason }: { readonly lines: LostLines; readonly holdId: string; readonly reason: string },
): Promise<Replayed> {
  const { grants } = lines;
  const recorded: string[] = [];
  const refused: Replayed['refused'][number][] = [];
  const acts: KillResponse[] = [];
  for (const part of partsOf(grants)) {
    const response = await call('killLost', { body: { id: holdId, grants: part } });
    recorded.push(...response.recorded);
    refused.push(...response.refused);
    acts.push(response);
  }
  acts.push(...(await endTheRest(call, reason)));
  const { blocks } = await read('listBlocks');
  const inForce = new Set(blocks.map(({ id }) => id));
  const again: Replayed['blocks'][number][] = [];
  for (const { kill_switch_id: id, ...act } of lines.blocks.filter((one) => !inForce.has(one.kill_switch_id)))
    again.push(await blockAgain(call, { id, ...act }));
  const accepted = acts.flatMap(({ still_accepted }) =>
    still_accepted.map((grant) => [grant.grant_id, grant] as const),
  );
  return {
    in_log: grants.length,
    recorded,
    refused,
    revoked: sum(acts, 'revoked') + sum(acts, 'disabled'),
    expired: sum(acts, 'expired'),
    still_accepted: [...new Map(accepted).values()],
    unfinished: acts.at(-1)?.unfinished ?? [],
    blocks: again,
    blocks_to_remove: [...inForce].filter((id) => lines.removedBlocks.has(id)),
  };
}

/** Also grants from before the snapshot: whether they were ended since is known only as far as the log goes. */
async function endTheRest(call: AdminApi, reason: string): Promise<KillResponse[]> {
  try {
    return [await call('kill', { body: { id: randomUuid(systemClock), all: true, reason } })];
  } catch (error) {
    if (error instanceof Refused && error.code === 'nothing_selected') return [];
    throw error;
  }
}

async function blockAgain(
  call: AdminApi,
  { id, selector, actor, reason }: Pick<LostLines['blocks'][number], 'selector' | 'actor' | 'reason'> & { id: string },
) {
  try {
    const why = `again after a restore of the ledger; ${actor}: ${reason}`.slice(0, 1000);
    const { block_id, unfinished } = await call('kill', {
      body: { id, selector, reason: why, block: true, unknown_ok: true },
    });
    return { id, problem: block_id === null ? (unfinished[0]?.error ?? 'it is not in force') : null };
  } catch (error) {
    if (error instanceof Refused) return { id, problem: error.message };
    throw error;
  }
}

function sum(acts: readonly KillResponse[], name: 'revoked' | 'disabled' | 'expired'): number {
  return acts.reduce((total, { counts }) => total + counts[name], 0);
}

/** Requests that the function takes: bounded in number and in bytes. */
export function* partsOf(grants: readonly LostGrant[]): Generator<LostGrant[]> {
  let part: LostGrant[] = [];
  let bytes = 0;
  for (const grant of grants) {
    const size = Buffer.byteLength(JSON.stringify(grant)) + 1;
    if (part.length > 0 && (part.length === MAX_LOST_GRANTS || bytes + size > MAX_BYTES)) {
      yield part;
      [part, bytes] = [[], 0];
    }
    part.push(grant);
    bytes += size;
  }
  if (part.length > 0) yield part;
}
