// The folder that the docker plugins mount, for writing too: a container finds in it what client libraries read and
// nothing else, and whatever it leaves there, the host follows none of it.

import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { type InProcessDesk, openInProcessDesk } from '../../fixtures/in-process-desk.ts';
import { grantEvents, recorder, runAStep, USE_CREDENTIALS } from './a-step.ts';
import { type Front, openFront } from './front.ts';

const HOST_SECRET = 'host-secret-0123456789abcdef';
let desk: InProcessDesk;
let attacker: Front;
let folder: string;
beforeAll(async () => {
  desk = await openInProcessDesk();
  attacker = await openFront(desk.tokenUrl);
});
afterAll(async () => {
  await attacker.close();
  await desk.close();
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keydesk-mounted-'));
  mkdirSync(join(folder, 'precious'));
  writeFileSync(join(folder, 'secret'), HOST_SECRET);
  attacker.seen.length = 0;
  return () => rmSync(folder, { recursive: true, force: true });
});

it.each([
  ['executable', ['audience', 'claims', 'job-token', 'staging-config.json', 'staging-export.json']],
  ['file', ['job-token', 'staging-config.json', 'staging-export.json']],
])('it holds what client libraries read and no access token, with job-token: %s', async (kind, names) => {
  const credentials = [
    { name: 'staging-config', file: 'GOOGLE_APPLICATION_CREDENTIALS', token: 'CONFIG' },
    { name: 'staging-export', file: 'EXPORT_FILE', token: 'EXPORT' },
    { name: 'staging-admin', token: 'ADMIN' },
  ];
  const command = `cd "$BUILDKITE_OIDC_TMPDIR"; find . -type f | sed 's,.*/,is there: ,' | sort
    for token in "$CONFIG" "$EXPORT" "$ADMIN"; do [ -n "$token" ]; ! grep -rF -e "$token" .; done; ${USE_CREDENTIALS}`;
  const { output, exitCode, environment } = await runAStep(desk, {
    command,
    uses: [{ credentials, 'job-token': kind, ...(kind === 'file' ? { lifetime: 300 } : {}) }],
  });
  expect(exitCode).toBe(0);
  expect([...output.matchAll(/^is there: (.*)$/gm)].map(([, name]) => name)).toEqual(names);
  expect(environment.KEYDESK_DIR?.startsWith(String(environment.BUILDKITE_OIDC_TMPDIR))).toBe(false);
});

it('nothing that a container leaves in it is followed, read, sent or written to', async () => {
  const [secret, precious] = [join(folder, 'secret'), join(folder, 'precious')];
  // In every folder that there is, and in every one that there could be.
  const command = `cd "$BUILDKITE_OIDC_TMPDIR"
    for at in . $(find . -mindepth 1 -type d) 9 private private/1 mounted mounted/9; do
      mkdir -p "$at"
      rm -f "$at/url"; printf '%s' '${attacker.url}' >"$at/url"
      ln -s '${secret}' "$at/a.access-token"
      printf '%s' ya29.of-the-attacker-0123456789 >"$at/b.access-token"
      for name in b.access-token.said b.access-token.give-back/answer answer complaint; do
        mkdir -p "$(dirname "$at/$name")"; ln -sf '${secret}' "$at/$name"
      done
      ln -s '${precious}' "$at/c.access-token.give-back"
      printf '%s' ya29.of-the-attacker-0123456789 >"$at/c.access-token"
    done
    mkdir 8; printf '%s' '-K${folder}' >8/url; cp 9/b.access-token 8/`;
  const curl = recorder(folder, 'curl');
  const { exitCode, output, leftBehind, job } = await runAStep(desk, { command, path: [curl.folder] });
  expect(exitCode).toBe(0);
  expect(output.match(/given back/g)).toHaveLength(1);
  expect(output).toContain('staging-config: given back');
  expect(grantEvents(desk, job).slice(-1)).toEqual(['grant.revoked staging-config']);
  expect(attacker.seen).toEqual([]);
  expect(curl.calls()).not.toContain('-K');
  expect(readFileSync(secret, 'utf8')).toBe(HOST_SECRET);
  expect(readdirSync(precious)).toEqual([]);
  expect(leftBehind).toEqual([]);
});

it('put in its place, a link is removed and what it leads to is not', async () => {
  writeFileSync(join(folder, 'precious/file'), 'precious');
  const command = `rm -rf "$BUILDKITE_OIDC_TMPDIR"; ln -s '${join(folder, 'precious')}' "$BUILDKITE_OIDC_TMPDIR"`;
  const { exitCode, output, leftBehind } = await runAStep(desk, { command });
  expect(exitCode).toBe(0);
  expect(output).toContain('staging-config: given back');
  expect(existsSync(join(folder, 'precious/file'))).toBe(true);
  expect(leftBehind).toEqual([]);
});
