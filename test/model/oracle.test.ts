// Whether the oracle would say anything: a world in which every promise is kept, and each way of breaking one. Histories,
// crash points and the day all rely on it.

import { beforeEach, describe, expect, it } from 'vitest';
import { Google, URLS } from './google.ts';
import { Oracle } from './oracle.ts';
import { jobId, PIPELINE_ID, SCARCE } from './setting.ts';
import { World } from './world.ts';

const MINUTE = 60_000;
const [POOLED = '', OTHER = ''] = SCARCE.pools.get('admin') ?? [];
const SHARED = SCARCE.accounts.at(-1) ?? '';
const [JOB, TOUCHED] = [jobId(0, 1), jobId(1, 2)];

type Stored = Record<string, unknown>;

/** A job that holds one token of each kind. */
class Kept {
  readonly world = new World(1, new Map());
  readonly google = new Google(this.world, SCARCE.accounts);
  readonly ledger = new Map<string, Stored>();
  readonly opened = new Map<string, Stored>();
  readonly oracle = new Oracle(this.world, this.google, () => ({ ledger: this.ledger, opened: this.opened }));
  readonly ends = this.world.now() + 10 * MINUTE;
  readonly over = this.oracle.requested(JOB);

  /** Writes a record, or members of one. */
  put(path: string, members: Stored): void {
    const dump = path.startsWith('keydesk_grants/') ? this.opened : this.ledger;
    dump.set(path, { ...dump.get(path), ...members });
  }

  /** The same of several in one commit. */
  write(...records: readonly (readonly [path: string, members: Stored])[]): void {
    for (const [path, members] of records) this.put(path, members);
    this.oracle.observe();
  }

  grant(id: string, credential: string, more: Stored): [string, Stored] {
    const { ends } = this;
    const subject = { id: JOB, pipeline_id: PIPELINE_ID, pipeline_slug: 'deploy', build_branch: 'main' };
    const open = { state: 'issuing', tokens: [], tokens_issued: 0, expires_at: ends, ended_at: null, ended_by: null };
    return [`grants/${id}`, { subject, credential, ...open, access_ended_at: null, job_ended_at: null, ...more }];
  }

  account(email: string, grant_id: string, pool: string): [string, Stored] {
    return [`service_accounts/${email}`, { pool, state: 'leased', grant_id, reusable_at: this.ends + MINUTE }];
  }

  async mint(email: string, job_id = JOB, seconds = 600): Promise<string> {
    const response = await this.google.sendAs('token')({
      dependency: 'mint',
      url: `${URLS.iamCredentials}/v1/projects/-/serviceAccounts/${encodeURIComponent(email)}:generateAccessToken`,
      method: 'POST',
      headers: { 'x-goog-request-reason': `buildkite-job/${job_id}` },
      json: { scope: ['https://www.googleapis.com/auth/datastore'], lifetime: `${seconds}s` },
    });
    return (response.json as { accessToken: string }).accessToken;
  }

  async change(email: string, dependency: 'enable' | 'disable'): Promise<void> {
    const url = `${URLS.iam}/v1/projects/acme-model/serviceAccounts/${encodeURIComponent(email)}:${dependency}`;
    await this.google.sendAs('sweep')({ dependency, url, method: 'POST', json: {} });
  }

  async idToken(grant_id: string): Promise<string> {
    const iss = 'signer@acme-model.iam.gserviceaccount.com';
    const aud = 'https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit';
    const iat = Math.floor(this.world.now() / 1000);
    const claims = { keydesk_grant: grant_id };
    const signed = await this.google.sendAs('token')({
      dependency: 'sign',
      url: `${URLS.iamCredentials}/v1/projects/-/serviceAccounts/${encodeURIComponent(iss)}:signJwt`,
      method: 'POST',
      headers: { 'x-goog-request-reason': `buildkite-job/${JOB}` },
      json: { payload: JSON.stringify({ iss, sub: iss, aud, iat, exp: iat + 300, uid: 'user', claims }) },
    });
    const { signedJwt } = signed.json as { signedJwt: string };
    const response = await this.google.sendRequest({
      dependency: 'sign in',
      url: `${URLS.identityToolkit}/v1/accounts:signInWithCustomToken?key=web-key`,
      method: 'POST',
      json: { token: signedJwt, returnSecureToken: true },
    });
    return (response.json as { idToken: string }).idToken;
  }

  /** The token is on record and leaves. */
  leave(grant: string, accessToken: string): void {
    const { sha256 } = this.google.token(accessToken) ?? { sha256: '' };
    this.write([`grants/${grant}`, { state: 'active', tokens_issued: 1, tokens: [{ sha256, expires_at: this.ends }] }]);
    this.oracle.issued(grant, accessToken, this.ends);
  }

  async hold(): Promise<void> {
    this.write(
      this.grant('f', 'config', { kind: 'firestore', revocation: 'immediate' }),
      this.grant('p', 'admin', { kind: 'pooled_service_account', revocation: 'propagating', service_account: POOLED }),
      this.grant('s', 'export', { kind: 'service_account', revocation: 'expiry', service_account: SHARED }),
      this.account(POOLED, 'p', 'admin'),
      [`jobs/${JOB}`, { ended_at: null }],
    );
    this.write(['keydesk_grants/f', { state: 'active', expires_at: this.ends }]);
    this.leave('f', await this.idToken('f'));
    this.leave('p', await this.mint(POOLED));
    this.leave('s', await this.mint(SHARED));
  }

  /** The job has really ended, and that is on record with what it means. */
  end(): void {
    const now = this.world.now();
    this.google.finishedJobs.add(JOB);
    const ended = { ended_at: now, ended_by: 'job.finished', job_ended_at: now };
    this.write(
      [`jobs/${JOB}`, { ended_at: now }],
      ['grants/f', { ...ended, state: 'revoking' }],
      ['grants/p', { ...ended, state: 'revoking' }],
      ['grants/s', ended],
      [`service_accounts/${POOLED}`, { state: 'revoking' }],
    );
  }

  async revoke(): Promise<void> {
    const now = this.world.now();
    await this.change(POOLED, 'disable');
    this.write(['keydesk_grants/f', { state: 'ended', expires_at: now }]);
    this.write(
      ['grants/f', { state: 'revoked', access_ended_at: now }],
      ['grants/p', { state: 'revoked', access_ended_at: now }],
      [`service_accounts/${POOLED}`, { state: 'cooling_down' }],
    );
  }
}

let kept: Kept;
beforeEach(async () => {
  kept = new Kept();
  await kept.hold();
});

describe('the oracle', () => {
  it('says nothing while everything is kept, from the first token to the end', async () => {
    kept.world.throwIfViolated();
    kept.end();
    kept.world.throwIfViolated();
    await kept.revoke();
    kept.world.throwIfViolated();
    await kept.world.pass(12 * MINUTE);
    kept.write(['grants/s', { state: 'expired', access_ended_at: kept.ends }]);
    await kept.change(POOLED, 'enable');
    kept.write([`service_accounts/${POOLED}`, { state: 'free', grant_id: null }]);
    kept.oracle.end();
    kept.world.throwIfViolated();
  });

  const grant = (id: string, members: Stored) => () => kept.write([`grants/${id}`, members]);
  const account = (members: Stored) => () => kept.write([`service_accounts/${POOLED}`, members]);
  const ended = (work: () => unknown) => () => {
    kept.end();
    return work();
  };

  it.each<[objection: string, breaks: () => unknown]>([
    ['I1: ya29.c.of-the-model-3 left, lives, and is not on record', grant('p', { tokens: [] })],
    ['I1: later left and is not on record', () => kept.oracle.issued('p', 'later', kept.ends)],
    [
      'I1: ya29.c.of-the-model-3 was promised for longer than admin of 0/1 lives',
      () => kept.oracle.issued('p', 'ya29.c.of-the-model-3', kept.ends + 1),
    ],
    [
      'I1: the document of x is open, and its grant is not on record',
      () => kept.write(['keydesk_grants/x', { state: 'active', expires_at: 0 }]),
    ],
    ['I1: admin of 0/1 has a token on record that was never minted', grant('p', { tokens: [{ sha256: 'x' }] })],
    ['I2: the end of job', ended(() => kept.write([`jobs/${JOB}`, { ended_at: null }]))],
    [`I2: job ${JOB} is ended on record, and it runs`, () => kept.write([`jobs/${JOB}`, { ended_at: 1 }])],
    ['I2: admin of 0/1 got a token although job.finished', ended(() => grant('p', { tokens_issued: 2 })())],
    [
      'I2: admin of 0/1 got a token although a switch bars it',
      () => {
        kept.oracle.activated({ id: 'a switch', named: { credential: 'admin' }, excused: () => false });
        grant('p', { tokens_issued: 2 })();
      },
    ],
    [
      `I2: a token is asked for job ${JOB}, which had ended before`,
      ended(() => {
        kept.over();
        return kept.mint(SHARED);
      }),
    ],
    ['I3: config of 0/1 is not marked ended and its job has', ended(() => grant('f', { ended_at: null })())],
    [
      'I3: admin of 0/1 is active and its job has ended',
      () => {
        kept.google.finishedJobs.add(JOB);
        kept.write([`jobs/${JOB}`, { ended_at: kept.world.now() }], ['grants/f', { state: 'revoking', ended_at: 1 }]);
      },
    ],
    [
      'I3: the document of config of 0/1 is open longer than its record says',
      () => kept.write(['keydesk_grants/f', { expires_at: kept.ends + 1 }]),
    ],
    [
      'I3: config of 0/1 is revoked on record and its document is active',
      ended(() => grant('f', { state: 'revoked' })()),
    ],
    ['I3: the rules let config of 0/1 in and it is expired', grant('f', { state: 'expired', ended_at: 1 })],
    [
      'I3: the rules let config of 0/1 in, it was ended, and it is active',
      grant('f', { ended_at: 1, ended_by: 'released' }),
    ],
    [
      'I3: ya29.c.of-the-model-3 works and its grant is revoked',
      ended(() =>
        kept.write(
          ['grants/p', { state: 'revoked', access_ended_at: 1 }],
          [`service_accounts/${POOLED}`, { state: 'cooling_down' }],
        ),
      ),
    ],
    [
      'I3: ya29.c.of-the-model-3 works and its grant is expired',
      () =>
        kept.write(
          ['grants/p', { state: 'expired', ended_at: 1, access_ended_at: 1 }],
          [`service_accounts/${POOLED}`, { state: 'cooling_down' }],
        ),
    ],
    ['I3: ya29.c.of-the-model-3 works, its grant was ended, and', grant('p', { ended_at: 1, ended_by: 'released' })],
    [
      "I3: admin of 0/1 waits for its tokens' end, and its account is not disabled",
      ended(() =>
        kept.write(
          ['grants/p', { revocation: 'expiry', access_ended_at: kept.ends }],
          [`service_accounts/${POOLED}`, { state: 'cooling_down' }],
        ),
      ),
    ],
    ['I3: ya29.c.of-the-model-4 works and its grant is expired', grant('s', { state: 'expired', ended_at: 1 })],
    ['I3: ya29.c.of-the-model-3 lives longer than its record says', grant('p', { expires_at: tenMinutesOn() - 1 })],
    ['I3: admin of 0/1 is called revoked', ended(() => grant('p', { state: 'revoked', revocation: 'expiry' })())],
    [
      `I4: ${POOLED} serves`,
      () =>
        kept.write(
          kept.grant('q', 'admin', {
            subject: { id: TOUCHED },
            kind: 'pooled_service_account',
            service_account: POOLED,
          }),
        ),
    ],
    ['I4: admin of 0/1 is active and', account({ grant_id: 'q' })],
    [`I4: a token of ${POOLED} is asked for job ${TOUCHED}`, () => kept.mint(POOLED, TOUCHED)],
    [`I4: ${POOLED} was disabled while it is leased`, () => kept.change(POOLED, 'disable')],
    ['I4: ya29.c.of-the-model-4 is of', grant('s', { service_account: OTHER })],
    ['I5: ya29.c.of-the-model-5 lives longer than', () => kept.mint(POOLED, JOB, 900)],
    [`I5: ${POOLED} has a shorter cooldown than it had`, account({ reusable_at: 0 })],
    [
      `I5: ${POOLED} was enabled and ya29.c.of-the-model-3 lives`,
      ended(async () => {
        await kept.revoke();
        await kept.change(POOLED, 'enable');
      }),
    ],
    [
      `I5: ${POOLED} is free and has not cooled down`,
      () =>
        kept.write(
          ['grants/p', { state: 'expired', ended_at: 1 }],
          [`service_accounts/${POOLED}`, { state: 'free', grant_id: null }],
        ),
    ],
    [
      'I6: ya29.c.of-the-model-3 was taken away from a job that runs',
      () => {
        Object.assign(kept.google.accounts.get(POOLED) ?? {}, { enabled: false, changedBy: 'keydesk' });
        kept.oracle.observe();
      },
    ],
    [
      'I6: grants/p is gone',
      () => {
        kept.ledger.delete('grants/p');
        kept.oracle.observe();
      },
    ],
    ['I6: config of 0/1 stays active', () => kept.oracle.end()],
    ['I7: locks/x holds a token', () => kept.write(['locks/x', { why: 'ya29.c.of-the-model-3' }])],
    ["I7: a token's text was reported", () => kept.oracle.reported({ detail: 'ya29.c.of-the-model-3' })],
    [
      'I8',
      () =>
        kept.google
          .sendAs('webhook')({
            dependency: 'enable',
            url: `${URLS.iam}/v1/projects/acme-model/serviceAccounts/${encodeURIComponent(POOLED)}:enable`,
            method: 'POST',
            json: {},
          })
          .catch(() => {}),
    ],
    ['STATES: grant config of 0/1 took the step active>issuing', grant('f', { state: 'issuing' })],
    [`STATES: account ${POOLED} took the step leased>asleep`, account({ state: 'asleep' })],
  ])('objects: %s', async (objection, breaks) => {
    await breaks();
    expect(() => kept.world.throwIfViolated()).toThrow(objection);
  });
});

/** Ten minutes from where every world begins. */
function tenMinutesOn(): number {
  return new World(1, new Map()).now() + 10 * MINUTE;
}
