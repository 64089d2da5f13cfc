// `POST /kill`: which grants are meant, what a dry run shows, and what is said of an act.

import { type AuditEvent, auditEvent } from '../../shared/audit/events.ts';
import { toIsoTimes } from '../../shared/audit/iso-times.ts';
import { endEvents, failureEvents } from '../../shared/audit/result-events.ts';
import type { Grant } from '../../shared/core/grant/grant.ts';
import { toIsoOrNull } from '../../shared/core/iso-time.ts';
import { MAX_BLOCKS, type Selector } from '../../shared/core/kill-switch.ts';
import type { ADMIN_ROUTES, KillRequest, KillResponse } from '../../shared/core/operator-api/admin.ts';
import { toGrantSummary } from '../../shared/core/operator-api/grant.ts';
import { describeSelector, toWire } from '../../shared/core/operator-api/selector.ts';
import {
  activateKillSwitch,
  KILL_BUDGET_MS,
  type KillOrder,
  lookForGrants,
  OrderRefused,
  previewKill,
} from '../../shared/operations/kill-switch.ts';
import type { KillResult } from '../../shared/operations/kill-tally.ts';
import type { GrantPage } from '../../shared/operations/ports.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import { DependencyError } from '../../shared/runtime/errors.ts';
import type { AdminDeps } from '../../shared/wiring/admin.ts';
import type { Failure, PrivateRequest } from '../runtime/private-handler.ts';
import { nothingMatches, problemOfNames, resolveSelector } from './selection.ts';

type Request = PrivateRequest<(typeof ADMIN_ROUTES)['kill']>;
type Result = { readonly body: KillResponse; readonly auditEvents: readonly AuditEvent[] } | Failure;

export async function kill(deps: AdminDeps, clock: Clock, { actor, body, audit }: Request): Promise<Result> {
  const until = killDeadline(clock);
  const selector = await resolveSelector(deps, body);
  if ('status' in selector) return selector;
  const checked = await check(deps, body, selector);
  if ('status' in checked) return checked;
  const { pages } = checked;
  if (body.dry_run) return dryRun(deps, body, { selector, actor, pages, until });
  const order = { selector, actor, reason: body.reason, blocks_new: body.block };
  return act(deps, clock, { id: body.id, order, pages, until, audit });
}

/** From when on an act begins nothing more, so that its response comes before Cloud Run ends the request. */
export function killDeadline(clock: Clock): number {
  return clock.now() + KILL_BUDGET_MS;
}

interface RequestedAct {
  readonly id: string;
  readonly order: KillOrder;
  /** As in {@link activateKillSwitch}, and `until` too. */
  readonly pages?: AsyncIterable<GrantPage> | undefined;
  readonly until: number;
  /** Writes a line at once: the act is in force, whatever becomes of the response. */
  readonly audit: (event: AuditEvent) => void;
}

/** Activates the kill switch, and says what came of it. Throws DependencyError. */
export async function act(deps: AdminDeps, clock: Clock, requested: RequestedAct) {
  try {
    return await activate(deps, clock, requested);
  } catch (error) {
    if (!(error instanceof OrderRefused)) throw error;
    const { id, order } = requested;
    if (error.problem === 'other_order') return otherOrder(id);
    // Access is ended all the same: that cannot wait until somebody has removed a block.
    const ended = await activate(deps, clock, { ...requested, order: { ...order, blocks_new: false } });
    return { ...ended, body: withoutBlock(ended.body) };
  }
}

async function activate(deps: AdminDeps, clock: Clock, { id, order, pages, until, audit }: RequestedAct) {
  let onRecord = false;
  try {
    const result = await activateKillSwitch(deps, id, order, {
      until,
      pages,
      onRecord: () => {
        onRecord = true;
        audit(activatedEvent(id, order));
      },
      onEnd: (ended) => endEvents(ended).forEach(audit),
    });
    const auditEvents = failureEvents([...result.failures, ...result.pending]);
    return { body: toResponse(id, { order, result, dry_run: false }, clock), auditEvents };
  } catch (error) {
    if (!DependencyError.is(error)) throw error;
    const { dependency, code, retryAfter } = error;
    const what = error.message.replace(`${dependency}: `, '');
    const act = order.blocks_new ? 'The block' : 'The act';
    const state = onRecord ? `${act} is on record, and not all grants were ended` : `${act} may be on record`;
    const detail = `${what}. ${state}. Run it again with --resume ${id}`;
    throw new DependencyError(dependency, code, detail, { retryAfter, cause: error });
  }
}

function activatedEvent(id: string, order: KillOrder): AuditEvent {
  return auditEvent('kill_switch.activated', {
    kill_switch_id: id,
    ...order,
    selector: toIsoTimes(order.selector),
    selection: describeSelector(order.selector),
  });
}

function otherOrder(id: string): Failure {
  return {
    status: 409,
    error: 'other_order',
    description: `Nothing was done: ${id} is the id of another order, or of a block that was removed. To continue an act, give the same selectors and --block as before. For another one, leave out --resume.`,
  };
}

function noSuchAct(id: string): Failure {
  return {
    status: 404,
    error: 'not_found',
    description: `Nothing was done: no act on record has the id ${id}. Leave out --resume to begin a new one.`,
  };
}

function withoutBlock(body: KillResponse): KillResponse {
  const error = `Nothing is blocked: ${MAX_BLOCKS} blocks are in force, and there can be no more. Remove one (keydesk blocks list), then run the command again without --resume.`;
  return {
    ...body,
    counts: { ...body.counts, unfinished: body.counts.unfinished + 1 },
    unfinished: [{ grant_id: null, error, accepted_until: null }, ...body.unfinished],
  };
}

/**
 * Whether the order makes sense, with the live grants where they had to be looked through for that. An order that blocks looks
 * through them when its block is on record: before, the names in its selector are enough. One that is repeated made sense before.
 */
async function check(
  deps: AdminDeps,
  body: KillRequest,
  selector: Selector,
): Promise<{ readonly pages?: AsyncIterable<GrantPage> } | Failure> {
  if (body.unknown_ok && !body.block)
    return {
      status: 400,
      error: 'invalid_request',
      description: 'unknown_ok is for a block: give block as well. Without one there is nothing to do.',
    };
  if (await isKnownAct(deps, body.id)) return {};
  if (body.resume) return noSuchAct(body.id);
  const problem = body.unknown_ok ? undefined : await problemOfNames(deps, selector);
  if (problem) return problem;
  if (body.block) return {};
  const pages = await lookForGrants(deps.killSwitchLedger.liveGrants(), selector);
  return pages ? { pages } : nothingMatches(selector);
}

/** Whether the request repeats an act: by then its grants may have ended. */
async function isKnownAct({ readerLedger }: AdminDeps, id: string): Promise<boolean> {
  return (await readerLedger.killSwitches([id])).has(id);
}

async function dryRun(
  deps: AdminDeps,
  body: KillRequest,
  {
    selector,
    actor,
    pages = deps.killSwitchLedger.liveGrants(),
    until,
  }: {
    readonly selector: Selector;
    readonly actor: string;
    readonly pages: AsyncIterable<GrantPage> | undefined;
    readonly until: number;
  },
): Promise<Result> {
  const result = await previewKill(deps, selector, pages, until);
  const order = { selector, actor, reason: body.reason, blocks_new: false };
  return {
    body: toResponse(body.id, { order, result, dry_run: true }, deps.clock),
    auditEvents: [auditEvent('operator.read', { actor, operation: 'kill', about: describeSelector(selector) })],
  };
}

function toResponse(
  id: string,
  said: { readonly order: KillOrder; readonly result: KillResult; readonly dry_run: boolean },
  clock: Clock,
): KillResponse {
  const { order, result, dry_run } = said;
  const now = clock.now();
  const list = (grants: readonly Grant[]) => grants.map((grant) => toGrantSummary(grant, now));
  return {
    id,
    dry_run,
    selector: toWire(order.selector),
    selected: list(result.selected),
    counts: result.counts,
    still_accepted: list(result.stillAccepted),
    unfinished: [...result.failures, ...result.pending].map(({ grant_id = null, error, accepted_until }) => ({
      grant_id,
      error,
      accepted_until: toIsoOrNull(accepted_until),
    })),
    ambiguous: list(result.ambiguous),
    block_id: order.blocks_new ? id : null,
  };
}
