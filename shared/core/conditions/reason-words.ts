// How a condition of a rule was judged, in words for people. The compiler checks that every reason has some.

import type { RuleTrace } from '../policy/decide.ts';
import { visible } from '../policy/visible-text.ts';
import type { UnmetReason } from './judge.ts';

export const UNMET: Readonly<Record<UnmetReason, string>> = {
  pipeline_not_in_team: 'the pipeline does not belong to the team',
  team_access_too_low: 'the team has less access to the pipeline than the rule demands',
  creator_unverified:
    'the build was started neither in the web interface nor by API, so nobody verified who started it',
  creator_unknown: 'Buildkite names nobody who started the build',
  creator_not_in_team: 'the person who started the build is not a member of the team',
  approver_unknown: 'Buildkite names nobody who unblocked the step',
  approver_not_in_team: 'the person who unblocked the step is not a member of the team',
  approver_is_creator: 'the person who unblocked the step started the build',
  approval_expired: 'the step was unblocked too long ago',
  approval_in_future: "the step was unblocked in the future, by Buildkite's time",
  approval_ambiguous: 'several steps of the build have the key, and nobody knows which one is meant',
  approval_without_reason: 'the build states no reason in its metadata, and the rule is for emergencies',
  build_differs: 'the build on record with this number is another one',
  agent_token_missing: "the request has no token of the machine's identity provider",
  agent_of_other_provider: 'the token of the machine is of another identity provider',
  agent_claims_differ: 'the token of the machine has other claims than the rule demands',
};

const UNKNOWN: Readonly<Record<string, string>> = {
  build: 'Keydesk has not read from Buildkite who started the build',
  team: 'Keydesk has not read the team from Buildkite, or too long ago',
};

/** Such as `approval does not hold: the step was unblocked too long ago`; undefined where no condition decided. */
export function conditionOutcome({ outcome, condition, reason = '', team }: RuleTrace): string | undefined {
  switch (outcome) {
    case 'condition_unmet':
      return `${condition} does not hold: ${wordsFor(UNMET, reason, team)}`;
    case 'condition_unknown':
      return `${condition} is not known: ${wordsFor(UNKNOWN, reason, team)}`;
    case 'approval_pending':
      return 'approval is pending: nobody has unblocked the step, or Keydesk does not know it yet';
    case 'conditional':
      return 'the claims match, and its conditions are not judged';
    default:
      return undefined;
  }
}

/** Another version of Keydesk may have other reasons. */
function wordsFor(words: Readonly<Record<string, string>>, reason: string, team: string | undefined): string {
  const known = Object.hasOwn(words, reason) ? words[reason] : undefined;
  if (known === undefined) return visible(reason);
  return team === undefined ? known : known.replace('the team', () => `the team ${visible(team)}`);
}
