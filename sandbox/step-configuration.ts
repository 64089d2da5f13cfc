// The plugin's configuration as the sandbox's command `step` passes it on: requests go to the sandbox, and everything else
// stays as the pipeline file says, so that the plugin and Keydesk report its mistakes as in production.

import type { PluginConfiguration } from './fakes/buildkite/plugin.ts';

/** What the plugin accepts as `url`, with its end after the host. Source: plugin/lib/configuration.bash. */
const URL_OF_KEYDESK = /^https:\/\/(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?((?:\/[A-Za-z0-9._~-]+)*\/?)$/;

/**
 * Replaces the origin of a valid `url`, or all of the policy's audience where the `url` begins with it. The job token is
 * requested for the audience that the file says: `audience`, or else `url`.
 */
export function configurationInSandbox(
  configuration: PluginConfiguration,
  { url: sandboxUrl, audience: policyAudience }: { readonly url: string; readonly audience: string },
): PluginConfiguration {
  const { url, audience } = configuration;
  const path = typeof url === 'string' ? URL_OF_KEYDESK.exec(url)?.[1] : undefined;
  if (typeof url !== 'string' || path === undefined) return configuration;
  const isBelowAudience = url === policyAudience || url.startsWith(`${policyAudience}/`);
  return {
    ...configuration,
    url: `${sandboxUrl}${isBelowAudience ? url.slice(policyAudience.length) : path}`,
    // As in the plugin, an empty audience is none.
    audience: audience === undefined || audience === '' ? url.replace(/\/$/, '') : audience,
  };
}
