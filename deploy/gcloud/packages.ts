// Whether what `npm run package` made, and the security rules beside it, are those of the policy that is deployed. Reads
// files, and says what is wrong with them and which command mends it.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { type DatabaseName, generatedPart } from '../../shared/core/firestore-rules.ts';

const FUNCTIONS = ['token', 'webhook', 'sweep'];
const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/);
const manifestSchema = z.object({
  version: z.string().regex(/^[0-9A-Za-z.+-]+$/),
  policy_sha256: sha256Hex,
  rules_sha256: z.record(z.string(), sha256Hex),
  archives: z.record(z.string(), sha256Hex),
});

interface Packages {
  readonly version: string;
  /** Function => SHA-256. */
  readonly archives: ReadonlyMap<string, string>;
  /** PROJECT/DATABASE => SHA-256 of its rules, as manifest.json counts it; undefined without a manifest. */
  readonly rules: Readonly<Record<string, string>> | undefined;
  readonly problems: readonly string[];
}

/** The packages in a folder, compared with the policy and with what manifest.json says of them. */
export function readPackages({ policyFile, folder }: { policyFile: string; folder: string }): Packages {
  const mend = `run npm run package -- --policy ${policyFile} --out ${folder}`;
  const path = join(folder, 'manifest.json');
  const manifest = manifestSchema.safeParse(readJson(path)).data;
  if (!manifest) {
    const problem = `${path} is missing, or is not what npm run package writes: ${mend}`;
    return { version: '', archives: new Map(), rules: undefined, problems: [problem] };
  }
  const ofPolicy = manifest.policy_sha256 === hashOf(policyFile);
  const changed = FUNCTIONS.filter((name) => hashOf(join(folder, `${name}.zip`)) !== manifest.archives[name]);
  return {
    version: manifest.version,
    archives: new Map(FUNCTIONS.map((name) => [name, manifest.archives[name] ?? ''])),
    rules: manifest.rules_sha256,
    problems: [
      ...(ofPolicy ? [] : [`the archives in ${folder} were packaged with another policy than ${policyFile}: ${mend}`]),
      ...changed.map((name) => `${join(folder, `${name}.zip`)} is missing, or is not the one of ${path}: ${mend}`),
    ],
  };
}

interface Rules {
  readonly policyFile: string;
  /** PROJECT/DATABASE=FILE. */
  readonly files: readonly string[];
  /** PROJECT/DATABASE, of those that are deployed by other means. */
  readonly elsewhere: readonly string[];
  readonly sha256: Packages['rules'];
}

/** Every data database needs its rules: without them Keydesk's tokens open what the database's own open to anybody. */
export function rulesProblems(databases: readonly DatabaseName[], rules: Rules): string[] {
  const files = new Map(rules.files.map((each) => [each.split('=')[0] ?? '', each.split('=').slice(1).join('=')]));
  const names = databases.map(({ project, database }) => `${project}/${database}`);
  const strange = [...files.keys(), ...rules.elsewhere].filter((name) => !names.includes(name));
  return [
    ...strange.map((name) => `${name} is no database that a firestore credential of the policy opens: misspelt?`),
    ...databases.flatMap(({ project, database }) => {
      const name = `${project}/${database}`;
      const file = files.get(name);
      const make = `npm run rules -- --policy ${rules.policyFile} --project ${project} --database '${database}' --file ${file ?? 'FILE'}`;
      if (file !== undefined && rules.elsewhere.includes(name))
        return [`${name} stands in --rules and in --rules-elsewhere: say one of them`];
      if (file !== undefined) return problemOfFile({ file, make, sha256: rules.sha256?.[name] });
      if (rules.elsewhere.includes(name)) return [];
      return [
        `${name} has no rules: run ${make}, and say --rules '${name}=FILE'. Or --rules-elsewhere '${name}', if you deploy the generated rules by other means`,
      ];
    }),
  ];
}

function problemOfFile({ file, make, sha256 }: { file: string; make: string; sha256: string | undefined }): string[] {
  const text = readText(file);
  if (text === undefined) return [`${file} cannot be read: run ${make}`];
  const generated = generatedPart(text);
  if (generated === undefined) return [`${file} holds no rules of Keydesk's: run ${make}`];
  if (sha256 === undefined || hash(generated) === sha256) return [];
  return [`${file} is not what the policy that was packaged says: run ${make}, and look at what changes`];
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

function hashOf(file: string): string | undefined {
  try {
    return hash(readFileSync(file));
  } catch {
    return undefined;
  }
}

function hash(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}
