// The conditions of rules as demands on claims. No job token has these claims: they stand for what Keydesk finds out about a job, so that
// the analysis treats a condition as one more demand of its rule. Each is independent of all others. What is true of jobs is then a part
// of what the analysis takes for possible, so that it misses no job.

import { type Conditions, includesAccess, MAX_APPROVAL_AGE, TEAM_ACCESS } from '../policy/conditions.ts';
import type { Policy } from '../policy/policy.ts';
import type { Demand } from './claim-values.ts';
import { toLiteral } from './texts.ts';

/** What a claim stands for. Teams are known by their UUIDs, providers by what tells their tokens apart. */
export type ConditionClaim =
  /** The access of the team to the job's pipeline, of TEAM_ACCESS. Absent: none. */
  | { readonly about: 'team'; readonly team: string }
  /** Whether a member of the team started the build. Absent: no, or nobody knows. */
  | { readonly about: 'created_by'; readonly team: string }
  /** How many seconds ago the step was unblocked, as {@link toAge} writes it. Absent: it was not, or that is no approval. */
  | { readonly about: 'approved'; readonly step: string }
  /** `creator` where the person who unblocked the step started the build, or nobody knows; else `other`. */
  | { readonly about: 'approver'; readonly step: string }
  /** Whether the person who unblocked the step is a member of the team. Absent: no. */
  | { readonly about: 'approver_team'; readonly step: string; readonly team: string }
  /** Whether the metadata of the build state a reason. Absent: no. */
  | { readonly about: 'reason' }
  /** A claim in the machine's token of a provider. Absent: the request has no such token. */
  | { readonly about: 'agent'; readonly issuer: string; readonly audience: string; readonly at: readonly string[] };

export type NamesOfConditions = Pick<Policy, 'teams' | 'identityProviders'>;

const PREFIX = 'condition:';
const MEMBER = 'member';
const STATED = 'stated';
/** Of the seconds of an age. */
const DIGITS = String(MAX_APPROVAL_AGE).length;

/** The name of the claim. No claim of a job token has one like it. */
function nameOf(claim: ConditionClaim): string {
  return PREFIX + JSON.stringify(claim);
}

/** What a claim stands for; undefined for one that job tokens have. */
export function readConditionClaim(name: string): ConditionClaim | undefined {
  return name.startsWith(PREFIX) ? (JSON.parse(name.slice(PREFIX.length)) as ConditionClaim) : undefined;
}

export function isConditionClaim(name: string): boolean {
  return name.startsWith(PREFIX);
}

/** What the conditions of a rule demand. A team or a provider that the policy does not declare is never met. */
export function conditionDemands(
  { team, created_by, approval, agent }: Conditions,
  { teams, identityProviders }: NamesOfConditions,
): readonly (readonly [claim: string, demand: Demand])[] {
  const demands: [string, Demand][] = [];
  const demand = (claim: ConditionClaim, patterns: readonly string[]) =>
    demands.push([nameOf(claim), { absent: false, patterns }]);
  if (team) {
    const id = own(teams, team.name);
    const levels = TEAM_ACCESS.filter((level) => includesAccess(level, team.access));
    demand({ about: 'team', team: id ?? team.name }, id === undefined ? [] : levels);
  }
  if (created_by) {
    const id = own(teams, created_by.team);
    demand({ about: 'created_by', team: id ?? created_by.team }, id === undefined ? [] : [MEMBER]);
  }
  if (approval) {
    const { step, by, within, not, use } = approval;
    const id = own(teams, by);
    demand({ about: 'approved', step }, agesUpTo(within));
    demand({ about: 'approver_team', step, team: id ?? by }, id === undefined ? [] : [MEMBER]);
    if (not === 'creator') demand({ about: 'approver', step }, ['other']);
    if (use === 'break-glass') demand({ about: 'reason' }, [STATED]);
  }
  if (agent) {
    const provider = own(identityProviders, agent.provider);
    for (const [name, values] of Object.entries(agent.claims)) {
      const { issuer = '', audience = '', claims = {} } = provider ?? {};
      const declared = own(claims, name);
      const claim = { about: 'agent', issuer, audience, at: declared?.at ?? [name] } as const;
      demand(claim, declared ? values.map(toLiteral) : []);
    }
  }
  return demands;
}

function own<T>(map: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(map, name) ? map[name] : undefined;
}

/** Seconds as a text whose digits are segments, so that `*` is any digit: `0/3/6/0/0`. */
function toAge(seconds: number): string {
  return [...String(seconds).padStart(DIGITS, '0')].join('/');
}

/** The seconds of an age. */
export function fromAge(age: string): number {
  return Number(age.replaceAll('/', ''));
}

/** The patterns of all ages up to one: for each digit, a smaller one with any that follow. */
function agesUpTo(seconds: number): string[] {
  const digits = toAge(seconds).split('/');
  const smaller = digits.flatMap((digit, index) =>
    Array.from({ length: Number(digit) }, (_, lower) =>
      [...digits.slice(0, index), String(lower), ...digits.slice(index + 1).map(() => '*')].join('/'),
    ),
  );
  return [...smaller, digits.join('/')];
}

const MINUTE = 60;
const HOUR = 60 * MINUTE;
/** In examples, those that people read easily come first. */
const EXAMPLE_AGES = [10 * MINUTE, 45 * MINUTE, 3 * HOUR, 6 * HOUR, 12 * HOUR, 20 * HOUR, 30 * HOUR, MINUTE, 30];

/** The values that a claim can have where they are finitely many, best examples first. */
export function finiteValues({ about }: ConditionClaim): readonly string[] | undefined {
  switch (about) {
    case 'team':
      return TEAM_ACCESS;
    case 'created_by':
    case 'approver_team':
      return [MEMBER];
    case 'approver':
      return ['other', 'creator'];
    case 'reason':
      return [STATED];
    case 'approved':
    case 'agent':
      return undefined;
  }
}

export const AGE_EXAMPLES: readonly string[] = EXAMPLE_AGES.map(toAge);
export const AGE = new RegExp(`^${Array(DIGITS).fill('[0-9]').join('/')}$`);
/** Characters of an age. */
export const AGE_LENGTH = 2 * DIGITS - 1;
