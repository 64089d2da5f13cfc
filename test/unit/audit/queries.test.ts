// Metrics, alerts and ready-made queries go by fields and never by words, which may change.

import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { ROOT } from '../../../sandbox/functions.ts';

const WORDS = /(?:json_?payload|failures)[.\w]*\.(?:message|error|hint|problems)\b/gi;

const filesIn = (folder: string) => readdirSync(`${ROOT}${folder}`).map((file) => `${folder}/${file}`);
const queries = [
  ...filesIn('deploy/monitoring'),
  ...filesIn('deploy/audit'),
  ...filesIn('deploy/audit/views'),
  ...filesIn('docs/playbooks'),
]
  .filter((path) => !path.endsWith('README.md') && !path.endsWith('/views'))
  .map((path) => {
    const text = readFileSync(`${ROOT}${path}`, 'utf8');
    // Of a playbook, what is to be pasted into Logs Explorer: what a person reads may be words.
    return { path, text: path.endsWith('.md') ? (text.match(/^```logging$[\s\S]*?^```$/gm) ?? []).join('\n') : text };
  });

it.each(queries)('$path reads no words', ({ text }) => {
  expect(text.match(WORDS)).toBeNull();
});

it('finds words where there are some', () => {
  expect('jsonPayload.failures.error="x" AND jsonPayload.message="y"'.match(WORDS)).toHaveLength(2);
});
