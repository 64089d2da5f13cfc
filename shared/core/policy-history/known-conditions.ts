// Whether the conditions of a rule hold for a request of the past, as far as its audit event says. The event of an issued token has by what
// the conditions of its rule held; of a refused request nobody knows what was so.

import * as z from 'zod';
import { type Conditions, includesAccess, TEAM_ACCESS } from '../policy/conditions.ts';
import type { Policy } from '../policy/policy.ts';

const text = z.string();

/** `conditions` of an event, as far as it is read. */
export const eventConditions = z.object({
  team: z.object({ id: text, access: z.enum(TEAM_ACCESS) }).nullish(),
  created_by: z.object({ user_id: text, team_id: text }).nullish(),
  approval: z
    .object({ step_key: text, approved_by: text, approved_at: z.union([text, z.number()]), team_id: text })
    .nullish(),
  agent: z.object({ provider: text, claims: z.record(text, text) }).nullish(),
});

export interface KnownConditions {
  /** Of the event; undefined when it has none. */
  readonly basis: z.output<typeof eventConditions> | undefined;
  /** Milliseconds since the epoch; undefined where the line does not say. */
  readonly at: number | undefined;
}

/** `unknown`: the event does not say. */
export type Known = 'met' | 'unmet' | 'unknown';

type Names = Pick<Policy, 'teams'>;
type Basis = NonNullable<KnownConditions['basis']>;

/** How each condition of a rule stands, by its name. */
export function judgeKnown(
  { team, created_by, approval, agent }: Conditions,
  { basis, at }: KnownConditions,
  { teams }: Names,
): ReadonlyMap<keyof Conditions, Known> {
  const known = new Map<keyof Conditions, Known>();
  const idOf = (name: string) => (Object.hasOwn(teams, name) ? teams[name] : undefined);
  if (team) known.set('team', ofTeam(team, idOf(team.name), basis));
  if (created_by) known.set('created_by', ofCreator(idOf(created_by.team), basis));
  if (approval) known.set('approval', ofApproval(approval, idOf(approval.by), basis, at));
  if (agent) known.set('agent', ofAgent(agent, basis));
  return known;
}

function ofTeam({ access }: NonNullable<Conditions['team']>, id: string | undefined, basis: Basis | undefined): Known {
  const found = basis?.team;
  if (!found || found.id !== id) return 'unknown';
  return includesAccess(found.access, access) ? 'met' : 'unmet';
}

function ofCreator(id: string | undefined, basis: Basis | undefined): Known {
  return basis?.created_by && basis.created_by.team_id === id ? 'met' : 'unknown';
}

function ofApproval(
  { step, within, not }: NonNullable<Conditions['approval']>,
  id: string | undefined,
  basis: Basis | undefined,
  at: number | undefined,
): Known {
  const found = basis?.approval;
  if (!found || found.step_key !== step || at === undefined) return 'unknown';
  const approvedAt = typeof found.approved_at === 'number' ? found.approved_at : Date.parse(found.approved_at);
  if (Number.isNaN(approvedAt)) return 'unknown';
  if (at - approvedAt > within * 1000) return 'unmet';
  const creator = basis?.created_by?.user_id;
  if (not === 'creator' && creator === found.approved_by) return 'unmet';
  if (found.team_id !== id) return 'unknown';
  return not === 'creator' && creator === undefined ? 'unknown' : 'met';
}

function ofAgent({ provider, claims }: NonNullable<Conditions['agent']>, basis: Basis | undefined): Known {
  const found = basis?.agent;
  if (!found || found.provider !== provider) return 'unknown';
  const differs = Object.entries(claims).some(([name, values]) => {
    const value = Object.hasOwn(found.claims, name) ? found.claims[name] : undefined;
    return value !== undefined && !values.includes(value);
  });
  if (differs) return 'unmet';
  return Object.keys(claims).every((name) => Object.hasOwn(found.claims, name)) ? 'met' : 'unknown';
}
