// `apiKey: to-be-created` in the policy: the first apply of the Terraform module creates the key. No function starts with it.

import type { Policy, WrittenPolicy } from './policy.ts';

export const TO_BE_CREATED = 'to-be-created';

/** What is still to do, for the author of the policy. */
export function apiKeyNotes({ databases }: Pick<WrittenPolicy, 'databases'>): string[] {
  return Object.entries(databases).flatMap(([name, { apiKey }]) =>
    apiKey === TO_BE_CREATED
      ? [
          `note: the apiKey of database "${name}" is ${TO_BE_CREATED}. After the first apply, write the value of terraform output api_keys`,
        ]
      : [],
  );
}

/** Why the token function does not start. */
export function apiKeyProblems({ credentials }: Pick<Policy, 'credentials'>): string[] {
  return Object.entries(credentials).flatMap(([name, credential]) =>
    credential.kind === 'firestore' && credential.apiKey === TO_BE_CREATED
      ? [`credential ${name} has the apiKey ${TO_BE_CREATED}. Write the API key of ${credential.project}`]
      : [],
  );
}
