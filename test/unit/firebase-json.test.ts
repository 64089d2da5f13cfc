// What `firebase deploy` would find in a fresh clone.

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

it('has in firebase.json nothing that firebase deploy would deploy', () => {
  const config = readFileSync(new URL('../../firebase.json', import.meta.url), 'utf8');
  expect(Object.keys(JSON.parse(config))).toEqual(['emulators']);
});
