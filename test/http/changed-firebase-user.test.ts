// A job that changes, with the token it holds, the Firebase user that all jobs of its pipeline share. It gets in nowhere by
// that, the next job gets a user that nobody changed, and an event is logged.

import { randomBytes } from 'node:crypto';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { tokenSha256 } from '../../shared/core/grant/id.ts';
import { callToolkit, changeFirebaseUser } from '../fixtures/firebase-thief.ts';
import { firebasePolicyText } from '../fixtures/firestore-policy.ts';
import {
  databaseOf,
  firestoreAs,
  type InProcessKeydesk,
  openInProcessKeydesk,
} from '../fixtures/in-process-keydesk.ts';
import { grantsOf, newJobToken } from './token-request.ts';

const TENANT = 'ci-x7k2p';
/** A credential of its own for each test, so that each has a user of its own: the Auth emulator is one for all files. */
const NAMES = Array.from({ length: 12 }, () => `config-${randomBytes(4).toString('hex')}`);

describe.each([undefined, TENANT])('in tenant %s', (tenant) => {
  let keydesk: InProcessKeydesk;
  let used = 0;
  beforeAll(async () => {
    keydesk = await openInProcessKeydesk({
      policy: firebasePolicyText({ credentials: NAMES, tenant, verbs: ['read', 'write'] }),
    });
  });
  afterAll(async () => {
    expect(keydesk.google.unexpected).toEqual([]);
    await keydesk.close();
  });

  const fresh = () => NAMES[used++] ?? 'too few names';
  const issue = async (credential: string): Promise<{ token: string; uid: string; grant_id: string }> => {
    const response = await keydesk.requestByPath(await newJobToken(keydesk), credential);
    expect(response.status).toBe(200);
    const { access_token: token, grant_id } = response.json;
    return { token, uid: decodeJwt(token).sub ?? '', grant_id };
  };
  const toolkit = (method: string, body: object) => callToolkit(keydesk, method, body);
  const alerts = (credential: string) =>
    keydesk.audit.filter((line) => line.event === 'firebase_user.changed' && line.credential === credential);
  const expectNextUser = async (credential: string, changed: { uid: string }, found: string[]) => {
    const next = await issue(credential);
    expect(next.uid).not.toBe(changed.uid);
    expect(next.uid).toMatch(/^keydesk-[0-9a-f]{40}$/);
    expect(await firestoreAs(keydesk, next.token, 'config/a', { method: 'PATCH' })).toBe(200);
    expect(decodeJwt(next.token)).not.toHaveProperty('email');
    expect(alerts(credential)).toMatchObject([
      {
        ...{ severity: 'CRITICAL', uid: changed.uid, next_uid: next.uid, generation: 0, found },
        ...{ project: keydesk.project, tenant: tenant ?? null, found_by_grant: next.grant_id },
      },
    ]);
    // The next one is the same user, and no second event is logged.
    expect((await issue(credential)).uid).toBe(next.uid);
    expect(alerts(credential)).toHaveLength(1);
    // On record is the one token that left, and not the one that was refused.
    const grant = await databaseOf(keydesk.project, 'ledger').collection('grants').doc(next.grant_id).get();
    expect(grant.data()).toMatchObject({ tokens_issued: 1, token_sha256s: [tokenSha256(next.token)] });
  };
  const signInAs = (email: string) =>
    toolkit('signInWithPassword', {
      ...{ email, password: 'correct horse', returnSecureToken: true },
      ...(tenant === undefined ? {} : { tenantId: tenant }),
    });
  const change = (idToken: string, changes: object) => changeFirebaseUser(keydesk, idToken, changes);

  it('a token names the tenant of policy or none, and its user is one for all jobs of the pipeline', async () => {
    const credential = fresh();
    const [first, second] = [await issue(credential), await issue(credential)];
    expect(second.uid).toBe(first.uid);
    expect(decodeJwt<{ firebase: object }>(first.token).firebase).toEqual({
      ...{ identities: {}, sign_in_provider: 'custom' },
      ...(tenant === undefined ? {} : { tenant }),
    });
    expect(await firestoreAs(keydesk, first.token, 'config/a', { method: 'PATCH' })).toBe(200);
  });

  it('an e-mail address and a password let nobody in, and the next job is another user', async () => {
    const credential = fresh();
    const stolen = await issue(credential);
    const email = `${credential}@attacker.example`;
    const updated = await change(stolen.token, { email, password: 'correct horse' });
    const signedIn = await signInAs(email);
    expect(decodeJwt(signedIn.idToken).sub).toBe(stolen.uid);
    for (const { idToken } of [updated, signedIn]) expect(await firestoreAs(keydesk, idToken, 'config/a')).toBe(403);
    await expectNextUser(credential, stolen, ['email', 'firebase.identities.email']);
    expect(keydesk.lines.join()).not.toContain('attacker.example');
    expect(await firestoreAs(keydesk, (await signInAs(email)).idToken, 'config/a')).toBe(403);
  });

  it('a name is enough to make the next job another user', async () => {
    const credential = fresh();
    const stolen = await issue(credential);
    await change(stolen.token, { displayName: 'Somebody' });
    await expectNextUser(credential, stolen, ['name']);
  });

  it('a user that was deleted is made again for the next job', async () => {
    const credential = fresh();
    const stolen = await issue(credential);
    await toolkit('delete', { idToken: stolen.token });
    const next = await issue(credential);
    // Nothing was left in it: it is as new, so it may have the same uid, and there is nothing to tell.
    expect(next.uid).toBe(stolen.uid);
    expect(await firestoreAs(keydesk, next.token, 'config/a', { method: 'PATCH' })).toBe(200);
    expect(alerts(credential)).toEqual([]);
  });

  it.runIf(inject('ledger') === 'memory')('a user that was disabled keeps no job out', async () => {
    const credential = fresh();
    const stolen = await issue(credential);
    const user = keydesk.google.firebaseUsers.find(({ uid }) => uid === stolen.uid);
    Object.assign(user ?? {}, { disabled: true });
    await expectNextUser(credential, stolen, ['USER_DISABLED']);
  });

  it('a thief that does it again and again keeps no job out', async () => {
    const credential = fresh();
    const uids = new Set<string>();
    for (let round = 0; round < 4; round += 1) {
      const stolen = await issue(credential);
      uids.add(stolen.uid);
      await change(stolen.token, { displayName: `Somebody ${round}` });
    }
    expect(uids.size).toBe(4);
    expect(alerts(credential).map(({ generation }) => generation)).toEqual([0, 1, 2]);
  });

  it('a changed user is replaced by one next user for all jobs that find it at once, and logged once', async () => {
    const credential = fresh();
    const stolen = await issue(credential);
    await change(stolen.token, { displayName: 'Somebody' });
    const found = await Promise.all([issue(credential), issue(credential), issue(credential)]);
    expect(new Set(found.map(({ uid }) => uid)).size).toBe(1);
    expect(found[0]?.uid).not.toBe(stolen.uid);
    expect(alerts(credential)).toHaveLength(1);
  });

  it('a job that ended gets no token of the next user either', async () => {
    const credential = fresh();
    const stolen = await issue(credential);
    await change(stolen.token, { displayName: 'Somebody' });
    const job = keydesk.buildkite.startJob();
    const jobToken = await keydesk.buildkite.jobToken(job);
    const { mint } = keydesk.tokenDeps;
    keydesk.tokenDeps.mint = async (request) => {
      const minted = await mint(request);
      await keydesk.notify(keydesk.buildkite.event(job));
      return minted;
    };
    const response = await keydesk.requestByPath(jobToken, credential);
    keydesk.tokenDeps.mint = mint;
    expect(response.json).toMatchObject({ error: 'invalid_grant' });
    for (const grant of await grantsOf(keydesk, jobToken))
      expect(grant).toMatchObject({ tokens: [], tokens_issued: 0 });
    // The change of the user is logged all the same.
    expect(alerts(credential)).toHaveLength(1);
  });
});
