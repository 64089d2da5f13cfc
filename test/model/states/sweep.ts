// What a sweep finds to do: see sweep.ts and sweep-accounts.ts in shared/operations. Each is a process by itself, so a search also has
// the sweeps that do only a part of their work, or in another order.

import { CLOCK_MARGIN_MS, COOLDOWN_MARGIN_MS, SWEEP_STEP_MS } from '../../../shared/core/timing.ts';
import { type Model, nowOf } from './model.ts';
import type { Instance, Process } from './process.ts';
import { read, type State } from './state.ts';

/** As in shared/operations/sweep-accounts.ts. */
export const ORPHAN_GRACE_MS = 2 * 60_000;

/** All that a sweep may begin. Looks at Buildkite and at IAM come at any time here: the product limits how often. */
export function sweepStarts(model: Model, state: State): Process[] {
  return model
    .instancesOf('sweep')
    .flatMap((by) => [...grantStarts(state, by), ...jobStarts(state, by), ...accountStarts(model, state, by)]);
}

function grantStarts(state: State, by: Instance<'sweep'>): Process[] {
  const now = nowOf(state, by);
  const started: Process[] = [];
  for (const [grant, { record }] of Object.entries(state.grants)) {
    const change = { kind: 'change grant', ...by, grant, at: 'read', lostRaces: 0 } as const;
    const { state: stands, ending_since, ending_by } = record;
    if (ending_since !== null && ending_by !== null) started.push({ ...change, to: 'ended', cause: { by: ending_by } });
    if (stands === 'revoking' && record.access_ended_at === null)
      started.push({ kind: 'revoke', ...by, known: record, until: state.now + SWEEP_STEP_MS });
    const isLive = stands === 'issuing' || stands === 'active' || stands === 'revoking';
    if (isLive && record.expires_at <= now - CLOCK_MARGIN_MS) started.push({ ...change, to: 'expired' });
  }
  return started;
}

function jobStarts(state: State, instance: Instance<'sweep'>): Process[] {
  return Object.entries(state.jobs).flatMap(([job, { record }]): Process[] => {
    const end = { kind: 'end job', ...instance, job, at: 'job', begunAt: state.now, lostRaces: 0 } as const;
    const { check_at, ending_since, ending_by } = record;
    if (check_at === null) return [];
    if (ending_since !== null && ending_by !== null) return [{ ...end, by: ending_by }];
    return state.finished.includes(job) && holdsRenewable(state, record.grants)
      ? [{ ...end, by: 'job.reconciled' }]
      : [];
  });
}

function holdsRenewable(state: State, grants: readonly string[]): boolean {
  return grants.some((id) => {
    const grant = state.grants[id]?.record;
    return (grant?.state === 'issuing' || grant?.state === 'active') && grant.ended_at === null;
  });
}

function accountStarts({ bounds }: Model, state: State, by: Instance<'sweep'>): Process[] {
  const now = nowOf(state, by);
  const started: Process[] = [];
  for (const [email, { record }] of Object.entries(state.accounts)) {
    const { state: stands, reusable_at, disabled_at } = record;
    if ((stands === 'leased' || stands === 'revoking') && reusable_at + ORPHAN_GRACE_MS <= now)
      started.push({ kind: 'reclaim', ...by, known: read(state.accounts, email), at: 'grant' });
    if (stands !== 'cooling_down') continue;
    if (reusable_at <= now) started.push({ kind: 'enable', ...by, account: email, at: 'claim' });
    if (bounds.rechecks && disabled_at !== null && reusable_at - COOLDOWN_MARGIN_MS > now)
      started.push({ kind: 'recheck', ...by, account: email, at: 'list' });
  }
  return started;
}

/** Whether all has come to its end: no grant is live, and every account is free. */
export function isOver(state: State): boolean {
  return (
    Object.values(state.grants).every(({ record }) => record.state === 'revoked' || record.state === 'expired') &&
    Object.values(state.accounts).every(({ record }) => record.state === 'free')
  );
}
