// JSON, byte by byte: what a scanner needs to know of its grammar (RFC 8259) beside lists and objects.

export const QUOTE = 0x22;
export const BACKSLASH = 0x5c;
export const COLON = 0x3a;
export const COMMA = 0x2c;
export const MINUS = 0x2d;
export const OPEN_OBJECT = 0x7b;
export const CLOSE_OBJECT = 0x7d;
export const OPEN_LIST = 0x5b;
export const CLOSE_LIST = 0x5d;
/** A byte below it is a control character, which stands in no text. */
export const SPACE = 0x20;
/** The letter after the backslash of an escape by four hexadecimal digits. */
export const U = 0x75;

const PLUS = 0x2b;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;

const ESCAPES = new Set(Array.from('"\\/bfnrt', (character) => character.charCodeAt(0)));

export function isWhitespace(byte: number): boolean {
  return byte === SPACE || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** Whether `byte` after a backslash is a whole escape. */
export function isEscape(byte: number): boolean {
  return ESCAPES.has(byte);
}

export function isHexDigit(byte: number): boolean {
  return isDigit(byte) || (byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66);
}

/** What is left of `true`, `false` or `null` after its first letter; undefined when `byte` begins none of them. */
export function restOfWord(byte: number): string | undefined {
  return byte === 0x74 ? 'rue' : byte === 0x66 ? 'alse' : byte === 0x6e ? 'ull' : undefined;
}

/** The part of a number that was read last: `-12.5e+3` has all of them but `zero`. */
export type NumberPart = 'sign' | 'zero' | 'integer' | 'point' | 'fraction' | 'e' | 'e_sign' | 'exponent';

/** The part that `byte` belongs to when it follows `part`; undefined when the number does not go on with it. */
export function nextPart(part: NumberPart, byte: number): NumberPart | undefined {
  const digit = isDigit(byte);
  const e = byte === 0x65 || byte === 0x45;
  switch (part) {
    case 'sign':
      return byte === ZERO ? 'zero' : digit ? 'integer' : undefined;
    case 'zero':
      return byte === POINT ? 'point' : e ? 'e' : undefined;
    case 'integer':
      return digit ? 'integer' : byte === POINT ? 'point' : e ? 'e' : undefined;
    case 'point':
      return digit ? 'fraction' : undefined;
    case 'fraction':
      return digit ? 'fraction' : e ? 'e' : undefined;
    case 'e':
      return digit ? 'exponent' : byte === PLUS || byte === MINUS ? 'e_sign' : undefined;
    default:
      return digit ? 'exponent' : undefined;
  }
}

/** Whether a number may end with this part. */
export function endsNumber(part: NumberPart): boolean {
  return part === 'zero' || part === 'integer' || part === 'fraction' || part === 'exponent';
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE;
}
