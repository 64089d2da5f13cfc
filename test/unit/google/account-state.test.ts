import { describe, expect, it } from 'vitest';
import { accountUrl, createAccountStateGetter } from '../../../shared/google/account-state.ts';
import { DependencyError } from '../../../shared/runtime/errors.ts';
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
  refusedWith,
} from '../../fixtures/scripted-google.ts';

const stateReader = ({ sendRequest, clock }: Google) =>
  createAccountStateGetter({ sendAsService: sendRequest, iamUrl: IAM, clock });

describe('the state of an account', () => {
  it('is requested once, by its project, and changes nothing', async () => {
    const google = aGoogle(anAccount());
    await stateReader(google)(EMAIL);
    expect(google.requests).toEqual([{ dependency: 'iam serviceAccounts.get', url: RESOURCE }]);
  });

  it.each([
    ['enabled', 'Google leaves `disabled` out, as it does when it is false', anAccount()],
    ['enabled', 'Google says so', anAccount({ disabled: false })],
    ['disabled', 'Google says so', anAccount({ disabled: true })],
    ['missing', 'Google does not find it', gone],
  ] as const)('is %s when %s', async (state, _, response) => {
    expect(await stateReader(aGoogle(response))(EMAIL)).toBe(state);
  });

  it.each([
    [
      'another account',
      anAccount({ email: 'ci-002@acme-staging.iam.gserviceaccount.com' }),
      /returned another account/,
    ],
    ['no account', ok({ disabled: true }), /returned something unexpected/],
    ['disabled as text', anAccount({ disabled: 'true' }), /returned something unexpected/],
    ['disabled as null', anAccount({ disabled: null }), /returned something unexpected/],
    ['nothing', ok(undefined), /returned something unexpected/],
    ['another status', { status: 204, json: undefined }, /returned 204/],
    ['an error of its own', broken, /returned 500$/],
    ['that there are too many requests', { status: 429, json: undefined }, /returned 429/],
  ])('is not known when Google returns %s, and may be requested again', async (_, response, message) => {
    const pending = stateReader(aGoogle(response))(EMAIL);
    await expect(pending).rejects.toMatchObject({ dependency: 'iam serviceAccounts.get', rejected: false });
    await expect(pending).rejects.toThrow(message);
  });

  it('is refused to who may not know it, in the words of Google', async () => {
    const pending = stateReader(aGoogle(denied))(EMAIL);
    await expect(pending).rejects.toMatchObject({ name: 'DependencyError', rejected: true });
    await expect(pending).rejects.toThrow("returned 403 PERMISSION_DENIED Permission 'x' denied");
  });

  it('is not known when Google cannot be reached', async () => {
    const down = new DependencyError('iam serviceAccounts.get', 'unreachable', 'could not be reached');
    await expect(stateReader(aGoogle(down))(EMAIL)).rejects.toBe(down);
  });

  it("takes no more than the beginning of Google's message into its own", async () => {
    const response = refusedWith(400, 'INVALID_ARGUMENT', 'x'.repeat(5000));
    const pending = stateReader(aGoogle(response))(EMAIL);
    await expect(pending).rejects.toThrow(/x{300}; /);
    await expect(pending).rejects.not.toThrow(/x{301}/);
  });
});

describe("an account's resource", () => {
  it('is by its project, also when that belongs to a domain', () => {
    expect(accountUrl(IAM, EMAIL)).toBe(RESOURCE);
    expect(accountUrl(IAM, 'ci-001@staging.acme.example.iam.gserviceaccount.com')).toBe(
      `${IAM}/v1/projects/acme.example%3Astaging/serviceAccounts/ci-001%40staging.acme.example.iam.gserviceaccount.com`,
    );
  });

  it('is under the base URL, with or without a slash at its end', () => {
    expect(accountUrl('http://127.0.0.1:9/iam/', EMAIL)).toBe(RESOURCE.replace(IAM, 'http://127.0.0.1:9/iam'));
  });

  it('is none for what is not the address of a pooled account', () => {
    for (const email of ['', '-', 'ci@acme.example', `${EMAIL}/../x`, '123-compute@developer.gserviceaccount.com'])
      expect(() => accountUrl(IAM, email)).toThrow('not the address of a pooled account');
  });
});
