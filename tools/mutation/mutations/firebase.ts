// Guards of Firebase users: what leaves is a token of a user that nobody changed, and opens what Keydesk's rules say.

import type { Mutation } from '../mutation.ts';

const ID_TOKEN = 'shared/google/id-token.ts';
const USERS = 'shared/ledger/firebase-users.ts';
const RULES = 'shared/core/firestore-rules.ts';

const UNIT = 'test/unit/google/id-token.test.ts';
const CHANGED = 'test/http/changed-firebase-user.test.ts';

export const FIREBASE: readonly Mutation[] = [
  {
    id: 'id-token-of-any-project',
    breaks: 'verification',
    means: 'A token of another project than policy names leaves.',
    edits: [
      {
        file: ID_TOKEN,
        find: '  return misconfiguration(payload.data, expected) ?? change(',
        replace: '  return change(',
      },
    ],
    killers: [UNIT],
  },
  {
    id: 'id-token-of-changed-user',
    breaks: 'verification',
    means: 'A token of a user that somebody changed leaves.',
    edits: [
      {
        file: ID_TOKEN,
        find: ' ?? change(payload.data, expected) ??',
        replace: ' ??',
      },
    ],
    killers: [UNIT, CHANGED],
  },
  {
    id: 'identities-unjudged',
    breaks: 'verification',
    means: "A user with another provider's identity passes for one that nobody changed.",
    edits: [
      {
        file: ID_TOKEN,
        find: '    ...Object.keys(payload.firebase.identities ?? {}).map(',
        replace: '    ...Object.keys({}).map(',
      },
    ],
    killers: [UNIT],
  },
  {
    id: 'changed-user-found-twice',
    breaks: 'limits',
    means: 'Every instance that finds a changed user ends one more generation.',
    edits: [
      {
        file: USERS,
        find: 'if (record && record.generation > generation)',
        replace: 'if (record && record.generation > generation + 1)',
      },
    ],
    killers: ['test/http/ledger/firebase-users.test.ts'],
  },
  {
    id: 'changed-user-comes-back',
    breaks: 'verification',
    means: 'An instance goes on with the user that was changed.',
    edits: [{ file: USERS, find: '      remember(id, outcome.generation);\n', replace: '' }],
    killers: ['test/http/ledger/firebase-users.test.ts', CHANGED],
  },
  {
    id: 'rules-without-tenant',
    breaks: 'verification',
    means: 'The generated rules do not demand the tenant that policy names.',
    edits: [
      {
        file: RULES,
        find: "return credential.tenant === undefined ? 'null'",
        replace: "return credential.tenant !== '' ? 'null'",
      },
    ],
    killers: ['test/unit/core/firestore-rules.test.ts'],
  },
];
