// Why the ID token of a request to `reader` or `admin` is not accepted.

export const CALLER_PROBLEMS = [
  'missing',
  'not_verified',
  'keys_asked_recently',
  'audience_wrong',
  'expired',
  'not_yet_valid',
  'email_missing',
  'email_not_verified',
] as const;
