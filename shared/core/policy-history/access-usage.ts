// Which documents the grants of `firestore` credentials touched, by the entries of `allow` that opened them, and whether the log of
// touches proves that others were not.

import type { Verb } from '../kinds/firestore.ts';
import type { FirestoreCredential } from '../policy/credential.ts';
import type { Policy } from '../policy/policy.ts';
import { DocumentLives } from './document-lives.ts';
import type { DocumentTouch, GrantTouches } from './document-touches.ts';
import type { JobRequest } from './job-request.ts';
import type { Period } from './period.ts';
import { covers, type TouchedPath, TouchedPaths } from './touched-paths.ts';
import { addUse, UNUSED, type Use } from './use.ts';

/** One entry of a credential's `allow`. */
export interface EntryUsage {
  readonly path: string;
  /** The verbs of the entry, each with the documents that were touched so. */
  readonly verbs: ReadonlyMap<Verb, readonly TouchedPath[]>;
}

export interface CredentialAccess {
  readonly credential: string;
  readonly entries: readonly EntryUsage[];
  readonly grants: number;
  /** How many of them have an entry in the log of touches. */
  readonly touched_grants: number;
  readonly touches: Use;
  /** Entries that do not say what was touched. */
  readonly unclear: number;
  /** Touches that no entry of `allow` opens by now. */
  readonly outside: number;
  /** Why something that was not seen may have been touched; empty when it was not. */
  readonly gaps: readonly AccessGap[];
}

export type AccessGap =
  | 'no_grants'
  | 'few_touches'
  | 'quarter_without_touches'
  | 'unclear_touches'
  | 'outside_touches'
  | 'unknown_grants'
  | 'unread_touches';

/** The period in parts. If grants were issued in a part, the log of touches must have entries there. */
const PARTS = 4;
/** The least share of grants that have entries in the log of touches. */
const LEAST_SHARE = 0.5;

class Access {
  readonly entries;
  readonly grants = new Set<string>();
  readonly touched = new Set<string>();
  readonly grantedParts = new Set<number>();
  readonly touchedParts = new Set<number>();
  readonly lives = new DocumentLives();
  touches: Use = UNUSED;
  unclear = 0;
  outside = 0;

  readonly database: string;

  constructor({ allow, project, database }: FirestoreCredential, maxNames: number) {
    this.database = `projects/${project}/databases/${database}`;
    this.entries = allow.map(({ path, verbs }) => ({
      path,
      verbs: new Map(verbs.map((verb) => [verb, new TouchedPaths(path, maxNames)] as const)),
    }));
  }

  add(touch: DocumentTouch, at: number | undefined): void {
    const opening = this.entries.filter(
      ({ path, verbs }) =>
        touch.database === this.database && covers(path, touch) && touch.verbs.some((verb) => verbs.has(verb)),
    );
    if (opening.length === 0) this.outside += 1;
    if (touch.database === this.database) this.lives.add(touch, at);
    for (const { verbs } of opening) for (const verb of touch.verbs) verbs.get(verb)?.add(touch, at);
  }
}

/** Add the requests of the log first: they say whose a grant is. Its memory grows with the number of grants. */
export class AccessUsage {
  readonly #credentials = new Map<string, Access>();
  readonly #credentialOf = new Map<string, string>();
  readonly #period: Period;
  /** Touches by grants that are not in Keydesk's log. */
  unknownGrants = 0;
  /** What these touched; all databases where an entry does not say. */
  readonly #unknownTouched = new Set<string>();
  #unread = 0;

  /** @param maxNames how many names there may be at one place of a path before they become a wildcard */
  constructor(policy: Policy, period: Period, maxNames: number) {
    this.#period = period;
    for (const [name, credential] of Object.entries(policy.credentials))
      if (credential.kind === 'firestore') this.#credentials.set(name, new Access(credential, maxNames));
  }

  addRequest({ grant_id, credential, at }: Pick<JobRequest, 'grant_id' | 'credential' | 'at'>): void {
    if (grant_id === undefined) return;
    this.#credentialOf.set(grant_id, credential);
    const access = this.#credentials.get(credential);
    if (!access) return;
    const part = this.#partOf(at);
    if (part === undefined) return;
    access.grants.add(grant_id);
    access.grantedParts.add(part);
  }

  addTouches({ grant_id, at, touches }: GrantTouches): void {
    const part = this.#partOf(at);
    if (part === undefined) return;
    const credential = this.#credentialOf.get(grant_id);
    if (credential === undefined) {
      this.unknownGrants += 1;
      for (const { database } of touches ?? []) this.#unknownTouched.add(database);
      if (!touches) for (const { database } of this.#credentials.values()) this.#unknownTouched.add(database);
      return;
    }
    const access = this.#credentials.get(credential);
    if (!access) return;
    if (access.grants.has(grant_id)) access.touched.add(grant_id);
    access.touchedParts.add(part);
    if (!touches) {
      access.unclear += 1;
      return;
    }
    for (const touch of touches) {
      access.touches = addUse(access.touches, at);
      access.add(touch, at);
    }
  }

  /** Entries of the log of touches that could not be read. */
  addUnread(count: number): void {
    this.#unread += count;
  }

  report(): CredentialAccess[] {
    return [...this.#credentials].map(([credential, access]) => ({
      credential,
      entries: access.entries.map(({ path, verbs }) => ({
        path,
        verbs: new Map([...verbs].map(([verb, touched]) => [verb, touched.paths((name) => access.lives.isOnce(name))])),
      })),
      ...{ grants: access.grants.size, touched_grants: access.touched.size, touches: access.touches },
      ...{ unclear: access.unclear, outside: access.outside, gaps: this.#gapsOf(access) },
    }));
  }

  #gapsOf(access: Access): AccessGap[] {
    if (access.grants.size === 0) return ['no_grants'];
    return [
      ...gapsOf(access),
      ...(this.#unknownTouched.has(access.database) ? (['unknown_grants'] as const) : []),
      ...(this.#unread > 0 ? (['unread_touches'] as const) : []),
    ];
  }

  #partOf(at: number | undefined): number | undefined {
    const { since, until } = this.#period;
    if (at === undefined || at < since) return undefined;
    return Math.min(PARTS - 1, Math.floor(((at - since) / Math.max(1, until - since)) * PARTS));
  }
}

function gapsOf({ grants, touched, grantedParts, touchedParts, unclear, outside }: Access): AccessGap[] {
  return [
    ...(touched.size / grants.size < LEAST_SHARE ? (['few_touches'] as const) : []),
    ...([...grantedParts].every((part) => touchedParts.has(part)) ? [] : (['quarter_without_touches'] as const)),
    ...(unclear > 0 ? (['unclear_touches'] as const) : []),
    ...(outside > 0 ? (['outside_touches'] as const) : []),
  ];
}
