// The buckets and what is in them: kept, replaced, deleted and listed. Knows nothing of tokens: who may do it was
// decided before. Source: docs.cloud.google.com/storage/docs/json_api/v1/objects/list

import { isUtf8 } from 'node:buffer';
import type { Clock } from '../../../shared/runtime/clock.ts';
import type { Described, StoredObject } from './object.ts';

const MAX_RESULTS = 1000;

export interface Page {
  readonly items: readonly StoredObject[];
  readonly prefixes: readonly string[];
  readonly nextPageToken: string | undefined;
}

export class Objects {
  /** What is in the objects, as text where it is text, by `bucket/name`. */
  readonly contents = new Map<string, string | Buffer>();
  readonly #buckets: ReadonlyMap<string, Map<string, StoredObject>>;
  readonly #clock: Clock;
  #generation = 0;

  constructor(buckets: readonly string[], clock: Clock) {
    this.#buckets = new Map(buckets.map((bucket) => [bucket, new Map()]));
    this.#clock = clock;
  }

  hasBucket(bucket: string): boolean {
    return this.#buckets.has(bucket);
  }

  get(bucket: string, name: string): StoredObject | undefined {
    return this.#buckets.get(bucket)?.get(name);
  }

  put(bucket: string, name: string, part: { readonly content: Buffer; readonly described: Described }): StoredObject {
    const at = this.#clock.now();
    // Microseconds, as the real ones; every one is higher than the last, whatever the clock says.
    this.#generation = Math.max(this.#generation + 1, at * 1000);
    const object = { bucket, name, ...part, generation: this.#generation, at };
    this.#buckets.get(bucket)?.set(name, object);
    this.contents.set(`${bucket}/${name}`, isUtf8(part.content) ? part.content.toString('utf8') : part.content);
    return object;
  }

  delete(bucket: string, name: string): void {
    this.#buckets.get(bucket)?.delete(name);
    this.contents.delete(`${bucket}/${name}`);
  }

  list(
    bucket: string,
    {
      prefix,
      delimiter,
      maxResults,
      pageToken,
    }: {
      readonly prefix: string;
      readonly delimiter: string;
      readonly maxResults: number;
      readonly pageToken: string;
    },
  ): Page {
    const after = Buffer.from(pageToken, 'base64url').toString('utf8');
    const limit = Math.min(maxResults, MAX_RESULTS);
    const objects = [...(this.#buckets.get(bucket)?.values() ?? [])]
      .filter(({ name }) => name.startsWith(prefix))
      .sort((one, other) => Buffer.compare(Buffer.from(one.name), Buffer.from(other.name)));
    const found = new Map<string, StoredObject | undefined>();
    for (const object of objects) {
      const end = delimiter === '' ? -1 : object.name.indexOf(delimiter, prefix.length);
      const entry = end < 0 ? object.name : object.name.slice(0, end + delimiter.length);
      if (isAfter(entry, after)) found.set(entry, end < 0 ? object : undefined);
    }
    const page = [...found].slice(0, limit);
    const [last] = page.at(-1) ?? [];
    return {
      items: page.flatMap(([, object]) => object ?? []),
      prefixes: page.flatMap(([entry, object]) => (object ? [] : entry)),
      nextPageToken: found.size > limit && last ? Buffer.from(last).toString('base64url') : undefined,
    };
  }
}

function isAfter(entry: string, after: string): boolean {
  return after === '' || Buffer.compare(Buffer.from(entry), Buffer.from(after)) > 0;
}
