// What a sweep does with pooled accounts, step by step: see sweep-accounts.ts in shared/operations and sweep.ts in shared/ledger. A read
// and a write of one document, with nothing in between that depends on another, are one step: a lost race only repeats them.

import { isPooledGrant } from '../../../shared/core/kinds/pooled-service-account.ts';
import type { Account } from '../../../shared/core/pool/account.ts';
import { DISABLE_WINDOW_MS, ENABLE_WINDOW_MS } from '../../../shared/core/timing.ts';
import { disable, disabledWrongly, short } from './end.ts';
import { LATEST_CALL_MS, type Model, nowOf } from './model.ts';
import type { Enable, Instance, Outcome, Process, Recheck, Reclaim } from './process.ts';
import { commit, read, type State } from './state.ts';

/** Reads an account and writes its next record, if it has one. */
function change(
  model: Model,
  state: State,
  process: Instance,
  email: string,
  next: (existing: Account, now: number) => Account | undefined,
): { readonly state: State; readonly account: Account | undefined } {
  const found = read(state.accounts, email);
  const account = found.record && next(found.record, nowOf(state, process));
  if (!account) return { state, account: undefined };
  model.transitions.assertAccountTransition(found.record, account);
  const written = commit(state, [{ in: 'accounts', read: found, record: account }], true);
  if (!written) throw new Error('an account changed while it was written');
  return { state: written, account };
}

export function enableSteps(model: Model, state: State, process: Enable): Outcome[] {
  const { transitions } = model;
  const { account: email } = process;
  const label = `sweep enables ${short(email)}`;
  const now = nowOf(state, process);
  switch (process.at) {
    case 'claim': {
      const claimed = change(model, state, process, email, transitions.claimForEnable);
      if (!claimed.account) return [{ label: `${label}: it must not`, state, next: [] }];
      const next: Process = { ...process, at: 'send', claimedAt: claimed.account.enabling_since ?? now };
      return [{ label: `${label}: claims it`, state: claimed.state, next: [next] }];
    }
    case 'send': {
      const confirm: Process = { ...process, at: 'confirm' };
      if (!state.disabled.includes(email))
        return [{ label: `${label}: it is enabled already`, state, next: [confirm] }];
      if (now >= (process.claimedAt ?? 0) + ENABLE_WINDOW_MS)
        return [{ label: `${label}: no time is left`, state, next: [] }];
      const call = { call: 'enable' as const, account: email, until: state.now + ENABLE_WINDOW_MS + LATEST_CALL_MS };
      return [
        { label, state: enable(state, email), next: [confirm], violations: enabledWrongly(state, email) },
        {
          label: `${label}: Google does not respond`,
          state: { ...state, late: [...state.late, call] },
          next: [],
          fault: true,
        },
      ];
    }
    case 'confirm': {
      const confirmed = change(model, state, process, email, (existing, at) =>
        transitions.confirmEnabled(existing, process.claimedAt ?? 0, at),
      );
      return [{ label: `${label}: records it`, state: confirmed.state, next: [] }];
    }
  }
}

export function enable(state: State, email: string): State {
  return { ...state, disabled: state.disabled.filter((other) => other !== email) };
}

/** What a request to enable an account brings back. */
export function enabledWrongly(state: State, email: string): string[] {
  const living = state.tokens.filter(({ account, end }) => account === email && end > state.now);
  if (living.length === 0 || !state.disabled.includes(email)) return [];
  return [`I5: ${short(email)} is enabled while a token of it lives`];
}

export function reclaimSteps(model: Model, state: State, process: Reclaim): Outcome[] {
  const { known } = process;
  const label = `sweep takes ${short(known.id)} back`;
  if (process.at === 'grant') {
    const grant = read(state.grants, known.record?.grant_id ?? 'none').record;
    const holds =
      grant &&
      isPooledGrant(grant) &&
      grant.service_account === known.id &&
      grant.state !== 'revoked' &&
      grant.state !== 'expired';
    return [{ label: `${label}: reads its grant`, state, next: holds ? [] : [{ ...process, at: 'write' }] }];
  }
  const { quarantine } = model.transitions;
  const taken = change(model, state, process, known.id, (existing, at) =>
    state.accounts[known.id]?.version === known.version ? quarantine(existing, at) : undefined,
  );
  return [{ label, state: taken.state, next: [] }];
}

export function recheckSteps(model: Model, state: State, process: Recheck): Outcome[] {
  const { transitions } = model;
  const { account: email, until = 0 } = process;
  const label = `sweep looks at ${short(email)}`;
  const window = { until: state.now + DISABLE_WINDOW_MS };
  switch (process.at) {
    case 'list':
      return [{ label: `sweep is to look at ${short(email)}`, state, next: [{ ...process, at: 'look' }] }];
    case 'look': {
      const next: Recheck = transitions.order.claimBeforeDisable
        ? { ...process, at: 'claim' }
        : { ...process, at: 'disable', ...window };
      if (!state.disabled.includes(email)) return [{ label: `${label}: it is enabled`, state, next: [next] }];
      const checked = change(model, state, process, email, transitions.markChecked);
      return [
        { label: `${label}: it is disabled`, state: checked.state, next: [] },
        { label: `${label}: Google returns an old state, enabled`, state, next: [next], fault: true },
      ];
    }
    case 'claim': {
      const claimed = change(model, state, process, email, transitions.claimForDisable);
      if (!claimed.account) return [{ label: `${label}: it must not disable it`, state, next: [] }];
      const next: Recheck = { ...process, at: 'disable', ...window };
      return [{ label: `${label}: claims it`, state: claimed.state, next: [next] }];
    }
    case 'disable': {
      const recorded: Process = { ...process, at: 'record' };
      if (state.now >= until && transitions.order.sendBeforeUntil)
        return [{ label: `${label}: no time is left to disable it`, state, next: [] }];
      const call = { call: 'disable' as const, account: email, until: until + LATEST_CALL_MS };
      return [
        {
          label: `${label}: disables it again`,
          state: disable(state, email),
          next: [recorded],
          violations: disabledWrongly(state, email),
        },
        {
          label: `${label}: Google does not respond`,
          state: { ...state, late: [...state.late, call] },
          next: [recorded],
          fault: true,
        },
      ];
    }
    case 'record': {
      const checked = change(model, state, process, email, transitions.markChecked);
      return [{ label: `${label}: records it`, state: checked.state, next: [] }];
    }
  }
}
