// What is known of a value in a security rule, and the operators of conditions on it. ANY stands for every value at once: a
// condition that is ANY may be true, and so may its negation.

export type Value =
  | { readonly is: 'any' | 'absent' | 'uid' | 'path by uid' }
  | { readonly is: 'constant'; readonly constant: string | boolean | null }
  | { readonly is: 'list'; readonly items: readonly Value[] }
  | { readonly is: 'map'; readonly members: ReadonlyMap<string, Value>; readonly others: Value };

export const ANY: Value = { is: 'any' };
/** What no user of Keydesk has. To read it is an error, which denies; here its negation counts as true nevertheless. */
export const ABSENT: Value = { is: 'absent' };
export const UID: Value = { is: 'uid' };
export const [TRUE, FALSE, NULL] = [constant(true), constant(false), constant(null)];

export function constant(value: string | boolean | null): Value {
  return { is: 'constant', constant: value };
}

export function map(members: Readonly<Record<string, Value>>, others: Value = ANY): Value {
  return { is: 'map', members: new Map(Object.entries(members)), others };
}

/** As a condition: TRUE, FALSE or ANY. */
export function truth(value: Value): Value {
  if (value === ABSENT) return FALSE;
  if (value.is !== 'constant' || typeof value.constant !== 'boolean') return ANY;
  return value.constant ? TRUE : FALSE;
}

export function not(value: Value): Value {
  if (truth(value) === ANY) return ANY;
  return truth(value) === TRUE ? FALSE : TRUE;
}

export function both(left: Value, right: Value): Value {
  if (truth(left) === FALSE || truth(right) === FALSE) return FALSE;
  return truth(left) === TRUE && truth(right) === TRUE ? TRUE : ANY;
}

export function either(left: Value, right: Value): Value {
  return not(both(not(left), not(right)));
}
