// What `keydesk policy replay` prints: each change in lines for a terminal, and the same as data.

import type { Policy } from '../policy/policy.ts';
import { claimLine, claimsOf } from '../policy-analysis/example-lines.ts';
import { BY_POLICY } from './job-request.ts';
import type { Judgement } from './judge.ts';
import { CHANGES, type Changed, type ReplayResult, type RequestChange } from './replay.ts';
import { describeNearest, formatPeriod, plural, toUseJson } from './words.ts';

const HEADINGS: Readonly<Record<Changed, string>> = {
  refused: 'Allowed before, refused now',
  credential_gone: 'Allowed before, and the credential is no longer in the policy',
  granted: 'Refused before, granted now',
  other_rule: 'Granted as before, by another rule',
  cannot_tell: 'Cannot tell: the events lack what a rule looks at',
};

const TOTALS: Readonly<Record<Changed, string>> = {
  refused: 'refused now',
  credential_gone: 'credential no longer in the policy',
  granted: 'granted now',
  other_rule: 'granted by another rule',
  cannot_tell: 'cannot tell',
};

/** @param explain the command that explains an example by this policy */
export function replayLines(policy: Policy, result: ReplayResult, explain: string): string[] {
  const sections = CHANGES.flatMap((change) => {
    const changes = result.changes.filter((one) => one.change === change);
    return changes.length === 0
      ? []
      : [
          '',
          HEADINGS[change],
          ...changes.flatMap((one) => describeChange(policy, one, explain).map((line) => `  ${line}`)),
        ];
  });
  return [...sections, '', ...totalLines(result)];
}

function totalLines(result: ReplayResult): string[] {
  const rows: [string, number][] = [
    ['granted as before', result.granted_as_before],
    ['refused as before', result.refused_as_before],
    ...CHANGES.map((change): [string, number] => [TOTALS[change], totalOf(result, change)]).filter(
      ([, count]) => count,
    ),
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  const notKnown = result.rule_not_known;
  return [
    ...rows.map(([name, count]) => `${name.padEnd(width)}  ${count}`),
    ...(notKnown > 0
      ? [`Of those granted as before, the events of ${notKnown} do not say which of several rules grants them.`]
      : []),
  ];
}

function totalOf({ changes }: ReplayResult, change: Changed): number {
  return changes.filter((one) => one.change === change).reduce((sum, { requests }) => sum + requests.count, 0);
}

function describeChange(policy: Policy, change: RequestChange, explain: string): string[] {
  const { credential, pipeline_slug, requests, example, now } = change;
  const claims = claimLine(policy, example.job);
  const known = now.outcome === 'refused' && now.reason === 'unknown_credential' ? '' : ` ${credential}`;
  return [
    `${credential}, pipeline ${pipeline_slug}: ${plural(requests.count, 'request')}, ${formatPeriod(requests)}`,
    `  before:  ${describeBefore(change)}`,
    `  now:     ${describeNow(now, policy)}`,
    `  example: request ${example.request_id ?? 'without an id'}`,
    `    ${explain}${known}${claims === '' ? '' : ` ${claims}`}`,
  ];
}

function describeBefore({ rule_before, reason_before }: RequestChange): string {
  if (rule_before !== undefined) return `granted by "${rule_before}"`;
  return BY_POLICY.includes(reason_before ?? '')
    ? `refused, ${reason_before}`
    : `allowed by a rule that is not on record, then refused, ${reason_before}`;
}

function describeNow(now: Judgement, policy: Policy): string {
  const rules = 'rules' in now ? now.rules.map((rule) => `"${rule}"`).join(' or ') : '';
  switch (now.outcome) {
    case 'granted':
      return `granted by ${rules}`;
    case 'cannot tell':
      return `depends on ${now.claims.join(', ')}, for ${rules}`;
    case 'refused':
      if (now.nearest) return `refused. Nearest is ${describeNearest(now.nearest, policy.pipelines)}`;
      return now.reason === 'no_matching_rule' ? 'refused: no rule grants the credential' : `refused, ${now.reason}`;
  }
}

/** The same for programs. */
export function replayJson(policy: Policy, result: ReplayResult) {
  return {
    requests: toUseJson(result.requests),
    totals: {
      granted_as_before: result.granted_as_before,
      refused_as_before: result.refused_as_before,
      rule_not_known: result.rule_not_known,
      ...Object.fromEntries(CHANGES.map((change) => [change, totalOf(result, change)])),
    },
    changes: result.changes.map(({ requests, example, rule_before, reason_before, ...change }) => ({
      ...change,
      rule_before: rule_before ?? null,
      reason_before: reason_before ?? null,
      requests: toUseJson(requests),
      example: { request_id: example.request_id ?? null, claims: claimsOf(policy, example.job) },
    })),
  };
}
