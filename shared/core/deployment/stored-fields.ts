// What the fields of deployments and policies hold: see ../stored-fields.ts.

import type * as z from 'zod';
import type { StoredFields } from '../stored-fields.ts';
import type { Deployment } from './deployment.ts';
import type { policyRecordSchema } from './policy-record.ts';

type FieldsOf<Name extends Deployment['function']> = StoredFields<Extract<Deployment, { function: Name }>>;

const COMMON: FieldsOf<'reader'> = {
  function: 'the function',
  version: "Keydesk's version",
  revision: 'the revision of the Cloud Run service (`K_REVISION`); null elsewhere',
  started_at: 'when the instance started that wrote the record last',
  written_at: 'when that instance wrote it',
};

export const DEPLOYMENT_FIELDS: FieldsOf<'token'> & FieldsOf<'webhook'> & FieldsOf<'sweep'> = {
  ...COMMON,
  policy_sha256: 'SHA-256 of the policy by which that instance decides: the id of a document in `policies`',
  organization_slug: "the policy's organization, as the path of Buildkite's API has it",
  teams_max_age: '`limits.teamsMaxAge` of the policy, in seconds',
  teams: 'the teams that rules of the policy name, and those of other instances within a day. The sweep reads them',
  'teams.id': 'the UUID of the team',
  'teams.name': 'its name in the policy',
  'teams.first_named_at': 'when an instance first named it, without a day in between',
  'teams.last_named_at': 'when an instance last named it',
  keys: 'the keys in `KEYDESK_WEBHOOK_TOKENS`, in the order of that setting. `signed_by_key` of `webhook.accepted` counts them from 1',
  'keys.fingerprint':
    'the first 12 hex digits of SHA-256 over `keydesk webhook key`, a newline and the key. It does not reveal the key, but confirms a guess: use the long random token that Buildkite makes',
  'keys.last_accepted_at': 'when a webhook that the key signed was last accepted; null before the first',
  last_accepted_at: 'when a webhook was last accepted, by any key; null before the first',
  last_sweep_at: 'when the last sweep ended; null before the first',
  last_sweep_ok: 'whether the last sweep could read all of the ledger that it needs; null before the first sweep',
  oldest_pending_at:
    'when the first of the grants ended whose end is left unfinished; null when none is. Without `last_sweep_ok` it may lack some',
  lost_webhooks: 'sweeps within an hour that found jobs finished whose webhook had not arrived',
  'lost_webhooks.found_at': 'when such a sweep ended',
  'lost_webhooks.jobs': 'how many such jobs it found',
  left: 'what the last sweep left; null before the first',
  'left.pending_ends': 'grants whose end began to be recorded and was not',
  'left.pending_revocations': 'grants that still have access to revoke',
  'left.overdue': 'grants that have not come to their end although their time is up',
  'left.jobs_unchecked':
    'jobs with live grants about which Buildkite has not responded for 15 minutes, at most 1,000; null when that is not known',
  'left.failed': 'how many things failed',
  'left.has_backlog': 'whether grants or ended jobs are left that the sweep did not get to',
  'left.pools': 'each pool with an account that ever served',
  'left.pools.pool': 'the credential that the pool serves',
  'left.pools.size': 'how many accounts the pool has',
  'left.pools.free': 'how many of them are free',
  'left.pools.leased': 'how many are leased',
  'left.pools.revoking': 'how many are to be disabled',
  'left.pools.cooling_down': 'how many are cooling down',
  'left.pools.exhausted_in_s':
    'seconds until none is free, should demand stay as in the last ten minutes; null if that is not within an hour',
  buildkite_api_token: 'the API token of `sweep`; null when none is configured, and before the first check',
  'buildkite_api_token.scopes': 'its scopes, as Buildkite last said; null before Buildkite said',
  'buildkite_api_token.expires_at':
    'when it expires, as Buildkite last said; null when it does not expire, or before Buildkite said',
  'buildkite_api_token.checked_at': 'when Buildkite was last requested to say so',
  'buildkite_api_token.failure': 'the code of the failure of that request; null when Buildkite said so',
  buildkite_teams_api_token: 'the same of the API token that reads teams',
  'buildkite_teams_api_token.scopes': 'its scopes, as Buildkite last said; null before Buildkite said',
  'buildkite_teams_api_token.expires_at':
    'when it expires, as Buildkite last said; null when it does not expire, or before Buildkite said',
  'buildkite_teams_api_token.checked_at': 'when Buildkite was last requested to say so',
  'buildkite_teams_api_token.failure': 'the code of the failure of that request; null when Buildkite said so',
};

export const POLICY_FIELDS: StoredFields<Omit<z.output<typeof policyRecordSchema>, 'text_gzip'>> & {
  readonly text_gzip: string;
} = {
  text: "the policy file's text, as it was deployed; null when it is in `text_gzip`",
  text_gzip: 'the same, gzip-compressed, when its UTF-8 has more than 900,000 bytes; otherwise null',
  first_used_at: 'when the first instance started with it',
  last_started_at: 'when an instance last started with it',
  delete_at: 'when the document may be deleted: see [Deletion](#deletion)',
};
