// `keydesk rules`: the generated part of a Firestore rules file, written from policy, so that policy stays the one source of
// what a token may do; or compared with it. What the rules are, it leaves to shared/core/security-rules/generate.ts.

import { existsSync, writeFileSync } from 'node:fs';
import { Command } from '@commander-js/extra-typings';
import type { Policy } from '../../shared/core/policy/policy.ts';
import {
  type DatabaseName,
  databasesOf,
  matchesExposingGrants,
  newRulesFile,
  replaceGenerated,
  tokensOfPolicy,
} from '../../shared/core/security-rules/generate.ts';
import { rulesProblems, rulesWarnings } from '../../shared/core/security-rules/limits.ts';
import { rulesAdmittingSignedIn } from '../../shared/core/security-rules/signed-in.ts';
import { shellCommand } from '../../shared/core/shell-quote.ts';
import { examples, policyOption } from '../options.ts';
import { readPolicy, readText } from '../policy-file.ts';
import { EXIT, fail, print, printJson, warn } from '../terminal.ts';

interface RulesOptions {
  readonly policy: string;
  readonly project?: string | undefined;
  readonly database?: string | undefined;
  readonly file: string;
  readonly json?: true | undefined;
}

const write = rulesSubcommand('write', 'write the generated part of a rules file')
  .description(
    'Write the generated part of a Firestore rules file from policy. Your own rules around it stay as they are. A file that does not exist is created. With --all, write a file for each database that the policy opens, in the current folder: PROJECT.rules, or PROJECT-DATABASE.rules for another database than (default).',
  )
  .option('--all', 'every database of the policy, each in a file of its own')
  .addHelpText(
    'after',
    examples(
      'rules write',
      'rules write --all',
      'rules write --policy policy.yaml --project acme-staging --file acme-staging.rules',
    ),
  )
  .action((options, command) => {
    if (options.all) {
      const one = ['project', 'database', 'file'].find((name) => command.getOptionValueSource(name) === 'cli');
      if (one !== undefined) return command.error(`error: option '--all' cannot be used with option '--${one}'`);
      return writeAll(options);
    }
    const written = writeRules(options);
    if (written === undefined) return reportNone(options);
    if (options.json) printJson(written);
  });

function writeAll(options: RulesOptions): void {
  const databases = databasesOf(readPolicy(options.policy).policy);
  const [shared] = databases.map(fileOf).filter((file, index, files) => files.indexOf(file) !== index);
  if (shared !== undefined)
    fail(EXIT.failure, `Two databases would have the file ${shared}. Run keydesk rules write with --file for each.`);
  const written = databases.map((name) => writeRules({ ...options, ...name, file: fileOf(name) }));
  if (options.json) printJson({ files: written });
  else if (databases.length === 0) print(`${options.policy} has no firestore credential: there are no rules to write`);
}

function fileOf({ project, database }: DatabaseName): string {
  return `${project}${database === '(default)' ? '' : `-${database}`}.rules`;
}

/** Undefined when the policy opens no database. */
function writeRules(options: RulesOptions) {
  const compared = compareRules(options);
  if (compared === undefined) return undefined;
  const { before, after, database } = compared;
  const { file, json } = options;
  const changed = before !== after;
  if (changed) writeFileSync(file, after);
  if (!json) reportWritten(options, { before, changed, database });
  return { file, ...database, changed };
}

function reportWritten(
  { file, policy }: RulesOptions,
  { before, changed, database }: { before: string | undefined; changed: boolean; database: DatabaseName },
): void {
  const agrees = `with ${policy} for ${nameOf(database)}`;
  if (!changed) {
    print(`${file} agrees ${agrees}`);
    return;
  }
  print(`${file} ${before === undefined ? 'written' : 'updated'}: it agrees ${agrees}`);
  if (before === undefined)
    print(
      `${file} is a new file: it holds no rules but Keydesk's. Deploying it closes the database to every other client: if the database has rules, save them into this file first, around what is between the marks`,
    );
}

const check = rulesSubcommand('check', 'compare a rules file with policy')
  .description(
    'Compare the generated part of a Firestore rules file with policy. Writes nothing. Exit code 3: they differ.',
  )
  .addHelpText(
    'after',
    examples(
      'rules check',
      'rules check --policy examples/policy.yaml --project acme-staging --file examples/firestore.rules',
    ),
  )
  .action((options) => {
    const named = options.project !== undefined || options.database !== undefined;
    const compared = compareRules(options);
    if (compared === undefined)
      return named
        ? fail(EXIT.failure, `${options.policy} has no firestore credential, and so opens no such database`)
        : reportNone(options);
    const { before, after, database } = compared;
    const agree = before === after;
    if (options.json) printJson({ file: options.file, ...database, agrees: agree });
    const agrees = `with ${options.policy} for ${nameOf(database)}`;
    const name = { quoted: nameOf(database) };
    const rewrite = shellCommand`keydesk rules write --policy ${options.policy} ${name} --file ${options.file}`;
    if (!agree) return fail(EXIT.differs, `${options.file} does not agree ${agrees}; run: ${rewrite}`);
    if (!options.json) print(`${options.file} agrees ${agrees}`);
  });

export const rulesCommand = new Command('rules')
  .description('write Firestore security rules from policy; check them')
  .addCommand(write)
  .addCommand(check);

function rulesSubcommand(name: string, summary: string) {
  return new Command(name)
    .summary(summary)
    .addOption(policyOption())
    .option('--project <id>', "the database's project, when the policy opens databases of several")
    .option('--database <id>', "the database's id, when the policy opens several of one project")
    .option('--file <file>', 'rules file', 'firestore.rules')
    .option('--json', 'the result as JSON');
}

/** The file as it is and as policy has it; undefined when the policy opens no database. Prints the warnings. */
function compareRules(
  options: RulesOptions,
): { database: DatabaseName; before: string | undefined; after: string } | undefined {
  const { file } = options;
  const { policy } = readPolicy(options.policy);
  if (databasesOf(policy).length === 0) return undefined;
  const database = chooseDatabase(policy, options);
  const before = existsSync(file) ? readText(file) : undefined;
  const spliced = before === undefined ? undefined : replaceGenerated(before, policy, database);
  if (spliced && 'problem' in spliced) return fail(EXIT.failure, `${file} ${spliced.problem}`);
  const after = spliced?.text ?? newRulesFile(policy, database);
  const problems = rulesProblems(policy, database, after);
  if (problems.length > 0) fail(EXIT.failure, problems.map((problem) => `${file} ${problem}`).join('\n'));
  for (const warning of rulesWarnings(policy, database)) warn(`${file}: warning: ${warning}`);
  for (const path of matchesExposingGrants(after))
    warn(
      `${file}: warning: the hand-written "match ${path}" also covers the grant documents, and rules only ever add access: what it allows, it allows on them too`,
    );
  warnOfSignedIn(file, rulesAdmittingSignedIn(after, tokensOfPolicy(policy, database)));
  return { database, before, after };
}

function warnOfSignedIn(file: string, openToAll: ReturnType<typeof rulesAdmittingSignedIn>): void {
  for (const { line, rule, admits } of openToAll)
    warn(
      admits === 'every_token'
        ? `${file}:${line}: warning: "${rule}" admits every signed-in user, and so every Keydesk token`
        : `${file}:${line}: warning: "${rule}" may admit a Keydesk user that a job has changed: a job can give its user a password, and then sign in by it`,
    );
  if (openToAll.length > 0)
    warn(
      `A Keydesk token counts as signed in for up to an hour, also after its job has ended. Add "&& !keydeskUser()" to ${openToAll.length === 1 ? 'this rule' : 'these rules'}: Keydesk writes that function between its marks. Or name a tenant in policy and demand another one here. The warning also comes where the text does not decide what a rule admits. Rules of Storage and Realtime Database need the same: see SECURITY.md`,
    );
}

function chooseDatabase(policy: Policy, options: RulesOptions): DatabaseName {
  const all = databasesOf(policy);
  const selected = all.filter(
    ({ project, database }) => project === (options.project ?? project) && database === (options.database ?? database),
  );
  const [only] = selected;
  if (only && selected.length === 1) return only;
  const found = only ? 'opens several databases, and a rules file is for one' : 'opens no such database';
  return fail(EXIT.failure, [`${options.policy} ${found}; name one of`, ...all.map(nameOf)].join('\n  '));
}

function reportNone(options: RulesOptions): void {
  if (options.json) printJson({ file: options.file, databases: [] });
  else print(`${options.policy} has no firestore credential: there are no rules to write`);
}

function nameOf({ project, database }: DatabaseName): string {
  return shellCommand`--project ${project} --database ${database}`;
}
