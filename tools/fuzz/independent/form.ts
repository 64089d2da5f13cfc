// Reads a form by the URL standard (url.spec.whatwg.org, section 5.1), byte by byte, without URLSearchParams.

export function formParameters(body: Buffer): [name: string, value: string][] {
  const parameters: [string, string][] = [];
  for (const part of splitAt(body, 0x26)) {
    if (part.length === 0) continue;
    const equals = part.indexOf(0x3d);
    const [name, value] = equals < 0 ? [part, Buffer.alloc(0)] : [part.subarray(0, equals), part.subarray(equals + 1)];
    parameters.push([decode(name), decode(value)]);
  }
  return parameters;
}

function splitAt(bytes: Buffer, separator: number): Buffer[] {
  const parts: Buffer[] = [];
  let from = 0;
  for (let at = bytes.indexOf(separator); at >= 0; at = bytes.indexOf(separator, from)) {
    parts.push(bytes.subarray(from, at));
    from = at + 1;
  }
  return [...parts, bytes.subarray(from)];
}

function decode(bytes: Buffer): string {
  const decoded: number[] = [];
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] as number;
    const hex = bytes.toString('latin1', at + 1, at + 3);
    if (byte === 0x2b) decoded.push(0x20);
    else if (byte === 0x25 && /^[0-9a-f]{2}$/i.test(hex)) {
      decoded.push(Number.parseInt(hex, 16));
      at += 2;
    } else decoded.push(byte);
  }
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(Buffer.from(decoded));
}
