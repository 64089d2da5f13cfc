// The policy as `keydesk package` has read and checked it, next to the file in the archive of `token`: an instance that starts
// reads it in place of the file. It counts only for exactly this file and exactly this release. Otherwise the file is read.

import { VERSION } from '../../version.ts';
import { parseJson } from '../json.ts';
import type { LoadedPolicy } from './parse-yaml.ts';
import type { Policy } from './policy.ts';

/** Follows the name of the policy's file. */
export const CHECKED_SUFFIX = '.checked.json';

/** The contents of the file. */
export function toCheckedPolicy({ policy, sha256 }: LoadedPolicy): string {
  return JSON.stringify({ version: VERSION, sha256, policy });
}

/**
 * The policy, or undefined where the contents are of another file or another release, or nothing that this release wrote.
 * @param sha256 of the policy's file, hex
 */
export function fromCheckedPolicy(contents: string, sha256: string): Policy | undefined {
  const checked = parseJson(contents) as { version?: unknown; sha256?: unknown; policy?: Policy } | null | undefined;
  return checked?.version === VERSION && checked.sha256 === sha256 ? checked.policy : undefined;
}
