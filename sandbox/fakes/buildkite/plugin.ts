// Where a plugin's reference leads, and how reference and configuration reach its hooks: as environment variables, named as
// the agent names them. Source: buildkite/go-pipeline, plugin.go; buildkite/agent, agent/plugin/plugin.go.

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

export interface PluginSource {
  /** What the agent clones. Undefined for a vendored plugin, which is a folder of the checkout. */
  readonly repository: string | undefined;
  /** The folder of the plugin in the repository or the checkout; empty at its root. */
  readonly folder: string;
  /** A branch, tag or commit. */
  readonly version: string | undefined;
}

/** Where the agent finds the plugin of a reference. Of git hosts it knows GitHub only. */
export function pluginSource(reference: string): PluginSource {
  const [written = '', version] = reference.split('#', 2);
  if (/^[./\\]/.test(written)) return { repository: undefined, folder: written, version: undefined };
  const [, scheme, user = '', rest] = /^([a-z]+):\/\/([^/@]*@)?(.*)$/.exec(written) ?? [
    undefined,
    'https',
    '',
    written,
  ];
  const parts = (rest ?? '').split('/');
  const location = written.includes('://') ? parts : inFull(parts);
  // A repository of another host ends at the part that ends in `.git`.
  const end = location[0] === 'github.com' ? 3 : location.findIndex((part) => part.endsWith('.git')) + 1 || undefined;
  return {
    repository: `${scheme}://${user}${location.slice(0, end).join('/')}`,
    folder: end === undefined ? '' : location.slice(end).join('/'),
    version,
  };
}

/** `name` and `owner/name` are short for repositories at GitHub. Longer references stay as they are. */
function inFull(parts: readonly string[]): readonly string[] {
  if (parts.length > 2) return parts;
  const [owner, name] = parts.length === 1 ? ['buildkite-plugins', parts[0]] : parts;
  return ['github.com', String(owner), `${name}-buildkite-plugin`];
}

/** What the hooks of one use of a plugin see in addition to the job's environment. */
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
