import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  databasesOf,
  extractGenerated,
  matchesExposingGrants,
  newRulesFile,
  replaceGenerated,
  tokensOfPolicy,
} from '../../../../shared/core/security-rules/generate.ts';
import { firestorePolicy, type Opening, readFirestorePolicy } from '../../../fixtures/firestore-policy.ts';

const MAIN = { project: 'acme-staging', database: '(default)' };

type OpeningOf = Omit<Opening, 'project'> & { readonly project?: string };

/** Credentials of the project, unless they name another. */
const inMain = (openings: Readonly<Record<string, OpeningOf>>): Readonly<Record<string, Opening>> =>
  Object.fromEntries(Object.entries(openings).map(([name, opening]) => [name, { project: MAIN.project, ...opening }]));
const policyOf = (openings: Readonly<Record<string, OpeningOf>>) => firestorePolicy(inMain(openings));

const POLICY = policyOf({
  writer: {
    allow: [
      { path: 'config/{document=**}', verbs: ['read', 'write'] },
      { path: 'releases/{release}', verbs: ['get'] },
    ],
  },
  reader: { allow: [{ path: 'config/{document=**}', verbs: ['read'] }] },
});

/** The generated lines, without their indentation, between the functions and the end mark. */
function matchesIn(text: string): string[] {
  const lines = text.split('\n').map((line) => line.trim());
  const grants = lines.indexOf('match /keydesk_grants/{grant=**} {');
  return lines.slice(grants + 3, lines.indexOf('// keydesk:end'));
}

function splicedInto(text: string, policy = POLICY): string {
  const result = replaceGenerated(text, policy, MAIN);
  if ('problem' in result) throw new Error(result.problem);
  return result.text;
}

const file = (inside: string) => `rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
${inside}
  }
}
`;

describe('the generated rules', () => {
  it('hold one match per path and, in it, one line per set of credentials', () => {
    expect(matchesIn(newRulesFile(POLICY, MAIN))).toEqual([
      'match /config/{document=**} {',
      "allow get, list: if keydeskAllows('reader writer');",
      "allow create, update, delete: if keydeskAllows('writer');",
      '}',
      'match /releases/{release} {',
      "allow get: if keydeskAllows('writer');",
      '}',
    ]);
  });

  it('demand the tenant of their own database, or that the token has none', () => {
    const allow = [{ path: 'a/{x}', verbs: ['get'] }];
    const policy = policyOf({ here: { allow, tenant: 'ci-x7k2p' }, elsewhere: { allow, database: 'other' } });
    const demanded = "request.auth.token.firebase.get('tenant', null) ==";
    expect(newRulesFile(policy, MAIN)).toContain(`&& ${demanded} 'ci-x7k2p'\n`);
    expect(newRulesFile(policy, { ...MAIN, database: 'other' })).toContain(`&& ${demanded} null\n`);
  });

  it('close the grant documents even when policy opens nothing else in the database', () => {
    const text = newRulesFile(POLICY, { ...MAIN, database: 'other' });
    expect(text).toContain('match /keydesk_grants/{grant=**} {\n      allow read, write: if false;\n    }');
    expect(matchesIn(text)).toEqual([]);
  });

  it('hold what opens their own database and nothing of another', () => {
    const allow = (path: string) => [{ path, verbs: ['get'] }];
    const policy = policyOf({
      here: { allow: allow('a/{x}') },
      'other-database': { database: 'other', allow: allow('b/{x}') },
      'other-project': { project: 'acme-production', allow: allow('c/{x}') },
    });
    expect(databasesOf(policy)).toEqual([
      MAIN,
      { ...MAIN, database: 'other' },
      { ...MAIN, project: 'acme-production' },
    ]);
    expect(matchesIn(newRulesFile(policy, MAIN))).toEqual([
      'match /a/{x} {',
      "allow get: if keydeskAllows('here');",
      '}',
    ]);
    expect(matchesIn(newRulesFile(policy, { ...MAIN, database: 'other' }))[0]).toBe('match /b/{x} {');
  });

  it('are the same text for policies that differ in order, repetition and shorthand only', () => {
    const reordered = policyOf({
      reader: { allow: [{ path: 'config/{document=**}', verbs: ['list', 'get', 'list'] }] },
      writer: {
        allow: [
          { path: 'releases/{release}', verbs: ['get'] },
          { path: 'config/{document=**}', verbs: ['delete', 'update'] },
          { path: 'config/{document=**}', verbs: ['create', 'update', 'read'] },
        ],
      },
    });
    expect(newRulesFile(reordered, MAIN)).toBe(newRulesFile(POLICY, MAIN));
  });

  it('hold nothing but the fixed words and names that policy has checked, whatever policy says', () => {
    const hostile = fc.string({
      unit: fc.constantFrom(...`abc-_/{}=*'"();:. \n\\$&|1é\u2028`.split(''), '{a}', '{a=**}', 'c/', "'])", '//', '/*'),
      maxLength: 12,
    });
    const plausible = fc.constantFrom('web', 'a', 'c/{a}', 'c/{a=**}', 'c/d', 'c/{a}/e/{f=**}');
    const shape = [
      /^match \/[A-Za-z0-9_-]+(\/([A-Za-z0-9_-]+|\{[A-Za-z_][A-Za-z0-9_]*(=\*\*)?\}))+ \{$/,
      /^allow (get|list|create|update|delete)(, (list|create|update|delete))*: if keydeskAllows\('[a-z0-9 -]+'\);$/,
      /^\}$/,
    ];
    let taken = 0;
    fc.assert(
      fc.property(fc.oneof(hostile, plausible), fc.oneof(hostile, plausible), (name, path) => {
        const result = readFirestorePolicy(inMain({ [name]: { allow: [{ path, verbs: ['read', 'delete'] }] } }));
        if ('problems' in result) return;
        taken += 1;
        const lines = matchesIn(newRulesFile(result.policy, MAIN));
        expect(lines).toHaveLength(3);
        for (const line of lines) expect(shape.some((allowed) => allowed.test(line))).toBe(true);
      }),
      { numRuns: 2_000 },
    );
    expect(taken).toBeGreaterThan(50);
  });
});

describe('splicing', () => {
  it('replaces what is between the marks and keeps every other byte', () => {
    const before = '    // ours\t– ünïcode\r\n    match /public/{d} { allow read; }\n';
    const after = '\n\n    match /users/{u} { allow get: if request.auth.uid == u; }  ';
    const text = file(`${before}    // keydesk:begin\n    stale\n    // keydesk:end${after}`);
    const result = splicedInto(text);
    expect(result.startsWith(text.slice(0, text.indexOf('// keydesk:begin')))).toBe(true);
    expect(result.endsWith(text.slice(text.indexOf('// keydesk:end')))).toBe(true);
    expect(result).not.toContain('stale');
    expect(matchesIn(result)).toEqual(matchesIn(newRulesFile(POLICY, MAIN)));
  });

  it('of a fresh file changes nothing, and twice is once', () => {
    expect(splicedInto(newRulesFile(POLICY, MAIN))).toBe(newRulesFile(POLICY, MAIN));
    const once = splicedInto(file('\t// keydesk:begin\n\t// keydesk:end'));
    expect(splicedInto(once)).toBe(once);
  });

  it.each([
    ['two spaces', '  '],
    ['tabs', '\t\t'],
    ['none', ''],
  ])('indents as the opening mark is indented: %s', (_, indent) => {
    const result = splicedInto(file(`${indent}// keydesk:begin\n${indent}// keydesk:end`));
    const lines = result.split('\n').slice(3, -3);
    expect(lines[0]?.startsWith(`${indent}// keydesk:begin`)).toBe(true);
    expect(lines[1]).toBe(`${indent}function keydeskAllows(credentials) {`);
    expect(lines.at(-1)).toBe(`${indent}// keydesk:end`);
    for (const line of lines) expect(line.startsWith(indent)).toBe(true);
  });

  it('keeps a line that something else shares with the opening mark', () => {
    const text = file('    match /public/{d} { allow read; } // keydesk:begin\n    // keydesk:end');
    const result = replaceGenerated(text, POLICY, MAIN);
    if ('text' in result) expect(result.text).toContain('match /public/{d} { allow read; }');
  });

  it('keeps the enclosing match when the opening mark shares its line', () => {
    const text = `rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents { // keydesk:begin
    // keydesk:end
  }
}
`;
    const result = replaceGenerated(text, POLICY, MAIN);
    if ('text' in result) expect(result.text).toContain('match /databases/{database}/documents {');
  });

  it.each([
    ['no marks', file('    match /a/{b} { allow read; }'), /needs one line/],
    ['no end', file('    // keydesk:begin'), /needs one line/],
    ['no beginning', file('    // keydesk:end'), /needs one line/],
    ['two beginnings', file('// keydesk:begin\n// keydesk:begin\n// keydesk:end'), /needs one line/],
    ['two ends', file('// keydesk:begin\n// keydesk:end\n// keydesk:end'), /needs one line/],
    ['the end before the beginning', file('// keydesk:end\n// keydesk:begin'), /needs one line/],
    ['nothing', '', /needs one line/],
    [
      'a wildcard of another name',
      file('// keydesk:begin\n// keydesk:end').replace('{database}', '{db}'),
      /wildcard named database/,
    ],
    ['marks outside of everything', '// keydesk:begin\n// keydesk:end', /inside "match/],
    [
      'marks after the match was closed',
      file('  }\n  match /databases/{db}/documents {\n// keydesk:begin\n// keydesk:end'),
      /inside "match/,
    ],
    [
      'version 1 of the language, in which {name=**} means something else',
      file('// keydesk:begin\n// keydesk:end').replace("'2'", "'1'"),
      /rules_version/,
    ],
    [
      'no version of the language, which is version 1',
      file('// keydesk:begin\n// keydesk:end').replace("rules_version = '2';\n", ''),
      /rules_version/,
    ],
  ])('says what to fix in a file with %s', (_, text, problem) => {
    expect(replaceGenerated(text, POLICY, MAIN)).toEqual({ problem: expect.stringMatching(problem) });
  });
});

describe('a hand-written match that covers the grant documents', () => {
  const open = '{ allow read, write: if true; }';
  const around = (match: string) => splicedInto(file(`${match}\n// keydesk:begin\n// keydesk:end`));

  // Each of these was seen to open keydesk_grants on the emulator.
  it.each([
    `match /{document=**} ${open}`,
    `match /{collection}/{document} ${open}`,
    `match /{collection}/{rest=**} ${open}`,
    `match /{collection}/{document}/{rest=**} ${open}`,
    `match /{rest=**}/{document} ${open}`,
    `match /keydesk_grants/{grant} ${open}`,
    `match /keydesk_grants/{rest=**} ${open}`,
    `match /{collection} { match /{document} ${open} }`,
    `match /keydesk_grants { match /{document} ${open} }`,
    `match/{document=**} ${open}`,
    `match /* all */ /{document=**} ${open}`,
    `match /{ document = ** } ${open}`,
    `function here() { return 'http://x'; } match /{document=**} ${open}`,
    `function here() { return '/*'; } match /{document=**} ${open} function there() { return '*/'; }`,
  ])('is found: %s', (match) => {
    expect(matchesExposingGrants(around(match))).not.toEqual([]);
  });

  it('is found after the generated part, and in a match of its own next to the enclosing one', () => {
    const after = splicedInto(file(`// keydesk:begin\n// keydesk:end\nmatch /{document=**} ${open}`));
    expect(matchesExposingGrants(after)).toEqual(['/{document=**}']);
    const adjacent = splicedInto(file('// keydesk:begin\n// keydesk:end')).replace(
      'service cloud.firestore {\n',
      `service cloud.firestore {\n  match /databases/{db}/documents/{document=**} ${open}\n`,
    );
    expect(matchesExposingGrants(adjacent)).not.toEqual([]);
  });

  it('is found after a comment that names the marks, which are no marks in the middle of a line', () => {
    const named = '// Between // keydesk:begin and // keydesk:end is what is generated.';
    const rules = splicedInto(
      file(`${named}\nmatch /{document=**} ${open}\n// keydesk:begin\n// keydesk:end\n${named}`),
    );
    expect(matchesExposingGrants(rules)).toEqual(['/{document=**}']);
    expect(extractGenerated(rules)).toBe(extractGenerated(newRulesFile(POLICY, MAIN)));
  });

  it.each([
    `match /public/{document=**} ${open}`,
    `match /{collection}/{document}/{inner}/{leaf} ${open}`,
    `match /{rest=**}/public/{document} ${open}`,
    `match /users/{user} { match /{collection}/{document} ${open} }`,
    `// match /{document=**} ${open}`,
    `/* match /{document=**} ${open} */`,
  ])('is not seen in %s', (match) => {
    expect(matchesExposingGrants(around(match))).toEqual([]);
  });

  it('is not seen in what is generated', () => {
    expect(matchesExposingGrants(newRulesFile(POLICY, MAIN))).toEqual([]);
  });
});

it('the tokens of a policy have the tenants of all credentials of the project, and create documents in one database', () => {
  const policy = policyOf({
    ours: {
      allow: [
        { path: 'config/{document=**}', verbs: ['get', 'create'] },
        { path: 'releases/{release}', verbs: ['read', 'update'] },
      ],
    },
    adjacent: { database: 'second', tenant: 'ci-x7k2p', allow: [{ path: 'logs/{log}', verbs: ['write'] }] },
    elsewhere: { project: 'acme-other', tenant: 'other-m6tyz', allow: [{ path: 'logs/{log}', verbs: ['write'] }] },
  });
  const tenants = new Set([undefined, 'ci-x7k2p']);
  expect(tokensOfPolicy(policy, MAIN)).toEqual({ tenants, collections: new Set(['config']) });
  expect(tokensOfPolicy(policy, { ...MAIN, database: 'second' })).toEqual({ tenants, collections: new Set(['logs']) });
});
