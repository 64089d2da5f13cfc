import { describe, expect, it } from 'vitest';
import type { Policy } from '../../../../shared/core/policy/policy.ts';
import { newRulesFile } from '../../../../shared/core/security-rules/generate.ts';
import {
  generatedRulesProblems,
  MAX_MATCHES_OF_A_DOCUMENT,
  rulesProblems,
  rulesWarnings,
} from '../../../../shared/core/security-rules/limits.ts';
import { firestorePolicy } from '../../../fixtures/firestore-policy.ts';

const MAIN = { project: 'acme-staging', database: '(default)' };

/** One credential for each list of paths, or for each list of paths and verbs. */
function policyOf(openings: readonly (readonly string[])[], verbs: readonly (readonly string[])[] = [['get']]): Policy {
  const credentials = openings.map((paths, index) => {
    const allow = paths.map((path) => ({ path, verbs: verbs[index % verbs.length] ?? [] }));
    return [`credential-${index}`, { project: MAIN.project, allow }];
  });
  return firestorePolicy(Object.fromEntries(credentials));
}

const count = <T>(length: number, make: (index: number) => T): T[] => Array.from({ length }, (_, index) => make(index));

/** Paths that all cover c/d0/s/d1/s/d2, made of the bits of `index`. */
const overlapping = (index: number) =>
  `c/${count(3, (at) => ((index >> at) % 2 === 0 ? `d${at}` : `{w${at}}`)).join('/s/')}${index >= 8 ? '/{rest=**}' : ''}`;

describe('the limits of rules', () => {
  it('are met by 4,000 credentials on one path', () => {
    const policy = policyOf(count(4_000, () => ['config/{document=**}']));
    const text = newRulesFile(policy, MAIN);
    expect(rulesProblems(policy, MAIN, text)).toEqual([]);
    expect(rulesWarnings(policy, MAIN)).toEqual([]);
  });

  it('are met by 17 paths of one meaning, which are one match', () => {
    const policy = policyOf(count(17, (index) => [`config/{wildcard${index}}`]));
    expect(newRulesFile(policy, MAIN).match(/match \/config/g)).toHaveLength(1);
    expect(generatedRulesProblems(policy)).toEqual([]);
  });

  it('count the matches of one document', () => {
    const most = policyOf(count(MAX_MATCHES_OF_A_DOCUMENT, (index) => [overlapping(index)]));
    expect(generatedRulesProblems(most)).toEqual([]);
    const more = policyOf(count(MAX_MATCHES_OF_A_DOCUMENT + 1, (index) => [overlapping(index)]));
    expect(generatedRulesProblems(more)).toEqual([
      expect.stringMatching(
        /^the rules file of acme-staging \(default\) has 10 matches for "get" of one document, .*c\/d0\S* \(credential-\d\)/,
      ),
    ]);
  });

  it('count them per verb', () => {
    const paths = count(MAX_MATCHES_OF_A_DOCUMENT + 1, (index) => [overlapping(index)]);
    expect(generatedRulesProblems(policyOf(paths, [['get'], ['update']]))).toEqual([]);
    expect(generatedRulesProblems(policyOf(paths, [['get'], ['get', 'update']]))).toHaveLength(1);
  });

  it.each([
    ['one for each document', count(500, (index) => `c/d${index}`)],
    ['one for each document, and two for all', [...count(500, (index) => `c/d${index}`), 'c/{d}', 'c/{rest=**}']],
    ['one for each collection', count(500, (index) => `c${index}/{rest=**}`)],
    [
      'one for each depth but the last',
      count(10, (index) => `c/{d}${'/s/{e}'.repeat(index)}`.replaceAll(/\{(\w)\}/g, (_, name, at) => `{${name}${at}}`)),
    ],
  ])('allow many paths when few cover a document: %s', (_, paths) => {
    expect(generatedRulesProblems(policyOf([paths]))).toEqual([]);
  });

  it.each([
    ['wildcards for the rest of the path', count(11, (index) => `c/d${'/s/d'.repeat(index)}/{rest=**}`)],
    [
      'among many others',
      [...count(300, (index) => `c/d${index}`), ...count(11, (index) => `c/d7${'/s/d'.repeat(index)}/{rest=**}`)],
    ],
  ])('are exceeded by %s', (_, paths) => {
    expect(generatedRulesProblems(policyOf([paths]))).toEqual([expect.stringContaining('matches for "get"')]);
  });

  it('count the bytes of the whole file', () => {
    const policy = policyOf([['config/{document}']]);
    const text = newRulesFile(policy, MAIN);
    const padded = (bytes: number) => `${text}//${'é'.repeat((bytes - text.length - 2) / 2)}`;
    const exact = text.length % 2 === 0 ? 256_000 : 255_999;
    expect(rulesProblems(policy, MAIN, padded(exact))).toEqual([]);
    expect(rulesProblems(policy, MAIN, padded(exact + 2))).toEqual([expect.stringContaining('bytes, and Firestore')]);
  });

  it('are exceeded by thousands of credentials that each need a path of their own', () => {
    const policy = policyOf(count(3_000, (index) => [`collection-of-team-${index}/{document=**}`]));
    expect(generatedRulesProblems(policy)).toEqual([expect.stringContaining('bytes, and Firestore')]);
  });

  it('warn of what may be too large once it is compiled', () => {
    expect(rulesWarnings(policyOf(count(900, (index) => [`c${index}/{document=**}`])), MAIN)).toEqual([]);
    expect(rulesWarnings(policyOf(count(1_600, (index) => [`c${index}/{document=**}`])), MAIN)).toEqual([
      expect.stringMatching(/^has about \d+ KB .* credential-0 with 1$/),
    ]);
  });
});
