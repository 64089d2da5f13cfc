// What the ledger's conditional commits are for: somebody else writes between a step's read and its commit. Each step is
// interrupted there, once, by the whole of the other; and each commit is tried with its answer lost.

import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type EndCause, grantEndMark } from '../../../shared/core/grant/end.ts';
import { grantId, tokenSha256 } from '../../../shared/core/grant/id.ts';
import { endMark } from '../../../shared/core/grant/job-record.ts';
import { toSubject } from '../../../shared/core/subject/buildkite-job.ts';
import { CLOCK_MARGIN_MS } from '../../../shared/core/timing.ts';
import type { Database } from '../../../shared/firestore/database.ts';
import { createGrantDocumentCloser, createGrantDocumentOpener } from '../../../shared/firestore/grant-document.ts';
import { toStored } from '../../../shared/firestore/stored-record.ts';
import { createIssuanceLedger } from '../../../shared/ledger/issuance.ts';
import { createJobCheckLedger } from '../../../shared/ledger/job-checks.ts';
import { createRevocationLedger } from '../../../shared/ledger/revocation.ts';
import { createSweepLedger } from '../../../shared/ledger/sweep.ts';
import type { Reserved } from '../../../shared/operations/ports.ts';
import { databaseForJobs } from '../../fixtures/in-process-keydesk.ts';
import { jobClaims } from '../../fixtures/job-claims.ts';
import { reserve } from '../../fixtures/reserve.ts';
import { TestClock } from '../../fixtures/test-clock.ts';

const PROJECT = `races-${randomUUID().slice(0, 8)}`;
const plain = databaseForJobs(PROJECT, '(default)');
const clock = new TestClock(Date.UTC(2026, 10, 24));

type Interruption = { readonly before?: () => Promise<unknown>; readonly after?: () => Promise<unknown> };

/** The same database, with the first commit (or the first update of a document) interrupted. */
function interrupted(interruption: Interruption): Database {
  let done = false;
  const around = async <T>(write: () => Promise<T>): Promise<T> => {
    if (done) return write();
    done = true;
    await interruption.before?.();
    const written = await write();
    await interruption.after?.();
    return written;
  };
  return wrap(plain, {
    batch: () => {
      const batch = plain.batch();
      return wrap(batch, { commit: () => around(() => batch.commit()) });
    },
    collection: (path: string) => {
      const collection = plain.collection(path);
      return wrap(collection, {
        doc: (id: string) => {
          const document = collection.doc(id);
          if (path !== 'keydesk_grants') return document;
          const update = document.update.bind(document) as (...args: unknown[]) => Promise<unknown>;
          return wrap(document, { update: (...args: unknown[]) => around(() => update(...args)) });
        },
      });
    },
  });
}

function wrap<T extends object>(target: T, instead: Record<string, unknown>): T {
  return new Proxy(target, {
    get: (_, name) => {
      if (typeof name === 'string' && name in instead) return instead[name];
      const value = Reflect.get(target, name) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

const CAPS = { tokensPerMinute: 60, liveGrantsPerPipeline: 1000 };

const KINDS = {
  immediate: {
    kind: 'firestore' as const,
    environment: 'staging',
    ttl: 900,
    project: PROJECT,
    database: '(default)',
    apiKey: 'key',
    signer: 'signer@acme.iam.gserviceaccount.com',
    allow: [],
  },
  expiry: {
    kind: 'service_account' as const,
    environment: 'staging',
    ttl: 900,
    email: 'export@acme.iam.gserviceaccount.com',
    scopes: ['https://www.googleapis.com/auth/datastore'],
    storage: null,
  },
};

function newJob(revocation: keyof typeof KINDS) {
  const subject = toSubject(jobClaims());
  const credential = KINDS[revocation];
  const request = {
    ...{ subject, credentialName: 'web', credential, rule: 'r', policySha256: 'p', conditions: null, ttl: 900 },
    limits: CAPS,
  };
  const { id: job_id } = subject;
  const grant_id = grantId(job_id, 'web');
  const reserveIn = (database: Database, more: object = {}) =>
    reserve(createIssuanceLedger(database, clock), { ...request, ...more });
  return {
    subject,
    job_id,
    grant_id,
    reserveIn,
    /** Begins to record the end of the grant alone, and is cut off. */
    mark: (how: EndCause) =>
      plain
        .collection('grants')
        .doc(grant_id)
        .update(toStored(grantEndMark(how, clock.now()))),
    reserve: async () => {
      const reserved = await reserveIn(plain);
      if ('refusal' in reserved) throw new Error(reserved.refusal.reason);
      return reserved;
    },
    activateIn: (database: Database, reserved: Reserved) =>
      createIssuanceLedger(database, clock).activate(
        { grant_id, sha256: tokenSha256(randomUUID()), expires_at: clock.now() + 600_000 },
        reserved,
      ),
    endIn: (database: Database) =>
      createRevocationLedger(database, clock).endJob({ job_id, pipeline_id: undefined, by: 'job.finished' }),
    grant: async () => (await plain.collection('grants').doc(grant_id).get()).data(),
    job: async () => (await plain.collection('jobs').doc(job_id).get()).data(),
  };
}
describe.each(['immediate', 'expiry'] as const)(
  'an %s grant, when the job ends between read and commit of',
  (revocation) => {
    const ENDED = revocation === 'immediate' ? { state: 'revoking' } : { ended_by: 'job.finished' };

    it('its first reservation: it is refused and leaves no grant', async () => {
      const job = newJob(revocation);
      const reserved = await job.reserveIn(interrupted({ before: () => job.endIn(plain) }));
      expect(reserved).toMatchObject({ refusal: { reason: 'job_ended' } });
      expect(await job.grant()).toBeUndefined();
      expect(await job.job()).toMatchObject({ grants: [], ended_by: 'job.finished' });
    });

    it('its renewal: it is refused and the grant stays ended', async () => {
      const job = newJob(revocation);
      await job.activateIn(plain, await job.reserve());
      const renewed = await job.reserveIn(interrupted({ before: () => job.endIn(plain) }));
      expect(renewed).toMatchObject({ refusal: { reason: 'job_ended' } });
      expect(await job.grant()).toMatchObject({ ...ENDED, tokens_issued: 1 });
    });

    it('the renewal of an expired grant: it is refused', async () => {
      const job = newJob(revocation);
      const { grant } = await job.reserve();
      const expired = await createRevocationLedger(plain, new TestClock(grant.expires_at + CLOCK_MARGIN_MS)).expire(
        grant,
      );
      expect(expired).toMatchObject({ state: 'expired' });
      const renewed = await job.reserveIn(interrupted({ before: () => job.endIn(plain) }));
      expect(renewed).toMatchObject({ refusal: { reason: 'job_ended' } });
      expect(await job.grant()).toMatchObject({ state: 'expired' });
    });

    it('recording its token: it is refused and no token is on record', async () => {
      const job = newJob(revocation);
      const issued = await job.activateIn(interrupted({ before: () => job.endIn(plain) }), await job.reserve());
      expect(issued).toMatchObject({ refusal: { reason: 'job_ended' } });
      expect(await job.grant()).toMatchObject({ ...ENDED, tokens_issued: 0, tokens: [] });
    });
  },
);

describe('what only began to be recorded', () => {
  it('keeps a job from everything: the end of a job', async () => {
    const job = newJob('expiry');
    const reserved = await job.reserve();
    const mark = toStored(endMark('job.finished', undefined, clock.now()));
    await plain.collection('jobs').doc(job.job_id).update(mark);
    expect(await job.reserveIn(plain)).toMatchObject({ refusal: { reason: 'job_ended' } });
    await job.activateIn(plain, reserved);
    // What was on its way may come through: the end is not recorded yet. It finds that token.
    expect((await job.endIn(plain)).grants).toMatchObject([{ tokens_issued: 1, ended_by: 'job.finished' }]);
    expect(await job.job()).toMatchObject({ ended_by: 'job.finished', ending_since: null, ending_by: null });
  });

  it('keeps a job from everything, also what is on its way: the end of one grant', async () => {
    const job = newJob('expiry');
    const reserved = await job.reserve();
    await job.mark({ by: 'kill_switch', kill_switch_id: 'an-act' });
    expect(await job.reserveIn(plain)).toMatchObject({ refusal: { reason: 'grant_revoked' } });
    expect(await job.activateIn(plain, reserved)).toMatchObject({ refusal: { reason: 'grant_revoked' } });
  });

  it('is found by the sweep: the end of one grant', async () => {
    const job = newJob('expiry');
    await job.activateIn(plain, await job.reserve());
    await job.mark({ by: 'kill_switch', kill_switch_id: 'an-act' });
    const { grants } = await createSweepLedger(plain, clock).pendingEnds(1000);
    expect(grants).toContainEqual(expect.objectContaining({ subject: job.subject, ending_by: 'kill_switch' }));
  });

  it('outlives the time of the grant: an expired one is not had again', async () => {
    const job = newJob('expiry');
    const { grant } = await job.reserve();
    await job.mark({ by: 'released' });
    const expired = await createRevocationLedger(plain, new TestClock(grant.expires_at + CLOCK_MARGIN_MS)).expire(
      grant,
    );
    expect(expired).toMatchObject({ state: 'expired', ended_by: 'released', ending_since: null });
    expect(await job.reserveIn(plain)).toMatchObject({ refusal: { reason: 'grant_revoked' } });
  });
});

describe('a mark that comes when the end was recorded', () => {
  it('is taken off the job by the next end, which changes nothing else, and the sweep leaves the job alone', async () => {
    const job = newJob('expiry');
    await job.reserve();
    await job.endIn(plain);
    const ended = await job.job();
    const mark = toStored(endMark('job.reconciled', undefined, clock.now()));
    await plain.collection('jobs').doc(job.job_id).update(mark);
    expect(await job.endIn(plain)).toMatchObject({ alreadyEnded: true, grants: [] });
    expect(await job.job()).toEqual({ ...ended, write_id: expect.any(String) });
  });

  it('is taken off the grant, and the act that ended it stays on record', async () => {
    const job = newJob('immediate');
    const { grant } = await job.reserve();
    const ledger = createRevocationLedger(plain, clock);
    await ledger.endGrant(grant, { by: 'kill_switch', kill_switch_id: 'an-act' });
    await job.mark({ by: 'released' });
    await ledger.confirmRevoked(grant);
    const truth = { state: 'revoked', ended_by: 'kill_switch', kill_switch_id: 'an-act', ending_since: null };
    expect(await job.grant()).toMatchObject(truth);
    for (const late of [{ by: 'released' }, { by: 'kill_switch', kill_switch_id: 'another-act' }] as const) {
      await job.mark(late);
      expect(await ledger.endGrant(grant, late)).toBeUndefined();
      expect(await job.grant()).toMatchObject(truth);
    }
  });

  it.each([0, CLOCK_MARGIN_MS])('leaves the act that came first on record, %d ms after its time', async (late) => {
    const job = newJob('immediate');
    const { grant } = await job.reserve();
    await job.mark({ by: 'kill_switch', kill_switch_id: 'an-act' });
    const at = late === 0 ? clock.now() : grant.expires_at + late;
    const ended = await createRevocationLedger(plain, new TestClock(at)).endGrant(grant, { by: 'released' });
    expect(ended).toMatchObject({ ended_by: 'kill_switch', kill_switch_id: 'an-act', ending_kill_switch_id: null });
  });
});

it('marks a job whose end cannot be recorded, so that nothing more is issued and the sweep goes on', async () => {
  const job = newJob('expiry');
  await job.reserve();
  const tooLarge = Object.assign(new Error('too large'), { code: 3 });
  await expect(job.endIn(interrupted({ before: () => Promise.reject(tooLarge) }))).rejects.toThrow('too large');
  expect(await job.reserveIn(plain)).toMatchObject({ refusal: { reason: 'job_ended' } });
  const { jobs } = await createJobCheckLedger(plain, clock).due(10_000);
  expect(jobs).toContainEqual(expect.objectContaining({ job_id: job.job_id }));
});

it('does not record a token that an instance of another policy issued: the record says what each of them opens', async () => {
  const job = newJob('expiry');
  const reserved = await job.reserve();
  await job.reserveIn(plain, { policySha256: 'another' });
  const issued = await job.activateIn(plain, reserved);
  expect(issued).toMatchObject({ refusal: { reason: 'dependency_unavailable', dependency: 'policy', retryAfter: 1 } });
  expect(await job.grant()).toMatchObject({ policy_sha256: 'another', tokens: [] });
});

it('writes of a grant with many tokens only what its end changes: the end of a job is one commit', async () => {
  const job = newJob('expiry');
  await job.activateIn(plain, await job.reserve());
  const written: object[] = [];
  const watched = wrap(plain, {
    batch: () => {
      const batch = plain.batch();
      return wrap(batch, {
        update: (...args: Parameters<typeof batch.update>) => {
          written.push(args[1] as object);
          return batch.update(...args);
        },
      });
    },
  });
  await job.endIn(watched);
  expect(written.some((data) => 'job_ended_at' in data)).toBe(true);
  for (const data of written) expect(Object.keys(data)).not.toContain('tokens');
});

it('touches a record at the end of a job that this release cannot read: an issue on its way finds it changed', async () => {
  const job = newJob('expiry');
  const reserved = await job.reserve();
  const ofNextRelease = await plain.collection('grants').doc(job.grant_id).update({ revocation: 'instant' });
  expect((await job.endIn(plain)).unreadable).toMatchObject([{ id: job.grant_id }]);
  const issued = job.activateIn(plain, { ...reserved, version: ofNextRelease.writeTime });
  await expect(issued).rejects.toThrow();
  expect(await job.grant()).toMatchObject({ tokens_issued: 0 });
});

describe.each(['immediate', 'expiry'] as const)('the end of a job with an %s grant', (revocation) => {
  const ENDED = revocation === 'immediate' ? { state: 'revoking' } : { ended_by: 'job.finished' };

  it('finds a grant that was reserved between its read and its commit', async () => {
    const job = newJob(revocation);
    const ended = await job.endIn(interrupted({ before: () => job.reserve() }));
    expect(ended.grants).toMatchObject([ENDED]);
    expect(await job.grant()).toMatchObject(ENDED);
  });

  it('finds a token that was recorded between its read and its commit', async () => {
    const job = newJob(revocation);
    const reserved = await job.reserve();
    await job.endIn(interrupted({ before: () => job.activateIn(plain, reserved) }));
    expect(await job.grant()).toMatchObject({ ...ENDED, tokens_issued: 1 });
  });

  it('is one end when two come at once', async () => {
    const job = newJob(revocation);
    await job.reserve();
    // In the same millisecond: by its time alone neither could tell which end is its own.
    const first = await job.endIn(interrupted({ before: () => job.endIn(plain) }));
    expect(first.alreadyEnded).toBe(true);
    expect(await job.grant()).toMatchObject(ENDED);
  });

  it.each(['first reservation', 'token', 'end'] as const)(
    'has the right result when the response to its %s is lost',
    async (what) => {
      const job = newJob(revocation);
      const lost = () => interrupted({ after: () => Promise.reject(Object.assign(new Error('lost'), { code: 10 })) });
      const reserved = what === 'first reservation' ? await job.reserveIn(lost()) : await job.reserve();
      if ('refusal' in reserved) throw new Error(reserved.refusal.reason);
      expect(await job.activateIn(what === 'token' ? lost() : plain, reserved)).toMatchObject({
        grant: { state: 'active' },
      });
      expect((await job.grant())?.tokens).toHaveLength(1);
      await job.endIn(what === 'end' ? lost() : plain);
      expect(await job.grant()).toMatchObject(ENDED);
      expect(await job.job()).toMatchObject({ ended_by: 'job.finished' });
      expect(await job.reserveIn(plain)).toMatchObject({ refusal: { reason: 'job_ended' } });
    },
  );
});

it('a grant document that is closed between read and write of a renewal stays closed', async () => {
  const name = { project: PROJECT, database: '(default)', grant_id: 'f'.repeat(32) };
  const close = createGrantDocumentCloser(() => plain, clock);
  const opened = { roles: ['web'], expires_at: clock.now() + 60_000 };
  expect(await createGrantDocumentOpener(() => plain, clock)(name, opened)).toBe(true);
  const racing = interrupted({ before: () => close(name, clock.now()) });
  expect(
    await createGrantDocumentOpener(() => racing, clock)(name, { ...opened, expires_at: clock.now() + 120_000 }),
  ).toBe(false);
  const document = await plain.collection('keydesk_grants').doc(name.grant_id).get();
  expect(document.data()).toMatchObject({ state: 'ended', roles: [] });
});

it('a token is not recorded once its caller received a failure', async () => {
  const job = newJob('immediate');
  const reserved = await job.reserve();
  const slow = interrupted({
    before: async () => {
      // The first try loses its race, and by then the deadline is over.
      await job.reserve();
      clock.advance(5_000);
    },
  });
  const ledger = createIssuanceLedger(slow, { now: clock.now, random: clock.random, sleep: sleepOrDeadline });
  const token = {
    grant_id: grantId(job.job_id, 'web'),
    sha256: tokenSha256('late'),
    expires_at: clock.now() + 600_000,
  };
  await expect(ledger.activate(token, reserved)).rejects.toThrow('ledger: no response within 5000 ms');
  for (let turn = 0; turn < 20; turn += 1) await setImmediate();
  expect(await job.grant()).toMatchObject({ tokens_issued: 0, tokens: [] });
});

/** A pause takes no time. */
function sleepOrDeadline(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return signal ? clock.sleep(milliseconds, signal) : Promise.resolve();
}

it('a token whose reservation has lasted its time is refused, also when its grant expired and was reserved again', async () => {
  const job = newJob('immediate');
  const reserved = await job.reserve();
  clock.advance(1_100_000);
  await createRevocationLedger(plain, clock).expire(reserved.grant);
  await job.reserve();
  expect(await job.activateIn(plain, reserved)).toMatchObject({ refusal: { code: 'token_unusable' } });
  expect(await job.grant()).toMatchObject({ state: 'issuing', tokens_issued: 0 });
});
