// Who of Keydesk's may create, change or delete users of Firebase Authentication: nobody. A permission over Keydesk's users
// would be one over the customer's own. The plan of the module is judged in test/system/deploy/terraform-privileges.test.ts.

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const read = (name: string) => readFileSync(new URL(`../../deploy/terraform/${name}`, import.meta.url), 'utf8');
/** Permissions over users, and Google's roles that hold some. Sources: the role pages of Firebase and Identity Platform. */
const OVER_USERS = /firebaseauth|identityplatform|identitytoolkit|roles\/(?:firebase\w*|owner|editor|viewer)\b/;

it('no grant of the module is over users of Firebase', () => {
  // Every grant stands in this file: terraform-privileges.test.ts.
  const grants = read('privileges.tf');
  expect(grants).toContain('"iam.serviceAccounts.signJwt"');
  expect(grants).not.toMatch(OVER_USERS);
  expect(`${grants} "firebaseauth.users.update"`).toMatch(OVER_USERS);
});

it('no row of PRIVILEGES.md is', () => {
  const rows = read('PRIVILEGES.md')
    .split('\n')
    .filter((line) => line.startsWith('| '));
  expect(rows.length).toBeGreaterThan(20);
  expect(rows.filter((row) => OVER_USERS.test(row))).toEqual([]);
});
