// Keys of a policy file that the format does not have: misspelt ones, ones of another place, claims that are none. Each is one problem
// that says what was probably meant, and the rest of the policy is checked as if that were there: no mistake has a second problem.

import type * as z from 'zod';
import { closestName } from '../closest-name.ts';
import { MATCH_CONDITIONS } from './conditions.ts';
import { policySchema } from './policy.ts';
import type { PolicyProblem } from './problems.ts';
import { isMatchKey, MATCH_KEYS } from './rule.ts';
import { agentTagMistake, meantClaim, unknownClaim } from './unknown-claims.ts';

type Path = PolicyProblem['path'];
type Data = Record<string, unknown>;

export interface RepairedKeys {
  /** Without the keys that the format does not have. */
  readonly data: unknown;
  readonly problems: readonly PolicyProblem[];
  /** The path in the file of a path in `data`. */
  readonly writtenPath: (path: Path) => Path;
}

/** A map of the policy with fixed keys. */
interface Level {
  /** With `*` for the names of a map and the items of a list. */
  readonly pattern: string;
  readonly keys: readonly string[];
  readonly written: Data;
  readonly repaired: Data;
  readonly path: Path;
}

interface Place {
  readonly schema: z.core.$ZodType | undefined;
  readonly pattern: string;
  readonly written: Path;
  readonly repaired: Path;
  readonly outer: readonly Level[];
}

const MATCH = 'rules.*.match';
const NOUNS: Readonly<Record<string, string>> = {
  '': 'the policy',
  'environments.*': 'an environment',
  'databases.*': 'a database',
  'credentials.*': 'a credential',
  'credentials.*.firestore.allow.*': 'an item of allow',
  'rules.*': 'a rule',
  'rules.*.match.team': 'team of match',
  'rules.*.agent': 'agent of a rule',
  'identityProviders.*': 'an identity provider',
  'identityProviders.*.claims.*': 'a claim of an identity provider',
};

export function repairKeys(data: unknown): RepairedKeys {
  const problems: PolicyProblem[] = [];
  const renamed: { readonly from: Path; readonly to: Path }[] = [];

  const repair = (value: unknown, place: Place): unknown => {
    const { schema, pattern } = place;
    if (Array.isArray(value)) {
      const element = innerOf(schema, 'array')?.element;
      return value.map((item, index) => repair(item, inner(place, index, element, '*')));
    }
    if (!isMap(value)) return value;
    const keys = keysOf(schema, pattern);
    if (keys) return repairMap(value, keys, place);
    const valueType = innerOf(schema, 'record')?.valueType;
    return Object.fromEntries(
      Object.entries(value).map(([name, entry]) => [name, repair(entry, inner(place, name, valueType, '*'))]),
    );
  };

  const repairMap = (written: Data, keys: readonly string[], place: Place): Data => {
    const repaired: Data = {};
    const level = { pattern: place.pattern, keys, written, repaired, path: place.repaired };
    const within = { ...place, outer: [...place.outer, level] };
    const set = (target: Level, key: string, value: unknown, from: string) => {
      const to = [...target.path, key];
      const path = [...place.written, from];
      if (to.join('\n') !== path.join('\n')) renamed.push({ from: path, to });
      const schema = shapeOf(schemaAt(target.pattern))?.[key];
      const outer = within.outer.slice(0, within.outer.indexOf(target) + 1);
      target.repaired[key] = repair(value, {
        schema,
        pattern: joined(target.pattern, key),
        written: path,
        repaired: to,
        outer: outer.length > 0 ? outer : within.outer,
      });
    };
    for (const [key, value] of Object.entries(written)) {
      if (isKey(key, level)) {
        set(level, key, value, key);
        continue;
      }
      if (key === '__proto__' || key === '<<') continue;
      const found = meant(key, within.outer);
      problems.push({ path: [...place.written, key], message: found.message, at: 'key' });
      if (found.level && found.key !== undefined) set(found.level, found.key, found.value ?? value, key);
      else if (found.child !== undefined) moveDown(level, found.child, key, value);
    }
    return repaired;
  };

  /** Into a map of this level that lacks the key. */
  const moveDown = (level: Level, child: string, key: string, value: unknown) => {
    const target = level.written[child] ?? {};
    if (!isMap(target) || Object.hasOwn(target, key)) return;
    level.written[child] = { ...target, [key]: value };
    const place = innerPlace(level, child);
    level.repaired[child] = repair(level.written[child], place);
    renamed.push({ from: [...level.path, key], to: [...level.path, child, key] });
  };

  const innerPlace = (level: Level, key: string): Place => ({
    schema: shapeOf(schemaAt(level.pattern))?.[key],
    pattern: joined(level.pattern, key),
    written: [...writtenPath(level.path), key],
    repaired: [...level.path, key],
    outer: [level],
  });

  const writtenPath = (path: Path): Path => {
    const [nearest] = renamed
      .filter(({ to }) => to.every((step, index) => path[index] === step))
      .sort((left, right) => right.to.length - left.to.length);
    return nearest ? [...nearest.from, ...path.slice(nearest.to.length)] : path;
  };

  const top: Place = { schema: policySchema, pattern: '', written: [], repaired: [], outer: [] };
  const repaired = repair(structuredClone(data), top);
  return { data: repaired, problems, writtenPath };
}

interface Meant {
  readonly message: string;
  /** Where the value is checked, and as what; nowhere if unknown. */
  readonly level?: Level;
  readonly key?: string;
  /** If the key holds it. */
  readonly value?: unknown;
  /** The map of this level that has the key. */
  readonly child?: string;
}

/** @param levels around the key, its own last */
function meant(key: string, levels: readonly Level[]): Meant {
  const level = levels.at(-1) as Level;
  const noun = nounOf(level.pattern);
  const synonym = SYNONYMS[level.pattern]?.[key];
  if (synonym !== undefined && !Object.hasOwn(level.written, synonym))
    return { message: synonymMessage(key, synonym, level), level, key: synonym };
  const isCondition = level.pattern === MATCH && isConditionOfRule(key, level.written[key]);
  const tag = level.pattern === MATCH && !isCondition ? agentTagMistake(key, level.written[key]) : undefined;
  if (tag !== undefined) return { message: tag };
  const isKnownClaim =
    level.pattern === MATCH && !isCondition && (key === 'teams' || meantClaim(key, []) !== undefined);
  const outer = isKnownClaim ? undefined : levels.slice(0, -1).findLast((candidate) => candidate.keys.includes(key));
  if (outer) {
    const where = level.path.length - outer.path.length === 1 ? 'one level up, ' : '';
    const message = `"${key}" is not a key of ${noun}. Move it ${where}to ${nounOf(outer.pattern)}.`;
    return Object.hasOwn(outer.written, key) ? { message } : { message, level: outer, key };
  }
  const [, glued, value] = /^(\w+):(\S+)$/.exec(key) ?? [];
  if (glued !== undefined && isKey(glued, level) && !Object.hasOwn(level.written, glued))
    return {
      message: `A space is missing after ${glued}:. Write ${glued}: ${value}.`,
      level,
      key: glued,
      value: toScalar(value),
    };
  const free = level.keys.filter((candidate) => !Object.hasOwn(level.written, candidate));
  if (level.pattern === MATCH) {
    const claim = Object.hasOwn(CREATOR_WORDS, key) ? 'created_by' : meantClaim(key, free);
    const present = claim !== undefined && Object.hasOwn(level.written, claim);
    const message = unknownClaim(key, claim, present);
    return claim === undefined || present ? { message } : { message, level, key: claim };
  }
  const near = free.find((candidate) => plain(candidate) === plain(key)) ?? closestName(key, free);
  if (near !== undefined)
    return { message: `"${key}" is not a key of ${noun}. Did you mean "${near}"?`, level, key: near };
  const owners = [...KEYS].filter(([, keys]) => keys.includes(key)).map(([pattern]) => pattern);
  const children = owners.filter((pattern) => level.keys.some((child) => pattern === joined(level.pattern, child)));
  const child = (children.find((pattern) => Object.hasOwn(level.written, lastOf(pattern))) ?? children[0]) as
    | string
    | undefined;
  if (child !== undefined)
    return { message: `"${key}" is not a key of ${noun}. Move it to ${nounOf(child)}.`, child: lastOf(child) };
  const owner = owners[0];
  if (owner !== undefined)
    return { message: `"${key}" is not a key of ${noun}. It is a key of ${owners.map(nounOf).join(' and of ')}.` };
  return { message: `"${key}" is not a key of ${noun}. The keys are ${level.keys.join(', ')}.` };
}

/** Other words for keys, by the pattern of the map: letters alone do not lead to them, or lead to a key further out. */
const SYNONYMS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  '': { providers: 'identityProviders', idps: 'identityProviders', groups: 'teams' },
  'rules.*.match.team': { team: 'name' },
  'rules.*.match.created_by': { name: 'team' },
  'rules.*.approval': { team: 'by', name: 'step', key: 'step' },
  'rules.*.agent': { name: 'provider' },
  'identityProviders.*': {
    jwks_uri: 'keys',
    jwksUri: 'keys',
    jwks_url: 'keys',
    jwks: 'keys',
    iss: 'issuer',
    aud: 'audience',
  },
};

function synonymMessage(key: string, synonym: string, { pattern, written }: Level): string {
  const value = written[key];
  const isName = typeof value === 'string' && /^[\w-]{1,100}$/.test(value);
  const advice = isName ? `Write ${synonym}: ${value}.` : `Did you mean "${synonym}"?`;
  return `"${key}" is not a key of ${nounOf(pattern)}. ${advice}`;
}

const CREATOR_WORDS = { creator: true, author: true, started_by: true, createdBy: true, build_creator: true };

/** `agent` may also be a misspelt claim. */
function isConditionOfRule(key: string, value: unknown): boolean {
  return key === 'approval' || (key === 'agent' && isMap(value) && ('provider' in value || 'claims' in value));
}

function toScalar(written: string | undefined): unknown {
  return written !== undefined && /^[0-9]+$/.test(written) ? Number(written) : written;
}

function nounOf(pattern: string): string {
  return NOUNS[pattern] ?? lastOf(pattern);
}

function isKey(key: string, { pattern, keys }: Level): boolean {
  return pattern === MATCH ? isMatchKey(key) || keys.includes(key) : keys.includes(key);
}

/** Without what separates words: service_account and serviceAccount are the same. */
function plain(key: string): string {
  return key.replace(/[^A-Za-z0-9]/g, '').toLowerCase();
}

function inner(place: Place, step: string | number, schema: z.core.$ZodType | undefined, name: string): Place {
  return {
    schema,
    pattern: joined(place.pattern, name),
    written: [...place.written, step],
    repaired: [...place.repaired, step],
    outer: place.outer,
  };
}

function joined(pattern: string, name: string): string {
  return pattern === '' ? name : `${pattern}.${name}`;
}

function lastOf(pattern: string): string {
  return pattern.slice(pattern.lastIndexOf('.') + 1);
}

function isMap(value: unknown): value is Data {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function keysOf(schema: z.core.$ZodType | undefined, pattern: string): readonly string[] | undefined {
  if (pattern === MATCH) return [...MATCH_KEYS, ...MATCH_CONDITIONS];
  const shape = shapeOf(schema);
  return shape && Object.keys(shape);
}

function shapeOf(schema: z.core.$ZodType | undefined): Readonly<Record<string, z.core.$ZodType>> | undefined {
  return innerOf(schema, 'object')?.shape;
}

interface Definitions {
  readonly object: z.core.$ZodObjectDef;
  readonly record: z.core.$ZodRecordDef;
  readonly array: z.core.$ZodArrayDef;
}

/** The definition of a schema without what is around it: defaults and transformations. */
function innerOf<T extends keyof Definitions>(
  schema: z.core.$ZodType | undefined,
  type: T,
): Definitions[T] | undefined {
  const definition = schema?._zod.def as
    | { type: string; innerType?: z.core.$ZodType; in?: z.core.$ZodType }
    | undefined;
  if (definition?.type === type) return definition as unknown as Definitions[T];
  const within = definition?.innerType ?? definition?.in;
  return within && innerOf(within, type);
}

/** The keys of every map with fixed keys, by pattern. */
const KEYS = new Map<string, readonly string[]>();
const SCHEMAS = new Map<string, z.core.$ZodType>();
collect(policySchema, '');

function schemaAt(pattern: string): z.core.$ZodType | undefined {
  return SCHEMAS.get(pattern);
}

function collect(schema: z.core.$ZodType | undefined, pattern: string): void {
  if (!schema) return;
  SCHEMAS.set(pattern, schema);
  const keys = keysOf(schema, pattern);
  if (keys) KEYS.set(pattern, keys);
  for (const [key, value] of Object.entries(shapeOf(schema) ?? {})) collect(value, joined(pattern, key));
  collect(innerOf(schema, 'record')?.valueType ?? innerOf(schema, 'array')?.element, joined(pattern, '*'));
}
