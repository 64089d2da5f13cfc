// Explains a problem of a value in more words than the schema has: which part is wrong, and what to write. For the command line.

import { closestName } from '../closest-name.ts';
import { SERVICE_ACCOUNT, USER_MANAGED_ACCOUNT } from './account-email.ts';
import { accountMistake } from './account-mistakes.ts';
import {
  CONDITION_MISTAKES,
  MISSING_OF_CONDITIONS,
  MISSING_OF_PROVIDERS,
  PROVIDER_MISTAKES,
} from './condition-mistakes.ts';
import { MATCH_CONDITIONS } from './conditions.ts';
import { matchesPattern } from './pattern.ts';
import { MISSING, type PolicyProblem } from './problems.ts';
import { UUID } from './rule.ts';
import { STORAGE_ROLES } from './storage-key.ts';
import { codePoint } from './visible-text.ts';

/** Undefined where the message of the schema is enough. */
type Explain = (value: unknown, data: unknown) => string | undefined;

const text = (explain: (value: string, data: unknown) => string | undefined): Explain => {
  return (value, data) => (typeof value === 'string' ? explain(value, data) : undefined);
};
// An address of the right form has another problem: it is in two places.
const sharedAccount = text((value) => (SERVICE_ACCOUNT.test(value) ? undefined : accountMistake(value, 'shared')));
const pooledAccount = text((value) => (USER_MANAGED_ACCOUNT.test(value) ? undefined : accountMistake(value, 'pooled')));

const FIND_TEAM =
  'is not a UUID. Buildkite has it as id in the response of GET https://api.buildkite.com/v2/organizations/ORG/teams';
const FIND_UUID =
  'is not a UUID. Buildkite has it as id in the response of GET https://api.buildkite.com/v2/organizations/ORG/pipelines/SLUG';

/** By the place of the value, with `*` for names and for the items of lists. */
const EXPLANATIONS: Readonly<Record<string, Explain>> = {
  version: (value) => (value === '1' ? 'must be the number 1. Remove the quotes' : undefined),
  audience: text((value) => (/\s/.test(value) ? 'has a space. Remove it' : undefined)),
  contact: text(contactMistake),
  environments: mapOfNames,
  'pipelines.*': text((value) => (UUID.test(value) ? undefined : FIND_UUID)),
  'teams.*': text((value) => (UUID.test(value) ? undefined : FIND_TEAM)),
  ...byPlace(CONDITION_MISTAKES, placeOfCondition),
  ...byPlace(PROVIDER_MISTAKES, placeOfProvider),
  'databases.*.project': projectMistake,
  'databases.*.database': text((value) => (/^\W*default\W*$/i.test(value) ? 'must be written "(default)"' : undefined)),
  'databases.*.signer': sharedAccount,
  'credentials.*.serviceAccount.email': sharedAccount,
  'credentials.*.storage.serviceAccount': sharedAccount,
  'credentials.*.serviceAccount.pool.*': pooledAccount,
  'credentials.*.serviceAccount.retiring.*': pooledAccount,
  'credentials.*.storage.pool.*': pooledAccount,
  'credentials.*.storage.retiring.*': pooledAccount,
  'credentials.*.storage.bucket': text(bucketMistake),
  'credentials.*.storage.prefix': text(prefixMistake),
  'credentials.*.storage.role': text(roleMistake),
  rules: (value) => (isMap(value) ? 'must be a list. Write "- name:" at the start of each rule' : undefined),
  'rules.*.grants.*': text(patternOfGrants),
};

/** What a missing value must be, where its schema does not say. */
const MISSING_VALUES = {
  ...byPlace(MISSING_OF_CONDITIONS, placeOfCondition),
  ...byPlace(MISSING_OF_PROVIDERS, placeOfProvider),
};

function byPlace<T>(entries: Readonly<Record<string, T>>, placeOf: (place: string) => string): Record<string, T> {
  return Object.fromEntries(Object.entries(entries).map(([place, entry]) => [placeOf(place), entry]));
}

function placeOfCondition(place: string): string {
  const [name = ''] = place.split('.', 1);
  return (MATCH_CONDITIONS as readonly string[]).includes(name) ? `rules.*.match.${place}` : `rules.*.${place}`;
}

function placeOfProvider(place: string): string {
  return `identityProviders.${place}`;
}

const EMPTY_PATTERN = /^rules\.\*\.match\.[^.]+(?:\.\*)?$/;

/** @param data that the problem was found in */
export function explainValue(problem: PolicyProblem, data: unknown): PolicyProblem {
  const { path, at } = problem;
  const value = path.reduce<unknown>((inner, step) => Object(inner)[step], data);
  const pattern = patternOf(path);
  const missing = problem.message === MISSING ? MISSING_VALUES[pattern] : undefined;
  if (missing !== undefined) return { ...problem, message: `${MISSING}. It must be ${missing}` };
  if (at === 'key' || value === undefined || value === null) return problem;
  const explain = EXPLANATIONS[pattern] ?? (value === '' && EMPTY_PATTERN.test(pattern) ? emptyPattern : undefined);
  const message = explain?.(value, data);
  return message === undefined ? problem : { ...problem, message };
}

function patternOf(path: PolicyProblem['path']): string {
  const isName = (index: number) => index === 1 || (index > 2 && path[index - 1] === 'claims');
  return path.map((step, index) => (isName(index) || typeof step === 'number' ? '*' : step)).join('.');
}

function isMap(value: unknown): boolean {
  return typeof value === 'object' && !Array.isArray(value);
}

function emptyPattern(): string {
  return 'is empty, and an absent claim matches nothing. Remove it, or write "*" for any value';
}

function contactMistake(value: string): string | undefined {
  const [character] = [...value].filter((one) => /[^\x20-\x7e]|["\\]/.test(one));
  if (character === undefined) return undefined;
  const shown = /["\\]/.test(character) ? character : `${character} (${codePoint(character)})`;
  return `has the character ${shown}. Only printable ASCII without " and \\ is allowed, because contact is part of error_description`;
}

function mapOfNames(value: unknown): string | undefined {
  if (!Array.isArray(value)) return undefined;
  const names = value
    .map((one) => (typeof one === 'string' ? one : one?.name))
    .filter((one) => typeof one === 'string');
  const lines = names.length > 0 ? names.map((name) => `${name}: {}`).join(', ') : 'staging: {}';
  return `must be a map from names to guards, and is a list. Write { ${lines} }`;
}

function projectMistake(value: unknown): string | undefined {
  const written = String(value);
  if (/^[0-9]+$/.test(written)) return `is ${written}, a project number. Write the project ID, such as acme-staging`;
  if (/[A-Z]/.test(written) && /^[a-zA-Z0-9:.-]+$/.test(written))
    return `has a capital letter, and a project ID has none. Write ${written.toLowerCase()}`;
  return /\s/.test(written) ? 'is not a project ID: it has a space. Write the project ID, not the name' : undefined;
}

function bucketMistake(value: string): string | undefined {
  const name = value.replace(/^gs:\/\//, '').replace(/\/+$/, '');
  const [bucket = '', ...folders] = name.split('/');
  if (folders.length > 0)
    return `has a slash, and a bucket's name has none. Write ${bucket}, and write the folder in prefix: ${folders.join('/')}/`;
  if (name !== value) return `must be the name alone. Write ${name}`;
  return /[A-Z]/.test(value) ? `has a capital letter. Write ${value.toLowerCase()}` : undefined;
}

function prefixMistake(value: string): string | undefined {
  if (value === '' || value === '/' || /^[*/]+$/.test(value))
    return 'opens no folder. Remove it to open the whole bucket';
  const folder = value
    .replace(/^gs:\/\/[^/]+\//, '')
    .replace(/\/?\*+$/, '')
    .split('/')
    .filter(Boolean)
    .join('/');
  if (folder === '' || /[^A-Za-z0-9._~@+=,:/-]/.test(folder)) return undefined;
  const why = value.includes('*')
    ? 'has a wildcard, and a prefix has none'
    : value.startsWith('/')
      ? 'begins with a slash, and the names of objects do not'
      : value.endsWith('/')
        ? 'is not a prefix of names of objects'
        : 'must end in a slash';
  return `${why}. Write "${folder}/"`;
}

function roleMistake(value: string): string | undefined {
  const names = STORAGE_ROLES.map((role) => role.slice('roles/storage.'.length));
  const near = closestName(value.replace(/^(?:roles\/)?(?:storage\.)?/, ''), names);
  return near === undefined ? undefined : `is not a role that Keydesk allows. Did you mean "roles/storage.${near}"?`;
}

function patternOfGrants(value: string, data: unknown): string | undefined {
  if (!value.includes('*')) return undefined;
  const credentials = Object(Object(data).credentials);
  const matching = Object.keys(credentials).filter((name) => matchesPattern(value, name));
  const advice = matching.length > 0 ? `Write the names: ${matching.join(', ')}` : 'List the names';
  return `is a pattern, and grants takes only names. ${advice}`;
}
