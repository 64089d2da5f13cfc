// The sandbox's shell with a policy of the user. With the example policy: shell.test.ts.

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { TWO_DATABASES_POLICY } from '../../fixtures/two-databases.ts';
import { runInShell } from './sandbox-shell.ts';

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
