// What is deployed and whether it works, as `GET /status` shows it. Times are ISO 8601.

import * as z from 'zod';
import { TEAM_STATES } from '../conditions/team-age.ts';
import { type Deployment, poolSchema } from '../deployment/deployment.ts';
import { toIso, toIsoOrNull } from '../iso-time.ts';
import { PROBLEM_CODES } from '../status/problems.ts';
import type { DeploymentOf, Status, TeamStatus } from '../status/status.ts';

const time = z.iso.datetime();

const apiToken = z.object({
  scopes: z.array(z.string()).nullable(),
  expires_at: time.nullable(),
  checked_at: time,
  failure: z.string().nullable(),
});

export const statusSchema = z.object({
  as_of: time,
  problems: z
    .array(z.object({ code: z.enum(PROBLEM_CODES), message: z.string(), page: z.string() }))
    .describe('what is wrong, as far as the ledger shows it; empty when nothing is'),
  functions: z.array(
    z.object({
      function: z.string(),
      version: z.string(),
      revision: z.string().nullable(),
      started_at: time.describe('when the instance started that wrote its record last'),
    }),
  ),
  policy_sha256: z.string().nullable().describe('the policy by which `token` decides'),
  webhooks: z
    .object({
      last_accepted_at: time.nullable(),
      keys: z.array(z.object({ fingerprint: z.string(), last_accepted_at: time.nullable() })),
    })
    .nullable()
    .describe('which key signs, in the order of the setting'),
  sweep: z
    .object({
      last_sweep_at: time.nullable(),
      last_sweep_ok: z.boolean().nullable(),
      oldest_pending_at: time.nullable().describe('when the first of the grants ended whose end is not finished'),
      pending_revocations: z.number().nullable(),
      overdue: z.number().nullable(),
      failed: z.number().nullable().describe('what the last sweep could not do'),
      jobs_unchecked: z.number().nullable(),
      has_backlog: z.boolean().nullable(),
      lost_webhooks: z
        .array(z.object({ found_at: time, jobs: z.number() }))
        .describe('sweeps within an hour that found jobs whose webhook had not arrived, and how many jobs'),
    })
    .nullable(),
  pools: z.array(poolSchema),
  live_grants: z.record(z.string(), z.number()).describe('by environment'),
  live_grants_complete: z.boolean().describe('false: there are at least as many as are counted, and perhaps more'),
  blocks: z.number().describe('how many blocks are in force'),
  buildkite_api_token: apiToken.nullable(),
  buildkite_teams_api_token: apiToken.nullable().describe('the API token that reads teams'),
  teams: z
    .array(
      z.object({
        id: z.string(),
        name: z.string().describe('the name in the policy'),
        state: z
          .enum(TEAM_STATES)
          .describe(
            '`aging`: the copy is older than half of what the policy allows. `too_old`: no rule that needs the team grants anything. `pending`: not read yet',
          ),
        read_at: time.nullable().describe('when reading the copy began'),
        members: z.number().nullable(),
        pipelines: z.number().nullable(),
        failure: z.string().nullable().describe('the code of the failure to read it since'),
        failed_at: time.nullable(),
      }),
    )
    .describe('the Buildkite teams that rules of the policy name'),
});
export type StatusView = z.output<typeof statusSchema>;

/** @param now milliseconds since the epoch */
export function toStatusView(status: Status, now: number): StatusView {
  const { deployments, token, webhook, sweep, problems, live, live_complete, blocks } = status;
  return {
    as_of: toIso(now),
    problems: [...problems],
    functions: deployments.map(toFunction),
    policy_sha256: token?.policy_sha256 ?? null,
    webhooks: webhook
      ? {
          last_accepted_at: toIsoOrNull(webhook.last_accepted_at),
          keys: webhook.keys.map(({ fingerprint, last_accepted_at }) => ({
            fingerprint,
            last_accepted_at: toIsoOrNull(last_accepted_at),
          })),
        }
      : null,
    sweep: sweep
      ? {
          last_sweep_at: toIsoOrNull(sweep.last_sweep_at),
          last_sweep_ok: sweep.last_sweep_ok,
          oldest_pending_at: toIsoOrNull(sweep.oldest_pending_at),
          pending_revocations: sweep.left?.pending_revocations ?? null,
          overdue: sweep.left?.overdue ?? null,
          failed: sweep.left?.failed ?? null,
          jobs_unchecked: sweep.left?.jobs_unchecked ?? null,
          has_backlog: sweep.left?.has_backlog ?? null,
          lost_webhooks: sweep.lost_webhooks.map(({ found_at, jobs }) => ({ found_at: toIso(found_at), jobs })),
        }
      : null,
    pools: sweep?.left?.pools ?? [],
    live_grants: Object.fromEntries([...live].sort()),
    live_grants_complete: live_complete,
    blocks: blocks.length,
    buildkite_api_token: toApiToken(sweep?.buildkite_api_token),
    buildkite_teams_api_token: toApiToken(sweep?.buildkite_teams_api_token),
    teams: status.namedTeams.map(toTeam),
  };
}

function toApiToken(
  token: DeploymentOf<'sweep'>['buildkite_api_token'] | undefined,
): StatusView['buildkite_api_token'] {
  return token ? { ...token, expires_at: toIsoOrNull(token.expires_at), checked_at: toIso(token.checked_at) } : null;
}

function toTeam({ id, name, state, record }: TeamStatus): StatusView['teams'][number] {
  const isRead = record && record.read_at !== null;
  return {
    id,
    name,
    state,
    read_at: toIsoOrNull(record?.read_at),
    members: isRead ? record.members.length : null,
    pipelines: isRead ? Object.keys(record.pipelines).length : null,
    failure: record?.failure ?? null,
    failed_at: toIsoOrNull(record?.failed_at),
  };
}

function toFunction({ function: name, version, revision, started_at }: Deployment) {
  return { function: name, version, revision, started_at: toIso(started_at) };
}
