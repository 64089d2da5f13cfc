// The policy of an instance that starts: as `keydesk package` has read and checked it, or else from its file. To read and check
// the file takes two fifths of the processor time until this function is loaded.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { CHECKED_SUFFIX, fromCheckedPolicy } from '../../shared/core/policy/checked-policy.ts';
import { type LoadedPolicy, parsePolicy } from '../../shared/core/policy/parse-yaml.ts';
import { VERSION } from '../../shared/version.ts';

/** @param path of the policy's file */
export function loadPolicy(path: string): LoadedPolicy | { readonly problems: string[] } {
  try {
    const text = readFileSync(path, 'utf8');
    const sha256 = createHash('sha256').update(text).digest('hex');
    const checkedPath = `${path}${CHECKED_SUFFIX}`;
    const policy =
      existsSync(checkedPath) && fromCheckedPolicy(readFileSync(checkedPath, 'utf8'), { version: VERSION, sha256 });
    return policy ? { policy, sha256 } : parsePolicy(text, path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    return { problems: [`KEYDESK_POLICY names a file that cannot be read (${code})`] };
  }
}
