// How Cloud Storage returns the content of an object, whole or a part of it, and its XML API's errors. Knows nothing of
// who may have it. Sources: docs.cloud.google.com/storage/docs/json_api/v1/objects/get;
// docs.cloud.google.com/storage/docs/xml-api/reference-headers; RFC 9110, section 14.

import type { LocalRequest, LocalResponse } from '../../local-server.ts';
import { storageError } from './error.ts';
import { crc32cOf, etagOf, md5Of, type StoredObject } from './object.ts';

export function toMedia(object: StoredObject, { headers }: LocalRequest): LocalResponse {
  const { content, described, generation, at } = object;
  const range = rangeOf(headers.range, content.length);
  if (range === 'beyond')
    return storageError(416, 'requestedRangeNotSatisfiable', 'The requested range cannot be satisfied.');
  const bytes = range ? content.subarray(range.first, range.last + 1) : content;
  return {
    status: range ? 206 : 200,
    bytes,
    headers: {
      'content-type': described.contentType ?? 'application/octet-stream',
      'content-length': String(bytes.length),
      ...(described.contentEncoding && { 'content-encoding': described.contentEncoding }),
      ...(range && { 'content-range': `bytes ${range.first}-${range.last}/${content.length}` }),
      'accept-ranges': 'bytes',
      'last-modified': new Date(at).toUTCString(),
      etag: etagOf(generation),
      'x-goog-generation': String(generation),
      'x-goog-metageneration': '1',
      'x-goog-hash': `crc32c=${crc32cOf(content)},md5=${md5Of(content)}`,
      'x-goog-storage-class': 'STANDARD',
      'x-goog-stored-content-encoding': described.contentEncoding ?? 'identity',
      'x-goog-stored-content-length': String(content.length),
    },
  };
}

/** One range of bytes; undefined when none is requested, or one of another form, which is ignored. */
function rangeOf(
  header: unknown,
  length: number,
): { readonly first: number; readonly last: number } | 'beyond' | undefined {
  const [, from, to] = /^bytes=(\d*)-(\d*)$/.exec(String(header)) ?? [];
  if (from === undefined || to === undefined || (from === '' && to === '')) return undefined;
  const first = from === '' ? Math.max(0, length - Number(to)) : Number(from);
  const last = from === '' || to === '' ? length - 1 : Math.min(Number(to), length - 1);
  return first > last ? 'beyond' : { first, last };
}

const XML_CODES: Readonly<Record<number, string>> = {
  401: 'AuthenticationRequired',
  403: 'AccessDenied',
  404: 'NoSuchKey',
  412: 'PreconditionFailed',
  416: 'InvalidRange',
};

/** The response, in XML when it is an error. */
export function toXmlError(response: LocalResponse): LocalResponse {
  if (response.status < 400) return response;
  const code = XML_CODES[response.status] ?? 'InvalidArgument';
  const text = `<?xml version='1.0' encoding='UTF-8'?><Error><Code>${code}</Code><Message>${code}</Message></Error>`;
  return { status: response.status, text, headers: { 'content-type': 'application/xml; charset=UTF-8' } };
}
