// Reads the POST that uploads an object to Cloud Storage's JSON API, or begins to: the content alone, the content after
// its description, or the description of what will come in pieces. Sources:
// docs.cloud.google.com/storage/docs/uploads-downloads; docs.cloud.google.com/storage/docs/performing-resumable-uploads.
// What no page documents is taken as Google's own clients send it: a body in gzip by the one for Java, checksums after
// the content by the one for Rust (github.com/googleapis/google-cloud-rust/pull/6537).

import { gunzipSync } from 'node:zlib';
import * as z from 'zod';
import { parseJson } from '../../../shared/core/json.ts';
import type { LocalRequest } from '../../local-server.ts';
import { type Checksums, parseGoogHash } from './checksums.ts';
import { type Part, parseMultipart } from './multipart.ts';
import { type Described, describedSchema } from './object.ts';

export interface UploadRequest {
  readonly described: Described;
  readonly content: Buffer;
  /** Each must be the checksum of the whole content. */
  readonly checksums: readonly Checksums[];
}

/** What is wrong with a request, in a sentence; or what is not known here. */
interface Malformed {
  readonly malformed: string;
}

const trailingSchema = z.strictObject({ crc32c: z.string().optional(), md5Hash: z.string().optional() });
/** These leave the content as it is. Source: RFC 2045, section 6.1 */
const IDENTITY_ENCODINGS: readonly (string | undefined)[] = [undefined, 'binary', '7bit', '8bit'];

export function parseUpload(request: LocalRequest): UploadRequest | Malformed {
  const uploadType = request.query.get('uploadType');
  const header = parseGoogHash(request.headers['x-goog-hash']);
  if (!header) return { malformed: `X-Goog-Hash is ${request.headers['x-goog-hash']}.` };
  const parsed = parseBody(uploadType, request);
  return 'malformed' in parsed ? parsed : { ...parsed, checksums: [header, ...parsed.checksums] };
}

function parseBody(uploadType: string | null, request: LocalRequest): UploadRequest | Malformed {
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && !(encoding === 'gzip' && uploadType === 'multipart'))
    return { malformed: `Content-Encoding ${encoding} is not known here for uploadType ${uploadType}.` };
  switch (uploadType) {
    case 'media':
      return { described: contentTypeOf(request.headers['content-type']), content: request.bytes, checksums: [] };
    case 'resumable':
      return parseDescription(request);
    case 'multipart':
      return parseParts(request, encoding === 'gzip');
    default:
      return { malformed: `uploadType is ${uploadType}.` };
  }
}

/** Of an upload in pieces. It may be missing. */
function parseDescription({ headers, body, bytes }: LocalRequest): UploadRequest | Malformed {
  const described = describedSchema.safeParse(bytes.length === 0 ? {} : parseJson(body));
  if (!described.success) return { malformed: 'The description of the object is not valid.' };
  return {
    described: { ...contentTypeOf(headers['x-upload-content-type']), ...described.data },
    content: Buffer.alloc(0),
    checksums: [described.data],
  };
}

/** The description in JSON, the content, and after it, if the description has none, its checksums in JSON. */
function parseParts({ headers, bytes }: LocalRequest, inGzip: boolean): UploadRequest | Malformed {
  const body = inGzip ? gunzip(bytes) : bytes;
  if (!body) return { malformed: 'The body is not in gzip.' };
  const [description, media, trailing, ...others] = parseMultipart(String(headers['content-type']), body) ?? [];
  if (!description || !media || others.length > 0) return { malformed: 'The body is not of two or three parts.' };
  const encoding = [description, media, trailing].map((part) => part?.headers.get('content-transfer-encoding'));
  if (!encoding.every((one) => IDENTITY_ENCODINGS.includes(one)))
    return { malformed: `Content-Transfer-Encoding ${encoding} is not known here.` };
  const described = describedSchema.safeParse(jsonOf(description));
  if (!described.success) return { malformed: 'The first part is not the description of an object in JSON.' };
  const checksums = trailingSchema.safeParse(trailing ? jsonOf(trailing) : {});
  if (!checksums.success) return { malformed: 'The third part is not the checksums of an object in JSON.' };
  const { crc32c, md5Hash } = described.data;
  if (trailing && (crc32c ?? md5Hash) !== undefined)
    return { malformed: 'Checksums both before and after the content are not known here.' };
  return {
    described: { ...contentTypeOf(media.headers.get('content-type')), ...described.data },
    content: media.content,
    checksums: [described.data, checksums.data],
  };
}

function gunzip(bytes: Buffer): Buffer | undefined {
  try {
    return gunzipSync(bytes);
  } catch {
    return undefined;
  }
}

function jsonOf({ headers, content }: Part): unknown {
  const isJson = /^application\/json(?: *;|$)/i.test(headers.get('content-type') ?? '');
  return isJson ? parseJson(content.toString('utf8')) : undefined;
}

function contentTypeOf(header: string | string[] | undefined): Described {
  return typeof header === 'string' ? { contentType: header } : {};
}
