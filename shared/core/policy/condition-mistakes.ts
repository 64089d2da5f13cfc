// Explains a problem of a condition of a rule or of an identity provider in more words than the schema has. For the command line.

import { splitMember } from './dotted-members.ts';
import { CLAIM_SETTERS, PROVIDER_ALGORITHMS } from './identity-providers.ts';
import { codePoint } from './visible-text.ts';

/** Undefined where the message of the schema is enough. */
type Explain = (value: unknown) => string | undefined;

/** By the place in `match` or in the rule, with `*` for names and for the items of lists. A statement of a test has the same conditions. */
export const CONDITION_MISTAKES: Readonly<Record<string, Explain>> = {
  team: (value) => mapMistake(value, 'name', anotherRule('team')),
  'team.name': (value) => listMistake(value, 'team'),
  created_by: (value) => mapMistake(value, 'team', anotherRule('team')),
  'created_by.team': (value) => listMistake(value, 'team'),
  approval: (value) =>
    typeof value === 'string' ? `must be a map. Write { step: ${value}, by: TEAM, within: 4h }` : undefined,
  'approval.step': (value) => listMistake(value, 'step') ?? stepMistake(value),
  'approval.by': (value) => listMistake(value, 'team'),
  agent: agentMistake,
  'agent.provider': (value) => listMistake(value, 'provider'),
  'agent.claims.*': quotesMistake,
};

/** By the place in `identityProviders`. */
export const PROVIDER_MISTAKES: Readonly<Record<string, Explain>> = {
  '*.claims': (value) => (Array.isArray(value) ? 'must be a map, such as { sub: { setBy: platform } }' : undefined),
  '*.claims.*.at': (value) =>
    typeof value === 'string' && value !== '' ? `must be a list. Write [${splitMember(value).join(', ')}]` : undefined,
};

/** What a condition that is missing must be, by the same places. */
export const MISSING_OF_CONDITIONS: Readonly<Record<string, string>> = {
  'team.name': 'the name of a team',
  'created_by.team': 'the name of a team',
  'approval.step': 'the key of the block step',
  'approval.by': 'the name of the team whose members can approve',
  'agent.provider': 'a name from identityProviders',
  'agent.claims': 'a map from claims of the provider to their values, such as { sub: VALUE }',
};

export const MISSING_OF_PROVIDERS: Readonly<Record<string, string>> = {
  '*.issuer': 'the URL that the tokens have as iss',
  '*.keys': 'the URL of the key set, which the discovery document has as jwks_uri',
  '*.audience': 'the text that the tokens have as aud',
  '*.algorithms': `a list of the algorithms that sign the tokens, among ${PROVIDER_ALGORITHMS.join(', ')}`,
  '*.claims': 'a map of the claims that every token has, such as { sub: { setBy: platform } }',
  '*.claims.*.setBy': `${CLAIM_SETTERS.join(' or ')}: who decides the value`,
};

/** Of a name, or a list of names, in place of a map. @param more advice about a list */
export function mapMistake(value: unknown, key: string, more = ''): string | undefined {
  const [name] = Array.isArray(value) ? value : [value];
  if (typeof name !== 'string') return undefined;
  return `must be a map. Write { ${key}: ${name} }${Array.isArray(value) ? more : ''}`;
}

export function agentMistake(value: unknown): string | undefined {
  return typeof value === 'string'
    ? `must be a map. Write { provider: ${value}, claims: { CLAIM: VALUE } }`
    : undefined;
}

function listMistake(value: unknown, noun: string): string | undefined {
  return Array.isArray(value) ? `must be text${anotherRule(noun)}` : undefined;
}

function anotherRule(noun: string): string {
  return `. For another ${noun}, write another rule`;
}

/** Of a number or a boolean in place of text, or in a list of texts. */
export function quotesMistake(value: unknown): string | undefined {
  const isScalar = (one: unknown) => typeof one === 'number' || typeof one === 'boolean';
  if (!Array.isArray(value)) return isScalar(value) ? `must be text. Write "${value}" with the quotes` : undefined;
  const found = value.find(isScalar);
  return found === undefined ? undefined : `has ${found}, which is not text. Write "${found}" with the quotes`;
}

function stepMistake(value: unknown): string | undefined {
  if (typeof value !== 'string' || value.length > 256 || value === '') return undefined;
  const [character] = [...value].filter((one) => /[^\x20-\x7e]|["\\]/.test(one));
  if (character === undefined) return undefined;
  const shown = /["\\]/.test(character) ? character : `${character} (${codePoint(character)})`;
  return `has the character ${shown}. Only printable ASCII without " and \\ is allowed, because the key is part of error_description`;
}
