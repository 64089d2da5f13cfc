// All files of a start with Keydesk, by their paths in the folder. Pure.

import { policyJsonSchema } from '../policy/json-schema.ts';
import { testsJsonSchema } from '../policy-tests/json-schema.ts';
import type { Answers } from './answers.ts';
import { curlPipeline, deployPipeline, policyPipeline } from './pipeline-files.ts';
import { policyFile, testFile } from './policy-file.ts';
import { mainFile, variablesFile } from './terraform-root.ts';

/** The files of deploy/terraform/example, by their names. */
export type ExampleRoot = ReadonlyMap<string, string>;

const IGNORED = ['.terraform/', '*.tfstate', '*.tfstate.*', 'packages/', 'plan'];

export function starterFiles(
  answers: Answers,
  {
    example,
    moduleSource,
    folderInRepository,
    version,
  }: {
    readonly example: ExampleRoot;
    /** Where Terraform finds the module. */
    readonly moduleSource: string;
    /** Empty, or with a slash at its end. */
    readonly folderInRepository: string;
    /** Of Keydesk. */
    readonly version: string;
  },
): ReadonlyMap<string, string> {
  const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
  const read = (name: string) => {
    const text = example.get(name);
    if (text === undefined) throw new Error(`deploy/terraform/example has no ${name}`);
    return text;
  };
  return new Map([
    ['policy.yaml', policyFile(answers)],
    ['policy.test.yaml', testFile(answers)],
    ['keydesk-policy.schema.json', json(policyJsonSchema())],
    ['keydesk-policy-tests.schema.json', json(testsJsonSchema())],
    ['terraform/main.tf', mainFile(read('main.tf'), moduleSource, answers.stateBucket)],
    ['terraform/variables.tf', read('variables.tf')],
    ['terraform/outputs.tf', read('outputs.tf')],
    ['terraform/terraform.tfvars', variablesFile(read('terraform.tfvars.example'), answers)],
    ['terraform/.gitignore', IGNORED.map((line) => `${line}\n`).join('')],
    ['.buildkite/keydesk-deploy.yml', deployPipeline(answers, version)],
    ['.buildkite/keydesk-deploy-curl.yml', curlPipeline(answers)],
    ['.buildkite/keydesk-policy.yml', policyPipeline(folderInRepository, version)],
  ]);
}
