// The kill switch's part of the ledger: the record of each act, the blocks in force, and the live grants to look
// through. Each grant is ended by the ending ledger, like any other.

import { isDeepStrictEqual } from 'node:util';
import { type Blocks, blocksSchema, type KillSwitchRecord, killSwitchSchema, MAX_BLOCKS } from '../core/kill-switch.ts';
import type { Database } from '../firestore/database.ts';
import { isDocumentId } from '../firestore/document-id.ts';
import { parseRecord } from '../firestore/records.ts';
import { toStoredRecord } from '../firestore/stored-record.ts';
import type { ActProblem, KillSwitchLedger } from '../operations/ports.ts';
import type { Clock } from '../runtime/clock.ts';
import { blocksDocument, commitWithRetry, toBlocks, withLedgerTimeout } from './documents.ts';
import { readLiveGrants } from './live-grants.ts';

export function createKillSwitchLedger(ledger: Database, clock: Clock): KillSwitchLedger {
  const killSwitchDocument = (id: string) => ledger.collection('kill_switches').doc(id);

  const readKillSwitch = async (id: string): Promise<KillSwitchRecord | undefined> => {
    const read = await killSwitchDocument(id).get();
    return parseRecord(killSwitchSchema, read);
  };

  const changeBlocks = async (
    id: string,
    killSwitch: KillSwitchRecord,
    update: (blocks: Blocks) => Blocks,
  ): Promise<ActProblem | undefined> => {
    const read = await blocksDocument(ledger).get();
    const blocks = update(toBlocks(read));
    if (blocks.length > MAX_BLOCKS) return 'too_many_blocks';
    const stored = toStoredRecord(blocksSchema.parse({ blocks }));
    const batch = ledger.batch();
    if (read.updateTime) batch.update(read.ref, stored, { lastUpdateTime: read.updateTime });
    else batch.create(read.ref, stored);
    batch.set(killSwitchDocument(id), toStoredRecord(killSwitch));
    await batch.commit();
    return undefined;
  };

  const record = async (id: string, killSwitch: KillSwitchRecord): Promise<ActProblem | undefined> => {
    const known = await readKillSwitch(id);
    if (
      known?.deactivated_at === null &&
      known.blocks_new === killSwitch.blocks_new &&
      isDeepStrictEqual(known.selector, killSwitch.selector)
    )
      return undefined;
    if (known) return 'other_order';
    const { selector, activated_at } = killSwitch;
    if (killSwitch.blocks_new)
      return changeBlocks(id, killSwitch, (blocks) => [...blocks, { id, selector, activated_at }]);
    await killSwitchDocument(id).create(toStoredRecord(killSwitch));
    return undefined;
  };

  const deactivate = async (id: string, by: string, attempt: { at: number; tried: boolean }): Promise<boolean> => {
    const killSwitch = await readKillSwitch(id);
    if (!killSwitch?.blocks_new) return false;
    if (killSwitch.deactivated_at !== null)
      return attempt.tried && killSwitch.deactivated_at === attempt.at && killSwitch.deactivated_by === by;
    attempt.tried = true;
    const deactivated = { ...killSwitch, deactivated_at: attempt.at, deactivated_by: by };
    await changeBlocks(id, deactivated, (blocks) => blocks.filter((block) => block.id !== id));
    return true;
  };

  return {
    record: (id, killSwitch) => commitWithRetry(clock, () => record(id, killSwitch)),
    deactivate: async (id, by) => {
      if (!isDocumentId(id)) return false;
      const attempt = { at: clock.now(), tried: false };
      return commitWithRetry(clock, () => deactivate(id, by, attempt));
    },
    blocks: async () => toBlocks(await withLedgerTimeout(clock, blocksDocument(ledger).get())),
    liveGrants: () => readLiveGrants(ledger, clock),
  };
}
