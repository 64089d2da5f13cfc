// What the stores hold, as the oracle reads it: the records' fields that the promises speak of, by its own types and not
// by the product's schemas, with times in milliseconds.

import { Timestamp } from '@google-cloud/firestore';

export type Dump = ReadonlyMap<string, Record<string, unknown>>;

export interface GrantRecord {
  readonly id: string;
  readonly subject: {
    readonly id: string;
    readonly pipeline_id: string | null;
    readonly pipeline_slug: string;
    readonly build_branch: string;
    readonly agent_id: string;
  };
  readonly credential: string;
  readonly environment: string;
  readonly policy_sha256: string;
  /** Records of earlier versions, and of tests, lack it. */
  readonly conditions?: { readonly approval: { readonly approved_by: string } | null } | null;
  readonly superseded?: readonly { readonly approved_by: string | null }[];
  readonly kind: 'firestore' | 'service_account' | 'pooled_service_account';
  readonly revocation: 'immediate' | 'propagating' | 'expiry';
  readonly service_account?: string;
  readonly state: 'issuing' | 'active' | 'revoking' | 'revoked' | 'expired';
  readonly requested_at: number;
  readonly issued_at: number | null;
  readonly tokens_issued: number;
  readonly tokens: readonly { readonly sha256: string; readonly expires_at: number }[];
  readonly expires_at: number;
  readonly ended_at: number | null;
  readonly access_ended_at: number | null;
  readonly ended_by: string | null;
  readonly job_ended_at: number | null;
}

export interface AccountRecord {
  readonly id: string;
  readonly pool: string;
  readonly state: 'free' | 'leased' | 'revoking' | 'cooling_down' | 'shared';
  readonly grant_id: string | null;
  readonly reusable_at: number;
  readonly enabling_since: number | null;
}

export interface JobRecord {
  readonly id: string;
  readonly ended_at: number | null;
}

export interface GrantDocument {
  readonly id: string;
  readonly state: 'active' | 'ended';
  readonly expires_at: number;
}

export interface Block {
  readonly id: string;
  readonly selector: { readonly pipeline_slug?: string };
}

/** A document that is there, is another, or is gone since it was read last. */
export interface Change {
  readonly collection: string;
  readonly id: string;
  /** As it is stored; undefined once it is gone. */
  readonly data: Record<string, unknown> | undefined;
  readonly before: object | undefined;
}

/** Both databases as they were read last. */
export class Stores {
  readonly grants = new Map<string, GrantRecord>();
  readonly accounts = new Map<string, AccountRecord>();
  readonly jobs = new Map<string, JobRecord>();
  readonly documents = new Map<string, GrantDocument>();
  blocks: readonly Block[] = [];
  readonly #seen = new Map<string, Record<string, unknown>>();

  /** Reads what is stored now. A document that is the same object as before has not changed. */
  read(ledger: Dump, opened: Dump): Change[] {
    const changes: Change[] = [];
    for (const dump of [ledger, opened])
      for (const [path, data] of dump) if (this.#seen.get(path) !== data) changes.push(this.#take(path, data));
    if (this.#seen.size > ledger.size + opened.size)
      for (const path of [...this.#seen.keys()])
        if (!ledger.has(path) && !opened.has(path)) changes.push(this.#take(path, undefined));
    return changes;
  }

  #take(path: string, data: Record<string, unknown> | undefined): Change {
    const [collection = '', id = ''] = path.split('/');
    if (data) this.#seen.set(path, data);
    else this.#seen.delete(path);
    const record = data && { id, ...(toMilliseconds(data) as object) };
    if (path === 'blocks/current') this.blocks = (data as { blocks?: Block[] } | undefined)?.blocks ?? [];
    const records = this.#recordsOf(collection);
    const before = records?.get(id);
    if (record) records?.set(id, record);
    else records?.delete(id);
    return { collection, id, data, before };
  }

  #recordsOf(collection: string): Map<string, object> | undefined {
    const named: Record<string, Map<string, object>> = {
      grants: this.grants,
      service_accounts: this.accounts,
      jobs: this.jobs,
      keydesk_grants: this.documents,
    };
    return named[collection];
  }
}

function toMilliseconds(value: unknown): unknown {
  if (value instanceof Timestamp) return value.toMillis();
  if (Array.isArray(value)) return value.map(toMilliseconds);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, toMilliseconds(inner)]));
}

/** Whether anything that is stored has the text of a token in it. */
export function holdsToken(value: unknown): boolean {
  return /ya29\.|eyJ/.test(JSON.stringify(value));
}

/** What an operator's act names, as the model understands it. */
export interface Named {
  readonly job_id?: string;
  readonly pipeline_slug?: string;
  readonly build_branch?: string;
  readonly credential?: string;
  readonly environment?: string;
  /** Who approved the latest token. */
  readonly approved_by?: string;
  readonly issued_since?: number;
}

export function names({ issued_since, approved_by, ...named }: Named, grant: GrantRecord, at: number): boolean {
  if (issued_since !== undefined && at < issued_since) return false;
  if (approved_by !== undefined && grant.conditions?.approval?.approved_by !== approved_by) return false;
  const { id: job_id, ...claims } = grant.subject;
  const fields = new Map<string, unknown>(Object.entries({ ...grant, ...claims, job_id }));
  return Object.entries(named).every(([field, value]) => fields.get(field) === value);
}
