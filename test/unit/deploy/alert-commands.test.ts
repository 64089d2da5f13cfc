// Each alert and its playbook name the command of a first look and the command of the remedy. Those of keydesk exist, and take the
// flags and arguments that are written.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { createProgram } from '../../../cli/program.ts';
import { ROOT } from '../../../sandbox/functions.ts';

const alertSchema = z.object({
  displayName: z.string(),
  userLabels: z.object({ playbook: z.string() }),
  documentation: z.object({ content: z.string() }),
});
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const alerts = [
  ...z.array(alertSchema).parse(JSON.parse(read('deploy/monitoring/alerts.json'))),
  ...z.object({ alertPolicies: z.array(alertSchema) }).parse(JSON.parse(read('deploy/monitoring/slos.json')))
    .alertPolicies,
];
const playbooks = readdirSync(join(ROOT, 'docs/playbooks')).map(
  (file) => [file.replace(/\.md$/, ''), read(`docs/playbooks/${file}`)] as const,
);

/** What a person puts in place of a name in capital letters. */
const VALUES: Readonly<Record<string, string>> = {
  REQUEST_ID: '9ce301f0-b882-4f5c-ad01-0770feacb771',
  PROJECT: 'acme-keydesk',
  PROJECT_ID: 'acme-keydesk',
  REGION: 'europe-west1',
  ORGANIZATION: 'acme-inc',
  TIME: '2026-11-24T10:00:00Z',
  N: '7',
  ID: '5f2b6c1e-0000-4000-8000-000000000000',
  UUID: '0184990a-477b-4fa8-9968-496074483cee',
  FILE: 'policy.yaml',
};

/** The words of a command line, without the first. */
function wordsOf(line: string): string[] {
  const words = line.match(/"[^"]*"|[^\s"]+/g) ?? [];
  return words.slice(1).map((word) => word.replaceAll('"', '').replace(/^[A-Z_]+$/, (name) => VALUES[name] ?? name));
}

const PROGRAM: CommandUnknownOpts = createProgram();

/** What is wrong with a command line of keydesk; undefined when it would run. */
function problemOf(line: string): string | undefined {
  let command = PROGRAM;
  let words = wordsOf(line);
  for (;;) {
    const next = command.commands.find((one) => one.name() === words[0]);
    if (!next) break;
    command = next;
    words = words.slice(1);
  }
  if (command.commands.length > 0) return `there is no command ${words[0]}`;
  command.configureOutput({ writeErr: () => {} });
  try {
    const { operands, unknown } = command.parseOptions(words);
    const required = command.registeredArguments.filter((one) => one.required).length;
    const variadic = command.registeredArguments.some((one) => one.variadic);
    if (unknown.length > 0) return `it has no ${unknown[0]}`;
    if (operands.length < required) return 'an argument is missing';
    return operands.length > command.registeredArguments.length && !variadic
      ? `it takes no ${operands.at(-1)}`
      : undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Command lines of keydesk in a text: in backquotes and in blocks of shell. Its name alone, and a command without flags in a sentence, are none. */
function commandsIn(text: string): string[] {
  const inline = [...text.matchAll(/`(keydesk [^`]+)`/g)].map(([, line = '']) => line.replace(/\s+/g, ' '));
  const blocks = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block = '']) => block.split('\n'));
  return [...inline, ...blocks.filter((line) => line.startsWith('keydesk '))];
}

const FIRST = /^First look: `([^`]+)`$/gm;
const REMEDY = /^Remedy: `([^`]+)`$/gm;
const only = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, line = '']) => line);

describe.each(alerts.map((alert) => [alert.displayName, alert] as const))('%s', (_, alert) => {
  const { content } = alert.documentation;

  it('names one command for a first look, which is one of keydesk, and one for the remedy', () => {
    const [first, remedy] = [only(content, FIRST), only(content, REMEDY)];
    expect([first.length, remedy.length]).toEqual([1, 1]);
    expect(first[0]).toMatch(/^keydesk /);
    expect(remedy[0]).toMatch(/^(keydesk|gcloud) /);
  });

  it('has the commands of its playbook', () => {
    const page = playbooks.find(([name]) => name === alert.userLabels.playbook)?.[1] ?? '';
    const written = (text: string) => [FIRST, REMEDY].map((pattern) => only(text, pattern));
    expect(written(content.replaceAll('PROJECT_ID', 'PROJECT'))).toEqual(written(page));
  });

  it('names commands of keydesk that exist and take what is written', () => {
    expect(commandsIn(content).flatMap((line) => problemOf(line) ?? [])).toEqual([]);
  });
});

it.each(playbooks)('the playbook %s names commands of keydesk that exist and take what is written', (_, text) => {
  const commands = commandsIn(text);
  expect(commands.length).toBeGreaterThan(0);
  expect(commands.map((line) => [line, problemOf(line)])).toEqual(commands.map((line) => [line, undefined]));
});

it.each([
  ['keydesk statuss', 'there is no command statuss'],
  ['keydesk grants', 'there is no command undefined'],
  ['keydesk status --jsonn', 'it has no --jsonn'],
  ['keydesk kill --credential', expect.stringContaining('argument missing')],
  ['keydesk grants list --state gone', expect.stringContaining('it is one of')],
  ['keydesk policy diff', 'an argument is missing'],
  ['keydesk status now', 'it takes no now'],
])('would not pass with %s', (line, problem) => {
  expect(problemOf(line)).toEqual(problem);
});
