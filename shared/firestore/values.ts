// Firestore's values as JSON. Source: cloud.google.com/firestore/docs/reference/rest/v1/Value, and the JSON form of protocol
// buffers (protobuf.dev/programming-guides/json).

import type { Timestamp } from './database.ts';

/** A value as it is sent: an object with one member, which names the type. */
export type Value = Readonly<Record<string, unknown>>;
export type Fields = Readonly<Record<string, Value>>;

/** A time as Firestore sends it: RFC 3339 in UTC, with up to nine digits of a second. */
export class StoredTime implements Timestamp {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toMillis(): number {
    return Date.parse(this.text);
  }
}

export function encodeFields(data: Readonly<Record<string, unknown>>): Fields {
  const fields: Record<string, Value> = {};
  for (const name of Object.keys(data)) define(fields, name, encodeValue(data[name], name));
  return fields;
}

/** @throws Error for what Firestore cannot store. The name is of the field that holds the value. */
export function encodeValue(value: unknown, name: string): Value {
  switch (typeof value) {
    case 'string':
      return { stringValue: value };
    case 'boolean':
      return { booleanValue: value };
    case 'number':
      return encodeNumber(value);
    case 'object':
      return encodeObject(value, name);
    default:
      throw new Error(`the field ${name} has a value that Firestore cannot store: ${typeof value}`);
  }
}

function encodeNumber(value: number): Value {
  if (Number.isSafeInteger(value)) return { integerValue: String(value) };
  // JSON has no NaN and no infinity: there they are strings.
  return { doubleValue: Number.isFinite(value) ? value : String(value) };
}

function encodeObject(value: object | null, name: string): Value {
  if (value === null) return { nullValue: null };
  if (Array.isArray(value)) return { arrayValue: { values: value.map((item) => encodeItem(item, name)) } };
  if (value instanceof Date) return { timestampValue: value.toISOString() };
  if (value instanceof StoredTime) return { timestampValue: value.text };
  if (value instanceof Uint8Array) return { bytesValue: Buffer.from(value).toString('base64') };
  if (Object.getPrototypeOf(value) !== Object.prototype)
    throw new Error(`the field ${name} has a value that Firestore cannot store: ${value.constructor?.name}`);
  return { mapValue: { fields: encodeFields(value as Record<string, unknown>) } };
}

function encodeItem(item: unknown, name: string): Value {
  if (Array.isArray(item)) throw new Error(`the field ${name} has a list in a list, which Firestore cannot store`);
  return encodeValue(item, name);
}

export function decodeFields(fields: Fields): Record<string, unknown> {
  const data: Record<string, unknown> = {};
  for (const name of Object.keys(fields)) define(data, name, decodeValue(fields[name] as Value));
  return data;
}

/** `__proto__` is a field like any other. */
function define<T>(data: Record<string, T>, name: string, value: T): void {
  if (name === '__proto__')
    Object.defineProperty(data, name, { value, enumerable: true, configurable: true, writable: true });
  else data[name] = value;
}

/** @throws Error for a type that Keydesk does not store, such as a reference, and for what is not in the form of its type */
export function decodeValue(value: Value): unknown {
  for (const type in value) {
    const content = value[type];
    switch (type) {
      case 'stringValue':
        return asText(content, type);
      case 'booleanValue':
        return typeof content === 'boolean' ? content : malformed(type);
      case 'nullValue':
        return null;
      case 'integerValue':
      case 'doubleValue':
        return typeof content === 'object' ? malformed(type) : Number(content);
      case 'timestampValue':
        return new StoredTime(asText(content, type));
      case 'bytesValue':
        return Buffer.from(asText(content, type), 'base64');
      case 'arrayValue':
        return asList(asObject(content, type).values ?? [], type).map((item) => decodeValue(item as Value));
      case 'mapValue':
        return decodeFields(asObject(asObject(content, type).fields ?? {}, type) as Fields);
      default:
        return unsupported(type);
    }
  }
  return unsupported('no type');
}

function asText(content: unknown, type: string): string {
  return typeof content === 'string' ? content : malformed(type);
}

function asList(content: unknown, type: string): readonly unknown[] {
  return Array.isArray(content) ? content : malformed(type);
}

function asObject(content: unknown, type: string): Readonly<Record<string, unknown>> {
  return typeof content === 'object' && content !== null ? (content as Record<string, unknown>) : malformed(type);
}

function malformed(type: string): never {
  throw new Error(`Firestore sent a value that is not in the form of its type: ${type}`);
}

function unsupported(type: string): never {
  throw new Error(`Firestore sent a value of a type that Keydesk does not store: ${type}`);
}
