// A suggestion keeps what was used, in any layout of the file; and there is none without evidence for the whole period.

import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { checkPolicyText } from '../../../../shared/core/policy/check-text.ts';
import type { Credential } from '../../../../shared/core/policy/credential.ts';
import type { ReadPolicy } from '../../../../shared/core/policy/parse-yaml.ts';
import { diffPolicies } from '../../../../shared/core/policy-analysis/diff.ts';
import { AccessUsage } from '../../../../shared/core/policy-history/access-usage.ts';
import {
  type DocumentTouch,
  type GrantTouches,
  toGrantTouches,
} from '../../../../shared/core/policy-history/document-touches.ts';
import { type JobRequest, toJobRequest } from '../../../../shared/core/policy-history/job-request.ts';
import { toLogEntry } from '../../../../shared/core/policy-history/log-entry.ts';
import { Coverage } from '../../../../shared/core/policy-history/period.ts';
import { suggestChanges } from '../../../../shared/core/policy-history/suggest.ts';
import { tighten } from '../../../../shared/core/policy-history/tightened.ts';
import { covers } from '../../../../shared/core/policy-history/touched-paths.ts';
import { Usage } from '../../../../shared/core/policy-history/usage.ts';
import { createHistory } from '../../../fixtures/audit-history.ts';
import { DOCUMENTS, touchEntry } from '../../../fixtures/touches.ts';

const EXAMPLE = readFileSync(new URL('../../../../examples/policy.yaml', import.meta.url), 'utf8');
const WEB = { pipeline_slug: 'web', pipeline_id: '0184990a-4782-42b5-afc1-16715b10b1f0', build_source: 'webhook' };
const SINCE = Date.parse('2026-11-01T00:00:00Z');
const at = (day: number) => new Date(SINCE + day * 86_400_000).toISOString();

/** The example as people write it, and with brackets and braces alone. */
const LAYOUTS = { 'the example': EXAMPLE, 'JSON on one line': JSON.stringify(parse(EXAMPLE)) };

function readPolicy(text: string): ReadPolicy {
  const read = checkPolicyText(text);
  if (!('policy' in read)) throw new Error(JSON.stringify(read.problems));
  return read;
}

/** By what a write says of the document: the precondition of the commit. */
const WRITES: Readonly<Record<string, object | undefined>> = {
  Update: { exists: true },
  Create: { exists: false },
  Set: undefined,
};

interface Past {
  readonly credential: string;
  readonly build_branch: string;
  readonly touched: readonly (readonly [method: string, path: string])[];
}

/** A request every third day, and what its grant touched. */
async function remember(text: string, past: readonly Past[]) {
  const entries = await createHistory(text).entriesOf(
    past.map(({ credential, build_branch }, nth) => ({
      at: at(nth * 3),
      credential,
      claims: { ...WEB, build_branch },
    })),
  );
  const requests = entries.map((entry) => toJobRequest(toLogEntry(entry) ?? { at: undefined }) as JobRequest);
  const touches = requests.flatMap(({ grant_id }, nth) =>
    (past[nth]?.touched ?? []).map(([method, path]) => {
      const name = `${DOCUMENTS}/${path}`;
      const isWrite = method in WRITES;
      const request = isWrite ? { writes: [{ update: { name }, currentDocument: WRITES[method] }] } : { name };
      const entry = touchEntry(at(nth * 3), grant_id ?? '', isWrite ? 'Commit' : method, request);
      return toGrantTouches(toLogEntry(entry) ?? { at: undefined }) as GrantTouches;
    }),
  );
  return { requests, touches };
}

function suggest(read: ReadPolicy, { requests, touches }: Awaited<ReturnType<typeof remember>>, since = SINCE) {
  const usage = new Usage(read.policy, since);
  const coverage = new Coverage();
  const until = Math.max(...requests.map((request) => request.at ?? 0));
  const access = new AccessUsage(read.policy, { since, until }, 2);
  for (const request of requests) {
    usage.add(request);
    coverage.add(request.at);
    access.addRequest(request);
  }
  for (const touch of touches) access.addTouches(touch);
  const found = suggestChanges(read, {
    ...{
      period: { since, until },
      coverage: coverage.report({ since, until }, usage.allowed.count),
      allowed: usage.allowed,
    },
    ...{ parts: usage.parts(), access: access.report() },
  });
  return { found, tightened: tighten(read, found.suggestions) };
}

const path = fc.constantFrom(
  'config/a',
  'config/b',
  'config/c',
  'config/a/x/1',
  'cache/1',
  'cache/2',
  'cache/3',
  'releases/1',
);
const pastRequest = fc.record({
  credential: fc.constantFrom('staging-config', 'staging-cache', 'staging-export'),
  build_branch: fc.constantFrom('main', 'release/1'),
  touched: fc.array(fc.tuple(fc.constantFrom('GetDocument', 'Update', 'Create', 'Set', 'DeleteDocument'), path), {
    maxLength: 3,
  }),
});

describe.each(Object.entries(LAYOUTS))('a suggestion for %s', (_, text) => {
  const read = readPolicy(text);

  it('keeps what was used, and opens nothing else', async () => {
    let suggested = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(pastRequest, { minLength: 6, maxLength: 10 }), async (past) => {
        const all = await remember(text, past);
        const opens = (credential: Credential | undefined, touch: DocumentTouch) =>
          credential?.kind === 'firestore' &&
          credential.allow.some(
            (one) => covers(one.path, touch) && touch.verbs.some((verb) => one.verbs.includes(verb)),
          );
        const before = read.policy.credentials['staging-config'];
        // What no entry of allow opens is evidence against the log.
        const touches = all.touches.filter((one) => one.touches?.every((touch) => opens(before, touch)));
        const history = { ...all, touches };
        const { found, tightened } = suggest(read, history);
        expect(tightened.rejected).toEqual([]);
        suggested += found.suggestions.length;
        expect(diffPolicies(read.policy, tightened.policy).widens).toBe(false);
        expect(readPolicy(tightened.text).policy).toEqual(tightened.policy);
        const after = suggest(readPolicy(tightened.text), history);
        expect(after.found.suggestions.map(({ change }) => change)).toEqual([]);
        const narrowed = tightened.policy.credentials['staging-config'];
        const ofConfig = history.requests.flatMap(({ credential, grant_id }) =>
          credential === 'staging-config' ? grant_id : [],
        );
        for (const { touches = [] } of history.touches.filter(({ grant_id }) => ofConfig.includes(grant_id)))
          for (const touch of touches) if (narrowed) expect(opens(narrowed, touch)).toBe(true);
      }),
      { seed: 20261130, numRuns: 25 },
    );
    expect(suggested).toBeGreaterThan(50);
  });
});

describe('a suggestion for paths', () => {
  const text = EXAMPLE.replace('verbs: [get] }', 'verbs: [get, create] }');
  const suggestedFor = async (touchedBy: (nth: number) => Past['touched']) => {
    const months = Array.from({ length: 8 }, (_, nth) => ({
      ...{ credential: 'staging-config', build_branch: 'main' },
      touched: [['GetDocument', 'config/a'] as const, ...touchedBy(nth)],
    }));
    const { found, tightened } = suggest(readPolicy(text), await remember(text, months));
    const credential = tightened.policy.credentials['staging-config'];
    const allow = credential?.kind === 'firestore' ? credential.allow : [];
    const about = found.suggestions.filter(({ path }) => path[0] === 'credentials');
    return { paths: allow.map(({ path, verbs }) => `${path}: ${verbs.join(', ')}`), about };
  };

  it.each<[string, (nth: number) => Past['touched'], string[]]>([
    [
      'a wildcard for names that jobs create',
      (nth) => (nth > 5 ? [['Create', `releases/r${nth}`]] : []),
      ['releases/{release}: create'],
    ],
    [
      'a wildcard for a name that a job creates once and others read',
      (nth) => [[nth === 0 ? 'Create' : 'GetDocument', 'releases/r1']],
      ['releases/{release}: get, create'],
    ],
    [
      'a wildcard for a name that one job reads and sets',
      (nth) =>
        nth === 3
          ? [
              ['GetDocument', 'cache/a'],
              ['Set', 'cache/a'],
            ]
          : [],
      ['cache/{entry}: get, create, update'],
    ],
    ['a name that jobs set each time', () => [['Set', 'cache/a']], ['cache/a: create, update']],
    [
      'a name that jobs create and delete each time',
      () => [
        ['Create', 'cache/lock'],
        ['DeleteDocument', 'cache/lock'],
      ],
      ['cache/lock: create, delete'],
    ],
    [
      'a wildcard for a document with new documents below',
      (nth) => (nth === 2 ? [['Create', 'config/r1/notes/1']] : []),
      ['config/{document}/notes/{document2}: create'],
    ],
    [
      'a name that jobs read and a wildcard for what they create',
      (nth) => [['GetDocument', 'config/b'], ...(nth % 5 === 2 ? [['Create', `config/new-${nth}`] as const] : [])],
      ['config/b: get', 'config/{document}: create'],
    ],
  ])('has %s', async (_, touchedBy, expected) => {
    const { paths, about } = await suggestedFor(touchedBy);
    expect(paths.sort()).toEqual(['config/a: get', ...expected].sort());
    const saysSo = about.some(({ evidence }) =>
      evidence.some((sentence) => sentence.startsWith('Names that jobs created')),
    );
    expect(saysSo).toBe(expected.some((path) => path.startsWith('config/{')));
  });
});

describe('there is no suggestion', () => {
  const read = readPolicy(EXAMPLE);
  const used: Past = { credential: 'staging-config', build_branch: 'main', touched: [['GetDocument', 'config/a']] };
  const month = Array(8).fill(used) as Past[];

  it('without a log of the whole period', async () => {
    const { found } = suggest(read, await remember(EXAMPLE, month), SINCE - 30 * 86_400_000);
    expect(found).toMatchObject({ suggestions: [], not_suggested: [expect.stringContaining('begins at')] });
  });

  it.each([
    ['when few grants have entries', (nth: number): Past['touched'] => (nth % 4 === 0 ? used.touched : [])],
    ['when a quarter of the period has none', (nth: number): Past['touched'] => (nth > 1 ? used.touched : [])],
    ['when an entry does not say what it is about', (): Past['touched'] => [...used.touched, ['ExecutePipeline', 'x']]],
    ['when Google accepted what nothing opens', (): Past['touched'] => [...used.touched, ['GetDocument', 'other/a']]],
  ])('about paths %s', async (_, touched) => {
    const history = await remember(
      EXAMPLE,
      month.map((one, nth) => ({ ...one, touched: touched(nth) })),
    );
    const { found } = suggest(read, history);
    expect(found.suggestions.length).toBeGreaterThan(0);
    expect(found.suggestions.filter(({ path: [section] }) => section === 'credentials')).toEqual([]);
    expect(found.not_suggested).toEqual([expect.stringMatching(/^staging-config: /)]);
  });

  describe('about paths of a database', () => {
    const gapsWith = async (change: (touch: GrantTouches) => GrantTouches) => {
      const history = await remember(EXAMPLE, month);
      const [first] = history.touches;
      if (!first) throw new Error('no touch');
      const access = new AccessUsage(read.policy, { since: SINCE, until: Date.parse(at(21)) }, 2);
      for (const request of history.requests) access.addRequest(request);
      for (const touch of [...history.touches, change(first)]) access.addTouches(touch);
      return access.report().find(({ credential }) => credential === 'staging-config')?.gaps;
    };
    const elsewhere = {
      database: 'projects/acme-x/databases/(default)',
      verbs: ['get' as const],
      path: ['config', 'a'],
    };

    it.each<[string, Partial<GrantTouches>, string[]]>([
      ['that a grant touched which the log lacks', { grant_id: 'unknown' }, ['unknown_grants']],
      [
        'when a grant that the log lacks touched what its entry does not say',
        { grant_id: 'unknown', touches: undefined },
        ['unknown_grants'],
      ],
      ['but not because of one that touched another database', { grant_id: 'unknown', touches: [elsewhere] }, []],
      ['but not because of one before the period', { grant_id: 'unknown', at: SINCE - 1 }, []],
    ])('%s', async (_, change, gaps) => {
      expect(await gapsWith((touch) => ({ ...touch, ...change }))).toEqual(gaps);
    });

    it('when an entry of the log of touches could not be read', async () => {
      const access = new AccessUsage(read.policy, { since: SINCE, until: Date.parse(at(21)) }, 2);
      const { requests, touches } = await remember(EXAMPLE, month);
      for (const request of requests) access.addRequest(request);
      for (const touch of touches) access.addTouches(touch);
      access.addUnread(1);
      expect(access.report().find(({ credential }) => credential === 'staging-config')?.gaps).toEqual([
        'unread_touches',
      ]);
    });

    it('but not because of a grant of a service account', async () => {
      const history = await remember(EXAMPLE, [
        ...month,
        { credential: 'staging-export', build_branch: 'main', touched: [['GetDocument', 'config/b']] },
      ]);
      const { found } = suggest(read, history);
      expect(found.not_suggested).toEqual([]);
    });
  });
});
