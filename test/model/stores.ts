// What the stores hold, as the oracle reads it: the records' fields that the promises speak of, by its own types and not
// by the product's schemas, with times in milliseconds.

import { Timestamp } from '@google-cloud/firestore';

export type Dump = ReadonlyMap<string, Record<string, unknown>>;

export interface GrantRecord {
  readonly id: string;
  readonly job_id: string;
  readonly pipeline_id: string | null;
  readonly pipeline_slug: string;
  readonly build_branch: string;
  readonly agent_id: string;
  readonly credential: string;
  readonly environment: string;
  readonly policy_sha256: string;
  readonly kind: 'firestore' | 'service_account' | 'pooled_service_account';
  readonly revocation: 'immediate' | 'propagating' | 'expiry';
  readonly service_account?: string;
  readonly state: 'issuing' | 'active' | 'revoking' | 'revoked' | 'expired';
  readonly reserved_at: number;
  readonly issued_at: number | null;
  readonly issued_count: number;
  readonly tokens: readonly { readonly sha256: string; readonly expires_at: number }[];
  readonly expires_at: number;
  readonly ended_at: number | null;
  readonly dead_at: number | null;
  readonly ended_by: string | null;
  readonly job_ended_at: number | null;
}

export interface AccountRecord {
  readonly id: string;
  readonly pool: string;
  readonly state: 'free' | 'leased' | 'revoking' | 'resting';
  readonly grant: string | null;
  readonly rests_until: number;
  readonly waking_at: number | null;
}

interface JobRecord {
  readonly id: string;
  readonly ended_at: number | null;
}

interface GrantDocument {
  readonly id: string;
  readonly state: 'active' | 'ended';
  readonly expires_at: number;
}

/** Both databases at one moment. */
export interface Stores {
  readonly grants: ReadonlyMap<string, GrantRecord>;
  readonly accounts: ReadonlyMap<string, AccountRecord>;
  readonly jobs: ReadonlyMap<string, JobRecord>;
  readonly documents: ReadonlyMap<string, GrantDocument>;
  readonly barriers: readonly { readonly id: string }[];
}

/** Reads stores again and again; a document that has not changed is the same object as before. */
export class StoreReader {
  readonly #read = new WeakMap<object, object>();

  read(ledger: Dump, opened: Dump): Stores {
    const { barriers = [] } = (ledger.get('barriers/current') ?? {}) as { barriers?: readonly { id: string }[] };
    return {
      grants: this.#collection<GrantRecord>(ledger, 'grants'),
      accounts: this.#collection<AccountRecord>(ledger, 'service_accounts'),
      jobs: this.#collection<JobRecord>(ledger, 'jobs'),
      documents: this.#collection<GrantDocument>(opened, 'keydesk_grants'),
      barriers,
    };
  }

  #collection<T extends object>(dump: Dump, name: string): Map<string, T> {
    const found = new Map<string, T>();
    for (const [path, data] of dump) {
      const [collection, id = ''] = path.split('/');
      if (collection !== name) continue;
      let record = this.#read.get(data) as T | undefined;
      if (!record) {
        record = { id, ...(toMilliseconds(data) as object) } as unknown as T;
        this.#read.set(data, record);
      }
      found.set(id, record);
    }
    return found;
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
  readonly since_at?: number;
}

export function names({ since_at, ...named }: Named, grant: GrantRecord, at: number): boolean {
  if (since_at !== undefined && at < since_at) return false;
  return Object.entries(named).every(([field, value]) => grant[field as keyof GrantRecord] === value);
}
