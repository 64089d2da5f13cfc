// The plugin's README is true: each of its examples is run as it is, but for Keydesk's URL.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parsePipeline } from '../../../sandbox/fakes/buildkite/pipeline.ts';
import { runStep } from '../../../sandbox/fakes/buildkite/step.ts';
import { type FakeAws, startFakeAws } from '../../../sandbox/fakes/issuers/aws.ts';
import { ROOT } from '../../../sandbox/functions.ts';
import { type InProcessKeydesk, openInProcessKeydesk } from '../../fixtures/in-process-keydesk.ts';
import { PLUGIN, USE_CREDENTIALS } from './step.ts';

const readme = readFileSync(join(PLUGIN, 'README.md'), 'utf8');
const steps = [...readme.matchAll(/```yaml\n([\s\S]*?)```/g)].flatMap(([, text = '']) =>
  // The other one is part of a pod.
  text.startsWith('volumes:') ? [] : parsePipeline(text),
);

/**
 * A fake of the docker and docker-compose plugins: its command hook runs docker with what the real ones pass. Source:
 * commands/run.sh of docker-buildkite-plugin and of docker-compose-buildkite-plugin.
 */
const dockerHook = (prefix: string, run: string) => `#!/bin/bash
set -euo pipefail
args=()
for variable in "\${!BUILDKITE_PLUGIN_${prefix}_ENVIRONMENT_@}"; do args+=(--env "\${!variable}"); done
if [[ "\${BUILDKITE_PLUGIN_${prefix}_PROPAGATE_GCP_AUTH_TOKENS:-false}" == true ]]; then
  for variable in GOOGLE_APPLICATION_CREDENTIALS CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE BUILDKITE_OIDC_TMPDIR; do
    [[ -z "\${!variable:-}" ]] || args+=(--env "$variable")
  done
  [[ -z "\${BUILDKITE_OIDC_TMPDIR:-}" ]] || args+=(--volume "$BUILDKITE_OIDC_TMPDIR:$BUILDKITE_OIDC_TMPDIR")
fi
docker ${run} "\${args[@]}" image /bin/sh -e -c "$BUILDKITE_COMMAND"
`;

const DOCKER_PLUGINS = [
  ['docker', 'DOCKER', 'run'],
  ['docker-compose', 'DOCKER_COMPOSE', 'compose run'],
] as const;

/** A fake docker: what runs has the variables that are passed and no others, and none may name a file that is not mounted. */
const DOCKER = `#!/bin/bash
set -euo pipefail
[[ "$1" != compose ]] || shift
[[ "$1" == run ]] && shift
variables=() mounted=none
while [[ "$1" == --* ]]; do
  case "$1" in
    --env) variables+=("$2=\${!2}") ;;
    --volume) mounted="\${2%%:*}" ;;
    *) exit 125 ;;
  esac
  shift 2
done
shift
for variable in "\${variables[@]}"; do
  [[ "\${variable#*=}" != "$KEYDESK_DIR"* || "\${variable#*=}" == "$mounted"* ]] || exit 126
done
exec env -i PATH="$NODE_ONLY" "\${variables[@]}" "$@"
`;

describe('the README of the plugin', () => {
  let keydesk: InProcessKeydesk;
  let folder: string;
  let aws: FakeAws;
  beforeAll(async () => {
    keydesk = await openInProcessKeydesk();
    aws = await startFakeAws({ clock: keydesk.clock });
    folder = mkdtempSync(join(tmpdir(), 'keydesk-plugin-readme-'));
    const scripts = {
      'deploy.sh': USE_CREDENTIALS,
      'export.sh': `[ $# = 0 ] && [ -n "$EXPORT_TOKEN" ] && GOOGLE_APPLICATION_CREDENTIALS="$EXPORT_CREDENTIALS" ${USE_CREDENTIALS}`,
      'test.sh': `! command -v buildkite-agent && ${USE_CREDENTIALS}`,
      'machine.sh': `printf 'sha256 %s\n' "$(printf %s "$EXPORT_TOKEN" | sha256sum | cut -c1-64)"`,
      'compose.sh': `! command -v buildkite-agent && [ -z "\${GOOGLE_APPLICATION_CREDENTIALS-}" ] && [ -n "$EXPORT_TOKEN" ] &&
        GOOGLE_APPLICATION_CREDENTIALS="$EXPORT_CREDENTIALS" ${USE_CREDENTIALS}`,
    };
    for (const [name, script] of Object.entries(scripts))
      writeFileSync(join(folder, name), `#!/bin/sh\nset -e\n${script}\n`, { mode: 0o755 });
    for (const [name, prefix, run] of DOCKER_PLUGINS) {
      mkdirSync(join(folder, name, 'hooks'), { recursive: true });
      writeFileSync(join(folder, name, 'hooks/command'), dockerHook(prefix, run), { mode: 0o755 });
    }
    mkdirSync(join(folder, 'bin'));
    writeFileSync(join(folder, 'bin/docker'), DOCKER, { mode: 0o755 });
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await aws.close();
    await keydesk.close();
  });

  it('has examples', () => {
    expect(steps.map(({ key }) => key)).toEqual(['deploy', 'export', 'test', 'compose', 'machine']);
  });

  it('says correctly which credentials work in a container: none with an executable', async () => {
    const [step] = steps.filter(({ key }) => key === 'test');
    if (!step) throw new Error('no such step');
    const [{ reference, configuration } = { reference: '', configuration: {} }, ...others] = step.plugins;
    const { 'job-token': _, lifetime: __, ...rest } = configuration;
    const ran = await runStep({
      step: {
        ...step,
        plugins: [
          { reference, configuration: { ...rest, url: keydesk.tokenUrl, audience: String(configuration.url) } },
          ...others,
        ],
      },
      job: keydesk.buildkite.startJob({ step_key: step.key }),
      buildkite: keydesk.buildkite,
      plugins: { keydesk: PLUGIN, docker: join(folder, 'docker') },
      environment: { NODE_ONLY: `${join(ROOT, 'node_modules/.bin')}:/usr/bin:/bin` },
      path: [join(folder, 'bin'), join(ROOT, 'node_modules/.bin')],
      checkout: folder,
    });
    // The fake docker's word for a file that is not mounted.
    expect(ran.exitCode).toBe(126);
  });

  it('puts no secret into arguments', () => {
    expect(steps.filter(({ command }) => command.includes('$'))).toEqual([]);
  });

  it('agrees with docs/CLIENTS.md on each client', () => {
    const clients = readFileSync(join(PLUGIN, '../docs/CLIENTS.md'), 'utf8');
    const [, run = ''] =
      /for as long as the step runs: ([^;]*) were run with it;/.exec(readme.replaceAll('\n', ' ')) ?? [];
    const rows = [...clients.matchAll(/^\| (Node|Python|gcloud|Go|Java)\b.* \| run \|$/gm)];
    expect(new Set(rows.map(([, client]) => client)).size).toBe(5);
    for (const [, client] of rows) expect(run).toContain(client);
    expect(readme).toContain('](../docs/CLIENTS.md)');
  });

  it.each(steps.map((step) => [step.label, step] as const))('shows a step that works: %s', async (_, step) => {
    const plugins = step.plugins.map(({ reference, configuration }) =>
      reference.startsWith('acme/keydesk#')
        ? { reference, configuration: { ...configuration, url: keydesk.tokenUrl, audience: String(configuration.url) } }
        : { reference, configuration },
    );
    const job = keydesk.buildkite.startJob({ step_key: step.key });
    const ran = await runStep({
      step: { ...step, plugins },
      job,
      buildkite: keydesk.buildkite,
      plugins: {
        keydesk: PLUGIN,
        ...Object.fromEntries(DOCKER_PLUGINS.map(([name]) => [name, join(folder, name)])),
      },
      environment: {
        NODE_ONLY: `${join(ROOT, 'node_modules/.bin')}:/usr/bin:/bin`,
        AWS_EC2_METADATA_SERVICE_ENDPOINT: aws.metadataUrl,
        AWS_ENDPOINT_URL_STS: aws.stsUrl,
      },
      path: [join(folder, 'bin'), join(ROOT, 'node_modules/.bin')],
      checkout: folder,
    });
    expect([ran.exitCode, ran.output]).toEqual([0, expect.stringMatching(/^sha256 [0-9a-f]{64}$/m)]);
    expect(ran.leftBehind).toEqual([]);
  });

  it('quotes the messages of pre-exit', () => {
    const code = readFileSync(join(PLUGIN, 'lib/release.bash'), 'utf8');
    const table = readme.slice(readme.indexOf('| it says |'), readme.indexOf('## Requirements'));
    const said = [...table.matchAll(/^\| `(.*?)` \|/gm)].map(([, text = '']) => text);
    expect(said).toHaveLength(6);
    for (const text of said)
      for (const part of text.split(/…|\(…\)/)) expect(code).toContain(part.replace(/^[); ]+|[( ]+$/g, ''));
  });
});
