// docs/TROUBLESHOOTING.md and the plugin have the same messages: each row is a message of the plugin, and each message of the
// plugin has a row. Text that differs is `…` on the page and an expansion or `%s` in the shell.

import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const root = new URL('../../', import.meta.url);
const page = readFileSync(new URL('docs/TROUBLESHOOTING.md', root), 'utf8');
const section = page.slice(page.indexOf('## What the plugin says'), page.indexOf('## What clients say'));
const lines = readdirSync(new URL('plugin/lib/', root))
  .flatMap((name) => readFileSync(new URL(`plugin/lib/${name}`, root), 'utf8').split('\n'))
  .filter((line) => !line.trim().startsWith('#'));

/** Messages of the agent and of the system, which the plugin does not print. */
const NOT_OURS = ['Error finding bash.exe, needed to run scripts', "env: 'bash': No such file or directory"];

const EXPANSION = /\$\((?:[^()]|\([^()]*\))*\)|\$\{(?:[^{}]|\{[^{}]*\})*\}|\$\w+|%s|\\n|…/;

/** A text in single quotes, or in double quotes that may hold quotes within `$(…)`. */
const MESSAGE = /(keydesk_error|keydesk_problem|echo|printf) (?:'([^']*)'|"((?:\$\((?:[^()]|\([^()]*\))*\)|[^"])*)")/;

/** The parts of a message that never differ, without the punctuation at their ends. */
function fixedParts(message: string): string[] {
  return message
    .split(EXPANSION)
    .map((part) => part.replace(/^[\s"'():;,.]+|[\s"'():;,.[]+$/g, ''))
    .filter((part) => part.length > 3);
}

describe('the messages of the plugin', () => {
  const rows = [...section.matchAll(/^\| (`.*?`(?:, `.*?`)*)(?: in the brackets)? \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`(.*?)`/g)].map(([, message]) => message as string),
  );
  const printed = lines.flatMap((line) => {
    const [, command, single, double] = MESSAGE.exec(line) ?? [];
    const text = single ?? double;
    const isMessage = command?.startsWith('keydesk_') || /^[a-z][^:]{20,}/.test(text ?? '');
    return text !== undefined && isMessage ? [text] : [];
  });

  it('are those of the page', () => {
    expect(rows.length).toBeGreaterThan(50);
    const code = lines.join('\n');
    const parts = rows.filter((row) => !NOT_OURS.includes(row)).flatMap(fixedParts);
    expect(parts.filter((part) => !code.includes(part))).toEqual([]);
  });

  it('each have a row', () => {
    expect(printed.length).toBeGreaterThan(35);
    expect(printed.flatMap(fixedParts).filter((part) => !section.includes(part))).toEqual([]);
  });
});
