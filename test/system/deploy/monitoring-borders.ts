// Where each condition of each alert begins to hold, said once more and by hand: how many of which lines, within how many
// seconds, and which lines it has nothing to do with. Lines are named by the queries that find one of them in the log of a
// real desk. A condition that is missing here fails the test.

export interface Border {
  /** Names of the policy, less `Keydesk: `, and of the condition. */
  readonly policy: string;
  readonly condition: string;
  /** Seconds that it looks back. */
  readonly within: number;
}

/** Holds as soon as there are so many lines; each kind alone is enough. */
export interface Count extends Border {
  readonly least: number;
  readonly of: readonly string[];
  readonly not: readonly string[];
  /** What the lines are counted by, where that is not all of them together: a label, or a field of the payload. */
  readonly by?: string;
}

/** Holds when there is none, of what there was before. */
export interface Silence extends Border {
  readonly of: string;
  readonly not: readonly string[];
}

/** Holds when more than this share of all lines are of the one kind. */
export interface Share extends Border {
  readonly share: number;
  readonly of: readonly string[];
  readonly not: readonly string[];
}

/** Holds when more than this share of what the objective counts is bad. */
export interface Burn extends Border {
  readonly share: number;
  readonly good: string;
  readonly bad: string;
}

const MINUTE = 60;
const HOUR = 60 * MINUTE;

const event = (name: string, ...more: string[]) => [`labels.event="${name}"`, ...more].join(' ');
const refused = (reason: string) => event('grant.refused', `labels.reason="${reason}"`);
const webhookRefused = (reason: string) => event('webhook.refused', `labels.reason="${reason}"`);
const issued = (credential: string) => event('grant.issued', `labels.credential="${credential}"`);
const swept = (term: string) => event('sweep.completed', term);

const UNAVAILABLE = event('grant.refused', 'labels.reason="unavailable"', 'httpRequest.requestUrl="/token/config"');
const FAULT = event('request.failed');
const DENIED = event('grant.refused', 'labels.reason="no_rule_grants"', 'jsonPayload.credential="config"');
const CANARY_DENIED = event(
  'grant.refused',
  'labels.reason="no_rule_grants"',
  'jsonPayload.credential="canary-denied"',
);
const BY_CLOCK = event('grant.expired', 'jsonPayload.ended_by="clock"');
const BY_WEBHOOK = event('grant.revoked', 'jsonPayload.ended_by="job.finished"', 'jsonPayload.dead_after_job_end_s<1');
const LATE = event('grant.revoked', 'jsonPayload.dead_after_job_end_s>120');
const LATE_BY_EXPIRY = event(
  'grant.expired',
  'jsonPayload.revocation="expiry"',
  'jsonPayload.dead_after_job_end_s>120',
);
const JOB_ENDED = event('webhook.accepted', 'jsonPayload.result="job_ended"');
const DISABLED_AGAIN = event('account.disabled_again');
const NOT_DISABLED = event('account.not_disabled');
const LOCKED_OUT = [
  DENIED,
  refused('unknown_credential'),
  refused('job_token_organization_wrong'),
  refused('job_token_signature_invalid'),
];
const STRANGERS = [
  webhookRefused('signature_missing'),
  webhookRefused('signature_malformed'),
  webhookRefused('request_too_large'),
  webhookRefused('not_found'),
  webhookRefused('method_not_allowed'),
];

export const COUNTS: readonly Count[] = [
  {
    policy: 'a revocation is not finished',
    condition: '5 sweeps within 10 minutes found records that cannot be read',
    least: 5,
    within: 10 * MINUTE,
    of: [swept('jsonPayload.failures.detail="its record cannot be read"')],
    not: [swept('jsonPayload.failed=0'), swept('jsonPayload.failures.what="grant document"')],
  },
  {
    policy: 'sweeps do not get to everything',
    condition: '5 sweeps within 10 minutes did not get to all grants',
    least: 5,
    within: 10 * MINUTE,
    of: [swept('jsonPayload.more=true')],
    not: [swept('jsonPayload.more=false jsonPayload.completed=true')],
  },
  {
    policy: 'hand-outs fail',
    condition: '5 or more hand-outs failed within 10 minutes',
    least: 5,
    within: 10 * MINUTE,
    of: [UNAVAILABLE, FAULT],
    not: [issued('config'), refused('pool_exhausted'), DENIED, webhookRefused('ledger_unavailable')],
  },
  {
    policy: 'most jobs are refused',
    condition: 'more than 20 requests were refused within 10 minutes',
    least: 21,
    within: 10 * MINUTE,
    of: LOCKED_OUT,
    not: [issued('config'), refused('pool_exhausted'), UNAVAILABLE, refused('job_token_malformed')],
  },
  {
    policy: 'a function does not start',
    condition: 'an instance did not start',
    least: 1,
    within: 5 * MINUTE,
    of: [event('start.failed')],
    not: [FAULT],
  },
  {
    policy: 'webhooks are refused',
    condition: '3 or more webhooks with a wrong key within 6 hours',
    least: 3,
    within: 6 * HOUR,
    of: [webhookRefused('signature_wrong'), webhookRefused('plain_token_mode')],
    not: [...STRANGERS, webhookRefused('ledger_unavailable'), JOB_ENDED],
  },
  {
    policy: 'webhooks are refused',
    condition: '5 or more signed webhooks not accepted within 10 minutes',
    least: 5,
    within: 10 * MINUTE,
    of: [
      webhookRefused('ledger_unavailable'),
      webhookRefused('signature_too_old'),
      webhookRefused('signature_in_future'),
      webhookRefused('event_malformed'),
    ],
    not: [...STRANGERS, webhookRefused('signature_wrong'), JOB_ENDED],
  },
  {
    policy: 'jobs end without a webhook',
    condition: '3 or more jobs found finished within 6 hours',
    least: 3,
    within: 6 * HOUR,
    of: [event('job.found_finished', 'jsonPayload.job_state="passed"')],
    not: [event('job.found_finished', 'jsonPayload.job_state="agent_lost"'), JOB_ENDED],
  },
  {
    policy: 'most grants end by the clock',
    condition: '10 or more ends within an hour',
    least: 10,
    within: HOUR,
    of: [BY_CLOCK],
    not: [BY_WEBHOOK, LATE_BY_EXPIRY],
  },
  {
    policy: "an account was enabled behind Keydesk's back",
    condition: 'a resting account was found enabled, and was disabled',
    least: 1,
    within: MINUTE,
    of: [DISABLED_AGAIN],
    not: [NOT_DISABLED, event('account.enabled')],
  },
  {
    policy: "an account was enabled behind Keydesk's back",
    condition: 'a resting account was found enabled, and not disabled for certain',
    least: 1,
    within: MINUTE,
    of: [NOT_DISABLED],
    not: [DISABLED_AGAIN, event('account.enabled')],
  },
  {
    policy: 'a pool is about to be exhausted',
    condition: '3 sweeps within 5 minutes saw its end within 15 minutes',
    least: 3,
    within: 5 * MINUTE,
    of: [event('pool.counted', 'jsonPayload.exhausted_in_s<900')],
    not: [event('pool.counted', 'NOT jsonPayload.exhausted_in_s<900')],
    by: 'labels.pool',
  },
  {
    policy: 'a pool is about to be exhausted',
    condition: '3 or more hand-outs refused for want of an account',
    least: 3,
    within: 5 * MINUTE,
    of: [refused('pool_exhausted')],
    not: [UNAVAILABLE, DENIED],
  },
  {
    policy: 'the ledger or a Google API fails',
    condition: '10 or more failures of one dependency within 20 minutes',
    least: 10,
    within: 20 * MINUTE,
    of: [
      UNAVAILABLE,
      webhookRefused('ledger_unavailable'),
      event('work.failed', 'jsonPayload.what="buildkite jobs"'),
      event('work.failed', 'jsonPayload.what="keydesk"'),
    ],
    not: [DENIED, refused('pool_exhausted'), webhookRefused('signature_wrong'), FAULT],
    by: 'jsonPayload.what',
  },
  {
    policy: 'the ledger or a Google API fails',
    condition: "a request failed by Keydesk's own fault",
    least: 1,
    within: 5 * MINUTE,
    of: [FAULT],
    not: [UNAVAILABLE],
  },
  {
    policy: 'the canary got what it must be refused',
    condition: 'canary-denied was handed out',
    least: 1,
    within: MINUTE,
    of: [issued('canary-denied')],
    not: [issued('canary'), CANARY_DENIED],
  },
  ...(
    [
      ['two per cent of the budget gone in an hour', '5 or more within an hour', 5, HOUR],
      ['five per cent of the budget gone in six hours', '10 or more within six hours', 10, 6 * HOUR],
    ] as const
  ).flatMap(([policy, condition, least, within]): Count[] => [
    {
      policy: `hand-outs: ${policy}`,
      condition,
      least,
      within,
      of: [UNAVAILABLE, FAULT, refused('pool_exhausted')],
      not: [issued('config'), DENIED],
    },
    {
      policy: `time to dead: ${policy}`,
      condition,
      least,
      within,
      of: [LATE],
      not: [BY_WEBHOOK, BY_CLOCK, LATE_BY_EXPIRY],
    },
  ]),
];

export const SILENCES: readonly Silence[] = [
  ...['no sweep was seen for 10 minutes', 'fewer than one sweep in 10 minutes'].map((condition) => ({
    policy: 'no sweep for ten minutes',
    condition,
    within: 10 * MINUTE,
    of: swept('jsonPayload.completed=true'),
    not: [swept('jsonPayload.completed=false'), event('pool.counted')],
  })),
  ...['no hand-out to the canary was seen for 30 minutes', 'fewer than one hand-out to the canary in 30 minutes'].map(
    (condition) => ({
      policy: 'the probe is not answered as it must be',
      condition,
      within: 30 * MINUTE,
      of: issued('canary'),
      not: [issued('config'), issued('canary-denied'), CANARY_DENIED],
    }),
  ),
  ...[
    'no refusal of canary-denied was seen for 30 minutes',
    'fewer than one refusal of canary-denied in 30 minutes',
  ].map((condition) => ({
    policy: 'the probe is not answered as it must be',
    condition,
    within: 30 * MINUTE,
    of: CANARY_DENIED,
    not: [DENIED, refused('unknown_credential'), issued('canary'), issued('canary-denied')],
  })),
  ...["no webhook of a job's end was seen for 30 minutes", "fewer than one webhook of a job's end in 30 minutes"].map(
    (condition) => ({
      policy: "no webhook, though the probe's jobs end",
      condition,
      within: 30 * MINUTE,
      of: JOB_ENDED,
      not: [event('webhook.accepted', 'jsonPayload.result="ignored"'), webhookRefused('ledger_unavailable')],
    }),
  ),
];

export const SHARES: readonly Share[] = [
  {
    policy: 'hand-outs fail',
    condition: 'more than 5 % of hand-outs fail',
    share: 0.05,
    within: 10 * MINUTE,
    of: [UNAVAILABLE, FAULT],
    not: [issued('config'), refused('pool_exhausted')],
  },
  {
    policy: 'most jobs are refused',
    condition: 'more than half of the requests are refused',
    share: 0.5,
    within: 10 * MINUTE,
    of: LOCKED_OUT,
    not: [issued('config'), refused('pool_exhausted'), UNAVAILABLE],
  },
  {
    policy: 'most grants end by the clock',
    condition: 'more than half of the ends of an hour',
    share: 0.5,
    within: HOUR,
    of: [BY_CLOCK],
    not: [BY_WEBHOOK, LATE_BY_EXPIRY],
  },
];

export const BURNS: readonly Burn[] = (
  [
    ['two per cent of the budget gone in an hour', 0.02 * 28 * 24, HOUR, 5 * MINUTE],
    ['five per cent of the budget gone in six hours', (0.05 * 28 * 24) / 6, 6 * HOUR, 30 * MINUTE],
  ] as const
).flatMap(([policy, rate, long, short]) =>
  [long, short].flatMap((within) => {
    const condition = `burn rate over ${within / MINUTE} minutes`;
    return [
      {
        policy: `hand-outs: ${policy}`,
        condition,
        within,
        share: rate * 0.005,
        good: issued('config'),
        bad: UNAVAILABLE,
      },
      { policy: `time to dead: ${policy}`, condition, within, share: rate * 0.01, good: BY_WEBHOOK, bad: LATE },
    ];
  }),
);

/** Of the oldest unfinished revocation: seconds from which on it is told. */
export const OLDEST = {
  policy: 'a revocation is not finished',
  condition: 'the oldest unfinished revocation is older than 5 minutes',
  within: 5 * MINUTE,
  from: 300,
  line: swept('jsonPayload.oldest_unfinished_s>=0'),
};

/** Of what Cloud Run and the uptime checks count. */
export const PLATFORM_SHARE: Border & { readonly share: number } = {
  policy: 'Cloud Run answers errors',
  condition: "more than 25 % of a function's answers are 5xx",
  within: 10 * MINUTE,
  share: 0.25,
};
export const PLATFORM_COUNT: Border & { readonly least: number } = {
  policy: 'Cloud Run answers errors',
  condition: '10 or more 5xx of a function within 10 minutes',
  within: 10 * MINUTE,
  least: 10,
};
export const UPTIME: Border & { readonly places: number } = {
  policy: 'the desk does not answer',
  condition: 'an uptime check fails from more than one place',
  within: 20 * MINUTE,
  places: 2,
};

export const BORDERS: readonly Border[] = [
  ...COUNTS,
  ...SILENCES,
  ...SHARES,
  ...BURNS,
  OLDEST,
  PLATFORM_SHARE,
  PLATFORM_COUNT,
  UPTIME,
];
