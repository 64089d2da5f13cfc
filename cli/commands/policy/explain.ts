// `keydesk policy explain`: what a certain job would be given, and why.

import { Command } from '@commander-js/extra-typings';
import { meantOrKnown } from '../../../shared/core/closest-name.ts';
import { decide } from '../../../shared/core/policy/decide.ts';
import { claimFlags, decideEach, explainDecisions, parseJob } from '../../../shared/core/policy/explain.ts';
import type { Policy } from '../../../shared/core/policy/policy.ts';
import { claimMistakes } from '../../../shared/core/policy-analysis/claim-mistakes.ts';
import { POLICY_FILE } from '../../command-mistakes.ts';
import { claimsDoNotDecide, explainStatedJob } from '../../explain-stated-job.ts';
import { readInput } from '../../input.ts';
import { collect, examples, policyOption } from '../../options.ts';
import { readDeployablePolicy } from '../../policy-file.ts';
import { EXIT, fail, print, printJson } from '../../terminal.ts';

export const explainCommand = new Command('explain')
  .summary('show what a job would receive, and why')
  .description(
    "Show what a job would receive, and why or why not. With --claim, the job's organization is the policy's, and a claim that you do not give is not in the job's token. Of the claims that every token has, give those that rules look at. With --claims, also show the nearest rules of each refused credential, and what would have to change in the job or in the policy.",
  )
  .argument('[credential...]', 'only these credentials')
  .addOption(policyOption())
  .option(
    '--claim <name=value>',
    'a claim of the job, or pipeline=NAME with a name from pipelines; repeat it for more',
    collect,
  )
  .option(
    '--claims <file>',
    "all claims of the job: the payload of its job token, the lines under Claims of this job in the plugin's message, or a line of the audit log; - reads standard input",
  )
  .option('--json', 'the decisions as JSON')
  .addHelpText(
    'after',
    examples(
      `policy explain --policy examples/policy.yaml \\
      --claim pipeline=web --claim build_branch=main --claim build_source=webhook`,
      'policy explain staging-config --policy examples/policy.yaml --claim build_branch=main --json',
      'policy explain production-config --claims claims.txt',
    ),
  )
  .action((wanted, options) => {
    const file = wanted.find((name) => POLICY_FILE.test(name));
    if (file !== undefined) fail(EXIT.usage, `${file} is not the name of a credential. Write --policy ${file}.`);
    if (options.claims !== undefined && options.claim !== undefined)
      fail(EXIT.usage, 'Give --claims or --claim, and not both.');
    const read = readDeployablePolicy(options.policy);
    const json = options.json === true;
    for (const name of wanted) demandCredential(read.policy, options.policy, name);
    if (options.claims === undefined) explainGivenClaims(read.policy, wanted, { given: options.claim ?? [], json });
    else
      explainStatedJob(readInput(options.claims), { read, file: options.policy, source: options.claims, wanted, json });
  });

function explainGivenClaims(
  policy: Policy,
  wanted: readonly string[],
  { given, json }: { readonly given: readonly string[]; readonly json: boolean },
): void {
  const mistakes = claimMistakes(policy, given);
  if (mistakes.length > 0) fail(EXIT.usage, mistakes.map((mistake) => `--claim: ${mistake}`).join('\n'));
  const job = parseJob(policy, given, wanted);
  if ('problems' in job) fail(EXIT.usage, job.problems.map((problem) => `--claim: ${problem}`).join('\n'));
  const names = wanted.length > 0 ? wanted : Object.keys(policy.credentials);
  const flags = claimFlags(policy, job.claims);
  if (json) {
    printJson({ claim_flags: flags, decisions: decideEach(policy, job.claims, names) });
    return;
  }
  if (flags.length > 0) print(`The job requests its token with ${flags.join(' ')}\n`);
  for (const line of explainDecisions(policy, job.claims, names)) print(line);
  if (names.some((name) => decide(policy, job.claims, name).outcome === 'conditional'))
    print(claimsDoNotDecide(undefined));
}

function demandCredential(policy: Policy, file: string, name: string): void {
  const known = Object.keys(policy.credentials);
  if (known.includes(name)) return;
  fail(EXIT.usage, `${file} has no credential "${name}". ${meantOrKnown(name, known)}`);
}
