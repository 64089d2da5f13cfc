// A grant as `reader` and `admin` show it: by Buildkite's names for the job, with times in ISO 8601. Tokens are known by SHA-256.

import * as z from 'zod';
import { acceptedUntil } from '../grant/accepted.ts';
import { END_CAUSE_NAMES } from '../grant/end-causes.ts';
import { GRANT_STATES, type Grant } from '../grant/grant.ts';
import { grantIdOf } from '../grant/id.ts';
import { KIND_NAMES } from '../kinds/kinds.ts';
import { toJobFields } from '../subject/buildkite-job.ts';

const time = z.iso.datetime();

export const grantSummarySchema = z.object({
  grant_id: z.string(),
  state: z.enum(GRANT_STATES),
  accepted_until: time
    .nullable()
    .describe('until when a token of this grant may be accepted, by the record; null: none is accepted any more'),
  credential: z.string(),
  environment: z.string(),
  kind: z.enum(KIND_NAMES),
  revocation: z.enum(['immediate', 'propagating', 'expiry']),
  rule: z.string(),
  policy_sha256: z.string(),
  job: z.record(z.string(), z.union([z.string(), z.number()]).nullable()).describe("the job, by Buildkite's names"),
  service_account: z.string().nullable().describe('the account whose tokens it has'),
  database: z.string().nullable().describe('PROJECT/DATABASE of a firestore credential'),
  bucket: z.string().nullable(),
  scopes: z.array(z.string()),
  created_at: time,
  issued_at: time.nullable().describe('when a token last left; null while none has'),
  tokens_issued: z.number(),
  expires_at: time.describe('no token of this grant lives longer'),
  ended_at: time.nullable().describe('when it stopped being renewed'),
  ended_by: z.enum(END_CAUSE_NAMES).nullable(),
  kill_switch_id: z.string().nullable(),
  job_finished_at: time.nullable().describe("when the job finished, by Buildkite's clock"),
  access_ended_at: time.nullable().describe('from when on no token of it is accepted, as on record'),
});
export type GrantSummary = z.output<typeof grantSummarySchema>;

/** @param now milliseconds since the epoch */
export function toGrantSummary(grant: Grant, now: number): GrantSummary {
  const { credential, environment, kind, revocation, rule, policy_sha256, state, tokens_issued } = grant;
  return {
    grant_id: grantIdOf(grant),
    state,
    accepted_until: toIso(acceptedUntil(grant, now)),
    credential,
    environment,
    kind,
    revocation,
    rule,
    policy_sha256,
    job: toJobFields(grant.subject),
    service_account: 'service_account' in grant ? grant.service_account : null,
    database: 'database' in grant ? `${grant.project}/${grant.database}` : null,
    bucket: 'storage' in grant ? (grant.storage?.bucket ?? null) : null,
    scopes: 'scopes' in grant ? [...grant.scopes] : [],
    created_at: new Date(grant.created_at).toISOString(),
    issued_at: toIso(grant.issued_at),
    tokens_issued,
    expires_at: new Date(grant.expires_at).toISOString(),
    ended_at: toIso(grant.ended_at),
    ended_by: grant.ended_by,
    kill_switch_id: grant.kill_switch_id,
    job_finished_at: toIso(grant.job_finished_at),
    access_ended_at: toIso(grant.access_ended_at),
  };
}

function toIso(time: number | null): string | null {
  return time === null ? null : new Date(time).toISOString();
}
