// What the checks of the webhook can find. The texts are data, as in the preflight.

import type { CheckKind } from '../checks/check.ts';

type Kind<Name extends string> = Pick<CheckKind<Name>, 'name' | 'looksAt' | 'findings'>;

const LOST = 'The ends of jobs do not arrive. Only the sweep finds them, minutes later.';
const INSTALL = 'keydesk webhook install';
const AT_BUILDKITE = 'At Buildkite, under Settings, Notification Services';
const SET_BACK = `${AT_BUILDKITE}: set it back. keydesk webhook install --dry-run names what it would change.`;
const NOTHING_CHANGES = 'Nothing changes.';

export const webhookServiceKind: Kind<
  | 'webhook_service_missing'
  | 'webhook_services_several'
  | 'webhook_service_disabled'
  | 'webhook_url_wrong'
  | 'webhook_not_signed'
  | 'webhook_events_missing'
  | 'webhook_approvals_missing'
  | 'webhook_creators_missing'
  | 'webhook_events_unneeded'
  | 'webhook_tls_not_verified'
  | 'webhook_not_for_all_pipelines'
  | 'webhook_branch_filter'
> = {
  name: 'webhook service',
  looksAt:
    'Whether Buildkite has one notification service for the function `webhook`, with the settings that Keydesk needs.',
  findings: {
    webhook_service_missing: {
      severity: 'error',
      what: 'Buildkite has no webhook notification service for {url}.',
      why: LOST,
      fix: INSTALL,
      undo: `${AT_BUILDKITE}: delete the service.`,
    },
    webhook_services_several: {
      severity: 'error',
      what: 'Buildkite has {count} notification services for the function: {ids}.',
      why: 'Each end of a job arrives several times, and each service has a key of its own. A rotation is refused.',
      fix: `${AT_BUILDKITE}: delete all but one.`,
      undo: 'A deleted service does not come back. Disable the others first, and delete them when webhooks still arrive.',
    },
    webhook_service_disabled: {
      severity: 'error',
      what: 'The notification service {id} is disabled: by a person, or by Buildkite after webhooks failed.',
      why: LOST,
      fix: `Look at its log (${AT_BUILDKITE.replace('At', 'at')}), then: ${INSTALL}`,
      undo: `${AT_BUILDKITE}: disable the service.`,
    },
    webhook_url_wrong: {
      severity: 'error',
      what: 'The notification service {id} sends to a path or a protocol that the function does not serve.',
      why: `The function refuses it. ${LOST}`,
      fix: INSTALL,
      undo: SET_BACK,
    },
    webhook_not_signed: {
      severity: 'error',
      what: 'The notification service {id} sends its token in clear in place of a signature.',
      why: `The function refuses such webhooks. ${LOST}`,
      fix: INSTALL,
      undo: SET_BACK,
    },
    webhook_events_missing: {
      severity: 'error',
      what: 'The notification service {id} does not send: {events}.',
      why: LOST,
      fix: INSTALL,
      undo: SET_BACK,
    },
    webhook_approvals_missing: {
      severity: 'error',
      what: 'The notification service {id} does not send: {events}.',
      why: 'A rule of the policy has an approval. Only looks at Buildkite find one, up to 15 minutes apart, and none without the API token of the sweep.',
      fix: INSTALL,
      undo: SET_BACK,
    },
    webhook_creators_missing: {
      severity: 'warning',
      what: 'The notification service {id} does not send: {events}.',
      why: 'A rule of the policy has created_by. The first job of each build waits for a look at Buildkite, which the next sweep takes.',
      fix: INSTALL,
      undo: SET_BACK,
    },
    webhook_events_unneeded: {
      severity: 'warning',
      what: 'The notification service {id} also sends: {events}.',
      why: 'The policy needs none of these events. They carry names, addresses and environments of builds that it does not need.',
      fix: INSTALL,
      undo: SET_BACK,
    },
    webhook_tls_not_verified: {
      severity: 'error',
      what: 'The notification service {id} does not verify the TLS certificate of the function.',
      why: 'Somebody on the way can read the webhooks, and keep them from arriving.',
      fix: INSTALL,
      undo: SET_BACK,
    },
    webhook_not_for_all_pipelines: {
      severity: 'warning',
      what: 'The notification service {id} is for the scope {scope} and not for all pipelines.',
      why: 'The ends of jobs of other pipelines do not arrive, also if the policy grants them credentials.',
      fix: INSTALL,
      undo: SET_BACK,
    },
    webhook_branch_filter: {
      severity: 'error',
      what: 'The notification service {id} has a branch filter.',
      why: 'The ends of jobs of other branches do not arrive, and nothing says so.',
      fix: INSTALL,
      undo: SET_BACK,
    },
  },
};

export const webhookKeyKind: Kind<'webhook_key_unknown' | 'webhook_key_not_accepted' | 'webhook_rotation_unfinished'> =
  {
    name: 'webhook key',
    looksAt:
      'Whether the running function has the key that is saved at Buildkite, by one signed webhook that means nothing.',
    findings: {
      webhook_key_unknown: {
        severity: 'error',
        what: 'The function does not have the key that is saved at Buildkite. It runs with version {version} of the secret.',
        why: `The function refuses every webhook. ${LOST}`,
        fix: INSTALL,
        undo: 'Nothing to go back to: the function refuses the former key.',
      },
      webhook_key_not_accepted: {
        severity: 'error',
        what: 'The function refuses a webhook that the key at Buildkite signed, although version {version} of the secret has the key.',
        why: LOST,
        fix: 'Check that --url leads to this function, and that its latest revision gets all requests.',
        undo: NOTHING_CHANGES,
      },
      webhook_rotation_unfinished: {
        severity: 'warning',
        what: 'The function accepts two keys: a rotation was not completed.',
        why: 'The old key can still be used to end the credentials of jobs.',
        fix: 'keydesk webhook rotate, or keydesk webhook rotate --abort',
        undo: 'A rotation that was completed or aborted does not come back. keydesk webhook rotate starts another one.',
      },
    },
  };

export const webhookArrivalKind: Kind<'webhook_never_arrived' | 'webhook_signed_by_other_key'> = {
  name: 'webhook arrival',
  looksAt: 'When the function last accepted a webhook of Buildkite, and which key signed it, in Cloud Logging.',
  findings: {
    webhook_never_arrived: {
      severity: 'warning',
      what: 'No webhook of Buildkite was accepted in the last {days} days.',
      why: `No job ended, or webhooks do not arrive. ${LOST}`,
      fix: `Run a job, then: keydesk webhook check. If none arrives: ${AT_BUILDKITE.replace('At', 'at')} is a log of the last 20 requests.`,
      undo: NOTHING_CHANGES,
    },
    webhook_signed_by_other_key: {
      severity: 'warning',
      what: 'The last webhook, at {at}, was signed by key {key} of the function, and key {saved} is saved at Buildkite.',
      why: 'If the other key is taken away, the function refuses such webhooks.',
      fix: 'Run a job, then: keydesk webhook check',
      undo: NOTHING_CHANGES,
    },
  },
};
