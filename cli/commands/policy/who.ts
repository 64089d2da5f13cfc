// `keydesk policy who`: which jobs can get a credential, or get at something.

import { Command } from '@commander-js/extra-typings';
import { meantOrKnown } from '../../../shared/core/closest-name.ts';
import { describeAccess, revocationOf } from '../../../shared/core/kinds/kinds.ts';
import { isMatchableClaim, sourceOfClaim } from '../../../shared/core/policy/claims.ts';
import type { Policy } from '../../../shared/core/policy/policy.ts';
import { kindOf } from '../../../shared/core/policy/table.ts';
import { claimsOf } from '../../../shared/core/policy-analysis/example-lines.ts';
import { type Question, readQuestion } from '../../../shared/core/policy-analysis/questions.ts';
import { type CredentialAccess, type RuleAccess, whoGets } from '../../../shared/core/policy-analysis/who.ts';
import { whoLines } from '../../../shared/core/policy-analysis/who-lines.ts';
import { POLICY_FILE } from '../../command-mistakes.ts';
import { collect, examples, policyOption } from '../../options.ts';
import { readDeployablePolicy } from '../../policy-file.ts';
import { EXIT, fail, note, print, printJson } from '../../terminal.ts';

export const whoCommand = new Command('who')
  .summary('show which jobs can get a credential, or reach a path or a bucket')
  .description(
    'Show which jobs can get a credential: for each rule that grants it, what the rule demands of a job, which of it the author of a build chooses, and an example. Ask by the name of a credential, by environment, by Firestore path, or by bucket. Exit code 3: some credential may open it by IAM roles, which are not in the policy.',
  )
  .argument('[credential]', 'who can get this credential')
  .addOption(policyOption())
  .option('--environment <name>', 'who can get the credentials of an environment')
  .option('--path <path>', 'who can reach a document, or documents such as config/{document=**}')
  .option('--verb <verb>', 'get, list, create, update, delete, read or write; without it, any of them', collect)
  .option('--database <name>', 'only this one of databases')
  .option('--bucket <name>', 'who can reach objects of a bucket')
  .option('--prefix <prefix>', 'only objects whose names begin with this')
  .option('--json', 'the answer as JSON')
  .addHelpText(
    'after',
    examples(
      'policy who production-config --policy examples/policy.yaml',
      'policy who --environment production --policy examples/policy.yaml',
      'policy who --path config/web --verb update --database production --policy examples/policy.yaml',
      'policy who --bucket acme-ci-cache --prefix warm/ --policy examples/policy.yaml',
    ),
  )
  .action((credential, { policy: file, json, verb, ...options }) => {
    if (credential !== undefined && POLICY_FILE.test(credential))
      fail(EXIT.usage, `${credential} is not the name of a credential. Write --policy ${credential}.`);
    const { policy, written } = readDeployablePolicy(file);
    const { environment, path, database, bucket, prefix } = options;
    const asked = { credential, environment, path, verbs: verb ?? [], database, bucket, prefix };
    const question = readQuestion(written, asked);
    if ('problem' in question) fail(EXIT.usage, question.problem);
    const found = whoGets(policy, written, question);
    if (found.some(isUnknown)) process.exitCode = EXIT.differs;
    suggestBucket(policy, question);
    if (json) {
      printJson({ question, credentials: found.map((access) => toJson(policy, access)) });
      return;
    }
    for (const line of whoLines(policy, question, found)) print(line);
  });

function isUnknown({ opening, rules }: CredentialAccess): boolean {
  return opening.opens === 'cannot tell' || rules.some(({ example }) => example === 'cannot tell');
}

/** A bucket is not declared, so that any name is a question. */
function suggestBucket({ credentials }: Policy, question: Question): void {
  if (question.about !== 'bucket') return;
  const known = Object.values(credentials).flatMap((credential) =>
    credential.kind !== 'firestore' && credential.storage ? [credential.storage.bucket] : [],
  );
  if (!known.includes(question.bucket))
    note(`No credential names the bucket ${question.bucket}. ${meantOrKnown(question.bucket, [...new Set(known)])}`);
}

function toJson(policy: Policy, { credential: name, opening, rules }: CredentialAccess): object {
  const credential = policy.credentials[name];
  return {
    credential: name,
    ...(credential && {
      kind: kindOf(credential),
      environment: credential.environment,
      ttl: credential.ttl,
      revocation: revocationOf(credential),
      access: describeAccess(credential),
    }),
    opening: { ...opening, opens: opening.opens.replace(' ', '_') },
    rules: rules.map((rule) => ruleToJson(policy, rule)),
  };
}

function ruleToJson(policy: Policy, { rule, demands, conditions, example }: RuleAccess): object {
  return {
    rule,
    matches: example === undefined ? 'no_job' : example === 'cannot tell' ? 'cannot_tell' : 'some_jobs',
    claims: demands.map(([claim, { absent, patterns }]) => ({
      claim,
      absent,
      patterns,
      chosen_by: isMatchableClaim(claim) ? sourceOfClaim(claim) : 'buildkite',
    })),
    ...(Object.keys(conditions).length > 0 && { beyond_claims: conditions }),
    example: example === undefined || example === 'cannot tell' ? null : claimsOf(policy, example),
  };
}
