// gcloud and gsutil keep access tokens on disk. With the plugin, they keep them in a folder of the job. The next job on the
// same agent, in the same home, finds none of them, whatever ended the job before it.

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type InProcessKeydesk, openInProcessKeydesk } from '../../fixtures/in-process-keydesk.ts';
import { needs } from '../../fixtures/needs.ts';
import { gcloudEnvironment } from '../clients/gcloud.ts';
import { runAStep, SECRET, type StepSetup, startAStep } from './step.ts';

/** The folders of gcloud and gsutil, from the job's variables or by default, as gcloud and boto find them. */
const KEPT = `gcloud="\${CLOUDSDK_CONFIG:-$HOME/.config/gcloud}"
  gsutil="$HOME/.gsutil"
  IFS=:; for file in \${BOTO_CONFIG:-\${BOTO_PATH:-$HOME/.boto}}; do
    [ ! -r "$file" ] || said="$(sed -n 's/^state_dir = //p' "$file")"; gsutil="\${said:-$gsutil}"
  done; unset IFS`;
/** Fakes of gcloud and gsutil: one logs in and keeps its tokens, the other uses the tokens that it finds. */
const LOG_IN = `${KEPT}; mkdir -p "$gcloud" "$gsutil"
  for file in "$gcloud/access_tokens.db" "$gcloud/credentials.db" "$gsutil/credstore2"; do printf 'of job A' >"$file"; done`;
const FIND = `${KEPT}; for file in "$gcloud/access_tokens.db" "$gcloud/credentials.db" "$gsutil/credstore2"; do
    [ ! -e "$file" ] || echo "found: $(cat "$file")"; done`;

let keydesk: InProcessKeydesk;
let folder: string;
let home: string;
beforeAll(async () => {
  keydesk = await openInProcessKeydesk();
});
afterAll(() => keydesk.close());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keydesk-clients-'));
  home = join(folder, 'home');
  for (const name of ['home', 'tmp']) mkdirSync(join(folder, name));
  return () => rmSync(folder, { recursive: true, force: true });
});

/** A job on one agent, whose jobs share a home and a temporary folder. */
const onTheAgent = (step: StepSetup = {}): StepSetup => ({
  ...step,
  environment: { HOME: home, TMPDIR: join(folder, 'tmp'), ...step.environment },
});
const inHome = () => readdirSync(home, { recursive: true, encoding: 'utf8' }).sort();
/** A job without the plugin. */
const withoutPlugin = { uses: [] };

describe('the state of a job’s gcloud and gsutil', () => {
  it.each([
    ['ends', 'true', 0],
    ['fails', 'exit 3', 3],
  ])('is not found by the next job once the job %s', async (_, then, code) => {
    const { exitCode } = await runAStep(keydesk, onTheAgent({ command: `${LOG_IN}; ${FIND}; ${then}` }));
    expect(exitCode).toBe(code);
    expect(inHome()).toEqual([]);
    expect(readdirSync(join(folder, 'tmp'))).toEqual([]);
    for (const uses of [[{}], []]) {
      const { output } = await runAStep(keydesk, onTheAgent({ command: `${FIND}; echo looked`, uses }));
      expect(output).toContain('looked');
      expect(output).not.toContain('found:');
    }
  });

  it('is found in every command and hook while the job runs', async () => {
    const { output } = await runAStep(keydesk, onTheAgent({ command: LOG_IN, uses: [{}, {}], upload: FIND }));
    expect(output.match(/^found: of job A$/gm)).toHaveLength(3);
  });

  it('is not used by the next job when the machine or the agent was killed', async () => {
    const running = startAStep(keydesk, onTheAgent({ command: `${LOG_IN}; echo kept; sleep 60`, graceMs: 0 }));
    await running.saw('kept');
    running.cancel();
    await running.finished;
    const [left = ''] = readdirSync(join(folder, 'tmp'));
    expect(existsSync(join(folder, 'tmp', left, 'clients/gcloud/access_tokens.db'))).toBe(true);
    expect((await runAStep(keydesk, onTheAgent({ command: FIND }))).output).not.toContain('found:');
    // The folder's process is the test's own, which still runs. Once it has ended, the next job removes the folder.
    const [, ...where] = readFileSync(join(folder, 'tmp', left, 'process'), 'utf8').split(' ');
    writeFileSync(join(folder, 'tmp', left, 'process'), ['999999999', ...where].join(' '));
    await runAStep(keydesk, onTheAgent());
    expect(readdirSync(join(folder, 'tmp'))).toEqual([]);
  });

  it('is in the default folders for a step that has no credential file', async () => {
    const uses = [{ credentials: { name: 'staging-config', token: 'CONFIG' } }];
    const { environment } = await runAStep(keydesk, onTheAgent({ uses }));
    for (const name of ['CLOUDSDK_CONFIG', 'BOTO_PATH']) expect(environment).not.toHaveProperty(name);
  });
});

describe('the setup of the agent’s owner', () => {
  const settings: Readonly<Record<string, string>> = {
    active_config: 'staging',
    'configurations/config_staging': '[core]\nproject = acme-staging\n',
    'credentials.db': 'logins of the owner',
    'application_default_credentials.json': '{}',
    'legacy_credentials/ci@acme.example/.boto': '[Credentials]\n',
    'legacy_credentials/ci@acme.example/adc.json': '{}',
  };
  const others = { 'access_tokens.db': 'a token of another job', 'logs/2026/x.log': 'a line', 'virtenv/python': '' };

  function write(base: string, files: Readonly<Record<string, string>>): void {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(join(base, name, '..'), { recursive: true });
      writeFileSync(join(base, name), text);
    }
  }
  const list =
    'cd "$CLOUDSDK_CONFIG"; find . -type f | sort | while read -r file; do echo "has $file: $(cat "$file")"; done';

  it.each([
    ['in the home', '.config/gcloud', {}],
    ['where CLOUDSDK_CONFIG says', 'elsewhere', { CLOUDSDK_CONFIG: 'elsewhere' }],
  ])('for gcloud %s holds for the job, with its logins and without tokens', async (_, at, names) => {
    const base = join(home, at);
    write(base, { ...settings, ...others });
    const environment = Object.fromEntries(Object.entries(names).map(([name, value]) => [name, join(home, value)]));
    const { output, exitCode } = await runAStep(keydesk, onTheAgent({ command: list, environment }));
    expect(exitCode).toBe(0);
    expect([...output.matchAll(/^has \.\/(.*?): /gm)].map(([, name]) => name)).toEqual(Object.keys(settings).sort());
    expect(output).toContain('has ./credentials.db: logins of the owner\n');
    expect(output).not.toContain('another job');
    expect(readFileSync(join(base, 'access_tokens.db'), 'utf8')).toBe(others['access_tokens.db']);
  });

  it('for gcloud is not read where it is no file, so that no pipe blocks the step', async () => {
    write(join(home, '.config/gcloud'), { active_config: 'default' });
    symlinkSync('/dev/zero', join(home, '.config/gcloud/credentials.db'));
    symlinkSync(join(folder, 'nowhere'), join(home, '.config/gcloud/properties'));
    const { output, exitCode } = await runAStep(keydesk, onTheAgent({ command: list }));
    expect(exitCode).toBe(0);
    expect(output.match(/^has /gm)).toHaveLength(1);
  });

  it.each([
    ['sets nothing', {}, '/etc/boto.cfg:~/.boto:'],
    ['sets BOTO_CONFIG', { BOTO_CONFIG: '/of the owner/a*.cfg' }, '/of the owner/a*.cfg:'],
    ['sets BOTO_PATH', { BOTO_PATH: '/a.cfg:/b.cfg' }, '/a.cfg:/b.cfg:'],
    ['sets both', { BOTO_CONFIG: '/c.cfg', BOTO_PATH: '/a.cfg:/b.cfg' }, '/c.cfg:'],
  ])('for gsutil is read before the file of the job, where the owner %s', async (_, owners, before) => {
    const command = `echo "config: $BOTO_CONFIG"; cat "\${BOTO_PATH##*:}"`;
    const { environment, output } = await runAStep(keydesk, onTheAgent({ environment: owners, command }));
    const { KEYDESK_DIR, BOTO_PATH } = environment;
    expect(BOTO_PATH).toBe(`${before}${KEYDESK_DIR}/clients/boto`);
    expect(output).toContain(`config: \n[GSUtil]\nstate_dir = ${KEYDESK_DIR}/clients/gsutil\n`);
  });
});

const gcloud = needs('gcloud');
describe.skipIf(gcloud.missing)(gcloud.title('the real clients'), () => {
  const LOG_IN_WITH_GCLOUD = 'gcloud auth login --cred-file="$GOOGLE_APPLICATION_CREDENTIALS" 2>&1';
  const SHOW = 'gcloud auth print-access-token >"$SHOWN" 2>&1 || echo "gcloud has none"';
  const environment = () => {
    const { CLOUDSDK_CONFIG: _, ...quiet } = gcloudEnvironment(folder);
    return { ...quiet, SHOWN: join(folder, 'shown') };
  };
  const shown = () => readFileSync(join(folder, 'shown'), 'utf8');
  const uses = [{ credentials: 'staging-export' }];

  it('gcloud keeps its token in the job’s folder, and the next job has none', async () => {
    const first = await runAStep(
      keydesk,
      onTheAgent({ uses, command: `${LOG_IN_WITH_GCLOUD}; ${SHOW}`, environment: environment() }),
    );
    expect(first.exitCode).toBe(0);
    expect(shown()).toMatch(SECRET);
    expect(inHome().filter((name) => /\.db$/.test(name))).toEqual([]);
    const lines = keydesk.audit.length;
    const second = await runAStep(keydesk, onTheAgent({ ...withoutPlugin, command: SHOW, environment: environment() }));
    expect(second.output).toContain('gcloud has none');
    expect(shown()).not.toMatch(SECRET);
    expect(keydesk.audit.slice(lines)).toEqual([]);
  });

  it('gcloud uses no token that a job without the plugin has left in the home', async () => {
    const file = join(folder, 'credential.json');
    const command = `cp "$GOOGLE_APPLICATION_CREDENTIALS" '${file}'; unset CLOUDSDK_CONFIG; ${LOG_IN_WITH_GCLOUD}; ${SHOW}`;
    await runAStep(keydesk, onTheAgent({ uses, command, environment: environment() }));
    expect(shown()).toMatch(SECRET);
    expect(inHome()).toContain('.config/gcloud/access_tokens.db');
    const second = await runAStep(keydesk, onTheAgent({ command: SHOW, environment: environment() }));
    expect(second.output).toContain('gcloud has none');
    expect(shown()).not.toMatch(SECRET);
  });

  const gsutil = needs('gsutil', { install: 'the Google Cloud CLI' });
  it.skipIf(gsutil.missing)(gsutil.title('gsutil keeps its token in the job’s folder'), async () => {
    // It gets a token, keeps it, and reaches nothing at that address.
    const options = ['Credentials:gs_json_host=127.0.0.1', 'Credentials:gs_json_port=9', 'Boto:num_retries=0']
      .map((option) => `-o ${option}`)
      .join(' ');
    const command = `gsutil -o "Credentials:gs_external_account_file=$GOOGLE_APPLICATION_CREDENTIALS" ${options} ls gs://acme-ci-cache 2>&1 | tail -n 3
      find "$HOME" "$KEYDESK_DIR" -name credstore2`;
    const env = { ...environment(), CLOUDSDK_CORE_PASS_CREDENTIALS_TO_GSUTIL: '0' };
    const { output, environment: after } = await runAStep(keydesk, onTheAgent({ uses, command, environment: env }));
    expect(output).toContain(`${after.KEYDESK_DIR}/clients/gsutil/credstore2\n`);
    expect(output).not.toContain(`${home}/.gsutil/credstore2`);
  });
});
