// The members of a group, with those of the groups in it. IAM says nothing about them.
// Sources: docs.cloud.google.com/identity/docs/reference/rest/v1/groups/lookup and groups.memberships/list. The method for transitive
// members needs an edition that not every organization has.

import * as z from 'zod';
import { shellCommand } from '../../../shared/core/shell-quote.ts';
import { CouldNotLook, type Google } from '../../checks/google.ts';
import { READS } from '../reads.ts';

const API = 'cloudidentity.googleapis.com';
const DEEPEST = 10;

const groupShape = z.object({ name: z.string() });
const membershipsShape = z.object({
  memberships: z
    .array(z.object({ preferredMemberKey: z.object({ id: z.string() }), type: z.string().default('') }))
    .default([]),
  nextPageToken: z.string().optional(),
});

/** The addresses of everybody in the group, or why they are not known. */
export async function membersOf(
  google: Google,
  email: string,
): Promise<{ readonly members: readonly string[] } | { readonly unknown: CouldNotLook }> {
  try {
    return { members: [...(await collect(google, email, new Set()))].sort() };
  } catch (error) {
    if (error instanceof CouldNotLook) return { unknown: error };
    throw error;
  }
}

async function collect(google: Google, email: string, above: ReadonlySet<string>): Promise<Set<string>> {
  if (above.size > DEEPEST) throw new CouldNotLook(`${email} is in too many groups`, 'Look at it in the console.');
  const on = { ...READS.group, on: email };
  const { name } = await google.read({
    api: API,
    path: 'v1/groups:lookup',
    query: [['groupKey.id', email]],
    shape: groupShape,
    ...on,
    gcloud: { command: shellCommand`gcloud identity groups describe ${email}` },
  });
  const pages = await google.readAll({
    api: API,
    path: `v1/${name}/memberships`,
    shape: membershipsShape,
    ...on,
    gcloud: {
      command: shellCommand`gcloud identity groups memberships list --group-email=${email}`,
      list: 'memberships',
    },
  });
  const inside = new Set([...above, email]);
  const found = new Set<string>();
  for (const { preferredMemberKey, type } of pages.flatMap(({ memberships }) => memberships)) {
    found.add(preferredMemberKey.id);
    if (type === 'GROUP' && !inside.has(preferredMemberKey.id))
      for (const member of await collect(google, preferredMemberKey.id, inside)) found.add(member);
  }
  return found;
}
