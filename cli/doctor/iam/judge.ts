// Compares the IAM policy of a place with what the deployment needs there: what is missing, and who has more.

import type { Found } from '../../checks/check.ts';
import type { Google } from '../../checks/google.ts';
import type { DoctorTarget } from '../target.ts';
import { type BindingFinding, bindingCommand, bindingFacts } from './binding-texts.ts';
import { hazardsOf } from './hazards.ts';
import { kindOfMember } from './member.ts';
import type { Needed } from './needed.ts';
import type { Place } from './places.ts';
import { type Binding, permissionsIn } from './policy.ts';
import { isAgentRole } from './service-agent.ts';

type FoundBinding = Found<BindingFinding>;

export interface Judged {
  readonly found: readonly FoundBinding[];
  /** Service agents with the roles that Google grants them. */
  readonly agents: readonly string[];
}

/** One member of a binding. */
interface Held {
  readonly role: string;
  readonly member: string;
  readonly condition?: Binding['condition'];
}

const BASIC = new Set(['roles/owner', 'roles/editor', 'roles/admin', 'roles/writer']);

export async function judgePolicy(
  google: Google,
  target: DoctorTarget,
  {
    place,
    held: bindings,
    needed,
  }: { readonly place: Place; readonly held: readonly Binding[]; readonly needed: readonly Needed[] },
): Promise<Judged> {
  const held = bindings.flatMap(({ role, members, condition }) =>
    members.map((member): Held => ({ role, member, ...(condition ? { condition } : {}) })),
  );
  const other = held.filter((one) => !needed.some((need) => satisfies(need, one)));
  const missing = needed.filter((need) => !held.some((one) => satisfies(need, one)));
  const lost = new Set<Held>();
  const found: FoundBinding[] = missing.map((need) => {
    const without = other.find((one) => one.role === need.role && one.member === need.member && !lost.has(one));
    if (!without || need.condition === undefined) return missingOf(place, need);
    lost.add(without);
    return lostOf(place, need, without);
  });
  const agents: string[] = [];
  for (const one of other.filter((binding) => !lost.has(binding))) {
    if (kindOfMember(target, one.member) === 'agent' && isAgentRole(one.role))
      agents.push(`${one.member.replace('serviceAccount:', '')} (${one.role})`);
    else found.push(...(await judgeHeld(google, target, place, one)));
  }
  return { found, agents };
}

function satisfies({ role, member, condition }: Needed, held: Held): boolean {
  return held.role === role && held.member === member && held.condition?.expression === condition;
}

async function judgeHeld(google: Google, target: DoctorTarget, place: Place, held: Held): Promise<FoundBinding[]> {
  const kind = kindOfMember(target, held.member);
  const finding = (name: BindingFinding, by?: readonly string[], words = by?.join(', ')): FoundBinding => ({
    finding: name,
    resource: place.resource,
    member: held.member,
    held: { ...whatIsHeld(held), ...(by ? { permissions: by } : {}) },
    facts: { ...bindingFacts(place, held), ...(words === undefined ? {} : { permissions: words }) },
  });
  if (kind === 'deleted' || kind === 'project role') return [];
  if (kind === 'public') return [finding('public_binding')];
  if (kind === 'own') return [finding('privilege_not_needed')];
  if (kind === 'shared' && isOfKeydesk(target, place)) return [finding('privilege_not_needed')];
  if (place.beneath.length > 0 && BASIC.has(held.role)) {
    const words = `everything that ${held.role} has`;
    if (kind === 'agent') return [finding('service_agent_role', undefined, words)];
    return kind === 'default' ? [finding('default_account_bound', undefined, words)] : [finding('basic_role')];
  }
  const hazards = place.beneath.length > 0 ? hazardsOf(await permissionsIn(google, held.role), place.beneath) : [];
  const permissions = [...new Set(hazards.flatMap(({ by }) => by))].sort();
  if (kind === 'agent') return hazards.length > 0 ? [finding('service_agent_role', permissions)] : [];
  if (kind === 'default') return hazards.length > 0 ? [finding('default_account_bound', permissions)] : [];
  if (hazards.length > 0) return hazards.map(({ name, by }) => finding(name, by));
  return kind === 'person' && isOfKeydesk(target, place) ? [finding('person_bound')] : [];
}

function whatIsHeld({ role, condition }: Held) {
  return { role, ...(condition ? { condition: condition.expression } : {}) };
}

/** Whether nobody but Keydesk has business there. */
export function isOfKeydesk({ project, pools }: DoctorTarget, { kind, resource, beneath }: Place): boolean {
  if (kind === 'bucket') return beneath.includes('archives');
  if (kind === 'ancestor') return false;
  if (kind !== 'project') return true;
  return [project, ...pools.map((pool) => pool.project)].some((own) => resource === `project ${own}`);
}

function missingOf(place: Place, { role, member, condition, why }: Needed): FoundBinding {
  const held = { role, member, ...(condition === undefined ? {} : { condition: titled(condition) }) };
  return {
    finding: 'privilege_missing',
    resource: place.resource,
    member,
    held: whatIsHeld(held),
    facts: { ...bindingFacts(place, held), needed_for: why },
  };
}

function lostOf(place: Place, { role, member, condition = '' }: Needed, held: Held): FoundBinding {
  const wanted = { role, member, condition: titled(condition) };
  return {
    finding: 'condition_lost',
    resource: place.resource,
    member,
    held: whatIsHeld(held),
    facts: {
      ...bindingFacts(place, held),
      expression: condition,
      add_needed: { quoted: bindingCommand(place.command, 'add', wanted) },
      remove_needed: { quoted: bindingCommand(place.command, 'remove', wanted) },
    },
  };
}

/** With the titles of privileges.tf, by which gcloud finds a binding. */
function titled(expression: string): NonNullable<Binding['condition']> {
  const database = /\/databases\/([^"]+)"$/.exec(expression)?.[1];
  return { title: database === undefined ? 'keydesk' : `keydesk ${database} only`, expression };
}
