// The tables about settings: which program reads each, its default and meaning, and how a wrong value is reported.

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import { FUNCTIONS } from '../../cli/installation.ts';
import { createProgram } from '../../cli/program.ts';
import { parseOperatorSettings } from '../../shared/core/operator-settings.ts';
import { OTHER_VARIABLES, SETTINGS } from '../../shared/core/setting-descriptions.ts';
import { DEFAULT_POLICY_FILE, parseSettings, parseWebhookSettings } from '../../shared/core/settings.ts';
import { type Blocks, name, names, table } from './markdown.ts';

const NEEDED = { GOOGLE_CLOUD_PROJECT: SETTINGS.GOOGLE_CLOUD_PROJECT.example };

/** @param root of the repository, with a slash at its end */
export function configurationTables(root: string): Blocks {
  const readers = readersOf(root);
  const unknown = [...readers.keys()].filter((variable) => !(variable in SETTINGS) && !(variable in OTHER_VARIABLES));
  if (unknown.length > 0) throw new Error(`read, and not described: ${unknown.join(', ')}`);
  const row = (variable: string, meaning: string, example: string, given: string) => {
    const readBy = readers.get(variable);
    if (!readBy) throw new Error(`nothing reads ${variable}`);
    const shown = given.includes(name(example)) ? [] : [`Example: ${name(example)}`];
    return [name(variable), names(readBy), [meaning, given, ...shown].join(' ')];
  };
  return {
    settings: table(
      ['setting', 'read by', 'meaning'],
      Object.entries(SETTINGS).map(([setting, { meaning, example }]) =>
        row(setting, meaning, example, defaultOf(setting)),
      ),
    ),
    variables: table(
      ['variable', 'read by', 'meaning'],
      Object.entries(OTHER_VARIABLES).map(([variable, { meaning, example }]) =>
        row(
          variable,
          meaning,
          example,
          variable === 'KEYDESK_POLICY' ? `Default: ${name(DEFAULT_POLICY_FILE)}.` : 'Optional.',
        ),
      ),
    ),
    problems: table(['value', 'reported as'], [...problemRows()]),
  };
}

function defaultOf(setting: string): string {
  const problems = (result: object) => ('problems' in result ? (result.problems as string[]) : []);
  const needed = (result: object) => problems(result).some((problem) => problem.startsWith(`${setting} `));
  if (needed(parseSettings({}))) return 'Required.';
  if (needed(parseWebhookSettings(NEEDED))) return 'Required by `webhook`.';
  if (needed(parseOperatorSettings(NEEDED))) return 'Required by `reader` and `admin`.';
  const parsed = parseOperatorSettings({ ...NEEDED, KEYDESK_OPERATOR_AUDIENCES: 'https://reader.example' });
  const value =
    'settings' in parsed ? new Map<string, unknown>(Object.entries(parsed.settings)).get(setting) : undefined;
  return value === undefined ? 'Optional.' : `Default: ${name(String(value))}.`;
}

function* problemRows(): Generator<string[]> {
  const problemOf = (environment: Record<string, string>) => {
    const everything = { KEYDESK_WEBHOOK_TOKENS: 'one', KEYDESK_OPERATOR_AUDIENCES: 'one', ...NEEDED, ...environment };
    const results = [parseWebhookSettings(everything), parseOperatorSettings(everything)];
    const found = results.flatMap((parsed) => ('problems' in parsed ? parsed.problems : []));
    const [problem, ...more] = new Set(found);
    if (problem === undefined || more.length > 0) throw new Error(`not one problem: ${JSON.stringify(environment)}`);
    return name(problem);
  };
  for (const setting of ['GOOGLE_CLOUD_PROJECT', 'KEYDESK_WEBHOOK_TOKENS', 'KEYDESK_OPERATOR_AUDIENCES'])
    yield [`no ${name(setting)}`, problemOf({ [setting]: '' })];
  for (const [setting, { wrong }] of Object.entries(SETTINGS))
    if (wrong !== undefined) yield [name(`${setting}=${wrong}`), problemOf({ [setting]: wrong })];
}

/** The programs that read each environment variable, as their sources say. */
function readersOf(root: string): ReadonlyMap<string, readonly string[]> {
  const programs = [
    ...FUNCTIONS.map((target) => [target, `functions/${target}/index.ts`] as const),
    ['keydesk', 'cli/keydesk.ts'] as const,
  ];
  const readers = new Map<string, string[]>();
  for (const [program, entry] of programs)
    for (const variable of new Set([...sourcesOf(join(root, entry)).values()].flatMap(variablesIn)))
      readers.set(variable, [...(readers.get(variable) ?? []), program]);
  for (const variable of optionVariables(createProgram())) readers.set(variable, ['keydesk']);
  return readers;
}

/** The variables that stand for options of commands. */
function optionVariables(command: CommandUnknownOpts): string[] {
  const own = command.options.flatMap(({ envVar }) => envVar ?? []);
  return [...new Set([...own, ...command.commands.flatMap(optionVariables)])];
}

function variablesIn(source: string): string[] {
  return [...source.matchAll(/\b(?:settings|process\.env)\.([A-Z][A-Z_]+)/g)].map(([, variable = '']) => variable);
}

/** By its path, each source that an entry is made of. What is imported for its types alone is left out. */
function sourcesOf(entry: string, found = new Map<string, string>()): ReadonlyMap<string, string> {
  if (found.has(entry)) return found;
  const source = readFileSync(entry, 'utf8');
  found.set(entry, source);
  const imports = source.matchAll(/^import (?!type )[^;]*?from '(\.[^']+)';|\bimport\('(\.[^']+)'\)/gm);
  for (const [, imported, loaded] of imports) sourcesOf(join(dirname(entry), imported ?? loaded ?? ''), found);
  return found;
}
