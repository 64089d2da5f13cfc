// What `keydesk package` writes: the same bytes wherever it runs, of each function its own parts and nothing else, no path
// of the machine, and a bill of materials that names what is inside.

import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { homedir, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Spec, Validation } from '@cyclonedx/cyclonedx-library';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../../sandbox/functions.ts';
import { closureOf, packageIn, readLockFile } from '../../../scripts/lock-file.ts';
import { parsePolicy } from '../../../shared/core/policy/parse-yaml.ts';
import { KEYDESK } from '../../fixtures/command.ts';
import { cleanFolder, filesOf, packageInto, TARGETS, type Target } from './archives.ts';

const PARTS: Record<Target, readonly string[]> = {
  token: ['revocation', 'token-dependencies'],
  webhook: ['webhook-dependencies'],
  sweep: ['sweep-dependencies'],
  reader: ['reader-dependencies'],
  admin: ['admin-dependencies'],
};
/** What loads the bundles, and what compiles them in the platform's build. */
const ENTRIES = ['dist/fill-compile-cache.cjs', 'dist/index.cjs'];
/** As separation.test.ts has them: the names under which Keydesk's own calls fail. */
const MINTING = /iamcredentials generateAccessToken|identitytoolkit signInWithCustomToken/;
const ENABLING = /iam serviceAccounts\.enable/;
const FRAMEWORK = '@google-cloud/functions-framework';
/** Direct dependencies that exist only inside the bundles. */
const BUNDLED: Record<Target, readonly string[]> = {
  token: ['google-auth-library', 'jose', 'yaml', 'zod'],
  webhook: ['google-auth-library', 'zod'],
  sweep: ['google-auth-library', 'zod'],
  reader: ['@google-cloud/firestore', 'google-auth-library', 'jose', 'zod'],
  admin: ['@google-cloud/firestore', 'google-auth-library', 'jose', 'zod'],
};

interface Bom {
  readonly specVersion: string;
  readonly serialNumber?: string;
  readonly metadata: { readonly timestamp?: string };
  readonly components: readonly {
    readonly group?: string;
    readonly name: string;
    readonly version: string;
    readonly purl: string;
    readonly properties: readonly { readonly value: string }[];
  }[];
}

const packages = readLockFile(join(ROOT, 'package-lock.json'));
const folders: string[] = [];

describe('keydesk package', () => {
  let out = '';
  let printed = '';
  const archives = new Map<Target, Map<string, Buffer>>();
  const archive = (target: Target) => archives.get(target) as Map<string, Buffer>;
  const text = (target: Target, file: string) => (archive(target).get(file) as Buffer).toString('utf8');
  const bom = (target: Target): Bom => JSON.parse(text(target, 'sbom.cdx.json'));

  beforeAll(async () => {
    out = kept(cleanFolder());
    printed = await packageInto(out);
    for (const target of TARGETS) archives.set(target, filesOf(join(out, `${target}.zip`)));
  });
  afterAll(() => {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  });

  it('prints name, size and SHA-256 of each archive', () => {
    const lines = TARGETS.map((target) => {
      const bytes = readFileSync(join(out, `${target}.zip`));
      return `${join(out, `${target}.zip`)}  ${bytes.length} bytes  sha256:${sha256(bytes)}\n`;
    });
    expect(printed).toBe(lines.join(''));
  });

  it('writes next to them what was packaged, with which policy', () => {
    const hashes = TARGETS.map((target) => [target, sha256(readFileSync(join(out, `${target}.zip`)))]);
    expect(JSON.parse(readFileSync(join(out, 'manifest.json'), 'utf8'))).toEqual({
      version: '0.1.0',
      policy_sha256: sha256(readFileSync(join(ROOT, 'examples/policy.yaml'))),
      rules_sha256: {
        'acme-staging/(default)': sha256(Buffer.from(rulesBetweenMarks(join(ROOT, 'examples/firestore.rules')))),
        'acme-production/(default)': expect.stringMatching(/^[0-9a-f]{64}$/),
      },
      archives: Object.fromEntries(hashes),
    });
  });

  it('writes the policy as JSON next to them, with the SHA-256 of the file', () => {
    const text = readFileSync(join(ROOT, 'examples/policy.yaml'), 'utf8');
    const { sha256: hash, policy } = JSON.parse(readFileSync(join(out, 'policy.json'), 'utf8'));
    const loaded = parsePolicy(text, 'examples/policy.yaml');
    expect({ sha256: hash, policy }).toEqual(loaded);
    expect(hash).toBe(sha256(Buffer.from(text)));
  });

  it('makes the same bytes in another folder, time zone, language and umask', async () => {
    const copy = kept(cleanFolder());
    copyProject(copy);
    const umask = process.umask(0o077);
    const foreign = { TZ: 'Pacific/Chatham', LANG: 'tr_TR.UTF-8', LC_ALL: 'tr_TR.UTF-8' };
    try {
      execFileSync(process.execPath, ['scripts/build.ts'], { cwd: copy, env: { ...process.env, ...foreign } });
      await packageInto('elsewhere', copy, foreign);
    } finally {
      process.umask(umask);
    }
    const hashes = (folder: string) => TARGETS.map((target) => sha256(readFileSync(join(folder, `${target}.zip`))));
    expect(hashes(join(copy, 'elsewhere'))).toEqual(hashes(out));
  });

  it.each(TARGETS)('puts into %s.zip these files, which everybody may read, and no others', (target) => {
    const bundles = [target, ...PARTS[target]].flatMap((name) => [`dist/${name}.cjs`, `dist/${name}.cjs.map`]);
    const own = target === 'token' ? ['policy.yaml', 'policy.yaml.checked.json'] : [];
    const around = [...ENTRIES, 'LICENSE', 'package-lock.json', 'package.json'];
    const expected = [...around, 'sbom.cdx.json', ...bundles, ...own].sort();
    expect([...archive(target).keys()]).toEqual(expected);
    const modes = modesIn(readFileSync(join(out, `${target}.zip`)));
    expect(modes).toEqual(expected.map(() => 0o100644));
  });

  it('takes the very bundles that the other tests run', () => {
    for (const target of TARGETS)
      for (const [name, contents] of archive(target))
        if (name.startsWith('dist/') && !ENTRIES.includes(name))
          expect(contents.equals(readFileSync(join(ROOT, name))), name).toBe(true);
  });

  it('gives each function its own task only: what takes webhooks cannot mint, what mints cannot enable', () => {
    const code = (target: Target) =>
      [...archive(target)].flatMap(([name, contents]) => (name.startsWith('dist/') ? [contents.toString()] : []));
    const all = (target: Target) => code(target).join('\n');
    expect(all('token')).toMatch(MINTING);
    expect(all('token')).not.toMatch(ENABLING);
    expect(all('webhook')).not.toMatch(MINTING);
    expect(all('webhook')).not.toMatch(ENABLING);
    expect(all('sweep')).toMatch(ENABLING);
    expect(all('sweep')).not.toMatch(MINTING);
    for (const target of ['reader', 'admin'] as const) {
      expect(all(target)).not.toMatch(MINTING);
      expect(all(target)).not.toMatch(ENABLING);
    }
    const otherSources: Record<Target, RegExp> = {
      token: /functions\/(webhook|sweep|reader|admin)|shared\/core\/policy\/(json-schema|descriptions)/,
      webhook: /functions\/(token|sweep|reader|admin)|shared\/google\/(mint|access-token)/,
      sweep: /functions\/(token|webhook|reader|admin)/,
      reader: /functions\/(token|webhook|sweep|admin)|shared\/google\/(mint|disable|enable)/,
      admin: /functions\/(token|webhook|sweep|reader)|shared\/google\/(mint|enable)/,
    };
    for (const target of TARGETS) expect(all(target)).not.toMatch(otherSources[target]);
  });

  it.each(TARGETS)('has in %s.zip no code of tests, sandbox, tools or development packages', (target) => {
    const maps = [...archive(target)].filter(([name]) => name.endsWith('.map'));
    for (const [name, contents] of maps) {
      const { sources, sourcesContent } = JSON.parse(contents.toString()) as SourceMapFile;
      expect(sourcesContent, `${name} quotes no sources`).toBeUndefined();
      for (const source of sources) {
        expect(source).toMatch(/^(\.\.\/(functions|shared|node_modules)\/|firestore-over-rest:)/);
        const [, folder] = /^\.\.\/((?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+)/.exec(source) ?? [];
        if (folder) expect([folder, packageIn(folder, packages).dev]).toEqual([folder, undefined]);
      }
    }
  });

  it.each(TARGETS)('leaves in %s.zip no path of this machine', (target) => {
    const traces = [ROOT.replace(/\/$/, ''), tmpdir(), out, homedir()]
      .filter((trace) => trace.length > 5)
      .map((trace) => trace.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    const paths = new RegExp(
      [...traces, '["\'`](?:file://)?/[^"\'`\\s]*node_modules/', 'file:///[a-z]'].join('|'),
      'i',
    );
    for (const [name, contents] of archive(target)) expect(paths.exec(contents.toString())?.[0], name).toBeUndefined();
  });

  it.each(TARGETS)('requires in %s.zip only the framework, at the versions that the tests run against', (target) => {
    expect(JSON.parse(text(target, 'package.json'))).toEqual({
      name: `keydesk-${target}`,
      version: '0.1.0',
      private: true,
      license: 'Apache-2.0',
      main: 'dist/index.cjs',
      scripts: { 'gcp-build': 'node dist/fill-compile-cache.cjs' },
      engines: { node: '24' },
      dependencies: { [FRAMEWORK]: packageIn(`node_modules/${FRAMEWORK}`, packages).version },
    });
    const lock = JSON.parse(text(target, 'package-lock.json')) as { packages: Record<string, object> };
    const { '': root, ...locked } = lock.packages;
    expect(Object.keys(locked)).toEqual(closureOf([`node_modules/${FRAMEWORK}`], packages));
    for (const [folder, entry] of Object.entries(locked)) expect(entry).toEqual(packages[folder]);
    expect(text(target, 'package-lock.json')).not.toMatch(
      /"dev"|"resolved"|https?:\/\/(?!.*(fund|opencollective))\S*npm/,
    );
    expect(root).toMatchObject({ name: `keydesk-${target}` });
  });

  it('has source maps that lead from a bundle to the line it was written on', () => {
    const code = text('webhook', 'dist/webhook.cjs');
    expect(code).toMatch(/\n\/\/# sourceMappingURL=webhook\.cjs\.map\n$/);
    const lines = code.slice(0, code.indexOf('keydesk cannot start')).split('\n');
    const map = new SourceMap(JSON.parse(text('webhook', 'dist/webhook.cjs.map')));
    const entry = map.findEntry(lines.length - 1, (lines.at(-1) as string).length);
    if (!('originalLine' in entry)) throw new Error('nothing is mapped there');
    expect(entry.originalSource).toBe('../functions/runtime/bootstrap.ts');
    const written = readFileSync(join(ROOT, 'functions/runtime/bootstrap.ts'), 'utf8').split('\n');
    expect(written[entry.originalLine]).toContain('keydesk cannot start');
  });

  it.each(TARGETS)('has in %s.zip a valid bill of what is bundled and what is installed', async (target) => {
    const validator = new Validation.JsonStrictValidator(Spec.Version.v1dot6);
    expect(await validator.validate(text(target, 'sbom.cdx.json'))).toBeNull();
    const { specVersion, serialNumber, metadata, components } = bom(target);
    expect([specVersion, serialNumber, metadata.timestamp]).toEqual(['1.6', undefined, undefined]);
    for (const { purl, version } of components) {
      expect(purl).toMatch(/^pkg:npm\/(%40[\w.-]+\/)?[\w.-]+@\d/);
      expect(purl.endsWith(`@${version}`)).toBe(true);
    }
    const delivered = (how: string) =>
      components
        .filter(({ properties }) => properties.some(({ value }) => value === how))
        .map(({ group, name, version }) => `${group ? `${group}/` : ''}${name}@${version}`);
    const { '': _, ...locked } = (
      JSON.parse(text(target, 'package-lock.json')) as { packages: Record<string, { version: string }> }
    ).packages;
    const installed = Object.entries(locked).map(([folder, { version }]) => `${nameIn(folder)}@${version}`);
    expect(delivered('installed').sort()).toEqual([...new Set(installed)].sort());
    const inMaps = [...archive(target)]
      .filter(([name]) => name.endsWith('.map'))
      .flatMap(([, contents]) => (JSON.parse(contents.toString()) as SourceMapFile).sources)
      .flatMap((source) => /^\.\.\/((?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+)/.exec(source)?.[1] ?? [])
      .map((folder) => `${nameIn(folder)}@${packageIn(folder, packages).version}`);
    expect(delivered('bundled')).toEqual(expect.arrayContaining([...new Set(inMaps)]));
    for (const name of BUNDLED[target]) {
      const { version } = JSON.parse(readFileSync(join(ROOT, 'node_modules', name, 'package.json'), 'utf8'));
      expect(delivered('bundled')).toContain(`${name}@${version}`);
    }
  });

  it('can be opened with unzip', ({ skip }) => {
    if (spawnSync('unzip', ['-v']).error) skip('unzip is not installed');
    for (const target of TARGETS) execFileSync('unzip', ['-tq', join(out, `${target}.zip`)]);
  });

  it('prints warnings about the policy on standard error, and goes on', () => {
    const folder = kept(cleanFolder());
    const short = join(folder, 'short.yaml');
    writeFileSync(short, readFileSync(join(ROOT, 'examples/policy.yaml'), 'utf8').replaceAll('ttl: 10m', 'ttl: 5m'));
    const args = [KEYDESK, 'package', '--policy', short, '--out', join(folder, 'out'), '--json'];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, expect.stringMatching(/short\.yaml:\d+:\d+: warning short_ttl: /)]);
    expect(JSON.parse(stdout)).toHaveProperty('policy_sha256');
  });

  it('refuses a policy that does not parse, saying where, and writes nothing', () => {
    const folder = kept(cleanFolder());
    const wrong = join(folder, 'wrong.yaml');
    writeFileSync(wrong, 'version: 1\nrulez: []\n');
    for (const [policy, problem] of [
      [wrong, /wrong\.yaml:\d+:\d+: error: /],
      [join(folder, 'none.yaml'), /none\.yaml /],
    ] as const) {
      const args = [KEYDESK, 'package', '--policy', policy, '--out', join(folder, 'out')];
      const { status, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
      expect([status, stderr]).toEqual([1, expect.stringMatching(problem)]);
      expect(existsSync(join(folder, 'out'))).toBe(false);
    }
  });
});

interface SourceMapFile {
  readonly sources: readonly string[];
  readonly sourcesContent?: readonly string[];
}

function kept(folder: string): string {
  folders.push(folder);
  return folder;
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** As deploy/terraform reads them: the lines between the marks, without indentation. */
function rulesBetweenMarks(file: string): string {
  const lines = readFileSync(file, 'utf8')
    .split('\n')
    .map((line) => line.trimStart());
  const from = lines.findIndex((line) => line.startsWith('// keydesk:begin'));
  return lines.slice(from, lines.indexOf('// keydesk:end') + 1).join('\n');
}

function nameIn(folder: string): string {
  return folder.slice(folder.lastIndexOf('node_modules/') + 'node_modules/'.length);
}

/** What packaging needs of the project: its sources, and the packages that are shipped or that do the work. */
function copyProject(copy: string): void {
  const tools = ['esbuild', '@esbuild', 'fflate', '@cyclonedx', 'commander', '@commander-js'].map(
    (name) => `node_modules/${name}`,
  );
  const shipped = Object.keys(packages).filter(
    (folder) => /^node_modules\/(@[^/]+\/)?[^/]+$/.test(folder) && !packageIn(folder, packages).dev,
  );
  const sources = [
    'cli',
    'deploy',
    'functions',
    'shared',
    'scripts',
    'examples',
    'firestore.indexes.json',
    'LICENSE',
    'tsconfig.json',
  ];
  for (const path of [...sources, 'package.json', 'package-lock.json', ...shipped, ...tools]) {
    if (!existsSync(join(ROOT, path))) continue;
    mkdirSync(join(copy, path, '..'), { recursive: true });
    cpSync(join(ROOT, path), join(copy, path), { recursive: true, filter: (from) => basename(from) !== '.bin' });
  }
}

/** The unix modes in a zip archive's central directory (APPNOTE.TXT 4.3.12), in order. */
function modesIn(zip: Buffer): number[] {
  const end = zip.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  const modes: number[] = [];
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left -= 1) {
    modes.push(zip.readUInt32LE(at + 38) >>> 16);
    at += 46 + zip.readUInt16LE(at + 28) + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  }
  return modes;
}
