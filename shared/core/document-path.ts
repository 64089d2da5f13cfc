// The path templates of a `firestore` credential's `allow` list: "config/{document=**}", "releases/{release}".
// One grammar, shared by the policy's schema and by the generator of security rules.

/** The collection that holds the grant documents the security rules read. Never reachable through a policy. */
export const GRANT_COLLECTION = 'keydesk_grants';

const LITERAL = /^[A-Za-z0-9_-]{1,128}$/;
const WILDCARD = /^\{[A-Za-z_][A-Za-z0-9_]{0,63}(=\*\*)?\}$/;
/** Words and packages of the rules language (from its lexer), and the variables in force where the paths stand. */
const RESERVED_NAMES = new Set(
  (
    'allow arguments break case continue deny do each else false for function goto if import in is let match not null ' +
    'return rules_version service switch then true var while ' +
    'debug duration hashing latlng math timestamp database request resource'
  ).split(' '),
);

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
    if (RESERVED_NAMES.has(name) || name.startsWith('keydesk')) return `{${name}} is a reserved name`;
    if (names.has(name)) return `{${name}} stands twice`;
    names.add(name);
  }
  const [collection = ''] = segments;
  if (collection.startsWith('{')) return 'must begin with the name of a collection, not with a wildcard';
  if (collection === GRANT_COLLECTION) return `may not open ${GRANT_COLLECTION}: grants are no job's to read or write`;
  if (segments.length < 2) return `names no document: add a wildcard, such as "${path}/{document}"`;
  if (segments.length % 2 !== 0 && !path.endsWith('=**}'))
    return 'ends in a collection: a path names documents, so collections and documents alternate';
  return undefined;
}
