// OAuth scopes that are none of Google's, with the scope to write. Source: developers.google.com/identity/protocols/oauth2/scopes.

import { closestName } from '../closest-name.ts';
import type { WrittenPolicy } from '../policy/policy.ts';
import type { PolicyProblem } from '../policy/problems.ts';
import type { PolicyWarning } from './codes.ts';

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

const PREFIX = 'https://www.googleapis.com/auth/';
/** The scopes of the APIs that jobs of a build usually call. */
const COMMON = (
  'appengine.admin bigquery bigquery.insertdata bigquery.readonly bigtable.admin bigtable.data cloud-platform ' +
  'cloud-platform.read-only cloudkms cloud_debugger compute compute.readonly datastore devstorage.full_control ' +
  'devstorage.read_only devstorage.read_write drive firebase firebase.database firebase.messaging firebase.readonly ' +
  'identitytoolkit logging.admin logging.read logging.write monitoring monitoring.read monitoring.write ' +
  'ndev.clouddns.readonly ndev.clouddns.readwrite pubsub service.management service.management.readonly servicecontrol ' +
  'spanner.admin spanner.data sqlservice.admin taskqueue trace.append trace.readonly userinfo.email userinfo.profile'
).split(' ');

export function scopeWarnings({ credentials }: WrittenPolicy): PolicyWarning[] {
  return Object.entries(credentials).flatMap(([name, credential]) => {
    if (credential.kind === 'firestore' || credential.storage) return [];
    return credential.scopes.flatMap((scope, index) => {
      if (!scope.startsWith(PREFIX)) return [];
      const written = scope.slice(PREFIX.length);
      const near = COMMON.includes(written) ? undefined : closestName(written, COMMON);
      if (near === undefined) return [];
      const path = ['credentials', name, 'serviceAccount', 'scopes', index];
      return [
        {
          code: 'unknown_scope' as const,
          path,
          message: `"${scope}" is not a common scope. Did you mean "${PREFIX}${near}"?`,
        },
      ];
    });
  });
}

function fullScope(written: string): string {
  const name = SHORT.exec(written)?.[1]?.toLowerCase().replace('cloud_', 'cloud-');
  return name === undefined
    ? 'one such as https://www.googleapis.com/auth/datastore'
    : `https://www.googleapis.com/auth/${name}`;
}
