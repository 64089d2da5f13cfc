import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  databaseOf,
  firestoreAs,
  type InProcessKeydesk,
  openInProcessKeydesk,
} from '../fixtures/in-process-keydesk.ts';

describe('issuing', () => {
  let keydesk: InProcessKeydesk;
  beforeAll(async () => {
    keydesk = await openInProcessKeydesk();
  });
  afterAll(() => keydesk.close());

  it('gives a Firestore token that opens what policy says and nothing else', async () => {
    const job = keydesk.buildkite.startJob();
    const { status, json } = await keydesk.requestByPath(await keydesk.buildkite.jobToken(job));
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
    expect(await firestoreAs(keydesk, json.access_token, 'config/web', write)).toBe(200);
    expect(await firestoreAs(keydesk, json.access_token, 'config/web')).toBe(200);
    expect(await firestoreAs(keydesk, json.access_token, 'live/web')).toBe(403);
    expect(await firestoreAs(keydesk, json.access_token, `keydesk_grants/${json.grant_id}`)).toBe(403);
  });

  it('lands repeats and renewals on the same grant', async () => {
    const job = keydesk.buildkite.startJob();
    const jobToken = await keydesk.buildkite.jobToken(job);
    const first = await keydesk.requestByPath(jobToken);
    const second = await keydesk.requestByForm(jobToken);
    expect(second.json.grant_id).toBe(first.json.grant_id);
    const { rows } = await grantsOf(job.id);
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ state: 'active', tokens_issued: 2 });
  });

  async function grantsOf(jobId: string) {
    const { docs } = await databaseOf(keydesk.project, 'ledger')
      .collection('grants')
      .where('subject.id', '==', jobId)
      .get();
    return { rows: docs.map((document) => document.data()) };
  }
});
