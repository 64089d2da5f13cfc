// What Firestore stores and how it compares: which JavaScript values it takes, their order across types, equality, fields
// by dotted path; and the errors for what it does not take. Knows neither documents nor queries.
// Order: firebase.google.com/docs/firestore/manage-data/data-types#value_type_ordering

import { Timestamp } from '@google-cloud/firestore';

export type Value = null | boolean | number | string | Timestamp | readonly Value[] | ValueMap;

export interface ValueMap {
  readonly [name: string]: Value;
}

export const INVALID_ARGUMENT = 3;
export const NOT_FOUND = 5;
export const ALREADY_EXISTS = 6;
export const FAILED_PRECONDITION = 9;

export class RpcError extends Error {
  /** google.rpc.Code */
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** What the real thing may well do and this one does not: never answered, so that no test rests on a guess. */
export function unsupported(what: string): Error {
  return new Error(`The memory Firestore does not support ${what}`);
}

/** A stored document's data. Throws what the real client throws, and for every value that is not supported. */
export function encodeDocument(data: unknown): ValueMap {
  if (!isPlain(data)) throw invalid('Input is not a plain JavaScript object.');
  return encodeMap(data, toMicroseconds);
}

/** A value to store. Timestamps are stored in microseconds. */
export function encode(value: unknown, field: string): Value {
  return encodeValue(value, field, toMicroseconds);
}

/** A value to compare with. The emulator is of two minds on nanoseconds in one, so there are none. */
export function encodeOperand(value: unknown, field: string): Value {
  return encodeValue(value, field, (time) => {
    if (toMicroseconds(time) !== time) throw unsupported('nanoseconds in a query');
    return time;
  });
}

function toMicroseconds(time: Timestamp): Timestamp {
  const rest = time.nanoseconds % 1_000;
  return rest === 0 ? time : new Timestamp(time.seconds, time.nanoseconds - rest);
}

function encodeValue(value: unknown, field: string, encodeTime: (time: Timestamp) => Timestamp): Value {
  if (typeof value === 'string') {
    if (!value.isWellFormed()) throw unsupported('a string that is not well formed');
    return value;
  }
  // Over REST, -0 comes back as 0.
  if (typeof value === 'number') return value === 0 ? 0 : value;
  if (typeof value === 'boolean' || value === null) return value;
  if (value instanceof Timestamp) return encodeTime(value);
  if (value instanceof Date) return Timestamp.fromDate(value);
  if (Array.isArray(value)) {
    return value.map((item: unknown) => {
      if (Array.isArray(item)) throw unsupported(`an array in an array (field "${field}")`);
      return encodeValue(item, field, encodeTime);
    });
  }
  if (isPlain(value)) return encodeMap(value, encodeTime);
  if (value === undefined) {
    throw invalid(`Cannot use "undefined" as a Firestore value (found in field "${field}").`);
  }
  throw unsupported(`a ${typeof value} of this kind as a value (field "${field}")`);
}

function encodeMap(data: Record<string, unknown>, encodeTime: (time: Timestamp) => Timestamp): ValueMap {
  const encoded: Record<string, Value> = {};
  for (const name of Object.keys(data)) encoded[checkedName(name)] = encodeValue(data[name], name, encodeTime);
  return encoded;
}

function checkedName(name: string): string {
  if (name === '' || (name.startsWith('__') && name.endsWith('__'))) throw unsupported(`"${name}" as a field's name`);
  return name;
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function invalid(message: string): Error {
  return new Error(`Value for argument "data" is not a valid Firestore document. ${message}`);
}

/** A copy that its receiver may change. */
export function decode(value: ValueMap): Record<string, unknown>;
export function decode(value: Value): unknown;
export function decode(value: Value): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Timestamp) return value;
  if (isArray(value)) return value.map((item) => decode(item));
  const decoded: Record<string, unknown> = {};
  for (const name of Object.keys(value)) decoded[name] = decode(value[name] as Value);
  return decoded;
}

/** The names along a dotted path, refused where the real client refuses them. */
export function segmentsOf(path: string): readonly string[] {
  if (!/^[^*~/[\]]+$/.test(path) || path.split('.').includes('')) {
    throw new Error(`Value for argument "${path}" is not a valid field path.`);
  }
  return path.split('.').map(checkedName);
}

export function valueAt(data: ValueMap, segments: readonly string[]): Value | undefined {
  let value: Value | undefined = data;
  for (const name of segments) {
    if (value === undefined || !isMap(value) || !Object.hasOwn(value, name)) return undefined;
    value = value[name];
  }
  return value;
}

/** `data` with some fields replaced. What lies on the way to one and is no map becomes one. */
export function withValues(data: ValueMap, fields: readonly (readonly [readonly string[], Value])[]): ValueMap {
  const replaced: Record<string, Value> = { ...data };
  for (const [[name, ...rest], value] of fields) {
    if (name === undefined) throw new Error('a field path without a name');
    if (rest.length === 0) {
      replaced[name] = value;
      continue;
    }
    const inner = Object.hasOwn(replaced, name) ? replaced[name] : undefined;
    replaced[name] = withValues(inner !== undefined && isMap(inner) ? inner : {}, [[rest, value]]);
  }
  return replaced;
}

export function equal(left: Value, right: Value): boolean {
  if (left === right) return true;
  if (typeof left !== 'object' || typeof right !== 'object') return Number.isNaN(left) && Number.isNaN(right);
  if (left === null || right === null) return false;
  if (left instanceof Timestamp) return right instanceof Timestamp && left.isEqual(right);
  if (right instanceof Timestamp) return false;
  if (isArray(left)) {
    return isArray(right) && left.length === right.length && left.every((item, at) => equal(item, right[at] as Value));
  }
  if (isArray(right)) return false;
  const names = Object.keys(left);
  return (
    names.length === Object.keys(right).length &&
    names.every((name) => Object.hasOwn(right, name) && equal(left[name] as Value, right[name] as Value))
  );
}

/** Whether an inequality may compare the two at all: only within one type, and never with NaN. */
export function comparable(left: Value, right: Value): boolean {
  return rank(left) === rank(right) && !Number.isNaN(left) && !Number.isNaN(right);
}

/** Firestore's total order: by type first. */
export function compare(left: Value, right: Value): number {
  const byType = rank(left) - rank(right);
  if (byType !== 0) return byType;
  if (typeof left === 'string') return compareStrings(left, right as string);
  if (typeof left === 'number') return compareNumbers(left, right as number);
  if (typeof left === 'boolean') return Number(left) - Number(right);
  if (left === null) return 0;
  if (left instanceof Timestamp) return compareTimestamps(left, right as Timestamp);
  if (isArray(left)) return compareArrays(left, right as readonly Value[]);
  return compareMaps(left, right as ValueMap);
}

export function compareTimestamps(left: Timestamp, right: Timestamp): number {
  return left.seconds - right.seconds || left.nanoseconds - right.nanoseconds;
}

/** In the order of the UTF-8 bytes, which is that of UTF-16 units but for surrogates. */
export function compareStrings(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let at = 0; at < length; at += 1) {
    const [one, other] = [left.charCodeAt(at), right.charCodeAt(at)];
    if (one === other) continue;
    const bySurrogate = Number(isSurrogate(one)) - Number(isSurrogate(other));
    return bySurrogate || one - other;
  }
  return left.length - right.length;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}

function compareNumbers(left: number, right: number): number {
  if (left < right) return -1;
  if (left > right) return 1;
  return Number(Number.isNaN(right)) - Number(Number.isNaN(left));
}

function compareArrays(left: readonly Value[], right: readonly Value[]): number {
  for (let at = 0; at < Math.min(left.length, right.length); at += 1) {
    const byItem = compare(left[at] as Value, right[at] as Value);
    if (byItem !== 0) return byItem;
  }
  return left.length - right.length;
}

function compareMaps(left: ValueMap, right: ValueMap): number {
  const names = Object.keys(left).sort(compareStrings);
  const others = Object.keys(right).sort(compareStrings);
  for (let at = 0; at < Math.min(names.length, others.length); at += 1) {
    const [name, other] = [names[at] as string, others[at] as string];
    const byField = compareStrings(name, other) || compare(left[name] as Value, right[other] as Value);
    if (byField !== 0) return byField;
  }
  return names.length - others.length;
}

function rank(value: Value): number {
  if (value === null) return 0;
  if (typeof value === 'boolean') return 1;
  if (typeof value === 'number') return 2;
  if (value instanceof Timestamp) return 3;
  if (typeof value === 'string') return 4;
  return isArray(value) ? 5 : 6;
}

function isArray(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

function isMap(value: Value): value is ValueMap {
  return rank(value) === 6;
}
