// The ways to upload an object to Cloud Storage's JSON API: its content alone, with its description before it, or in
// pieces. Knows the form of what is uploaded; whether it may be stored is decided by who takes it.
// Sources: docs.cloud.google.com/storage/docs/uploads-downloads; docs.cloud.google.com/storage/docs/performing-resumable-uploads.

import { randomBytes } from 'node:crypto';
import type { LocalAnswer, LocalRequest } from '../local-server.ts';
import { parseJson } from './call.ts';
import { storageError } from './error.ts';
import { type Described, describedSchema } from './object.ts';

/** Pieces before the last are kept in multiples of this. */
const GRAIN = 256 * 1024;

export interface Upload {
  readonly name: string;
  readonly described: Described;
  readonly content: Buffer;
}

/** @returns how it is refused, if it is; else what takes the content once it is there */
export type Admit = (name: string) => { readonly refusal: LocalAnswer } | { readonly store: Store };
type Store = (upload: Upload) => LocalAnswer;

interface Session {
  readonly name: string;
  readonly described: Described;
  readonly store: Store;
  received: Buffer;
  /** What was answered when it was complete. */
  answer?: LocalAnswer;
}

export class Uploads {
  readonly #sessions = new Map<string, Session>();

  /** A POST. */
  begin(request: LocalRequest, admit: Admit): LocalAnswer {
    const uploadType = request.query.get('uploadType');
    const read = uploadType === 'multipart' ? partsOf(request) : partOf(request, uploadType === 'resumable');
    if (!read) return invalid('Bad upload.');
    const { described, content } = read;
    const name = request.query.get('name') ?? described.name;
    if (!name) return invalid('Required');
    const admitted = admit(name);
    if ('refusal' in admitted) return admitted.refusal;
    if (uploadType !== 'resumable') return admitted.store({ name, described, content });
    const id = randomBytes(24).toString('base64url');
    this.#sessions.set(id, { name, described, store: admitted.store, received: Buffer.alloc(0) });
    const query = new URLSearchParams({ uploadType, name, upload_id: id });
    const location = `http://${request.headers.host}${request.path}?${query}`;
    return { status: 200, text: '', headers: { location, 'x-guploader-uploadid': id } };
  }

  /**
   * A PUT. Whoever knows the session goes on with it: it takes no token, and lives on when the one that began it ends.
   */
  resume(request: LocalRequest): LocalAnswer {
    const session = this.#sessions.get(request.query.get('upload_id') ?? '');
    if (!session) return storageError(404, 'notFound', 'No such upload.');
    if (session.answer) return session.answer;
    const { length } = request.bytes;
    const header = String(request.headers['content-range'] ?? `bytes 0-${length - 1}/${length}`);
    const [, first, last, total] = /^bytes (?:(\d+)-(-?\d+|\*)|\*)\/(\d+|\*)$/.exec(header) ?? [];
    if (total === undefined) return invalid(`Failed to parse Content-Range header: ${header}`);
    const at = Number(first ?? session.received.length);
    // Who cannot tell beforehand how much there is sends all of the rest, and says so with two stars.
    const rest = last === '*' && total === '*';
    if (at > session.received.length || (first !== undefined && !rest && Number(last) - at + 1 !== length))
      return invalid(`Invalid Content-Range: ${header}`);
    const received = Buffer.concat([session.received.subarray(0, at), request.bytes]);
    if (rest || String(received.length) === total) {
      session.received = received;
      session.answer = session.store({ name: session.name, described: session.described, content: received });
      return session.answer;
    }
    if (total !== '*' && received.length > Number(total)) return invalid(`Invalid Content-Range: ${header}`);
    session.received = received.subarray(0, Math.floor(received.length / GRAIN) * GRAIN);
    const range = session.received.length > 0 && { range: `bytes=0-${session.received.length - 1}` };
    return { status: 308, text: '', headers: { ...range } };
  }
}

type Parts = Pick<Upload, 'described' | 'content'>;

/** An upload of one part: the content, or for one to come in pieces the description, which may be missing. */
function partOf({ headers, query, body, bytes }: LocalRequest, inPieces: boolean): Parts | undefined {
  if (!inPieces && query.get('uploadType') !== 'media') return undefined;
  const type = headers[inPieces ? 'x-upload-content-type' : 'content-type'];
  const contentType = typeof type === 'string' ? { contentType: type } : {};
  if (!inPieces) return { described: contentType, content: bytes };
  const described = describedSchema.safeParse(bytes.length === 0 ? {} : parseJson(body));
  return described.success ? { described: { ...contentType, ...described.data }, content: bytes } : undefined;
}

/** multipart/related: a description in JSON, then the content. Source: RFC 2387 */
function partsOf({ headers, bytes }: LocalRequest): Parts | undefined {
  const type = /^multipart\/related;.*boundary=(?:["'](.+?)["']|([^;]+))/i.exec(String(headers['content-type']));
  const boundary = type?.[1] ?? type?.[2];
  if (!boundary) return undefined;
  // In latin1 each byte is one character, so that the content comes out as it went in.
  const text = bytes.toString('latin1');
  // gcloud ends its lines with a mere line feed.
  const line = text.startsWith(`--${boundary}\n`) ? '\n' : '\r\n';
  const [start, first, second, end] = `${line}${text}`.split(`${line}--${boundary}`);
  if (start !== '' || first === undefined || second === undefined || !end?.startsWith('--')) return undefined;
  const described = describedSchema.safeParse(parseJson(toPart(first, line).content.toString('utf8')));
  if (!described.success) return undefined;
  const { content, contentType } = toPart(second, line);
  return { described: { ...(contentType && { contentType }), ...described.data }, content };
}

function toPart(part: string, line: string): { readonly contentType: string | undefined; readonly content: Buffer } {
  const end = part.indexOf(`${line}${line}`);
  const contentType = /^content-type: *(.+?)\r?$/im.exec(part.slice(0, end))?.[1];
  return { contentType, content: Buffer.from(part.slice(end + 2 * line.length), 'latin1') };
}

function invalid(message: string): LocalAnswer {
  return storageError(400, 'invalid', message);
}
