// What a job of the local Buildkite has on its disk and in its environment for a client: `external_account` files of every
// source, the `buildkite-agent` command, and the plugin's own executable.

import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Job } from '../../../sandbox/fakes/buildkite/job.ts';
import type { InProcessKeydesk } from '../../fixtures/in-process-keydesk.ts';
import { AUDIENCE } from '../../fixtures/policies.ts';

const AGENT = fileURLToPath(new URL('../../../sandbox/fakes/buildkite/agent.ts', import.meta.url));
const PLUGIN_EXECUTABLE = fileURLToPath(new URL('../../../plugin/bin/job-token', import.meta.url));
/** Keydesk's audience, as its policy says. */
const CLAIMS = ['organization_id', 'pipeline_id'];

export interface JobOnDisk {
  readonly job: Job;
  readonly folder: string;
  /** Nothing of the test's own but the folders of its commands. */
  readonly env: Readonly<Record<string, string>>;
  /** A job token in a file; `ending` stands behind it. */
  fileSource(ending?: string): Promise<object>;
  /** The agent as Google's clients start it themselves. */
  agentSource(): object;
  /** The plugin's executable, with what it reads. */
  pluginSource(): object;
  /** Writes an `external_account` file. @returns its path */
  credentialFile(credential: string, source: object, more?: object): string;
  /** The webhook of the job's end, accepted. */
  finish(): Promise<void>;
  remove(): void;
}

/** A job of its own. */
export function newJobOnDisk(keydesk: InProcessKeydesk): JobOnDisk {
  const job = keydesk.buildkite.startJob();
  const folder = mkdtempSync(join(tmpdir(), 'keydesk-client-'));
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  const agent = join(bin, 'buildkite-agent');
  writeFileSync(agent, `#!/bin/sh\nexec '${process.execPath}' '${AGENT}' "$@"\n`);
  chmodSync(agent, 0o755);
  const write = (name: string, content: string): string => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  };
  const executable = (command: string) => ({ executable: { command, timeout_millis: 20_000 } });
  let files = 0;
  return {
    job,
    folder,
    env: {
      PATH: `${bin}:${process.env.PATH}`,
      HOME: folder,
      // Without it the library for Node looks for a project with gcloud, and then asks a metadata server.
      GOOGLE_CLOUD_PROJECT: keydesk.project,
      BUILDKITE_AGENT_ACCESS_TOKEN: job.agentToken,
      BUILDKITE_AGENT_ENDPOINT: keydesk.buildkite.agentEndpoint,
      BUILDKITE_JOB_ID: job.id,
      GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES: '1',
    },
    fileSource: async (ending = '') => ({
      file: write('job-token.txt', `${await keydesk.buildkite.jobToken(job)}${ending}`),
    }),
    agentSource: () => {
      const claims = CLAIMS.map((claim) => `--claim ${claim}`).join(' ');
      return executable(`${agent} oidc request-token --audience ${AUDIENCE} ${claims} --format gcp`);
    },
    pluginSource: () => {
      copyFileSync(PLUGIN_EXECUTABLE, join(folder, 'job-token'));
      write('audience', AUDIENCE);
      write('claims', CLAIMS.map((claim) => `${claim}\n`).join(''));
      return executable(`/bin/sh ${folder}/job-token`);
    },
    credentialFile: (credential, source, more = {}) => {
      files += 1;
      return write(`credential-${files}.json`, JSON.stringify(credentialJson(keydesk, credential, source, more)));
    },
    finish: async () => {
      const { status } = await keydesk.notify(keydesk.buildkite.event(job));
      if (status !== 200) throw new Error(`the webhook returned ${status}`);
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** What stands in an `external_account` file. */
function credentialJson(keydesk: InProcessKeydesk, credential: string, source: object, more: object = {}): object {
  return {
    type: 'external_account',
    universe_domain: 'googleapis.com',
    audience: credential,
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    token_url: `${keydesk.tokenUrl}/token`,
    token_info_url: `${keydesk.tokenUrl}/introspect`,
    credential_source: source,
    ...more,
  };
}
