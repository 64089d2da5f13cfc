// `keydesk policy check`: what a policy says, and what is wrong with it.

import { Command } from '@commander-js/extra-typings';
import { apiKeyNotes } from '../../../shared/core/policy/api-key-to-be-created.ts';
import { credentialTable } from '../../../shared/core/policy/table.ts';
import { toPolicyJson } from '../../../shared/core/policy/to-json.ts';
import { plural } from '../../../shared/core/policy-history/words.ts';
import { readCheckedPolicy } from '../../checked-policy.ts';
import { examples, policyOption } from '../../options.ts';
import { EXIT, print } from '../../terminal.ts';

export const checkCommand = new Command('check')
  .summary('check a policy, and show what each credential opens')
  .description(
    'Check a policy, and show what each credential opens and who gets it. Prints every problem, and every warning with its code. The exit code is 1 if there is a problem, or a warning that the policy does not accept.',
  )
  .addOption(policyOption())
  .option('--json', 'the policy as JSON: defaults filled in, durations in seconds, SHA-256 of the file, warnings')
  .addHelpText('after', examples('policy check', 'policy check --policy examples/policy.yaml --json'))
  .action((options) => {
    const { policy, written, sha256, warnings, accepted, show } = readCheckedPolicy(options.policy);
    if (warnings.length > 0) process.exitCode = EXIT.failure;
    if (options.json) {
      process.stdout.write(toPolicyJson({ policy, sha256 }, { warnings, accepted }));
      return;
    }
    const { credentials, rules } = policy;
    print(
      `${options.policy} is valid: ${plural(Object.keys(credentials).length, 'credential')}, ${plural(rules.length, 'rule')}`,
    );
    print(`SHA-256 ${sha256}\n`);
    for (const line of credentialTable(policy)) print(line);
    const notes = apiKeyNotes(written);
    if (accepted.length + notes.length > 0) print('');
    for (const line of notes) print(line);
    for (const { code, line, column, reason } of accepted)
      print(`${options.policy}:${line}:${column}: accepted ${code}: ${reason}`);
    for (const warning of warnings) print(`\n${show(warning, process.stdout)}`);
  });
