// Who of Keydesk's may create, change or delete users of Firebase Authentication: nobody. A permission over Keydesk's users
// would be one over the customer's own. The plan of the module is judged in test/system/deploy/terraform-privileges.test.ts.

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const read = (name: string) => readFileSync(new URL(`../../deploy/terraform/${name}`, import.meta.url), 'utf8');
/** Permissions over users, and Google's roles that hold some. Sources: the role pages of Firebase and Identity Platform. */
const OVER_USERS = /firebaseauth|identityplatform|identitytoolkit|roles\/(?:firebase\w*|owner|editor|viewer)\b/;

it.each(['privileges.tf', 'privileges.json'])('no grant of the module is over users of Firebase: %s', (file) => {
  // Every grant stands in these files: terraform-privileges.test.ts.
  expect(read(file)).not.toMatch(OVER_USERS);
});

it.each(['firebaseauth.users.update', 'roles/editor'])('%s would be one', (granted) => {
  expect(`"role": "${granted}"`).toMatch(OVER_USERS);
});
