// The oracle: what must hold after everything that happens, said in terms of the records and of the truth at Google, and
// never by asking the code under test. The steps are those that docs/STATES.md draws, drawn here once more.

import type { Google, TrueToken } from './google.ts';
import {
  type AccountRecord,
  type Dump,
  type GrantRecord,
  holdsToken,
  type Named,
  names,
  StoreReader,
  type Stores,
} from './stores.ts';
import type { World } from './world.ts';

const GRANT_ARROWS = new Set(
  `none>issuing issuing>issuing issuing>active active>active issuing>revoking active>revoking revoking>revoked
  revoking>revoking issuing>expired active>expired revoking>expired expired>issuing expired>expired`.split(/\s+/),
);
const ACCOUNT_ARROWS = new Set(
  `none>leased free>leased leased>leased leased>revoking revoking>resting leased>free leased>resting
  resting>resting resting>free`.split(/\s+/),
);

interface Barrier {
  readonly id: string;
  readonly named: Named;
  /** Whether the grant may still get a token: its end failed, and a hand-out was on its way before. */
  readonly excused: (grant: GrantRecord) => boolean;
}

interface Left {
  readonly accessToken: string;
  readonly sha256: string;
  readonly grant: string;
  /** Until when its holder was told that it lives. */
  readonly expires_at: number;
}

export class Oracle {
  readonly #world: World;
  readonly #google: Google;
  readonly #dumps: () => { ledger: Dump; opened: Dump };
  readonly #reader = new StoreReader();
  /** Grants that must get nothing any more, and why. */
  readonly #over = new Map<string, string>();
  readonly #barriers = new Map<string, Barrier>();
  readonly #left: Left[] = [];
  #before: Stores;
  /** How often each grant has expired: between two equal counts it was the same grant all the time. */
  readonly expiries = new Map<string, number>();

  constructor(world: World, google: Google, dumps: () => { ledger: Dump; opened: Dump }) {
    this.#world = world;
    this.#google = google;
    this.#dumps = dumps;
    this.#before = this.stores();
    google.witness = {
      mintSent: (email, job_id) => this.#mintSent(email, job_id),
      enabled: (email) => this.#enabled(email),
      disabled: (email) => this.#disabled(email),
      happened: () => this.observe(),
    };
  }

  get left(): readonly Left[] {
    return this.#left;
  }

  stores(): Stores {
    const { ledger, opened } = this.#dumps();
    return this.#reader.read(ledger, opened);
  }

  /** Whether Google or the security rules accept the token at this moment. */
  accepted(token: TrueToken, stores = this.stores()): boolean {
    const now = this.#world.now();
    if (token.expires_at <= now) return false;
    // Whether a narrowed token dies with its account is not established, so here it does not.
    if (token.kind === 'narrowed') return true;
    if (token.kind === 'access') return this.#google.accounts.get(token.subject)?.enabled ?? true;
    const document = stores.documents.get(token.subject);
    return document?.state === 'active' && document.expires_at > now;
  }

  observe(): void {
    this.#nothingSecret();
    const stores = this.stores();
    for (const grant of stores.grants.values()) this.#grantChange(this.#before.grants.get(grant.id), grant, stores);
    for (const account of stores.accounts.values()) this.#accountChange(this.#before.accounts.get(account.id), account);
    for (const job of this.#before.jobs.values())
      if (job.ended_at !== null && stores.jobs.get(job.id)?.ended_at !== job.ended_at)
        this.#violate('I2', `the end of job ${job.id} was taken back or moved`);
    this.#before = stores;
    this.#records(stores);
    this.#truth(stores);
  }

  #grantChange(before: GrantRecord | undefined, after: GrantRecord, stores: Stores): void {
    if (before === after) return;
    const arrow = `${before?.state ?? 'none'}>${after.state}`;
    this.#world.tell(`grant ${brief(after)} ${arrow}${after.ended_by ? ` by ${after.ended_by}` : ''}`);
    this.#world.count(`grant ${arrow}`);
    if (arrow === 'issuing>issuing' && before?.service_account !== after.service_account) this.#world.count('swapped');
    if (!GRANT_ARROWS.has(arrow)) this.#violate('STATES', `grant ${brief(after)} took the step ${arrow}`);
    if (after.state === 'expired' && before?.state !== 'expired')
      this.expiries.set(after.id, (this.expiries.get(after.id) ?? 0) + 1);

    const known = new Set(before?.tokens.map(({ sha256 }) => sha256));
    const added = after.tokens.filter(({ sha256 }) => !known.has(sha256));
    if (added.length > 0 || after.issued_count > (before?.issued_count ?? 0)) this.#tokenAdded(after, stores);
    for (const { sha256 } of added) this.#tokenBelongs(after, sha256);
    const job = stores.jobs.get(after.job_id);
    if (job && job.ended_at !== null) this.#over.set(after.id, 'its job ended');
    if (after.ended_by !== null && after.ended_by !== 'clock') this.#over.set(after.id, after.ended_by);
  }

  #tokenAdded(grant: GrantRecord, stores: Stores): void {
    const over = this.#over.get(grant.id);
    if (over) this.#violate('I2', `${brief(grant)} got a token although ${over}`);
    if ((stores.jobs.get(grant.job_id)?.ended_at ?? null) !== null)
      this.#violate('I2', `${brief(grant)} got a token and its job has ended`);
    for (const { id, named, excused } of this.#barriers.values())
      if (names(named, grant, this.#world.now()) && !excused(grant))
        this.#violate('I2', `${brief(grant)} got a token although ${id} bars it`);
  }

  /** A token on record is one that was minted, for this job, and from the account that the grant says. */
  #tokenBelongs(grant: GrantRecord, sha256: string): void {
    const token = this.#google.tokens.find((known) => known.sha256 === sha256);
    if (!token) this.#violate('I1', `${brief(grant)} has a token on record that was never minted`);
    else if (
      token.subject !== (grant.service_account ?? grant.id) ||
      (token.for !== grant.job_id && token.for !== grant.id)
    )
      this.#violate('I4', `${brief(grant)} has ${token.accessToken} on record, which is of ${token.subject}`);
  }

  #accountChange(before: AccountRecord | undefined, after: AccountRecord): void {
    if (before === after) return;
    const arrow = `${before?.state ?? 'none'}>${after.state}`;
    this.#world.tell(`account ${after.id} ${arrow}`);
    this.#world.count(`account ${arrow}`);
    if (!ACCOUNT_ARROWS.has(arrow)) this.#violate('STATES', `account ${after.id} took the step ${arrow}`);
    const truth = this.#google.accounts.get(after.id);
    if (after.state === 'free' && truth && !truth.enabled && truth.changedBy === 'keydesk')
      this.#violate('STATES', `${after.id} goes free and is disabled`);
    if (after.rests_until < (before?.rests_until ?? 0)) this.#violate('I5', `${after.id} rests shorter than it was to`);
  }

  /** What the records say of each other. */
  #records({ grants, accounts, jobs, documents }: Stores): void {
    const serving = new Map<string, GrantRecord>();
    for (const grant of grants.values()) {
      // One whose tokens outlive its account's disabling holds it no more.
      const waits = grant.state === 'revoking' && grant.dead_at !== null;
      const live = !waits && (grant.state === 'issuing' || grant.state === 'active' || grant.state === 'revoking');
      if (waits && (grant.revocation !== 'expiry' || grant.dead_at !== grant.expires_at))
        this.#violate('STATES', `${brief(grant)} waits for what it need not`);
      if (grant.state === 'revoked' && grant.revocation === 'expiry')
        this.#violate('I3', `${brief(grant)} is called revoked and its tokens may live`);
      if (grant.kind === 'pooled_service_account' && live) {
        const email = grant.service_account ?? '';
        const other = serving.get(email);
        if (other) this.#violate('I4', `${email} serves ${brief(grant)} and ${brief(other)}`);
        serving.set(email, grant);
        const account = accounts.get(email);
        const expected = grant.state === 'revoking' ? 'revoking' : 'leased';
        if (account?.state !== expected || account.grant !== grant.id)
          this.#violate('I4', `${brief(grant)} is ${grant.state} and ${email} is ${account?.state}`);
        if (account && account.rests_until < grant.expires_at)
          this.#violate('I5', `${email} would rest shorter than ${brief(grant)} lives`);
      }
      const document = documents.get(grant.id);
      if (grant.kind === 'firestore') {
        if (document?.state === 'active' && document.expires_at > grant.expires_at)
          this.#violate('I3', `the document of ${brief(grant)} is open longer than its record says`);
        if (grant.state === 'revoked' && document?.state !== 'ended')
          this.#violate('I3', `${brief(grant)} is revoked on record and its document is ${document?.state}`);
      }
      const job = jobs.get(grant.job_id);
      const tombstone = job !== undefined && job.ended_at !== null;
      if (tombstone && grant.kind !== 'service_account' && (grant.state === 'issuing' || grant.state === 'active'))
        this.#violate('I3', `${brief(grant)} is ${grant.state} and its job has ended`);
      if (tombstone && grant.state !== 'expired' && grant.ended_at === null)
        this.#violate('I3', `${brief(grant)} is not marked ended and its job has`);
    }
    for (const account of accounts.values()) {
      const holder = serving.get(account.id);
      if ((account.state === 'leased' || account.state === 'revoking') && holder?.id !== account.grant)
        this.#violate('I4', `${account.id} is ${account.state} and its grant does not hold it`);
      if (account.state === 'free' && account.rests_until > this.#world.now())
        this.#violate('I5', `${account.id} is free and has not rested`);
    }
  }

  /** What the records say of Google, and what left of the records. */
  #truth(stores: Stores): void {
    const now = this.#world.now();
    for (const { accessToken, sha256, grant, expires_at } of this.#left)
      if (expires_at > now && !stores.grants.get(grant)?.tokens.some((token) => token.sha256 === sha256))
        this.#violate('I1', `${accessToken} left, lives, and is not on record`);

    const gone = new Set(this.#left.map(({ accessToken }) => accessToken));
    const users = new Map<string, TrueToken>();
    for (const token of this.#google.tokens) {
      if (token.expires_at <= now) continue;
      if (token.kind === 'id') {
        const grant = stores.grants.get(token.for);
        if (grant && this.accepted(token, stores) && (grant.state === 'revoked' || grant.state === 'expired'))
          this.#violate('I3', `the rules accept ${token.accessToken} and its grant is ${grant.state}`);
        continue;
      }
      const account = stores.accounts.get(token.subject);
      if (!account) continue;
      if (account.state === 'free') this.#violate('I5', `${account.id} is free and ${token.accessToken} lives`);
      if (account.rests_until < token.expires_at)
        this.#violate('I5', `${token.accessToken} lives longer than ${account.id} rests`);
      if (!this.accepted(token, stores)) continue;
      const other = users.get(token.subject);
      if (other && other.for !== token.for)
        this.#violate('I4', `${account.id} has living tokens of the jobs ${token.for} and ${other.for}`);
      users.set(token.subject, token);
      const grant = [...stores.grants.values()].find(
        ({ job_id, credential }) => job_id === token.for && credential === account.pool,
      );
      if (!grant) continue;
      if (grant.state === 'expired' && token.kind === 'narrowed' && gone.has(token.accessToken))
        this.#violate('I3', `${token.accessToken} works and its grant is expired`);
      if (token.kind === 'narrowed') continue;
      if (grant.state === 'revoked' && grant.service_account === token.subject)
        this.#violate('I3', `${token.accessToken} works and its grant is revoked`);
      // One that was minted and thrown away is in nobody's hands; it still counts for I4 and I5.
      const ended = grant.job_ended_at !== null || this.#over.has(grant.id);
      if (gone.has(token.accessToken) && ended && account.state !== 'revoking')
        this.#violate('I3', `${token.accessToken} works, its grant was ended, and ${account.id} is ${account.state}`);
    }
  }

  /** At the moment the mint is asked for the account must be the job's, whatever ended meanwhile. */
  #mintSent(email: string, job_id: string): void {
    const stores = this.stores();
    const account = stores.accounts.get(email);
    if (!this.#google.accounts.has(email) || email.startsWith('shared')) return;
    const grant = account?.grant == null ? undefined : stores.grants.get(account.grant);
    if (!account || account.state === 'free' || grant?.job_id !== job_id)
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
    const state = this.stores().accounts.get(email)?.state;
    if (state !== 'revoking' && state !== 'resting') this.#violate('I4', `${email} was disabled while it is ${state}`);
  }

  /** A token was handed out, at this moment. */
  issued(grant: string, accessToken: string, expires_at: number): void {
    const sha256 = this.#google.tokens.find((known) => known.accessToken === accessToken)?.sha256 ?? 'unknown';
    this.#world.tell(`${accessToken} leaves`);
    this.#left.push({ accessToken, sha256, grant, expires_at });
    const record = this.stores().grants.get(grant);
    if (!record?.tokens.some((token) => token.sha256 === sha256))
      this.#violate('I1', `${accessToken} left and is not on record`);
  }

  raised(barrier: Barrier): void {
    this.#barriers.set(barrier.id, barrier);
  }

  lifted(id: string): void {
    this.#barriers.delete(id);
  }

  /** What came out of an operation: nothing of it may hold a token. */
  told(what: unknown): void {
    if (holdsToken(what)) this.#violate('I7', `a token's text was told: ${JSON.stringify(what)}`);
  }

  #nothingSecret(): void {
    const { ledger, opened } = this.#dumps();
    for (const dump of [ledger, opened])
      for (const [path, data] of dump) {
        if (this.#clean.has(data)) continue;
        if (holdsToken(data)) this.#violate('I7', `${path} holds a token's text`);
        this.#clean.add(data);
      }
  }

  readonly #clean = new WeakSet<object>();

  #violate(invariant: string, what: string): void {
    this.#world.violate(invariant, what);
  }
}

function brief({ job_id, credential }: GrantRecord): string {
  return `${credential} of ${job_id[0]}/${Number(job_id.slice(-6))}`;
}
