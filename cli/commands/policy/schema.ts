// `keydesk policy schema`: the JSON Schema of the policy file.

import { Command } from '@commander-js/extra-typings';
import { policyJsonSchema } from '../../../shared/core/policy/json-schema.ts';
import { examples } from '../../options.ts';
import { printJson } from '../../terminal.ts';

export const schemaCommand = new Command('schema')
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
