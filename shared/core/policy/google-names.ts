// The forms of Google's names in a policy: projects, service accounts, tenants.

import * as z from 'zod';

export const projectIdSchema = z
  .string()
  .regex(/^[a-z][a-z0-9:.-]{3,61}[a-z0-9]$/, 'must be a Google Cloud project ID');

/** Also the accounts that Google creates: NUMBER-compute@developer.gserviceaccount.com, PROJECT@appspot.gserviceaccount.com. */
export const serviceAccountSchema = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9.-]*@(?:[a-z0-9-]+\.)+gserviceaccount\.com$/,
    "must be a service account's e-mail address, NAME@PROJECT.iam.gserviceaccount.com",
  );

/**
 * Source: developers.google.com/identity/protocols/oauth2/scopes. Besides those of www.googleapis.com there are some of hosts under
 * google.com, and those of OpenID Connect.
 */
const SCOPE =
  /^(?:openid|email|profile|https:\/\/www\.googleapis\.com\/auth\/[a-z0-9][a-z0-9._-]*|https:\/\/(?:[a-z0-9-]+\.)+google\.com\/[A-Za-z0-9._~/-]*)$/;
/** A short name, or one of its wrong addresses. */
const SHORT_SCOPE = /^(?:(?:https?:\/\/)?(?:www\.)?googleapis\.com\/)?(?:auth\/)?([a-z0-9][a-z0-9._-]*)\/?$/i;

export const scopeSchema = z.string().regex(SCOPE, {
  error: ({ input }) => {
    const [, name = 'datastore'] = SHORT_SCOPE.exec(String(input)) ?? [];
    const scope = `https://www.googleapis.com/auth/${name.toLowerCase().replace(/^cloud_platform/, 'cloud-platform')}`;
    return `must be an OAuth scope of Google, such as ${scope}`;
  },
});

/** Google derives it from the tenant's display name: tenant2-m6tyz. Source: firebase.google.com/docs/rules/rules-and-auth (firebase.tenant). */
export const tenantSchema = z
  .string()
  .regex(/^[a-z][a-z0-9-]{3,62}$/, 'must be the ID of an Identity Platform tenant, such as ci-x7k2p');
