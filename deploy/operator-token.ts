// For scripts that call Google as the person who runs them: that person's access token, and Google's error message when a call
// fails.

import { execFileSync } from 'node:child_process';
import * as z from 'zod';
import type { JsonResponse } from '../shared/runtime/http-client.ts';

/** From the variable that Terraform's provider takes it from, or else from gcloud. @param fail ends the process */
export function operatorToken(fail: (message: string) => never): string {
  const provided = process.env.GOOGLE_OAUTH_ACCESS_TOKEN;
  if (provided) return provided;
  try {
    return execFileSync('gcloud', ['auth', 'print-access-token'], { encoding: 'utf8' }).trim();
  } catch {
    return fail('gcloud gave no access token: log in with gcloud auth login, or set GOOGLE_OAUTH_ACCESS_TOKEN');
  }
}

/** Google's own words; empty when there are none. */
export function messageOf({ json }: JsonResponse): string {
  const output = z.object({ error: z.object({ message: z.string() }) }).safeParse(json);
  return output.success ? output.data.error.message : '';
}
