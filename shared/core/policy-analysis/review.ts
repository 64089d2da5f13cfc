// A change of a policy for its reviewer: what `diff` finds, in sections of lines that text and Markdown both show.

import { describeAccess, revocationOf } from '../kinds/kinds.ts';
import { formatDuration } from '../policy/duration.ts';
import type { ReadPolicy } from '../policy/parse-yaml.ts';
import type { Policy } from '../policy/policy.ts';
import type { LostTest } from '../policy-tests/lost-tests.ts';
import type { Change, Direction, Example } from './change.ts';
import { type CredentialDiff, diffPolicies, type PolicyDiff, type Verdict } from './diff.ts';
import { claimLine } from './example-lines.ts';
import { describeRule } from './rule-differences.ts';
import { withStableNames } from './stable-names.ts';
import { DECLARED, NOT_DECLARED, writtenChanges } from './written-changes.ts';

export interface Review {
  readonly before: PolicyVersion;
  readonly after: PolicyVersion;
  readonly diff: PolicyDiff;
  /** What differs in the file and changes nobody's access. */
  readonly others: readonly Change[];
  /** Tests next to the policy that the new version no longer has. */
  readonly lostTests: readonly LostTest[];
}

export interface PolicyVersion {
  /** Where it is from, such as `main:policy.yaml`. */
  readonly name: string;
  readonly policy: Policy;
  /** Undefined for a policy that did not exist. */
  readonly sha256: string | undefined;
}

export type NamedPolicy = Pick<ReadPolicy, 'policy' | 'written' | 'sha256'> & { readonly name: string };
/** A place without a policy. */
export interface MissingPolicy {
  readonly name: string;
  readonly policy: undefined;
}

/** @param lostTests of the files next to the two */
export function reviewChange(
  before: NamedPolicy | MissingPolicy,
  after: NamedPolicy,
  lostTests: readonly LostTest[] = [],
): Review {
  const old = before.policy ? before : undefined;
  const policy = old?.policy ?? withoutCredentials(after.policy);
  const diff = diffPolicies(policy, after.policy);
  return {
    before: { name: before.name, policy, sha256: old?.sha256 },
    after,
    diff,
    others: old ? writtenChanges(old.written, after.written, unchangedJobs(diff)) : [],
    lostTests,
  };
}

/** The credentials that the same jobs get as before. */
function unchangedJobs({ credentials }: PolicyDiff): ReadonlySet<string> {
  const unchanged = credentials.filter(
    ({ verdict, changes }) => verdict !== 'new' && verdict !== 'gone' && changes.every(({ what }) => what !== 'jobs'),
  );
  return new Set(unchanged.map(({ credential }) => credential));
}

function withoutCredentials(policy: Policy): Policy {
  return { ...policy, credentials: {}, rules: [] };
}

/** Words, and values from the policies, which may hold any character. */
export type Part = string | { readonly value: string };
export type Line = readonly Part[];

export interface Section {
  /** What it is about: names of credentials, or words. */
  readonly title: Line;
  readonly verdict: string;
  /** What differs, for a table. */
  readonly differs: readonly string[];
  readonly items: readonly { readonly line: Line; readonly details: readonly Line[] }[];
}

/** The most important first; credentials without a change are left out. */
export function sectionsOf({ before, after, diff, others, lostTests }: Review): Section[] {
  const policies = {
    before: withStableNames(before.policy, after.policy),
    after: withStableNames(after.policy, before.policy),
  };
  const ofPolicy = diff.changes.filter(({ direction }) => direction !== 'neither');
  const unimportant = [...diff.changes.filter(({ direction }) => direction === 'neither'), ...others];
  const credentials = diff.credentials
    .filter(({ verdict, changes }) => verdict !== 'unchanged' || changes.length > 0)
    .sort((left, right) => IMPORTANCE.indexOf(left.verdict) - IMPORTANCE.indexOf(right.verdict))
    .map((one) => credentialSection(one, policies));
  return [
    ...testsSection(lostTests),
    ...sectionOf('The whole policy', ofPolicy, policies),
    ...grouped(credentials),
    ...sectionOf(OTHERS, unimportant, policies),
  ];
}

/** A reviewer must agree to each: what it forbade may be allowed now, or by the next change. */
function testsSection(tests: readonly LostTest[]): Section[] {
  if (tests.length === 0) return [];
  return [
    {
      title: ['Tests'],
      verdict: 'demand less',
      differs: tests.map(({ name }) => name),
      items: tests.map(({ kind, name, change }) => ({ line: [`${change} ${kind}: `, { value: name }], details: [] })),
    },
  ];
}

/** What is the same for several credentials is one section: they are granted by the same rules. */
function grouped(sections: readonly Section[]): Section[] {
  const groups = Map.groupBy(sections, ({ verdict, items }) => JSON.stringify([verdict, items]));
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (!first) return [];
    return [{ ...first, title: group.flatMap(({ title }, index) => (index === 0 ? title : [', ', ...title])) }];
  });
}

const IMPORTANCE: readonly Verdict[] = ['wider', 'both', 'cannot tell', 'new', 'narrower', 'gone', 'unchanged'];

/** The policies that an example is of: of a job that has lost access it is the old one. */
interface Policies {
  readonly before: Policy;
  readonly after: Policy;
}

const OTHERS = 'Other changes';

function sectionOf(title: string, changes: readonly Change[], policies: Policies): Section[] {
  if (changes.length === 0) return [];
  const directions = new Set(changes.map(({ direction }) => direction));
  const verdict = [...DIRECTION_WORDS.keys()].filter((direction) => directions.has(direction)).map(toWords);
  return [
    {
      title: [title],
      verdict: verdict.join(', '),
      differs: changes.map(({ what }) => what),
      items: changes.map((change) => itemOf(change, policies, title === OTHERS ? '' : undefined)),
    },
  ];
}

const DIRECTION_WORDS: ReadonlyMap<Direction, string> = new Map([
  ['wider', 'wider'],
  ['both', 'wider and narrower'],
  ['cannot tell', 'cannot tell'],
  ['narrower', 'narrower'],
  ['neither', 'same access'],
]);

function toWords(direction: Direction): string {
  return DIRECTION_WORDS.get(direction) ?? direction;
}

function credentialSection(diff: CredentialDiff, policies: Policies): Section {
  const { credential, verdict, changes, example } = diff;
  const title = [{ value: credential }];
  const isNew = !Object.hasOwn(policies.before.credentials, credential);
  const isGone = !Object.hasOwn(policies.after.credentials, credential);
  if (isNew)
    return {
      title,
      verdict: verdict === 'cannot tell' ? 'new, cannot tell' : example ? 'new' : 'new, and no job gets it',
      differs: environmentOf(credential, policies.after),
      items: [...factsOf(credential, policies.after), ...exampleItem('a job that gets it', example, policies.after)],
    };
  if (isGone)
    return {
      title,
      verdict: 'gone',
      differs: environmentOf(credential, policies.before),
      items: exampleItem('a job that got it', example, policies.before),
    };
  return {
    title,
    verdict: verdict === 'unchanged' ? 'same access' : verdict === 'both' ? 'wider and narrower' : verdict,
    differs: changes.map(({ what }) => what),
    items: changes.map((change) => itemOf(change, policies)),
  };
}

function environmentOf(name: string, { credentials }: Policy): string[] {
  return [`environment ${credentials[name]?.environment}`];
}

function exampleItem(label: string, example: CredentialDiff['example'], policy: Policy): Section['items'] {
  return example ? [{ line: [`${label}: `, { value: claimLine(policy, example) }], details: [] }] : [];
}

/** What a new credential opens, and for which jobs. */
function factsOf(name: string, policy: Policy): Section['items'] {
  const credential = policy.credentials[name];
  if (!credential) return [];
  const rules = policy.rules.filter(({ grants }) => grants.includes(name));
  const facts = [
    `environment: ${credential.environment}`,
    `ttl: ${formatDuration(credential.ttl)}`,
    `revocation: ${revocationOf(credential)}`,
    ...describeAccess(credential).map((access) => `opens: ${access}`),
    ...rules.map((rule) => `granted by: "${rule.name}" with ${describeRule(rule, policy)}`),
  ];
  return facts.map((fact) => {
    const cut = fact.indexOf(': ') + 2;
    return { line: [fact.slice(0, cut), { value: fact.slice(cut) }], details: [] };
  });
}

/** Values that fit into one line with their change. */
const SHORT = 60;

function itemOf(change: Change, policies: Policies, words = toWords(change.direction)): Section['items'][number] {
  const { what, before, after, note, gained, lost } = change;
  const short = before.length + after.length <= SHORT && !gained && !lost;
  const same = before === after;
  const details: Line[] = [
    ...(short || same ? [] : [['before: ', { value: before }] as const, ['after: ', { value: after }] as const]),
    ...exampleDetail(gained, ['now granted to: ', 'now allowed: '], policies.after),
    ...exampleDetail(lost, ['no longer granted to: ', 'no longer allowed: '], policies.before),
    ...(note === undefined ? [] : [[note]]),
  ];
  if (before === NOT_DECLARED && after === DECLARED) return { line: [{ value: what }, ': added'], details: [] };
  if (before === DECLARED && after === NOT_DECLARED) return { line: [{ value: what }, ': removed'], details: [] };
  const rest: Line = same ? [`by ${before}`] : short ? ['from ', { value: before }, ' to ', { value: after }] : [];
  const comma = words !== '' && rest.length > 0 ? ', ' : '';
  return { line: [{ value: what }, `: ${words}${comma}`, ...rest], details };
}

function exampleDetail(
  example: Example | undefined,
  [ofJob, ofTouch]: readonly [string, string],
  policy: Policy,
): Line[] {
  if (!example) return [];
  if ('job' in example) return [[ofJob, { value: claimLine(policy, example.job) }]];
  return [[ofTouch, { value: `${example.touch.verb} ${example.touch.path}` }]];
}

/** Whether anything is wider, and how much of what. */
export function verdictLine({ before, diff, others, lostTests }: Review): Line {
  const { credentials, changes } = diff;
  const count = (verdicts: readonly Verdict[], directions: readonly Direction[]) => {
    const settings = changes.filter(({ direction }) => directions.includes(direction)).length;
    return listed([
      counted(credentials.filter((one) => verdicts.includes(one.verdict) && !isForNobody(one)).length, 'credential'),
      counted(settings, 'setting of the whole policy', 'settings of the whole policy'),
    ]);
  };
  const wider = sentence('Wider', count(['wider', 'both', 'new'], ['wider', 'both']));
  const unknown = sentence('Cannot tell', count(['cannot tell'], ['cannot tell']));
  const narrower = sentence('Narrower', count(['narrower'], ['narrower']));
  const gone = sentence('Gone', count(['gone'], []));
  const forNobody = sentence('New, for no job', counted(credentials.filter(isForNobody).length, 'credential'));
  const tests = sentence('Removed or changed', counted(lostTests.length, 'test'));
  const sentences = [wider, unknown, narrower, gone, forNobody].filter((text) => text !== '');
  const withoutEffect = [...changes, ...credentials.flatMap((one) => one.changes), ...others].map(({ what }) => what);
  if (before.sha256 === undefined) sentences.unshift('The policy is new.');
  else if (sentences.length === 0) {
    const others_: Line =
      withoutEffect.length > 0 ? ['Same access. Other changes: ', ...named(withoutEffect), '.'] : [];
    if (tests !== '') return [`${tests} `, ...(others_.length > 0 ? others_ : ['Same access.'])];
    return others_.length > 0 ? others_ : ['No difference.'];
  } else if (!diff.widens) sentences.unshift('Not wider.');
  return [[tests, ...sentences].filter((text) => text !== '').join(' ')];
}

/** What a sentence names; of more it has the number. */
const MAX_NAMED = 3;

function named(changes: readonly string[]): Line {
  const names = [...new Set(changes)];
  if (names.length > MAX_NAMED || names.join('').length > SHORT) return [String(changes.length)];
  return names.flatMap((value, index) => (index === 0 ? [{ value }] : [', ', { value }]));
}

/** Credentials without any change. */
export function unchangedSentence({ diff }: Review): string | undefined {
  const count = diff.credentials.filter(
    ({ verdict, changes }) => verdict === 'unchanged' && changes.length === 0,
  ).length;
  return count === 0 ? undefined : `${counted(count, 'credential')} unchanged.`;
}

function isForNobody({ verdict, example }: CredentialDiff): boolean {
  return verdict === 'new' && example === undefined;
}

function sentence(subject: string, text: string): string {
  return text === '' ? '' : `${subject}: ${text}.`;
}

function listed(parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join(' and ');
}

function counted(count: number, one: string, several = `${one}s`): string {
  return count === 0 ? '' : `${count} ${count === 1 ? one : several}`;
}
