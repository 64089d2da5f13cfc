// docs/TROUBLESHOOTING.md has every sentence that a refusal says, every reason, and what the plugin prints: whoever searches
// the page for the words of a job's log finds them.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../sandbox/functions.ts';
import { parseExchangeRequest } from '../../shared/core/exchange-request.ts';
import { JOB_TOKEN_REASONS, type JobTokenReason, type Refusal, toWireError } from '../../shared/core/refusal.ts';

const page = readFileSync(join(ROOT, 'docs', 'TROUBLESHOOTING.md'), 'utf8');
/** What stands between backticks. */
const words = new Set([...page.matchAll(/`([^`\n]+)`/g)].map(([, text]) => text));

/** A refusal of every reason, with the page's own words for what differs; a new reason does not compile. */
const REFUSALS: Record<Exclude<Refusal['reason'], JobTokenReason>, Refusal> = {
  parameter_missing: { reason: 'parameter_missing', advice: '… is missing: send ….' },
  parameter_repeated: { reason: 'parameter_repeated', advice: '… stands more than once: send each parameter once.' },
  parameter_invalid: { reason: 'parameter_invalid', advice: '… must be ….' },
  parameter_not_supported: {
    reason: 'parameter_not_supported',
    advice: 'actor_token is not supported: leave it out.',
  },
  body_not_allowed: {
    reason: 'body_not_allowed',
    advice: 'POST /token/CREDENTIAL takes no body; send a form to /token instead.',
  },
  grant_type_not_supported: { reason: 'grant_type_not_supported' },
  claims_missing: { reason: 'claims_missing', missing: ['CLAIM'], trace: [] },
  unknown_credential: { reason: 'unknown_credential', trace: [] },
  no_rule_grants: { reason: 'no_rule_grants', trace: [] },
  job_ended: { reason: 'job_ended', ended_at: 0 },
  grant_revoked: { reason: 'grant_revoked', grant_id: '' },
  credential_changed: { reason: 'credential_changed', grant_id: '' },
  too_many_live_tokens: { reason: 'too_many_live_tokens', grant_id: '', retryAfter: 1 },
  too_often: { reason: 'too_often', grant_id: '', retryAfter: 1 },
  pipeline_holds_too_many: { reason: 'pipeline_holds_too_many', live_grants: 1, limit: 1, retryAfter: 1 },
  pool_exhausted: { reason: 'pool_exhausted', pool_size: 1, free_at: 0, retryAfter: 1 },
  barred: { reason: 'barred', kill_switch: '' },
  unavailable: { reason: 'unavailable', what: '', detail: '', retryAfter: 1 },
  not_found: { reason: 'not_found' },
  method_not_allowed: { reason: 'method_not_allowed', allow: 'METHOD' },
  content_type_not_supported: { reason: 'content_type_not_supported', expected: 'TYPE' },
  request_too_large: { reason: 'request_too_large', limit: 'LIMIT' },
};

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

  it('has everything that the plugin complains about, and what it advises without the particulars', () => {
    const folder = join(ROOT, 'plugin', 'lib');
    const source = readdirSync(folder)
      .map((name) => readFileSync(join(folder, name), 'utf8'))
      .join('\n');
    const complaints = [...source.matchAll(/keydesk_complain (['"])(.*?)\1(?: \\)?$/gm)].map(
      ([, , text]) => text ?? '',
    );
    const told = [...source.matchAll(/printf '(%s: .*?)\\n' "\$name"/g)].map(([, text]) => text ?? '');
    expect(complaints.length).toBeGreaterThan(5);
    expect(told.length).toBeGreaterThan(3);
    for (const text of [...complaints, ...told]) expect(words).toContain(withoutParticulars(text));
    const advice = [...source.matchAll(/echo (['"])((?:see whether|ask less|install)[^$]*?)\1/g)].map(
      ([, , text]) => text,
    );
    expect(advice.length).toBeGreaterThan(3);
    for (const text of advice) expect(words).toContain(text);
  });

  it('has what CLIENTS.md says clients show', () => {
    for (const text of ['There was a problem refreshing your current auth tokens:', 'KEYDESK_NO_JOB_TOKEN']) {
      expect(readFileSync(join(ROOT, 'docs', 'CLIENTS.md'), 'utf8')).toContain(text);
      expect(words).toContain(text);
    }
  });

  it('names, where 503 lasts, those whom the sources name', () => {
    const named = /## When 503 lasts\n[\s\S]*?\n\| --- .*\n([\s\S]*?)\n## /.exec(page)?.[1] ?? '';
    const sources = readdirSync(join(ROOT, 'shared'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => readFileSync(join(ROOT, 'shared', name), 'utf8'))
      .join('\n');
    const whos = [...named.matchAll(/^\| (`.*?`) \|/gm)].flatMap(([, cell]) => [
      ...(cell ?? '').matchAll(/`([^`]+)`/g),
    ]);
    expect(whos.length).toBeGreaterThan(6);
    for (const [, who = ''] of whos) {
      const [service, method] = who.startsWith('iamcredentials ') ? who.split(' ') : [who];
      expect([
        who,
        sources.includes(`'${who}'`) || (sources.includes(`\`${service} `) && sources.includes(`'${method}'`)),
      ]).toEqual([who, true]);
    }
  });
});

/** What differs from job to job as it is shown: … */
function withoutParticulars(text: string): string {
  return text.replaceAll(/\$\((?:[^()]|\([^()]*\))*\)/g, '…').replaceAll(/\$\{?\w+\}?|%s/g, '…');
}

function toPattern(shown: string): RegExp {
  const parts = shown.split('…').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.+')}$`);
}
