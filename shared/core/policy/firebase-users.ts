// The Firebase users that a policy needs and that are known before any job asks: those of the pipelines that rules name by
// `pipeline` or `pipeline_id`. Such a rule grants only to tokens that have the id, and the user is derived from it. When a job has
// changed a user, the user of the next generation replaces it, and must exist where new users may not sign in.

import { firebaseUid } from '../firebase-user.ts';
import type { Policy } from './policy.ts';

/** Users of one project, or of one tenant in it. */
export interface UserGroup {
  readonly project: string;
  readonly tenant: string | undefined;
  readonly uids: ReadonlySet<string>;
}

/** A rule whose users are not known before its jobs ask: it names pipelines by slug or by a pattern. */
interface UnknownUsers {
  readonly rule: string;
  readonly credential: string;
}

/** Users of each pipeline and credential that are created unless more are asked for: the first, and two that replace it. */
export const DEFAULT_GENERATIONS = 3;

/**
 * @param database leaves out all other databases
 * @param generations how many users of each pipeline and credential, from generation 0 on
 */
export function policyUsers(
  { credentials, rules }: Policy,
  database: { readonly project?: string; readonly database?: string },
  generations: number,
): { readonly groups: readonly UserGroup[]; readonly unknown: readonly UnknownUsers[] } {
  const groups = new Map<string, { project: string; tenant: string | undefined; uids: Set<string> }>();
  const unknown: UnknownUsers[] = [];
  for (const { name: rule, match: job, grants } of rules)
    for (const credentialName of new Set(grants)) {
      const credential = credentials[credentialName];
      if (credential?.kind !== 'firestore') continue;
      const { project, tenant } = credential;
      if (project !== (database.project ?? project)) continue;
      if (credential.database !== (database.database ?? credential.database)) continue;
      const ids = job.pipeline_id ?? [];
      if (ids.length === 0 || ids.some((id) => id.includes('*'))) unknown.push({ rule, credential: credentialName });
      const key = `${project}/${tenant ?? ''}`;
      const group = groups.get(key) ?? { project, tenant, uids: new Set() };
      groups.set(key, group);
      for (const pipeline of ids.filter((id) => !id.includes('*')))
        for (let generation = 0; generation < generations; generation += 1)
          group.uids.add(firebaseUid({ pipeline, credential: credentialName }, generation));
    }
  return { groups: [...groups.values()].filter(({ uids }) => uids.size > 0), unknown };
}
