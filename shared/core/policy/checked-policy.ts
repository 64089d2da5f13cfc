// The policy as `keydesk package` has read and checked it, next to the file in the archive of `token`: an instance that starts
// reads it in place of the file. It counts only for exactly this file and exactly this release. Otherwise the file is read.

import { parseJson } from '../json.ts';
import type { LoadedPolicy } from './parse-yaml.ts';
import type { Policy } from './policy.ts';

/** Follows the name of the policy's file. */
export const CHECKED_SUFFIX = '.checked.json';

/** The contents of the file. @param version of Keydesk */
export function toCheckedPolicy({ policy, sha256 }: LoadedPolicy, version: string): string {
  return JSON.stringify({ version, sha256, policy });
}

/**
 * The policy, or undefined where the contents are of another file or another release, or nothing that this release wrote.
 * @param of.sha256 of the policy's file, hex
 */
export function fromCheckedPolicy(
  contents: string,
  of: { readonly version: string; readonly sha256: string },
): Policy | undefined {
  const checked = parseJson(contents) as { version?: unknown; sha256?: unknown; policy?: Policy } | null | undefined;
  return checked?.version === of.version && checked.sha256 === of.sha256 ? checked.policy : undefined;
}
