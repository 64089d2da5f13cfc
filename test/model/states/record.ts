// The last part of a request for a token: it is recorded, and then returned. See issue.ts.

import type { Grant } from '../../../shared/core/grant/grant.ts';
import { isPooledGrant } from '../../../shared/core/kinds/pooled-service-account.ts';
import { LEDGER_DEADLINE_MS } from '../../../shared/core/timing.ts';
import { type Model, nowOf, requestName } from './model.ts';
import type { Issue, Outcome } from './process.ts';
import { commit, type Read, read, type State, type Write } from './state.ts';

/** By what a record knows the token. */
export function sha256Of(token: number): string {
  return `token ${token}`;
}

function mintedToken({ grant: grant_id, token, reserved }: Issue) {
  if (!token) throw new Error('nothing was minted');
  const grant = reserved?.grant;
  const leased = grant && isPooledGrant(grant) ? { service_account: grant.service_account } : {};
  return { grant_id, sha256: sha256Of(token.id), expires_at: token.expires_at, ...leased };
}

export function activateUnchanged(model: Model, state: State, process: Issue): Outcome {
  const { reserved } = process;
  if (!reserved) throw new Error('nothing was reserved');
  const { grant, version } = reserved;
  const id = process.grant;
  return activate(model, state, process, { id, version, record: grant }, undefined);
}

export function reread(model: Model, state: State, process: Issue): Outcome {
  const label = requestName(model, process);
  if (process.until !== undefined && state.now >= process.until)
    return { label: `${label} is too late to record its token`, state, next: [] };
  const grant = read(state.grants, process.grant);
  const job = read(state.jobs, process.job);
  const next: Issue = {
    ...process,
    at: 'activate again',
    reread: { grant, job },
    until: process.until ?? state.now + LEDGER_DEADLINE_MS,
  };
  return { label: `${label} reads its grant and its job again`, state, next: [next] };
}

export function activateAgain(model: Model, state: State, process: Issue): Outcome {
  const { transitions } = model;
  const { reread: found, reserved } = process;
  if (!found || !reserved) throw new Error('nothing was read again');
  const before = found.grant.record;
  if (before && !transitions.sameBasis(transitions.basisOf(before), transitions.basisOf(reserved.grant)))
    return { label: `${requestName(model, process)} finds another policy`, state, next: [] };
  const late = transitions.refusalIfLate(reserved, nowOf(state, process));
  if (late) return { label: `${requestName(model, process)} is too late for its reservation`, state, next: [] };
  return activate(model, state, process, found.grant, transitions.endTimeOf(found.job.record));
}

function activate(
  model: Model,
  state: State,
  process: Issue,
  known: Read<Grant>,
  jobEndedAt: number | undefined,
): Outcome {
  const { transitions } = model;
  const label = requestName(model, process);
  const now = nowOf(state, process);
  const activation = transitions.activate(known.record, { jobEndedAt }, mintedToken(process), now);
  if ('refusal' in activation)
    return { label: `${label} is refused at last: ${activation.refusal.reason}`, state, next: [] };
  const write: Write = { in: 'grants', read: known, record: activation.grant };
  const committed = commit(state, [write], transitions.order.checkVersions);
  if (!committed) {
    const { reread: _, ...rest } = process;
    return { label: `${label}: the token's record loses its race`, state, next: [{ ...rest, at: 'reread' }] };
  }
  transitions.assertGrantTransition(known.record, activation.grant);
  const tokens = committed.tokens.map((token) =>
    token.id === process.token?.id ? { ...token, recorded: true } : token,
  );
  const next: Issue[] = transitions.order.recordBeforeReturn ? [{ ...process, at: 'return' }] : [];
  return { label: `${label}: its token is recorded`, state: { ...committed, tokens }, next };
}

export function giveToken(model: Model, state: State, process: Issue, violations: string[]): Outcome {
  const { begun } = process;
  const label = requestName(model, process);
  if (begun.ended) violations.push(`I2: ${label} gets a token, and its job had ended when it began`);
  if (begun.blocked) violations.push(`I2: ${label} gets a token, and it was blocked when it began`);
  const token = state.tokens.find(({ id }) => id === process.token?.id);
  if (token && !token.recorded) violations.push(`I1: ${label} gets a token that is not on record`);
  if (token && !state.grants[process.grant]) violations.push('I1: a token is returned without a grant');
  const tokens = state.tokens.map((known) => (known === token ? { ...known, returned: true } : known));
  const next: Issue[] = model.transitions.order.recordBeforeReturn ? [] : [{ ...process, at: 'activate' }];
  return { label: `${label} returns its token`, state: { ...state, tokens }, next, violations };
}
