// `npm run policy`: checks a policy and says what it opens, or with --claim what a certain job would be given and why. Reads
// the file and nothing else: no environment, no network. What it says comes from the files beside this one.

import { parseArgs } from 'node:util';
import { createLocator } from '../shared/core/policy/parse-yaml.ts';
import { toPolicyJson } from '../shared/core/policy/to-json.ts';
import { generatedRulesProblems } from '../shared/core/rules/limits.ts';
import { HELP, readFlags } from './flags.ts';
import { fail, readPolicy } from './policy-file.ts';
import { policyHints } from './policy-hints.ts';
import { claimFlags, explainDecisions, parseJob } from './policy-job.ts';
import { credentialTable } from './policy-table.ts';

const USAGE = `usage: npm run policy -- [--policy FILE] [--json | --claim NAME=VALUE …]
  --policy FILE      the policy; default policy.yaml
  --claim NAME=VALUE  a claim of a job; several make one job, and what it would be given is told, and why
  --json             the policy as JSON, for other programs: defaults filled in, durations in seconds, the file's SHA-256

Without --claim: what each credential opens, and hints. A policy with problems: all of them, and exit 1.
The organization of the job is the policy's. A claim that is not given is not in the job's token; of those that every
token has, the ones that rules look at must be given. For example:

  npm run policy -- --policy examples/policy.yaml
  npm run policy -- --policy examples/policy.yaml \\
    --claim pipeline_id=0184990a-4782-42b5-afc1-16715b10b1f0 --claim build_branch=main --claim build_source=webhook`;

const options = readFlags(USAGE, () => {
  const { values } = parseArgs({
    options: {
      policy: { type: 'string', default: 'policy.yaml' },
      claim: { type: 'string', multiple: true },
      json: { type: 'boolean', default: false },
      help: HELP,
    },
  });
  if (values.json && values.claim) throw new Error('--json and --claim exclude each other');
  return values;
});
const { policy, sha256, text } = readPolicy(options.policy);
const problems = generatedRulesProblems(policy);
if (problems.length > 0) fail(1, problems.map((problem) => `${options.policy}: ${problem}`).join('\n'));

if (options.json) process.stdout.write(toPolicyJson({ policy, sha256 }));
else if (options.claim) {
  const job = parseJob(policy, options.claim);
  if ('problems' in job) fail(2, job.problems.map((problem) => `--claim: ${problem}`).join('\n'));
  const flags = claimFlags(policy, job.claims);
  if (flags.length > 0) console.log(`Such a job's token was asked for with ${flags.join(' ')}\n`);
  for (const line of explainDecisions(policy, job.claims)) console.log(line);
} else {
  const { credentials, rules } = policy;
  console.log(`${options.policy} is a policy: credentials ${Object.keys(credentials).length}, rules ${rules.length}`);
  console.log(`SHA-256 ${sha256}\n`);
  for (const line of credentialTable(policy)) console.log(line);
  const place = createLocator(text, options.policy);
  for (const { path, message } of policyHints(policy)) console.log(`\nhint: ${place(path)} ${message}`);
}
