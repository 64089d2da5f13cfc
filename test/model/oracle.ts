// The oracle of generated histories, of crash points and of the simulated day: what must hold at every moment (I1 to I7 of
// docs/VERIFICATION.md, and the steps that docs/LIFECYCLE.md draws), said in terms of what is stored and of the truth at Google,
// and never by asking the code under test.

import { isDeepStrictEqual } from 'node:util';
import type { Google, TrueToken } from './google.ts';
import {
  type AccountRecord,
  type Change,
  type Dump,
  type GrantRecord,
  holdsToken,
  type Named,
  names,
  Stores,
} from './stores.ts';
import { PARTIES, type World } from './world.ts';

const GRANT_ARROWS = new Set(
  `none>issuing issuing>issuing issuing>active active>active issuing>revoking active>revoking revoking>revoked
  revoking>revoking issuing>expired active>expired revoking>expired expired>issuing expired>expired`.split(/\s+/),
);
const ACCOUNT_ARROWS = new Set(
  `none>leased free>leased leased>leased leased>revoking revoking>cooling_down leased>free leased>cooling_down
  cooling_down>cooling_down cooling_down>free
  none>shared free>shared shared>shared shared>leased`.split(/\s+/),
);
const LIVE = new Set(['issuing', 'active', 'revoking']);

interface Block {
  readonly id: string;
  readonly named: Named;
  /** Whether the grant may still get a token: its end failed, and a request was in flight before. */
  readonly excused: (grant: GrantRecord) => boolean;
}

/** A token that its holder has. */
interface ReleasedToken {
  readonly accessToken: string;
  readonly sha256: string;
  readonly grant: string;
  /** Until when its holder was informed that it lives: milliseconds since the epoch. */
  readonly expires_at: number;
}

/** A request for a token that is not known to be over. */
interface PendingRequest {
  /** Whether the end of its job was on record before it was asked. */
  readonly endedBefore: boolean;
}

export class Oracle {
  readonly stores = new Stores();
  /** How often each grant has expired: between two equal counts it was the same grant all the time. */
  readonly expiries = new Map<string, number>();
  /** Tokens and open documents that were judged, over all. */
  judged = 0;
  readonly #world: World;
  readonly #google: Google;
  readonly #dumps: () => { readonly ledger: Dump; readonly opened: Dump };
  /** Grants that must get nothing any more, and why. */
  readonly #over = new Map<string, string>();
  readonly #blocks = new Map<string, Block>();
  readonly #pending = new Map<string, Set<PendingRequest>>();
  readonly #left: ReleasedToken[] = [];
  readonly #gone = new Set<string>();
  /** Of those that left, which live. */
  #held: ReleasedToken[] = [];
  /** Of Google's tokens, which live, and how many of all have been looked at for that. */
  #living: TrueToken[] = [];
  #seen = 0;
  /** Grants that have not come to their end; documents that are open; the grants of each job, by credential. */
  readonly #live = new Set<string>();
  readonly #open = new Set<string>();
  readonly #grantOf = new Map<string, string>();

  /** @param dumps what is stored at the moment, by path: the ledger, and where the grant documents are */
  constructor(world: World, google: Google, dumps: () => { readonly ledger: Dump; readonly opened: Dump }) {
    this.#world = world;
    this.#google = google;
    this.#dumps = dumps;
    google.witness = {
      mintSent: (email, job_id) => this.#mintSent(email, job_id),
      enabled: (email) => this.#enabled(email),
      disabled: (email) => this.#disabled(email),
      happened: () => this.observe(),
    };
  }

  /** Every token that left, oldest first. */
  get left(): readonly ReleasedToken[] {
    return this.#left;
  }

  /** Whether Google or the security rules accept the token at this moment. */
  accepted(token: TrueToken): boolean {
    const now = this.#world.now();
    if (token.expires_at <= now) return false;
    // Whether a narrowed token dies with its account is not established, so here it does not.
    if (token.kind === 'narrowed') return true;
    if (token.kind === 'access') return this.#google.accounts.get(token.subject)?.enabled ?? true;
    const document = this.stores.documents.get(token.subject);
    return document?.state === 'active' && document.expires_at > this.#world.nowOf('google');
  }

  /** Whether the end of the job is on record. */
  ended(job_id: string): boolean {
    return (this.stores.jobs.get(job_id)?.ended_at ?? null) !== null;
  }

  /** To be called after everything that happens. */
  observe(): void {
    const { ledger, opened } = this.#dumps();
    const touched = new Set<string>();
    for (const change of this.stores.read(ledger, opened)) this.#change(change, touched);
    const serving = this.#grants(new Set([...this.#live, ...touched]));
    this.#accounts(serving);
    this.#documents();
    this.#tokens();
    this.#held = this.#held.filter((left) => this.#leftToken(left));
  }

  /** When nothing more is to come: everything has ended, and everything is back. */
  end(): void {
    this.observe();
    const now = this.#world.nowOf('google');
    for (const grant of this.stores.grants.values())
      if (grant.state !== 'revoked' && grant.state !== 'expired')
        this.#violate('I6', `${brief(grant)} stays ${grant.state}`);
    for (const { id, state } of this.stores.accounts.values())
      if (state !== 'free' && state !== 'shared') this.#violate('I6', `${id} stays ${state}`);
    for (const [email, { enabled, changedBy }] of this.#google.accounts)
      if (!enabled && changedBy === 'keydesk') this.#violate('I6', `${email} stays disabled`);
    for (const { id, state, expires_at } of this.stores.documents.values())
      if (state === 'active' && expires_at > now) this.#violate('I6', `the document of ${id} stays open`);
    for (const token of this.#google.tokens)
      if (this.accepted(token)) this.#violate('I6', `${token.accessToken} works after the end`);
  }

  #change({ collection, id, data, before }: Change, touched: Set<string>): void {
    if (holdsToken(data)) this.#violate('I7', `${collection}/${id} holds a token's text`);
    // No record is deleted while something may depend on it, and nothing here takes as long as that.
    if (!data) this.#violate('I6', `${collection}/${id} is gone`);
    const { grants, accounts, jobs, documents } = this.stores;
    const [grant, account, job, document] = [grants.get(id), accounts.get(id), jobs.get(id), documents.get(id)];
    if (collection === 'grants' && grant) {
      this.#grantChange(before as GrantRecord | undefined, grant);
      touched.add(id);
    }
    if (collection === 'service_accounts' && account) this.#accountChange(before as AccountRecord | undefined, account);
    if (collection === 'jobs' && job) {
      const was = (before as typeof job | undefined)?.ended_at ?? null;
      if (was !== null && was !== job.ended_at) this.#violate('I2', `the end of job ${id} was taken back or moved`);
      if (job.ended_at !== null && !this.#google.finishedJobs.has(id))
        this.#violate('I2', `job ${id} is ended on record, and it runs`);
      for (const other of grants.values()) if (other.subject.id === id) touched.add(other.id);
    }
    if (collection === 'keydesk_grants' && document) {
      touched.add(id);
      if (document.state === 'active') this.#open.add(id);
      else this.#open.delete(id);
    }
  }

  #grantChange(before: GrantRecord | undefined, after: GrantRecord): void {
    const arrow = `${before?.state ?? 'none'}>${after.state}`;
    this.#world.tell(`grant ${brief(after)} ${arrow}${after.ended_by ? ` by ${after.ended_by}` : ''}`);
    this.#world.count(`grant ${arrow}`);
    if (arrow === 'issuing>issuing' && before?.service_account !== after.service_account) this.#world.count('swapped');
    const onlyMarked = arrow === 'revoked>revoked' && before !== undefined && differInMarkAlone(before, after);
    if (!GRANT_ARROWS.has(arrow) && !onlyMarked)
      this.#violate('STATES', `grant ${brief(after)} took the step ${arrow}`);
    if (after.state === 'expired' && before?.state !== 'expired')
      this.expiries.set(after.id, (this.expiries.get(after.id) ?? 0) + 1);
    this.#grantOf.set(`${after.subject.id} ${after.credential}`, after.id);
    if (LIVE.has(after.state)) this.#live.add(after.id);
    else this.#live.delete(after.id);

    const known = new Set(before?.tokens.map(({ sha256 }) => sha256));
    const added = after.tokens.filter(({ sha256 }) => !known.has(sha256));
    if (added.length > 0 || after.tokens_issued > (before?.tokens_issued ?? 0)) this.#tokenAdded(after);
    for (const { sha256 } of added) this.#tokenBelongs(after, sha256);
    if (this.ended(after.subject.id)) this.#over.set(after.id, 'its job ended');
    if (after.ended_by !== null && after.ended_by !== 'expiry') this.#over.set(after.id, after.ended_by);
  }

  #tokenAdded(grant: GrantRecord): void {
    const over = this.#over.get(grant.id);
    if (over) this.#violate('I2', `${brief(grant)} got a token although ${over}`);
    if (this.ended(grant.subject.id)) this.#violate('I2', `${brief(grant)} got a token and its job has ended`);
    for (const { id, named, excused } of this.#blocks.values())
      if (names(named, grant, this.#world.now()) && !excused(grant))
        this.#violate('I2', `${brief(grant)} got a token although ${id} bars it`);
  }

  /** A token on record is one that was minted, for this job, and from the account that the grant says. */
  #tokenBelongs(grant: GrantRecord, sha256: string): void {
    const token = this.#google.token(sha256);
    if (!token) this.#violate('I1', `${brief(grant)} has a token on record that was never minted`);
    else if (
      token.subject !== (grant.service_account ?? grant.id) ||
      (token.for !== grant.subject.id && token.for !== grant.id)
    )
      this.#violate('I4', `${brief(grant)} has ${token.accessToken} on record, which is of ${token.subject}`);
  }

  #accountChange(before: AccountRecord | undefined, after: AccountRecord): void {
    const arrow = `${before?.state ?? 'none'}>${after.state}`;
    this.#world.tell(`account ${after.id} ${arrow}`);
    this.#world.count(`account ${arrow}`);
    if (!ACCOUNT_ARROWS.has(arrow)) this.#violate('STATES', `account ${after.id} took the step ${arrow}`);
    const truth = this.#google.accounts.get(after.id);
    if (after.state === 'free' && truth && !truth.enabled && truth.changedBy === 'keydesk')
      this.#violate('STATES', `${after.id} goes free and is disabled`);
    if (after.reusable_at < (before?.reusable_at ?? 0))
      this.#violate('I5', `${after.id} has a shorter cooldown than it had`);
  }

  /**
   * What the records of these grants say, alone and of the other records.
   * @returns which grant each account serves
   */
  #grants(ids: ReadonlySet<string>): Map<string, GrantRecord> {
    const serving = new Map<string, GrantRecord>();
    for (const id of ids) {
      const grant = this.stores.grants.get(id);
      if (grant) this.#grant(grant, serving);
    }
    return serving;
  }

  #grant(grant: GrantRecord, serving: Map<string, GrantRecord>): void {
    const { accounts, documents } = this.stores;
    // One whose tokens outlive its account's disabling holds it no more.
    const waits = grant.state === 'revoking' && grant.access_ended_at !== null;
    if (waits && (grant.revocation !== 'expiry' || grant.access_ended_at !== grant.expires_at))
      this.#violate('STATES', `${brief(grant)} waits for what it need not`);
    if (
      waits &&
      this.#world.truly(grant.access_ended_at ?? 0, 'token') > this.#world.now() &&
      this.#google.accounts.get(grant.service_account ?? '')?.enabled
    )
      this.#violate('I3', `${brief(grant)} waits for its tokens' end, and its account is not disabled`);
    if (grant.state === 'revoked' && grant.revocation === 'expiry')
      this.#violate('I3', `${brief(grant)} is called revoked and its tokens may live`);
    if (grant.kind === 'pooled_service_account' && LIVE.has(grant.state) && !waits) {
      const email = grant.service_account ?? '';
      const other = serving.get(email);
      if (other) this.#violate('I4', `${email} serves ${brief(grant)} and ${brief(other)}`);
      serving.set(email, grant);
      const account = accounts.get(email);
      const expected = grant.state === 'revoking' ? 'revoking' : 'leased';
      if (account?.state !== expected || account.grant_id !== grant.id)
        this.#violate('I4', `${brief(grant)} is ${grant.state} and ${email} is ${account?.state}`);
      if (account && account.reusable_at < grant.expires_at)
        this.#violate('I5', `${email} would rest shorter than ${brief(grant)} lives`);
    }
    const document = documents.get(grant.id);
    if (grant.kind === 'firestore') {
      if (document?.state === 'active' && document.expires_at > grant.expires_at)
        this.#violate('I3', `the document of ${brief(grant)} is open longer than its record says`);
      if (grant.state === 'revoked' && document?.state !== 'ended')
        this.#violate('I3', `${brief(grant)} is revoked on record and its document is ${document?.state}`);
    }
    if (!this.ended(grant.subject.id)) return;
    if (grant.kind !== 'service_account' && (grant.state === 'issuing' || grant.state === 'active'))
      this.#violate('I3', `${brief(grant)} is ${grant.state} and its job has ended`);
    if (grant.ended_at === null) this.#violate('I3', `${brief(grant)} is not marked ended and its job has`);
  }

  #accounts(serving: ReadonlyMap<string, GrantRecord>): void {
    for (const account of this.stores.accounts.values()) {
      const holder = serving.get(account.id);
      if ((account.state === 'leased' || account.state === 'revoking') && holder?.id !== account.grant_id)
        this.#violate('I4', `${account.id} is ${account.state} and its grant does not hold it`);
      // The process that ends a grant frees its account, by its own clock.
      const latest = Math.max(...PARTIES.map((party) => this.#world.nowOf(party)));
      if (account.state === 'free' && account.reusable_at > latest)
        this.#violate('I5', `${account.id} is free and has not cooled down`);
    }
  }

  /** What the rules let in is of a grant whose record says so. */
  #documents(): void {
    const now = this.#world.nowOf('google');
    for (const id of this.#open) {
      const document = this.stores.documents.get(id);
      const grant = this.stores.grants.get(id);
      if (!grant) this.#violate('I1', `the document of ${id} is open, and its grant is not on record`);
      if (!document || document.expires_at <= now) this.#open.delete(id);
      else if (grant && !LIVE.has(grant.state))
        this.#violate('I3', `the rules let ${brief(grant)} in and it is ${grant.state}`);
      else if (grant && this.#over.has(id) && grant.state !== 'revoking')
        this.#violate('I3', `the rules let ${brief(grant)} in, it was ended, and it is ${grant.state}`);
      this.judged += 1;
    }
  }

  /** What the records say of Google's tokens: also of those that nobody has. */
  #tokens(): void {
    const now = this.#world.now();
    const { tokens } = this.#google;
    for (; this.#seen < tokens.length; this.#seen += 1) this.#living.push(tokens[this.#seen] as TrueToken);
    this.#living = this.#living.filter(({ expires_at }) => expires_at > now);
    const users = new Map<string, TrueToken>();
    for (const token of this.#living) {
      // Judged by its document.
      if (token.kind === 'id') continue;
      this.judged += 1;
      if (!this.#isPooled(token.subject)) continue;
      const account = this.stores.accounts.get(token.subject);
      if (!account) this.#violate('I5', `${token.accessToken} lives and ${token.subject} is not on record`);
      else {
        const other = users.get(token.subject);
        if (other && other.for !== token.for)
          this.#violate('I4', `${account.id} has living tokens of the jobs ${token.for} and ${other.for}`);
        users.set(token.subject, token);
        this.#pooledToken(token, account);
      }
    }
  }

  #pooledToken(token: TrueToken, account: AccountRecord): void {
    const { accessToken, subject } = token;
    if (account.state === 'free') this.#violate('I5', `${account.id} is free and ${accessToken} lives`);
    if (this.#world.truly(account.reusable_at, 'token') < token.expires_at)
      this.#violate('I5', `${accessToken} lives longer than the cooldown of ${account.id}`);
    if (!this.accepted(token)) return;
    const grant = this.stores.grants.get(this.#grantOf.get(`${token.for} ${account.pool}`) ?? '');
    if (!grant) this.#violate('I1', `${accessToken} works and its grant is not on record`);
    if (!grant) return;
    // One that was minted and thrown away is in nobody's hands: an account that is set aside is not disabled for it.
    const left = this.#gone.has(accessToken);
    const timeUp = grant.state === 'expired' && (grant.access_ended_at ?? 0) >= grant.expires_at;
    if ((left && grant.state === 'expired') || timeUp)
      this.#violate('I3', `${accessToken} works and its grant is expired`);
    if (token.kind === 'narrowed') return;
    if (grant.state === 'revoked' && (left || grant.service_account === subject))
      this.#violate('I3', `${accessToken} works and its grant is revoked`);
    if (!left) return;
    const ended = grant.job_ended_at !== null || this.#over.has(grant.id);
    if (ended && account.state !== 'revoking')
      this.#violate('I3', `${accessToken} works, its grant was ended, and ${account.id} is ${account.state}`);
    if (account.grant_id !== grant.id || (account.state !== 'leased' && account.state !== 'revoking'))
      this.#violate('I4', `${accessToken} works and ${account.id} is ${account.state} for ${account.grant_id}`);
  }

  /**
   * What is promised of a token that somebody has.
   * @returns whether it lives
   */
  #leftToken({ accessToken, sha256, grant: id, expires_at }: ReleasedToken): boolean {
    const grant = this.stores.grants.get(id);
    const token = this.#google.token(accessToken);
    if (!grant) this.#violate('I1', `${accessToken} left and its grant is not on record`);
    // It has expired on the clock that recorded it, or on the rules' clock.
    const over =
      this.#world.truly(expires_at, 'token') <= this.#world.now() || expires_at <= this.#world.nowOf('google');
    if (!grant || !token || over) return false;
    if (!grant.tokens.some((known) => known.sha256 === sha256))
      this.#violate('I1', `${accessToken} left, lives, and is not on record`);
    if (token.kind !== 'id') {
      if (token.expires_at > this.#world.truly(grant.expires_at, 'token'))
        this.#violate('I3', `${accessToken} lives longer than its record says`);
      if (token.subject !== grant.service_account)
        this.#violate('I4', `${accessToken} is of ${token.subject} and its grant has ${grant.service_account}`);
    }
    if (this.accepted(token)) {
      if (!LIVE.has(grant.state)) this.#violate('I3', `${accessToken} works and its grant is ${grant.state}`);
    } else if (grant.ended_at === null && this.#google.accounts.get(token.subject)?.changedBy !== 'operator')
      this.#violate('I6', `${accessToken} was taken away from a job that runs`);
    return true;
  }

  /** A token is asked for: the account must be the job's at that moment, whatever ended meanwhile. */
  #mintSent(email: string | undefined, job_id: string): void {
    if (this.ended(job_id) && [...(this.#pending.get(job_id) ?? [])].every(({ endedBefore }) => endedBefore))
      this.#violate('I2', `a token is asked for job ${job_id}, which had ended before`);
    if (email === undefined || !this.#isPooled(email)) return;
    const { accounts, grants } = this.stores;
    const account = accounts.get(email);
    const grant = account?.grant_id == null ? undefined : grants.get(account.grant_id);
    if (!account || account.state === 'free' || grant?.subject.id !== job_id)
      this.#violate('I4', `a token of ${email} is asked for job ${job_id}, which does not hold it`);
  }

  #enabled(email: string): void {
    const living = this.#google.tokens.find(
      ({ subject, expires_at }) => subject === email && expires_at > this.#world.now(),
    );
    if (living) this.#violate('I5', `${email} was enabled and ${living.accessToken} lives`);
  }

  /** One job's end must not reach the next job on its account, however late. */
  #disabled(email: string): void {
    const state = this.stores.accounts.get(email)?.state;
    if (state !== 'revoking' && state !== 'cooling_down')
      this.#violate('I4', `${email} was disabled while it is ${state}`);
  }

  /**
   * A request for a token begins.
   * @returns to be called once nothing of it goes on any more
   */
  requested(job_id: string): () => void {
    const pending = this.#pending.get(job_id) ?? new Set<PendingRequest>();
    this.#pending.set(job_id, pending);
    const request = { endedBefore: this.ended(job_id) };
    pending.add(request);
    return () => pending.delete(request);
  }

  /** A token was issued, at this moment. */
  issued(grant: string, accessToken: string, expires_at: number): void {
    const sha256 = this.#google.token(accessToken)?.sha256 ?? 'unknown';
    this.#world.tell(`${accessToken} leaves`);
    const left = { accessToken, sha256, grant, expires_at };
    this.#left.push(left);
    this.#held.push(left);
    this.#gone.add(accessToken);
    const record = this.stores.grants.get(grant);
    if (!record?.tokens.some((token) => token.sha256 === sha256))
      this.#violate('I1', `${accessToken} left and is not on record`);
    else if (record.expires_at < expires_at)
      this.#violate('I1', `${accessToken} was promised for longer than ${brief(record)} lives`);
  }

  activated(block: Block): void {
    this.#blocks.set(block.id, block);
  }

  deactivated(id: string): void {
    this.#blocks.delete(id);
  }

  /** What came out of an operation: nothing of it may hold a token. */
  reported(what: unknown): void {
    if (holdsToken(what)) this.#violate('I7', `a token's text was reported: ${JSON.stringify(what)}`);
  }

  #isPooled(email: string): boolean {
    const state = this.stores.accounts.get(email)?.state;
    return (
      this.#google.accounts.has(email) && (state === undefined ? !email.startsWith('shared@') : state !== 'shared')
    );
  }

  #violate(invariant: string, what: string): void {
    this.#world.violate(invariant, what);
  }
}

function brief({ subject: { id }, credential }: GrantRecord): string {
  return `${credential} of ${id[0]}/${Number(id.slice(-6))}`;
}

/** A mark that comes late changes nothing of what is on record, and is taken off again. */
function differInMarkAlone(before: GrantRecord, after: GrantRecord): boolean {
  const unmarked = { ending_since: null, ending_by: null, ending_kill_switch_id: null };
  return isDeepStrictEqual({ ...before, ...unmarked }, { ...after, ...unmarked });
}
