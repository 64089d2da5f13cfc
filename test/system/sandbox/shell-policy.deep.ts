// The sandbox's shell with a policy of the user. With the example policy: shell.test.ts.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from '../../../sandbox/functions.ts';
import { writePlaysPolicy } from '../../fixtures/plays-policy.ts';
import { TWO_DATABASES_POLICY } from '../../fixtures/two-databases.ts';
import { partsOf, runInShell } from './sandbox-shell.ts';

it('runs a policy of the user, and leaves no file behind', async () => {
  const temporary = mkdtempSync(join(tmpdir(), 'keydesk-shell-test-'));
  const policyFile = join(temporary, 'policy.yaml');
  writeFileSync(policyFile, TWO_DATABASES_POLICY);
  const shells = () =>
    readdirSync(tmpdir()).filter((name) => name.startsWith('keydesk-shell-') && !temporary.endsWith(name));
  const before = shells();
  const text = `echo "== job"; echo "$BUILDKITE_PIPELINE_SLUG $BUILDKITE_BRANCH $BUILDKITE_ORGANIZATION_SLUG"
    ls "$CREDENTIALS" | grep -v https | tr '\\n' ' '
    cat "$GOOGLE_APPLICATION_CREDENTIALS"`;
  const { exitCode, stdout, stderr } = await runInShell(text, policyFile);
  rmSync(temporary, { recursive: true });
  expect(exitCode, stderr).toBe(0);
  expect(stdout).toContain('web release/example other-inc\n');
  expect(stdout).toContain('cache.json first.json pooled.json second.json tenanted.json unused.json');
  expect(stdout).toContain('--claim agent_tag:queue --claim pipeline_id --format gcp');
  expect(shells()).toEqual(before);
});

it('has commands for approvals and for the token of the machine', async () => {
  const { policyFile, ledgerProject, remove } = writePlaysPolicy('shell-plays');
  const text = `
request() { curl -sS -X POST -H "Authorization: Bearer $JOB_TOKEN" -H "Accept: text/plain" "$@"; echo; }
echo "== pending"
start-job credential=production-config > /dev/null
request $KEYDESK/token/production-config
echo "== granted"
unblock
request $KEYDESK/token/production-config
echo "== refused"
start-job credential=production-repair > /dev/null
unblock by=alice > /dev/null
request $KEYDESK/token/production-repair
echo "== machine"
start-job credential=staging-users > /dev/null
request -H "Keydesk-Actor-Token: $(machine-token)" $KEYDESK/token/staging-users
machine-token other 2>&1; echo "exit $?"
echo "== step"
start-job credential=production-config build_number=7 > /dev/null
unblock > /dev/null
step "$STEP_FILE" deploy
`;
  const step = join(policyFile, '..', 'pipeline.yml');
  const pipeline = readFileSync(join(ROOT, 'examples/approvals/pipeline.yml'), 'utf8');
  writeFileSync(step, pipeline.replaceAll('acme-production', 'shell-plays-production'));
  const { exitCode, stdout, stderr } = await runInShell(`STEP_FILE='${step}'\n${text}`, policyFile, ledgerProject);
  remove();
  expect(exitCode, stderr).toBe(0);
  const parts = partsOf(stdout);
  expect(parts.get('pending')).toContain('approve-production');
  expect(parts.get('granted')).toMatch(/^\{"result":"build_recorded"\}\neyJ\S+\n$/);
  expect(parts.get('refused')).toContain('approve-repair');
  expect(parts.get('refused')).not.toContain('eyJ');
  expect(parts.get('machine')).toMatch(/^eyJ\S+\n.*no identity provider other\nexit 1\n$/);
  expect(parts.get('step')).toContain('production-config: released');
});

it('runs the commands of docs/BREAK_GLASS.md', async () => {
  const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
  const [, start = '', commands = ''] = /```sh\n(npm start .*)\n([\s\S]*?)```/.exec(read('docs/BREAK_GLASS.md')) ?? [];
  const [, example = ''] = /--policy (\S+) --shell$/.exec(start) ?? [];
  const { policyFile, ledgerProject, remove } = writePlaysPolicy('break-glass-page', read(example));
  const { exitCode, stdout, stderr } = await runInShell(commands, policyFile, ledgerProject);
  remove();
  expect(exitCode, stderr).toBe(0);
  const shown = ['authorization_pending', '{"result":"build_recorded"}', '"access_token":', '"revoked":1,', 'revoked'];
  const places = shown.map((text) => stdout.lastIndexOf(text));
  expect(places).not.toContain(-1);
  expect(places).toEqual(places.toSorted((left, right) => left - right));
});
