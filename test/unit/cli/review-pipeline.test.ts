// The pipeline that reviews each month: the month before, with the evidence that is there, and the exit code of the review.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { parsePipeline } from '../../../sandbox/fakes/buildkite/pipeline.ts';

const FILE = new URL('../../../examples/pipeline.audit.yml', import.meta.url);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keydesk-audit-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function run(code: number) {
  const tool = (name: string, script: string) =>
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  tool('keydesk', `echo "$*"; exit ${code}`);
  tool('jq', 'cat "$2"');
  const [step] = parsePipeline(readFileSync(FILE, 'utf8'));
  if (!step) throw new Error('the pipeline has no step');
  return spawnSync('/bin/bash', ['-e', '-c', step.command], {
    cwd: folder,
    env: { PATH: `${folder}:${process.env.PATH}`, KEYDESK_PROJECT: 'acme-keydesk', KEYDESK_LOG_VIEW: 'the view' },
    encoding: 'utf8',
  });
}

it.each([0, 1, 2])('ends with the exit code %i of the review, and keeps its files', (code) => {
  const { status, stdout } = run(code);
  expect(status).toBe(code);
  expect(stdout).toMatch(/^review --from .* --csv grants\.csv --json$/m);
  expect(readFileSync(join(folder, 'summary.json'), 'utf8')).toBe(stdout);
});

it('reviews from the first day of a month until the first day of the next', () => {
  const [, from = '', to = ''] =
    /--from (\S+) --to (\S+) --project acme-keydesk --view the view/.exec(run(0).stdout) ?? [];
  const next = new Date(`${from}T00:00:00Z`);
  next.setUTCMonth(next.getUTCMonth() + 1);
  expect([from.slice(-3), `${to}T00:00:00.000Z`]).toEqual(['-01', next.toISOString()]);
});

it('gives the evidence that earlier steps left', () => {
  expect(run(0).stdout).not.toContain('--doctor');
  for (const name of ['doctor.json', 'data-access.json']) writeFileSync(join(folder, name), '{}');
  expect(run(0).stdout).toContain('--doctor doctor.json --touches data-access.json');
});
