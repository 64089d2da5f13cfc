// OAuth scopes that are none of Google's, with the scope to write. Source: developers.google.com/identity/protocols/oauth2/scopes.

import type { WrittenPolicy } from '../policy/policy.ts';
import type { PolicyProblem } from '../policy/problems.ts';

/** Besides those of www.googleapis.com there are some of hosts under google.com, and those of OpenID Connect. */
const SCOPE =
  /^(?:openid|email|profile|https:\/\/www\.googleapis\.com\/auth\/[a-z0-9][\w.-]*|https:\/\/[a-z0-9.-]+\.google\.com\/[\w.~/-]*)$/;
/** A short name, or one of its wrong addresses. */
const SHORT = /^(?:(?:https?:\/\/)?(?:www\.)?googleapis\.com\/)?(?:auth\/)?([a-z][\w.-]*)\/?$/i;

export function scopeProblems({ credentials }: WrittenPolicy): PolicyProblem[] {
  return Object.entries(credentials).flatMap(([name, credential]) => {
    if (credential.kind === 'firestore' || credential.storage) return [];
    return credential.scopes.flatMap((scope, index) =>
      SCOPE.test(scope)
        ? []
        : [
            {
              path: ['credentials', name, 'serviceAccount', 'scopes', index],
              message: `is not an OAuth scope of Google. Write ${fullScope(scope)}`,
            },
          ],
    );
  });
}

function fullScope(written: string): string {
  const name = SHORT.exec(written)?.[1]?.toLowerCase().replace('cloud_', 'cloud-');
  return name === undefined
    ? 'one such as https://www.googleapis.com/auth/datastore'
    : `https://www.googleapis.com/auth/${name}`;
}
