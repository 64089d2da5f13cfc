// The ID token with which a command calls `reader` or `admin`: it says who runs the command.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { GoogleAuth } from 'google-auth-library';
import * as z from 'zod';
import { readGoogleError } from '../shared/core/google-refusal.ts';
import type { Clock } from '../shared/runtime/clock.ts';
import { errorMessage } from '../shared/runtime/errors.ts';
import { createOperatorClient } from './operator-client.ts';

const GCLOUD_TIMEOUT_MS = 20_000;

/** There is no ID token, and what to do about it. */
export class NoIdToken extends Error {
  override readonly name = 'NoIdToken';
}

/**
 * In this order: the variable KEYDESK_ID_TOKEN; a service account that is impersonated; gcloud; application default credentials of
 * a service account.
 * @param audience the URL of the function
 * @param impersonate a service account's address; undefined for the person's own identity
 * @throws NoIdToken
 */
export async function findIdToken(audience: string, impersonate: string | undefined, clock: Clock): Promise<string> {
  if (impersonate !== undefined) return impersonated(audience, impersonate, clock);
  const given = process.env.KEYDESK_ID_TOKEN?.trim();
  if (given !== undefined) return checkGiven(given);
  const byGcloud = await fromGcloud();
  if ('token' in byGcloud) return byGcloud.token;
  const byDefault = await fromDefaultCredentials(audience);
  if ('token' in byDefault) return byDefault.token;
  throw new NoIdToken(
    `There is no ID token for ${audience}. Run: gcloud auth login. Or set KEYDESK_ID_TOKEN, or use --impersonate with a service account.
  gcloud: ${byGcloud.problem}
  application default credentials: ${byDefault.problem}`,
  );
}

const SET_IT = 'KEYDESK_ID_TOKEN="$(gcloud auth print-identity-token)"';

function checkGiven(token: string): string {
  if (token === '')
    throw new NoIdToken(
      `KEYDESK_ID_TOKEN is set, and empty: the command that should print the token failed. Set ${SET_IT}, or unset it to use gcloud.`,
    );
  if (/^[\w-]+\.[\w-]+\.[\w-]*$/.test(token)) return token;
  throw new NoIdToken(
    `KEYDESK_ID_TOKEN is not an ID token, which has three parts with dots between them. Give the token alone, without "Bearer" or quotes: ${SET_IT}.`,
  );
}

type Found = { readonly token: string } | { readonly problem: string };

/** Source: docs.cloud.google.com/sdk/gcloud/reference/auth/print-identity-token. */
async function fromGcloud(): Promise<Found> {
  try {
    const { stdout } = await promisify(execFile)('gcloud', ['auth', 'print-identity-token', '--quiet'], {
      timeout: GCLOUD_TIMEOUT_MS,
    });
    return { token: stdout.trim() };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
      return { problem: 'it is not installed, or not on the PATH' };
    const { stderr = '' } = error as { stderr?: string };
    const [line = errorMessage(error)] = stderr.split('\n').filter((text) => text.startsWith('ERROR'));
    return { problem: line };
  }
}

async function fromDefaultCredentials(audience: string): Promise<Found> {
  try {
    const client = await new GoogleAuth().getIdTokenClient(audience);
    return { token: await client.idTokenProvider.fetchIdToken(audience) };
  } catch (error) {
    return { problem: errorMessage(error).split('\n', 1)[0] ?? '' };
  }
}

const generated = z.object({ token: z.string().min(1) });

/** Source: docs.cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateIdToken. */
async function impersonated(audience: string, account: string, clock: Clock): Promise<string> {
  const base = process.env.KEYDESK_GOOGLE_APIS_URL;
  const host = base ? `${base}/iamcredentials.googleapis.com` : 'https://iamcredentials.googleapis.com';
  const { send } = createOperatorClient(clock);
  const { status, json } = await send({
    dependency: 'iamcredentials generateIdToken',
    url: `${host}/v1/projects/-/serviceAccounts/${encodeURIComponent(account)}:generateIdToken`,
    method: 'POST',
    json: { audience, includeEmail: true },
  });
  const parsed = generated.safeParse(json);
  if (status === 200 && parsed.success) return parsed.data.token;
  const message = readGoogleError(json)?.message ?? `the response has status ${status}`;
  throw new NoIdToken(
    `Google made no ID token for ${account}: ${message}. You need roles/iam.serviceAccountOpenIdTokenCreator on it.`,
  );
}
