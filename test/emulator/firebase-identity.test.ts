// What a token that a job was issued is worth to somebody who keeps it, on the real Auth and Firestore emulators, with an
// app's own rules next to Keydesk's. Rules and what comes of the token are judged by the emulators alone.
// Where the emulators differ from what Google documents it is said at the test.

import { randomBytes } from 'node:crypto';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { putRules } from '../../sandbox/emulators.ts';
import { newRulesFile } from '../../shared/core/security-rules/generate.ts';
import { rulesAdmittingSignedIn } from '../../shared/core/security-rules/signed-in.ts';
import { firebasePolicyText } from '../fixtures/firestore-policy.ts';
import { firestoreAs, type InProcessKeydesk, openInProcessKeydesk } from '../fixtures/in-process-keydesk.ts';
import { newJobToken } from '../http/token-request.ts';

/** What Firebase's guides propose, and the same with the helper that Keydesk writes between its marks. */
const APP = `match /posts/{post} { allow read, create, update: if request.auth != null; }
    match /profiles/{uid} { allow read, write: if request.auth.uid == uid; }
    match /closed/{post} { allow read, create, update: if request.auth != null && !keydeskUser(); }
    // keydesk:begin`;
const TENANT = 'ci-x7k2p';

describe.each([undefined, TENANT])('a token that was kept, in tenant %s', (tenant) => {
  const credential = `config-${randomBytes(4).toString('hex')}`;
  let keydesk: InProcessKeydesk;
  let rules: string;
  beforeAll(async () => {
    keydesk = await openInProcessKeydesk({
      policy: firebasePolicyText({ credentials: [credential], tenant, verbs: ['read', 'write'] }),
    });
    const name = { project: keydesk.project, database: '(default)' };
    rules = newRulesFile(keydesk.tokenDeps.policy.policy, name).replace('// keydesk:begin', APP);
    await putRules(inject('firestoreHost'), keydesk.project, '(default)', rules);
  });
  afterAll(() => keydesk.close());

  const auth = async (path: string, body: object, headers: Record<string, string> = {}) => {
    const response = await fetch(`http://${inject('authHost')}/${path}?key=web-key`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
    // biome-ignore lint/suspicious/noExplicitAny: tests read answers they are about to check
    return { status: response.status, json: (await response.json()) as any };
  };
  const accounts = (method: string, body: object) => auth(`identitytoolkit.googleapis.com/v1/accounts:${method}`, body);
  const write = (token: string, path: string) => firestoreAs(keydesk, token, path, { method: 'PATCH' });
  const start = async () => {
    const job = keydesk.buildkite.startJob();
    const response = await keydesk.requestByPath(await keydesk.buildkite.jobToken(job), credential);
    expect(response.status).toBe(200);
    const token: string = response.json.access_token;
    return { job, token, uid: decodeJwt(token).sub ?? '' };
  };
  const issue = async () => {
    const response = await keydesk.requestByPath(await newJobToken(keydesk), credential);
    expect(response.status).toBe(200);
    const token: string = response.json.access_token;
    return { token, uid: decodeJwt(token).sub ?? '' };
  };
  const alerts = () => keydesk.audit.filter(({ event }) => event === 'firebase_user.changed').length;
  const inTenant = tenant === undefined ? {} : { tenantId: tenant };

  it('ends with its job for Keydesk’s rules, and one hour after its issuance for rules that require only a sign-in', async () => {
    const { job, token, uid } = await start();
    expect(await write(token, 'config/a')).toBe(200);
    expect(await write(token, 'closed/a')).toBe(403);
    await keydesk.notify(keydesk.buildkite.event(job));
    expect(await write(token, 'config/a')).toBe(403);
    // This is what SECURITY.md warns of, and what `keydesk rules write` reports.
    expect([await write(token, 'posts/a'), await write(token, `profiles/${uid}`)]).toEqual([200, 200]);
    expect(
      rulesAdmittingSignedIn(rules, { tenants: new Set([tenant]), collections: new Set(['config']) }).map(
        ({ rule }) => rule,
      ),
    ).toEqual([
      'allow read, create, update: if request.auth != null;',
      'allow read, write: if request.auth.uid == uid;',
    ]);
  });

  it('lets its holder read the user, which has no data', async () => {
    const { token, uid } = await start();
    const { status, json } = await accounts('lookup', { idToken: token });
    expect(status).toBe(200);
    expect(json.users).toHaveLength(1);
    expect(json.users[0]).toMatchObject({ localId: uid, customAuth: true });
    for (const held of ['email', 'phoneNumber', 'displayName', 'passwordHash', 'customAttributes'])
      expect(json.users[0]).not.toHaveProperty(held);
  });

  it('can neither disable the user nor give it claims', async () => {
    const { token } = await start();
    expect((await accounts('update', { idToken: token, disableUser: true })).status).toBe(400);
    expect((await accounts('update', { idToken: token, customAttributes: '{"admin":true}' })).status).toBe(400);
  });

  // The emulator takes a password and an address from every user. Google does only where the project or tenant has the
  // e-mail provider, and may send a message to the address first.
  it('becomes a lasting identity that opens neither the paths of Keydesk nor rules with !keydeskUser(), and no later job shares it', async () => {
    const before = alerts();
    const { job, token, uid } = await start();
    const email = `${credential}@attacker.example`;
    const updated = await accounts('update', {
      ...{ idToken: token, email, password: 'correct horse', returnSecureToken: true },
    });
    expect([updated.status, typeof updated.json.refreshToken]).toEqual([200, 'string']);
    await keydesk.notify(keydesk.buildkite.event(job));
    const signedIn = await accounts('signInWithPassword', {
      ...{ email, password: 'correct horse', returnSecureToken: true, ...inTenant },
    });
    const refreshed = await auth('securetoken.googleapis.com/v1/token', {
      grantType: 'refresh_token',
      refreshToken: updated.json.refreshToken,
    });
    const stolen = [updated.json.idToken, signedIn.json.idToken, refreshed.json.id_token];
    for (const idToken of stolen) {
      expect(decodeJwt(idToken).sub).toBe(uid);
      expect(await write(idToken, 'config/a')).toBe(403);
      expect(await write(idToken, 'closed/a')).toBe(403);
      expect(await write(idToken, 'posts/a')).toBe(200);
    }

    const next = await issue();
    expect(next.uid).not.toBe(uid);
    expect(await write(next.token, 'config/a')).toBe(200);
    expect(alerts()).toBe(before + 1);
    // What the next job writes as itself is out of the thief's reach.
    expect(await write(next.token, `profiles/${next.uid}`)).toBe(200);
    for (const idToken of stolen) expect(await firestoreAs(keydesk, idToken, `profiles/${next.uid}`)).toBe(403);
  });

  // The Auth emulator keeps the claims of the custom token in its refresh tokens; at Google they were reported to be lost
  // after a change of the user (firebase/firebase-js-sdk#9260). Keydesk's rules hang on the grant, so neither matters.
  it('refreshed after its job has ended opens nothing of Keydesk', async () => {
    const { job, token } = await start();
    const { json } = await accounts('update', {
      idToken: token,
      email: `r-${credential}@a.example`,
      returnSecureToken: true,
    });
    await keydesk.notify(keydesk.buildkite.event(job));
    const refreshed = await auth('securetoken.googleapis.com/v1/token', {
      grantType: 'refresh_token',
      refreshToken: json.refreshToken,
    });
    expect(refreshed.status).toBe(200);
    expect(await write(refreshed.json.id_token, 'config/a')).toBe(403);
    await issue();
  });

  // The Firestore emulator accepts the token of a user that is gone, as Google documents for an hour.
  it('deletes the user, which is made again for the next job', async () => {
    const { job, token, uid } = await start();
    expect((await accounts('delete', { idToken: token })).status).toBe(200);
    await keydesk.notify(keydesk.buildkite.event(job));
    expect(await write(token, 'config/a')).toBe(403);
    const before = alerts();
    const next = await issue();
    expect([next.uid, alerts()]).toEqual([uid, before]);
    expect(await write(next.token, 'config/a')).toBe(200);
  });

  it.runIf(tenant !== undefined)('does not pass for a user of the project, nor of another tenant', async () => {
    const { token } = await start();
    const claims = decodeJwt<{ firebase: object }>(token);
    const as = (firebase: object) =>
      [{ alg: 'none' }, { ...claims, firebase }, '']
        .map((part) => (part === '' ? '' : Buffer.from(JSON.stringify(part)).toString('base64url')))
        .join('.');
    expect(await write(as(claims.firebase), 'config/a')).toBe(200);
    for (const other of [undefined, 'other-m6tyz', ''])
      expect(await write(as({ ...claims.firebase, tenant: other }), 'config/a')).toBe(403);
  });
});
