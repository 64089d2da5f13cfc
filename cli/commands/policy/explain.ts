// `keydesk policy explain`: what a certain job would be given, and why.

import { Command } from '@commander-js/extra-typings';
import { closestName } from '../../../shared/core/closest-name.ts';
import { claimFlags, decideEach, explainDecisions, parseJob } from '../../../shared/core/policy/explain.ts';
import { POLICY_FILE } from '../../command-mistakes.ts';
import { collect, examples, policyOption } from '../../options.ts';
import { readDeployablePolicy } from '../../policy-file.ts';
import { EXIT, fail, print, printJson } from '../../terminal.ts';

export const explainCommand = new Command('explain')
  .summary('show what a job would receive, and why')
  .description(
    "Show what a job would receive, and why or why not. The job's organization is the policy's. A claim that you do not give is not in the job's token. Of the claims that every token has, give those that rules look at.",
  )
  .argument('[credential...]', 'only these credentials')
  .addOption(policyOption())
  .option(
    '--claim <name=value>',
    'a claim of the job, or pipeline=NAME with a name from pipelines; repeat it for more',
    collect,
  )
  .option('--json', 'the decisions as JSON')
  .addHelpText(
    'after',
    examples(
      `policy explain --policy examples/policy.yaml \\
      --claim pipeline=web --claim build_branch=main --claim build_source=webhook`,
      'policy explain staging-config --policy examples/policy.yaml --claim build_branch=main --json',
    ),
  )
  .action((wanted, options) => {
    const file = wanted.find((name) => POLICY_FILE.test(name));
    if (file !== undefined) fail(EXIT.usage, `${file} is not the name of a credential. Write --policy ${file}.`);
    const { policy } = readDeployablePolicy(options.policy);
    const known = Object.keys(policy.credentials);
    for (const name of wanted) {
      if (known.includes(name)) continue;
      const meant = closestName(name, known);
      fail(
        EXIT.usage,
        `${options.policy} has no credential ${name}${meant === undefined ? `; it has ${known.join(', ')}` : `. Did you mean ${meant}?`}`,
      );
    }
    const job = parseJob(policy, options.claim ?? []);
    if ('problems' in job) fail(EXIT.usage, job.problems.map((problem) => `--claim: ${problem}`).join('\n'));
    const names = wanted.length > 0 ? wanted : known;
    const flags = claimFlags(policy, job.claims);
    if (options.json) {
      printJson({ claim_flags: flags, decisions: decideEach(policy, job.claims, names) });
      return;
    }
    if (flags.length > 0) print(`The job requests its token with ${flags.join(' ')}\n`);
    for (const line of explainDecisions(policy, job.claims, names)) print(line);
  });
