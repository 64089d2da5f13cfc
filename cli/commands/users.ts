// `keydesk users create`: creates the Firebase users that a policy needs, before the first job requests them. Runs with the
// rights of the person who deploys: no function may create, change or delete a user. Safe to repeat: users that exist stay as they are.

import { Command, InvalidArgumentError } from '@commander-js/extra-typings';
import { DEFAULT_GENERATIONS, policyUsers } from '../../shared/core/policy/firebase-users.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { createOperatorClient } from '../operator-client.ts';
import { examples, policyOption } from '../options.ts';
import { readPolicy } from '../policy-file.ts';
import { print, printJson } from '../terminal.ts';
import { createUsers, nameOf } from '../user-accounts.ts';

const MOST_GENERATIONS = 1_000;

const create = new Command('create')
  .summary('create the Firebase users that a policy needs')
  .description(
    `Create the Firebase users that a policy needs, with your application default credentials (gcloud auth application-default login) or the access token in GOOGLE_OAUTH_ACCESS_TOKEN. You need firebaseauth.users.create in each project. No function has that permission.

Google limits NEW users by sign-in to 100 an hour and IP address. Users that this command creates do not count.

Each pipeline uses one user for each credential. If a job changed a user, the user of the next generation replaces it. Where new users may not sign in, the next one must exist, so several are created. An alert of a changed user names its generation G: then run this with --generations G+4.`,
  )
  .addOption(policyOption())
  .option('--project <id>', 'only users of this project')
  .option('--database <id>', 'only users of credentials that open this database')
  .option(
    '--generations <n>',
    `users of each pipeline and credential, 1 to ${MOST_GENERATIONS}`,
    parseGenerations,
    DEFAULT_GENERATIONS,
  )
  .option('--dry-run', 'create nothing; list the users')
  .option('--json', 'the result as JSON')
  .addHelpText(
    'after',
    `${examples('users create --policy policy.yaml --dry-run', 'users create --policy policy.yaml --project acme-staging')}

Exit code 1: a user could not be created.`,
  )
  .action(async (options) => {
    const { policy } = readPolicy(options.policy);
    const { groups, unknown } = policyUsers(policy, options, options.generations);
    const { send } = createOperatorClient(systemClock);
    const results: object[] = [];
    for (const group of groups) {
      const { project, tenant } = group;
      if (options.dryRun) {
        results.push({ project, tenant, uids: [...group.uids] });
        if (!options.json) for (const uid of group.uids) print(`${nameOf(group)}: ${uid}`);
        continue;
      }
      const { created, existing, failed } = await createUsers(send, group);
      results.push({ project, tenant, created, existing, failed });
      if (!options.json) print(`${nameOf(group)}: ${created} users created, ${existing} were there already`);
      if (failed > 0) process.exitCode = 1;
    }
    if (options.json) return printJson({ users: results, unknown });
    if (groups.length === 0) print(`${options.policy} names no pipeline by its id for these: no user is known`);
    for (const { rule, credential } of unknown)
      print(
        `cannot be created ahead: users of ${credential} for rule "${rule}", which does not name every pipeline by pipeline or pipeline_id`,
      );
    if (unknown.length > 0)
      print(
        'Each of them is created at the first request of its pipeline. Google limits new users by sign-in to 100 an hour and IP address.',
      );
  });

export const usersCommand = new Command('users')
  .description('create Firebase users ahead of the first job')
  .addCommand(create);

function parseGenerations(written: string): number {
  const generations = /^[1-9][0-9]{0,3}$/.test(written) ? Number(written) : Number.NaN;
  if (generations <= MOST_GENERATIONS) return generations;
  throw new InvalidArgumentError(`--generations takes a whole number from 1 to ${MOST_GENERATIONS}`);
}
