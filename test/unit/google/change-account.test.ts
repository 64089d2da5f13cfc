// Disabling is requested until IAM confirms it; enabling is requested once. Neither believes an answer alone.

import { describe, expect, it } from 'vitest';
import { createAccountDisabler, createAccountEnabler } from '../../../shared/google/account-state.ts';
import { DependencyError } from '../../../shared/runtime/errors.ts';
import type { HttpClient } from '../../../shared/runtime/http-client.ts';
import {
  aGoogle,
  anAccount,
  broken,
  denied,
  EMAIL,
  type Google,
  gone,
  IAM,
  ok,
  RESOURCE,
} from '../../fixtures/scripted-google.ts';

const REASON = 'buildkite-job/0184990a-477b-4fa8-9968-496074483cee';
const DISABLE = {
  dependency: 'iam serviceAccounts.disable',
  url: `${RESOURCE}:disable`,
  method: 'POST',
  headers: { 'x-goog-request-reason': REASON },
  json: {},
};
/** Sent once, also when its connection is lost. */
const ENABLE = {
  dependency: 'iam serviceAccounts.enable',
  url: `${RESOURCE}:enable`,
  method: 'POST',
  json: {},
  noResend: true,
};
const GET = { dependency: 'iam serviceAccounts.get', url: RESOURCE };
const down = new DependencyError('iam serviceAccounts.disable', 'unreachable', 'could not be reached');
const another = anAccount({ email: 'ci-002@acme-staging.iam.gserviceaccount.com', disabled: true });

const partsOf = ({ sendRequest, clock }: Google) => ({ sendAsService: sendRequest, iamUrl: IAM, clock });

/** What came of a change. */
function settle(change: Promise<void>): Promise<unknown> {
  return change.then(
    () => 'done',
    (error: unknown) => error,
  );
}

describe('disabling an account', () => {
  const disable = (google: Google, patience = 60_000) =>
    settle(createAccountDisabler(partsOf(google))(EMAIL, REASON, google.clock.now() + patience));

  it('is one request with the reason for it, believed once IAM says that it is so', async () => {
    const google = aGoogle(ok({}), anAccount({ disabled: true }));
    expect(await disable(google)).toBe('done');
    expect(google.requests).toEqual([DISABLE, GET]);
  });

  it.each([
    ['IAM does not say yet that it is so', [ok({}), anAccount()]],
    ['IAM returns another account', [ok({}), another]],
    ['IAM does not find it any more', [ok({}), gone]],
    ['IAM fails', [broken]],
    ['IAM fails to return the state', [ok({}), broken]],
    ['IAM cannot be reached', [down]],
    ['IAM returns something unexpected', [ok(undefined)]],
    ['IAM gets too many requests', [{ status: 429, json: undefined }]],
    ['IAM gave up waiting for the request', [{ status: 408, json: undefined }]],
    ['somebody else changes it at the same time', [{ status: 409, json: undefined }]],
  ])('is tried again when %s', async (_, answers) => {
    const google = aGoogle(...answers, ok({}), anAccount({ disabled: true }));
    expect(await disable(google)).toBe('done');
    expect(google.requests.slice(-2)).toEqual([DISABLE, GET]);
    google.done();
  });

  it.each([
    ['it may not', [denied], 'iam serviceAccounts.disable'],
    ['there is no such account', [gone], 'iam serviceAccounts.disable'],
    ['it may not know what it did', [ok({}), denied], 'iam serviceAccounts.get'],
  ])('is not tried again when %s', async (_, answers, what) => {
    const google = aGoogle(...answers);
    expect(await disable(google)).toMatchObject({ name: 'DependencyError', dependency: what, rejected: true });
    google.done();
  });

  it('is not tried again when time is up', async () => {
    const google = aGoogle(ok({}), anAccount());
    const error = await disable(google, 50);
    expect(error).toMatchObject({ name: 'DependencyError', rejected: false });
    expect(String(error)).toContain('succeeded, but the account is not disabled yet');
  });

  it('is not requested when time was up before, as when the instance was frozen', async () => {
    const google = aGoogle();
    expect(await disable(google, 0)).toMatchObject({ name: 'DependencyError', code: 'not_attempted' });
    expect(google.requests).toEqual([]);
  });

  it('is given up after four tries', async () => {
    const google = aGoogle(...Array.from({ length: 4 }, () => broken));
    expect(await disable(google)).toMatchObject({ name: 'DependencyError', dependency: 'iam serviceAccounts.disable' });
    expect(google.requests).toEqual([DISABLE, DISABLE, DISABLE, DISABLE]);
  });

  it('sends no request for an address that is not of a pooled account', async () => {
    const google = aGoogle();
    const disabling = createAccountDisabler(partsOf(google))('ci@acme.example', REASON, 1e15);
    await expect(disabling).rejects.toThrow('not the address of a pooled account');
    expect(google.requests).toEqual([]);
  });
});

describe('enabling an account', () => {
  const disabled = anAccount({ disabled: true });
  const enable = (google: Google, patience = 60_000) =>
    settle(createAccountEnabler(partsOf(google))(EMAIL, google.clock.now() + patience));

  it('is one request, believed once IAM says that it is so', async () => {
    for (const enabled of [anAccount(), anAccount({ disabled: false })]) {
      const google = aGoogle(disabled, ok({}), enabled);
      expect(await enable(google)).toBe('done');
      expect(google.requests).toEqual([GET, ENABLE, GET]);
    }
  });

  it('is no request when it is so already', async () => {
    const google = aGoogle(anAccount());
    expect(await enable(google)).toBe('done');
    expect(google.requests).toEqual([GET]);
  });

  it.each([
    ['IAM first fails to return the state', [broken, disabled, ok({}), anAccount()]],
    ['IAM does not say yet that it is so', [disabled, ok({}), disabled, disabled, anAccount()]],
    ['IAM returns another account', [disabled, ok({}), another, anAccount()]],
    ['IAM fails to return the new state', [disabled, ok({}), broken, anAccount()]],
  ])('is read again, and never requested again, when %s', async (_, answers) => {
    const google = aGoogle(...answers);
    expect(await enable(google)).toBe('done');
    expect(google.requests.filter(({ method }) => method === 'POST')).toEqual([ENABLE]);
    google.done();
  });

  it.each([
    ['IAM fails', [disabled, broken], false],
    ['IAM cannot be reached', [disabled, down], false],
    ['IAM gave up waiting for the request', [disabled, { status: 408, json: undefined }], false],
    ['IAM returns something unexpected', [disabled, ok(undefined)], false],
    ['there is no such account', [gone, gone], true],
    ['it may not', [disabled, denied], true],
    ['it may not know what it did', [disabled, ok({}), denied], true],
    ['it is never so', [disabled, ok({}), ...Array.from({ length: 4 }, () => disabled)], false],
  ])('does not count as done when %s, after one request', async (_, answers, refused) => {
    const google = aGoogle(...answers);
    expect(await enable(google)).toMatchObject({ name: 'DependencyError', rejected: refused });
    expect(google.requests.filter(({ method }) => method === 'POST')).toEqual([ENABLE]);
    google.done();
  });

  it('is not requested when it may not be known what the account is', async () => {
    const google = aGoogle(denied);
    expect(await enable(google)).toMatchObject({ name: 'DependencyError', rejected: true });
    expect(google.requests).toEqual([GET]);
  });

  it('is not requested when time was up before IAM returned the state, as when the instance was frozen', async () => {
    const google = aGoogle(disabled);
    const sendAsService: HttpClient = async (request) => {
      const response = await google.sendRequest(request);
      google.clock.advance(20_000);
      return response;
    };
    const enabling = createAccountEnabler({ ...partsOf(google), sendAsService })(EMAIL, google.clock.now() + 20_000);
    await expect(enabling).rejects.toMatchObject({ name: 'DependencyError', dependency: 'iam serviceAccounts.enable' });
    expect(google.requests).toEqual([GET]);
  });

  it('is not read when the time is up', async () => {
    const google = aGoogle(disabled, ok({}), disabled);
    expect(String(await enable(google, 50))).toContain('succeeded, but the account is not enabled yet');
    google.done();
  });
});
