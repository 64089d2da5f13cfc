// Tools that some tests need and no npm package brings. Where one is missing the tests are skipped, and their titles say what to
// install; with CI=true nothing is skipped: there a missing tool is an error.
//
//   const terraform = needs('terraform', { atLeast: '1.9' });
//   describe.skipIf(terraform.missing)(terraform.title('the plan'), () => { ... });

import { spawnSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface Needed {
  /** For `describe.skipIf` and `it.skipIf`. */
  readonly missing: boolean;
  /** The path of the tool; undefined when it is missing. */
  readonly path: string | undefined;
  /** A title as it is or, when the tests are skipped, with the reason. */
  readonly title: (text: string) => string;
}

export interface Requirement {
  /** The lowest version that will do, such as `1.9`: the tool is run once to print its own. */
  readonly atLeast?: string;
  /** The path of the tool, or undefined. Default: the first executable file of its name on the PATH. */
  readonly find?: () => string | undefined;
  /** What to install. Default: what TOOLS says, or a package of the tool's name. */
  readonly install?: string;
  /** Default: those of this process. `PATH` and `CI` are read. */
  readonly environment?: NodeJS.ProcessEnv;
}

interface Tool {
  /** By which it prints its version. Default: `--version`. */
  readonly version?: readonly string[];
  readonly install?: string;
}

const TOOLS: Readonly<Record<string, Tool>> = {
  gcloud: { install: 'the Google Cloud CLI' },
  go: { version: ['version'], install: 'Go' },
  java: { version: ['-version'], install: 'a Java runtime, such as the package default-jre-headless' },
  javac: { version: ['-version'], install: 'a Java development kit, such as the package default-jdk-headless' },
  keytool: { install: 'a Java runtime, such as the package default-jre-headless' },
  openssl: { version: ['version'] },
  terraform: { version: ['version'], install: 'Terraform' },
};

/**
 * Whether a tool is there, for the tests that need it.
 * @throws {Error} when it is missing and CI is `true`
 */
export function needs(tool: string, requirement: Requirement = {}): Needed {
  const { atLeast, environment = process.env } = requirement;
  const { find = () => findOnPath(tool, environment.PATH ?? '') } = requirement;
  const known = TOOLS[tool] ?? {};
  const install = requirement.install ?? known.install ?? `the package ${tool}`;

  const path = find();
  const problem = path === undefined ? `${tool} is not installed` : olderThan(atLeast, { tool, path, ...known });
  if (problem === undefined) return { missing: false, path, title: (text) => text };
  const reason = `${problem}; install ${install}${atLeast === undefined ? '' : ` ${atLeast} or later`}`;
  if (environment.CI === 'true') throw new Error(`CI runs every test, but ${reason}`);
  return { missing: true, path: undefined, title: (text) => `${text} (skipped: ${reason})` };
}

/** Why a tool that is there will not do, if it will not. */
function olderThan(atLeast: string | undefined, tool: Tool & { tool: string; path: string }): string | undefined {
  if (atLeast === undefined) return undefined;
  const { stdout, stderr } = spawnSync(tool.path, tool.version ?? ['--version'], { encoding: 'utf8' });
  // Java prints its version on stderr, and a first release as "21". Others print numbers without a dot that are none.
  const printed = `${stdout ?? ''}\n${stderr ?? ''}`;
  const [found] = /[0-9]+(\.[0-9]+)+/.exec(printed) ?? /[0-9]+/.exec(printed) ?? [];
  if (found === undefined) return `${tool.tool} prints no version`;
  return compareVersions(found, atLeast) < 0 ? `${tool.tool} is ${found}` : undefined;
}

/** Below, at or above zero as `left` is older than, as old as or newer than `right`. A part that is absent counts as 0. */
function compareVersions(left: string, right: string): number {
  const [lefts, rights] = [left, right].map((version) => version.split('.').map(Number)) as [number[], number[]];
  const length = Math.max(lefts.length, rights.length);
  const differences = Array.from({ length }, (_, at) => (lefts[at] ?? 0) - (rights[at] ?? 0));
  return differences.find((difference) => difference !== 0) ?? 0;
}

function findOnPath(tool: string, path: string): string | undefined {
  return path
    .split(delimiter)
    .filter(Boolean)
    .map((folder) => join(folder, tool))
    .find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
