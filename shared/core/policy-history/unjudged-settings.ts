// What a policy demands of every request and a replay does not judge: the events of a log do not have what these settings look at. They
// are compared with the policy that decided the requests, where that is known.

import type { Policy } from '../policy/policy.ts';
import { policyChanges } from '../policy-analysis/policy-changes.ts';

const SETTINGS = [
  ...['audience', 'maxJobTokenLifetime'],
  ...['limits.tokensPerMinute', 'limits.liveGrantsPerPipeline', 'limits.teamsMaxAge'],
];

interface PolicyVersion {
  readonly policy: Policy;
  readonly sha256: string;
}

export type UnjudgedSettings =
  /** The requests were decided with these settings. */
  | { readonly settings: 'same' }
  | { readonly settings: 'different'; readonly changes: readonly SettingChange[] }
  /** Other policies decided them, or the events do not say which. */
  | { readonly settings: 'not_known' };

interface SettingChange {
  readonly what: string;
  readonly before: string;
  readonly after: string;
}

/**
 * @param before the policy that decided, as far as a person knows it
 * @param decidedBy the SHA-256 of each policy that decided a request; undefined for one that is not on record
 */
export function compareSettings(
  before: PolicyVersion | undefined,
  after: PolicyVersion,
  decidedBy: ReadonlySet<string | undefined>,
): UnjudgedSettings {
  const known = [before?.sha256, after.sha256];
  const changes = before ? settingChanges(before.policy, after.policy) : [];
  if (changes.length > 0) return { settings: 'different', changes };
  const isKnown = [...decidedBy].every((sha256) => sha256 !== undefined && known.includes(sha256));
  return { settings: isKnown ? 'same' : 'not_known' };
}

function settingChanges(before: Policy, after: Policy): SettingChange[] {
  return policyChanges(before, after)
    .filter(({ what }) => SETTINGS.includes(what) || what.startsWith('identityProviders.'))
    .map((change) => ({ what: change.what, before: change.before, after: change.after }));
}

/** @param isAsked whether a person gave a policy to compare with */
export function unjudgedLines(result: UnjudgedSettings, isAsked: boolean): string[] {
  switch (result.settings) {
    case 'same':
      return [];
    case 'different':
      return [
        'Not judged, and different:',
        ...result.changes.map(({ what, before, after }) => `  ${what}: from ${before} to ${after}`),
      ];
    case 'not_known':
      return [
        isAsked
          ? 'Not judged: audience, maxJobTokenLifetime and limits. The policy of --before did not decide all of the requests.'
          : 'Not judged: audience, maxJobTokenLifetime and limits. Name the policy that decided the requests with --before, such as main:policy.yaml.',
      ];
  }
}
