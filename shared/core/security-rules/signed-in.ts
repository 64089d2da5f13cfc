// Finds hand-written rules that a token of Keydesk satisfies because it is a signed-in user. The token stays valid until it expires, up
// to an hour, also after its job has ended. Each condition is evaluated for Keydesk's tokens, with ANY for what the text does
// not decide; a condition that may be true is reported. So a rule may be reported needlessly, and none is left out by a guess.
// Source: firebase.google.com/docs/rules/rules-language (functions, operators); firebase.google.com/docs/rules/rules-and-auth.

import { mayAdmit } from './condition.ts';
import type { TokensOfPolicy } from './generate.ts';
import { type Allow, parseRules } from './text.ts';
import { ABSENT, ANY, constant, map, UID, type Value } from './value.ts';

export interface SignedInRule {
  /** The line of its `allow`, from 1. */
  readonly line: number;
  /** As written, on one line. */
  readonly rule: string;
  /** Every token of Keydesk, or only one of a user that a job has changed: it has a password or an address by then. */
  readonly admits: 'every_token' | 'changed_user';
}

/**
 * The `allow` statements outside of Keydesk's marks that read `request.auth` and that a user of Keydesk may satisfy.
 */
export function rulesAdmittingSignedIn(text: string, { tenants, collections }: TokensOfPolicy): SignedInRule[] {
  const { tokens, allows } = parseRules(text);
  const admits = (allow: Allow, changed: boolean) =>
    [...tenants].some((tenant) => mayAdmit(tokens, allow, { request: requestOf(tenant, changed), collections }));
  return allows.flatMap((allow): SignedInRule[] => {
    if (!admits(allow, true)) return [];
    return [{ line: allow.line, rule: allow.written, admits: admits(allow, false) ? 'every_token' : 'changed_user' }];
  });
}

/** What a token of Keydesk is to the rules; `changed` is one of a user that a job has changed. */
function requestOf(tenant: string | undefined, changed: boolean): Value {
  const firebase = map({
    tenant: tenant === undefined ? ABSENT : constant(tenant),
    sign_in_provider: changed ? ANY : constant('custom'),
  });
  const userClaim = changed ? ANY : ABSENT;
  const token = map(
    {
      ...{ firebase, sub: UID, user_id: UID, keydesk_grant: changed ? ANY : map({}) },
      ...{ aud: ANY, iss: ANY, iat: ANY, exp: ANY, auth_time: ANY },
      ...{
        email: userClaim,
        email_verified: userClaim,
        phone_number: userClaim,
        name: userClaim,
        picture: userClaim,
        provider_id: userClaim,
      },
    },
    // All other claims are an administrator's to give.
    ABSENT,
  );
  return map({ auth: map({ uid: UID, token }) });
}
