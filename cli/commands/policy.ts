// `keydesk policy`: what a policy says, and what a certain job would be given and why. Reads the file and nothing else: no
// network.

import { Command } from '@commander-js/extra-typings';
import { closestName } from '../../shared/core/closest-name.ts';
import { claimFlags, decideEach, explainDecisions, parseJob } from '../../shared/core/policy/explain.ts';
import { policyJsonSchema } from '../../shared/core/policy/json-schema.ts';
import { credentialTable } from '../../shared/core/policy/table.ts';
import { toPolicyJson } from '../../shared/core/policy/to-json.ts';
import { readCheckedPolicy } from '../checked-policy.ts';
import { POLICY_FILE } from '../command-mistakes.ts';
import { collect, examples, policyOption } from '../options.ts';
import { readDeployablePolicy } from '../policy-file.ts';
import { EXIT, fail, print, printJson } from '../terminal.ts';

const check = new Command('check')
  .summary('check a policy, and show what each credential opens')
  .description(
    'Check a policy, and show what each credential opens and who gets it. Prints every problem, and every warning with its code. The exit code is 1 if there is a problem, or a warning that the policy does not accept.',
  )
  .addOption(policyOption())
  .option('--json', 'the policy as JSON: defaults filled in, durations in seconds, SHA-256 of the file, warnings')
  .addHelpText('after', examples('policy check', 'policy check --policy examples/policy.yaml --json'))
  .action((options) => {
    const { policy, sha256, warnings, accepted, show } = readCheckedPolicy(options.policy);
    if (warnings.length > 0) process.exitCode = EXIT.failure;
    if (options.json) {
      process.stdout.write(toPolicyJson({ policy, sha256 }, { warnings, accepted }));
      return;
    }
    const { credentials, rules } = policy;
    print(`${options.policy} is a policy: credentials ${Object.keys(credentials).length}, rules ${rules.length}`);
    print(`SHA-256 ${sha256}\n`);
    for (const line of credentialTable(policy)) print(line);
    if (accepted.length > 0) print('');
    for (const { code, line, column, reason } of accepted)
      print(`${options.policy}:${line}:${column}: accepted ${code}: ${reason}`);
    for (const warning of warnings) print(`\n${show(warning, process.stdout)}`);
  });

const explain = new Command('explain')
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

const schema = new Command('schema')
  .summary('print the JSON Schema of the policy file, for editors')
  .description(
    'Print the JSON Schema of the policy file (draft 2020-12). An editor that knows it completes keys, shows what they mean and marks mistakes. It refuses no policy that Keydesk accepts, and only `keydesk policy check` finds every mistake.',
  )
  .addHelpText(
    'after',
    `${examples('policy schema > keydesk-policy.schema.json')}

Editors with the YAML language server find it by the first line of policy.yaml:
  # yaml-language-server: $schema=./keydesk-policy.schema.json`,
  )
  .action(() => printJson(policyJsonSchema()));

export const policyCommand = new Command('policy')
  .description('check or explain a policy; print its JSON Schema')
  .addCommand(check)
  .addCommand(explain)
  .addCommand(schema);
