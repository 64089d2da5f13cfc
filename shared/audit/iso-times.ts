// Times as lines have them: ISO 8601. In Keydesk they are milliseconds since the epoch, and their names end in `_at`,
// `_until` or `_since`.

type TimeName = `${string}_${'at' | 'until' | 'since'}`;
type IsoTime<Value> = Value extends number ? string : Value;

export type IsoTimes<T> = T extends unknown
  ? {
      [Field in keyof T]: Field extends TimeName
        ? IsoTime<T[Field]>
        : Field extends 'past_leases'
          ? IsoList<T[Field]>
          : T[Field];
    }
  : never;
type IsoList<List> = List extends readonly (infer Item)[] ? readonly IsoTimes<Item>[] : List;

export function toIsoTimes<T extends object>(facts: T): IsoTimes<T> {
  const converted = Object.entries(facts).map(([name, value]) => [name, toIsoTime(name, value)]);
  return Object.fromEntries(converted) as IsoTimes<T>;
}

function toIsoTime(name: string, value: unknown): unknown {
  if (typeof value === 'number' && /_(at|until|since)$/.test(name)) return new Date(value).toISOString();
  if (name === 'past_leases' && Array.isArray(value)) return value.map((lease) => toIsoTimes(lease));
  return value;
}
