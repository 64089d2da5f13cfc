// `POST /kill/lost`: after a restore, records the grants that the ledger has lost, by the audit log, and ends them. It belongs to an act
// that blocks everything since the time that the ledger shows: nothing is issued while it writes.

import type { Selector } from '../../shared/core/kill-switch.ts';
import type { ADMIN_ROUTES, KillLostResponse } from '../../shared/core/operator-api/admin.ts';
import { toLostRecord } from '../../shared/core/restore/lost-grant.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { AdminDeps } from '../../shared/wiring/admin.ts';
import type { Failure, PrivateRequest } from '../runtime/private-handler.ts';
import { act, killDeadline } from './kill.ts';

type Request = PrivateRequest<(typeof ADMIN_ROUTES)['killLost']>;

export async function killLost(deps: AdminDeps, clock: Clock, { actor, body: { id, grants }, audit }: Request) {
  const until = killDeadline(clock);
  const { readerLedger, replayLedger, ledger } = deps;
  const held = (await readerLedger.killSwitches([id])).get(id);
  if (!held?.blocks_new || held.deactivated_at !== null || !blocksEverything(held.selector)) return notHeld(id);
  const recorded: string[] = [];
  const refused: KillLostResponse['refused'] = [];
  for (const lost of grants) {
    const read = toLostRecord(lost, held.activated_at);
    if ('problem' in read) {
      refused.push({ grant_id: lost.grant_id, problem: read.problem });
      continue;
    }
    const { grant } = read;
    if (await replayLedger.recordLost(grant)) recorded.push(lost.grant_id);
    if (grant.job_ended_at !== null)
      await ledger.endJob({
        job_id: grant.subject.id,
        pipeline_id: undefined,
        by: grant.ended_by === 'job.reconciled' ? grant.ended_by : 'job.finished',
        finished_at: grant.job_finished_at ?? undefined,
      });
  }
  const { selector, reason } = held;
  const order = { selector, actor, reason, blocks_new: true };
  const acted = await act(deps, clock, { id, order, until, audit });
  return 'status' in acted ? acted : { ...acted, body: { ...acted.body, recorded, refused } };
}

/** Whether the act blocks every request from its time on, and not only some. */
function blocksEverything({ issued_since, ...named }: Selector): boolean {
  return issued_since !== undefined && Object.values(named).every((value) => value === undefined);
}

function notHeld(id: string): Failure {
  return {
    status: 409,
    error: 'not_held',
    description: `Nothing was recorded: ${id} is no act that blocks everything since a time, or its block was removed. Run: keydesk restore hold`,
  };
}
