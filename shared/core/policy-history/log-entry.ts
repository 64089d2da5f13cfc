// An entry of a log: a line as a function writes it, or an entry as Cloud Logging exports it, with a line of Keydesk or an entry of a
// Cloud Audit Log in it. Source: docs.cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry.

import * as z from 'zod';

type Fields = Readonly<Record<string, unknown>>;

export interface LogEntry {
  /** When it was logged, in milliseconds since the epoch. A line as a function writes it does not say. */
  readonly at: number | undefined;
  /** A line of Keydesk. */
  readonly line?: Fields;
  /** A google.cloud.audit.AuditLog. */
  readonly auditLog?: Fields;
}

const fields = z.record(z.string(), z.unknown());
const exported = z.object({
  timestamp: z.string().optional(),
  logName: z.string().optional(),
  jsonPayload: fields.optional(),
  protoPayload: fields.optional(),
});

/** @returns undefined for what is no entry of a log */
export function toLogEntry(value: unknown): LogEntry | undefined {
  const read = fields.safeParse(value);
  if (!read.success) return undefined;
  if (typeof read.data.event === 'string') return { at: undefined, line: read.data };
  const entry = exported.safeParse(read.data).data;
  if (!entry) return undefined;
  const { timestamp, logName, jsonPayload, protoPayload } = entry;
  const at = toTime(timestamp);
  // What is in no audit log of Google's proves nothing, whatever it looks like.
  const ofGoogle = logName?.includes('/logs/cloudaudit.googleapis.com') ?? false;
  if (jsonPayload) return { at, line: jsonPayload };
  if (protoPayload && ofGoogle) return { at, auditLog: protoPayload };
  return timestamp === undefined ? undefined : { at };
}

/** Milliseconds since the epoch; undefined for what is no time. */
export function toTime(value: unknown): number | undefined {
  const time = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(time) ? undefined : time;
}
