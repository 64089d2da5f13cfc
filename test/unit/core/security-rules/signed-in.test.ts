import { describe, expect, it } from 'vitest';
import { rulesAdmittingSignedIn } from '../../../../shared/core/security-rules/signed-in.ts';
import {
  ADMIT_CHANGED_USER,
  ADMIT_CHANGED_USER_AT_GOOGLE,
  ADMIT_EVERY_TOKEN,
  ADMIT_NONE,
  ADMIT_OTHER_TENANT,
  ADMIT_WITH_TENANT,
  ADMIT_WITHOUT_TENANT,
  TENANT,
} from '../../../fixtures/rules-signed-in.ts';

const file = (statements: string) => `rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    match /posts/{post} {
      ${statements}
    }
    // keydesk:begin
    function keydeskAllows(credentials) { return request.auth != null && credentials != ''; }
    function keydeskUser() { return request.auth != null && request.auth.uid.matches('keydesk-[0-9a-f]{40}'); }
    match /a/{b} { allow read: if request.auth != null; }
    // keydesk:end
  }
}
`;
const tokens = (...tenants: (string | undefined)[]) => ({
  tenants: new Set(tenants),
  collections: new Set(['opened']),
});
const found = (statements: string, tenants: readonly (string | undefined)[] = [undefined]) =>
  rulesAdmittingSignedIn(file(statements), tokens(...tenants)).map(({ admits }) => admits);

describe.each([undefined, TENANT])('of a policy with tenant %s', (tenant) => {
  it.each(ADMIT_EVERY_TOKEN)('a rule is reported that every token satisfies: %s', (statements) => {
    expect(found(statements, [tenant])).toContain('every_token');
  });

  it.each([...ADMIT_CHANGED_USER, ...ADMIT_CHANGED_USER_AT_GOOGLE])(
    'a rule is reported that a user with a password satisfies: %s',
    (statements) => {
      expect(found(statements, [tenant])).toEqual(['changed_user']);
    },
  );

  it.each(ADMIT_NONE)('a rule is not reported that no token satisfies: %s', (statements) => {
    expect(found(statements, [tenant])).toEqual([]);
  });

  it.each([
    ...ADMIT_WITHOUT_TENANT.map((statements) => ({ statements, reported: tenant === undefined })),
    ...ADMIT_WITH_TENANT.map((statements) => ({ statements, reported: tenant === TENANT })),
    ...ADMIT_OTHER_TENANT.map((statements) => ({ statements, reported: false })),
  ])('a rule is reported by the tenant that it demands: $statements', ({ statements, reported }) => {
    expect(found(statements, [tenant])).toEqual(reported ? ['every_token'] : []);
  });
});

it('a rule is reported that tokens of any credential of the project satisfy', () => {
  for (const statements of [...ADMIT_WITHOUT_TENANT, ...ADMIT_WITH_TENANT])
    expect(found(statements, [undefined, TENANT])).toEqual(['every_token']);
});

describe('a rule is reported that the text does not decide', () => {
  it.each([
    'request.auth.uid == post',
    'request.auth.uid == resource.data.owner',
    'resource.data.owner == request.auth.uid',
    'request.auth.uid in resource.data.members',
    `request.auth.uid == 'keydesk-${'a'.repeat(40)}'`,
    'resource.data.public == true || request.auth != null',
    'request.auth.token[post] == true',
    'request.auth.token.admin == null',
    'request.auth.token.admin != true',
    "request.auth.token.firebase.tenant != 'customers-m6tyz'",
    '!(request.auth.token.admin == true)',
    'request.auth.token.admin == true || request.auth.uid == post',
    "request.auth.uid.matches('[a-z]+')",
    'request.auth == null == false',
    'get(/databases/$(database)/documents/members/$(request.auth.uid)) == null',
    'get(/databases/$(database)/documents/members/$(post)).data.owner == request.auth.uid',
    'exists(/databases/$(database)/documents/opened/$(request.auth.uid))',
    "get(/databases/$(database)/documents/opened/a/b/$(request.auth.uid)).data.role == 'a'",
    'exists(/databases/$(database)/documents/$(post)/$(request.auth.uid))',
    'nowhere()',
    `${'('.repeat(50_000)}request.auth.token.admin == true${')'.repeat(50_000)}`,
    'loop()',
    'request.auth.token.admin == true @ 1',
    'request.auth.token.admin == true )',
  ])('when it reads: %.90s', (condition) => {
    expect(found(`function loop() { return loop(); } allow read: if ${condition};`)).not.toEqual([]);
  });
});

describe('a rule is not reported', () => {
  it.each([
    'true',
    'resource.data.public == true',
    'request.resource.data.size() < 9',
    'request.time > resource.data.x',
  ])('when it requires no sign-in: %s', (condition) => {
    expect(found(`function size(r) { return r.resource.data.size(); } allow read: if ${condition};`)).toEqual([]);
  });

  it('when it has no condition', () => {
    expect(found('allow read;')).toEqual([]);
  });

  it('when it stands between the marks, or in a comment', () => {
    expect(found('// allow read: if request.auth != null;')).toEqual([]);
  });

  it('when it requires a live grant by the function between the marks, and by no other of its name', () => {
    expect(found("allow read: if keydeskAllows('web');")).toEqual([]);
    expect(found("allow read: if !keydeskAllows('web') && request.auth != null;")).toEqual(['every_token']);
    const own = 'function keydeskAllows(name) { return request.auth != null; }';
    expect(found(`${own} allow read: if keydeskAllows('web');`)).toEqual(['every_token']);
  });
});

it('a rule is found behind matches, functions and other rules of any form', () => {
  const before = `function f(a, b) { let m = {'a': 1}; return a.match != b[m.a].allow }
    match /allow/{function}/x/{all=**} { allow read }
    match /y/{a} { allow read: if resource.data.allow == 1 && resource.data.match == '}' }`;
  expect(found(`${before} allow read: if request.auth != null`)).toEqual(['every_token']);
  expect(found(`match /z/{a=**} { allow read: if request.auth != null }`)).toEqual(['every_token']);
});

it('a path of more wildcards than there is stack is read to its end', () => {
  expect(found(`match ${'/{a}'.repeat(30_000)} { allow read: if request.auth != null }`)).toEqual(['every_token']);
});

it('a report names the line of the rule and its text on one line', () => {
  expect(rulesAdmittingSignedIn(file('allow read: if request.auth\n        != null;'), tokens(undefined))).toEqual([
    { line: 5, rule: 'allow read: if request.auth != null;', admits: 'every_token' },
  ]);
  const below = file('allow get; allow get,\n list: if request.auth.uid == post }\n match /o/{p} {');
  expect(rulesAdmittingSignedIn(below, tokens(undefined))).toEqual([
    { line: 5, rule: 'allow get, list: if request.auth.uid == post', admits: 'every_token' },
  ]);
});
