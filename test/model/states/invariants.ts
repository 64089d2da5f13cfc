// What must hold in every state, and in every step from one to the next: I1 to I6 of docs/VERIFICATION.md, said of the documents and of
// the truth at Google, and never by calling the code under test.

import type { Grant } from '../../../shared/core/grant/grant.ts';
import { grantName, short } from './end.ts';
import type { Model } from './model.ts';
import { sha256Of } from './record.ts';
import type { State, Token } from './state.ts';

/** What the step breaks; empty when all holds. */
export function violations(model: Model, before: State, after: State): string[] {
  const found: string[] = [];
  judgeSteps(model, before, after, found);
  judgeGrants(model, after, found);
  judgeAccounts(model, after, found);
  for (const token of after.tokens) judgeToken(model, after, token, found);
  return found;
}

function isEnded(state: State, job: string): boolean {
  return (state.jobs[job]?.record.ended_at ?? null) !== null;
}

function isLive({ state }: Grant): boolean {
  return state === 'issuing' || state === 'active' || state === 'revoking';
}

/** Whether nothing may be issued for it any more: its job's end is on record, or it was taken away by itself. */
function isOver(state: State, { subject, ended_by }: Grant): boolean {
  return isEnded(state, subject.id) || (ended_by !== null && ended_by !== 'expiry');
}

function judgeSteps(model: Model, before: State, after: State, found: string[]): void {
  for (const [id, { record }] of Object.entries(after.grants)) {
    const was = before.grants[id]?.record;
    if (was === record || record.tokens_issued <= (was?.tokens_issued ?? 0)) continue;
    if (was && isOver(before, was)) found.push(`I2: ${grantName(model, record)} got a token after it had ended`);
    const blocked = after.blocks.some(({ selector }) => selector.job_id === record.subject.id);
    if (blocked && before.killing === 0)
      found.push(`I2: ${grantName(model, record)} got a token after an operator had ended it`);
  }
  for (const [job, { record }] of Object.entries(before.jobs))
    if (record.ended_at !== null && after.jobs[job]?.record.ended_at !== record.ended_at)
      found.push('I2: the end of a job was taken back');
  for (const [email, { record }] of Object.entries(after.accounts))
    if (record.reusable_at < (before.accounts[email]?.record.reusable_at ?? 0))
      found.push(`I5: the cooldown of ${short(email)} became shorter`);
}

function judgeGrants(model: Model, state: State, found: string[]): void {
  for (const [id, { record }] of Object.entries(state.grants)) {
    const name = grantName(model, record);
    const { state: stands } = record;
    const document = state.documents[id]?.record;
    if (isEnded(state, record.subject.id) && (stands === 'issuing' || stands === 'active'))
      found.push(`I3: ${name} is ${stands} and its job has ended`);
    if (record.kind === 'pooled_service_account') judgeLease(state, { id, record, name }, found);
    if (document?.state !== 'active' || document.expires_at <= state.now) continue;
    if (!isLive(record)) found.push(`I3: the rules let ${name} in and it is ${stands}`);
    if (document.expires_at > record.expires_at) found.push(`I3: the rules let ${name} in longer than its record says`);
  }
  for (const id of Object.keys(state.documents))
    if (!state.grants[id]) found.push('I1: the document of a grant is open, and the grant is not on record');
}

function judgeLease(
  state: State,
  { id, record, name }: { readonly id: string; readonly record: Grant; readonly name: string },
  found: string[],
): void {
  if (record.kind !== 'pooled_service_account' || !isLive(record)) return;
  const account = state.accounts[record.service_account]?.record;
  const expected = record.state === 'revoking' ? 'revoking' : 'leased';
  if (account?.state !== expected || account.grant_id !== id)
    found.push(
      `I4: ${name} is ${record.state}, and its account is ${account?.state} for ${whose(account?.grant_id, id)}`,
    );
  else if (account.reusable_at < record.expires_at)
    found.push(`I5: the cooldown of ${short(record.service_account)} would end before ${name} does`);
}

function whose(holder: string | null | undefined, id: string): string {
  return holder === id ? 'it' : 'another';
}

function judgeAccounts(model: Model, state: State, found: string[]): void {
  const latest = state.now + Math.max(...model.clocks);
  for (const [email, { record }] of Object.entries(state.accounts)) {
    const name = short(email);
    if (record.state === 'leased' || record.state === 'revoking') {
      const holder = state.grants[record.grant_id ?? '']?.record;
      if (!holder || !isLive(holder) || holder.kind !== 'pooled_service_account' || holder.service_account !== email)
        found.push(`I4: ${name} is ${record.state}, and its grant does not hold it`);
    }
    if (record.state !== 'free') continue;
    if (record.reusable_at > latest) found.push(`I5: ${name} is free and has not cooled down`);
    if (state.disabled.includes(email)) found.push(`I6: ${name} is free and is disabled`);
  }
}

function judgeToken(model: Model, state: State, token: Token, found: string[]): void {
  const grant = state.grants[token.grant]?.record;
  if (!grant) {
    found.push('I1: a token exists, and its grant is not on record');
    return;
  }
  const name = grantName(model, grant);
  if (token.account !== undefined) judgePooledToken(state, token, name, found);
  if (!token.returned) return;
  if (!token.recorded || !grant.tokens.some(({ sha256 }) => sha256 === sha256Of(token.id)))
    found.push(`I1: a token of ${name} is in use, and not on record`);
  if (!isAccepted(state, token)) return;
  if (!isLive(grant)) found.push(`I3: a token of ${name} is accepted, and its record says ${grant.state}`);
  else if (isOver(state, grant) && grant.state !== 'revoking')
    found.push(`I3: a token of ${name} is accepted after its end, and its record says ${grant.state}`);
  if (token.account !== undefined && token.expires_at > grant.expires_at)
    found.push(`I3: a token of ${name} lives longer than its record says`);
}

function judgePooledToken(state: State, token: Token, name: string, found: string[]): void {
  const email = token.account ?? '';
  const account = state.accounts[email]?.record;
  if (!account || account.state === 'free') found.push(`I5: ${short(email)} is free while a token of it lives`);
  else if (account.reusable_at < token.expires_at)
    found.push(`I5: a token of ${name} outlives the cooldown of ${short(email)}`);
  for (const other of state.tokens)
    if (other.account === email && other.grant !== token.grant)
      found.push(`I4: ${short(email)} has living tokens of two grants`);
}

function isAccepted(state: State, { account, grant }: Token): boolean {
  if (account !== undefined) return !state.disabled.includes(account);
  const document = state.documents[grant]?.record;
  return document?.state === 'active' && document.expires_at > state.now;
}
