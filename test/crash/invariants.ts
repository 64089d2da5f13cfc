// What must hold at every moment, whatever was cut off: the ledger and the grant documents compared with Google's truth.
// Reads past the processes, so that nothing it does can be cut off.

import type { DocumentSnapshot } from '@google-cloud/firestore';
import { expect } from 'vitest';
import type { Grant } from '../../shared/core/grant.ts';
import { idOf } from '../../shared/core/grant-life.ts';
import { fromStored } from '../../shared/ledger/firestore-client.ts';
import {
  accountDocument,
  barriersDocument,
  grantDocument,
  jobDocument,
  toAccount,
  toBarriers,
  toGrant,
  toJobRecord,
} from '../../shared/ledger/records.ts';
import type { CrashJob, World } from './world.ts';

export type Records = Awaited<ReturnType<typeof read>>;
type OpenDocument = { readonly state: 'active' | 'ended'; readonly expires_at: number };

/** All that is on record. */
async function read({ ledger, jobs, accounts }: World) {
  const documents = await ledger.getAll(
    barriersDocument(ledger),
    ...accounts.map((email) => accountDocument(ledger, email)),
    ...jobs.flatMap(({ id, grant_id }) => [
      grantDocument(ledger, grant_id),
      jobDocument(ledger, id),
      ledger.collection('keydesk_grants').doc(grant_id),
    ]),
  );
  const byPath = new Map(documents.map((document) => [document.ref.path, document]));
  const at = (path: string) => byPath.get(path) as DocumentSnapshot;
  const toDocument = (snapshot: DocumentSnapshot) =>
    snapshot.exists ? (fromStored(snapshot.data()) as OpenDocument) : undefined;
  return {
    barriers: toBarriers(at('barriers/current')),
    grants: jobs.flatMap(({ grant_id }) => toGrant(at(`grants/${grant_id}`)) ?? []),
    jobs: new Map(jobs.map(({ id }) => [id, toJobRecord(at(`jobs/${id}`))])),
    accounts: new Map(accounts.map((email) => [email, toAccount(at(`service_accounts/${email}`))])),
    documents: new Map(jobs.map(({ grant_id }) => [grant_id, toDocument(at(`keydesk_grants/${grant_id}`))])),
  };
}

/** Whether the job's hold on its credential was ended, on record, by anything but the clock. */
export function isOver({ jobs, grants, barriers }: Records, job: CrashJob): boolean {
  const grant = grants.find((found) => idOf(found) === job.grant_id);
  const ended = grant !== undefined && grant.ended_by !== null && grant.ended_by !== 'clock';
  const barred = barriers.some(({ selector }) => selector.pipeline_slug === job.pipeline);
  return barred || ended || (jobs.get(job.id)?.ended_at ?? null) !== null;
}

/** Asserts what must hold at every moment. */
export async function inspect(world: World): Promise<Records> {
  const records = await read(world);
  whatLeftIsOnRecord(world, records);
  tokensAreCovered(world, records);
  accountsServeOneEach(records);
  whatEndedIsDead(world, records);
  return records;
}

/** I1. */
function whatLeftIsOnRecord({ given, lane }: World, { grants, documents }: Records): void {
  const grantOf = (grant_id: string) => grants.find((grant) => idOf(grant) === grant_id);
  for (const { job, sha256, expires_at } of given) {
    const grant = grantOf(job.grant_id);
    expect(grant, 'I1: a token left, and its grant is not on record').toBeDefined();
    if (expires_at <= lane.clock.now) continue;
    const onRecord = grant?.tokens.map((token) => token.sha256);
    expect(onRecord, 'I1: a token left and is not on record').toContain(sha256);
  }
  for (const [grant_id, document] of documents) {
    const until = grantOf(grant_id)?.expires_at ?? 0;
    if (document?.state === 'active')
      expect(document.expires_at, 'I1: a document is open for longer than is on record').toBeLessThanOrEqual(until);
  }
}

/** I4 and I5, by what Google really did: also for tokens that never left. */
function tokensAreCovered({ minted, accounts, lane }: World, records: Records): void {
  const { clock, google } = lane;
  for (const token of minted.filter(({ account }) => accounts.includes(account))) {
    const account = records.accounts.get(token.account);
    expect(account?.rests_until, 'I5: a token outlives its account’s rest').toBeGreaterThanOrEqual(token.expiresAt);
    if (token.expiresAt > clock.now)
      expect(account?.state, 'I5: an account is free while a token of it is unexpired').not.toBe('free');
    const others = minted.filter(({ account, job_id }) => account === token.account && job_id !== token.job_id);
    const sharing = others.filter(({ at, expiresAt }) => at < token.expiresAt && token.at < expiresAt);
    expect(sharing, 'I4: two jobs had live tokens of one account').toEqual([]);
    const enabled = google.changes.filter(({ account, disabled }) => account === token.account && !disabled);
    const early = enabled.filter(({ at }) => at >= token.at && at < token.expiresAt);
    expect(early, 'I5: an account was enabled while a token of it was unexpired').toEqual([]);
  }
}

/** I4, by the ledger. */
function accountsServeOneEach({ grants, accounts }: Records): void {
  const live = grants.filter(isLivePooled);
  for (const grant of live) {
    const sharing = live.filter(({ service_account }) => service_account === grant.service_account);
    expect(sharing.map(idOf), 'I4: live grants have one account').toEqual([idOf(grant)]);
    const state = grant.state === 'revoking' ? 'revoking' : 'leased';
    if (grant.state === 'revoking' && grant.dead_at !== null) continue;
    const account = accounts.get(grant.service_account);
    expect(account, 'I4: a live grant’s account is not its own').toMatchObject({ state, grant: idOf(grant) });
  }
}

/** I2 and I3; and what has not ended still works. */
function whatEndedIsDead({ given, minted, narrowed, lane }: World, { grants, jobs, documents }: Records): void {
  const { clock, google } = lane;
  for (const grant of grants) {
    const ended = jobs.get(grant.job_id)?.ended_at != null;
    if (ended) expect(grant.ended_at, 'I2: the job has ended, and its grant has not').not.toBeNull();
    if (ended && grant.revocation !== 'expiry')
      expect(grant.state, 'I3: the job has ended, and its grant is not being revoked').toMatch(/^(revok|expired)/);
    if (grant.state === 'revoked')
      expect(documents.get(idOf(grant))?.state, 'I3: the grant is revoked and its document open').not.toBe('active');

    if (grant.kind !== 'pooled_service_account') continue;
    // One that never left is nobody's: an account that is set aside is not disabled for it.
    if (grant.storage) {
      // Whether a narrowed token dies with its account is not established: its grant may never say so.
      expect(grant.state, 'I3: a grant is called revoked and its tokens may live').not.toBe('revoked');
      const works = narrowed.some(({ job_id, expiresAt }) => job_id === grant.job_id && expiresAt > clock.now);
      if (grant.state === 'expired') expect(works, 'I3: the grant is expired and its token works').toBe(false);
      if (grant.state === 'revoking' && grant.dead_at !== null)
        expect(google.accounts.get(grant.service_account), 'I3: an account was to be disabled').toEqual({
          disabled: true,
        });
      continue;
    }
    const left = minted.filter(({ accessToken }) => given.some((token) => token.accessToken === accessToken));
    const working = left
      .filter(({ job_id, expiresAt }) => job_id === grant.job_id && expiresAt > clock.now)
      .filter(({ account }) => !google.accounts.get(account)?.disabled);
    if (grant.state === 'revoked' || grant.state === 'expired')
      expect(working, `I3: the grant is ${grant.state} and its token works`).toEqual([]);
    const due = given.filter(({ job, expires_at }) => job.id === grant.job_id && expires_at > clock.now);
    if (grant.ended_at === null) expect(working.length, 'a token was taken away from a running job').toBe(due.length);
  }
}

/** Asserts that everything has come to its end: nothing is open, nothing works, and no account is lost. */
export async function inspectEnd(world: World): Promise<Records> {
  const records = await inspect(world);
  const { grants, accounts, documents } = records;
  const { google, clock } = world.lane;
  for (const { state, kind } of grants)
    expect(state, `I6: a grant, ${kind}, did not end`).toMatch(/^(revoked|expired)$/);
  for (const [email, account] of accounts) {
    expect(account?.state ?? 'free', 'I6: an account is lost to the ledger').toBe('free');
    expect(google.accounts.get(email), 'I6: an account is lost to Google').toEqual({ disabled: false });
  }
  for (const document of documents.values())
    if (document?.state === 'active')
      expect(document.expires_at, 'I6: a grant document is open').toBeLessThanOrEqual(clock.now);
  const mine = google.minted.filter(({ account }) => account.endsWith(`@${world.project}.iam.gserviceaccount.com`));
  expect(world.minted.length, 'the harness missed a token').toBe(mine.length);
  for (const { accessToken } of [...world.minted, ...world.narrowed]) {
    const headers = { authorization: `Bearer ${accessToken}` };
    const answer = await fetch(`${google.url}/gate`, { headers });
    await answer.body?.cancel();
    expect(answer.status, 'I6: a token works after the end').toBe(401);
  }
  expect(google.unexpected.slice(world.unexpectedBefore), 'Google got a request that it refuses').toEqual([]);
  return records;
}

function isLivePooled(grant: Grant): grant is Extract<Grant, { kind: 'pooled_service_account' }> {
  return grant.kind === 'pooled_service_account' && ['issuing', 'active', 'revoking'].includes(grant.state);
}
