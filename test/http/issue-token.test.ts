import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databaseOf, firestoreAs, type InProcessDesk, openInProcessDesk } from '../fixtures/in-process-keydesk.ts';

describe('handing out', () => {
  let desk: InProcessDesk;
  beforeAll(async () => {
    desk = await openInProcessDesk();
  });
  afterAll(() => desk.close());

  it('gives a Firestore token that opens what policy says and nothing else', async () => {
    const job = desk.buildkite.startJob();
    const { status, json } = await desk.askByPath(await desk.buildkite.jobToken(job));
    expect(status).toBe(200);
    expect(json).toEqual({
      access_token: expect.any(String),
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      token_type: 'Bearer',
      expires_in: expect.any(Number),
      grant_id: expect.stringMatching(/^[0-9a-f]{32}$/),
      credential: 'staging-config',
      environment: 'staging',
      revocation: 'immediate',
      request_id: expect.any(String),
    });
    const write = { method: 'PATCH' } as const;
    expect(await firestoreAs(desk, json.access_token, 'config/web', write)).toBe(200);
    expect(await firestoreAs(desk, json.access_token, 'config/web')).toBe(200);
    expect(await firestoreAs(desk, json.access_token, 'live/web')).toBe(403);
    expect(await firestoreAs(desk, json.access_token, `keydesk_grants/${json.grant_id}`)).toBe(403);
  });

  it('lands repeats and renewals on the same grant', async () => {
    const job = desk.buildkite.startJob();
    const jobToken = await desk.buildkite.jobToken(job);
    const first = await desk.askByPath(jobToken);
    const second = await desk.askByForm(jobToken);
    expect(second.json.grant_id).toBe(first.json.grant_id);
    const { rows } = await grantsOf(job.id);
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ state: 'active', tokens_issued: 2 });
  });

  async function grantsOf(jobId: string) {
    const { docs } = await databaseOf(desk.project, 'ledger').collection('grants').where('job_id', '==', jobId).get();
    return { rows: docs.map((document) => document.data()) };
  }
});
