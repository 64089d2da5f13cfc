// `keydesk policy schema`: the JSON Schema of the policy file, and of test files.

import { Command } from '@commander-js/extra-typings';
import { policyJsonSchema } from '../../../shared/core/policy/json-schema.ts';
import { testsJsonSchema } from '../../../shared/core/policy-tests/json-schema.ts';
import { examples } from '../../options.ts';
import { printJson } from '../../terminal.ts';

export const schemaCommand = new Command('schema')
  .summary('print the JSON Schema of the policy file, or of test files, for editors')
  .description(
    'Print the JSON Schema of the policy file, or of test files (draft 2020-12). An editor that knows it completes keys, shows what they mean and marks mistakes. It refuses no file that Keydesk accepts. Only `keydesk policy check` and `keydesk policy test` find every mistake.',
  )
  .option('--tests', 'the schema of test files (*.test.yaml)')
  .addHelpText(
    'after',
    `${examples('policy schema > keydesk-policy.schema.json', 'policy schema --tests > keydesk-policy-tests.schema.json')}

Editors with the YAML language server find it by the first line of policy.yaml:
  # yaml-language-server: $schema=./keydesk-policy.schema.json`,
  )
  .action(({ tests }) => printJson(tests ? testsJsonSchema() : policyJsonSchema()));
