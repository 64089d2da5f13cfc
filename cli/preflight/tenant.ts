// The tenants that the policy names: each exists, lets users sign in, and has no sign-in provider.
// Sources: docs.cloud.google.com/identity-platform/docs/reference/rest/v2/projects.tenants.

import * as z from 'zod';
import type { CheckKind } from '../checks/check.ts';
import type { Google } from '../checks/google.ts';
import { READS } from './needed-permissions.ts';
import { enabledProviders, IDENTITY_TOOLKIT, PROVIDER_LISTS } from './sign-in-providers.ts';
import type { Target } from './target.ts';

const tenantShape = z.object({
  disableAuth: z.boolean().default(false),
  allowPasswordSignup: z.boolean().default(false),
  enableEmailLinkSignin: z.boolean().default(false),
  enableAnonymousUser: z.boolean().default(false),
});
type Tenant = z.output<typeof tenantShape>;

type Name = 'tenant_missing' | 'tenant_disabled' | 'tenant_sign_in';

export const tenants: CheckKind<Target, Name> = {
  name: 'tenant',
  looksAt: 'Whether each tenant in the policy exists, is enabled, and has no sign-in provider.',
  findings: {
    tenant_missing: {
      severity: 'error',
      what: 'The tenant {tenant} does not exist in {project}.',
      why: 'Google refuses the sign-in, so no firestore credential of this tenant is issued.',
      fix: 'Create it in the console of {project} (Identity Platform, Tenants), and put its ID into the policy as tenant.',
      undo: 'Delete the tenant in the console of {project}.',
    },
    tenant_disabled: {
      severity: 'error',
      what: 'Authentication is disabled in the tenant {tenant} of {project}.',
      why: 'Google refuses the sign-in, so no firestore credential of this tenant is issued.',
      fix: 'Enable it in the console of {project}: Identity Platform, Tenants, {tenant}.',
      undo: 'Disable it again in the console of {project}.',
    },
    tenant_sign_in: {
      severity: 'warning',
      what: 'The tenant {tenant} of {project} has sign-in providers: {providers}.',
      why: 'A job can link one to its Firebase user and sign in again after it has ended. Other people can become users of the tenant.',
      fix: 'Disable the providers in the console of {project}: Identity Platform, Tenants, {tenant}.',
      undo: 'Enable the providers again in the console of {project}.',
    },
  },
  checksOf: ({ userGroups }) =>
    userGroups.flatMap(({ project, tenant }) =>
      tenant === undefined
        ? []
        : [
            {
              subject: `${project}, ${tenant}`,
              look: async (google: Google) => {
                const parent = `projects/${project}/tenants/${tenant}`;
                const found = await google.find({
                  api: IDENTITY_TOOLKIT,
                  path: `v2/${parent}`,
                  shape: tenantShape,
                  ...READS.tenant,
                  on: project,
                });
                if (!found) return { found: [{ finding: 'tenant_missing' as const, facts: { project, tenant } }] };
                const enabled = await enabledProviders(google, { project, parent, lists: PROVIDER_LISTS });
                return { found: judgeTenant({ project, tenant }, found, enabled) };
              },
            },
          ],
    ),
};

/** @param providers the enabled ones that are configured one by one */
function judgeTenant(
  facts: { readonly project: string; readonly tenant: string },
  { disableAuth, allowPasswordSignup, enableEmailLinkSignin, enableAnonymousUser }: Tenant,
  providers: readonly string[],
) {
  const all = [
    ...(allowPasswordSignup ? ['password'] : []),
    ...(enableEmailLinkSignin ? ['e-mail link'] : []),
    ...(enableAnonymousUser ? ['anonymous'] : []),
    ...providers,
  ];
  return [
    ...(disableAuth ? [{ finding: 'tenant_disabled' as const, facts }] : []),
    ...(all.length > 0 ? [{ finding: 'tenant_sign_in' as const, facts: { ...facts, providers: all.join(', ') } }] : []),
  ];
}
