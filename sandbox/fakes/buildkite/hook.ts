// A shell hook as the agent runs it: sourced between two looks at the environment, whose difference carries over.
// Source: buildkite/agent, internal/job/hook/wrapper.go.

import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What to run for a hook, and how to read what it changed afterwards. */
export interface WrappedHook {
  readonly command: readonly string[];
  changes(): {
    readonly changed: Readonly<Record<string, string>>;
    readonly removed: readonly string[];
    readonly workingDirectory: string | undefined;
  };
}

/** Writes what sources `hook` into a folder of its own under `folder`. */
export function wrapHook(hook: string, folder: string): WrappedHook {
  const own = mkdtempSync(join(folder, 'hook-'));
  const [script, before, after] = ['wrapper', 'before', 'after'].map((name) => join(own, name)) as [
    string,
    string,
    string,
  ];
  const shebang = /^#!(.*)\n/.exec(readFileSync(hook, 'utf8'))?.[1] ?? '/usr/bin/env bash';
  writeFileSync(
    script,
    [
      `#!${shebang}`,
      `/usr/bin/env -0 > '${before}'`,
      `. '${hook.replaceAll("'", `'\\''`)}'`,
      'export BUILDKITE_HOOK_EXIT_STATUS=$?',
      'export BUILDKITE_HOOK_WORKING_DIR="$PWD"',
      `/usr/bin/env -0 > '${after}'`,
      'exit $BUILDKITE_HOOK_EXIT_STATUS',
      '',
    ].join('\n'),
  );
  return { command: [...shebang.trim().split(/\s+/), script], changes: () => changesBetween(before, after) };
}

const OWN = ['BUILDKITE_HOOK_EXIT_STATUS', 'BUILDKITE_HOOK_WORKING_DIR', '_'];

function changesBetween(before: string, after: string) {
  const was = existsSync(before) ? readEnvironment(before) : {};
  const is = existsSync(after) ? readEnvironment(after) : {};
  // A hook that called `exit` never came to the second look: the agent then takes over nothing.
  if (Object.keys(is).length === 0) return { changed: {}, removed: [], workingDirectory: undefined };
  const kept = ([name]: [string, string]) => !OWN.includes(name);
  return {
    changed: Object.fromEntries(
      Object.entries(is).filter(([name, value]) => kept([name, value]) && was[name] !== value),
    ),
    removed: Object.keys(was).filter((name) => !Object.hasOwn(is, name) && !OWN.includes(name)),
    workingDirectory: is.BUILDKITE_HOOK_WORKING_DIR,
  };
}

function readEnvironment(file: string): Record<string, string> {
  const pairs = readFileSync(file, 'utf8').split('\0').filter(Boolean);
  return Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
}
