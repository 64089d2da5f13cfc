// `keydesk version`: which version this is, and which policy is in this folder.

import { existsSync } from 'node:fs';
import { Command } from '@commander-js/extra-typings';
import { VERSION } from '../../shared/version.ts';
import { defaultPolicy, examples } from '../options.ts';
import { readPolicy } from '../policy-file.ts';
import { print, printJson } from '../terminal.ts';

export const versionCommand = new Command('version')
  .summary('show the version, and the SHA-256 of the policy')
  .description(
    'Show the version, and the SHA-256 of the policy where there is one. GET /health of the token function names both of what is deployed.',
  )
  .option('--policy <file>', 'policy file (default: KEYDESK_POLICY, else policy.yaml if it exists)')
  .option('--json', 'the same as JSON')
  .addHelpText('after', examples('version', 'version --policy policy.yaml --json'))
  .action((options) => {
    const file =
      options.policy ?? (process.env.KEYDESK_POLICY || existsSync('policy.yaml') ? defaultPolicy() : undefined);
    const sha256 = file === undefined ? undefined : readPolicy(file).sha256;
    if (options.json) return printJson({ version: VERSION, node: process.version, policy_sha256: sha256 });
    print(`keydesk ${VERSION} (Node ${process.version})`);
    if (sha256 !== undefined) print(`${file}  SHA-256 ${sha256}`);
  });
