// The sandbox's shell, from a script on its standard input, and its commands. One run, because a start takes long. The clients
// that its variables point at the sandbox are in shell-clients.deep.ts.

import { beforeAll, describe, expect, it } from 'vitest';
import { partsOf, runInShell, type ShellRun } from './sandbox-shell.ts';

const SCRIPT = `
echo "== variables"
echo "$BUILDKITE_PIPELINE_SLUG $BUILDKITE_BRANCH $BUILDKITE_STEP_KEY [$FIRESTORE_EMULATOR_HOST]"
echo "== agent"
buildkite-agent oidc request-token --audience https://keydesk.acme.example --claim pipeline_id --lifetime 60 --format gcp
buildkite-agent oidc request-token --job other 2>&1; echo "exit $?"
echo "== curl"
bash examples/push-config.sh
echo "== start-job"
before=$BUILDKITE_JOB_ID
start-job credential=production-config
[ "$before" = "$BUILDKITE_JOB_ID" ] || echo "$BUILDKITE_STEP_KEY"
curl -sS -X POST -H "Authorization: Bearer $JOB_TOKEN" -H "Accept: text/plain" $KEYDESK/token/production-config; echo
start-job build_brunch=main 2>&1; echo "exit $?"
echo "== step"
step examples/pipeline.release.yml deploy-production
step examples/pipeline.release.yml 2>&1; echo "exit $?"
echo "== mistakes"
start-job
mistaken=$(mktemp)
for keys in "url: https://keydesk.acme.example, audience: https://other.example" "url: https://other.example" \
  "url: https://keydesk.acme.example/token" "url: keydesk.acme.example" "urls: https://keydesk.acme.example"; do
  echo "steps: [{ command: 'true', plugins: [acme/keydesk#v0.1.0: { $keys, credentials: staging-config }] }]" > "$mistaken"
  echo "-- $keys"; step "$mistaken" 2>&1; echo "exit $?"
done
rm "$mistaken"
echo "== keydesk"
keydesk policy explain --claim pipeline=web --claim build_branch=main --claim build_source=webhook staging-config
echo "== finish-job"
start-job build_branch=release/1
curl -sS -X POST -H "Authorization: Bearer $JOB_TOKEN" -H "Accept: text/plain" $KEYDESK/token/staging-config > /dev/null
finish-job
buildkite-agent oidc request-token --audience https://keydesk.acme.example 2>&1; echo "exit $?"
sweep
echo "== nested"
bash -c 'echo "$BUILDKITE_BRANCH"'
exit 7
`;

describe('the shell of the sandbox', () => {
  let ran: ShellRun;
  let parts: ReadonlyMap<string, string>;
  beforeAll(async () => {
    ran = await runInShell(SCRIPT);
    parts = partsOf(ran.stdout);
  });

  it("ends with the script's exit code, and prints nothing of its own on standard output", () => {
    expect(ran.exitCode, ran.stderr).toBe(7);
    expect(ran.stdout).toMatch(/^== variables\n/);
    expect(ran.stderr).toContain('Things to try:');
  });

  it('has the variables of a running job, and none that keeps tokens from the emulator', () => {
    expect(parts.get('variables')).toBe('web main deploy []\n');
  });

  it('has an agent that requests job tokens, and refuses flags that it does not know', () => {
    const [token = '', ...refusal] = parts.get('agent')?.split('\n') ?? [];
    expect(JSON.parse(token)).toMatchObject({ success: true, version: 1, id_token: expect.stringMatching(/^eyJ/) });
    expect(refusal.join('\n')).toMatch(/fatal: .*job[\s\S]*exit 1/);
  });

  it('runs the step with curl of the docs', () => {
    expect(parts.get('curl')).toContain('"replicas"');
  });

  it('starts jobs with claims, updates the variables, and refuses unknown claims', () => {
    const lines = parts.get('start-job')?.split('\n') ?? [];
    expect(lines.slice(1, 3)).toEqual(['deploy-production', expect.stringMatching(/^eyJ/)]);
    expect(lines.slice(3).join('\n')).toMatch(/build_brunch cannot be chosen[\s\S]*exit 1/);
  });

  it('runs a step of a pipeline with the plugin, as a job of its own', () => {
    const step = parts.get('step') ?? '';
    expect(step).toContain('production-config: released');
    expect(step).toMatch(/name one of the steps: deploy-staging, deploy-production\nexit 2/);
  });

  it('leaves mistakes in the configuration of the plugin for the plugin and Keydesk to report', () => {
    const [audience, host, path, scheme, key] = (parts.get('mistakes') ?? '').split(/^-- /m).slice(1);
    for (const refused of [audience, host])
      expect(refused).toContain('The job token has the audience https://other.example');
    expect(path).toContain('The job token has the audience https://keydesk.acme.example/token');
    expect(scheme).toContain('url: must be https://');
    expect(key).toMatch(/urls: unknown key[\s\S]*url: is required|url: is required[\s\S]*urls: unknown key/);
    for (const failed of [audience, host, path, scheme, key]) expect(failed).toMatch(/exit [1-9]/);
  });

  it('has the command keydesk with the policy of the sandbox', () => {
    expect(parts.get('keydesk')).toContain('staging-config');
  });

  it('finishes the job with its webhook, after which the agent gets no token', () => {
    const lines = parts.get('finish-job') ?? '';
    expect(lines).toContain('{"result":"job_ended","revoked":1,');
    expect(lines).toMatch(/401 Invalid access token\nexit 1/);
    expect(lines).toContain('"jobs_checked"');
  });

  it('gives the variables to programs', () => {
    expect(parts.get('nested')).toBe('release/1\n');
  });
});
