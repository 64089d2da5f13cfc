// How a plugin's reference and configuration reach its hooks: as environment variables, named as the agent names them.
// Source: buildkite/agent, agent/plugin/plugin.go.

type Configured = string | number | boolean | null | readonly Configured[] | { readonly [key: string]: Configured };
export type PluginConfiguration = Readonly<Record<string, Configured>>;

/** The name that a reference gives a plugin: the last part of its path, without version, `-buildkite-plugin` and `.git`. */
export function pluginName(reference: string): string {
  const path = (reference.split('#', 1)[0] ?? '').replaceAll('\\', '/');
  return (path.split('/').at(-1) ?? '')
    .toLowerCase()
    .replace(/\s+/g, ' ')
    .replace(/[^a-z0-9]/g, '-')
    .replaceAll('-buildkite-plugin-git', '')
    .replaceAll('-buildkite-plugin', '');
}

/** What the hooks of one use of a plugin see beside the job's environment. */
export function pluginEnvironment(reference: string, configuration: PluginConfiguration): Record<string, string> {
  const name = toKey(pluginName(reference));
  return {
    BUILDKITE_PLUGIN_NAME: name,
    BUILDKITE_PLUGIN_CONFIGURATION: JSON.stringify(configuration),
    ...Object.fromEntries(
      Object.entries(configuration).flatMap(([key, value]) => walk(`BUILDKITE_PLUGIN_${name}_${toKey(key)}`, value)),
    ),
  };
}

function toKey(text: string): string {
  return text.toUpperCase().replace(/[-\s]/g, '_');
}

function walk(variable: string, value: Configured): [string, string][] {
  if (value === null) throw new Error(`${variable}: the agent takes no null`);
  if (typeof value !== 'object') return [[variable, String(value)]];
  const entries: readonly [string | number, Configured][] = Array.isArray(value)
    ? [...value.entries()]
    : Object.entries(value);
  return entries.flatMap(([key, inner]) => walk(`${variable}_${toKey(String(key))}`, inner));
}
