// What the platform makes of a line of JSON on a function's standard output: the special fields move into the entry, the
// rest is its payload. Source: docs.cloud.google.com/logging/docs/structured-logging#special-payload-fields.

import * as z from 'zod';

const SPECIAL = 'logging.googleapis.com/';

const special = z.object({
  severity: z.enum(['INFO', 'NOTICE', 'WARNING', 'ERROR', 'CRITICAL']),
  message: z.string(),
  httpRequest: z
    .strictObject({
      requestMethod: z.string(),
      requestUrl: z.string(),
      status: z.int().optional(),
      userAgent: z.string().optional(),
      remoteIp: z.string(),
      latency: z.string().regex(/^\d+(\.\d{1,9})?s$/),
    })
    .optional(),
  [`${SPECIAL}labels`]: z.record(z.string(), z.string()),
  [`${SPECIAL}trace`]: z
    .string()
    .regex(/^projects\/[a-z0-9-]+\/traces\/[0-9a-f]{32}$/)
    .optional(),
  [`${SPECIAL}spanId`]: z
    .string()
    .regex(/^[0-9a-f]{16}$/)
    .optional(),
  [`${SPECIAL}trace_sampled`]: z.boolean().optional(),
});

export interface LogEntry {
  readonly timestamp: string;
  readonly logName: string;
  readonly resource: {
    readonly type: 'cloud_run_revision' | 'global';
    readonly labels: { readonly service_name?: string; readonly revision_name?: string };
  };
  readonly severity: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly httpRequest?: Readonly<Record<string, unknown>> | undefined;
  readonly trace?: string | undefined;
  readonly spanId?: string | undefined;
  readonly traceSampled?: boolean | undefined;
  readonly jsonPayload: Readonly<Record<string, unknown>>;
}

/** @param at when the platform took the line, in milliseconds since the epoch: ours have no time of their own */
export function toLogEntry(line: string, at: number, service_name = 'token'): LogEntry {
  const json = z.record(z.string(), z.unknown()).parse(JSON.parse(line));
  const known = special.parse(json);
  const rest = Object.entries(json).filter(([name]) => name === 'message' || !(name in special.shape));
  const unknown = rest.filter(([name]) => name.startsWith(SPECIAL) || name === 'time' || name === 'timestamp');
  if (unknown.length > 0) throw new Error(`special fields that are not known here: ${unknown.map(([name]) => name)}`);
  return {
    timestamp: new Date(at).toISOString(),
    logName: 'projects/acme-keydesk/logs/run.googleapis.com%2Fstdout',
    resource: { type: 'cloud_run_revision', labels: { service_name } },
    severity: known.severity,
    labels: known[`${SPECIAL}labels`] as Record<string, string>,
    httpRequest: known.httpRequest,
    trace: known[`${SPECIAL}trace`] as string | undefined,
    spanId: known[`${SPECIAL}spanId`] as string | undefined,
    traceSampled: known[`${SPECIAL}trace_sampled`] as boolean | undefined,
    jsonPayload: Object.fromEntries(rest),
  };
}

/** What `gcloud logging write keydesk-doctor LINE --payload-type=json` makes of a line: all of it is the payload. */
export function toWrittenEntry(line: string, at: number): LogEntry {
  return {
    timestamp: new Date(at).toISOString(),
    logName: 'projects/acme-keydesk/logs/keydesk-doctor',
    resource: { type: 'global', labels: {} },
    severity: 'DEFAULT',
    labels: {},
    jsonPayload: z.record(z.string(), z.unknown()).parse(JSON.parse(line)),
  };
}
