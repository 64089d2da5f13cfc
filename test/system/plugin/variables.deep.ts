// The plugin's own variables and the step's: no name that the plugin uses for itself is lost to the step, and none that
// the step exports brings what the plugin holds into the environment of another process.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type InProcessKeydesk, openInProcessKeydesk } from '../../fixtures/in-process-keydesk.ts';
import { PLUGIN, recorder, runAStep, SECRET, USE_CREDENTIALS } from './step.ts';

let keydesk: InProcessKeydesk;
let folder: string;
beforeAll(async () => {
  keydesk = await openInProcessKeydesk();
  folder = mkdtempSync(join(tmpdir(), 'keydesk-variables-'));
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await keydesk.close();
});

const code = ['hooks', 'lib', 'bin']
  .flatMap((part) => readdirSync(join(PLUGIN, part)).map((name) => readFileSync(join(PLUGIN, part, name), 'utf8')))
  .join('\n')
  .replace(/^\s*#.*$/gm, '');
/** Every name that is declared, assigned, looped over or read, but for those that no step may be given. */
const names = [
  ...new Set([
    ...[...code.matchAll(/\blocal (.*)$/gm)].flatMap(([, rest = '']) => wordsOf(rest)),
    ...[...code.matchAll(/(?:^|[\s;{(])([A-Za-z_]\w*)\+?=/gm)].map(([, name = '']) => name),
    ...[...code.matchAll(/\b(?:for|read -r) ([A-Za-z_]\w*)/g)].map(([, name = '']) => name),
    ...[...code.matchAll(/\(\(([A-Za-z_]\w*) = /g)].map(([, name = '']) => name),
  ]),
].filter((name) => !/^(KEYDESK\w*|BUILDKITE\w*|GOOGLE_EXTERNAL\w*|IFS|LC_ALL|REPLY|PATH)$/.test(name));

/** Credentials of one use: their variables have two digits. */
const MOST = 99;

function wordsOf(declaration: string): string[] {
  return [...declaration.matchAll(/(?<=^|\s)([A-Za-z_]\w*)(?==|\s|$)/g)].map(([, word = '']) => word);
}

describe('the names that the plugin uses for itself', () => {
  it('are read from its source', () => {
    expect(names).toEqual(expect.arrayContaining(['token', 'input', 'url', 'name', 'number', 'claim', 'scratches']));
    expect(names.length).toBeLessThan(2 * MOST);
  });

  it('can all be variables of the step, and hold its tokens', async () => {
    const uses = ['staging-config', 'staging-export'].map((credential, half) => ({
      credentials: names
        .slice(half * MOST, (half + 1) * MOST)
        .map((variable) => ({ name: credential, token: variable })),
    }));
    const reported = `const { env } = process; const tokens = ${JSON.stringify(names)}.map((name) => env[name]);
      console.log("tokens", tokens.filter((token) => ${SECRET}.test(token)).length, "distinct", new Set(tokens).size)`;
    for (const environment of [{}, Object.fromEntries(names.map((name) => [name, 'of-the-job']))]) {
      const { output, raw, exitCode, leftBehind } = await runAStep(keydesk, {
        command: `node -e '${reported}'`,
        uses,
        environment,
      });
      expect(output).toContain(`tokens ${names.length} distinct 2\n`);
      expect(output).toContain('staging-config: released');
      expect(output).toContain('staging-export: will not be renewed');
      expect(raw).not.toMatch(SECRET);
      expect(exitCode).toBe(0);
      expect(leftBehind).toEqual([]);
    }
  });

  it.each(['executable', 'file'])(
    'may all be exported beforehand, and give no secret away, with job-token: %s',
    async (kind) => {
      const ours = Object.fromEntries(names.map((name) => [name, 'of-the-job']));
      const [curl, agent] = [recorder(folder, 'curl'), recorder(folder, 'buildkite-agent')];
      const { exitCode, output, environment } = await runAStep(keydesk, {
        command: USE_CREDENTIALS,
        uses: [{ credentials: ['staging-config', { name: 'staging-export', file: 'EXPORT' }], 'job-token': kind }],
        environment: ours,
        path: [curl.folder, agent.folder],
      });
      expect(exitCode).toBe(0);
      expect(output).toContain('staging-config: released');
      expect(curl.calls()).toContain(`${keydesk.tokenUrl}/revoke`);
      expect(agent.calls()).toContain('request-token');
      expect(curl.environments()).toMatch(/^BUILDKITE_JOB_ID=/m);
      expect(agent.environments()).toMatch(/^BUILDKITE_JOB_ID=/m);
      expect(curl.environments()).not.toMatch(SECRET);
      expect(agent.environments()).not.toMatch(SECRET);
      expect(environment).toMatchObject(ours);
    },
  );
});
