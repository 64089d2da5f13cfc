// Whether a value is a message of Google's, by the types in google-api.schema.json.

/** Type => field => its type: `string`, `Type`, `Type[]` or `map<Type>`. */
export type Types = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** Of a field that its type has: what is wrong with it all the same. */
type Judge = (field: { readonly type: string; readonly key: string; readonly item: unknown }) => string | undefined;

/** What is wrong with `value` as a message of that type, each with its path. */
export function problemsOf(
  value: unknown,
  type: string,
  types: Types,
  judge: Judge = () => undefined,
  path = type,
): string[] {
  const inner = (item: unknown, of: string, at: string) => problemsOf(item, of, types, judge, at);
  if (type.endsWith('[]')) {
    if (!Array.isArray(value)) return [`${path} is no list`];
    return value.flatMap((item, index) => inner(item, type.slice(0, -2), `${path}[${index}]`));
  }
  const of = /^map<(\w+)>$/.exec(type)?.[1];
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (of !== undefined)
    return isObject
      ? Object.entries(value).flatMap(([key, item]) => inner(item, of, `${path}.${key}`))
      : [`${path} is no map`];
  const fields = types[type];
  if (!fields) return typeof value === type ? [] : [`${path} is no ${type}`];
  if (!isObject) return [`${path} is no ${type}`];
  return Object.entries(value).flatMap(([key, item]) => {
    const known = fields[key];
    if (known === undefined) return [`${path}.${key} is not known`];
    const wrong = judge({ type, key, item });
    return wrong === undefined ? inner(item, known, `${path}.${key}`) : [`${path}.${key} ${wrong}`];
  });
}
