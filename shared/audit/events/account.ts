// Events of identities that Keydesk uses: accounts of pools, and Firebase users.

import { defineEvent } from './definition.ts';
import { listOf, type SharedFields } from './fields.ts';

const accountFields = ({ service_account, pool, grant_id, time }: SharedFields) => ({
  service_account,
  pool,
  grant_id: grant_id.nullable(),
  leased_at: time.describe('when the account was last leased'),
  disabled_at: time.nullable().describe('when IAM first confirmed that it is disabled'),
  reusable_at: time.describe('from when on no token of it is accepted'),
});
const labels = { service_account: 'service_account' } as const;

export const ACCOUNT_EVENTS = {
  'account.enabled': defineEvent({
    means: 'An account of a pool serves jobs again.',
    fields: accountFields,
    severity: 'INFO',
    labels,
    message: ({ service_account }) => `${service_account} is enabled again: the last token issued from it has expired`,
  }),
  'account.found_enabled': defineEvent({
    means:
      'IAM said that an account is enabled that is cooling down, and it was disabled at once. Reads of IAM are eventually consistent: one such response may be an old one.',
    fields: (shared) => ({
      ...accountFields(shared),
      found_enabled: shared.count.describe('how often IAM said so since the account began to cool down'),
    }),
    severity: 'NOTICE',
    labels,
    message: ({ service_account }) =>
      `IAM said that ${service_account} is enabled during its cooldown. IAM was requested to disable it. The response may have been an old one`,
  }),
  'account.enabled_externally': defineEvent({
    means:
      'IAM said so three times while the account cooled down: somebody enables it. Its old tokens worked until now.',
    fields: accountFields,
    severity: 'ERROR',
    labels,
    message: ({ service_account }) =>
      `${service_account} was enabled externally during its cooldown, and was disabled again. Find out who enabled it`,
  }),
  'account.disable_failed': defineEvent({
    means:
      'IAM said so three times within seconds, and did not confirm that the account is disabled: tokens of ended jobs may work.',
    fields: accountFields,
    severity: 'CRITICAL',
    labels,
    message: ({ service_account }) =>
      `${service_account} was enabled externally during its cooldown, and IAM did not confirm that it is disabled again. Tokens of ended jobs may work`,
  }),
  'account.quarantined': defineEvent({
    means: 'Google does not mint from an account of a pool, and another was tried. The sweep enables or reports it.',
    fields: ({ code, dependency, error, googleRefusal, service_account }) => ({
      service_account: service_account.optional(),
      ...googleRefusal,
      dependency,
      error,
      code,
    }),
    severity: 'WARNING',
    labels,
    message: ({ error }) => `a pooled account was given up for another: ${error}`,
  }),
  'firebase_user.changed': defineEvent({
    means:
      'A sign-in showed that somebody changed the Firebase user of a pipeline. It belongs to no request and is written at once. [What to do](playbooks/firebase-user-changed.md).',
    fields: ({ count, credential, environment, pipeline_slug, text }) => ({
      uid: text.describe('the Firebase user that was changed'),
      generation: count.describe('how many were changed before it'),
      next_uid: text.nullable().describe('the user in its place; `null` when the ledger did not confirm it'),
      found: listOf(text).describe(
        'the claims that showed the change, never their values; `USER_DISABLED` when Google refused the sign-in',
      ),
      project: text.describe('the project of the database'),
      database: text.describe('the database that the credential opens'),
      tenant: text.nullable().describe("the tenant of the project's Identity Platform"),
      credential,
      environment,
      pipeline_slug,
      pipeline_id: text.nullable().describe("the pipeline's UUID"),
      found_by_job: text.describe('the job whose request found it. That job did not do it'),
      found_by_grant: text.describe('the grant of that request'),
    }),
    severity: 'CRITICAL',
    labels: { credential: 'credential', environment: 'environment', pipeline: 'pipeline_slug' },
    message: ({ uid, pipeline_slug, credential, found }) =>
      `somebody changed the Firebase user ${uid} of pipeline ${pipeline_slug} and credential ${credential}: ${found.join(', ')}`,
  }),
};
