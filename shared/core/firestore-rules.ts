// Generates Firestore Security Rules from policy: what each `firestore` credential of one database may do, and nothing
// else. The generated text stands between two marks; hand-written rules around them are left as they are.
// Source: https://firebase.google.com/docs/firestore/security/rules-structure. Pure: text in, text out.

import { GRANT_COLLECTION } from './document-path.ts';
import type { Policy, Verb } from './policy.ts';

const BEGIN = '// keydesk:begin';
const END = '// keydesk:end';
const ENCLOSING_MATCH = /match\s+\/databases\/\{database\}\/documents\s*\{/;
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

/** The file's text with the part between the marks made anew, or what keeps that from being done. */
export function spliceRules(text: string, policy: Policy, name: DatabaseName): { text: string } | { problem: string } {
  const begins = text.split(BEGIN).length - 1;
  const ends = text.split(END).length - 1;
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END);
  if (begins !== 1 || ends !== 1 || end < begin)
    return {
      problem: `needs one line "${BEGIN}" and after it one line "${END}", inside "match /databases/{database}/documents { … }": the rules go between them`,
    };
  if (!ENCLOSING_MATCH.test(text.slice(0, begin)))
    return {
      problem: `must have its marks inside "match /databases/{database}/documents {", with the wildcard named database`,
    };
  const lineStart = text.lastIndexOf('\n', begin) + 1;
  const indent = /^[ \t]*/.exec(text.slice(lineStart, begin))?.[0] ?? '';
  return { text: text.slice(0, lineStart) + rulesBlock(policy, name, indent) + text.slice(end + END.length) };
}

/** Hand-written matches that also cover the grant documents: rules only ever add access, so these open them. */
export function matchesCoveringGrants(text: string): string[] {
  const end = text.indexOf(END);
  const handWritten = end < 0 ? text : text.slice(0, Math.max(text.indexOf(BEGIN), 0)) + text.slice(end);
  const withoutComments = handWritten.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
  return [
    ...withoutComments.matchAll(/match\s+(\/\{[A-Za-z_]\w*(?:=\*\*\}|\}\/\{[A-Za-z_]\w*(?:=\*\*)?\}))\s*\{/g),
  ].map(([, path]) => path ?? '');
}

function rulesBlock(policy: Policy, name: DatabaseName, indent: string): string {
  const lines = [
    `${BEGIN} (generated from policy by "npm run rules"; edits between the marks are lost)`,
    'function keydeskHolds(credentials) {',
    '  return request.auth != null',
    "    && request.auth.token.firebase.sign_in_provider == 'custom'",
    '    && request.auth.token.keydesk_grant is string',
    `    && keydeskIsLive(get(/databases/$(database)/documents/${GRANT_COLLECTION}/$(request.auth.token.keydesk_grant)).data, credentials);`,
    '}',
    'function keydeskIsLive(grant, credentials) {',
    "  return grant.state == 'active' && request.time < grant.expires_at && grant.roles.hasAny(credentials);",
    '}',
    `match /${GRANT_COLLECTION}/{grant=**} {`,
    '  allow read, write: if false;',
    '}',
    ...[...holdersByPath(policy, name)].sort(byPath).flatMap(([path, holders]) => matchLines(path, holders)),
    END,
  ];
  return lines.map((line) => indent + line).join('\n');
}

type Holders = Map<Verb, string[]>;

function holdersByPath(policy: Policy, { project, database }: DatabaseName): Map<string, Holders> {
  const byPath = new Map<string, Holders>();
  for (const [name, credential] of Object.entries(policy.credentials)) {
    if (credential.kind !== 'firestore' || credential.project !== project || credential.database !== database) continue;
    for (const { path, verbs } of credential.allow) {
      const holders: Holders = byPath.get(path) ?? new Map();
      byPath.set(path, holders);
      for (const verb of verbs) holders.set(verb, [...new Set([...(holders.get(verb) ?? []), name])].sort());
    }
  }
  return byPath;
}

function matchLines(path: string, holders: Holders): string[] {
  const verbsByCredentials = new Map<string, Verb[]>();
  for (const verb of VERB_ORDER) {
    const credentials = holders.get(verb);
    if (!credentials) continue;
    const list = credentials.map((name) => `'${name}'`).join(', ');
    verbsByCredentials.set(list, [...(verbsByCredentials.get(list) ?? []), verb]);
  }
  const allows = [...verbsByCredentials].map(
    ([credentials, verbs]) => `  allow ${verbs.join(', ')}: if keydeskHolds([${credentials}]);`,
  );
  return [`match /${path} {`, ...allows, '}'];
}

function byPath([left]: [string, unknown], [right]: [string, unknown]): number {
  return left < right ? -1 : 1;
}
