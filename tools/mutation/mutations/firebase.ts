// Guards of Firebase users: what leaves is a token of a user that nobody changed, and opens what Keydesk's rules say.

import type { Mutation } from '../mutation.ts';

const ID_TOKEN = 'shared/google/id-token.ts';
const USERS = 'shared/ledger/firebase-users.ts';
const RULES = 'shared/core/security-rules/generate.ts';
const CONDITION = 'shared/core/security-rules/condition.ts';
const RULES_TEXT = 'shared/core/security-rules/text.ts';
const SIGNED_IN = 'shared/core/security-rules/signed-in.ts';

const UNIT = 'test/unit/google/id-token.test.ts';
const REPORTED = 'test/unit/core/security-rules/signed-in.test.ts';
const CHANGED = 'test/http/changed-firebase-user.test.ts';

export const FIREBASE: readonly Mutation[] = [
  {
    id: 'only-the-first-users',
    breaks: 'answers',
    means:
      'Where new users may not sign in, a changed Firebase user keeps its pipeline out: the next one does not exist.',
    edits: [
      {
        file: 'shared/core/policy/firebase-users.ts',
        find: 'for (let generation = 0; generation < generations; generation += 1)',
        replace: 'for (let generation = 0; generation < Math.min(generations, 1); generation += 1)',
      },
    ],
    killers: ['test/unit/google/mint-id-token.test.ts'],
  },
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
    killers: ['test/unit/core/security-rules/generate.test.ts'],
  },
  {
    id: 'report-parameter-unknown',
    breaks: 'verification',
    means: 'A rule is not reported whose function is given request.auth.',
    edits: [{ file: CONDITION, find: '[parameter, values[index] ?? ANY]', replace: '[parameter, NULL]' }],
    killers: [REPORTED],
  },
  {
    id: 'report-function-of-any-block',
    breaks: 'verification',
    means: 'The last function of a name counts, whatever block it is in.',
    edits: [
      {
        file: RULES_TEXT,
        find: '  return { parent, functions: new Map() };',
        replace: '  return { parent, functions: parent?.functions ?? new Map() };',
      },
    ],
    killers: [REPORTED],
  },
  {
    id: 'report-function-of-caller',
    breaks: 'verification',
    means: 'A function calls what is around its caller, and not what is around itself.',
    edits: [
      {
        file: CONDITION,
        find: '[this.#at, this.#scope, this.#names] = [body, scope, names];',
        replace: '[this.#at, this.#scope, this.#names] = [body, this.#scope, names];',
      },
    ],
    killers: [REPORTED],
  },
  {
    id: 'report-undecided-kept-out',
    breaks: 'verification',
    means: 'A rule is not reported that cannot be read.',
    edits: [
      {
        file: CONDITION,
        find: '      if (error instanceof Undecided || error instanceof RangeError) return true;',
        replace: '      if (error instanceof Undecided || error instanceof RangeError) return false;',
      },
    ],
    killers: [REPORTED],
  },
  {
    id: 'report-rest-ignored',
    breaks: 'verification',
    means: 'What follows a condition that was read is ignored.',
    edits: [{ file: CONDITION, find: '      if (this.#at !== end) throw new Undecided();\n', replace: '' }],
    killers: [REPORTED],
  },
  {
    id: 'report-semicolon-demanded',
    breaks: 'verification',
    means: 'A rule that no semicolon ends takes the next one with it.',
    edits: [
      {
        file: RULES_TEXT,
        find: "if (depth === 0 && (begins || text === ';' || text === '}')) return at;",
        replace: "if (depth === 0 && text === ';') return at;",
      },
    ],
    killers: [REPORTED],
  },
  {
    id: 'report-any-uid-pattern',
    breaks: 'verification',
    means: 'Any pattern keeps the users of Keydesk out.',
    edits: [
      {
        file: CONDITION,
        find: 'UID_PATTERNS.includes(first.constant) ? TRUE : ANY',
        replace: 'UID_PATTERNS.includes(first.constant) ? TRUE : TRUE',
      },
    ],
    killers: [REPORTED],
  },
  {
    id: 'report-password-ignored',
    breaks: 'verification',
    means: 'A rule is not reported that only a user with a password satisfies.',
    edits: [
      {
        file: SIGNED_IN,
        find: 'if (!admits(allow, true)) return [];',
        replace: 'if (!admits(allow, false)) return [];',
      },
    ],
    killers: [REPORTED],
  },
  {
    id: 'report-any-tenant',
    breaks: 'verification',
    means: 'A rule that demands a tenant is not reported, whichever policy names.',
    edits: [
      {
        file: SIGNED_IN,
        find: 'tenant: tenant === undefined ? ABSENT : constant(tenant)',
        replace: 'tenant: tenant === undefined ? ABSENT : ABSENT',
      },
    ],
    killers: [REPORTED],
  },
  {
    id: 'report-created-document',
    breaks: 'verification',
    means: 'A document that a token may create under its uid keeps the token out.',
    edits: [{ file: CONDITION, find: ' && !this.#collections.has(collection)', replace: '' }],
    killers: [REPORTED],
  },
];
