// Reads MessagePack as Terraform writes it (github.com/msgpack/msgpack/blob/master/spec.md): what a provider is sent is in
// it, and values that are not known yet can only be answered in it (as an extension of one byte).

export const UNKNOWN = Symbol('not known until it is applied');

export function decodeMsgpack(bytes: Buffer): unknown {
  let at = 0;
  const unsigned = (length: number): number => {
    const value = length === 8 ? Number(bytes.readBigUInt64BE(at)) : bytes.readUIntBE(at, length);
    at += length;
    return value;
  };
  const signed = (length: number): number => {
    const value = length === 8 ? Number(bytes.readBigInt64BE(at)) : bytes.readIntBE(at, length);
    at += length;
    return value;
  };
  const text = (length: number): string => {
    at += length;
    return bytes.toString('utf8', at - length, at);
  };
  const float = (length: 4 | 8): number => {
    at += length;
    return length === 4 ? bytes.readFloatBE(at - 4) : bytes.readDoubleBE(at - 8);
  };
  const list = (length: number): unknown[] => Array.from({ length }, next);
  const map = (length: number): Record<string, unknown> =>
    Object.fromEntries(Array.from({ length }, () => [String(next()), next()]));

  const next = (): unknown => {
    const head = unsigned(1);
    if (head < 0x80) return head;
    if (head < 0x90) return map(head & 0x0f);
    if (head < 0xa0) return list(head & 0x0f);
    if (head < 0xc0) return text(head & 0x1f);
    if (head >= 0xe0) return head - 0x100;
    switch (head) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xca:
        return float(4);
      case 0xcb:
        return float(8);
      case 0xcc:
      case 0xcd:
      case 0xce:
      case 0xcf:
        return unsigned(2 ** (head - 0xcc));
      case 0xd0:
      case 0xd1:
      case 0xd2:
      case 0xd3:
        return signed(2 ** (head - 0xd0));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return text(unsigned(2 ** (head - 0xd9)));
      case 0xdc:
      case 0xdd:
        return list(unsigned(2 ** (head - 0xdb)));
      case 0xde:
      case 0xdf:
        return map(unsigned(2 ** (head - 0xdd)));
      case 0xd4:
        text(2);
        return UNKNOWN;
      case 0xc7:
        // Unknown, with what is known of it all the same.
        text(unsigned(1) + 1);
        return UNKNOWN;
      default:
        throw new Error(`0x${head.toString(16)} at byte ${at - 1}: not MessagePack that Terraform writes`);
    }
  };
  return next();
}

export function encodeMsgpack(value: unknown): Buffer {
  if (value === null) return Buffer.of(0xc0);
  if (value === UNKNOWN) return Buffer.of(0xd4, 0, 0);
  if (typeof value === 'boolean') return Buffer.of(value ? 0xc3 : 0xc2);
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(9, 0xcb);
    bytes.writeDoubleBE(value, 1);
    return bytes;
  }
  if (typeof value === 'string') return Buffer.concat([sized(0xdb, Buffer.byteLength(value)), Buffer.from(value)]);
  if (Array.isArray(value)) return Buffer.concat([sized(0xdd, value.length), ...value.map(encodeMsgpack)]);
  if (typeof value !== 'object') throw new Error(`a ${typeof value} has no place in MessagePack`);
  const entries = Object.entries(value);
  return Buffer.concat([sized(0xdf, entries.length), ...entries.flatMap((pair) => pair.map(encodeMsgpack))]);
}

function sized(head: number, length: number): Buffer {
  const bytes = Buffer.alloc(5, head);
  bytes.writeUInt32BE(length, 1);
  return bytes;
}
