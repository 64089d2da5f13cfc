// What the audit log says of the time that a restored ledger has lost: the last record of each grant, and the acts of operators. Pure.

import * as z from 'zod';
import { GRANT_STATES } from '../grant/grant.ts';
import { type LostGrant, lostGrantSchema, lostTokenSchema, MAX_LOST_TOKENS } from '../operator-api/lost-grant.ts';
import { selectorOnWire } from '../operator-api/selector.ts';
import type { LogEntry } from '../policy-history/log-entry.ts';

const GRANT_EVENTS = ['grant.issued', 'grant.revoked', 'grant.ended', 'grant.expired'];

const { sha256, expires_at } = lostTokenSchema.shape;
const tokenSchema = z.object({ token_sha256: sha256, token_expires_at: expires_at });
const activatedSchema = z.object({
  kill_switch_id: z.uuid(),
  selector: selectorOnWire,
  actor: z.string(),
  reason: z.string(),
  blocks_new: z.boolean(),
});
const deactivatedSchema = z.object({ kill_switch_id: z.uuid() });
export type LoggedAct = z.output<typeof activatedSchema>;

export class LostLines {
  readonly #grants = new Map<string, LostGrant>();
  readonly #tokens = new Map<string, Map<string, string>>();
  readonly #acts = new Map<string, LoggedAct>();
  readonly #removed = new Set<string>();
  /** Lines about grants or acts. */
  count = 0;

  /** @returns `malformed` for a line of a grant or of an act that does not say what it must */
  add({ line }: LogEntry): 'malformed' | undefined {
    const event = String(line?.event);
    if (GRANT_EVENTS.includes(event)) return this.#addGrant(line, event);
    if (event === 'kill_switch.activated') return this.#addAct(line);
    if (event !== 'kill_switch.deactivated') return undefined;
    const read = deactivatedSchema.safeParse(line);
    if (!read.success) return 'malformed';
    this.count += 1;
    this.#removed.add(read.data.kill_switch_id);
    return undefined;
  }

  /** Each grant as its last line has it, with the hashes of all its tokens, the oldest grant first. */
  get grants(): LostGrant[] {
    return [...this.#grants.values()]
      .map((grant) => ({ ...grant, tokens: this.#tokensOf(grant.grant_id) }))
      .sort((one, other) => Date.parse(one.created_at) - Date.parse(other.created_at));
  }

  /** Acts whose block no line removes. */
  get blocks(): LoggedAct[] {
    return [...this.#acts.values()].filter((act) => act.blocks_new && !this.#removed.has(act.kill_switch_id));
  }

  /** Ids of blocks that a line removes. */
  get removedBlocks(): ReadonlySet<string> {
    return this.#removed;
  }

  #addGrant(line: unknown, event: string): 'malformed' | undefined {
    const read = lostGrantSchema.safeParse(line);
    const token = tokenSchema.safeParse(line);
    if (!read.success || (event === 'grant.issued' && !token.success)) return 'malformed';
    this.count += 1;
    const { grant_id } = read.data;
    const known = this.#grants.get(grant_id);
    if (!known || isLater(read.data, known)) this.#grants.set(grant_id, read.data);
    if (token.success) {
      const tokens = this.#tokens.get(grant_id) ?? new Map<string, string>();
      tokens.set(token.data.token_sha256, token.data.token_expires_at);
      this.#tokens.set(grant_id, tokens);
    }
    return undefined;
  }

  #addAct(line: unknown): 'malformed' | undefined {
    const read = activatedSchema.safeParse(line);
    if (!read.success) return 'malformed';
    this.count += 1;
    this.#acts.set(read.data.kill_switch_id, read.data);
    return undefined;
  }

  #tokensOf(grant_id: string): LostGrant['tokens'] {
    return [...(this.#tokens.get(grant_id) ?? [])]
      .map(([sha256, expires_at]) => ({ sha256, expires_at }))
      .sort((one, other) => Date.parse(one.expires_at) - Date.parse(other.expires_at))
      .slice(-MAX_LOST_TOKENS);
  }
}

/** By the record and not by the line's time: functions have clocks of their own. */
function isLater(one: LostGrant, other: LostGrant): boolean {
  const difference = Date.parse(one.requested_at) - Date.parse(other.requested_at);
  if (difference !== 0) return difference > 0;
  const progress = (grant: LostGrant) => GRANT_STATES.indexOf(grant.state) * 2 + Number(grant.ended_at !== null);
  return progress(one) >= progress(other);
}
