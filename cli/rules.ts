// `npm run rules`: makes the generated part of a Firestore rules file anew from policy, so that policy stays the one
// source of what a token may do. With --check it writes nothing, and exits 1 when the file is not what policy says.
// Knows files and arguments; what the rules are, it leaves to shared/core/rules/generate.ts.

import { existsSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import {
  type DatabaseName,
  databasesOf,
  matchesExposingGrants,
  newRulesFile,
  replaceGenerated,
  tokensOfPolicy,
} from '../shared/core/rules/generate.ts';
import { rulesProblems, rulesWarnings } from '../shared/core/rules/limits.ts';
import { rulesAdmittingSignedIn } from '../shared/core/rules/signed-in.ts';
import { HELP, readFlags } from './flags.ts';
import { fail, readPolicy, readText } from './policy-file.ts';

const USAGE = `usage: npm run rules -- [options]
  --policy FILE    the policy; default KEYDESK_POLICY, else policy.yaml
  --project ID     whose rules, when the policy's credentials open databases of several projects
  --database ID    whose rules, when they open several databases of one project
  --file FILE      the rules file; default firestore.rules
  --check          write nothing; exit 1 when the file is not what policy says`;

const options = readFlags(
  USAGE,
  () =>
    parseArgs({
      options: {
        policy: { type: 'string', default: process.env.KEYDESK_POLICY || 'policy.yaml' },
        project: { type: 'string' },
        database: { type: 'string' },
        file: { type: 'string', default: 'firestore.rules' },
        check: { type: 'boolean', default: false },
        help: HELP,
      },
    }).values,
);
const { policy } = readPolicy(options.policy);
const database = chooseDatabase();
const before = existsSync(options.file) ? readText(options.file) : undefined;
const after = rulesFor(before);
const problems = rulesProblems(policy, database, after);
if (problems.length > 0) fail(1, problems.map((problem) => `${options.file} ${problem}`).join('\n'));
for (const warning of rulesWarnings(policy, database)) console.error(`${options.file}: warning: ${warning}`);

for (const path of matchesExposingGrants(after))
  console.error(
    `${options.file}: warning: the hand-written "match ${path}" also covers the grant documents, and rules only ever add access: what it allows, it allows on them too`,
  );

const openToAll = rulesAdmittingSignedIn(after, tokensOfPolicy(policy, database));
for (const { line, rule, admits } of openToAll)
  console.error(
    admits === 'every_token'
      ? `${options.file}:${line}: warning: "${rule}" admits every signed-in user, and so every Keydesk token`
      : `${options.file}:${line}: warning: "${rule}" may admit a Keydesk user that a job has changed: a job can give its user a password, and then sign in by it`,
  );
if (openToAll.length > 0)
  console.error(
    `A Keydesk token counts as signed in for up to an hour, also after its job has ended. Add "&& !keydeskUser()" to ${openToAll.length === 1 ? 'this rule' : 'these rules'}: Keydesk writes that function between its marks. Or name a tenant in policy and demand another one here. The warning also comes where the text does not decide what a rule admits. Rules of Storage and Realtime Database need the same: see SECURITY.md`,
  );

const agrees = `with ${options.policy} for ${nameOf(database)}`;
if (after === before) console.log(`${options.file} agrees ${agrees}`);
else if (options.check)
  fail(
    1,
    `${options.file} does not agree ${agrees}; run: npm run rules -- --policy ${options.policy} ${nameOf(database)} --file ${options.file}`,
  );
else {
  writeFileSync(options.file, after);
  console.log(`${options.file} ${before === undefined ? 'written' : 'updated'}: it agrees ${agrees}`);
  if (before === undefined)
    console.log(
      `${options.file} is a new file: it holds no rules but Keydesk's. Deploying it closes the database to every other client: if the database has rules, save them into this file first, around what is between the marks`,
    );
}

function chooseDatabase(): DatabaseName {
  const all = databasesOf(policy);
  const selected = all.filter(
    ({ project, database }) => project === (options.project ?? project) && database === (options.database ?? database),
  );
  const [only] = selected;
  if (only && selected.length === 1) return only;
  const named = options.project !== undefined || options.database !== undefined;
  if (all.length === 0 && !(options.check && named))
    return exitEarly(`${options.policy} has no firestore credential: there are no rules to write`);
  if (all.length === 0) return fail(1, `${options.policy} has no firestore credential, and so opens no such database`);
  const found = only ? 'opens several databases, and a rules file is for one' : 'opens no such database';
  return fail(1, [`${options.policy} ${found}; name one of`, ...all.map(nameOf)].join('\n  '));
}

function nameOf({ project, database }: DatabaseName): string {
  return `--project ${project} --database '${database}'`;
}

function rulesFor(text: string | undefined): string {
  if (text === undefined) return newRulesFile(policy, database);
  const spliced = replaceGenerated(text, policy, database);
  return 'problem' in spliced ? fail(1, `${options.file} ${spliced.problem}`) : spliced.text;
}

function exitEarly(message: string): never {
  console.log(message);
  process.exit(0);
}
