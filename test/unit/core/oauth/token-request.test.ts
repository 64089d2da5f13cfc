// The form about an access token: RFC 7009 section 2.1 and RFC 7662 section 2.1.

import { describe, expect, it } from 'vitest';
import { parseTokenRequest } from '../../../../shared/core/oauth/token-request.ts';

describe('the form of a release and an introspection', () => {
  it.each([
    ['', 'token=ya29.x'],
    [' with space around it', 'token=%20ya29.x%0A'],
    [' with a hint about its type, and unknown parameters, which may repeat', 'token_type_hint=a&x=1&token=ya29.x&x=2'],
  ])('has the access token%s', (_, form) => {
    expect(parseTokenRequest(form)).toEqual({ accessToken: 'ya29.x' });
  });

  it.each(['', 'token=', 'token=%20', 'access_token=ya29.x'])('is refused without one: %j', (form) => {
    expect(parseTokenRequest(form)).toEqual({
      refusal: { reason: 'parameter_missing', hint: expect.stringMatching(/^token is missing/) },
    });
  });

  it.each(['token=ya29.x&token=ya29.y', 'token=ya29.x&token=ya29.x', 'token=ya29.x&token='])(
    'is refused with more than one, and says so without any of them: %s',
    (form) => {
      const parsed = parseTokenRequest(form);
      expect(parsed).toEqual({
        refusal: { reason: 'parameter_repeated', hint: expect.stringMatching(/^token is repeated/) },
      });
      expect(JSON.stringify(parsed)).not.toContain('ya29');
    },
  );
});
