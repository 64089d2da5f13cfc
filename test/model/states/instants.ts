// The moments at which a decision may change, and nothing between two of them does: only these are visited.

import { CLOCK_MARGIN_MS, COOLDOWN_MARGIN_MS, DISABLE_CLAIM_MS, ENABLE_CLAIM_MS } from '../../../shared/core/timing.ts';
import { type Model, TTL_MS } from './model.ts';
import type { State } from './state.ts';
import { ORPHAN_GRACE_MS } from './sweep.ts';

/** The next one; undefined when nothing falls due any more. */
export function nextInstant(model: Model, state: State): number | undefined {
  let next = Number.POSITIVE_INFINITY;
  const at = (time: number) => {
    if (time > state.now && time < next) next = time;
  };
  /** By every clock there is. */
  const byClocks = (time: number) => {
    for (const skew of model.clocks) at(time - skew);
  };
  for (const { record } of Object.values(state.grants))
    if (record.state !== 'revoked' && record.state !== 'expired') byClocks(record.expires_at + CLOCK_MARGIN_MS);
  for (const { record } of Object.values(state.accounts)) {
    if (record.state === 'cooling_down') {
      byClocks(record.reusable_at);
      // The last moment at which a sweep looks at it.
      if (model.bounds.rechecks && record.disabled_at !== null) byClocks(record.reusable_at - COOLDOWN_MARGIN_MS - 1);
      if (record.disabling_since !== null) byClocks(record.disabling_since + DISABLE_CLAIM_MS);
      if (record.enabling_since !== null) byClocks(record.enabling_since + ENABLE_CLAIM_MS);
    }
    if (record.state === 'leased' || record.state === 'revoking') byClocks(record.reusable_at + ORPHAN_GRACE_MS);
  }
  for (const { record } of Object.values(state.documents)) if (record.state === 'active') byClocks(record.expires_at);
  for (const { end, account } of state.tokens) if (account !== undefined) at(end);
  for (const { until } of state.late) at(until);
  // The last moment at which a mint is in time. That others run out of time is not worth a stop: what they know then is old.
  for (const process of state.processes)
    if (process.kind === 'issue' && process.at === 'mint' && process.reserved && !process.token)
      byClocks(process.reserved.latestExpiry - TTL_MS);
  return next === Number.POSITIVE_INFINITY ? undefined : next;
}
