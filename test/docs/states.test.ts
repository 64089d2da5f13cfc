// The pictures of the two state machines show the steps that the ledger lets pass, no fewer and no more.

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { ACCOUNT_STEPS, GRANT_STEPS } from '../../shared/core/states.ts';

const text = readFileSync(new URL('../../docs/STATES.md', import.meta.url), 'utf8');

function drawn(name: string): string[] {
  const picture = text.split(`<!-- ${name} -->`)[1]?.split('```')[1] ?? '';
  const arrows = [...picture.matchAll(/^ +(\S+) --> (\S+?)(?::|$)/gm)].map(([, from, to]) => [from, to]);
  return arrows.flatMap(([from, to]) => (to === '[*]' ? [] : [`${from === '[*]' ? 'none' : from} ${to}`])).sort();
}

it.each([
  ['GRANT_STEPS', GRANT_STEPS],
  ['ACCOUNT_STEPS', ACCOUNT_STEPS],
] as const)('docs/STATES.md draws %s as they are', (name, steps) => {
  const written = Object.entries(steps).flatMap(([from, tos]) => tos.map((to: string) => `${from} ${to}`));
  expect(drawn(name)).toEqual(written.sort());
});
