import { readFileSync } from 'node:fs';
import { checkPolicyText } from '../../../shared/core/policy/check-text.ts';
import { decide } from '../../../shared/core/policy/decide.ts';
import { parsePolicy } from '../../../shared/core/policy/parse-yaml.ts';
import { checkPolicy } from '../../../shared/core/policy-warnings/check.ts';
import { claims } from '../../../test/fixtures/grants.ts';
import { schemaProblems } from '../../../test/fixtures/policy-schema.ts';
import { demand, demandEqual, ROOT, type Target } from '../target.ts';

const read = (path: string) => readFileSync(new URL(path, ROOT), 'utf8').replaceAll(/^ *#.*\n/gm, '');
const [signer, cache, ci] = ['keydesk-signer', 'cache-ci', 'ci-0001'].map(
  (name) => `${name}@acme-staging.iam.gserviceaccount.com`,
);
/** With one credential and one rule. */
const policyOf = (credential: string, more = '') => `version: 1
organization: { slug: acme-inc }
audience: https://keydesk.acme.example
environments: { staging: { maxTtl: 15m, require: [pipeline_slug] } }
${more}credentials: { it: { environment: staging, ttl: 900s, ${credential} } }
rules: [{ name: r, match: { pipeline_slug: web, build_branch: [main, "v*"], "agent_tag:queue": a }, grants: [it] }]
`;
const DATABASES = `databases: { d: { project: acme-staging, apiKey: web-key, signer: ${signer} } }\n`;

export const target: Target = {
  claim:
    'A policy file: what is accepted, the published JSON Schema accepts as ajv reads it, its JSON is accepted with the same meaning, and what the functions say of it is what the command says. What is refused has a place and words on one line.',
  files: [
    'shared/core/policy/parse-yaml.ts',
    'shared/core/policy/yaml-file.ts',
    'shared/core/policy/yaml-data.ts',
    'shared/core/policy/yaml-syntax.ts',
    'shared/core/policy/yaml-values.ts',
    'shared/core/policy/policy.ts',
    'shared/core/policy/rule.ts',
    'shared/core/policy/duration.ts',
    'shared/core/policy/document-path.ts',
    'shared/core/policy/misspelt-keys.ts',
    'shared/core/policy/value-mistakes.ts',
    'shared/core/policy/open-brackets.ts',
    'shared/core/policy-warnings/check.ts',
  ],
  seeds: [
    policyOf('firestore: { database: d, allow: [{ path: "a/{b=**}", verbs: [get, write] }] }', DATABASES),
    policyOf(`storage: { serviceAccount: ${cache}, bucket: acme-x, prefix: w/, role: roles/storage.objectUser }`),
    policyOf(
      `serviceAccount: { pool: [${ci}], scopes: &s [https://www.googleapis.com/auth/datastore] }`,
      'limits: { tokensPerMinute: 5 }\n',
    ),
    read('examples/first-policy.yaml'),
    'version: 2\nrules: []\n',
    '- a\n',
    'a: [b\n',
    'a: *b\n"c: d\n',
  ],
  run: (input) => {
    const text = input.toString('utf8');
    const loaded = parsePolicy(text, 'policy.yaml');
    const checked = checkPolicyText(text);
    demand('policy' in loaded === 'policy' in checked, 'the functions and the command accept the same');
    if ('problems' in loaded || 'problems' in checked) {
      demandPlaces('problems' in loaded ? loaded.problems : [], 'problems' in checked ? checked.problems : [], text);
      return;
    }
    const data = asData(checked.contents?.toJSON());
    demandEqual(schemaProblems(data), [], 'the JSON Schema accepts it');
    const again = parsePolicy(JSON.stringify(data), 'policy.json');
    demand('policy' in again, 'its JSON is accepted');
    demandEqual(again.policy, loaded.policy, 'its JSON means the same');
    for (const { path, message } of checkPolicy(checked).warnings) {
      demand(!message.includes('\n'), 'a warning is on one line');
      checked.locate({ path: [...path], message });
    }
    for (const name of [...Object.keys(loaded.policy.credentials), 'none', '__proto__'])
      decide(loaded.policy, claims, name);
  },
};

function demandPlaces(
  lines: readonly string[],
  problems: readonly { line: number; column: number; length: number; message: string }[],
  text: string,
): void {
  demand(lines.length > 0 && problems.length > 0, 'what is refused has a problem');
  demand(
    lines.every((line) => /^policy\.yaml:\d+:\d+: ./.test(line) && !/[\n\r\p{Cc}]/u.test(line)),
    'each problem of a function is one line without control characters',
  );
  const written = text.split('\n');
  for (const { line, column, length, message } of problems) {
    demand(line >= 1 && line <= written.length, `line ${line} is in the file`);
    demand(column >= 1 && column <= (written[line - 1]?.length ?? 0) + 1, `column ${column} is in its line`);
    demand(length >= 1 && message !== '', 'it marks something and says something');
  }
}

/** Without the prototypes and symbols of the YAML library. */
function asData(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
