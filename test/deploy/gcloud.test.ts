// deploy/gcloud/deploy.sh against a recording stand-in for gcloud: what it plans is what it runs, every command and flag is
// gcloud's own, a repeat changes nothing, an error stops it, and it grants what the Terraform module grants.

import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { readPrivileges } from './terraform-module.ts';

const SDK = '/usr/lib/google-cloud-sdk/data/cli';
const LOOKING = /^(?:describe|list|get-iam-policy)$/;
/** In `gcloud help` under GCLOUD WIDE FLAGS, though the SDK's own completion tree leaves it out. */
const EVERYWHERE = 'project';

const flags = z.record(z.string(), z.union([z.string(), z.array(z.string())]));
const tree = z
  .object({ sdk: z.string(), everywhere: z.array(z.string()), commands: z.record(z.string(), flags) })
  .parse(JSON.parse(readFileSync('test/deploy/gcloud-commands.json', 'utf8')));

const folder = mkdtempSync(join(tmpdir(), 'gcloud-test-'));
mkdirSync(join(folder, 'bin'));
copyFileSync('test/deploy/gcloud-stand-in.mjs', join(folder, 'stand-in.mjs'));
writeFileSync(
  join(folder, 'bin/gcloud'),
  `#!/bin/sh\nexec '${process.execPath}' '${join(folder, 'stand-in.mjs')}' "$@"\n`,
);
chmodSync(join(folder, 'bin/gcloud'), 0o755);
for (const name of ['token', 'webhook', 'sweep']) writeFileSync(join(folder, `${name}.zip`), `archive of ${name}`);
afterAll(() => rmSync(folder, { recursive: true }));

const BASE = [
  '--project',
  'acme-keydesk',
  '--region',
  'europe-west1',
  '--location',
  'eur3',
  '--policy',
  'examples/policy.yaml',
  '--archives',
  folder,
];
const WHOLE = [...BASE, '--webhook-tokens-version', '3', '--buildkite-api-token-version', '2'];
let logs = 0;
/** One deployment from nothing, which many tests look at. */
const whole = { log: newLog(), ...deploy([...WHOLE, '--yes'], { log: join(folder, 'log-1') }) };

describe('deploy.sh', () => {
  it('is clean by shellcheck', () => {
    const { status, stdout } = spawnSync('shellcheck', ['deploy/gcloud/deploy.sh'], { encoding: 'utf8' });
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
  });

  it('shows with --dry-run the plan, and changes nothing', () => {
    const { status, plan, changes } = deploy([...WHOLE, '--dry-run']);
    expect(status).toBe(0);
    expect(plan.length).toBeGreaterThan(50);
    expect(changes).toEqual([]);
  });

  it('runs what it showed, in that order, and no more', () => {
    const { status, plan, changes, stderr } = whole;
    expect(status, stderr).toBe(0);
    expect(changes.map(quoted)).toEqual(plan.map((line) => quoted(unquoted(line).slice(1))));
  });

  it('changes nothing when it is repeated', () => {
    const again = deploy([...WHOLE, '--yes'], { log: whole.log });
    expect(again.stdout).toContain('Everything is there: nothing to do.');
    expect(again.changes).toEqual([]);
  });

  it('deploys a function again when its archive or its settings are others, and nothing else', () => {
    const { log } = whole;
    writeFileSync(join(folder, 'token.zip'), 'another archive');
    const archive = deploy([...WHOLE, '--yes'], { log });
    expect(archive.changes.map((call) => call.slice(0, 3).join(' '))).toEqual([
      `storage cp ${folder}/token.zip`,
      'functions deploy keydesk-token',
    ]);
    const secret = deploy([...WHOLE, '--webhook-tokens-version', '4', '--yes'], { log });
    expect(secret.changes.map((call) => call.slice(0, 3).join(' '))).toEqual(['functions deploy keydesk-webhook']);
  });

  it('deploys no function before there is a webhook token, and says how to go on', () => {
    const { plan, stdout } = deploy([...BASE, '--yes']);
    expect(plan.filter((line) => /functions deploy|scheduler jobs/.test(line))).toEqual([]);
    expect(stdout).toContain('gcloud secrets versions add keydesk-webhook-tokens');
    expect(stdout).toContain('no branch filter');
  });

  it.each([[''], ['y\n']])('changes nothing unless yes is typed, as with %j', (input) => {
    const { status, changes, stderr } = deploy(WHOLE, { input });
    expect({ status, changes }).toEqual({ status: 1, changes: [] });
    expect(stderr).toContain('nothing was changed');
  });

  it('stops at the first command that fails, says what to do, and goes on from there when repeated', () => {
    const log = newLog();
    const { status, plan, changes, stderr } = deploy([...WHOLE, '--yes'], {
      log,
      env: { FAIL_AT: 'secrets create keydesk-webhook-tokens' },
    });
    expect(status).toBe(1);
    expect(changes.length).toBeLessThan(plan.length);
    expect(changes.at(-1)?.slice(0, 3)).toEqual(['secrets', 'create', 'keydesk-webhook-tokens']);
    expect(stderr).toContain('ask for a role that allows it');
    expect(stderr).toMatch(/stopped at command \d+ of \d+; \d+ were run\. .*run this again/);
    const again = deploy([...WHOLE, '--yes'], { log });
    expect(again.status).toBe(0);
    expect(again.changes.length).toBe(plan.length - changes.length + 1);
    expect(again.changes[0]?.slice(0, 3)).toEqual(['secrets', 'create', 'keydesk-webhook-tokens']);
  });

  it('changes nothing when it may not look at what is there', () => {
    const { status, changes, stderr } = deploy([...WHOLE, '--yes'], {
      env: { FAIL_AT: 'iam service-accounts describe' },
    });
    expect({ status, changes }).toEqual({ status: 1, changes: [] });
    expect(stderr).toContain(
      'could not look at what is there (gcloud iam service-accounts describe): nothing was changed',
    );
  });

  it.each([
    ['no project', BASE.slice(2), '--project must be a Google Cloud project ID'],
    ['the (default) database', [...BASE, '--database', '(default)'], '--database must be a database ID of its own'],
    ['a floating secret version', [...BASE, '--webhook-tokens-version', 'latest'], 'must be a version number'],
    ['an unknown option', [...BASE, '--force'], 'unknown option --force'],
    ['missing archives', [...BASE, '--archives', '/nonexistent'], 'run npm run package'],
  ])('refuses %s before it calls gcloud', (_, args, message) => {
    const { status, calls, stderr } = deploy(args);
    expect({ status, calls }).toEqual({ status: 2, calls: [] });
    expect(stderr).toContain(message);
  });

  it('uses only commands, flags and choices that gcloud has', () => {
    const { calls } = whole;
    expect([...new Set(calls.flatMap(problemsOf))]).toEqual([]);
    expect(problemsOf(['secrets', 'create', 'x', '--replication=automatic'])).toEqual([
      'secrets create: no --replication',
    ]);
    expect(problemsOf(['secrets', 'make', 'x'])).toEqual(['no command secrets make x']);
  });

  it.skipIf(!existsSync(SDK))(
    `has the command tree of the installed gcloud${existsSync(SDK) ? '' : ' (skipped: no Google Cloud SDK)'}`,
    () => {
      const script = `import sys, json; sys.path.insert(0, '${SDK}')
from gcloud_completions import STATIC_COMPLETION_CLI_TREE as root
def flags(words):
  node = root
  for word in words: node = node['commands'][word]
  return node['flags']
print(json.dumps({c: flags(c.split()) for c in json.loads(sys.argv[1])}))`;
      const { stdout, stderr } = spawnSync(
        'python3',
        ['-B', '-c', script, JSON.stringify(Object.keys(tree.commands))],
        { encoding: 'utf8' },
      );
      expect(stderr).toBe('');
      const installed = z.record(z.string(), z.record(z.string(), z.unknown())).parse(JSON.parse(stdout));
      for (const [command, own] of Object.entries(tree.commands))
        expect(Object.keys(installed[command] ?? {}), `${command} of SDK ${tree.sdk}`).toEqual(
          expect.arrayContaining(Object.keys(own).map((name) => `--${name}`)),
        );
    },
  );

  it('grants each identity what PRIVILEGES.md says and no more', () => {
    const { changes } = whole;
    const roles = new Map(
      changes
        .filter((call) => call.slice(0, 3).join(' ') === 'iam roles create')
        .map((call) => [`projects/acme-ci-pool/roles/${call[3]}`, flag(call, 'permissions').replaceAll(',', ' ')]),
    );
    const granted = changes
      .filter((call) => call.includes('add-iam-policy-binding'))
      .map((call) => `${toIdentity(flag(call, 'member'))}: ${roles.get(flag(call, 'role')) ?? flag(call, 'role')}`);
    const table = readPrivileges().filter(({ identity }) => !['shared account', 'pool group'].includes(identity));
    expect([...new Set(granted)].sort()).toEqual(
      [...new Set(table.map(({ identity, what }) => `${identity}: ${what}`))].sort(),
    );
  });

  it('never gives Firestore without the condition of one database', () => {
    const { changes } = whole;
    const conditions = changes
      .filter((call) => flag(call, 'role') === 'roles/datastore.user')
      .map((call) => flag(call, 'condition'));
    expect(conditions).toHaveLength(9);
    for (const condition of conditions)
      expect(condition).toMatch(/^expression=resource\.name == "projects\/[^/"]+\/databases\/[^/"]+",title=keydesk /);
  });

  it('creates every index, exemption and TTL field of firestore.indexes.json', () => {
    const file = z
      .object({
        indexes: z.array(z.unknown()),
        fieldOverrides: z.array(z.object({ collectionGroup: z.string(), ttl: z.boolean().default(false) })),
      })
      .parse(JSON.parse(readFileSync('firestore.indexes.json', 'utf8')));
    const { changes } = whole;
    const count = (...words: string[]) => changes.filter((call) => call.join(' ').startsWith(words.join(' '))).length;
    const grants = file.fieldOverrides.filter(({ collectionGroup }) => collectionGroup === 'keydesk_grants');
    const twice = (all: typeof grants) =>
      all.length + all.filter(({ collectionGroup }) => collectionGroup === 'keydesk_grants').length;
    expect(count('firestore indexes composite create')).toBe(file.indexes.length);
    expect(count('firestore indexes fields update')).toBe(twice(file.fieldOverrides));
    expect(count('firestore fields ttls update')).toBe(twice(file.fieldOverrides.filter(({ ttl }) => ttl)));
  });
});

function newLog(): string {
  logs += 1;
  return join(folder, `log-${logs}`);
}

function deploy(
  args: readonly string[],
  { log = newLog(), input = '', env = {} }: { log?: string; input?: string; env?: Record<string, string> } = {},
) {
  const seen = readCalls(log).length;
  const { status, stdout, stderr } = spawnSync('bash', ['deploy/gcloud/deploy.sh', ...args], {
    encoding: 'utf8',
    input,
    env: { ...process.env, PATH: `${join(folder, 'bin')}:${process.env.PATH}`, STAND_IN_LOG: log, ...env },
  });
  const calls = readCalls(log).slice(seen);
  const changes = calls.filter((call) => !call.some((word) => LOOKING.test(word)));
  const plan = stdout.split('\n').filter((line) => line.startsWith('  gcloud ') && !line.includes('versions add'));
  return { status, stdout, stderr, calls, changes, plan };
}

function readCalls(log: string): string[][] {
  if (!existsSync(log)) return [];
  return readFileSync(log, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => z.array(z.string()).parse(JSON.parse(line)));
}

/** As the script runs it: without the word gcloud, with --quiet at its end. */
function quoted(call: readonly string[]): string {
  return JSON.stringify(call.filter((word) => word !== '--quiet'));
}

function unquoted(line: string): string[] {
  const { stdout } = spawnSync('bash', ['-c', `printf '%s\\0' ${line}`], { encoding: 'utf8' });
  return stdout.split('\0').slice(0, -1);
}

function problemsOf(call: readonly string[]): string[] {
  const words = call.filter((word) => !word.startsWith('--'));
  const command = Object.keys(tree.commands)
    .filter((name) => `${words.join(' ')} `.startsWith(`${name} `))
    .sort((left, right) => right.length - left.length)[0];
  if (!command) return [`no command ${words.join(' ')}`];
  return call
    .filter((word) => word.startsWith('--'))
    .flatMap((word) => {
      const [, name = '', , value] = /^--([a-z0-9-]+)(=(.*))?$/s.exec(word) ?? [];
      if (name === EVERYWHERE || tree.everywhere.includes(name)) return [];
      const own = tree.commands[command]?.[name] ?? tree.commands[command]?.[name.replace(/^no-/, '')];
      if (own === undefined) return [`${command}: no --${name}`];
      if (own === 'bool') return value === undefined ? [] : [`${command}: --${name} takes no value`];
      if (value === undefined) return [`${command}: --${name} needs a value`];
      return Array.isArray(own) && !own.includes(value) ? [`${command}: --${name} cannot be ${value}`] : [];
    });
}

function flag(call: readonly string[], name: string): string {
  return call.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3) ?? '';
}

function toIdentity(member: string): string {
  if (member === 'allUsers') return 'everyone';
  return /^serviceAccount:keydesk-(\w+)@acme-keydesk\.iam\.gserviceaccount\.com$/.exec(member)?.[1] ?? member;
}
