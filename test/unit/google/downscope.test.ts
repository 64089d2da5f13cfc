// The end of a narrowed token, however long the Security Token Service takes.

import { expect, it } from 'vitest';
import { downscope } from '../../../shared/google/downscope.ts';
import { TestClock } from '../../fixtures/test-clock.ts';

const NOW = Date.UTC(2026, 0, 5, 9);
const SECOND = 1_000;
const parent = { accessToken: 'ya29.parent', expires_at: NOW + 600 * SECOND };

/** The response says that the token lives for so many seconds, and comes so many seconds after the request. */
function narrow(expires_in: number, takes: number) {
  const clock = new TestClock(NOW);
  const ask = async () => {
    clock.advance(takes * SECOND);
    const json = {
      access_token: 'ya29.narrow',
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      token_type: 'Bearer',
      expires_in,
    };
    return { status: 200, headers: new Headers(), json };
  };
  const boundary = { bucket: 'a-bucket', prefix: null, role: 'roles/storage.objectViewer' };
  return downscope({ ask, clock, stsUrl: 'https://sts.example' }, parent, boundary);
}

it.each([0, 7, 14])('is that of the token that it was narrowed from, %d seconds after the request', async (takes) => {
  expect(await narrow(600, takes)).toEqual({ accessToken: 'ya29.narrow', expires_at: parent.expires_at });
});

it('is its own where that comes first', async () => {
  expect((await narrow(60, 1)).expires_at).toBe(NOW + 61 * SECOND);
});

it('is refused beyond that of the token that it was narrowed from', async () => {
  await expect(narrow(606, 0)).rejects.toThrow('outlives the one it was narrowed from');
  await expect(narrow(606, 14)).rejects.toThrow('outlives the one it was narrowed from');
});
