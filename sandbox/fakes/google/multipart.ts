// Splits the body of a multipart request into its parts. Sources: RFC 2046, section 5.1; RFC 2387.

export interface Part {
  /** By name in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly content: Buffer;
}

/** @returns undefined when the content type has no boundary, or the body does not follow it */
export function parseMultipart(contentType: string, body: Buffer): readonly Part[] | undefined {
  const type = /^multipart\/related;.*boundary=(?:["'](.+?)["']|([^;]+))/i.exec(contentType);
  const boundary = type?.[1] ?? type?.[2];
  if (!boundary) return undefined;
  // In latin1 each byte is one character, so that the content comes out as it went in.
  const text = body.toString('latin1');
  // gcloud ends its lines with a mere line feed.
  const line = text.startsWith(`--${boundary}\n`) ? '\n' : '\r\n';
  const [start, ...parts] = `${line}${text}`.split(`${line}--${boundary}`);
  const end = parts.pop();
  if (start !== '' || !end?.startsWith('--')) return undefined;
  const read = parts.map((part) => toPart(part, line));
  return read.every((part) => part !== undefined) ? read : undefined;
}

function toPart(part: string, line: string): Part | undefined {
  const end = part.indexOf(`${line}${line}`);
  if (!part.startsWith(line) || end < 0) return undefined;
  const headers = part
    .slice(0, end)
    .split(line)
    .map((header) => /^([^:]+): *(.*?) *$/.exec(header) ?? [])
    .map(([, name = '', value = '']) => [name.toLowerCase(), value] as const);
  return { headers: new Map(headers), content: Buffer.from(part.slice(end + 2 * line.length), 'latin1') };
}
