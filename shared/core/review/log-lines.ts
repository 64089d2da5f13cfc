// What a review takes from the audit log: which grants have a line of an issuance, and of an end.

import * as z from 'zod';
import { type LogEntry, toTime } from '../policy-history/log-entry.ts';
import { Coverage } from '../policy-history/period.ts';

const GRANT_LINE_EVENTS = ['grant.issued', 'grant.revoked', 'grant.ended', 'grant.expired'] as const;
export type GrantLineEvent = (typeof GRANT_LINE_EVENTS)[number];

/** The longest lines are cut to fields that are no objects, and these are none. */
const lineSchema = z.object({
  event: z.enum(GRANT_LINE_EVENTS),
  grant_id: z.string().min(1),
  environment: z.string().optional().catch(undefined),
  credential: z.string().optional().catch(undefined),
  pipeline_slug: z.string().optional().catch(undefined),
  token_sha256: z.string().optional().catch(undefined),
  created_at: z.string().optional().catch(undefined),
  issued_at: z.string().optional().catch(undefined),
  access_ended_at: z.string().nullish().catch(undefined),
  expires_at: z.string().optional().catch(undefined),
});

const actLineSchema = z.object({ kill_switch_id: z.string().min(1), actor: z.string().catch('unknown') });

/** The first line of an act of the kill switch. */
interface ActLine {
  readonly at: number;
  readonly actor: string;
}

export interface GrantLine {
  readonly event: GrantLineEvent;
  /** Milliseconds since the epoch, as all times here; undefined where the line does not say. */
  readonly at: number | undefined;
  readonly environment: string | undefined;
  readonly credential: string | undefined;
  readonly pipeline_slug: string | undefined;
  readonly token_sha256: string | undefined;
  readonly created_at: number | undefined;
  /** When access ends by the line. */
  readonly accepted_until: number | undefined;
}

/** The lines of a log about grants, by grant, and about acts of the kill switch, by act. Its memory grows with the number of lines. */
export class GrantLines {
  readonly byGrant = new Map<string, GrantLine[]>();
  readonly acts = new Map<string, ActLine>();
  readonly coverage = new Coverage();
  count = 0;

  /** @returns `malformed` for a line that lacks what its event must have */
  add(entry: LogEntry): 'malformed' | undefined {
    const { at, line } = entry;
    this.coverage.add(at);
    if (line?.event === 'kill_switch.activated') return this.#addAct(line, at);
    const isGrant = GRANT_LINE_EVENTS.some((event) => event === line?.event);
    if (!isGrant) return undefined;
    const read = lineSchema.safeParse(line);
    if (!read.success) return 'malformed';
    const { event, grant_id, issued_at, created_at, access_ended_at, expires_at, ...same } = read.data;
    const known = this.byGrant.get(grant_id) ?? [];
    this.byGrant.set(grant_id, known);
    const logged = at ?? (event === 'grant.issued' ? toTime(issued_at) : undefined);
    if (at === undefined) this.coverage.add(logged);
    known.push({
      event,
      at: logged,
      environment: same.environment,
      credential: same.credential,
      pipeline_slug: same.pipeline_slug,
      token_sha256: same.token_sha256,
      created_at: toTime(created_at),
      accepted_until: toTime(access_ended_at ?? expires_at),
    });
    this.count += 1;
    return undefined;
  }

  #addAct(line: object, at: number | undefined): 'malformed' | undefined {
    const read = actLineSchema.safeParse(line);
    if (!read.success || at === undefined) return 'malformed';
    const { kill_switch_id, actor } = read.data;
    const known = this.acts.get(kill_switch_id);
    if (!known || at < known.at) this.acts.set(kill_switch_id, { at, actor });
    return undefined;
  }
}
