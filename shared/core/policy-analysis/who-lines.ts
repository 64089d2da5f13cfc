// Who can get a credential, in lines for a terminal.

import type { Verb } from '../kinds/firestore.ts';
import { describeAccess, revocationOf } from '../kinds/kinds.ts';
import { isMatchableClaim, sourceOfClaim } from '../policy/claims.ts';
import { conditionRows } from '../policy/condition-words.ts';
import type { Credential } from '../policy/credential.ts';
import { formatDuration } from '../policy/duration.ts';
import type { Policy } from '../policy/policy.ts';
import { kindOf } from '../policy/table.ts';
import type { CommonPlace } from './common-places.ts';
import { claimWord, demandWords } from './demand-words.ts';
import { claimLine } from './example-lines.ts';
import type { Opening } from './openings.ts';
import type { Question } from './questions.ts';
import type { CredentialAccess, RuleAccess } from './who.ts';

export function whoLines(policy: Policy, question: Question, found: readonly CredentialAccess[]): string[] {
  const known = found.filter(({ opening }) => opening.opens !== 'cannot tell');
  const hasFirestore = Object.values(policy.credentials).some(({ kind }) => kind === 'firestore');
  const unknown = found.filter(({ opening }) => opening.opens === 'cannot tell');
  const blocks = [
    ...(known.length === 0
      ? [[nothingLine(question)]]
      : groupsOf(known).map((group) => groupLines(policy, question, group))),
    ...(unknown.length === 0
      ? []
      : [['Cannot tell whether these open it:', ...unknown.flatMap((access) => unknownLines(policy, access))]]),
    ...(hasFirestore && (question.about === 'path' || question.about === 'bucket') ? [[NOTES[question.about]]] : []),
  ];
  return blocks.flatMap((lines, index) => (index === 0 ? lines : ['', ...lines]));
}

const NOTES = {
  path: 'Security rules of your own can open more to these tokens. They are not in the policy.',
  bucket: "Firebase's security rules of a bucket can open more to Firebase ID tokens. They are not in the policy.",
};

function nothingLine(question: Question): string {
  switch (question.about) {
    case 'credential':
    case 'environment':
      return `No credential is of environment ${environmentOf(question)}.`;
    case 'path':
      return `No firestore credential opens ${question.path} for ${question.verbs.join(', ')}.`;
    case 'bucket':
      return `No storage credential opens ${objects(question)}.`;
  }
}

function environmentOf(question: Question): string {
  return question.about === 'environment' ? question.environment : '';
}

function objects({ bucket, prefix }: { readonly bucket: string; readonly prefix: string }): string {
  return `gs://${bucket}/${prefix}`;
}

/** Credentials that the same rules grant. Those of another environment than asked about come last. */
function groupsOf(found: readonly CredentialAccess[]): CredentialAccess[][] {
  const isOther = ({ opening }: CredentialAccess) => opening.opens === 'same place';
  const keyOf = (access: CredentialAccess) => JSON.stringify([isOther(access), access.rules.map(({ rule }) => rule)]);
  const groups = [...Map.groupBy(found, keyOf).values()];
  return [
    ...groups.filter(([first]) => first && !isOther(first)),
    ...groups.filter(([first]) => first && isOther(first)),
  ];
}

function groupLines(policy: Policy, question: Question, group: readonly CredentialAccess[]): string[] {
  const titles = group.flatMap(({ credential: name, opening }) => {
    const credential = policy.credentials[name];
    return credential ? [titleOf(name, credential), ...openingLines(credential, question, opening)] : [];
  });
  const [first] = group;
  return [...titles, ...rulesLines(policy, first?.rules ?? [], group.length > 1 ? 'them' : 'it')];
}

function titleOf(name: string, credential: Credential): string {
  const { environment, ttl } = credential;
  return `${name}: ${kindOf(credential)}, environment ${environment}, revocation ${revocationOf(credential)}, ttl ${formatDuration(ttl)}`;
}

function openingLines(credential: Credential, question: Question, opening: Opening): string[] {
  const allow = 'allow' in opening ? opening.allow : undefined;
  const shown = credential.kind === 'firestore' && allow ? { ...credential, allow } : credential;
  const opened = describeAccess(shown).map((line) => `  opens ${line}`);
  if (opening.opens === 'same place')
    return [
      ...opened,
      ...opening.places.map((place) => `  It is not of ${environmentOf(question)}: it ${commonWords(place)}.`),
    ];
  if (opening.opens !== 'part') return opened;
  return [...opened, `  It opens only part of that${partWords(question, opening)}.`];
}

/** Which verbs it opens; or where it opens all of them, an example of a document. */
function partWords(question: Question, { allow = [], example }: Extract<Opening, { opens: 'part' }>): string {
  const asked = question.about === 'path' ? question.verbs : [];
  const has = (verb: Verb) => allow.some(({ verbs }) => verbs.includes(verb));
  const missing = asked.filter((verb) => !has(verb));
  const and = (verbs: readonly Verb[]) => verbs.join(' and ');
  if (missing.length > 0) return `: ${and(asked.filter(has))}, not ${missing.join(' or ')}`;
  return example ? `, such as ${example.verb} ${example.path}` : '';
}

function commonWords({ kind, name, credential }: CommonPlace): string {
  return kind === 'project'
    ? `has an account of the project ${name}, where ${credential} is`
    : `opens the ${kind} ${name}, as ${credential} does`;
}

function rulesLines(policy: Policy, rules: readonly RuleAccess[], granted: 'it' | 'them'): string[] {
  if (rules.length === 0) return [`  No rule grants ${granted}, so no job gets ${granted}.`];
  return rules.flatMap((rule) => ruleLines(policy, rule, granted));
}

function ruleLines(
  policy: Policy,
  { rule, demands, conditions, example }: RuleAccess,
  granted: 'it' | 'them',
): string[] {
  if (example === undefined) return [`  Rule "${rule}" matches no job.`];
  const rows = [
    ...demands.map(([claim, demand]) => ({
      claim: claimWord(claim, demand, policy.pipelines),
      words: demandWords(claim, demand, policy.pipelines),
      by: demand.absent ? '' : chosenBy(claim),
    })),
    ...conditionRows(conditions).map(([claim, words]) => ({ claim, words, by: '' })),
  ];
  const width = Math.max(...rows.map(({ claim }) => claim.length));
  return [
    `  Rule "${rule}" grants ${granted} to jobs where`,
    ...rows.map(({ claim, words, by }) => `    ${claim.padEnd(width)} ${words}${by}`),
    `    Example: ${example === 'cannot tell' ? 'cannot tell' : claimLine(policy, example)}`,
  ];
}

/** Nothing for what Buildkite attests. */
function chosenBy(claim: string): string {
  const source = isMatchableClaim(claim) ? sourceOfClaim(claim) : 'buildkite';
  if (source === 'author') return ' (the author of a build chooses it)';
  return source === 'agent' ? ' (a step chooses among agents)' : '';
}

function unknownLines(policy: Policy, { credential: name, opening, rules }: CredentialAccess): string[] {
  const credential = policy.credentials[name];
  if (!credential || opening.opens !== 'cannot tell') return [];
  const granting = rules.filter(({ example }) => example !== undefined).map(({ rule }) => `"${rule}"`);
  return [
    `  ${titleOf(name, credential)}`,
    `    ${opening.reason}`,
    `    Granted by ${granting.join(', ') || 'no rule that matches a job'}`,
  ];
}
