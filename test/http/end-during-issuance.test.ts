// The race the product exists to win: a job's end against a request in flight. The end is run whole at every
// point of the request between two steps, forced, not slept for.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Job } from '../../sandbox/fakes/buildkite/job.ts';
import type { IssueDeps } from '../../shared/operations/issue-token.ts';
import {
  type Called,
  databaseOf,
  firestoreAs,
  type InProcessKeydesk,
  openInProcessKeydesk,
} from '../fixtures/in-process-keydesk.ts';
import { aroundCommit } from '../fixtures/reserve.ts';

const POINTS = [
  'before the job token is verified',
  'before the grant is reserved',
  'after the grant is reserved',
  'after the grant document is opened',
  'after the token is minted',
  'after the token is recorded',
] as const;
type Point = (typeof POINTS)[number];

describe('job.finished against a request in flight', () => {
  let keydesk: InProcessKeydesk;
  let original: IssueDeps;
  beforeAll(async () => {
    keydesk = await openInProcessKeydesk();
    original = { ...keydesk.tokenDeps };
  });
  afterAll(() => keydesk.close());

  /** Runs `act` once, at `point` of every request from now on. */
  function at(point: Point | undefined, act: () => Promise<unknown>): void {
    let acted = false;
    const reach = async (reached: Point) => {
      if (reached !== point || acted) return;
      acted = true;
      await act();
    };
    let recorded: () => void = () => {};
    const reserved = new Promise<void>((resolve) => {
      recorded = resolve;
    });
    Object.assign(keydesk.tokenDeps, {
      verifyJobToken: async (jobToken, now) => {
        await reach('before the job token is verified');
        return original.verifyJobToken(jobToken, now);
      },
      ledger: {
        checkBlocks: original.ledger.checkBlocks,
        prepare: aroundCommit(
          async (request) => {
            await reach('before the grant is reserved');
            return original.ledger.prepare(request);
          },
          async (commit) => {
            const written = await commit();
            await reach('after the grant is reserved');
            recorded();
            return written;
          },
        ),
        activate: async (token, reservation) => {
          const written = await original.ledger.activate(token, reservation);
          await reach('after the token is recorded');
          return written;
        },
      },
      openGrantDocument: async (name, opened) => {
        const open = await original.openGrantDocument(name, opened);
        await reach('after the grant document is opened');
        return open;
      },
      mint: async (request) => {
        const minted = await original.mint(request);
        await reserved;
        await reach('after the token is minted');
        return minted;
      },
    } satisfies Partial<IssueDeps>);
  }

  async function finish(job: Job): Promise<Called> {
    const ended = await keydesk.notify(keydesk.buildkite.event(job));
    expect(ended.status).toBe(200);
    return ended;
  }

  async function grantOf(job: Job, credential: string) {
    const grants = databaseOf(keydesk.project, 'ledger').collection('grants').where('subject.id', '==', job.id);
    const { docs } = await grants.where('credential', '==', credential).get();
    return docs[0]?.data();
  }

  const works = (accessToken: string) => firestoreAs(keydesk, accessToken, 'config/web');

  describe.each(['a first request', 'a renewal'] as const)('%s', (which) => {
    it.each(POINTS)('of a Firestore token survives no end that comes %s', async (point) => {
      const job = keydesk.buildkite.startJob();
      const jobToken = await keydesk.buildkite.jobToken(job);
      const earlier: string[] = [];
      if (which === 'a renewal') {
        at(undefined, async () => {});
        const { json } = await keydesk.requestByPath(jobToken);
        earlier.push(json.access_token);
        expect(await works(json.access_token)).not.toBe(403);
      }
      at(point, () => finish(job));
      const raced = await keydesk.requestByPath(jobToken);
      if (point === 'after the token is recorded') {
        expect(raced.status).toBe(200);
        earlier.push(raced.json.access_token);
      } else {
        expect(raced.json).toMatchObject({ error: 'invalid_grant' });
      }
      for (const accessToken of earlier) expect(await works(accessToken)).toBe(403);
      const grant = await grantOf(job, 'staging-config');
      expect(grant?.state ?? 'none').toBe(
        which === 'a first request' && (point === POINTS[0] || point === POINTS[1]) ? 'none' : 'revoked',
      );
      expect((await keydesk.requestByForm(jobToken)).json).toMatchObject({ error: 'invalid_grant' });
      for (const accessToken of earlier) expect(await works(accessToken)).toBe(403);
    });

    it.each(POINTS)("of a service account's token is not let go after an end that comes %s", async (point) => {
      const job = keydesk.buildkite.startJob();
      const jobToken = await keydesk.buildkite.jobToken(job);
      at(undefined, async () => {});
      if (which === 'a renewal') expect((await keydesk.requestByPath(jobToken, 'staging-export')).status).toBe(200);
      at(point, () => finish(job));
      const raced = await keydesk.requestByPath(jobToken, 'staging-export');
      // Where no grant document is opened there is no such point: the request succeeds and the end comes after it.
      if (point === 'after the token is recorded' || point === 'after the grant document is opened')
        expect(raced.status).toBe(200);
      else expect(raced.json).toMatchObject({ error: 'invalid_grant' });
      if (point === 'after the grant document is opened') await finish(job);
      const grant = await grantOf(job, 'staging-export');
      if (grant) expect(grant).toMatchObject({ revocation: 'expiry', ended_by: 'job.finished', access_ended_at: null });
      expect((await keydesk.requestByForm(jobToken, 'staging-export')).json).toMatchObject({ error: 'invalid_grant' });
    });
  });

  it('leaves nothing live when ends and requests come at the same moment', async () => {
    Object.assign(keydesk.tokenDeps, original);
    const rounds = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const job = keydesk.buildkite.startJob();
        const jobToken = await keydesk.buildkite.jobToken(job);
        const requested = [keydesk.requestByPath(jobToken), keydesk.requestByForm(jobToken)];
        const ended = keydesk.notify(keydesk.buildkite.event(job));
        return { job, jobToken, handed: await Promise.all(requested), ended: await ended };
      }),
    );
    await keydesk.sweep();
    for (const { job, handed, ended } of rounds) {
      expect(ended.status).toBe(200);
      for (const { status, json } of handed) {
        expect([200, 400]).toContain(status);
        if (status === 200) expect(await works(json.access_token)).toBe(403);
      }
      expect([undefined, 'revoked']).toContain((await grantOf(job, 'staging-config'))?.state);
    }
  });

  it('does not let a closed grant document be opened again by a late request', async () => {
    Object.assign(keydesk.tokenDeps, original);
    const job = keydesk.buildkite.startJob();
    const jobToken = await keydesk.buildkite.jobToken(job);
    const { json } = await keydesk.requestByPath(jobToken);
    await finish(job);
    const name = { project: keydesk.project, database: '(default)', grant_id: json.grant_id as string };
    const opened = { roles: ['staging-config'], expires_at: keydesk.clock.now() + 900_000 };
    expect(await original.openGrantDocument(name, opened)).toBe(false);
    expect(await works(json.access_token)).toBe(403);
  });
});
