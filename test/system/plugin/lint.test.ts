// What needs no Keydesk: the plugin's shell is sound and works in old shells, and its schema, code and README have the same
// keys.

import { execFile, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import * as z from 'zod';
import { parsePipeline } from '../../../sandbox/fakes/buildkite/pipeline.ts';
import { ROOT } from '../../../sandbox/functions.ts';
import { PLUGIN } from './step.ts';

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const filesIn = (folder: string) =>
  readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .sort();
const isShell = (path: string) => /\.(ba|bat)?sh?$|\.bats$/.test(path) || /^#!.*\b(ba)?sh\b/.test(read(path));
const shellFiles = [...filesIn('plugin'), ...filesIn('examples')].filter(isShell);
const shipped = shellFiles.filter((path) => /^plugin\/(hooks|lib|bin)\//.test(path));
const code = shipped.map(read).join('\n');

describe('the shell of the plugin', () => {
  it('is all there', () => {
    expect(shellFiles).toEqual(
      expect.arrayContaining([
        'plugin/bin/job-token',
        'plugin/hooks/environment',
        'plugin/hooks/pre-command',
        'plugin/hooks/post-command',
        'plugin/hooks/pre-exit',
        'plugin/lib/step.bash',
        'plugin/tests/job-token.bats',
      ]),
    );
    for (const path of shipped.filter((file) => !file.startsWith('plugin/lib/')))
      expect([path, (statSync(join(ROOT, path)).mode & 0o111) !== 0]).toEqual([path, true]);
  });

  const missing = spawnSync('shellcheck', ['--version']).error !== undefined;
  const skipped = missing && process.env.CI !== 'true';
  it.skipIf(skipped)(`passes shellcheck${skipped ? ' (skipped: shellcheck is not installed here)' : ''}`, async () => {
    const ran = await promisify(execFile)('shellcheck', shellFiles, { cwd: ROOT }).catch((error) => error);
    expect(ran).toMatchObject({ stdout: '', stderr: '' });
  });

  const linesWith = (pattern: RegExp) =>
    code.split('\n').filter((line) => !line.trim().startsWith('#') && pattern.test(line));

  // Each with a line that has it, so that none of them looks for nothing.
  it.each([
    ['associative arrays', /\b(declare|local|typeset) -[a-zA-Z]*[An]/, 'local -A seen=()'],
    ['variables declared as global', /\b(declare|typeset) -[a-zA-Z]*g/, 'declare -g found=1'],
    ['options of a function', /\blocal -( |$)/, 'local -'],
    ['mapfile', /\b(mapfile|readarray|coproc)\b/, 'mapfile -t lines'],
    ['changes of case', /\$\{[A-Za-z_]+(\[[^\]]*\])?(,,?|\^\^?)[^}]*\}/, `name="\${name,,}"`],
    ['transformations', /\$\{[^}]*@[A-Za-z]\}/, `echo "\${name@Q}"`],
    ['negative subscripts', /\[-[0-9]/, `echo "\${list[-1]}"`],
    ['negative lengths', /\$\{[A-Za-z_]+:[^}:]*: *-[0-9]/, `echo "\${name:0:-1}"`],
    ['printf into an element', /\bprintf -v [A-Za-z_]+\[/, 'printf -v list[0] %s x'],
    ['&>> and |&', /&>>|\|&/, 'run |& cat'],
    ['tests whether a variable is set', /\[\[? [^\]]*-v [A-Za-z]/, '[[ -v name ]]'],
    ['falling through cases', /;;&|;&/, 'x) echo ;;&'],
    ['clocks of newer shells', /EPOCH|%\([^)]*\)T|\bBASHPID\b|\bSRANDOM\b/, 'echo "$EPOCHSECONDS"'],
    ['options of newer shells', /\b(globstar|lastpipe|inherit_errexit|localvar_inherit)\b/, 'shopt -s lastpipe'],
    ['waiting for one of several', /\bwait -[a-z]/, 'wait -n'],
    ['reading of newer shells', /\bread -[a-z]*[Ni]/, 'read -N 4 name'],
    ['descriptors the shell chooses', /\{[a-z]+\}[<>]/, 'exec {out}>file'],
    ['process substitution, which POSIX mode lacks', /[<>]\(/, 'cat <(run)'],
    ['here-strings, which may write a secret to disk', /<<</, 'cat <<<"$name"'],
    [
      'bounds that a BSD regular expression cannot count to',
      /\{[0-9]*,?(25[6-9]|2[6-9][0-9]|[3-9][0-9]{2}|[0-9]{4,})\}/,
      'x{1,300}',
    ],
    ['eval', /\beval\b/, 'eval "$line"'],
  ])('does without %s, as bash 3.2 must', (_, newer, sample) => {
    expect(sample).toMatch(newer);
    expect(linesWith(newer)).toEqual([]);
  });

  it.each([
    ['classes in tr', /\btr [^|]*\[:/, "tr -c '[:print:]' ' '"],
    ['options of sed', /\bsed -[a-zA-Z]*[rEiz]/, "sed -E 's/a+/b/'"],
    ['alternatives and repetition in sed', /\bsed '[^']*\\[|+?]/, "sed 's/a\\+/b/'"],
    ['options of grep', /\bgrep -[a-zA-Z]*[PozZ]/, 'grep -oP x'],
    ['paths of GNU', /\breadlink -|\brealpath\b/, 'readlink -f x'],
    ['options of stat and date', /\b(stat|date) -/, 'stat -c %u x'],
    [
      'long options of the basic tools',
      /\b(cat|cp|cut|head|mkdir|mv|rm|sed|sort|tail|tr|mktemp) [^|]*--[a-z]/,
      'rm --force x',
    ],
    ['temporary folders without a name', /\bmktemp (?!-d "[^"]*XXXXXX")/, 'mktemp -d'],
    ['copies of trees', /\bcp -/, 'cp -a x y'],
    ['xargs and find', /\b(xargs|find) /, 'find x -delete'],
  ])('does without %s, which busybox, BSD and GNU do differently', (_, theirs, sample) => {
    expect(sample).toMatch(theirs);
    expect(linesWith(theirs)).toEqual([]);
  });

  it('expands no array that may be empty without a guard, as bash 3.2 must under set -u', () => {
    const expansions = [...code.matchAll(/"\$\{([A-Za-z_]+)\[@\]/g)].map(([, name]) => name as string);
    const guarded = [...code.matchAll(/\$\{([A-Za-z_]+)\[@\]\+"\$\{\1\[@\]\}"\}/g)].map(([, name]) => name as string);
    const neverEmpty = ['KEYDESK_CLAIMS', 'KEYDESK_FILES', 'KEYDESK_NAMES', 'KEYDESK_PROBLEMS', 'arguments'];
    expect(expansions.filter((name) => !guarded.includes(name) && !neverEmpty.includes(name))).toEqual([]);
  });

  it('uses no option of curl that is newer than 7.55', () => {
    const options = new Set([...code.matchAll(/(?<=\s)--[a-z-]+/g)].map(([option]) => option));
    const newer = [
      '--fail-with-body',
      '--parallel',
      '--styled-output',
      '--no-progress-meter',
      '--retry-all-errors',
      '--json',
      '--url-query',
      '--variable',
    ];
    expect(newer.filter((option) => options.has(option))).toEqual([]);
    expect(code).not.toMatch(/%header\{|%\{(certs|errormsg|exitcode|header_json)\}/);
  });
});

describe('the schema in plugin.yml', () => {
  const { name, requirements, configuration } = parse(read('plugin/plugin.yml'));
  const keysRead = new Set(
    [...code.matchAll(/keydesk_(?:setting|items|read_choice|read_seconds) ([a-z-]+)/g)].map(([, key]) => key),
  );
  const choices = [...code.matchAll(/keydesk_read_choice ([a-z-]+) (\S+) (\S+)/g)];
  const seconds = [...code.matchAll(/keydesk_read_seconds ([a-z-]+) (\d+) (\d+) (\d+)/g)];
  const readme = read('plugin/README.md');

  it('has the keys that the code reads, and no others', () => {
    expect(name).toBe('Keydesk');
    expect(requirements).toEqual(['bash', 'curl', 'buildkite-agent']);
    expect(configuration.additionalProperties).toBe(false);
    expect(Object.keys(configuration.properties).sort()).toEqual([...keysRead].sort());
    const [ofOne] = configuration.properties.credentials.oneOf;
    const ofCredential = [...code.matchAll(/keydesk_setting "\$key-([a-z]+)"/g)].map(([, key]) => key);
    expect(Object.keys(ofOne.oneOf[1].properties).sort()).toEqual(ofCredential.sort());
  });

  it('has the choices and bounds that the code checks', () => {
    expect(choices).toHaveLength(2);
    for (const [, key = '', ...both] of choices) expect(configuration.properties[key].enum).toEqual(both);
    expect(seconds).toHaveLength(3);
    for (const [, key = '', , least, most] of seconds)
      expect(configuration.properties[key]).toMatchObject({ minimum: Number(least), maximum: Number(most) });
  });

  it('is what the README says, with its defaults', () => {
    const table = readme.slice(readme.indexOf('## Configuration'), readme.indexOf('## gcloud and gsutil'));
    const rows = [...table.matchAll(/^\| `([a-z-]+)` \| .* \| (.*) \|$/gm)].map(([, key, otherwise]) => [
      key,
      otherwise,
    ]);
    expect(rows.map(([key]) => key).sort()).toEqual(Object.keys(configuration.properties).sort());
    const otherwise = Object.fromEntries(rows);
    expect(
      Object.keys(otherwise)
        .filter((key) => otherwise[key] === 'required')
        .sort(),
    ).toEqual(configuration.required.sort());
    for (const [, key = '', value] of choices) expect(otherwise[key]).toBe(`\`${value}\``);
    for (const [, key = '', value] of seconds) expect(otherwise[key]).toBe(value);
  });

  const schema = z.fromJSONSchema(configuration);
  const examples = [...readme.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text]) => text as string);

  it('takes every example of the README', () => {
    // The others are of a pod.
    const pipelines = examples.filter((text) => text.startsWith('steps:'));
    const uses = pipelines.flatMap((text) => parsePipeline(text)).flatMap(({ plugins }) => plugins);
    const ours = uses.filter(({ reference }) => reference.includes('keydesk'));
    expect(ours).toHaveLength(5);
    for (const { configuration: use } of ours) expect(schema.safeParse(use).error).toBeUndefined();
  });

  it.each([
    ['no credentials', { url: 'https://a.example' }],
    ['an unknown key', { url: 'https://a.example', credentials: 'a', claim: 'b' }],
    ['a machine of another platform', { url: 'https://a.example', credentials: 'a', 'agent-token': 'azure' }],
    [
      'two sources of one token',
      { url: 'https://a.example', credentials: 'a', 'agent-token': { file: '/a', from: 'aws' } },
    ],
    ['a source with no source', { url: 'https://a.example', credentials: 'a', 'agent-token': { audience: 'b' } }],
    ['a key of a source that is unknown', { url: 'https://a.example', credentials: 'a', 'agent-token': { url: 'b' } }],
    ['an unknown key of a credential', { url: 'https://a.example', credentials: [{ name: 'a', env: 'B' }] }],
    ['a name that is none', { url: 'https://a.example', credentials: ['A'] }],
  ])('refuses %s', (_, use) => {
    expect(schema.safeParse(use).success).toBe(false);
  });
});

it('the plugin has what Buildkite looks for in one', () => {
  for (const path of ['plugin.yml', 'README.md', 'hooks', 'tests'])
    expect([path, existsSync(join(PLUGIN, path))]).toEqual([path, true]);
});
