// The second part of a request for a token, at once: the blocks are read again, and there is a token. See issue.ts.

import { isPooledGrant } from '../../../shared/core/kinds/pooled-service-account.ts';
import { type Model, nowOf, requestName, TTL_MS } from './model.ts';
import type { Issue, Outcome } from './process.ts';
import { commit, read, type State, type Token } from './state.ts';

/** Milliseconds that Firebase's tokens live. */
const ID_TOKEN_MS = 3_600_000;

export function readBlocksAgain(model: Model, state: State, process: Issue): Outcome[] {
  if (process.blocksRead) return [];
  const label = requestName(model, process);
  const request = model.requestFor(process.job, process.credential);
  const refusal =
    model.transitions.order.checkBlocksAgain &&
    model.transitions.blockedNow(state.blocks, request, nowOf(state, process));
  if (refusal) return [{ label: `${label} is refused after its reservation: blocked`, state, next: [] }];
  const next = onceMinted(model, { ...process, blocksRead: true });
  return [{ label: `${label} reads no block`, state, next: [next] }];
}

/** What follows once the blocks were read and there is a token. */
function onceMinted(model: Model, process: Issue): Issue {
  if (!process.blocksRead || process.token === undefined) return process;
  return { ...process, at: model.transitions.order.recordBeforeReturn ? 'activate' : 'return' };
}

export function openOrMint(model: Model, state: State, process: Issue): Outcome[] {
  if (process.token !== undefined) return [];
  const { reserved } = process;
  if (!reserved) throw new Error('nothing was reserved');
  const label = requestName(model, process);
  const { grant } = reserved;
  const id = process.grant;
  const expires_at = nowOf(state, process) + TTL_MS;
  const withToken = (from: State, token: Pick<Token, 'account' | 'end'>): [State, Issue] => {
    const minted = { ...token, id: from.next + 1, grant: id, expires_at, recorded: false, returned: false };
    const minting = { ...from, next: from.next + 1, tokens: [...from.tokens, minted] };
    return [minting, onceMinted(model, { ...process, token: { id: minted.id, expires_at } })];
  };
  if (!isPooledGrant(grant)) {
    const document = read(state.documents, id);
    if (document.record?.state === 'ended') return [{ label: `${label} finds its document closed`, state, next: [] }];
    const until = Math.max(document.record?.expires_at ?? 0, grant.expires_at);
    const record = { state: 'active' as const, expires_at: until };
    const opened = commit(state, [{ in: 'documents', read: document, record }], true);
    if (!opened) throw new Error('a document changed while it was written');
    const [minting, next] = withToken(opened, { account: undefined, end: state.now + ID_TOKEN_MS });
    return [{ label: `${label} opens its document, and has a token`, state: minting, next: [next] }];
  }
  if (expires_at > reserved.latestExpiry)
    return [{ label: `${label} minted too late for its record`, state, next: [] }];
  const account = grant.service_account;
  const excluded = [...process.excluded, account];
  const retried: Issue[] =
    grant.tokens.length === 0 ? [{ ...withoutMint(model, process), at: 'prepare', excluded }] : [];
  if (state.disabled.includes(account))
    return [{ label: `${label}: Google does not mint from a disabled account`, state, next: retried }];
  const [minting, next] = withToken(state, { account, end: state.now + TTL_MS });
  return [
    { label: `${label} gets a token from Google`, state: minting, next: [next] },
    { label: `${label}: Google refuses to mint`, state, next: retried, fault: true },
  ];
}

function withoutMint(model: Model, { reserved: _, blocksRead: __, ...process }: Issue): Issue {
  return { ...process, blocksRead: model.bounds.budget.kills === undefined };
}
