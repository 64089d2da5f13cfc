// Runs the real curl, and makes its responses readable. Knows nothing about what is requested.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const runFile = promisify(execFile);

export interface CurlResponse {
  readonly status: number;
  readonly body: string;
}

/** Runs the real curl. @returns the body and the status of the response */
export async function curl(...args: string[]): Promise<CurlResponse> {
  const { stdout } = await runFile('curl', [
    '--silent',
    '--show-error',
    '--max-time',
    '20',
    '--write-out',
    '\n%{http_code}',
    ...args,
  ]);
  const cut = stdout.lastIndexOf('\n');
  return { status: Number(stdout.slice(cut + 1)), body: stdout.slice(0, cut) };
}

export function parse(body: string): Record<string, unknown> {
  try {
    return JSON.parse(body) as Record<string, unknown>;
  } catch {
    return {};
  }
}

export function plainDocument(body: string): string {
  const { fields = {} } = parse(body) as { fields?: Record<string, Record<string, unknown>> };
  const plain = Object.entries(fields).map(([name, value]) => [name, Object.values(value)[0]]);
  return JSON.stringify(Object.fromEntries(plain));
}

/** A response of Google's with the status of its error alone: the emulator's message names lines of the rules. */
export function statusOfError({ status, body }: CurlResponse): CurlResponse {
  const { error } = parse(body) as { error?: { status?: string } };
  return { status, body: error?.status ?? body };
}

export function hideTokens(body: string): string {
  return body.replace(/"access_token":"([^"]{0,12})[^"]*"/, '"access_token":"$1…"');
}
