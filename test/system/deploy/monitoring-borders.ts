// Where each condition of the alerts that page begins to hold, written by hand: how many lines, within how many
// seconds, and which lines do not count. A query names a line by how to find one in the log of monitoring-lines.ts.

interface Border {
  /** Names of the policy, less `Keydesk: `, and of the condition. */
  readonly policy: string;
  readonly condition: string;
  /** Seconds that it looks back. */
  readonly within: number;
}

/** Holds as soon as there are this many lines; each kind alone is enough. */
interface Count extends Border {
  readonly least: number;
  readonly of: readonly string[];
  readonly not: readonly string[];
}

/** Holds when there is none, of what there was before. */
interface Silence extends Border {
  readonly of: string;
  readonly not: readonly string[];
}

/** Holds when more than this share of good and bad lines is bad. */
interface Share extends Border {
  readonly share: number;
  readonly good: readonly string[];
  readonly bad: string;
}

const MINUTE = 60;
const HOUR = 60 * MINUTE;

export const event = (name: string, ...more: string[]) => [`labels.event="${name}"`, ...more].join(' ');
const refused = (reason: string) =>
  event('grant.refused', `labels.reason="${reason}"`, 'httpRequest.requestUrl=~"^/token"');
const issued = (credential: string) => event('grant.issued', `labels.credential="${credential}"`);
const swept = (term: string) => event('sweep.completed', term);

export const UNAVAILABLE = refused('dependency_unavailable');
export const ISSUED = issued('config');
export const ENDED = event('grant.revoked', 'jsonPayload.access_after_job_end_s<1');
export const LATE = event('grant.revoked', 'jsonPayload.access_after_job_end_s>120');
export const SWEPT = swept('jsonPayload.oldest_pending_s>=0');
const POOL_EXHAUSTED = refused('pool_exhausted');
const NOT_REVOKED = event(
  'grant.refused',
  'labels.reason="dependency_unavailable"',
  'httpRequest.requestUrl="/revoke"',
);
const FAULT = event('request.failed');
const DENIED = event('grant.refused', 'labels.reason="no_matching_rule"', 'jsonPayload.credential="canary-denied"');
const BY_EXPIRY = event('grant.expired', 'jsonPayload.revocation="expiry"', 'jsonPayload.access_after_job_end_s>120');
const DISABLED_AGAIN = event('account.enabled_externally');
const NOT_DISABLED = event('account.disable_failed');
const USER_CHANGED = event('firebase_user.changed');

export const COUNTS: readonly Count[] = [
  {
    policy: 'Revocation not completing',
    condition: '5 sweeps within 10 minutes found records that cannot be read',
    least: 5,
    within: 10 * MINUTE,
    of: [swept('jsonPayload.failures.code="unreadable_record"')],
    not: [swept('jsonPayload.failed=0'), swept('jsonPayload.failures.dependency="grant document"')],
  },
  {
    policy: 'Token requests failing',
    condition: '5 or more token requests failed within 10 minutes',
    least: 5,
    within: 10 * MINUTE,
    of: [UNAVAILABLE, FAULT],
    not: [ISSUED, POOL_EXHAUSTED, DENIED, NOT_REVOKED, event('webhook.refused', 'labels.reason="ledger_unavailable"')],
  },
  {
    policy: 'Google refuses permanently',
    condition: 'Google refused to issue a credential',
    least: 1,
    within: 5 * MINUTE,
    of: [refused('google_refused'), `${UNAVAILABLE} jsonPayload.cause="permission_missing"`],
    not: [UNAVAILABLE, ISSUED, POOL_EXHAUSTED, event('account.quarantined')],
  },
  {
    policy: 'Function not starting',
    condition: 'an instance did not start',
    least: 1,
    within: 5 * MINUTE,
    of: [event('startup.failed')],
    not: [FAULT],
  },
  {
    policy: 'Pooled account enabled externally',
    condition: 'an account was enabled externally during cooldown, and was disabled',
    least: 1,
    within: MINUTE,
    of: [DISABLED_AGAIN],
    not: [NOT_DISABLED],
  },
  {
    policy: 'Pooled account enabled externally',
    condition: 'an account was enabled externally during cooldown, and could not be disabled',
    least: 1,
    within: MINUTE,
    of: [NOT_DISABLED],
    not: [DISABLED_AGAIN],
  },
  {
    policy: 'Firebase user changed',
    condition: 'a sign-in showed that somebody changed the user',
    least: 1,
    within: MINUTE,
    of: [USER_CHANGED],
    not: [ISSUED, UNAVAILABLE],
  },
  {
    policy: 'Break-glass access',
    condition: 'a job received a credential by a rule for emergencies',
    least: 1,
    within: MINUTE,
    of: [event('grant.break_glass')],
    not: [ISSUED, USER_CHANGED],
  },
  {
    policy: 'Canary-denied credential was issued',
    condition: 'canary-denied was issued',
    least: 1,
    within: MINUTE,
    of: [issued('canary-denied')],
    not: [issued('canary'), DENIED],
  },
  {
    policy: 'Token requests burning error budget: 2 % in an hour',
    condition: '5 or more within an hour',
    least: 5,
    within: HOUR,
    of: [UNAVAILABLE, FAULT, POOL_EXHAUSTED],
    not: [ISSUED, DENIED, NOT_REVOKED],
  },
  {
    policy: 'Revocation SLO burn: 2 % in an hour',
    condition: '5 or more within an hour',
    least: 5,
    within: HOUR,
    of: [LATE],
    not: [ENDED, BY_EXPIRY],
  },
];

export const SILENCES: readonly Silence[] = [
  'no sweep was seen for 10 minutes',
  'fewer than one sweep in 10 minutes',
].map((condition) => ({
  policy: 'Sweep not running',
  condition,
  within: 10 * MINUTE,
  of: swept('jsonPayload.completed=true'),
  not: [swept('jsonPayload.completed=false'), event('pool.reported')],
}));

/** What burns two per cent of a budget of 28 days in an hour. */
const FAST = 0.02 * 28 * 24;

function burn(slo: string, within: number, share: number, good: readonly string[], bad: string): Share {
  const policy = `${slo}: 2 % in an hour`;
  return { policy, condition: `burn rate over ${within / MINUTE} minutes`, within, share, good, bad };
}

export const SHARES: readonly Share[] = [
  {
    policy: 'Token requests failing',
    condition: 'more than 5 % of token requests fail',
    share: 0.05,
    within: 10 * MINUTE,
    good: [ISSUED, POOL_EXHAUSTED],
    bad: UNAVAILABLE,
  },
  ...[HOUR, 5 * MINUTE].flatMap((within) => [
    burn('Token requests burning error budget', within, FAST * 0.005, [ISSUED], UNAVAILABLE),
    burn('Revocation SLO burn', within, FAST * 0.01, [ENDED], LATE),
  ]),
];

/** Holds when a sweep left a grant unfinished that ended this many seconds ago. */
export const OLDEST = {
  policy: 'Revocation not completing',
  condition: 'the oldest pending revocation is older than 5 minutes',
  within: 5 * MINUTE,
  from: 300,
};

/** Holds when the last checks from this many places failed, now and a minute ago. */
export const UPTIME = {
  policy: 'Service unreachable',
  condition: 'an uptime check fails from more than one place',
  within: 20 * MINUTE,
  places: 2,
};

export const BORDERS: readonly Border[] = [...COUNTS, ...SILENCES, ...SHARES, OLDEST, UPTIME];
