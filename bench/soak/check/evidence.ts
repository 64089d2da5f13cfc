// What the checker judges: what the outside saw, what the functions logged, and the raw export of both databases. Imports nothing
// of the product.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Observation, RequestObservation } from '../observation.ts';
import { type Fields, fieldsOf, idOf, type RawDocument } from './firestore-export.ts';

export interface StoredDocument {
  readonly id: string;
  readonly fields: Fields;
}

/** A line of standard output or standard error. `entry` is undefined when it is not a JSON object. */
export interface LoggedLine {
  readonly instance: string;
  readonly at: number;
  readonly text: string;
  readonly entry: Readonly<Record<string, unknown>> | undefined;
}

export interface Evidence {
  readonly observations: readonly Observation[];
  readonly lines: readonly LoggedLine[];
  readonly exportedAt: number;
  /** By the names of collections. */
  readonly ledger: Readonly<Record<string, readonly StoredDocument[]>>;
  readonly data: Readonly<Record<string, readonly StoredDocument[]>>;
}

export function readEvidence(folder: string): Evidence {
  const parse = (name: string) =>
    readFileSync(join(folder, name), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as unknown);
  const raw = JSON.parse(readFileSync(join(folder, 'export.json'), 'utf8')) as {
    readonly exported_at: number;
    readonly ledger: Record<string, RawDocument[]>;
    readonly data: Record<string, RawDocument[]>;
  };
  return {
    observations: parse('observations.jsonl') as Observation[],
    lines: (parse('lines.jsonl') as Omit<LoggedLine, 'entry'>[]).map((line) => ({
      ...line,
      entry: toEntry(line.text),
    })),
    exportedAt: raw.exported_at,
    ledger: toStored(raw.ledger),
    data: toStored(raw.data),
  };
}

export function toEntry(text: string): LoggedLine['entry'] {
  if (!text.startsWith('{')) return undefined;
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/** The observations of one type, in their order. */
export function observed<Type extends Observation['type']>(
  { observations }: Evidence,
  type: Type,
): Extract<Observation, { readonly type: Type }>[] {
  return observations.filter(
    (observation): observation is Extract<Observation, { readonly type: Type }> => observation.type === type,
  );
}

/** A request that brought a token. */
export type IssuedRequest = RequestObservation & {
  readonly token: string;
  readonly grant: string;
  readonly expires_at: number;
  readonly job: string;
};

export function issuedRequests(evidence: Evidence): IssuedRequest[] {
  return observed(evidence, 'request').filter(
    (request): request is IssuedRequest =>
      request.status === 200 && request.token !== undefined && request.expires_at !== undefined,
  );
}

/** When the first 2xx response to a webhook about each job's end had arrived; `pending` is 0 in those of `complete`. */
export function acceptedEnds(evidence: Evidence): {
  readonly recorded: ReadonlyMap<string, number>;
  readonly complete: ReadonlyMap<string, number>;
} {
  const recorded = new Map<string, number>();
  const complete = new Map<string, number>();
  for (const { operation, status = 0, job, ended, pending } of observed(evidence, 'request')) {
    if (operation !== 'job_finished' || status < 200 || status > 299 || job === undefined) continue;
    recorded.set(job, Math.min(ended, recorded.get(job) ?? ended));
    if (pending === 0) complete.set(job, Math.min(ended, complete.get(job) ?? ended));
  }
  return { recorded, complete };
}

export function documentsById(documents: readonly StoredDocument[] = []): ReadonlyMap<string, Fields> {
  return new Map(documents.map(({ id, fields }) => [id, fields]));
}

/** The subject's id of a grant. */
export function jobOf(grant: Fields): string {
  return String((grant.subject as Fields | undefined)?.id);
}

export function timeOf(fields: Fields, name: string): number | undefined {
  const value = fields[name];
  return typeof value === 'number' ? value : undefined;
}

function toStored(raw: Record<string, RawDocument[]>): Record<string, StoredDocument[]> {
  return Object.fromEntries(
    Object.entries(raw).map(([name, documents]) => [
      name,
      documents.map((document) => ({ id: idOf(document), fields: fieldsOf(document) })),
    ]),
  );
}
