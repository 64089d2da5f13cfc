// The audit log: one line of JSON per decision on standard output, in the form Cloud Logging takes apart.
// Source: docs.cloud.google.com/logging/docs/structured-logging. It can't be switched off and never breaks a line:
// text from outside is escaped, and a line that is too long for Cloud Logging is cut.

import type { AuditEvent } from './events.ts';
import { fitLine } from './line-size.ts';

/** The request in which it was decided. */
interface RequestContext {
  readonly request_id: string;
  readonly method: string;
  readonly path: string;
  readonly userAgent: string | undefined;
  readonly remoteIp: string | undefined;
  /** Undefined for a line that is written before the response. */
  readonly status: number | undefined;
  readonly latencyMs: number;
  /** The X-Cloud-Trace-Context or traceparent header as it came. */
  readonly trace: string | undefined;
}

/** `request` is left out for what an operator does outside of any. */
export type AuditLogger = (entry: AuditEvent, request?: RequestContext) => void;

/**
 * @param deps.write takes one line, newline included
 * @param deps.project the project whose traces the lines join
 */
export function createAuditLogger(deps: {
  readonly project: string;
  readonly write: (line: string) => void;
}): AuditLogger {
  return ({ event, severity, message, labels, ...facts }, request) => {
    const line = {
      severity,
      message,
      event,
      ...(request ? { request_id: request.request_id } : {}),
      ...facts,
      'logging.googleapis.com/labels': { event, ...labels },
      ...(request ? requestFields(deps.project, request) : {}),
    };
    deps.write(`${fitLine(line, toText)}\n`);
  };
}

function requestFields(project: string, request: RequestContext): Record<string, unknown> {
  return {
    ...traceFields(project, request.trace),
    httpRequest: {
      requestMethod: request.method,
      requestUrl: request.path.slice(0, 256),
      status: request.status,
      userAgent: request.userAgent?.slice(0, 256),
      remoteIp: request.remoteIp?.slice(0, 64),
      latency: `${(request.latencyMs / 1000).toFixed(3)}s`,
    },
  };
}

/**
 * Text with the form of a JWT or of a Google access token, at any place: pasted into a path, repeated by a dependency. A
 * dot may be escaped, as in a URL. Google's tokens (`ya29.a0`, `ya29.c.`, `ya29.d.`) may hold what RFC 6750 section 2.1 allows.
 */
const TOKENS = /eyJ[A-Za-z0-9_-]{8,}(?:(?:\.|%2[eE])[A-Za-z0-9_-]*){0,2}|ya29(?:\.|%2[eE])[A-Za-z0-9._~+/=%-]+/g;

/** A token is taken out of the value that has it: the end of an escape in JSON may look like the beginning of one. */
function toText(line: object): string {
  const json = JSON.stringify(line);
  return escapeInvisible(json.search(TOKENS) < 0 ? json : JSON.stringify(line, withoutTokens));
}

function withoutTokens(_: string, value: unknown): unknown {
  if (typeof value === 'string') return redactTokens(value);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [redactTokens(name), member]));
}

function redactTokens(text: string): string {
  return text.replace(TOKENS, '[token]');
}

/** Characters that JSON lets through but that break, hide or reorder text where logs are read. They occur in strings only. */
const INVISIBLE = /[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu;

function escapeInvisible(json: string): string {
  return json.replace(INVISIBLE, (character) =>
    character.replace(/[\s\S]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`),
  );
}

function traceFields(project: string, header: string | undefined): Record<string, unknown> {
  const cloud = /^([0-9a-f]{32})(?:\/([0-9]{1,20}))?(?:;o=([01]))?$/i.exec(header ?? '');
  if (cloud?.[1])
    return {
      'logging.googleapis.com/trace': `projects/${project}/traces/${cloud[1].toLowerCase()}`,
      ...(cloud[2] ? { 'logging.googleapis.com/spanId': toSpanId(cloud[2]) } : {}),
      'logging.googleapis.com/trace_sampled': cloud[3] === '1',
    };
  const w3c = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(header ?? '');
  if (w3c?.[1] && w3c[2] && w3c[3])
    return {
      'logging.googleapis.com/trace': `projects/${project}/traces/${w3c[1]}`,
      'logging.googleapis.com/spanId': w3c[2],
      'logging.googleapis.com/trace_sampled': (Number.parseInt(w3c[3], 16) & 1) === 1,
    };
  return {};
}

function toSpanId(decimal: string): string {
  return BigInt(decimal).toString(16).padStart(16, '0').slice(-16);
}
