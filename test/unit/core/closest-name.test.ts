import { expect, it } from 'vitest';
import { closestName, closestOrLonger } from '../../../shared/core/closest-name.ts';

it.each([
  ['one letter too many', 'stagging', ['production', 'staging'], 'staging'],
  ['one letter too few', 'stagin', ['staging'], 'staging'],
  ['two letters swapped', 'wbe', ['api', 'web'], 'web'],
  ['another letter in a short name', 'wxb', ['web'], 'web'],
  ['the nearest of several', 'staging-admin', ['staging-amdin', 'staging-admins-2', 'staging'], 'staging-amdin'],
  ['the first of two that are as near', 'ab', ['ac', 'ad'], 'ac'],
  ['the name itself', 'web', ['wbe', 'web'], 'web'],
])('finds the name that was meant: %s', (_, name, candidates, expected) => {
  expect(closestName(name, candidates)).toBe(expected);
});

it.each([
  ['no candidates', 'web', []],
  ['more than a third of the letters differ', 'staging', ['testing-2', 'logging-x']],
  ['a name of more than 64 letters', 'a'.repeat(65), ['a'.repeat(64)]],
  ['a candidate of more than 64 letters', 'a'.repeat(64), ['a'.repeat(65)]],
])('finds none: %s', (_, name, candidates) => {
  expect(closestName(name, candidates)).toBeUndefined();
});

it.each([
  ['whatever the case', 'PRODUCTION', 'production'],
  ['with spaces around it', ' production ', 'production'],
  ['misspelt in another case', 'Prodction', 'production'],
  ['by its beginning', 'Prod', 'production'],
  ['by its beginning, where that is of two', 'stag', undefined],
  ['by too short a beginning', 'pr', undefined],
])('finds a name %s: %j', (_, name, expected) => {
  expect(closestOrLonger(name, ['production', 'staging-one', 'staging-two'])).toBe(expected);
});
