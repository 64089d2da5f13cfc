// What hand-written rules let a Keydesk token write, on the real Auth and Firestore emulators: `keydesk rules write` reports those
// by which it writes, and the table of test/fixtures/rules-signed-in.ts, against which the report is tested, tells the truth.

import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { putRules } from '../../sandbox/emulators.ts';
import { newRulesFile, tokensOfPolicy } from '../../shared/core/security-rules/generate.ts';
import { rulesAdmittingSignedIn } from '../../shared/core/security-rules/signed-in.ts';
import { firebasePolicyText } from '../fixtures/firestore-policy.ts';
import { firestoreAs, openInProcessKeydesk } from '../fixtures/in-process-keydesk.ts';
import {
  ADMIT_CHANGED_USER,
  ADMIT_CHANGED_USER_AT_GOOGLE,
  ADMIT_EVERY_TOKEN,
  ADMIT_NONE,
  ADMIT_OTHER_TENANT,
  ADMIT_WITH_TENANT,
  ADMIT_WITHOUT_TENANT,
  TENANT,
} from '../fixtures/rules-signed-in.ts';
import { newJobToken } from '../http/token-request.ts';

interface Outcome {
  readonly statements: string;
  readonly fresh: boolean;
  readonly changed: boolean;
  readonly reported: boolean;
}

const TABLE = [
  ...[...ADMIT_EVERY_TOKEN, ...ADMIT_CHANGED_USER, ...ADMIT_CHANGED_USER_AT_GOOGLE, ...ADMIT_NONE],
  ...[...ADMIT_WITHOUT_TENANT, ...ADMIT_WITH_TENANT, ...ADMIT_OTHER_TENANT],
];

describe.each([undefined, TENANT])('rules of an app and tokens of a policy with tenant %s', (tenant) => {
  let outcomes: Outcome[];
  beforeAll(async () => {
    const keydesk = await openInProcessKeydesk({
      policy: firebasePolicyText({ credentials: ['config'], tenant, verbs: ['read', 'write'] }),
    });
    try {
      const name = { project: keydesk.project, database: '(default)' };
      const generated = newRulesFile(keydesk.tokenDeps.policy.policy, name);
      const fileOf = (statements: readonly string[]) => {
        const matches = statements.map((each, index) => `match /app${index}/{post} {\n${each}\n}`);
        return generated.replace('// keydesk:begin', () => `${matches.join('\n')}\n// keydesk:begin`);
      };
      await putRules(inject('firestoreHost'), keydesk.project, '(default)', fileOf(TABLE));
      const response = await keydesk.requestByPath(await newJobToken(keydesk), 'config');
      expect(response.status).toBe(200);
      const fresh: string = response.json.access_token;
      const account = { email: `u-${randomBytes(4).toString('hex')}@attacker.example`, password: 'correct horse' };
      await accounts('update', { ...account, idToken: fresh });
      const changed = (await accounts('signInWithPassword', { ...account, ...(tenant && { tenantId: tenant }) }))
        .idToken;
      const writes = async (token: string, index: number) =>
        (await firestoreAs(keydesk, token, `app${index}/a`, { method: 'PATCH' })) === 200;
      outcomes = [];
      for (const [index, statements] of TABLE.entries())
        outcomes.push({
          statements,
          fresh: await writes(fresh, index),
          changed: await writes(changed, index),
          reported:
            rulesAdmittingSignedIn(fileOf([statements]), tokensOfPolicy(keydesk.tokenDeps.policy.policy, name)).length >
            0,
        });
    } finally {
      await keydesk.close();
    }
  });

  const accounts = async (method: string, body: object) => {
    const response = await fetch(
      `http://${inject('authHost')}/identitytoolkit.googleapis.com/v1/accounts:${method}?key=web-key`,
      {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ ...body, returnSecureToken: true }),
      },
    );
    expect(response.status).toBe(200);
    return (await response.json()) as { idToken: string };
  };

  it('every rule by which a token writes is reported', () => {
    expect(outcomes.filter(({ fresh, changed, reported }) => (fresh || changed) && !reported)).toEqual([]);
  });

  it('the table says by which rules a token writes', () => {
    const written = (by: 'fresh' | 'changed') =>
      outcomes.filter((each) => each[by]).map(({ statements }) => statements);
    const inTenant = tenant === undefined ? ADMIT_WITHOUT_TENANT : ADMIT_WITH_TENANT;
    expect(written('fresh').toSorted()).toEqual([...ADMIT_EVERY_TOKEN, ...inTenant].toSorted());
    expect(written('changed')).toEqual(expect.arrayContaining([...ADMIT_CHANGED_USER, ...inTenant]));
    for (const statements of [...ADMIT_NONE, ...ADMIT_OTHER_TENANT])
      expect(written('changed')).not.toContain(statements);
  });
});
