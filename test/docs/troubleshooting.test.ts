// docs/TROUBLESHOOTING.md has every sentence that a refusal says, every reason, and what the plugin prints: whoever searches
// the page for the words of a job's log finds them.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../sandbox/functions.ts';
import { parseExchangeRequest } from '../../shared/core/exchange-request.ts';
import { JOB_TOKEN_REASONS, toWireError } from '../../shared/core/refusal.ts';
import { codeIn, partOf, read, rowsOf } from './page.ts';
import { textsOfScript, textsOfTypeScript } from './printed-text.ts';
import { REFUSALS } from './refusals.ts';

const page = read('docs/TROUBLESHOOTING.md');
/** What stands between backticks. */
const words = new Set(codeIn(page));

/** In quotes in the plugin, and for no reader of a log. */
const NOT_PRINTED = ['exit 0', 'keydesk_undo; exit 143', 'Accept: text/plain', 'Authorization: Bearer …'];
/** Words beside each other: not a path, a pattern or the like. */
const PROSE = /[A-Za-z'’]{2,}[,;:.)]? \(?[A-Za-z'’]{2,}/;

function filesIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder)).map((name) => join(folder, name));
}

/** Whether the page has a text as it is, or as a part of what stands between backticks. */
function hasText(text: string): boolean {
  return [...words].some((shown) => shown.includes(text));
}

describe('docs/TROUBLESHOOTING.md', () => {
  it.each(Object.values(REFUSALS))('has the words and the reason of $reason', (refusal) => {
    const row = page.split('\n').find((line) => line.includes(`| \`${toWireError(refusal, false).description}\` |`));
    expect(row).toContain(`\`${refusal.reason}\``);
  });

  it('has the words for a job token that was not accepted, and each reason', () => {
    for (const reason of JOB_TOKEN_REASONS) {
      expect(words).toContain(toWireError({ reason }, true).description);
      expect(words).toContain(reason);
    }
  });

  it.each([
    ['a=1&a=2', 'parameter_repeated'],
    ['', 'parameter_missing'],
    ['grant_type=urn:ietf:params:oauth:grant-type:token-exchange&actor_token=x', 'parameter_not_supported'],
    [
      'grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token=x&subject_token_type=y',
      'parameter_invalid',
    ],
  ] as const)('has the form of what is said to %s', (form, reason) => {
    const parsed = parseExchangeRequest(form);
    const said = 'refusal' in parsed ? toWireError(parsed.refusal, false).description : '';
    const shown = toWireError(REFUSALS[reason], false).description;
    expect(said).toMatch(toPattern(shown));
  });

  it.each([
    ...filesIn('functions'),
    'shared/core/refusal.ts',
    'shared/core/exchange-request.ts',
    'shared/core/token-request.ts',
  ])('has every sentence that stands in %s', (file) => {
    const sentences = textsOfTypeScript(read(file)).filter((text) => PROSE.test(text) && /\.(?: |$)/.test(text));
    const shown = [...words].filter((word) => PROSE.test(word));
    for (const text of sentences) {
      const fits = shown.some((word) => toPattern(word).test(text) || toPattern(text).test(word));
      expect([text, fits || hasText(text)]).toEqual([text, true]);
    }
  });

  it('finds the sentences of the desk in its sources', () => {
    const sources = [...filesIn('functions'), 'shared/core/refusal.ts'].map(read).join('\n');
    for (const said of ['There is nothing at this path.', 'The sweep is run at /.', 'Webhooks are taken at /.'])
      expect(textsOfTypeScript(sources)).toContain(said);
    const ofRefusals = Object.values(REFUSALS).map((refusal) => toWireError(refusal, false).description);
    const written = textsOfTypeScript(sources)
      .filter((text) => PROSE.test(text))
      .map(toPattern);
    for (const description of ofRefusals.filter((text) => !text.startsWith('…') && !text.startsWith('actor_token')))
      expect([description, written.some((pattern) => pattern.test(description))]).toEqual([description, true]);
  });

  it('has every reason for which a webhook is refused', () => {
    const sources = ['functions/webhook-handler.ts', 'shared/core/webhook-signature.ts'].map(read).join('\n');
    const unions = [...sources.matchAll(/type (?:Webhook|Signature)Refusal =([^;]*);/g)].map(([, union]) => union);
    expect(unions).toHaveLength(2);
    const reasons = [...unions.join('').matchAll(/'([a-z_]+)'/g)].map(([, reason]) => reason ?? '');
    expect(reasons.length).toBeGreaterThan(10);
    const told = rowsOf(partOf(page, '## What the webhook and the sweep answer')).flatMap(([, reason = '']) =>
      codeIn(reason),
    );
    for (const reason of reasons) expect(told).toContain(reason);
  });

  it.each(['plugin/lib', 'plugin/hooks', 'plugin/bin'].flatMap(filesIn))('has every text that stands in %s', (file) => {
    const texts = textsOfScript(read(file))
      .map(withoutMarks)
      .filter((text) => PROSE.test(text));
    for (const text of texts.filter((found) => !NOT_PRINTED.includes(found)))
      expect([text, hasText(text)]).toEqual([text, true]);
  });

  it('finds what the plugin prints, whatever prints it', () => {
    const texts = ['plugin/lib', 'plugin/bin', 'plugin/hooks']
      .flatMap(filesIn)
      .flatMap((file) => textsOfScript(read(file)).map(withoutMarks));
    for (const said of [
      'Keydesk: the configuration of the plugin is not good.',
      'buildkite-agent redactor add says: …',
      '…: not given back (…); left to the webhook',
      '…: there is no such key',
      'add those claims to claims, which now are: ',
      'is buildkite-agent on the PATH?',
      'it printed something else than a token',
      'curl: (3) this is no url of a desk',
    ])
      expect(texts).toContain(said);
    for (const left of NOT_PRINTED) expect(texts).toContain(left);
  });

  it('can find it, for the plugin prints nothing that is not in quotes', () => {
    for (const file of ['plugin/lib', 'plugin/bin', 'plugin/hooks'].flatMap(filesIn)) {
      const code = read(file).replaceAll(/^\s*#.*$/gm, '');
      const bare = [...code.matchAll(/\b(?:echo|printf|keydesk_(?:say|complain|problem)) +(?!['"]|\.$)\S.*/gm)];
      expect([file, ...bare.map(([line]) => line)]).toEqual([file]);
    }
  });

  it('has what CLIENTS.md says clients show', () => {
    for (const text of ['There was a problem refreshing your current auth tokens:', 'KEYDESK_NO_JOB_TOKEN']) {
      expect(read('docs/CLIENTS.md')).toContain(text);
      expect(words).toContain(text);
    }
  });

  it('names, where 503 lasts, everybody whom the sources call the one who failed, and nobody else', () => {
    const part = partOf(page, '## When 503 lasts');
    const named = rowsOf(part).flatMap(([who = '']) => codeIn(who));
    const sources = ['shared', 'functions'].flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.ts'))
        .map((name) => read(join(folder, name))),
    );
    const failing = sources.flatMap((source) => whoFails(source));
    expect(failing.length).toBeGreaterThan(10);
    for (const who of failing) expect([who, codeIn(part).includes(who)]).toEqual([who, true]);
    for (const who of named) expect([who, failing.includes(who)]).toEqual([who, true]);
  });

  it('has every word of a mint that came too late', () => {
    const late = [...read('shared/core/grant-life.ts').matchAll(/\blate\('([^']+)'\)/g)].map(([, text]) => text ?? '');
    expect(late.length).toBeGreaterThan(2);
    for (const text of late) expect(words).toContain(text);
  });

  it('says that a slash at the end of url is dropped, as it is', () => {
    expect(read('plugin/lib/configuration.bash')).toMatch(/KEYDESK_URL="\$\{REPLY%\/\}"/);
    expect(page).toContain('a slash at the end is dropped');
  });
});

/** Those whom a source names as the one who failed: of an Unavailable, of a deadline, of a request. */
function whoFails(source: string): string[] {
  const patterns = [
    /new Unavailable\(\s*'([^']+)'/g,
    /\bwithin\(\s*[^,]+,\s*'([^']+)'/g,
    /\bwhat(?:: | = )'([^']+)'/g,
    /\b(?:WHAT|WHO) = '([^']+)'/g,
    /\bexpectAnswer\('([^']+)'/g,
  ];
  return patterns.flatMap((pattern) => [...source.matchAll(pattern)].map(([, who]) => who ?? ''));
}

/** Without what marks a group of the log, sets it in, or says that advice follows. */
function withoutMarks(text: string): string {
  return text
    .replace(/^~~~ :key: /, '')
    .replace(/^ +/, '')
    .replace(/^What to do: (?=.{3})/, '');
}

function toPattern(shown: string): RegExp {
  const parts = shown.split('…').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.+')}$`);
}
