import { readFileSync } from 'node:fs';
import { parseDocument } from 'yaml';
import { runTests } from '../../../shared/core/policy-tests/run-tests.ts';
import { testSchemaProblems } from '../../../test/fixtures/policy-schema.ts';
import { policyFrom } from '../../../test/fixtures/policy-tests.ts';
import { demand, demandEqual, ROOT, type Target } from '../target.ts';

const policy = policyFrom();
const example = readFileSync(new URL('examples/policy.test.yaml', ROOT), 'utf8');

export const target: Target = {
  claim:
    'A file of policy tests, for the example policy: what is accepted, the published JSON Schema accepts as ajv reads it; a job that a refuted statement names is one that the statement is about.',
  files: [
    'shared/core/policy-tests/parse-tests.ts',
    'shared/core/policy-tests/test-file.ts',
    'shared/core/policy-tests/cases.ts',
    'shared/core/policy-tests/statements.ts',
    'shared/core/policy-tests/matches.ts',
    'shared/core/policy-tests/prove.ts',
    'shared/core/policy-tests/names.ts',
  ],
  seeds: [
    example,
    'version: 1\njob: { pipeline: web, build_branch: main }\ncases:\n  - { job: { build_source: ui }, denied: [production-config] }\n',
    'version: 1\nstatements:\n  - { never: { environment: production }, unless: { pipeline: [web] } }\n',
  ],
  run: (input) => {
    const text = input.toString('utf8');
    const { broken, files } = runTests(policy, [{ file: 'a.test.yaml', text }]);
    demand(broken.length + files.length === 1, 'the file is read, or it is broken');
    for (const { problems } of broken)
      for (const { line, column, message } of problems) {
        demand(line >= 1 && line <= text.split('\n').length && column >= 1, 'a problem is in the file');
        demand(message !== '' && !message.includes('\n'), 'a problem is on one line');
      }
    if (files.length === 0) return;
    const data: unknown = JSON.parse(JSON.stringify(parseDocument(text, { uniqueKeys: false }).toJS()));
    demandEqual(testSchemaProblems(data), [], 'the JSON Schema accepts it');
  },
};
