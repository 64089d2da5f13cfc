// The whole history of one grant, for people and as JSON. Pure: everything comes from its record and a policy file.

import type { GrantDetails } from '../../shared/core/operator-api/grant.ts';
import { visible } from '../../shared/core/policy/visible-text.ts';
import { type Latency, latencyOf } from './latency.ts';
import { type LogQuery, logQueries } from './log-queries.ts';
import { notKnown } from './not-known.ts';
import type { Reach } from './reach.ts';

export interface History {
  readonly grant: GrantDetails;
  readonly latency: Latency;
  readonly reach: Reach;
  readonly log_queries: readonly LogQuery[];
  readonly not_known: readonly string[];
}

/** @param now ISO 8601 */
export function historyOf(grant: GrantDetails, reach: Reach, now: string): History {
  return {
    grant,
    latency: latencyOf(grant),
    reach,
    log_queries: logQueries(grant, now),
    not_known: notKnown(grant, reach),
  };
}

/** What to write in place of a UUID. */
export interface Names {
  readonly person: (id: string) => string;
  readonly team: (id: string) => string;
}

const NO_NAMES: Names = { person: (id) => id, team: (id) => id };

export function historyLines(
  { grant, latency, reach, log_queries, not_known }: History,
  names: Names = NO_NAMES,
): string[] {
  return [
    `Grant ${grant.grant_id}: ${grant.state}`,
    ...section('Job', jobLines(grant)),
    ...section('Basis', basisLines(grant, names)),
    ...section('Could reach', [...reach.lines]),
    ...section('Tokens', tokenLines(grant)),
    ...section('End', [...endLines(grant), ...latencyLines(grant, latency)]),
    ...section('What it touched', log_queries.flatMap(queryLines)),
    ...section(
      'Not known',
      not_known.map((sentence) => `- ${sentence}`),
    ),
  ].map(visible);
}

function section(title: string, lines: readonly string[]): string[] {
  return ['', title, ...lines.map((line) => `  ${line}`)];
}

function fields(entries: readonly (readonly [string, string | number | null])[]): string[] {
  const width = Math.max(...entries.map(([name]) => name.length));
  return entries.map(([name, value]) => `${name.padEnd(width)}  ${value ?? '-'}`);
}

function jobLines({ job }: GrantDetails): string[] {
  return fields(Object.entries(job));
}

function basisLines(
  { credential, environment, rule, policy_sha256, conditions, superseded, created_at, requested_at }: GrantDetails,
  names: Names,
) {
  return [
    ...fields([
      ['credential', credential],
      ['environment', environment],
      ['rule', rule],
      ['policy SHA-256', policy_sha256],
      ['first requested', created_at],
      ['last requested', requested_at],
    ]),
    ...(conditions ? conditionLines(conditions, names) : []),
    ...superseded.map(
      (earlier) =>
        `Tokens until ${earlier.expires_at} were issued by the rule ${earlier.rule} of the policy ${earlier.policy_sha256}${earlier.approved_by === null ? '' : `, approved by ${names.person(earlier.approved_by)}`}.`,
    ),
  ];
}

function conditionLines(
  { team, created_by, approval, agent }: NonNullable<GrantDetails['conditions']>,
  { person, team: teamNamed }: Names,
): string[] {
  return [
    ...(team
      ? [`The pipeline belongs to the team ${teamNamed(team.id)} with ${team.access}, as read at ${team.read_at}.`]
      : []),
    ...(created_by
      ? [
          `${person(created_by.user_id)} started the build, a member of the team ${teamNamed(created_by.team_id)} as read at ${created_by.read_at}.`,
        ]
      : []),
    ...(approval
      ? [
          `${person(approval.approved_by)} unblocked ${approval.step_key} at ${approval.approved_at}, a member of the team ${teamNamed(approval.team_id)} as read at ${approval.read_at}.`,
          ...(approval.break_glass ? ['It is break-glass access.'] : []),
          ...(approval.reason === null ? [] : [`The build states the reason: ${approval.reason}`]),
        ]
      : []),
    ...(agent
      ? [
          `The machine had a token of ${agent.provider}: ${Object.entries(agent.claims)
            .map(([name, value]) => `${name}=${value}`)
            .join(', ')}`,
        ]
      : []),
  ];
}

/** The UUIDs of the people who are named. */
export function peopleIn({ conditions, superseded }: GrantDetails): string[] {
  const named = [conditions?.created_by?.user_id, conditions?.approval?.approved_by];
  return [...named, ...superseded.map(({ approved_by }) => approved_by)].filter((id) => typeof id === 'string');
}

function tokenLines(grant: GrantDetails): string[] {
  const { tokens, tokens_issued, issued_at, access_ended_at } = grant;
  return [
    issued_at === null
      ? 'None was issued.'
      : `${tokens_issued} issued, the last at ${issued_at}. On record by SHA-256:`,
    ...tokens.map(({ sha256, expires_at }) => {
      const ended = access_ended_at !== null && access_ended_at < expires_at;
      return `${sha256}  ${ended ? `access ended at ${access_ended_at}, before it expired at` : acceptedWords(grant, expires_at)} ${expires_at}`;
    }),
  ];
}

/** A Firebase token lives for an hour by itself. The rules look at the grant, which ends earlier. */
function acceptedWords(grant: GrantDetails, tokenExpiresAt: string): string {
  const until = grant.expires_at;
  return grant.kind === 'firestore' && tokenExpiresAt > until
    ? `the rules accept it until ${until}; the token itself expires at`
    : 'expires at';
}

function endLines(grant: GrantDetails): string[] {
  const { state, revocation, ended_at, ended_by, expires_at } = grant;
  return [
    ended_at === null
      ? `It has not ended. No token of it is accepted after ${expires_at}.`
      : `It ended at ${ended_at}: ${ended_by === null ? 'by what is not on record' : END_CAUSES[ended_by]}. Nothing was issued from then on.`,
    ...killSwitchLines(grant),
    ...(ended_at !== null && revocation === 'expiry' && state !== 'expired'
      ? ['Its tokens cannot be revoked. They are accepted until they expire.']
      : []),
    accessLine(grant),
  ];
}

const END_CAUSES: Readonly<Record<NonNullable<GrantDetails['ended_by']>, string>> = {
  'job.finished': 'Buildkite sent job.finished',
  'job.reconciled': 'the sweep found at Buildkite that the job had finished',
  released: 'a holder of its token released it',
  kill_switch: 'an operator activated the kill switch',
  expiry: 'its time was up',
};

function accessLine({
  state,
  revocation,
  issued_at,
  accepted_until,
  access_ended_at,
  expires_at,
}: GrantDetails): string {
  if (accepted_until !== null && issued_at === null)
    return `A token that is being minted would be accepted until ${accepted_until} at most.`;
  if (accepted_until !== null) return `A token of it may be accepted until ${accepted_until}.`;
  const ended = `Access ended at ${access_ended_at ?? expires_at}`;
  if (state !== 'revoked') return `${ended}: its tokens had expired.`;
  if (revocation === 'propagating') return `${ended}: IAM confirmed that the account is disabled.`;
  return revocation === 'immediate' ? `${ended}: its grant document was closed.` : `${ended}.`;
}

function killSwitchLines({ kill_switch_id, kill_switch }: GrantDetails): string[] {
  if (kill_switch_id === null) return [];
  if (!kill_switch) return [`Kill switch ${kill_switch_id}.`];
  const { actor, reason, activated_at } = kill_switch;
  return [`Kill switch ${kill_switch_id}, activated at ${activated_at} by ${actor}: ${reason}`];
}

function latencyLines({ job_finished_at }: GrantDetails, { recorded_ms, revoked_ms, since }: Latency): string[] {
  return [
    ...(recorded_ms === null
      ? []
      : [`The job finished at ${job_finished_at} by Buildkite's clock; recorded ${inSeconds(recorded_ms)} later.`]),
    ...(revoked_ms === null
      ? []
      : [
          `Revocation latency: ${inSeconds(revoked_ms)} from ${since === 'job_finished_at' ? "the job's finish" : 'the recorded end'} until access had ended.`,
        ]),
  ];
}

function inSeconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}

function queryLines({ where, finds, file, query }: LogQuery): string[] {
  return [`${finds}. In ${where} (deploy/audit/${file}):`, ...query.split('\n').map((line) => `  ${line}`)];
}
