// One definition beside the one in force: what has to be done, if anything. The shapes that a plan is made of. Pure.

import type { Definitions } from './definitions.ts';
import { type Difference, differencesOf, type Kind, maskOf } from './differences.ts';
import type { Body, Change, Google } from './google.ts';

export interface Step {
  /** Such as `alert Keydesk: hand-outs fail`. */
  readonly what: string;
  /** None when it is to be created, or is as it must be. */
  readonly differences: readonly Difference[];
  /** Absent when it is as it must be. */
  readonly change?: Change;
}

export interface Plan {
  readonly steps: readonly Step[];
  /** What is left alone, and somebody should look at. */
  readonly notes: readonly string[];
}

/** What a plan is made from. */
export interface Desk {
  readonly google: Google;
  readonly definitions: Definitions;
  readonly project: string;
  /** Whom alerts tell; when there is none, each keeps those that it has. */
  readonly channels: readonly string[];
}

export interface Pair<Live extends Body> {
  readonly wanted: Body;
  readonly live: Live | undefined;
  readonly create: Change;
  /** @param mask the fields of the uppermost level that differ */
  readonly update: (live: Live, mask: string) => Change;
}

export function toStep<Live extends Body>(kind: Kind, name: string, pair: Pair<Live>): Step {
  const what = `${kind} ${name}`;
  if (!pair.live) return { what, differences: [], change: pair.create };
  const differences = differencesOf(kind, pair.wanted, pair.live);
  return differences.length === 0
    ? { what, differences }
    : { what, differences, change: pair.update(pair.live, maskOf(differences)) };
}

/** What is sent instead of it: labels that others added stay. */
export function withLabelsOf(live: Body, wanted: Body): Body {
  return { ...wanted, userLabels: { ...(live.userLabels ?? {}), ...(wanted.userLabels ?? {}) } };
}

export function unwanted(kind: Kind, name: string): string {
  return `${kind} ${name} is wanted no longer. Nothing here deletes it`;
}
