// The example policy, with limits that a benchmark does not meet.

import { readFileSync, writeFileSync } from 'node:fs';
import { CHECKED_SUFFIX, toCheckedPolicy } from '../shared/core/policy/checked-policy.ts';
import { parsePolicy } from '../shared/core/policy/parse-yaml.ts';
import { VERSION } from '../shared/version.ts';

const LIMITS = 'limits: { tokensPerMinute: 600, liveGrantsPerPipeline: 100000 }\n';

/** Writes it, as the archive of `token` has it. */
export function writeBenchPolicy(path: string): void {
  const text = `${readFileSync('examples/policy.yaml', 'utf8')}${LIMITS}`;
  const loaded = parsePolicy(text, 'examples/policy.yaml');
  if ('problems' in loaded) throw new Error(loaded.problems.join('\n'));
  writeFileSync(path, text);
  writeFileSync(`${path}${CHECKED_SUFFIX}`, toCheckedPolicy(loaded, VERSION));
}
