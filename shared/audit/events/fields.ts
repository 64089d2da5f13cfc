// Fields that several events have.

import * as z from 'zod';
import { FAILURE_CODES, type FailureCode } from '../../core/failure-code.ts';
import { GOOGLE_CAUSES } from '../../core/google-refusal.ts';
import { listOf } from './definition.ts';

export const text = z.string();
export const count = z.int();
/** ISO 8601. */
export const time = z.iso.datetime();

export const grant_id = text.describe('id of the document in `grants`');
export const job_id = text.describe("the job's UUID");
export const credential = text.describe("the credential's name in the policy");
export const environment = text.describe("the credential's environment");
export const pipeline_slug = text.describe("the pipeline's slug");
export const service_account = text.describe("the account's e-mail address");
export const pool = text.describe('the credential that the pool serves');
export const token_sha256 = text.describe('SHA-256 of the token, in hex');
export const actor = text.describe('who did it, as they said');
export const kill_switch_id = text.describe('id of the document in `kill_switches`');

export const dependency = text.describe(
  'what failed, such as `ledger` or `iam serviceAccounts.disable`; `keydesk` where nothing else is known to have failed',
);
export const error = text.describe('how it failed, in words for people: they may change');
export const code = z
  .enum(Object.keys(FAILURE_CODES) as FailureCode[])
  .describe('what kind of failure it is: see [Codes of failures](#codes-of-failures)');
export const cause = z
  .enum(GOOGLE_CAUSES)
  .describe('why Google refuses, where trying again does not help: see [the playbook](playbooks/google-refuses.md)');

/** What is known of a permanent refusal by Google. */
export const googleRefusal = {
  cause: cause.optional(),
  google_code: text.optional().describe("Google's own code for its refusal"),
  permission: text.optional().describe('the permission that is missing'),
  api: text.optional().describe('the API that is disabled'),
  consumer: text.optional().describe('the project that Google names'),
};

/** What failed, on which thing. */
export const failure = {
  grant_id: grant_id.optional(),
  job_id: job_id.optional(),
  service_account: service_account.optional(),
  dependency,
  error,
  code,
  cause: cause.optional(),
};
export const failures = listOf(z.object({ ...failure, dependency: dependency.optional() })).describe(
  'what failed, as in `task.failed`; of `sweep.completed` the first 20',
);

export const revoked = count.describe('grants whose access was taken away: each has a line `grant.revoked`');
export const not_renewed = count.describe('grants that get no new tokens: each has a line `grant.ended`');
export const expired = count.describe('grants whose time was up: each has a line `grant.expired`');
