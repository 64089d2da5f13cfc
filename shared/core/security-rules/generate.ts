// Generates Firestore Security Rules from policy: what each `firestore` credential of one database may do, and nothing
// else. The generated text is between two marks; hand-written rules around them are left as they are.
// Source: https://firebase.google.com/docs/firestore/security/rules-structure. Pure: text in, text out.

import { FIREBASE_UID_PATTERN } from '../firebase-user.ts';
import type { Verb } from '../kinds/firestore.ts';
import { GRANT_COLLECTION } from '../policy/document-path.ts';
import type { Policy } from '../policy/policy.ts';

const BEGIN = '// keydesk:begin';
const END = '// keydesk:end';
/** The marks themselves: in the middle of a line they are words of a comment. */
const BEGIN_LINE = /^[ \t]*\/\/ keydesk:begin/m;
const END_LINE = /^[ \t]*\/\/ keydesk:end/m;
export const COMMENT_OR_STRING = /\/\*[\s\S]*?\*\/|\/\/.*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/g;
const VERB_ORDER: readonly Verb[] = ['get', 'list', 'create', 'update', 'delete'];

export interface DatabaseName {
  readonly project: string;
  readonly database: string;
}

/** The databases the policy's `firestore` credentials open, each once, in the policy's order. */
export function databasesOf(policy: Policy): DatabaseName[] {
  const databases = new Map<string, DatabaseName>();
  for (const credential of Object.values(policy.credentials))
    if (credential.kind === 'firestore') {
      const { project, database } = credential;
      databases.set(`${project}/${database}`, { project, database });
    }
  return [...databases.values()];
}

/** What the tokens of policy's credentials are to the rules of one database. */
export interface TokensOfPolicy {
  /** The tenants of all credentials of its project, whose tokens it accepts; undefined means the project's own users. */
  readonly tenants: ReadonlySet<string | undefined>;
  /** The collections in which policy lets them create documents. */
  readonly collections: ReadonlySet<string>;
}

export function tokensOfPolicy(policy: Policy, name: DatabaseName): TokensOfPolicy {
  const tenants = Object.values(policy.credentials).flatMap((credential) =>
    credential.kind === 'firestore' && credential.project === name.project ? [credential.tenant] : [],
  );
  const created = [...credentialsByPath(policy, name)].filter(([, byVerb]) => byVerb.has('create'));
  return {
    tenants: new Set(tenants),
    collections: new Set(created.map(([path]) => path.split('/')[0] ?? '')),
  };
}

/** A rules file for a database that has none of its own. */
export function newRulesFile(policy: Policy, { project, database }: DatabaseName): string {
  return `rules_version = '2';

service cloud.firestore {
  match /databases/{database}/documents {
${rulesBlock(policy, { project, database }, '    ')}
  }
}
`;
}

/** The file's text with the part between the marks replaced, or what prevents that. */
export function replaceGenerated(
  text: string,
  policy: Policy,
  name: DatabaseName,
): { text: string } | { problem: string } {
  const [begin, ...moreBegins] = [...text.matchAll(/^([ \t]*)\/\/ keydesk:begin/gm)];
  const [end, ...moreEnds] = [...text.matchAll(/^[ \t]*\/\/ keydesk:end/gm)];
  if (!begin || !end || moreBegins.length > 0 || moreEnds.length > 0 || end.index < begin.index)
    return {
      problem: `needs one line that begins with "${BEGIN}" and after it one that begins with "${END}", inside "match /databases/{database}/documents { … }": the rules go between them`,
    };
  const before = text.slice(0, begin.index);
  const enclosing = matchesOf(before).findLast(({ open }) => open);
  if (enclosing?.written !== '/databases/{database}/documents')
    return {
      problem: `must have its marks inside "match /databases/{database}/documents {", with the wildcard named database`,
    };
  if (!/^\s*rules_version\s*=\s*(['"])2\1\s*;/.test(stripCommentsAndStrings(text, ' ', "'2'")))
    return {
      problem: `must begin with "rules_version = '2';": before version 2, {name=**} means something else than in policy`,
    };
  return { text: before + rulesBlock(policy, name, begin[1] ?? '') + text.slice(end.index + end[0].length) };
}

/** The text between the marks, marks included, without indentation: files are compared by it. Undefined without marks. */
export function extractGenerated(text: string): string | undefined {
  const part = generatedPart(text);
  return part && text.slice(part.from, part.to).replace(/^[ \t]+/gm, '');
}

/** The text in the database's match except for the generated part, without comments, and without white space outside of strings. */
export function normalizeHandWritten(text: string): string {
  return text
    .replace(/^[ \t]*\/\/ keydesk:begin[\s\S]*^[ \t]*\/\/ keydesk:end.*$/m, '')
    .replace(new RegExp(`${COMMENT_OR_STRING.source}|\\s+`, 'g'), (found) => (/^['"]/.test(found) ? found : ''))
    .replace(/^rules_version=(['"])2\1;/, '')
    .replace(/^servicecloud\.firestore\{match\/databases\/\{database\}\/documents\{([\s\S]*)\}\}$/, '$1');
}

/** Hand-written matches that also cover the grant documents: rules only ever add access, so these open them. */
export function matchesExposingGrants(text: string): string[] {
  const part = generatedPart(text);
  const handWritten = part ? text.slice(0, part.from) + text.slice(part.endMark) : text;
  const grants = ['databases', '(default)', 'documents', GRANT_COLLECTION, 'grant'];
  return matchesOf(handWritten).flatMap(({ written, path }) => (covers(path, grants) ? [written] : []));
}

/** The place of the part between the marks, marks included. Undefined without both. */
function generatedPart(
  text: string,
): { readonly from: number; readonly endMark: number; readonly to: number } | undefined {
  const [begin, end] = [BEGIN_LINE.exec(text), END_LINE.exec(text)];
  return begin && end && end.index > begin.index
    ? { from: begin.index, endMark: end.index, to: end.index + end[0].length }
    : undefined;
}

interface Match {
  /** As written, without spaces. */
  readonly written: string;
  /** The segments of the whole path, including the enclosing matches. */
  readonly path: readonly string[];
  /** Whether the text ends inside it. */
  readonly open: boolean;
}

/** Every `match` of the text, in its order. */
function matchesOf(text: string): Match[] {
  const matches: { written: string; path: readonly string[]; open: boolean }[] = [];
  const blocks: ((typeof matches)[number] | undefined)[] = [];
  const token = /\bmatch\s*((?:\/\s*(?:\{[^{}]*\}|[^\s/{}]+)\s*)+)\{|[{}]/g;
  for (const [found, written] of stripCommentsAndStrings(text, ' ', "''").matchAll(token)) {
    if (found === '}') {
      const closed = blocks.pop();
      if (closed) closed.open = false;
    } else if (written === undefined) blocks.push(undefined);
    else {
      const own = written.replaceAll(/\s/g, '');
      const around = blocks.findLast((block) => block !== undefined)?.path ?? [];
      const match = { written: own, path: [...around, ...own.slice(1).split('/')], open: true };
      matches.push(match);
      blocks.push(match);
    }
  }
  return matches;
}

/** The text with every comment and every string constant replaced. */
function stripCommentsAndStrings(text: string, comment: string, string: string): string {
  return text.replaceAll(COMMENT_OR_STRING, (found) =>
    found.startsWith('/') ? comment : found === "'2'" || found === '"2"' ? string : "''",
  );
}

/** Whether the match path covers the document; `{name=**}` stands for any number of segments, none included. */
function covers([template, ...templates]: readonly string[], segments: readonly string[]): boolean {
  if (template === undefined) return segments.length === 0;
  if (template.endsWith('=**}'))
    return segments.some((_, index) => covers(templates, segments.slice(index))) || covers(templates, []);
  const [segment, ...rest] = segments;
  return segment !== undefined && (template.startsWith('{') || template === segment) && covers(templates, rest);
}

function rulesBlock(policy: Policy, name: DatabaseName, indent: string): string {
  const lines = [
    `${BEGIN} (generated from policy by "keydesk rules write"; edits between the marks are lost)`,
    'function keydeskAllows(credentials) {',
    '  return request.auth != null',
    "    && request.auth.token.firebase.sign_in_provider == 'custom'",
    `    && request.auth.token.firebase.get('tenant', null) == ${tenantOf(policy, name)}`,
    "    && request.auth.token.get('keydesk_grant', null) is string",
    `    && keydeskIsLive(get(/databases/$(database)/documents/${GRANT_COLLECTION}/$(request.auth.token.keydesk_grant)).data, credentials);`,
    '}',
    'function keydeskIsLive(grant, credentials) {',
    "  return grant.state == 'active' && request.time < grant.expires_at && grant.roles.hasAny(credentials.split(' '));",
    '}',
    '// For your own rules: whether a user of Keydesk is signed in, with its own token or in any other way.',
    'function keydeskUser() {',
    `  return request.auth != null && request.auth.uid.matches('${FIREBASE_UID_PATTERN}');`,
    '}',
    `match /${GRANT_COLLECTION}/{grant=**} {`,
    '  allow read, write: if false;',
    '}',
    ...[...credentialsByPath(policy, name)].sort(byPath).flatMap(([path, byVerb]) => matchLines(path, byVerb)),
    END,
  ];
  return lines.map((line) => indent + line).join('\n');
}

/** As a constant of the rules language. Policy names one tenant for all credentials of a database, or none. */
function tenantOf(policy: Policy, { project, database }: DatabaseName): string {
  for (const credential of Object.values(policy.credentials))
    if (credential.kind === 'firestore' && credential.project === project && credential.database === database)
      return credential.tenant === undefined ? 'null' : `'${credential.tenant}'`;
  return 'null';
}

/** Names of credentials, by what they may do. */
export type CredentialsByVerb = Map<Verb, Set<string>>;

/** By path, who holds which verb. Paths that differ only in the names of their wildcards are one. */
export function credentialsByPath(policy: Policy, { project, database }: DatabaseName): Map<string, CredentialsByVerb> {
  const byTemplate = new Map<string, { readonly path: string; readonly byVerb: CredentialsByVerb }>();
  for (const [name, credential] of Object.entries(policy.credentials)) {
    if (credential.kind !== 'firestore' || credential.project !== project || credential.database !== database) continue;
    for (const { path, verbs } of credential.allow) {
      const template = withoutNames(path);
      const known = byTemplate.get(template);
      const byVerb: CredentialsByVerb = known?.byVerb ?? new Map();
      byTemplate.set(template, { path: known && known.path < path ? known.path : path, byVerb });
      for (const verb of verbs) byVerb.set(verb, (byVerb.get(verb) ?? new Set()).add(name));
    }
  }
  return new Map([...byTemplate.values()].map(({ path, byVerb }) => [path, byVerb]));
}

function withoutNames(path: string): string {
  return path.replaceAll(/\{\w+/g, '{');
}

/** Names are joined into one string, because Firestore counts each item of a list as an expression. */
function matchLines(path: string, byVerb: CredentialsByVerb): string[] {
  const verbsByCredentials = new Map<string, Verb[]>();
  for (const verb of VERB_ORDER) {
    const credentials = byVerb.get(verb);
    if (!credentials) continue;
    const names = [...credentials].sort().join(' ');
    verbsByCredentials.set(names, [...(verbsByCredentials.get(names) ?? []), verb]);
  }
  const allows = [...verbsByCredentials].map(
    ([names, verbs]) => `  allow ${verbs.join(', ')}: if keydeskAllows('${names}');`,
  );
  return [`match /${path} {`, ...allows, '}'];
}

function byPath([left]: [string, unknown], [right]: [string, unknown]): number {
  return left < right ? -1 : 1;
}
