import {
  extractGenerated,
  matchesExposingGrants,
  newRulesFile,
  normalizeHandWritten,
  replaceGenerated,
  tokensOfPolicy,
} from '../../../shared/core/security-rules/generate.ts';
import { readGenerated } from '../../../shared/core/security-rules/generated-lines.ts';
import { rulesAdmittingSignedIn } from '../../../shared/core/security-rules/signed-in.ts';
import { policyFrom } from '../../../test/fixtures/policy-tests.ts';
import {
  ADMIT_CHANGED_USER,
  ADMIT_EVERY_TOKEN,
  ADMIT_NONE,
  ADMIT_WITH_TENANT,
} from '../../../test/fixtures/rules-signed-in.ts';
import { isTrueOf } from '../independent/rules-condition.ts';
import { demand, type Target } from '../target.ts';

const { policy } = policyFrom();
const DATABASE = { project: 'acme-staging', database: '(default)' };
const TOKENS = tokensOfPolicy(policy, DATABASE);
const generated = newRulesFile(policy, DATABASE);
const PLACE = '// own rules';
const fileWith = (rules: string) => generated.replace(/^ *\/\/ keydesk:end$/m, (end) => `${end}\n${rules}`);
/** A fresh token of Keydesk. */
const USER = {
  auth: {
    uid: `keydesk-${'0'.repeat(40)}`,
    token: { sub: `keydesk-${'0'.repeat(40)}`, firebase: { sign_in_provider: 'custom', identities: {} } },
  },
};

export const target: Target = {
  claim:
    'Own rules within a rules file, or after a line "file" a whole file: a condition that a second evaluation finds true of a Keydesk token is reported, and rewriting changes nothing outside of the marks, and nothing the second time.',
  files: [
    'shared/core/security-rules/text.ts',
    'shared/core/security-rules/condition.ts',
    'shared/core/security-rules/value.ts',
    'shared/core/security-rules/signed-in.ts',
    'shared/core/security-rules/generate.ts',
    'shared/core/security-rules/generated-lines.ts',
  ],
  longest: 12_288,
  seeds: [
    ...[...ADMIT_EVERY_TOKEN, ...ADMIT_CHANGED_USER, ...ADMIT_NONE, ...ADMIT_WITH_TENANT].map(
      (rules) => `match /posts/{post} { ${rules} }`,
    ),
    "allow read: if (request.auth != null) && !(request.auth.uid == 'a') || false;",
    `file\n${generated}`,
    "file\nrules_version = '2';\nservice cloud.firestore {\n  match /databases/{database}/documents {\n    // keydesk:begin\n    // keydesk:end\n    match /{all=**} { allow read; }\n  }\n}\n",
  ],
  run: (input) => {
    const written = input.toString('utf8');
    const isFile = written.startsWith('file\n');
    const text = isFile ? written.slice(5) : fileWith(written);
    const reported = rulesAdmittingSignedIn(text, TOKENS);
    const lines = text.split('\n').length;
    for (const { line, rule } of reported) demand(line >= 1 && line <= lines && !rule.includes('\n'), 'it has a place');
    for (const path of matchesExposingGrants(text)) demand(path.startsWith('/'), 'a match has a path');
    normalizeHandWritten(text);
    readGenerated(text);
    if (!isFile) demandReported(written);
    demandRewritten(text);
  },
};

/** One statement, where the whole condition is known. */
function demandReported(written: string): void {
  const [, condition] = /^allow read: if ([^;{}]*);$/.exec(written) ?? [];
  if (condition === undefined || /\/[*/]|"|\\/.test(condition) || !condition.includes('request.auth')) return;
  if (isTrueOf(condition, USER) !== true) return;
  const [found] = rulesAdmittingSignedIn(fileWith(written), TOKENS);
  demand(found?.admits === 'every_token', 'what is true of every token is reported');
}

function demandRewritten(text: string): void {
  const once = replaceGenerated(text, policy, DATABASE);
  if ('problem' in once) return;
  const twice = replaceGenerated(once.text, policy, DATABASE);
  demand('text' in twice && twice.text === once.text, 'the second time changes nothing');
  demand(
    extractGenerated(once.text) === extractGenerated(generated),
    'the part between the marks is the generated one',
  );
  const outside = (file: string) => file.replace(/^[ \t]*\/\/ keydesk:begin[\s\S]*^[ \t]*\/\/ keydesk:end/m, PLACE);
  demand(outside(once.text) === outside(text), 'nothing else changes');
}
