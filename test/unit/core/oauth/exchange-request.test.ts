// What a form of RFC 8693 section 2.1 asks for, and which parameter it has to fix. test/http/rfc has the same over HTTP.

import { describe, expect, it } from 'vitest';
import {
  ACCESS_TOKEN_TYPE,
  parseExchangeRequest,
  TOKEN_EXCHANGE,
} from '../../../../shared/core/oauth/exchange-request.ts';

const VALID = {
  grant_type: TOKEN_EXCHANGE,
  subject_token: 'a.job.token',
  subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
  audience: 'staging-config',
};
type Form = Readonly<Record<string, string | undefined>>;

/** The valid form with some parameters changed; without those that are undefined. */
function parse(changes: Form = {}) {
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries<string | undefined>({ ...VALID, ...changes }))
    if (value !== undefined) form.set(name, value);
  return parseExchangeRequest(form.toString());
}

function refusalOf(changes: Form) {
  const parsed = parse(changes);
  return 'refusal' in parsed ? parsed.refusal : undefined;
}

describe('a form', () => {
  it('needs no more than the job token, its type and a credential', () => {
    expect(parse()).toEqual({
      request: { jobToken: 'a.job.token', credentialName: 'staging-config', scopes: [], lifetime: undefined },
    });
  });

  it('may name scopes, a lifetime, either type of a job token, and the one type of token there is', () => {
    const parsed = parse({
      scope: ' one  two ',
      lifetime: '300',
      subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
      requested_token_type: ACCESS_TOKEN_TYPE,
    });
    expect(parsed).toMatchObject({ request: { scopes: ['one', 'two'], lifetime: 300 } });
  });

  it('may have space around the job token, as a file with a line break has', () => {
    expect(parse({ subject_token: ' a.job.token\n' })).toMatchObject({ request: { jobToken: 'a.job.token' } });
  });

  it('may have unknown parameters, and empty ones, which count as absent', () => {
    const empty = { scope: '', lifetime: '', requested_token_type: '', actor_token: '', actor_token_type: '' };
    expect(parse({ ...empty, resource: 'x' })).toEqual(parse());
  });

  it.each(['grant_type', 'subject_token', 'subject_token_type', 'audience'])(
    'is refused without a required parameter, or with an empty one, by its name: %s',
    (name) => {
      for (const value of [undefined, ''])
        expect(refusalOf({ [name]: value })).toEqual({
          reason: 'parameter_missing',
          hint: expect.stringMatching(new RegExp(`^${name} `)),
        });
    },
  );

  it('is refused with a job token of space alone', () => {
    expect(refusalOf({ subject_token: ' \n' })).toMatchObject({ reason: 'parameter_missing' });
  });

  it.each([
    ['subject_token_type', 'urn:ietf:params:oauth:token-type:saml2'],
    ['requested_token_type', 'urn:ietf:params:oauth:token-type:jwt'],
    ...['0', '59', '3601', '1e3', '-300', ' 300', '300 ', '300s', '000300', '100000'].map((text) => ['lifetime', text]),
  ])('is refused with a wrong value, by the name of the parameter: %s %j', (name, value) => {
    expect(refusalOf({ [name]: value })).toEqual({
      reason: 'parameter_invalid',
      hint: expect.stringMatching(new RegExp(`^${name} `)),
    });
  });

  it.each(['subject_token_type', 'requested_token_type', 'lifetime'])(
    'has one response to every wrong value of a parameter, so it cannot repeat the value: %s',
    (name) => {
      expect(refusalOf({ [name]: 'one' })).toEqual(refusalOf({ [name]: 'another' }));
    },
  );

  it.each(['60', '3600'])('may ask for the shortest and the longest life of a token: %s', (lifetime) => {
    expect(parse({ lifetime })).toMatchObject({ request: { lifetime: Number(lifetime) } });
  });

  it('is refused for another grant', () => {
    expect(refusalOf({ grant_type: 'client_credentials' })).toEqual({ reason: 'grant_type_not_supported' });
  });
});

describe('a token of the machine in a form', () => {
  const MACHINE = { actor_token: 'a.machine.token', actor_token_type: VALID.subject_token_type };

  it('comes with its type, and may have space around it', () => {
    for (const actor_token of [MACHINE.actor_token, ` ${MACHINE.actor_token}\n`])
      expect(parse({ ...MACHINE, actor_token })).toMatchObject({ request: { agentToken: 'a.machine.token' } });
    const id_token = { ...MACHINE, actor_token_type: 'urn:ietf:params:oauth:token-type:id_token' };
    expect(parse(id_token)).toMatchObject({ request: { agentToken: 'a.machine.token' } });
  });

  it.each<[string, string, Form, string]>([
    ['parameter_missing', 'its type', { actor_token_type: undefined }, 'actor_token_type is missing: '],
    ['parameter_missing', 'the token', { actor_token: undefined }, 'actor_token is missing: '],
    ['parameter_missing', 'more than space', { actor_token: ' ' }, 'actor_token is missing: '],
    ['parameter_invalid', 'a type that is known', { actor_token_type: 'saml2' }, 'actor_token_type must be '],
  ])('is refused as %s without %s, by the name of the parameter', (reason, _, changes, hint) => {
    expect(refusalOf({ ...MACHINE, ...changes })).toEqual({ reason, hint: expect.stringContaining(hint) });
  });

  it('is refused with the types that it may have', () => {
    const types = 'urn:ietf:params:oauth:token-type:jwt or urn:ietf:params:oauth:token-type:id_token.';
    for (const actor_token_type of [undefined, 'saml2'])
      expect(refusalOf({ ...MACHINE, actor_token_type })).toMatchObject({ hint: expect.stringContaining(types) });
  });
});

describe('a repeated parameter', () => {
  const repeat = (name: string) => {
    const parsed = parseExchangeRequest(`${new URLSearchParams({ ...VALID, [name]: 'x' })}&${name}=x`);
    return 'refusal' in parsed ? parsed.refusal : undefined;
  };

  it.each(['subject_token', 'audience', 'resource', 'a', 'x'.repeat(32)])('is refused by its name: %s', (name) => {
    expect(repeat(name)).toEqual({
      reason: 'parameter_repeated',
      hint: expect.stringMatching(new RegExp(`^${name} `)),
    });
  });

  it.each(['S3CRET', 'token-s3cret', '1', 'x'.repeat(33), '.s3cret'])(
    'is not repeated to the caller where its name may be a value: %s',
    (name) => {
      expect(repeat(name)?.reason).toBe('parameter_repeated');
      expect(JSON.stringify(repeat(name))).not.toContain(name);
    },
  );
});
