import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type FakeBuildkite, startFakeBuildkite } from '../../../../../sandbox/fakes/buildkite/buildkite.ts';
import { parsePipeline } from '../../../../../sandbox/fakes/buildkite/pipeline.ts';
import { pluginEnvironment, pluginName, pluginSource } from '../../../../../sandbox/fakes/buildkite/plugin.ts';
import { runStep, type StepOptions, startStep } from '../../../../../sandbox/fakes/buildkite/step.ts';

let buildkite: FakeBuildkite;
let folder: string;
beforeAll(async () => {
  buildkite = await startFakeBuildkite({ audience: 'https://keydesk.acme.example', webhookToken: 'token' });
});
afterAll(() => buildkite.close());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keydesk-step-test-'));
  return () => rmSync(folder, { recursive: true, force: true });
});

/** A plugin of the given hooks. */
function plugin(name: string, hooks: Record<string, string>): Record<string, string> {
  const at = join(folder, name);
  mkdirSync(join(at, 'hooks'), { recursive: true });
  for (const [hook, script] of Object.entries(hooks)) {
    writeFileSync(join(at, 'hooks', hook), `#!/usr/bin/env bash\n${script}\n`);
    chmodSync(join(at, 'hooks', hook), 0o755);
  }
  return { [name]: at };
}

function parts(command: string, plugins: Record<string, string>, more: Partial<StepOptions> = {}): StepOptions {
  const uses = Object.keys(plugins).map((name) => ({ reference: `acme/${name}#v1`, configuration: { key: name } }));
  return { step: { command, env: {}, plugins: uses }, job: buildkite.startJob(), buildkite, plugins, ...more };
}

describe('a plugin’s name', () => {
  it.each([
    ['keydesk#v1.0.0', 'keydesk'],
    ['acme/keydesk#v1.0.0', 'keydesk'],
    ['https://github.com/acme/keydesk-buildkite-plugin.git#v1', 'keydesk'],
    ['ssh://git@github.com/acme/Keydesk-buildkite-plugin', 'keydesk'],
    ['github.com/acme/keydesk/plugin#main', 'plugin'],
    ['./plugin', 'plugin'],
    ['acme/gcp.workload  identity#v1', 'gcp-workload-identity'],
  ])('of %s is %s', (reference, name) => {
    expect(pluginName(reference)).toBe(name);
  });
});

describe('a plugin’s reference', () => {
  it.each([
    ['docker#v5.13.0', 'https://github.com/buildkite-plugins/docker-buildkite-plugin', '', 'v5.13.0'],
    ['acme/keydesk#v1', 'https://github.com/acme/keydesk-buildkite-plugin', '', 'v1'],
    ['https://github.com/acme/keydesk.git/plugin#v1', 'https://github.com/acme/keydesk.git', 'plugin', 'v1'],
    ['github.com/acme/keydesk/plugin#v1', 'https://github.com/acme/keydesk', 'plugin', 'v1'],
    ['acme/keydesk/plugin#v1', 'https://acme/keydesk/plugin', '', 'v1'],
    ['ssh://git@github.com/acme/a.git#main', 'ssh://git@github.com/acme/a.git', '', 'main'],
    ['https://git.acme.example/a/b.git/c#v1', 'https://git.acme.example/a/b.git', 'c', 'v1'],
    ['./plugin', undefined, './plugin', undefined],
  ])('%s leads to %s, folder "%s", version %s', (reference, repository, folder, version) => {
    expect(pluginSource(reference)).toEqual({ repository, folder, version });
  });
});

it('a plugin’s configuration becomes variables as the agent names them', () => {
  const configuration = {
    url: 'https://a',
    'job-token': 'file',
    list: ['a', { name: 'b', 'a key': true }],
    timeout: 5,
    none: [],
  };
  expect(pluginEnvironment('acme/my-plugin#v1', configuration)).toEqual({
    BUILDKITE_PLUGIN_NAME: 'MY_PLUGIN',
    BUILDKITE_PLUGIN_CONFIGURATION: JSON.stringify(configuration),
    BUILDKITE_PLUGIN_MY_PLUGIN_URL: 'https://a',
    BUILDKITE_PLUGIN_MY_PLUGIN_JOB_TOKEN: 'file',
    BUILDKITE_PLUGIN_MY_PLUGIN_LIST_0: 'a',
    BUILDKITE_PLUGIN_MY_PLUGIN_LIST_1_NAME: 'b',
    BUILDKITE_PLUGIN_MY_PLUGIN_LIST_1_A_KEY: 'true',
    BUILDKITE_PLUGIN_MY_PLUGIN_TIMEOUT: '5',
  });
  expect(() => pluginEnvironment('a', { key: null })).toThrow('takes no null');
});

describe('a pipeline', () => {
  it('is read with its variables replaced, and its escaped dollars kept', () => {
    const text = `
env: { A: "1" }
steps:
  - wait
  - block: Sure?
  - label: Deploy $WHAT
    commands: [echo $$HOME, 'echo \\$PATH \${WHERE:-nowhere} \${WHAT}']
    env: { B: 2 }
    plugins:
      - acme/a#v1
      - ./b: { list: [x] }
      - acme/c#v1: ~
`;
    expect(parsePipeline(text, { WHAT: 'it' })).toEqual([
      {
        label: 'Deploy it',
        command: 'echo $HOME\necho $PATH nowhere it',
        env: { A: '1', B: '2' },
        plugins: [
          { reference: 'acme/a#v1', configuration: {} },
          { reference: './b', configuration: { list: ['x'] } },
          { reference: 'acme/c#v1', configuration: {} },
        ],
      },
    ]);
  });

  it('with a key that no step has is refused', () => {
    expect(() => parsePipeline('steps: [{ command: a, plugin: b }]')).toThrow();
    expect(() => parsePipeline('steps: [{ command: a, plugins: [{ b: {}, c: {} }] }]')).toThrow('must have one plugin');
  });
});

describe('a step', () => {
  it('runs the hooks of all plugins in order, each with its own configuration, and the command between them', async () => {
    const all = ['environment', 'pre-command', 'post-command', 'pre-exit'];
    const say = Object.fromEntries(
      all.map((hook) => [hook, `echo "$BUILDKITE_PLUGIN_NAME ${hook}" "\${BUILDKITE_PLUGIN_A_KEY-}"`]),
    );
    const ran = await runStep(
      parts('echo "command $BUILDKITE_PLUGIN_NAME"', { ...plugin('a', say), ...plugin('b', say) }),
    );
    expect(ran.output.split('\n').filter((line) => !line.startsWith('~~~'))).toEqual([
      'A environment a',
      'B environment ',
      'A pre-command a',
      'B pre-command ',
      'command ',
      'A post-command a',
      'B post-command ',
      'A pre-exit a',
      'B pre-exit ',
      '',
    ]);
    expect(ran.exitCode).toBe(0);
  });

  it('keeps the exports, changed variables, unset variables and folder of hooks, and nothing else', async () => {
    const hooks = {
      environment: 'export A=$\'one\\n"two"\' B=b; C=c; unset GONE; cd /',
      'pre-command': 'export B="$B$B"; env A=x true',
    };
    const command = 'printf "%s|" "$A" "$B" "$C" "$GONE" "$PWD"';
    const ran = await runStep(parts(command, plugin('a', hooks), { environment: { GONE: 'x' } }));
    expect(ran.output).toContain('one\n"two"|bb|||/|');
    expect(ran.environment).toMatchObject({ A: 'one\n"two"', B: 'bb', BUILDKITE_COMMAND_EXIT_STATUS: '0' });
    expect(ran.environment).not.toHaveProperty('BUILDKITE_HOOK_EXIT_STATUS');
    expect(ran.environment).not.toHaveProperty('BUILDKITE_PLUGIN_NAME');
  });

  it('keeps no variable of a hook that exits by itself', async () => {
    const ran = await runStep(parts('echo "A=$A"', plugin('a', { environment: 'export A=x; exit 0' })));
    expect(ran.output).toContain('A=\n');
    expect(ran.exitCode).toBe(0);
  });

  it('fails with a hook that fails, and then runs only pre-exit', async () => {
    const a = plugin('a', { 'pre-command': 'false', 'post-command': 'echo no', 'pre-exit': 'echo yes' });
    const b = plugin('b', { environment: 'true', 'pre-command': 'echo no', 'pre-exit': 'echo yes' });
    const ran = await runStep(parts('echo no', { ...a, ...b }));
    expect(ran.exitCode).toBe(1);
    expect(ran.phases).toEqual([
      { name: 'plugin b environment hook', exitCode: 0 },
      { name: 'plugin a pre-command hook', exitCode: 1 },
      { name: 'plugin a pre-exit hook', exitCode: 0 },
      { name: 'plugin b pre-exit hook', exitCode: 0 },
    ]);
    expect(ran.output).not.toMatch(/^no$/m);
  });

  it('runs the agent’s hooks before the hooks of plugins in either order, and uploads after post-command', async () => {
    const say = (who: string) => ({ 'post-command': `echo "${who} post-command"; export LAST=${who}` });
    const { agent: agentHooks = '' } = plugin('agent', say('agent'));
    const plugins = { ...plugin('a', say('a')), ...plugin('b', say('b')) };
    const upload = 'echo "uploads with what $LAST has exported"';
    const lines = async (more: Partial<StepOptions>) => {
      const { output } = await runStep(
        parts('true', plugins, { agentHooks: join(agentHooks, 'hooks'), upload, ...more }),
      );
      return output.split('\n').filter((line) => line !== '' && !line.startsWith('~~~'));
    };
    expect(await lines({})).toEqual([
      'agent post-command',
      'a post-command',
      'b post-command',
      'uploads with what b has exported',
    ]);
    expect((await lines({ postHooks: 'backwards' })).slice(1, 3)).toEqual(['b post-command', 'a post-command']);
  });

  it.each([
    ['pre-command', 3],
    ['post-command', 3],
    ['none', 5],
  ])('uploads although it fails, and keeps its exit code, with a hook that fails: %s', async (hook, code) => {
    const a = plugin('a', hook === 'none' ? {} : { [hook]: 'exit 3' });
    const { exitCode, output } = await runStep(
      parts(hook === 'none' ? 'exit 5' : 'true', a, { upload: 'echo uploads; exit 7' }),
    );
    expect(output).toContain('uploads\n');
    expect(exitCode).toBe(code);
  });

  it('has the exit code of its command, or of pre-exit when that fails', async () => {
    const command = 'false; echo "it went on"';
    const failed = await runStep(
      parts(command, plugin('a', { 'post-command': 'echo "$BUILDKITE_COMMAND_EXIT_STATUS after"' })),
    );
    expect([failed.exitCode, failed.output]).toEqual([1, expect.stringContaining('1 after')]);
    expect(failed.output).not.toContain('it went on');
    expect((await runStep(parts('exit 3', plugin('a', { 'pre-exit': 'exit 7' })))).exitCode).toBe(7);
  });

  it('runs a plugin’s command hook in place of its command', async () => {
    const ran = await runStep(
      parts('echo hello', plugin('a', { command: 'echo "<$(bash -c "$BUILDKITE_COMMAND")>"' })),
    );
    expect(ran.output).toContain('<hello>');
  });

  it('has an agent on its PATH, and a log without secrets', async () => {
    const command = `
      buildkite-agent oidc request-token --audience x >"$TMPDIR/job-token"
      buildkite-agent redactor add "$TMPDIR/job-token" 2>/dev/null
      cat "$TMPDIR/job-token"; echo "$OTHER_TOKEN" "$BUILDKITE_AGENT_ACCESS_TOKEN" "$SHORT_TOKEN"`;
    const environment = { OTHER_TOKEN: 'of-the-job', SHORT_TOKEN: 'none' };
    const ran = await runStep(parts(command, {}, { environment }));
    expect(ran.raw).toMatch(/eyJ[\w-]+\.[\w-]+\.[\w-]+\nof-the-job bkaj_\S+ none\n/);
    expect(ran.output).toContain('[REDACTED]\n[REDACTED] [REDACTED] none\n');
    expect(ran.leftBehind).toEqual(['job-token']);
  });

  it('can be cancelled: the running phase and its processes are terminated, and pre-exit still runs', async () => {
    const hooks = { 'post-command': 'true', 'pre-exit': 'echo "cancelled: $BUILDKITE_JOB_CANCELLED"' };
    const running = startStep(parts('(sleep 60; echo survived) & echo started; wait', plugin('a', hooks)));
    await running.saw('started');
    running.cancel();
    const ran = await running.finished;
    expect(ran.exitCode).toBe(143);
    expect(ran.output).toContain('cancelled: true');
    expect(ran.output).not.toContain('survived');
  });

  it('kills a phase that ignores a cancel after the grace period, and runs nothing more', async () => {
    const stubborn = `trap '' TERM; echo started; while true; do sleep 0.1; done`;
    const running = startStep(parts(stubborn, plugin('a', { 'pre-exit': 'echo no' }), { graceMs: 300 }));
    await running.saw('started');
    running.cancel();
    expect(await running.finished).toMatchObject({ exitCode: 137, output: expect.not.stringMatching(/^no$/m) });
  });

  it('fails when a phase takes too long, and when it never prints the expected text', async () => {
    await expect(runStep(parts('sleep 60', {}, { limitMs: 200 }))).rejects.toThrow('commands took longer than 200 ms');
    const running = startStep(parts('echo this', {}));
    await expect(running.saw('that')).rejects.toThrow('without printing "that"');
    await running.finished;
  });

  it('refuses a plugin without a folder', () => {
    expect(() => startStep({ ...parts('true', plugin('a', {})), plugins: {} })).toThrow(
      'no folder is known for the plugin a',
    );
  });
});
