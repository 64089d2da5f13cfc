// Whether the path of a match covers a document, or every document of a collection.

/** Stands for any document of a collection: only a wildcard covers it. */
export const ANY_DOCUMENT = Symbol('any document');
export type Segment = string | typeof ANY_DOCUMENT;

/** @param template such as `config/{document=**}`. A wildcard with `=**` is its last segment, and stands for no segment too */
export function coversPath(template: string, segments: readonly Segment[]): boolean {
  const parts = template.split('/');
  const rest = parts.at(-1)?.endsWith('=**}') ?? false;
  const before = rest ? parts.slice(0, -1) : parts;
  if (rest ? segments.length < before.length : segments.length !== before.length) return false;
  return before.every((part, index) => part === segments[index] || part.startsWith('{'));
}
