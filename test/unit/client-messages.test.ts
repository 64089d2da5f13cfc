// The refusals that docs/CLIENTS.md quotes have the words of the code.

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { JOB_ENDED, NOT_GRANTED } from '../fixtures/refusals.ts';

const page = readFileSync(new URL('../../docs/CLIENTS.md', import.meta.url), 'utf8');
const section = page.slice(page.indexOf('## How a refusal looks'), page.indexOf("## Variables of the sandbox's shell"));

it("has the service's words after an error code, up to an ellipsis or the request ID", () => {
  const quoted = [...section.matchAll(/`[^`]*?\b(invalid_\w+): (?!…)(.+?)(?: …)? Request id: …`/g)];
  expect(quoted.map(([, code]) => code)).toEqual(['invalid_target', 'invalid_grant']);
  for (const [, code, text] of quoted)
    expect(code === 'invalid_target' ? NOT_GRANTED : JOB_ENDED).toMatch(new RegExp(`^${RegExp.escape(String(text))}`));
});
