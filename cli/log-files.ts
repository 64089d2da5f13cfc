// Reads logs for the commands that look at what happened: files of any size, piece by piece, compressed with gzip or not.

import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { Option } from '@commander-js/extra-typings';
import { createSplitter, type JsonText } from '../shared/core/policy-history/json-texts.ts';
import { type LogEntry, toLogEntry } from '../shared/core/policy-history/log-entry.ts';
import { collect } from './options.ts';
import { readError } from './policy-file.ts';
import { EXIT, fail, warn } from './terminal.ts';

/** @param need what the help says after it */
export function logOption(need = ' (required)') {
  return new Option(
    '--log <file>',
    `log with Keydesk's audit events: JSON lines or a JSON array, gzip or not; - is standard input; repeat it for more${need}`,
  ).argParser<string[]>(collect);
}

/** What a command read, for its summary. */
export interface LogRead {
  entries: number;
  malformed: number;
  /** The first that is malformed, as FILE:LINE. */
  firstMalformed: string | undefined;
}

export function newLogRead(): LogRead {
  return { entries: 0, malformed: 0, firstMalformed: undefined };
}

/** Ends the process when no file has an entry: then nothing is known. */
export function requireEntries(read: LogRead, files: readonly string[]): void {
  if (read.entries > 0) return;
  fail(
    EXIT.failure,
    `${files.join(', ')}: no entry of a log was found. Export the log as JSON, for example with gcloud logging read --format=json.`,
  );
}

/** Ends the process when a log is one of something else than Keydesk. @param found entries of Keydesk. @param what they are */
export function requireFound(
  found: number,
  { read, files, what }: { readonly read: LogRead; readonly files: readonly string[]; readonly what: string },
): void {
  if (found > 0) return;
  warnOfMalformed(read);
  fail(
    EXIT.failure,
    `${files.join(', ')}: none of ${read.entries} entries is ${what}. Export the log of the token function: docs/POLICY.md has the command.`,
  );
}

export function warnOfMalformed({ malformed, firstMalformed }: LogRead): void {
  if (malformed === 0) return;
  const entries = malformed === 1 ? '1 entry was' : `${malformed} entries were`;
  warn(`${entries} not read: not JSON, or without the fields of its event. The first is at ${firstMalformed}.`);
}

/**
 * Calls `take` with each entry, in the order of the files.
 * @param take returns `malformed` for an entry that lacks what its event must have
 */
export async function readLogs(
  files: readonly string[],
  read: LogRead,
  take: (entry: LogEntry) => unknown,
): Promise<void> {
  for (const file of files) {
    for await (const { text, line } of textsOf(file)) {
      const entry = text === undefined ? undefined : toEntry(text);
      if (entry && take(entry) !== 'malformed') read.entries += 1;
      else {
        read.malformed += 1;
        read.firstMalformed ??= `${file}:${line}`;
      }
    }
  }
}

function toEntry(text: string): LogEntry | undefined {
  try {
    return toLogEntry(JSON.parse(text));
  } catch {
    return undefined;
  }
}

async function* textsOf(file: string): AsyncGenerator<JsonText> {
  const splitter = createSplitter();
  const decoder = new TextDecoder();
  try {
    for await (const bytes of unpacked(file)) yield* splitter.push(decoder.decode(bytes, { stream: true }));
  } catch (error) {
    fail(EXIT.failure, `${file} ${readError(error)}`);
  }
  yield* splitter.push(decoder.decode());
  yield* splitter.end();
}

/** The bytes of a file; of a gzip file those that it holds. Source: RFC 1952 section 2.3.1. */
async function* unpacked(file: string): AsyncGenerator<Buffer> {
  const source = file === '-' ? process.stdin : createReadStream(file);
  const bytes: AsyncIterator<Buffer> = source[Symbol.asyncIterator]();
  const { value: first, done } = await bytes.next();
  if (done) return;
  const whole = rest(first, bytes);
  const isGzip = first[0] === 0x1f && first[1] === 0x8b;
  // An error of the source reaches the reader through gunzip.
  yield* isGzip ? pipeline(whole, createGunzip(), () => {}) : whole;
}

async function* rest(first: Buffer, bytes: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield first;
  for (let next = await bytes.next(); !next.done; next = await bytes.next()) yield next.value;
}
