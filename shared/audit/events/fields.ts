// Fields that several events have.

import * as z from 'zod';
import { FAILURE_CODES, type FailureCode } from '../../core/failure-code.ts';
import { GOOGLE_CAUSES } from '../../core/google-refusal.ts';
import { CONDITIONS } from '../../core/policy/conditions.ts';
import { RULE_OUTCOMES } from '../../core/policy/decide.ts';

export type SharedFields = ReturnType<typeof sharedFields>;

/** A list as it is logged: nobody writes to it. */
export const listOf = <T extends z.ZodType>(item: T) => z.array(item).readonly();

/** Created by each call. */
export function sharedFields() {
  const text = z.string();
  const count = z.int();
  /** ISO 8601. */
  const time = z.iso.datetime();

  const grant_id = text.describe('id of the document in `grants`');
  const job_id = text.describe("the job's UUID");
  const credential = text.describe("the credential's name in the policy");
  const environment = text.describe("the credential's environment");
  const pipeline_slug = text.describe("the pipeline's slug");
  const service_account = text.describe("the account's e-mail address");
  const pool = text.describe('the credential that the pool serves');
  const team_id = text.describe('the UUID of a Buildkite team');
  const token_sha256 = text.describe('SHA-256 of the token, in hex');
  const actor = text.describe('the verified e-mail address of who did it');
  const kill_switch_id = text.describe('id of the document in `kill_switches`');

  const dependency = text.describe(
    'what failed, such as `ledger` or `grant document`; `keydesk` where nothing else is known to have failed',
  );
  const error = text.describe('how it failed, in words for people: they may change');
  const code = z
    .enum(Object.keys(FAILURE_CODES) as FailureCode[])
    .describe('what kind of failure it is: see [Codes of failures](#codes-of-failures)');
  const cause = z
    .enum(GOOGLE_CAUSES)
    .describe('why Google refuses, where trying again does not help: see [the playbook](playbooks/google-refuses.md)');

  /** What is known of a permanent refusal by Google. */
  const googleRefusal = {
    cause: cause.optional(),
    google_code: text.optional().describe("Google's own code for its refusal"),
    permission: text.optional().describe('the permission that is missing'),
    api: text.optional().describe('the API that is disabled'),
    consumer: text.optional().describe('the project that Google names'),
  };

  /** What failed, on which thing. */
  const failure = {
    grant_id: grant_id.optional(),
    job_id: job_id.optional(),
    service_account: service_account.optional(),
    build_record_id: text.optional().describe('id of the document in `builds`'),
    team_id: team_id.optional(),
    dependency,
    error,
    code,
    cause: cause.optional(),
  };
  const failures = listOf(z.object({ ...failure, dependency: dependency.optional() })).describe(
    'what failed, as in `task.failed`; of `sweep.completed` the first 20',
  );

  const job = z
    .record(text, z.union([text, count]).optional())
    .describe("the job token's claims, by Buildkite's names, once it was verified");
  const jobs_unchecked_15m = count.describe(
    'jobs with live grants about which Buildkite has not responded for 15 minutes; 1,000 means 1,000 or more',
  );
  const outcome = z.enum(RULE_OUTCOMES);
  const check = z.object({ claim: text, patterns: listOf(text), value: text.nullable(), matched: z.boolean() });
  /** See core/policy/rule-trace.ts. */
  const trace = listOf(
    z.object({
      ...{ rule: text, outcome, checks: listOf(check) },
      condition: z.enum(CONDITIONS).optional(),
      reason: text.optional(),
      team: text.optional(),
    }),
  ).describe(
    'the rule that grants, or the five that came nearest. `checks` has each claim that was compared; its `value` is `null` when the job token lacks it. `condition` and `reason` say what else a rule demands that does not hold, `team` which team they are about',
  );
  const trace_omitted = z
    .partialRecord(outcome, count)
    .readonly()
    .optional()
    .describe('how many rules are not in `trace`, by outcome');
  const revoked = count.describe('grants whose access was taken away: each has a line `grant.revoked`');
  const not_renewed = count.describe('grants that get no new tokens: each has a line `grant.ended`');
  const expired = count.describe('grants whose time was up: each has a line `grant.expired`');

  return {
    text,
    count,
    time,
    grant_id,
    job_id,
    credential,
    environment,
    pipeline_slug,
    service_account,
    pool,
    team_id,
    token_sha256,
    actor,
    kill_switch_id,
    dependency,
    error,
    code,
    cause,
    googleRefusal,
    failure,
    failures,
    job,
    jobs_unchecked_15m,
    trace,
    trace_omitted,
    revoked,
    not_renewed,
    expired,
  };
}
