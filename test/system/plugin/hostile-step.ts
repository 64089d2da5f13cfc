// Text that does something wherever it is run, and a step whose secrets must not come to light.

import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { PluginConfiguration } from '../../../sandbox/fakes/buildkite/plugin.ts';
import type { InProcessKeydesk } from '../../fixtures/in-process-keydesk.ts';
import { recorder, runAStep, SECRET, USE_CREDENTIALS } from './step.ts';

interface Place {
  readonly service: InProcessKeydesk;
  /** A folder of the test's own. */
  readonly folder: string;
}

/** Text that makes the file `ran` in the folder wherever it is evaluated, split or expanded. */
export function evilIn(folder: string): string {
  return `a b"c'd\\e*?[f]$(touch ${folder}/ran)\`touch ${folder}/ran\`\${HOME}; touch ${folder}/ran #&|<>%s`;
}

export function expectNothingRan(folder: string): void {
  expect(existsSync(join(folder, 'ran'))).toBe(false);
}

/** A whole step with every kind of secret in it; none of them may come to light anywhere. @returns the arguments of curl, one a line */
export async function runWholeStep(
  { service, folder }: Place,
  options: { use?: PluginConfiguration; environment?: Record<string, string> } = {},
) {
  const token = join(mkdtempSync(join(folder, 'token-')), 'token');
  const curl = recorder(folder, 'curl');
  // Not with the shell, which may be tracing.
  const keep = `node -e 'require("fs").writeFileSync("${token}", process.env.EXPORT)'`;
  const ran = await runAStep(service, {
    command: `${keep}; unset http_proxy ALL_PROXY; ${USE_CREDENTIALS}`,
    uses: [{ credentials: ['staging-config', { name: 'staging-export', token: 'EXPORT' }], ...options.use }],
    environment: options.environment ?? {},
    path: [curl.folder],
  });
  expect(ran.raw).not.toMatch(SECRET);
  expect(curl.calls()).not.toMatch(SECRET);
  const handed = readFileSync(token, 'utf8');
  expect(handed).toMatch(SECRET);
  expect((await service.introspect(handed)).json.credential).toBe('staging-export');
  expect(ran.raw).toMatch(/^sha256 [0-9a-f]{64}$/m);
  expect(ran.exitCode).toBe(0);
  expect(ran.leftBehind).toEqual([]);
  expectNothingRan(folder);
  return curl.calls();
}
