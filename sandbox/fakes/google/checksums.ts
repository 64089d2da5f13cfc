// The checksums that a client gives for what it uploads, compared with those of what arrived.
// Sources: docs.cloud.google.com/storage/docs/data-validation;
// docs.cloud.google.com/storage/docs/xml-api/reference-headers#xgooghash.

import type { Described } from './object.ts';
import { crc32cOf, md5Of } from './object.ts';

/** In base64. */
export type Checksums = Pick<Described, 'md5Hash' | 'crc32c'>;

const ALGORITHMS: ReadonlyMap<string, keyof Checksums> = new Map([
  ['md5', 'md5Hash'],
  ['crc32c', 'crc32c'],
]);

/** @returns undefined when a value of the header has an unknown algorithm, or an algorithm has two values */
export function parseGoogHash(header: string | string[] | undefined): Checksums | undefined {
  const checksums: { -readonly [K in keyof Checksums]: Checksums[K] } = {};
  for (const value of header === undefined ? [] : String(header).split(',')) {
    const [, algorithm = '', checksum] = /^ *([a-z0-9]+)=([A-Za-z0-9+/]+=*) *$/.exec(value) ?? [];
    const name = ALGORITHMS.get(algorithm);
    if (!name || checksums[name] !== undefined) return undefined;
    checksums[name] = checksum;
  }
  return checksums;
}

/** @returns one message for each checksum that is not the content's, in the words of Cloud Storage */
export function mismatches(content: Buffer, given: readonly Checksums[]): readonly string[] {
  return given.flatMap(({ crc32c, md5Hash }) => [
    ...mismatch('CRC32C', crc32c, crc32cOf(content)),
    ...mismatch('MD5 hash', md5Hash, md5Of(content)),
  ]);
}

function mismatch(what: string, provided: string | undefined, calculated: string): readonly string[] {
  if (provided === undefined || provided === calculated) return [];
  return [`Provided ${what} "${provided}" doesn't match calculated ${what} "${calculated}".`];
}
