// Queries for the logs about one grant: those of deploy/audit, filled in. A test compares them with the files there.

import type { GrantDetails } from '../../shared/core/operator-api/grant.ts';

export interface LogQuery {
  /** Which project's logs. */
  readonly where: string;
  readonly finds: string;
  /** Of deploy/audit. */
  readonly file: string;
  /** For Logs Explorer, on several lines. */
  readonly query: string;
}

/** @param now ISO 8601: the end of a lease that has not ended */
export function logQueries(grant: GrantDetails, now: string): LogQuery[] {
  return [
    {
      where: "Keydesk's project",
      finds: 'all events of the grant: issuance, renewals, its end',
      file: 'grant.logql',
      query: `jsonPayload.grant_id=${textOf(grant.grant_id)}`,
    },
    ...touchQueries(grant, now),
  ];
}

function touchQueries(grant: GrantDetails, now: string): LogQuery[] {
  if (grant.kind === 'firestore')
    return [
      {
        where: `project ${grant.database?.split('/')[0]}`,
        finds: 'what its tokens did, by name: each entry carries the grant',
        file: 'google-touched-by-grant.logql',
        query: [
          'logName:"cloudaudit.googleapis.com"',
          `protoPayload.authenticationInfo.thirdPartyPrincipal.payload.keydesk_grant=${textOf(grant.grant_id)}`,
        ].join('\n'),
      },
    ];
  if (grant.kind === 'service_account') return [];
  const current = {
    service_account: grant.service_account ?? '',
    leased_at: grant.leased_at ?? grant.created_at,
    access_ended_at: grant.access_ended_at ?? now,
  };
  return [...grant.past_leases, current].map(({ service_account, leased_at, access_ended_at }) => ({
    where: `each project that ${service_account} may act in`,
    finds: 'what the account did while it served this job alone',
    file: 'google-touched-by-account.logql',
    query: [
      'logName:"cloudaudit.googleapis.com"',
      `protoPayload.authenticationInfo.principalEmail=${textOf(service_account)}`,
      `timestamp>=${textOf(leased_at)}`,
      `timestamp<=${textOf(access_ended_at)}`,
    ].join('\n'),
  }));
}

/** Source: docs.cloud.google.com/logging/docs/view/logging-query-language, where text has the escapes of JSON. */
function textOf(value: string): string {
  return JSON.stringify(value);
}
