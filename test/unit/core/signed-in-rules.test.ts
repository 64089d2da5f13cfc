import { describe, expect, it } from 'vitest';
import { rulesForAnySignedIn } from '../../../shared/core/signed-in-rules.ts';

const file = (rule: string, functions = '') => `rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    ${functions}
    match /posts/{post} {
      allow read: if ${rule};
    }
    // keydesk:begin
    match /a/{b} { allow read: if request.auth != null; }
    // keydesk:end
  }
}
`;
const found = (rule: string, functions?: string) => rulesForAnySignedIn(file(rule, functions)).length > 0;

const TOKEN = 'request.auth.token';
const PROVIDER = `${TOKEN}.firebase.sign_in_provider`;

describe('a hand-written rule is reported', () => {
  it.each([
    'request.auth != null',
    'request.auth!=null',
    'request.auth.uid != null',
    'request.auth.uid == post',
    'request.auth.uid == resource.data.owner',
    'resource.data.owner == request.auth.uid',
    'request.auth.uid in resource.data.members',
    `${TOKEN}.email_verified == true`,
    `${TOKEN}.email.matches('.*@acme[.]example')`,
    `request.auth != null && ${TOKEN}.name != ''`,
    `${PROVIDER} != 'anonymous'`,
    `${PROVIDER} == 'custom'`,
    `${PROVIDER} in ['google.com', 'custom']`,
    'resource.data.public == true || request.auth != null',
    `(request.auth != null && (resource.data.open || ${PROVIDER} == 'password'))`,
    `request.auth.uid == post || ${PROVIDER} == 'password'`,
    `${TOKEN}.admin == true || request.auth.uid == post`,
    `${TOKEN}.admin != true`,
    "request.auth != null && post != '|| !keydeskUser() ||'",
    '/* !keydeskUser() */ request.auth != null',
    'keydeskUser() || request.auth != null',
  ])('when it reads: %s', (rule) => {
    expect(found(rule)).toBe(true);
  });

  it.each([
    ['signedIn()', 'function signedIn() { return request.auth != null; }'],
    [
      'isOwner(post)',
      'function isOwner(id) { return signedIn() && me() == id; } function signedIn() { return request.auth != null; } function me() { return request.auth.uid; }',
    ],
    ['known()', 'function known() { let user = request.auth; return user != null; }'],
  ])('when it calls a function that reads so: %s', (rule, functions) => {
    expect(found(rule, functions)).toBe(true);
  });
});

describe('a hand-written rule is not reported', () => {
  it.each([
    'true',
    'false',
    'resource.data.public == true',
    'request.auth == null',
    'request.auth != null && !keydeskUser()',
    "request.auth != null && !request.auth.uid.matches('keydesk-.*')",
    `${PROVIDER} == 'password'`,
    `request.auth != null && ${PROVIDER} != 'custom'`,
    `${PROVIDER} in ['google.com', "password"]`,
    `${TOKEN}.firebase.tenant == 'customers-m6tyz'`,
    `request.auth != null && ${TOKEN}.firebase.get('tenant', null) == null`,
    `request.auth != null && ${TOKEN}.get('keydesk_grant', null) == null`,
    `request.auth != null && !('keydesk_grant' in ${TOKEN})`,
    `request.auth != null && ${TOKEN}.admin == true`,
    `${TOKEN}.role in ['editor']`,
    "request.auth.uid == 'one-user'",
    'exists(/databases/$(database)/documents/members/$(request.auth.uid))',
    "request.auth != null && get(/databases/$(database)/documents/members/$(request.auth.uid)).data.role == 'a'",
    `(${PROVIDER} == 'password' || ${TOKEN}.admin == true) && request.auth.uid == post`,
  ])('when it reads: %s', (rule) => {
    expect(found(rule)).toBe(false);
  });

  it('when a function that it calls keeps Keydesk users out', () => {
    expect(found('ours()', 'function ours() { return request.auth != null && !keydeskUser(); }')).toBe(false);
  });

  it('when it stands between the marks, or in a comment', () => {
    expect(
      rulesForAnySignedIn(
        file('false').replace('match /posts', '// allow read: if request.auth != null;\n match /posts'),
      ),
    ).toEqual([]);
  });
});

it('a report names the line of the rule and its text on one line', () => {
  expect(rulesForAnySignedIn(file('request.auth\n        != null'))).toEqual([
    { line: 6, rule: 'allow read: if request.auth != null;' },
  ]);
  const below = file('false').replace(
    /(keydesk:end\n)/,
    '$1    match /x/{y} { allow get,\n list: if request.auth.uid == y; }\n',
  );
  expect(rulesForAnySignedIn(below)).toEqual([{ line: 11, rule: 'allow get, list: if request.auth.uid == y;' }]);
});
