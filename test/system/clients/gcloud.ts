// Where gcloud and its Python are on this machine, and how gcloud is run so that it keeps to itself: a configuration of its
// own, nobody to ask, nothing to report and nothing to update.

import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findOnPath } from '../../fixtures/needs.ts';
import { type Ran, runChild } from './child.ts';

export interface Python {
  readonly command: string;
  /** For PYTHONPATH: with it `google.auth` can be imported. */
  readonly path: string;
}

/** gcloud's own Python, or whichever it would take, with the libraries that come with gcloud. */
export function pythonOfGcloud(): Python | undefined {
  const gcloud = findOnPath('gcloud');
  if (!gcloud) return undefined;
  const root = process.env.CLOUDSDK_ROOT_DIR ?? dirname(dirname(realpathSync(gcloud)));
  const path = join(root, 'lib/third_party');
  const bundled = join(root, 'platform/bundledpythonunix/bin/python3');
  const command = process.env.CLOUDSDK_PYTHON ?? (existsSync(bundled) ? bundled : findOnPath('python3'));
  return command && existsSync(join(path, 'google/auth')) ? { command, path } : undefined;
}

/** For the environment of gcloud. @param folder the folder of its configuration */
export function gcloudEnvironment(folder: string): Record<string, string> {
  return {
    CLOUDSDK_CONFIG: join(folder, 'gcloud'),
    CLOUDSDK_CORE_DISABLE_PROMPTS: '1',
    CLOUDSDK_CORE_DISABLE_USAGE_REPORTING: '1',
    CLOUDSDK_CORE_DISABLE_FILE_LOGGING: '1',
    CLOUDSDK_CORE_CHECK_GCE_METADATA: '0',
    CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK: '1',
    CLOUDSDK_SURVEY_DISABLE_PROMPTS: '1',
    // One process and thread is enough for what is copied here, and ends sooner.
    CLOUDSDK_STORAGE_PROCESS_COUNT: '1',
    CLOUDSDK_STORAGE_THREAD_COUNT: '1',
  };
}

export function runGcloud(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Ran> {
  return runChild({ file: 'gcloud', args, env });
}
