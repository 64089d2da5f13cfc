// The IAM policies of a deployment: its projects, their folders and organization, its accounts, secrets, functions, repository and buckets.
// A condition that is not needed is not evaluated: its binding counts as held. Deny policies are not read.

import * as z from 'zod';
import { visible } from '../../../shared/core/policy/visible-text.ts';
import { shellCommand } from '../../../shared/core/shell-quote.ts';
import type { CheckKind, Found, Looked } from '../../checks/check.ts';
import type { Call, Google } from '../../checks/google.ts';
import { READS } from '../reads.ts';
import type { DoctorTarget } from '../target.ts';
import { BINDING_TEXTS, type BindingFinding } from './binding-texts.ts';
import { membersOf } from './group.ts';
import { isOfKeydesk, judgePolicy } from './judge.ts';
import { isOwnAccount } from './member.ts';
import { neededBindings } from './needed.ts';
import { archivesBucket, beneathProject, type Place, placesOf } from './places.ts';
import { type Binding, type IamPolicy, policyShape, WITH_CONDITIONS } from './policy.ts';

const SHOWN = 5;

export const bindings: CheckKind<DoctorTarget, BindingFinding> = {
  name: 'IAM bindings',
  looksAt:
    'Whether each identity has what the deployment needs and no more, with its conditions, and who else may sign, mint, enable, change policies, read the ledger or call a private function: by roles on the resource itself.',
  findings: BINDING_TEXTS,
  checksOf: (target) =>
    placesOf(target).map((place) => ({
      subject: place.resource,
      look: (google) => lookAtPlace(google, target, place),
    })),
};

type Inherited = Exclude<BindingFinding, 'privilege_missing' | 'condition_lost'>;
const { privilege_missing: _missing, condition_lost: _lost, ...inheritedTexts } = BINDING_TEXTS;

export const inheritedBindings: CheckKind<DoctorTarget, Inherited> = {
  name: 'inherited IAM bindings',
  looksAt:
    'The same in the policies of the folders and the organization above each project. No identity needs a role there.',
  findings: inheritedTexts,
  checksOf: (target) =>
    target.projects.map((project) => ({
      subject: `above ${project}`,
      look: async (google) => {
        const places = await ancestorsOf(google, target, project);
        const looked = await Promise.all(places.map((place) => lookAtPlace(google, target, place)));
        // Nothing is needed above a project, so that nothing is missing there.
        const found = looked.flatMap((one) => one.found as readonly Found<Inherited>[]);
        return { found, detail: places.map(({ resource }) => resource).join(', ') || 'nothing' };
      },
    })),
};

async function lookAtPlace(google: Google, target: DoctorTarget, place: Place): Promise<Looked<BindingFinding>> {
  const policy = await google.find(place.call);
  if (!policy && isReportedElsewhere(target, place)) return { found: [], detail: 'does not exist' };
  const { bindings: held = [] } = policy ?? {};
  const needed = neededBindings(target).filter(({ resource }) => resource === place.resource);
  const { found, agents } = await judgePolicy(google, target, { place, held, needed });
  const detail = agents.length > 0 ? { detail: `service agents: ${agents.join(', ')}` } : {};
  return { found: await namingMembers(google, target, place, { held, found, needed }), ...detail };
}

/** Other checks report a resource that is missing, all but these two. */
function isReportedElsewhere(target: DoctorTarget, { kind, resource }: Place): boolean {
  return kind !== 'repository' && resource !== `bucket ${archivesBucket(target)}`;
}

/** Reads the groups that matter: those with a finding, those that are needed, and all on Keydesk's own resources. */
async function namingMembers(
  google: Google,
  target: DoctorTarget,
  place: Place,
  {
    held,
    found,
    needed,
  }: {
    readonly held: readonly Binding[];
    readonly found: readonly Found<BindingFinding>[];
    readonly needed: readonly { readonly member: string }[];
  },
): Promise<Found<BindingFinding>[]> {
  const matters = new Set([...found, ...needed].map(({ member }) => member));
  const groups = new Map(
    held
      .flatMap(({ role, members }) => members.map((member) => ({ role, member })))
      .filter(({ member }) => member.startsWith('group:') && (matters.has(member) || isOfKeydesk(target, place)))
      .map(({ role, member }) => [member, role]),
  );
  const named = [...found];
  for (const [member, role] of groups) {
    const group = member.replace('group:', '');
    const about = { resource: place.resource, member };
    const facts = { ...about, group, role };
    const read = await membersOf(google, group);
    if ('unknown' in read) {
      const { message, fix } = read.unknown;
      named.push({
        finding: 'group_not_readable',
        ...about,
        held: { role },
        facts: { ...facts, problem: message, read: { quoted: visible(fix) } },
      });
      continue;
    }
    for (const identity of read.members.filter((email) => isOwnAccount(target, email)))
      if (!isPoolGroup(target, group, identity))
        named.push({ finding: 'identity_in_group', ...about, held: { role }, facts: { ...facts, identity } });
    const who = `${member} (${shown(read.members)})`;
    for (const [index, one] of named.entries())
      if (one.member === member) named[index] = { ...one, facts: { ...one.facts, who } };
  }
  return named;
}

/** The group of an environment's pool is for its accounts. */
function isPoolGroup({ pooled, deployment }: DoctorTarget, group: string, identity: string): boolean {
  const environment = pooled.get(identity);
  return environment !== undefined && deployment.pool_groups[environment]?.email === group;
}

function shown(members: readonly string[]): string {
  if (members.length === 0) return 'no members';
  const more = members.length - SHOWN;
  return `${members.slice(0, SHOWN).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

const resourceIdShape = z.object({ type: z.string(), id: z.string() });
const resourceIdIn = z.object({ resourceId: resourceIdShape });
const ancestryShape = z.object({
  // gcloud may print what is in resourceId alone.
  ancestor: z
    .array(z.preprocess((one) => resourceIdIn.safeParse(one).data?.resourceId ?? one, resourceIdShape))
    .default([]),
});

async function ancestorsOf(google: Google, target: DoctorTarget, project: string): Promise<Place[]> {
  const { ancestor } = await google.read({
    api: 'cloudresourcemanager.googleapis.com',
    path: `v1/projects/${project}:getAncestry`,
    json: {},
    shape: ancestryShape,
    ...READS.ancestry,
    on: project,
    gcloud: { command: shellCommand`gcloud projects get-ancestors ${project}`, list: 'ancestor' },
  });
  return ancestor
    .filter(({ type }) => type === 'folder' || type === 'organization')
    .map(({ type, id }) => ancestorPlace(type, id, beneathProject(target, project)));
}

function ancestorPlace(type: string, id: string, beneath: Place['beneath']): Place {
  const isFolder = type === 'folder';
  const group = { quoted: isFolder ? 'gcloud resource-manager folders' : 'gcloud organizations' };
  const call: Call<IamPolicy> = {
    api: 'cloudresourcemanager.googleapis.com',
    path: `v3/${type}s/${id}:getIamPolicy`,
    json: WITH_CONDITIONS,
    shape: policyShape,
    ...(isFolder ? READS.folderPolicy : READS.organizationPolicy),
    on: `${type} ${id}`,
    gcloud: { command: shellCommand`${group} get-iam-policy ${id}` },
  };
  return {
    kind: 'ancestor',
    resource: `${type} ${id}`,
    call,
    beneath,
    command: shellCommand`${group} VERB-iam-policy-binding ${id}`,
  };
}
