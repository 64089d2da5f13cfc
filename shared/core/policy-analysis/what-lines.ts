// What jobs get, in lines for a terminal: what they all get first, then what they get on a condition, then what none gets.

import { revocationOf } from '../kinds/kinds.ts';
import { clauseLines, conditionClauses } from '../policy/condition-words.ts';
import type { Conditions } from '../policy/conditions.ts';
import { formatDuration } from '../policy/duration.ts';
import type { Policy } from '../policy/policy.ts';
import { conditionWords, statedWords } from './demand-words.ts';
import type { TokenRefusal } from './job-token.ts';
import type { Demands } from './jobs.ts';
import type { PartialJob } from './partial-job.ts';
import type { CredentialAnswer } from './what.ts';

/** Of the conditions of one credential. */
const MAX_CONDITIONS = 5;

/** The claims that are stated. The organization is not shown where it is the policy's. */
export function statedLine(policy: Policy, job: PartialJob): string {
  const { slug, id } = policy.organization;
  const stated = [...job].filter(
    ([claim, value]) =>
      !(claim === 'organization_slug' && value === slug) && !(claim === 'organization_id' && value === (id ?? null)),
  );
  if (stated.length === 0) return 'No claim is stated, so each may have any value.';
  const present = stated.filter(([, value]) => value !== null);
  const absent = stated.flatMap(([claim, value]) => (value === null ? [claim] : []));
  const words = present.map(([claim, value]) => statedWords(claim, value, policy.pipelines));
  const sentences = [
    ...(words.length > 0 ? [`Stated: ${words.join(', ')}.`] : []),
    ...(absent.length > 0 ? [`Absent: ${absent.join(', ')}.`] : []),
  ];
  return `${sentences.join(' ')} Other claims may have any value.`;
}

/** What Keydesk refuses a token for, whatever rules say. */
export function refusalWords({ audience, maxJobTokenLifetime, organization }: Policy, refusal: TokenRefusal): string {
  switch (refusal) {
    case 'job_token_audience_wrong':
      return `Keydesk refuses this token: its audience is not the policy's. Request it with --audience ${audience}.`;
    case 'job_token_lifetime_too_long':
      return `Keydesk refuses this token: it lives longer than the policy's maxJobTokenLifetime, ${formatDuration(maxJobTokenLifetime)}. Lower --lifetime.`;
    case 'job_token_organization_wrong':
      return `Keydesk refuses this token: its organization is not the policy's, ${organization.slug}.`;
  }
}

export interface Shown {
  /** Whether each credential that no job gets is listed, with the reasons. */
  readonly refused: boolean;
  /** Whether Keydesk accepts the token. */
  readonly accepted: boolean;
}

export function whatLines(policy: Policy, answers: readonly CredentialAnswer[], shown: Shown): string[] {
  const once = shown.accepted ? '' : ', once the token is accepted';
  const width = Math.max(0, ...answers.map(({ credential }) => credential.length));
  const of = (wanted: CredentialAnswer['answer']) => answers.filter(({ answer }) => answer === wanted);
  const row = (answer: CredentialAnswer) => `  ${answer.credential.padEnd(width)}  ${facts(policy, answer)}`;
  const section = (title: string, lines: readonly string[]) => (lines.length > 0 ? [title, ...lines, ''] : []);
  const never = of('never');
  const lines = [
    ...section(
      `Granted${once}:`,
      of('granted').map((answer) => `${row(answer)}, by ${ruleNames(answer)}`),
    ),
    ...section(
      `Granted on a condition${once}:`,
      grouped(of('conditional'), row, (answer) => conditionLines(policy, answer)),
    ),
    ...section(
      'Cannot tell, because the rules are too many or too complex to compare:',
      grouped(of('cannot tell'), row, (answer) => conditionLines(policy, answer)),
    ),
    ...(shown.refused
      ? section(
          'Never granted:',
          grouped(never, row, (answer) => refusalLines(policy, answer)),
        )
      : never.length > 0
        ? [`Never granted: ${never.length} of ${answers.length} credentials. --all lists them.`, '']
        : []),
  ];
  return lines.slice(0, -1);
}

/** Credentials with the same lines share them. */
function grouped(
  answers: readonly CredentialAnswer[],
  row: (answer: CredentialAnswer) => string,
  linesOf: (answer: CredentialAnswer) => string[],
): string[] {
  const groups = new Map<string, { readonly rows: string[]; readonly lines: readonly string[] }>();
  for (const answer of answers) {
    const lines = linesOf(answer);
    const group = groups.get(lines.join('\n'));
    if (group) group.rows.push(row(answer));
    else groups.set(lines.join('\n'), { rows: [row(answer)], lines });
  }
  return [...groups.values()].flatMap(({ rows, lines }) => [...rows, ...lines]);
}

function facts(policy: Policy, { credential: name }: CredentialAnswer): string {
  const credential = policy.credentials[name];
  return credential ? `${revocationOf(credential)}, ${formatDuration(credential.ttl)}` : '';
}

function ruleNames({ granting }: CredentialAnswer): string {
  return granting.map(({ rule }) => `"${rule}"`).join(' or ');
}

function conditionLines({ pipelines }: Policy, { granting }: CredentialAnswer): string[] {
  const shown = granting.slice(0, MAX_CONDITIONS);
  const more = granting.length - shown.length;
  return [
    ...shown.flatMap(({ rule, conditions, ofRule }, index) =>
      clauseLines(index === 0 ? 'if' : 'or if', clausesOf(conditions, ofRule, pipelines), rule).map(
        (line) => `    ${line}`,
      ),
    ),
    ...(more > 0 ? [`    or by one of ${more} other rules: --json lists them`] : []),
  ];
}

function clausesOf(conditions: Demands, ofRule: Conditions, pipelines: Policy['pipelines']): string[] {
  const ofClaims = conditions.length > 0 ? [conditionWords(conditions, pipelines)] : [];
  return [...ofClaims, ...conditionClauses(ofRule)];
}

function refusalLines({ pipelines }: Policy, { refusing }: CredentialAnswer): string[] {
  if (refusing.length === 0) return ['    no rule grants it'];
  return refusing.map(({ rule, unmet }) => `    "${rule}" needs: ${conditionWords(unmet, pipelines)}`);
}
