// The sign-in providers that are configured one by one, of a project or of a tenant: those that Google supports by default, OIDC and SAML.
// Source: docs.cloud.google.com/identity-platform/docs/reference/rest/v2 (projects and projects.tenants, the lists of providers below each).

import * as z from 'zod';
import type { Google } from '../checks/google.ts';
import { READS } from './needed-permissions.ts';

export const IDENTITY_TOOLKIT = 'identitytoolkit.googleapis.com';

const provider = z.object({ name: z.string(), enabled: z.boolean().default(false) });
const providersShape = z.object({
  defaultSupportedIdpConfigs: z.array(provider).default([]),
  oauthIdpConfigs: z.array(provider).default([]),
  inboundSamlConfigs: z.array(provider).default([]),
  nextPageToken: z.string().optional(),
});

/** Each list is in a field of its own name. */
export type ProviderList = 'defaultSupportedIdpConfigs' | 'oauthIdpConfigs' | 'inboundSamlConfigs';
export const PROVIDER_LISTS = ['defaultSupportedIdpConfigs', 'oauthIdpConfigs', 'inboundSamlConfigs'] as const;

/** Names of the enabled providers. @param parent such as `projects/acme-data` */
export async function enabledProviders(
  google: Google,
  {
    project,
    parent,
    lists,
  }: { readonly project: string; readonly parent: string; readonly lists: readonly ProviderList[] },
): Promise<string[]> {
  const pages = await Promise.all(
    lists.map((list) =>
      google.readAll({
        api: IDENTITY_TOOLKIT,
        path: `v2/${parent}/${list}`,
        shape: providersShape,
        ...READS.authentication,
        on: project,
      }),
    ),
  );
  return pages
    .flat()
    .flatMap((page) => PROVIDER_LISTS.flatMap((list) => page[list]))
    .flatMap(({ name, enabled }) => (enabled ? [name.replace(/^.*\//, '')] : []));
}
