// A request as the inputs of targets have it: `METHOD PATH`, headers, an empty line, the body.

export interface WrittenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export function readRequest(input: Buffer): WrittenRequest {
  const end = input.indexOf('\n\n');
  const head = (end < 0 ? input : input.subarray(0, end)).toString('latin1').split('\n');
  const [first = '', ...lines] = head;
  const [method = '', target = '/'] = first.split(' ');
  const question = target.indexOf('?');
  const headers = lines.flatMap((line) => {
    const colon = line.indexOf(':');
    // What Node's parser would refuse does not come this far.
    return colon > 0 ? [[line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const] : [];
  });
  return {
    method,
    path: question < 0 ? target : target.slice(0, question),
    query: question < 0 ? '' : target.slice(question + 1),
    headers: Object.fromEntries(headers),
    body: end < 0 ? Buffer.alloc(0) : input.subarray(end + 2),
  };
}

export function writeRequest(first: string, headers: Readonly<Record<string, string>>, body = ''): string {
  return `${[first, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)].join('\n')}\n\n${body}`;
}
