// An object as Cloud Storage keeps it, and as its JSON API describes it: with the checksums that clients compare. Knows
// nothing of buckets and of requests.
// Source: docs.cloud.google.com/storage/docs/json_api/v1/objects#resource

import { createHash } from 'node:crypto';
import * as z from 'zod';

/** What a client may say about an object when it uploads it. The rest is not kept. */
export const describedSchema = z.object({
  name: z.string().optional(),
  contentType: z.string().optional(),
  contentEncoding: z.string().optional(),
  cacheControl: z.string().optional(),
  metadata: z.record(z.string(), z.string()).optional(),
  md5Hash: z.string().optional(),
  crc32c: z.string().optional(),
});
export type Described = z.output<typeof describedSchema>;

export interface StoredObject {
  readonly bucket: string;
  readonly name: string;
  readonly content: Buffer;
  readonly described: Described;
  readonly generation: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** @param origin of the links in it */
export function toResource({ bucket, name, content, described, generation, at }: StoredObject, origin: string) {
  const path = `storage/v1/b/${bucket}/o/${encodeURIComponent(name)}`;
  const time = new Date(at).toISOString();
  return {
    kind: 'storage#object',
    id: `${bucket}/${name}/${generation}`,
    selfLink: `${origin}/${path}`,
    mediaLink: `${origin}/download/${path}?generation=${generation}&alt=media`,
    ...described,
    name,
    bucket,
    generation: String(generation),
    metageneration: '1',
    contentType: described.contentType ?? 'application/octet-stream',
    storageClass: 'STANDARD',
    size: String(content.length),
    md5Hash: md5Of(content),
    crc32c: crc32cOf(content),
    etag: etagOf(generation),
    timeCreated: time,
    updated: time,
    timeStorageClassUpdated: time,
    timeFinalized: time,
  };
}

export function etagOf(generation: number): string {
  return Buffer.from(`${generation}/1`).toString('base64');
}

export function md5Of(content: Buffer): string {
  return createHash('md5').update(content).digest('base64');
}

/** CRC-32C, the Castagnoli polynomial in reversed bits. Source: RFC 3720, appendix B.4 */
const CASTAGNOLI = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit += 1) rest = rest & 1 ? (rest >>> 1) ^ 0x82f63b78 : rest >>> 1;
  return rest;
});

/** Base64 of its four bytes, the highest first. */
export function crc32cOf(content: Buffer): string {
  let rest = 0xffffffff;
  for (const byte of content) rest = (CASTAGNOLI[(rest ^ byte) & 0xff] ?? 0) ^ (rest >>> 8);
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE((rest ^ 0xffffffff) >>> 0);
  return bytes.toString('base64');
}
