// What a run of the doctor did not look at because nobody asked for it. It is no finding, and a reader must know it.

import { namedTeams } from '../../shared/core/policy/named-teams.ts';
import type { DoctorTarget } from './target.ts';
import type { WebhookAccess } from './webhook.ts';

export interface NotLookedAt {
  readonly what: string;
  /** The options of the command that look at it. */
  readonly flag: string;
}

export function notLookedAt(
  {
    archives,
    apiToken,
    teamsApiToken,
    policy,
  }: Pick<DoctorTarget, 'archives' | 'apiToken' | 'teamsApiToken' | 'policy'>,
  webhook: WebhookAccess | undefined,
): NotLookedAt[] {
  return [
    ...(archives === undefined
      ? [{ what: 'whether each function runs the archive of this release and policy', flag: '--archives' }]
      : []),
    ...(apiToken === undefined
      ? [{ what: "the scopes and the expiry of the sweep's API token of Buildkite", flag: '--token-file' }]
      : []),
    ...(teamsApiToken === undefined && namedTeams(policy).teams.length > 0
      ? [{ what: "the scopes and the expiry of the sweep's API token for teams", flag: '--teams-token-file' }]
      : []),
    ...(webhook === undefined
      ? [
          {
            what: 'the notification service at Buildkite, its key, and the last webhook that arrived',
            flag: '--services-token-file',
          },
        ]
      : []),
  ];
}
