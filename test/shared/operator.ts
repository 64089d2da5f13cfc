// What an operator does by hand, with rights of their own: enables an account behind Keydesk's back, throws the kill switch.

import { execFile } from 'node:child_process';
import { expect, inject } from 'vitest';
import { ROOT } from '../../sandbox/functions.ts';
import type { InProcessDesk } from '../in-process-desk.ts';

export async function enableAccount({ google, project }: InProcessDesk, email: string): Promise<void> {
  const metadata = `http://${google.metadataHost}/computeMetadata/v1/instance/service-accounts/default/token`;
  const own = await fetch(metadata, { headers: { 'metadata-flavor': 'Google' } });
  const { access_token } = (await own.json()) as { access_token: string };
  const enabled = await fetch(`${google.url}/v1/projects/${project}/serviceAccounts/${email}:enable`, {
    method: 'POST',
    headers: { authorization: `Bearer ${access_token}` },
  });
  expect(enabled.status).toBe(200);
}

/** Runs `npm run kill` against the desk, and gives what it wrote to standard output: the audit lines. */
export async function runKill({ google, project }: InProcessDesk, ...args: readonly string[]): Promise<string> {
  const { PATH, HOME } = process.env;
  const env = {
    PATH,
    HOME,
    GOOGLE_CLOUD_PROJECT: project,
    KEYDESK_DATABASE: 'ledger',
    KEYDESK_IAM_URL: google.url,
    GCE_METADATA_HOST: google.metadataHost,
    FIRESTORE_EMULATOR_HOST: inject('firestoreHost'),
  };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, ['cli/kill.ts', ...args], { cwd: ROOT, env }, (error, out) =>
      error ? reject(error) : resolve(out),
    );
  });
}
