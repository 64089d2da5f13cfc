// Uploads of objects to Cloud Storage's JSON API, in one request or in pieces. Whether an object may be stored is decided by
// who takes it. Source: docs.cloud.google.com/storage/docs/performing-resumable-uploads.

import { randomBytes } from 'node:crypto';
import type { LocalRequest, LocalResponse } from '../../local-server.ts';
import { type Checksums, parseGoogHash } from './checksums.ts';
import { storageError } from './error.ts';
import type { Described } from './object.ts';
import { parseUpload } from './upload-request.ts';

/** Pieces before the last are kept in multiples of this. */
const GRAIN = 256 * 1024;

export interface Upload {
  readonly name: string;
  readonly described: Described;
  readonly content: Buffer;
  /** As the client gave them. */
  readonly checksums: readonly Checksums[];
}

/** @returns how it is refused, if it is; else what takes the content once it is there */
export type Admit = (name: string) => { readonly refusal: LocalResponse } | { readonly store: Store };
type Store = (upload: Upload) => LocalResponse;

interface Session extends Pick<Upload, 'name' | 'described' | 'checksums'> {
  readonly store: Store;
  received: Buffer;
  /** The response when it was complete. */
  response?: LocalResponse;
}

export class Uploads {
  readonly #sessions = new Map<string, Session>();
  readonly #unexpected: string[];

  /** @param unexpected takes the requests that are malformed, or in a form that is not known here */
  constructor(unexpected: string[]) {
    this.#unexpected = unexpected;
  }

  /** A POST. */
  begin(request: LocalRequest, admit: Admit): LocalResponse {
    const parsed = parseUpload(request);
    if ('malformed' in parsed) return this.#malformed(request, parsed.malformed);
    const { described, content, checksums } = parsed;
    const name = request.query.get('name') ?? described.name;
    if (!name) return this.#malformed(request, 'The object has no name.');
    const admitted = admit(name);
    if ('refusal' in admitted) return admitted.refusal;
    const uploadType = request.query.get('uploadType') ?? '';
    if (uploadType !== 'resumable') return admitted.store({ name, described, content, checksums });
    const id = randomBytes(24).toString('base64url');
    this.#sessions.set(id, { name, described, checksums, store: admitted.store, received: Buffer.alloc(0) });
    const query = new URLSearchParams({ uploadType, name, upload_id: id });
    const location = `http://${request.headers.host}${request.path}?${query}`;
    return { status: 200, text: '', headers: { location, 'x-guploader-uploadid': id } };
  }

  /**
   * A PUT. It needs no token: every caller that knows the session can continue it, also when the token that began it has ended.
   */
  resume(request: LocalRequest): LocalResponse {
    const session = this.#sessions.get(request.query.get('upload_id') ?? '');
    if (!session) return storageError(404, 'notFound', 'No such upload.');
    if (session.response) return session.response;
    const { length } = request.bytes;
    const { 'content-range': range = `bytes 0-${length - 1}/${length}`, 'x-goog-hash': hash } = request.headers;
    const checksums = parseGoogHash(hash);
    if (!checksums) return this.#malformed(request, `X-Goog-Hash is ${hash}.`);
    const [, first, last, total] = /^bytes (?:(\d+)-(-?\d+|\*)|\*)\/(\d+|\*)$/.exec(String(range)) ?? [];
    if (total === undefined) return this.#malformed(request, `Failed to parse Content-Range header: ${range}`);
    const at = Number(first ?? session.received.length);
    // A client that does not know the size sends all of the rest, with two asterisks.
    const rest = last === '*' && total === '*';
    if (at > session.received.length || (first !== undefined && !rest && Number(last) - at + 1 !== length))
      return this.#malformed(request, `Invalid Content-Range: ${range}`);
    const received = Buffer.concat([session.received.subarray(0, at), request.bytes]);
    if (rest || String(received.length) === total) {
      session.received = received;
      // The header of the last piece is about the whole.
      const upload = { ...session, content: received, checksums: [...session.checksums, checksums] };
      session.response = session.store(upload);
      return session.response;
    }
    if (total !== '*' && received.length > Number(total))
      return this.#malformed(request, `Invalid Content-Range: ${range}`);
    session.received = received.subarray(0, Math.floor(received.length / GRAIN) * GRAIN);
    const kept = session.received.length > 0 && { range: `bytes=0-${session.received.length - 1}` };
    return { status: 308, text: '', headers: { ...kept } };
  }

  #malformed({ method, path }: LocalRequest, why: string): LocalResponse {
    this.#unexpected.push(`${method} ${path}: ${why}`);
    return storageError(400, 'invalid', why);
  }
}
