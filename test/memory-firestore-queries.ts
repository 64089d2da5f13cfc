// How a query is answered: which filters and orders there are, which documents they find, and whether production could
// find them with the indexes in a firestore.indexes.json, which the emulator does not ask. Pure; knows no client.
// Sources: firebase.google.com/docs/firestore/query-data/index-overview (single-field, exemptions, merging) and
// firebase.google.com/docs/reference/firestore/indexes (the file).

import type { Timestamp } from '@google-cloud/firestore';
import * as z from 'zod';
import {
  comparable,
  compare,
  compareStrings,
  encodeOperand,
  equal,
  FAILED_PRECONDITION,
  INVALID_ARGUMENT,
  RpcError,
  segmentsOf,
  unsupported,
  type Value,
  type ValueMap,
  valueAt,
} from './memory-firestore-values.ts';

const MAX_DISJUNCTIONS = 30;

export interface Stored {
  readonly data: ValueMap;
  readonly createTime: Timestamp;
  readonly updateTime: Timestamp;
}

type Direction = 'asc' | 'desc';

const OPERATORS = ['==', 'in', '<', '<=', '>', '>=', 'array-contains'] as const;
type Operator = (typeof OPERATORS)[number];

interface Filter {
  readonly field: string;
  readonly segments: readonly string[];
  readonly operator: Operator;
  /** Several for `in`. */
  readonly operands: readonly Value[];
}

interface Order {
  readonly field: string;
  readonly segments: readonly string[];
  readonly direction: Direction;
}

export interface QueryState {
  readonly collection: string;
  readonly filters: readonly Filter[];
  readonly orders: readonly Order[];
  /** The direction by document id, where it is given. */
  readonly ids?: Direction;
  readonly limit?: number;
  /** The document after which the answer begins. */
  readonly after?: { readonly id: string; readonly data: ValueMap };
}

export function toFilter(field: unknown, operator: unknown, operand: unknown): Filter {
  const name = checkedField(field);
  const known = OPERATORS.find((one) => one === operator);
  if (!known) throw unsupported(`the operator ${operator}`);
  if (operand === undefined) throw new Error('Value for argument "value" is not a valid query constraint.');
  const operands =
    known === 'in' && Array.isArray(operand)
      ? operand.map((one) => encodeOperand(one, name))
      : [encodeOperand(operand, name)];
  if (known === 'in' && !Array.isArray(operand)) throw unsupported('in with anything but a list');
  if (known !== '==' && known !== 'in' && operands.some((one) => one === null || Number.isNaN(one))) {
    // The real client turns array-contains null into "is not null".
    if (known === 'array-contains') throw unsupported('array-contains with null or NaN');
    throw new Error("Invalid query. You can only perform '==' and '!=' comparisons on null and NaN.");
  }
  return { field: name, segments: segmentsOf(name), operator: known, operands };
}

/** The orders that are given, or else the one that an inequality brings with it. */
export function ordersOf({ filters, orders }: QueryState): readonly Order[] {
  const inequality = filters.find(isInequality);
  if (orders.length > 0 || !inequality) return orders;
  return [{ field: inequality.field, segments: inequality.segments, direction: 'asc' }];
}

function idsOf(state: QueryState): Direction {
  return state.ids ?? ordersOf(state).at(-1)?.direction ?? 'asc';
}

function isInequality({ operator }: Filter): boolean {
  return operator === '<' || operator === '<=' || operator === '>' || operator === '>=';
}

/** Throws for a query that the real thing may answer and this does not. */
export function refuseUnsupported({ filters, orders, ids }: QueryState): void {
  if (filters.filter(({ operator }) => operator === 'array-contains').length > 1)
    throw unsupported('two array-contains');
  const unequal = filters.filter(isInequality);
  const [first] = unequal;
  if (!first) return;
  if (unequal.some(({ field }) => field !== first.field)) throw unsupported('inequalities on two fields');
  const ordered = orders[0]?.field ?? (ids ? 'the document id' : first.field);
  if (ordered !== first.field) throw unsupported(`an inequality on ${first.field} ordered by ${ordered}`);
  if (filters.some((filter) => filter.field === first.field && !isInequality(filter))) {
    throw unsupported(`an inequality and another filter on ${first.field}`);
  }
}

/** The documents of a collection that the query asks for. Throws what Firestore would answer. */
export function find(
  documents: ReadonlyMap<string, Stored>,
  state: QueryState,
  missingIndex: IndexCheck,
): readonly (readonly [string, Stored])[] {
  refuseInvalid(state);
  refuseUnindexed(state, missingIndex);
  const { filters, after, limit } = state;
  const [orders, ids] = [ordersOf(state), idsOf(state)];
  const byOrder = (id: string, data: ValueMap, otherId: string, other: ValueMap): number => {
    for (const { segments, direction } of orders) {
      const by = compare(valueAt(data, segments) as Value, valueAt(other, segments) as Value);
      if (by !== 0) return direction === 'asc' ? by : -by;
    }
    const byId = compareStrings(id, otherId);
    return ids === 'asc' ? byId : -byId;
  };
  const found: (readonly [string, Stored])[] = [];
  for (const [id, stored] of documents) {
    const { data } = stored;
    if (!filters.every((filter) => matches(data, filter))) continue;
    if (!orders.every(({ segments }) => valueAt(data, segments) !== undefined)) continue;
    if (!after || byOrder(id, data, after.id, after.data) > 0) found.push([id, stored]);
  }
  return found.sort(([id, one], [otherId, other]) => byOrder(id, one.data, otherId, other.data)).slice(0, limit);
}

function matches(data: ValueMap, { segments, operator, operands }: Filter): boolean {
  const value = valueAt(data, segments);
  const [operand] = operands;
  if (value === undefined || operand === undefined) return false;
  if (operator === '==') return equal(value, operand);
  // Null and NaN are equal to themselves in ==, but not in a list.
  if (operator === 'in') return value !== null && !Number.isNaN(value) && operands.some((one) => equal(value, one));
  if (operator === 'array-contains') return Array.isArray(value) && value.some((item: Value) => equal(item, operand));
  if (!comparable(value, operand)) return false;
  const by = compare(value, operand);
  if (by === 0) return operator === '<=' || operator === '>=';
  return by < 0 === (operator === '<' || operator === '<=');
}

function refuseInvalid({ filters, limit }: QueryState): void {
  if (limit !== undefined && limit < 0) throw new RpcError(INVALID_ARGUMENT, 'limit is negative');
  const lists = filters.filter(({ operator }) => operator === 'in').map(({ operands }) => operands.length);
  if (lists.includes(0)) throw new RpcError(INVALID_ARGUMENT, "'IN' requires an non-empty ArrayValue.");
  if (lists.some((length) => length > MAX_DISJUNCTIONS)) {
    throw new RpcError(INVALID_ARGUMENT, `'IN' supports up to ${MAX_DISJUNCTIONS} comparison values.`);
  }
  // Several lists count as what is left of their product once it is normalized.
  if (lists.reduce((all, one) => all * one, 1) > MAX_DISJUNCTIONS) throw unsupported('lists with that many values');
}

function refuseUnindexed(state: QueryState, missingIndex: IndexCheck): void {
  const { collection, filters } = state;
  const by = (...operators: Operator[]) =>
    filters.filter(({ operator }) => operators.includes(operator)).map(({ field }) => field);
  const [fixed, orders, ids] = [by('=='), ordersOf(state), idsOf(state)];
  if (ids === 'desc' && orders.length === 0 && filters.length === 0) {
    throw new RpcError(FAILED_PRECONDITION, 'Firestore does not support descending key scans');
  }
  // An order by a field with one value says nothing; one by a field with several stands for its filter.
  const asked = orders.filter(({ field }) => !fixed.includes(field));
  const listed = by('in').filter((field) => !asked.some((order) => order.field === field));
  const equalities = [...fixed, ...listed];
  const missing = missingIndex({ collection, equalities, contains: by('array-contains'), orders: asked, ids });
  if (missing === undefined) return;
  throw new RpcError(FAILED_PRECONDITION, `The query needs an index that firestore.indexes.json lacks: ${missing}`);
}

export function checkedField(field: unknown): string {
  if (typeof field !== 'string') throw unsupported('a field that is not given as a string here');
  segmentsOf(field);
  return field;
}

const order = z.enum(['ASCENDING', 'DESCENDING']);
const arrayConfig = z.literal('CONTAINS');
const queryScope = z.enum(['COLLECTION', 'COLLECTION_GROUP']);
const indexFileSchema = z.strictObject({
  indexes: z.array(
    z.strictObject({
      collectionGroup: z.string(),
      queryScope,
      fields: z.array(
        z.strictObject({ fieldPath: z.string(), order: order.optional(), arrayConfig: arrayConfig.optional() }),
      ),
    }),
  ),
  fieldOverrides: z.array(
    z.strictObject({
      collectionGroup: z.string(),
      fieldPath: z.string(),
      ttl: z.boolean().optional(),
      indexes: z.array(
        z.strictObject({
          order: order.optional(),
          arrayConfig: arrayConfig.optional(),
          queryScope: queryScope.default('COLLECTION'),
        }),
      ),
    }),
  ),
});

/** A query as far as indexes go. */
interface QueryShape {
  readonly collection: string;
  /** Fields filtered by == or in. */
  readonly equalities: readonly string[];
  /** Fields filtered by array-contains. */
  readonly contains: readonly string[];
  /** Fields in whose order the answer comes, an inequality's included. */
  readonly orders: readonly { readonly field: string; readonly direction: Direction }[];
  /** The direction in which equals come by document id. */
  readonly ids: Direction;
}

type Kind = Direction | 'contains';

/** The single-field indexes of a field without an override. */
const AUTOMATIC: readonly Kind[] = ['asc', 'desc', 'contains'];

interface FieldIndex {
  readonly order?: z.infer<typeof order> | undefined;
  readonly arrayConfig?: z.infer<typeof arrayConfig> | undefined;
}

interface Entry {
  readonly field: string;
  readonly kind: Kind;
}

interface Index {
  readonly entries: readonly Entry[];
  readonly ids: Direction;
}

/** Says which index a query lacks; undefined when it lacks none. */
export type IndexCheck = (query: QueryShape) => string | undefined;

export function createIndexCheck(file: unknown): IndexCheck {
  const { indexes, fieldOverrides } = indexFileSchema.parse(file);
  const composites = Map.groupBy(
    indexes.filter((index) => index.queryScope === 'COLLECTION'),
    ({ collectionGroup }) => collectionGroup,
  );
  const compositesOf = new Map(
    [...composites].map(([group, all]) => [group, all.map(({ fields }) => toIndex(fields))]),
  );
  const overrides = new Map(
    fieldOverrides.map(({ collectionGroup, fieldPath, indexes }) => [
      `${collectionGroup}/${fieldPath}`,
      indexes.filter((index) => index.queryScope === 'COLLECTION').map(toKind),
    ]),
  );

  // An exemption of a map holds for the fields in it.
  const singleFields = (collection: string, field: string): readonly Index[] => {
    const segments = field.split('.');
    const paths = segments.map((_, at) => segments.slice(0, segments.length - at).join('.'));
    const override = [...paths, '*'].map((path) => overrides.get(`${collection}/${path}`)).find(Boolean);
    return (override ?? AUTOMATIC).map((kind) => ({
      entries: [{ field, kind }],
      ids: kind === 'desc' ? 'desc' : 'asc',
    }));
  };

  return (query) => {
    const { collection, equalities, contains, orders, ids } = query;
    const filtered = [...equalities, ...contains];
    if (filtered.length === 0 && orders.length === 0) {
      return ids === 'asc' ? undefined : `${collection}: by document id descending`;
    }
    const singles = [...filtered, ...orders.map(({ field }) => field)].flatMap((field) =>
      singleFields(collection, field),
    );
    const usable = [...singles, ...(compositesOf.get(collection) ?? [])].filter((index) => serves(index, query));
    // Indexes that end in the order asked for can be merged; together they must hold every field that is filtered.
    const held = new Set(usable.flatMap(({ entries }) => entries.map(({ field }) => field)));
    return usable.length > 0 && filtered.every((field) => held.has(field)) ? undefined : describe(query);
  };
}

/** Whether the index holds nothing but filtered fields, and then exactly the order asked for. */
function serves({ entries, ids }: Index, query: QueryShape): boolean {
  const filters = entries.slice(0, Math.max(0, entries.length - query.orders.length));
  const ordered = entries.slice(filters.length);
  return (
    ids === query.ids &&
    ordered.length === query.orders.length &&
    ordered.every(({ field, kind }, at) => field === query.orders[at]?.field && kind === query.orders[at]?.direction) &&
    filters.every(({ field, kind }) => (kind === 'contains' ? query.contains : query.equalities).includes(field))
  );
}

function toIndex(fields: readonly ({ fieldPath: string } & FieldIndex)[]): Index {
  const all = fields.map(({ fieldPath, ...index }): Entry => ({ field: fieldPath, kind: toKind(index) }));
  return {
    entries: all.filter(({ field }) => field !== '__name__'),
    ids: all.at(-1)?.kind === 'desc' ? 'desc' : 'asc',
  };
}

function toKind({ order, arrayConfig }: FieldIndex): Kind {
  if (arrayConfig) return 'contains';
  return order === 'DESCENDING' ? 'desc' : 'asc';
}

function describe({ collection, equalities, contains, orders, ids }: QueryShape): string {
  const parts = [
    ...equalities.map((field) => `${field} ==`),
    ...contains.map((field) => `${field} array-contains`),
    ...orders.map(({ field, direction }) => `by ${field} ${direction}`),
    `by document id ${ids}`,
  ];
  return `${collection}: ${parts.join(', ')}`;
}
