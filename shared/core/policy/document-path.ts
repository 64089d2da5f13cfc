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

/** What is wrong with `path` as a template of document paths, and what to write; undefined if nothing. */
export function documentPathProblem(path: string): string | undefined {
  const problem = firstProblem(path);
  if (problem === undefined) return undefined;
  const corrected = correctedPath(path);
  return corrected === path || firstProblem(corrected) !== undefined
    ? problem
    : `${problem}. Write ${JSON.stringify(corrected)}`;
}

/** In front of a document's path in the names that Google's API, console and rules use. */
const RESOURCE_NAME = /^\/*(?:projects\/[^/]+\/)?databases\/[^/]+\/documents\/+/;

function firstProblem(path: string): string | undefined {
  if (path === '') return 'must not be empty. It is a path of documents, such as "config/{document=**}"';
  if (RESOURCE_NAME.test(path)) return 'must begin with a collection, and is a resource name';
  if (path.startsWith('/')) return 'must not begin with a slash';
  if (path.endsWith('/')) return 'must not end with a slash';
  if (path.includes('//')) return 'must not have two slashes in a row';
  const segments = path.split('/');
  const names = new Set<string>();
  for (const [index, segment] of segments.entries()) {
    if (LITERAL.test(segment) && !/^__.*__$/.test(segment)) continue;
    const wildcard = WILDCARD.exec(segment);
    if (!wildcard)
      return `has "${segment}", which is neither a name of letters, digits, _ and - nor a wildcard such as {document}`;
    if (wildcard[1] !== undefined && index !== segments.length - 1)
      return `has ${segment} before its end. A wildcard with =** must be the last segment`;
    const name = segment.slice(1, wildcard[1] === undefined ? -1 : -4);
    if (RESERVED_NAMES.has(name))
      return `has {${name}}, a reserved name in Firestore's security rules. Choose another name, such as {${name}_id}`;
    if (name.startsWith('keydesk'))
      return `has {${name}}, and names that begin with keydesk are reserved. Choose another name, such as {document}`;
    if (names.has(name)) return `has two wildcards {${name}}. Rename one`;
    names.add(name);
  }
  const [collection = ''] = segments;
  if (collection.startsWith('{')) return 'must begin with the name of a collection, not with a wildcard';
  if (collection === GRANT_COLLECTION) return `must not open ${GRANT_COLLECTION}: it holds the grants`;
  if (segments.length < 2) return 'names a collection and no document';
  if (segments.length % 2 !== 0 && !path.endsWith('=**}'))
    return 'ends in a collection, and a path names documents: collections and documents alternate';
  if (segments.length > MAX_SEGMENTS)
    return `has ${segments.length} segments, and Firestore's security rules take ${MAX_SEGMENTS} at most. End it earlier with {document=**}`;
  if (names.size > MAX_WILDCARDS)
    return `has ${names.size} wildcards, and Firestore's security rules take ${MAX_WILDCARDS} at most. End it earlier with {document=**}`;
  return undefined;
}

/** The path that was probably meant: without superfluous slashes, with * and ** as wildcards, and down to documents. */
function correctedPath(path: string): string {
  const segments = path.replace(RESOURCE_NAME, '').split('/').filter(Boolean);
  const free = ['document', 'entry', 'item'].filter((name) => !path.includes(`{${name}`));
  const corrected = segments.map((segment, index) => {
    const last = index === segments.length - 1;
    if (last && (segment === '**' || segment === '{**}')) return `{${free[0]}=**}`;
    if (/^(?:\*\*?|\{\*{0,2}\})$/.test(segment)) return `{${free.shift()}}`;
    const [, name, stars] = /^\{(\w+)=(\*+)\}$/.exec(segment) ?? [];
    if (name === undefined) return segment;
    return last && stars !== '*' ? `{${name}=**}` : `{${name}}`;
  });
  const whole = corrected.length % 2 === 0 || corrected.at(-1)?.endsWith('=**}');
  return [...corrected, ...(whole ? [] : [`{${free[0]}}`])].join('/');
}
