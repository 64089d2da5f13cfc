// The kill switch's part of the ledger: the record of each act, the blocks in force, and the live grants to look
// through. Each grant is ended by the ending ledger, like any other.

import { isDeepStrictEqual } from 'node:util';
import { FieldPath, type Firestore, type Query, type QueryDocumentSnapshot } from '@google-cloud/firestore';
import * as z from 'zod';
import { type Barriers, barriersSchema, selectorSchema } from '../core/grant/selector.ts';
import type { Clock } from '../runtime/clock.ts';
import { fromStored, toStored } from './client.ts';
import { answered, barriersDocument, readable, toBarriers, toGrant, written } from './documents.ts';
import type { Found } from './sweep.ts';

const PAGE = 100;
/** Blocks in force at once: all of them are read in every hand-out. */
const MAX_BARRIERS = 100;

const actSchema = z.object({
  selector: selectorSchema,
  /** Who threw it, and why: what they said of themselves. */
  actor: z.string().min(1),
  reason: z.string().min(1),
  /** Whether it bars new hand-outs until it is lifted. */
  blocks_new: z.boolean(),
  activated_at: z.number(),
  deactivated_at: z.number().nullable(),
  deactivated_by: z.string().nullable(),
});
type Act = z.output<typeof actSchema>;

export interface KillLedger {
  /**
   * Records an act and, if it bars, raises its block, in one commit. An act that is on record stays as it is; one that
   * was lifted, or is another, throws. Throws Unavailable, as all of these do.
   */
  record(id: string, act: Act): Promise<void>;
  /** Lifts a block. False when there is none of that id. */
  lift(id: string, by: string): Promise<boolean>;
  blocks(): Promise<Barriers>;
  /** Live grants in pages; `after` is what the page before gave as `next`. */
  live(after: QueryDocumentSnapshot | undefined): Promise<Found & { readonly next: QueryDocumentSnapshot | undefined }>;
}

export function createKillLedger(ledger: Firestore, clock: Clock): KillLedger {
  const actDocument = (id: string) => ledger.collection('kill_switches').doc(id);
  const live = ledger.collection('grants').where('state', 'in', ['issuing', 'active', 'revoking']);

  const readAct = async (id: string): Promise<Act | undefined> => {
    const read = await actDocument(id).get();
    return read.exists ? actSchema.parse(fromStored(read.data())) : undefined;
  };

  const changeBarriers = async (id: string, act: Act, change: (blocks: Barriers) => Barriers) => {
    const read = await barriersDocument(ledger).get();
    const blocks = change(toBarriers(read));
    if (blocks.length > MAX_BARRIERS) throw new Error(`${MAX_BARRIERS} blocks are in force: lift one first`);
    const stored = toStored(barriersSchema.parse({ blocks }));
    const batch = ledger.batch();
    if (read.updateTime) batch.update(read.ref, stored, { lastUpdateTime: read.updateTime });
    else batch.create(read.ref, stored);
    batch.set(actDocument(id), toStored(act));
    await batch.commit();
  };

  const record = async (id: string, act: Act): Promise<void> => {
    const known = await readAct(id);
    if (
      known?.deactivated_at === null &&
      known.blocks_new === act.blocks_new &&
      isDeepStrictEqual(known.selector, act.selector)
    )
      return;
    if (known) throw new Error(`${id} is the id of another act, or of one that was lifted`);
    const { selector, activated_at } = act;
    if (act.blocks_new) await changeBarriers(id, act, (blocks) => [...blocks, { id, selector, activated_at }]);
    else await actDocument(id).create(toStored(act));
  };

  const lift = async (id: string, by: string, attempt: { at: number; tried: boolean }): Promise<boolean> => {
    const act = await readAct(id);
    if (!act?.blocks_new) return false;
    if (act.deactivated_at !== null)
      return attempt.tried && act.deactivated_at === attempt.at && act.deactivated_by === by;
    attempt.tried = true;
    const lifted = { ...act, deactivated_at: attempt.at, deactivated_by: by };
    await changeBarriers(id, lifted, (blocks) => blocks.filter((block) => block.id !== id));
    return true;
  };

  return {
    record: (id, act) => written(clock, () => record(id, act)),
    lift: (id, by) => {
      const attempt = { at: clock.now(), tried: false };
      return written(clock, () => lift(id, by, attempt));
    },
    blocks: async () => toBarriers(await answered(clock, barriersDocument(ledger).get())),
    live: async (after) => {
      const id = FieldPath.documentId();
      let query: Query = live.orderBy(id).limit(PAGE);
      if (after !== undefined) query = query.startAfter(after);
      const { docs } = await answered(clock, query.get());
      const { held, unreadable } = readable(docs, toGrant);
      const next = docs.length === PAGE ? docs.at(-1) : undefined;
      return { grants: held.map(({ record }) => record), unreadable, next };
    },
  };
}
