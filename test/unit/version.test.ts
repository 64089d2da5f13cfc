// The version that the command and GET /health name.

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { VERSION } from '../../shared/version.ts';

it.each(['package.json', 'package-lock.json'])('equals the version in %s', (file) => {
  expect(JSON.parse(readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')).version).toBe(VERSION);
});
