// Sets of values of one claim: what a rule or a question demands of it, and whether such a set has a value that a job token can have.

import { CLAIM_VALUES, CONTROL_CHARACTER, isClaimValue, mayBeAbsent } from '../policy/claims.ts';
import { isUuidClaim } from '../policy/rule.ts';
import {
  AGE,
  AGE_EXAMPLES,
  AGE_LENGTH,
  type ConditionClaim,
  finiteValues,
  readConditionClaim,
} from './condition-claims.ts';
import type { Domain, TextFinder, Texts } from './texts.ts';
import type { Work } from './work.ts';

/** Some values of a claim, and perhaps tokens without it. */
export interface ClaimValues extends Texts {
  /** Whether a token without the claim is one of them. */
  readonly absent: boolean;
}

/** What a rule demands of a claim: one of the patterns; or, where `absent`, that the token does not have it. */
export interface Demand {
  readonly absent: boolean;
  readonly patterns: readonly string[];
}

export const ANY_VALUE: ClaimValues = { absent: true, within: [], without: [] };

/** The values of both. */
export function restrict({ absent, within, without }: ClaimValues, demand: Demand): ClaimValues {
  return { absent: absent && demand.absent, within: [...within, demand.patterns], without };
}

/** The values that do not meet the demand. */
export function exclude({ absent, within, without }: ClaimValues, demand: Demand): ClaimValues {
  return { absent: absent && !demand.absent, within, without: [...without, ...demand.patterns] };
}

/** A value; null for a token without the claim; undefined when there is neither. @throws CannotTell */
export function exampleOf(
  claim: string,
  values: ClaimValues,
  { finder, work }: { readonly finder: TextFinder; readonly work: Work },
): string | null | undefined {
  // A claim that is not given says nothing, so it is the shortest example.
  if (values.absent && canBeAbsent(claim)) return null;
  return finder.find(domainOf(claim), values, work);
}

/** What is said of who unblocked a step is said always, so that examples have it. */
function canBeAbsent(claim: string): boolean {
  const condition = readConditionClaim(claim);
  return condition ? condition.about !== 'approver' : mayBeAbsent(claim);
}

const domains = new Map<string, Domain>();

function domainOf(claim: string): Domain {
  const known = domains.get(claim);
  if (known) return known;
  const condition = readConditionClaim(claim);
  const domain = condition ? conditionDomain(claim, condition) : tokenDomain(claim);
  domains.set(claim, domain);
  return domain;
}

function tokenDomain(claim: string): Domain {
  const automaton = isUuidClaim(claim) ? UUIDS : claim === 'build_number' ? NUMBERS : TEXTS;
  // Claims differ in how long their values may be, so each is a domain of its own.
  return {
    ...automaton,
    name: claim,
    has: (text) => isClaimValue(claim, text),
    examples: EXAMPLES[claim] ?? [],
  };
}

/** As long as the claims of a machine's token may be. */
const LONGEST_AGENT_CLAIM = 1024;

function conditionDomain(name: string, claim: ConditionClaim): Domain {
  const values = finiteValues(claim);
  if (values) return { ...toAutomaton(values), name, has: (text) => values.includes(text), examples: values };
  if (claim.about === 'approved') return { ...AGES, name, has: (text) => AGE.test(text), examples: AGE_EXAMPLES };
  const has = (text: string) =>
    text.length <= LONGEST_AGENT_CLAIM && !CONTROL_CHARACTER.test(text) && text.isWellFormed();
  return { ...TEXTS, name, has: (text) => text !== '' && has(text), examples: ['another-value'] };
}

/** Of a few texts. A state is the beginning of one. */
function toAutomaton(texts: readonly string[]): Automaton {
  const beginnings = ['', ...new Set(texts.flatMap((text) => [...text].map((_, end) => text.slice(0, end + 1))))];
  return {
    next: (state, character) => {
      const next = beginnings.indexOf(`${beginnings[state]}${character}`);
      return next < 0 ? undefined : next;
    },
    isEnd: (state) => texts.includes(beginnings[state] ?? ''),
    characters: [...new Set(texts.flatMap((text) => [...text]))],
  };
}

type Automaton = Omit<Domain, 'name' | 'has' | 'examples'>;

const HEX = [...'0123456789abcdef'];
const UUID_FORM = '00000000-0000-0000-0000-000000000000';
const UUIDS: Automaton = {
  next: (state, character) => {
    const expected = UUID_FORM[state];
    const fits = expected === '0' ? HEX.includes(character) : expected === character;
    return fits ? state + 1 : undefined;
  },
  isEnd: (state) => state === UUID_FORM.length,
  characters: [...HEX, '-'],
};

const NUMBERS: Automaton = {
  next: (state, character) => (/[0-9]/.test(character) && !(state === 0 && character === '0') ? 1 : undefined),
  isEnd: (state) => state === 1,
  characters: [...'0123456789'],
};

/** Digits, with a slash between them. */
const AGES: Automaton = {
  next: (state, character) => {
    const fits = state % 2 === 0 ? /[0-9]/.test(character) : character === '/';
    return fits && state < AGE_LENGTH ? state + 1 : undefined;
  },
  isEnd: (state) => state === AGE_LENGTH,
  characters: [...'0123456789/'],
};

const TEXTS: Automaton = {
  next: (_, character) => (CONTROL_CHARACTER.test(character) || !character.isWellFormed() ? undefined : 1),
  isEnd: (state) => state === 1,
  characters: [],
};

/** Examples that people understand. */
const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  ...CLAIM_VALUES,
  build_branch: ['main', 'feature/x', 'v1.2.3'],
  build_tag: ['v1.2.3'],
  build_number: ['1'],
  build_commit: ['c0ffee'],
  pipeline_slug: ['other-pipeline'],
  step_key: ['other-step'],
};
