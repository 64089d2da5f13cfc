// The plugin's README is true: each of its examples is run as it stands, but for where the desk is.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parsePipeline } from '../../../sandbox/fakes/buildkite/pipeline.ts';
import { runStep } from '../../../sandbox/fakes/buildkite/step.ts';
import { ROOT } from '../../../sandbox/functions.ts';
import { type InProcessKeydesk, openInProcessKeydesk } from '../../fixtures/in-process-keydesk.ts';
import { PLUGIN, USE_CREDENTIALS } from './step.ts';

const readme = readFileSync(join(PLUGIN, 'README.md'), 'utf8');
const steps = [...readme.matchAll(/```yaml\n([\s\S]*?)```/g)].flatMap(([, text = '']) => parsePipeline(text));

/** Stands for the docker plugin: its command hook passes on what the real one does, and nothing else of the step. */
const DOCKER_HOOK = `#!/bin/bash
set -euo pipefail
[[ "$BUILDKITE_PLUGIN_DOCKER_PROPAGATE_GCP_AUTH_TOKENS" == true && -d "$BUILDKITE_OIDC_TMPDIR" ]]
[[ "$GOOGLE_APPLICATION_CREDENTIALS" == "$BUILDKITE_OIDC_TMPDIR"/* ]]
env -i PATH="$NODE_ONLY" GOOGLE_APPLICATION_CREDENTIALS="$GOOGLE_APPLICATION_CREDENTIALS" /bin/sh -e -c "$BUILDKITE_COMMAND"
`;

describe('the README of the plugin', () => {
  let keydesk: InProcessKeydesk;
  let folder: string;
  beforeAll(async () => {
    keydesk = await openInProcessKeydesk();
    folder = mkdtempSync(join(tmpdir(), 'keydesk-plugin-readme-'));
    const scripts = {
      'deploy.sh': USE_CREDENTIALS,
      'export.sh': `[ $# = 0 ] && [ -n "$EXPORT_TOKEN" ] && GOOGLE_APPLICATION_CREDENTIALS="$EXPORT_CREDENTIALS" ${USE_CREDENTIALS}`,
      'test.sh': `! command -v buildkite-agent && ${USE_CREDENTIALS}`,
    };
    for (const [name, script] of Object.entries(scripts))
      writeFileSync(join(folder, name), `#!/bin/sh\nset -e\n${script}\n`, { mode: 0o755 });
    mkdirSync(join(folder, 'docker/hooks'), { recursive: true });
    writeFileSync(join(folder, 'docker/hooks/command'), DOCKER_HOOK, { mode: 0o755 });
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await keydesk.close();
  });

  it('has examples', () => {
    expect(steps.map(({ key }) => key)).toEqual(['deploy', 'export', 'test']);
  });

  it('puts no secret into arguments', () => {
    expect(steps.filter(({ command }) => command.includes('$'))).toEqual([]);
  });

  it('says of each client what docs/CLIENTS.md says of it', () => {
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
      plugins: { keydesk: PLUGIN, docker: join(folder, 'docker') },
      environment: { NODE_ONLY: `${join(ROOT, 'node_modules/.bin')}:/usr/bin:/bin` },
      path: [join(ROOT, 'node_modules/.bin')],
      checkout: folder,
    });
    expect([ran.exitCode, ran.output]).toEqual([0, expect.stringMatching(/^sha256 [0-9a-f]{64}$/m)]);
    expect(ran.leftBehind).toEqual([]);
  });

  it('quotes what pre-exit says', () => {
    const code = readFileSync(join(PLUGIN, 'lib/release.bash'), 'utf8');
    const table = readme.slice(readme.indexOf('| it says |'), readme.indexOf('## Needed'));
    const said = [...table.matchAll(/^\| `(.*?)` \|/gm)].map(([, text = '']) => text);
    expect(said).toHaveLength(4);
    for (const text of said)
      for (const part of text.split(/…|\(…\)/)) expect(code).toContain(part.replace(/[()]/g, '').trim());
  });
});
