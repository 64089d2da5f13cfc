// The path templates of a `firestore` credential's `allow` list: "config/{document=**}", "releases/{release}".
// One grammar, shared by the policy's schema and by the generator of security rules.

/** The collection that holds the grant documents the security rules read. Never reachable through a policy. */
export const GRANT_COLLECTION = 'keydesk_grants';

const LITERAL = /^[A-Za-z0-9_-]{1,128}$/;
const WILDCARD = /^\{[A-Za-z_][A-Za-z0-9_]{0,63}(=\*\*)?\}$/;
/**
 * Keywords of the rules language, from the lexer of the emulator (1.19.9), and in the last line its packages. Rules with a
 * wildcard of such a name do not compile.
 */
export const RULES_WORDS: readonly string[] = (
  'allow arguments break case continue default deny do each else extends false for ' +
  'function goto if import in is let match not null package return rules_version ' +
  'service switch then true var while ' +
  'duration hashing latlng math timestamp'
).split(' ');
/** Names that the rules around a wildcard use, which it would hide. */
const NAMES_IN_USE = ['database', 'debug', 'request', 'resource'];
const RESERVED_NAMES = new Set([...RULES_WORDS, ...NAMES_IN_USE]);
/**
 * Firestore's limits for nested matches are 100 segments and 20 wildcards; /databases/{database}/documents takes some of both.
 * The emulator compiles 19 further wildcards, and not the documented 20. Source: firebase.google.com/docs/firestore/quotas.
 */
const MAX_SEGMENTS = 97;
const MAX_WILDCARDS = 19;

/** What is wrong with `path` as a template of document paths, in words for the policy's author; undefined if nothing. */
export function documentPathProblem(path: string): string | undefined {
  const segments = path.split('/');
  const names = new Set<string>();
  for (const [index, segment] of segments.entries()) {
    if (LITERAL.test(segment) && !/^__.*__$/.test(segment)) continue;
    const wildcard = WILDCARD.exec(segment);
    if (!wildcard) return `"${segment}" is neither a name (letters, digits, _ and -) nor a wildcard like {document}`;
    if (wildcard[1] !== undefined && index !== segments.length - 1) return `${segment} may only stand at the end`;
    const name = segment.slice(1, wildcard[1] === undefined ? -1 : -4);
    if (RESERVED_NAMES.has(name))
      return `{${name}} is a reserved name in Firestore's security rules: choose another name, such as {${name}_id}`;
    if (name.startsWith('keydesk'))
      return `{${name}} is a reserved name, because it begins with keydesk: choose another name, such as {document}`;
    if (names.has(name)) return `{${name}} stands twice`;
    names.add(name);
  }
  const [collection = ''] = segments;
  if (collection.startsWith('{')) return 'must begin with the name of a collection, not with a wildcard';
  if (collection === GRANT_COLLECTION) return `may not open ${GRANT_COLLECTION}: grants are no job's to read or write`;
  if (segments.length < 2) return `names no document: add a wildcard, such as "${path}/{document}"`;
  if (segments.length % 2 !== 0 && !path.endsWith('=**}'))
    return 'ends in a collection: a path names documents, so collections and documents alternate';
  if (segments.length > MAX_SEGMENTS)
    return `has ${segments.length} segments, and Firestore's security rules take ${MAX_SEGMENTS} at most: end it earlier with {document=**}`;
  if (names.size > MAX_WILDCARDS)
    return `has ${names.size} wildcards, and Firestore's security rules take ${MAX_WILDCARDS} at most: end it earlier with {document=**}`;
  return undefined;
}
