// `keydesk package`: writes the archive that is deployed for each function. It holds what the build made for that function,
// and for `token` the policy. The same command and policy give the same bytes on every machine: entries are sorted, times and
// modes fixed, and the compressor is JavaScript. manifest.json says with which policy, and which security rules follow from
// it, for the person who deploys to compare. policy.json is that policy for Terraform.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { Command } from '@commander-js/extra-typings';
import { zipSync } from 'fflate';
import { apiKeyNotes } from '../../shared/core/policy/api-key-to-be-created.ts';
import { CHECKED_SUFFIX, toCheckedPolicy } from '../../shared/core/policy/checked-policy.ts';
import type { ReadPolicy } from '../../shared/core/policy/parse-yaml.ts';
import type { Policy } from '../../shared/core/policy/policy.ts';
import { toPolicyJson } from '../../shared/core/policy/to-json.ts';
import { databasesOf, extractGenerated, newRulesFile } from '../../shared/core/security-rules/generate.ts';
import { VERSION } from '../../shared/version.ts';
import { readCheckedPolicy } from '../checked-policy.ts';
import { FUNCTIONS, FUNCTIONS_FOLDER } from '../installation.ts';
import { examples, policyOption } from '../options.ts';
import { EXIT, fail, note, print, printJson } from '../terminal.ts';

/** The earliest time that an archive can name. Entries have local time, so this is one too. */
const MODIFIED = new Date(1980, 0, 1);
/** A regular file that everybody may read: unix mode 0100644, in the upper half. */
const READABLE = 0o100644 * 2 ** 16;
const UNIX = 3;

export const packageCommand = new Command('package')
  .summary('write the archives of the functions, with a policy')
  .description(
    'Write the archive of each function, manifest.json and policy.json, for Terraform to deploy. token.zip contains the policy. Warnings about the policy go to standard error.',
  )
  .addOption(policyOption())
  .option('--out <folder>', 'folder to write to', 'packages')
  .option('--json', 'the manifest as JSON')
  .addHelpText('after', examples('package', 'package --policy examples/policy.yaml --out packages'))
  .action((options) => {
    const loaded = readCheckedPolicy(options.policy);
    for (const warning of loaded.warnings) note(loaded.show(warning, process.stderr));
    for (const line of apiKeyNotes(loaded.written)) note(line);
    if (!existsSync(FUNCTIONS_FOLDER))
      fail(
        EXIT.failure,
        'The functions are not built. In the repository, run npm run -s keydesk -- package, or npm run build first.',
      );
    mkdirSync(options.out, { recursive: true });
    const archives = FUNCTIONS.map((target) => {
      const own = filesIn(join(FUNCTIONS_FOLDER, target));
      const policy = target === 'token' ? policyFiles(loaded) : [];
      const archive = zip([...own, ...policy]);
      const path = join(options.out, `${target}.zip`);
      writeFileSync(path, archive);
      if (!options.json) print(`${path}  ${archive.length} bytes  sha256:${sha256(archive)}`);
      return [target, sha256(archive)] as const;
    });
    const manifest = {
      version: VERSION,
      policy_sha256: loaded.sha256,
      rules_sha256: Object.fromEntries(rulesOf(loaded.policy)),
      archives: Object.fromEntries(archives),
    };
    writeFileSync(join(options.out, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
    writeFileSync(join(options.out, 'policy.json'), toPolicyJson(loaded));
    if (options.json) printJson(manifest);
  });

function policyFiles(loaded: ReadPolicy): (readonly [path: string, contents: Uint8Array])[] {
  return [
    ['policy.yaml', Buffer.from(loaded.text)],
    [`policy.yaml${CHECKED_SUFFIX}`, Buffer.from(toCheckedPolicy(loaded, VERSION))],
  ];
}

function filesIn(folder: string): (readonly [path: string, contents: Uint8Array])[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).flatMap((path) =>
    statSync(join(folder, path)).isFile()
      ? [[path.replaceAll(sep, '/'), readFileSync(join(folder, path))] as const]
      : [],
  );
}

/** PROJECT/DATABASE => SHA-256 of the generated part of its rules. */
function rulesOf(policy: Policy): (readonly [string, string])[] {
  return databasesOf(policy).map((name) => [
    `${name.project}/${name.database}`,
    sha256(extractGenerated(newRulesFile(policy, name)) ?? ''),
  ]);
}

function zip(files: readonly (readonly [path: string, contents: Uint8Array])[]): Uint8Array {
  const sorted = [...files].sort(([left], [right]) => (left < right ? -1 : 1));
  return zipSync(Object.fromEntries(sorted), { level: 9, mtime: MODIFIED, os: UNIX, attrs: READABLE });
}

function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}
