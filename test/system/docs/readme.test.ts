// The examples on the pages are the files in examples/, and do what is said of them with real curl.

import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { ROOT } from '../../../sandbox/functions.ts';
import { parsePolicy } from '../../../shared/core/policy/parse-yaml.ts';
import { newRulesFile } from '../../../shared/core/security-rules/generate.ts';
import { KEYDESK } from '../../fixtures/command.ts';
import { databaseOf, type InProcessKeydesk, openInProcessKeydesk } from '../../fixtures/in-process-keydesk.ts';

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const PAGES = ['README.md', 'docs/POLICY.md', 'docs/CLIENTS.md', 'docs/OPERATIONS.md'];
/** Each example that a page shows: the page, the file, and what is shown. */
const SHOWN = PAGES.flatMap((page) =>
  [...read(page).matchAll(/<!-- (examples\/\S+) -->\n```\w+\n([\s\S]*?)```/g)].map(
    ([, path = '', text = '']) => [page, path, text] as const,
  ),
);

describe('the examples', () => {
  it.each(SHOWN)('%s shows %s as it is', (_, path, text) => {
    expect(text).toBe(read(path));
  });

  it('are shown on the pages for which they are written', () => {
    expect(SHOWN.map(([page, path]) => `${page}: ${path}`).sort()).toEqual([
      'README.md: examples/first-policy.yaml',
      'README.md: examples/first-step.yml',
      'docs/CLIENTS.md: examples/approvals/request.sh',
      'docs/CLIENTS.md: examples/clients/WriteObject.java',
      'docs/CLIENTS.md: examples/clients/firestore.mjs',
      'docs/CLIENTS.md: examples/clients/storage.go',
      'docs/CLIENTS.md: examples/clients/storage.mjs',
      'docs/CLIENTS.md: examples/credentials/executable.json',
      'docs/CLIENTS.md: examples/pipeline.release.yml',
      'docs/CLIENTS.md: examples/push-config.sh',
      'docs/CLIENTS.md: examples/read_config.py',
      'docs/OPERATIONS.md: examples/pipeline.live.yml',
      'docs/POLICY.md: examples/pipeline.policy.yml',
      'docs/POLICY.md: examples/policy.test.yaml',
      'docs/POLICY.md: examples/policy.yaml',
    ]);
  });

  it('have a policy that is one, in the README too', () => {
    for (const path of ['examples/policy.yaml', 'examples/first-policy.yaml'])
      expect(parsePolicy(read(path), path)).not.toHaveProperty('problems');
  });

  it("has the example policy's rules in examples/firestore.rules", () => {
    const loaded = parsePolicy(read('examples/policy.yaml'), 'examples/policy.yaml');
    if ('problems' in loaded) throw new Error(loaded.problems.join('\n'));
    const rules = newRulesFile(loaded.policy, { project: 'acme-staging', database: '(default)' });
    expect(read('examples/firestore.rules')).toBe(rules);
  });
});

describe('the step with curl', () => {
  let keydesk: InProcessKeydesk;
  let folder: string;
  beforeAll(async () => {
    keydesk = await openInProcessKeydesk({ policy: () => read('examples/policy.yaml') });
    folder = mkdtempSync(join(tmpdir(), 'keydesk-step-'));
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await keydesk.close();
  });

  async function runStep(jobToken: string) {
    const agent = join(folder, 'buildkite-agent');
    const requested = join(folder, 'asked');
    writeFileSync(agent, `#!/bin/sh\necho "$@" > '${requested}'\necho '${jobToken}'\n`);
    chmodSync(agent, 0o755);
    const ran = await promisify(execFile)('bash', [join(ROOT, 'examples/push-config.sh')], {
      env: {
        PATH: [folder, dirname(process.execPath), process.env.PATH].join(':'),
        KEYDESK: keydesk.tokenUrl,
        FIRESTORE: `http://${inject('firestoreHost')}`,
      },
    }).catch((error: { stdout: string; stderr: string; code: number }) => error);
    return { ...ran, asked: readFileSync(requested, 'utf8') };
  }

  it('writes the configuration with the token it was handed', async () => {
    await databaseOf('acme-staging', '(default)').doc('config/web').delete();
    const { stdout, asked } = await runStep(await keydesk.buildkite.jobToken(keydesk.buildkite.startJob()));
    expect(asked).toContain('oidc request-token --audience https://keydesk.acme.example --claim organization_id');
    expect(stdout).toContain('"replicas"');
    const written = await databaseOf('acme-staging', '(default)').doc('config/web').get();
    expect(written.data()).toEqual({ replicas: 3 });
  });

  it('is none the wiser of a first try that Google failed', async () => {
    let failures = 0;
    keydesk.google.before = () => {
      failures += 1;
      return failures === 1 ? { status: 500, json: {} } : undefined;
    };
    const ran = await runStep(await keydesk.buildkite.jobToken(keydesk.buildkite.startJob()));
    keydesk.google.before = undefined;
    expect(failures).toBe(2);
    expect(ran).not.toHaveProperty('code');
    expect(ran.stdout).toContain('"replicas"');
  });

  it('may give its credential back with the line that CLIENTS.md shows', async () => {
    const issued = await keydesk.requestByPath(await keydesk.buildkite.jobToken(keydesk.buildkite.startJob()));
    const [, line = ''] =
      /`(curl --data-urlencode token@- "\$KEYDESK\/revoke") <<<"\$ACCESS_TOKEN"`/.exec(read('docs/CLIENTS.md')) ?? [];
    const shell = ['-c', `${line} --silent --output /dev/null --write-out '%{http_code}' <<<"$ACCESS_TOKEN"`];
    const environment = { PATH: process.env.PATH, KEYDESK: keydesk.tokenUrl, ACCESS_TOKEN: issued.json.access_token };
    const { stdout } = await promisify(execFile)('bash', shell, { env: environment });
    expect(stdout).toBe('200');
    expect((await keydesk.introspect(issued.json.access_token)).json).toEqual({ active: false });
  });

  it('can be ended by the kill switch as OPERATIONS.md shows it', async () => {
    const issued = await keydesk.requestByPath(await keydesk.buildkite.jobToken(keydesk.buildkite.startJob()));
    const shown = [...read('docs/OPERATIONS.md').matchAll(/^keydesk ((?:kill|blocks) .*)$/gm)].map(
      ([, line]) => line as string,
    );
    expect(shown).toHaveLength(4);
    const before = keydesk.audit.length;
    const run = async (line: string) => {
      const { stdout, stderr } = await promisify(execFile)('bash', ['-c', `node '${KEYDESK}' ${line}`], {
        cwd: ROOT,
        env: {
          PATH: [dirname(process.execPath), process.env.PATH].join(':'),
          HOME: '/nonexistent',
          KEYDESK_ADMIN_URL: keydesk.adminUrl,
          KEYDESK_READER_URL: keydesk.readerUrl,
          KEYDESK_ID_TOKEN: await keydesk.google.idToken('alice@acme.example'),
        },
      });
      return stdout + stderr;
    };
    const [dryRun = '', activated = '', list = '', remove = ''] = shown;
    expect(await run(dryRun)).toContain(issued.json.grant_id);
    expect((await keydesk.introspect(issued.json.access_token)).json.active).toBe(true);
    const [, id = ''] = /The act has the id ([0-9a-f-]{36})/.exec(await run(activated)) ?? [];
    expect((await keydesk.introspect(issued.json.access_token)).json).toEqual({ active: false });
    expect(await run(list)).toContain(`${id}  environment=staging`);
    expect(await run(remove.replace(/(remove) \S+/, `$1 ${id}`))).toContain(`Removed the block ${id}`);
    expect(await run(list)).toContain('No block is in force.');
    const events = keydesk.audit.slice(before).filter(({ actor }) => actor === 'alice@acme.example');
    expect([...new Set(events.map(({ event }) => event))]).toEqual([
      'operator.read',
      'kill_switch.activated',
      'kill_switch.deactivated',
    ]);
  });

  it('fails, with what the service says, when the job has ended', async () => {
    const job = keydesk.buildkite.startJob();
    await keydesk.notify(keydesk.buildkite.event(job));
    const ran = await runStep(await keydesk.buildkite.jobToken(job));
    expect(ran).toMatchObject({ code: 1, stdout: expect.stringContaining('The job has ended') });
  });
});
