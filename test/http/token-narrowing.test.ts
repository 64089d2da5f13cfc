import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type InProcessKeydesk, openInProcessKeydesk } from '../fixtures/in-process-keydesk.ts';
import { grantsOf, newJobToken } from './token-request.ts';

const DATASTORE = 'https://www.googleapis.com/auth/datastore';
const READ_ONLY = 'https://www.googleapis.com/auth/devstorage.read_only';
const CLOUD_PLATFORM = 'https://www.googleapis.com/auth/cloud-platform';
const BOTH = [DATASTORE, READ_ONLY];

describe('what a caller wishes', () => {
  let keydesk: InProcessKeydesk;
  beforeAll(async () => {
    keydesk = await openInProcessKeydesk();
  });
  afterAll(() => keydesk.close());

  const requestExport = async (more: Record<string, string>) => {
    const response = await keydesk.requestByForm(await newJobToken(keydesk), 'staging-export', more);
    expect(response.status).toBe(200);
    return { answer: response, asked: keydesk.google.calls.at(-1)?.body };
  };

  it.each([
    ['nothing', '', BOTH],
    ['everything Google has', CLOUD_PLATFORM, BOTH],
    ['everything Google has and one that policy gives', `${CLOUD_PLATFORM} ${DATASTORE}`, [DATASTORE]],
    ['one of two', READ_ONLY, [READ_ONLY]],
    ['both, the other way round and twice', `${READ_ONLY} ${DATASTORE} ${READ_ONLY}`, BOTH],
    ['what policy does not give', 'https://www.googleapis.com/auth/spanner.admin', BOTH],
    ['more than policy gives of the same thing', 'https://www.googleapis.com/auth/devstorage.full_control', BOTH],
    ['one in capitals', DATASTORE.toUpperCase(), BOTH],
    ['one with something behind it', `${DATASTORE}.admin ${READ_ONLY}`, [READ_ONLY]],
    ['two without a space', `${DATASTORE},${READ_ONLY}`, BOTH],
    ['nothing but spaces', '   ', BOTH],
  ])('can only take scopes away: %s', async (_, scope, expected) => {
    const { answer, asked } = await requestExport({ scope });
    expect(asked).toEqual({ scope: expected, lifetime: '600s' });
    expect(answer.json.scope).toBe(expected.join(' '));
    expect(answer.audit[0].scopes).toEqual(expected);
    const gate = await fetch(`${keydesk.google.url}/gate`, {
      headers: { authorization: `Bearer ${answer.json.access_token}` },
    });
    expect(await gate.json()).toMatchObject({ scope: expected.join(' ') });
  });

  it('has no scopes where rules judge', async () => {
    const response = await keydesk.requestByForm(await newJobToken(keydesk), 'staging-config', {
      scope: CLOUD_PLATFORM,
    });
    expect(response.status).toBe(200);
    expect(response.json).not.toHaveProperty('scope');
    expect(response.audit[0].scopes).toEqual([]);
  });

  it.each([
    ['60', 60],
    ['599', 599],
    ['600', 600],
    ['601', 600],
    ['3600', 600],
    ['', 600],
  ])("can only shorten the life of an account's token: %j", async (lifetime, expected) => {
    const { answer, asked } = await requestExport({ lifetime });
    expect(asked).toMatchObject({ lifetime: `${expected}s` });
    expect(answer.json.expires_in).toBeLessThanOrEqual(expected);
    expect(answer.json.expires_in).toBeGreaterThan(expected - 10);
  });

  it.each([
    ['60', 60],
    ['3600', 900],
    ['', 900],
  ])('can only shorten the life of a token that rules judge: %j', async (lifetime, expected) => {
    const jobToken = await newJobToken(keydesk);
    const before = keydesk.clock.now();
    const response = await keydesk.requestByForm(jobToken, 'staging-config', { lifetime });
    expect(response.json.expires_in).toBeLessThanOrEqual(expected);
    expect(response.json.expires_in).toBeGreaterThan(expected - 10);
    const [grant] = (await grantsOf(keydesk, jobToken)) as [{ expires_at: { toMillis(): number } }];
    expect(grant.expires_at.toMillis()).toBeLessThanOrEqual(keydesk.clock.now() + expected * 1000);
    expect(grant.expires_at.toMillis()).toBeGreaterThanOrEqual(before + expected * 1000);
    expect(response.audit[0].token_expires_at).toBe(new Date(grant.expires_at.toMillis()).toISOString());
  });

  it('by the Authorization header cannot be said, so policy decides alone', async () => {
    const response = await keydesk.call(
      `${keydesk.tokenUrl}/token/staging-export?scope=${CLOUD_PLATFORM}&lifetime=60`,
      {
        method: 'POST',
        headers: { authorization: `Bearer ${await newJobToken(keydesk)}` },
      },
    );
    expect(response.json.scope).toBe(BOTH.join(' '));
    expect(keydesk.google.calls.at(-1)?.body).toEqual({ scope: BOTH, lifetime: '600s' });
  });

  it('never made the service send a malformed request to Google', () => {
    expect(keydesk.google.unexpected).toEqual([]);
  });
});
