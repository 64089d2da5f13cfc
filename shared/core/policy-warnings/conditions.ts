// Conditions of rules that hold for more people, machines or time than their authors may think.

import { splitMember } from '../policy/dotted-members.ts';
import { formatDuration } from '../policy/duration.ts';
import { matchesPattern } from '../policy/pattern.ts';
import type { WrittenPolicy } from '../policy/policy.ts';
import { hasVerifiedCreators, type Rule } from '../policy/rule.ts';
import type { PolicyWarning } from './codes.ts';
import { criticalEnvironmentsOf } from './critical-environments.ts';
import { patternFinding } from './pattern.ts';

export function conditionWarnings(policy: WrittenPolicy): PolicyWarning[] {
  const ofRules = policy.rules.flatMap((rule, index) => [
    ...stepWarnings(rule, index),
    ...creatorWarnings(rule, index, policy),
    ...emergencyWarnings(rule, index),
    ...durationWarnings(rule, index, policy),
    ...agentWarnings(rule, index, policy),
    ...valueWarnings(rule, index),
  ]);
  return [...memberWarnings(policy), ...ofRules];
}

/** Several members in one: no token has such a claim. */
function memberWarnings({ identityProviders }: WrittenPolicy): PolicyWarning[] {
  return Object.entries(identityProviders).flatMap(([name, { claims }]) =>
    Object.entries(claims).flatMap(([claim, { at = [] }]) => {
      const members = at.flatMap(splitMember);
      if (members.length === at.length) return [];
      const message = `has a member with dots, and each item of the list is one member. Write [${members.join(', ')}].`;
      return [{ code: 'dotted_member' as const, path: ['identityProviders', name, 'claims', claim, 'at'], message }];
    }),
  );
}

/** The label of a step, or a pattern, in place of its key. */
function stepWarnings({ conditions: { approval } }: Rule, index: number): PolicyWarning[] {
  if (!approval) return [];
  const { step } = approval;
  const path = ['rules', index, 'approval', 'step'];
  if (step.includes('*'))
    return [
      { code: 'pattern_syntax', path, message: `"${step}" is a pattern, and step takes one key. Write the key.` },
    ];
  const finding = patternFinding('step_key', step);
  return finding ? [{ ...finding, path }] : [];
}

function creatorWarnings(rule: Rule, index: number, policy: WrittenPolicy): PolicyWarning[] {
  const { approval } = rule.conditions;
  if (!approval) return [];
  const path = ['rules', index, 'approval'];
  const [environment] = criticalEnvironmentsOf(rule, policy);
  if (approval.not === undefined)
    return environment === undefined
      ? []
      : [
          {
            code: 'own_approval',
            path,
            message: `lets the person who started the build approve it, and the rule grants ${environment}. Add not: creator.`,
          },
        ];
  if (hasVerifiedCreators(rule.match)) return [];
  const admits = (source: string) =>
    rule.match.build_source?.some((pattern) => matchesPattern(pattern, source)) ?? true;
  const [source] = UNVERIFIED.filter((one) => admits(one));
  return [
    {
      code: 'unverified_creator',
      path: [...path, 'not'],
      message: `is creator, and the rule admits builds whose creator nobody verified${source === undefined ? '' : `, such as those from ${source}`}. Such a creator is the author of a commit, or nobody. Add build_source: [ui, api].`,
    },
  ];
}

/** An emergency that anybody can begin who may build the pipeline. */
function emergencyWarnings({ conditions: { approval, created_by } }: Rule, index: number): PolicyWarning[] {
  if (approval?.use !== 'break-glass' || created_by) return [];
  return [
    {
      code: 'break_glass_creator',
      path: ['rules', index, 'approval', 'use'],
      message:
        'is break-glass, and the rule has no created_by: everybody who may build the pipeline can begin an emergency. Add created_by: { team: NAME } to match.',
    },
  ];
}

/** Values are compared to the letter. */
function valueWarnings({ conditions: { agent } }: Rule, index: number): PolicyWarning[] {
  return Object.entries(agent?.claims ?? {}).flatMap(([claim, values]) =>
    values.flatMap((value, position) =>
      value.includes('*')
        ? [
            {
              code: 'pattern_syntax' as const,
              path: ['rules', index, 'agent', 'claims', claim, position],
              message: `"${value}" is a pattern, and claims of a machine are compared to the letter. Write the values as a list.`,
            },
          ]
        : [],
    ),
  );
}

const UNVERIFIED = ['webhook', 'trigger_job', 'schedule'];

/** A token that is issued at the end of the time lives on after it. */
function durationWarnings({ conditions: { approval }, grants }: Rule, index: number, policy: WrittenPolicy) {
  if (!approval) return [];
  const longer = grants.filter((name) => (policy.credentials[name]?.ttl ?? 0) > approval.within);
  const [name] = longer;
  if (name === undefined) return [];
  const ttl = formatDuration(policy.credentials[name]?.ttl ?? 0);
  return [
    {
      code: 'short_approval' as const,
      path: ['rules', index, 'approval', 'within'],
      message: `is ${formatDuration(approval.within)}, and the ttl of ${name} is ${ttl}: a token can live longer than the approval, and cannot be renewed. Raise within, or shorten ttl.`,
    },
  ];
}

function agentWarnings({ conditions: { agent } }: Rule, index: number, policy: WrittenPolicy): PolicyWarning[] {
  const provider = agent && policy.identityProviders[agent.provider];
  if (!agent || !provider) return [];
  const path = ['rules', index, 'agent', 'claims'];
  const names = Object.keys(agent.claims);
  const ofPlatform = names.flatMap((name) => {
    const declared = Object.hasOwn(provider.claims, name) ? provider.claims[name] : undefined;
    return declared?.setBy === 'platform' ? [declared.at ?? [name]] : [];
  });
  if (ofPlatform.length === 0)
    return [
      {
        code: 'caller_set_claims',
        path,
        message: `has only ${names.join(', ')}, which the caller sets who requests the token. Any machine that can have a token of ${agent.provider} meets that. Add a claim that the platform sets.`,
      },
    ];
  if (provider.issuer !== GOOGLE_ISSUER || ofPlatform.some(isOwner)) return [];
  return [
    {
      code: 'public_issuer',
      path,
      message: `has only ${names.join(', ')}, and ${agent.provider} has Google's issuer: every customer of Google can have such a token for your audience. Add sub or email of a service account, or project_id of Compute Engine.`,
    },
  ];
}

const GOOGLE_ISSUER = 'https://accounts.google.com';
/**
 * Claims by which an account, a project, a machine or an organization is known. Sources: docs.cloud.google.com/compute/docs/instances/verifying-instance-identity,
 * developers.google.com/identity/openid-connect/openid-connect.
 */
const GOOGLE_OWNERS: readonly (readonly string[])[] = [
  ...['sub', 'email', 'azp', 'hd'].map((name) => [name]),
  ['google', 'organization_number'],
  ...['project_id', 'project_number', 'instance_id'].map((name) => ['google', 'compute_engine', name]),
];

function isOwner(at: readonly string[]): boolean {
  return GOOGLE_OWNERS.some(
    (owner) => owner.length === at.length && owner.every((member, index) => at[index] === member),
  );
}
