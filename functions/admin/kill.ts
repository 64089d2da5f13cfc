// `POST /kill`: which grants are meant, what a dry run shows, and what is said of an act.

import { type AuditEvent, auditEvent } from '../../shared/audit/events.ts';
import { toIsoTimes } from '../../shared/audit/iso-times.ts';
import { endEvents, failureEvents } from '../../shared/audit/result-events.ts';
import type { Grant } from '../../shared/core/grant/grant.ts';
import type { Selector } from '../../shared/core/kill-switch.ts';
import {
  type ADMIN_ROUTES,
  type KillRequest,
  type KillResponse,
  MAX_LISTED,
} from '../../shared/core/operator-api/admin.ts';
import { toGrantSummary } from '../../shared/core/operator-api/grant.ts';
import { describeSelector, toWire } from '../../shared/core/operator-api/selector.ts';
import {
  activateKillSwitch,
  type FoundGrants,
  findGrants,
  type KillOrder,
  type KillResult,
} from '../../shared/operations/kill-switch.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import { DependencyError } from '../../shared/runtime/errors.ts';
import type { AdminDeps } from '../../shared/wiring/admin.ts';
import type { Failure, PrivateRequest } from '../runtime/private-handler.ts';
import { problemOfEmptySelection, problemOfNames, resolveSelector } from './selection.ts';

type Request = PrivateRequest<(typeof ADMIN_ROUTES)['kill']>;
type Result = { readonly body: KillResponse; readonly auditEvents: readonly AuditEvent[] } | Failure;

export async function kill(deps: AdminDeps, clock: Clock, { actor, body }: Request): Promise<Result> {
  const selector = await resolveSelector(deps, body);
  if ('status' in selector) return selector;
  const checked = await check(deps, body, selector);
  if ('status' in checked) return checked;
  const { found } = checked;
  if (body.dry_run) return dryRun(body, { selector, actor, ...(found ?? (await findGrants(deps, selector))) }, clock);
  const order = { selector, actor, reason: body.reason, blocks_new: body.block };
  return act(deps, clock, body.id, order, found).catch((error: unknown) => fail(error, body));
}

/** Activates the kill switch, and says what came of it. @param found as in {@link activateKillSwitch} */
export async function act(deps: AdminDeps, clock: Clock, id: string, order: KillOrder, found?: FoundGrants) {
  const result = await activateKillSwitch(deps, id, order, found);
  return {
    body: toResponse(id, order, result, clock),
    auditEvents: [
      auditEvent('kill_switch.activated', {
        kill_switch_id: id,
        ...order,
        selector: toIsoTimes(order.selector),
        selection: describeSelector(order.selector),
      }),
      ...endEvents(result),
      ...failureEvents([...result.pending, ...result.failures]),
    ],
  };
}

/** A failure after which it is not known how far an order with a block came. */
function fail(error: unknown, { id, block }: KillRequest): never {
  if (!block || !DependencyError.is(error)) throw error;
  const { dependency, code, retryAfter } = error;
  const what = error.message.replace(`${dependency}: `, '');
  const detail = `${what}. The block may be in force. Run it again with --resume ${id}`;
  throw new DependencyError(dependency, code, detail, { retryAfter, cause: error });
}

/**
 * Whether the selector makes sense, with the live grants where they had to be looked through for that. An order that blocks looks
 * through them when its block is on record: before, the names in its selector are enough.
 */
async function check(
  deps: AdminDeps,
  body: KillRequest,
  selector: Selector,
): Promise<{ readonly found?: FoundGrants } | Failure> {
  if (body.block && !(await problemOfNames(deps, selector))) return {};
  const found = await findGrants(deps, selector);
  if (found.selected.length + found.ambiguous.length > 0 || (await isKnownAct(deps, body.id))) return { found };
  const problem = await problemOfEmptySelection(deps, selector, body.block);
  return problem ?? { found };
}

/** Whether the request repeats an act: by then its grants may have ended. */
async function isKnownAct({ readerLedger }: AdminDeps, id: string): Promise<boolean> {
  return (await readerLedger.killSwitches([id])).has(id);
}

function dryRun(
  body: KillRequest,
  found: {
    readonly selector: Selector;
    readonly selected: readonly Grant[];
    readonly ambiguous: readonly Grant[];
    readonly actor: string;
  },
  clock: Clock,
): Result {
  const { selector, selected, ambiguous, actor } = found;
  const cannotBeRevoked = selected.filter(({ revocation }) => revocation === 'expiry');
  const list = (grants: readonly Grant[]) => summaries(grants, clock);
  return {
    body: {
      id: body.id,
      dry_run: true,
      selector: toWire(selector),
      selected: list(selected),
      counts: {
        selected: selected.length,
        revoked: 0,
        still_accepted: cannotBeRevoked.length,
        expired: 0,
        unfinished: 0,
      },
      still_accepted: list(cannotBeRevoked),
      unfinished: [],
      ambiguous: list(ambiguous),
      block_id: null,
    },
    auditEvents: [auditEvent('operator.read', { actor, operation: 'kill', about: describeSelector(selector) })],
  };
}

function toResponse(id: string, { selector, blocks_new }: KillOrder, result: KillResult, clock: Clock): KillResponse {
  const { selected, ambiguous, revoked, stillAccepted, expired } = result;
  const unfinished = [...result.pending, ...result.failures];
  return {
    id,
    dry_run: false,
    selector: toWire(selector),
    selected: summaries(selected, clock),
    counts: {
      selected: selected.length,
      revoked: revoked.length,
      still_accepted: stillAccepted.length,
      expired: expired.length,
      unfinished: unfinished.length,
    },
    still_accepted: summaries(stillAccepted, clock),
    unfinished: unfinished.slice(0, MAX_LISTED).map(({ grant_id = null, error }) => ({ grant_id, error })),
    ambiguous: summaries(ambiguous, clock),
    block_id: blocks_new ? id : null,
  };
}

function summaries(grants: readonly Grant[], clock: Clock) {
  return grants.slice(0, MAX_LISTED).map((grant) => toGrantSummary(grant, clock.now()));
}
