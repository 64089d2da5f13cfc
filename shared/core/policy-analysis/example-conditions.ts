// What an example job has beyond the claims of its token, in words for people: who approved, which team, which machine.

import { formatDuration } from '../policy/duration.ts';
import { visible } from '../policy/visible-text.ts';
import { type ConditionClaim, fromAge, type NamesOfConditions, readConditionClaim } from './condition-claims.ts';
import type { ExampleJob } from './jobs.ts';

/** What an example has beyond claims, in clauses. What it lacks is left out, as claims are. */
export function exampleConditions(job: ExampleJob, names: NamesOfConditions): string[] {
  const facts = [...job].flatMap(([name, value]): [ConditionClaim, string][] => {
    const claim = readConditionClaim(name);
    return claim && value !== null ? [[claim, value]] : [];
  });
  const steps = new Set(facts.flatMap(([claim]) => (claim.about === 'approved' ? [claim.step] : [])));
  const teams = facts.flatMap(([claim, value]) =>
    claim.about === 'team' ? [`the pipeline is of team ${teamName(claim.team, names)} with ${value}`] : [],
  );
  const creator = facts.flatMap(([claim]) => (claim.about === 'created_by' ? [teamName(claim.team, names)] : []));
  return [
    ...teams,
    ...(creator.length > 0 ? [`started by a member of ${creator.join(' and ')}`] : []),
    ...(facts.some(([claim]) => claim.about === 'reason') ? ['the build states a reason'] : []),
    ...[...steps].map((step) => approvalExample(step, facts, names)),
    ...agentExamples(facts, names),
  ];
}

function approvalExample(
  step: string,
  facts: readonly (readonly [ConditionClaim, string])[],
  names: NamesOfConditions,
): string {
  const ofStep = facts.filter(([claim]) => 'step' in claim && claim.step === step);
  const age = ofStep.flatMap(([{ about }, value]) => (about === 'approved' ? [fromAge(value)] : []))[0] ?? 0;
  const teams = ofStep.flatMap(([claim]) => (claim.about === 'approver_team' ? [teamName(claim.team, names)] : []));
  const approver = ofStep.flatMap(([{ about }, value]) => (about === 'approver' ? [value] : []))[0];
  const by = teams.length > 0 ? `a member of ${teams.join(' and ')}` : 'somebody of no named team';
  const creator = { creator: ', the creator', other: ', not the creator' }[approver ?? ''] ?? '';
  return `${visible(step)} approved by ${by}, ${age === 0 ? 'just now' : `${formatDuration(age)} ago`}${creator}`;
}

function agentExamples(facts: readonly (readonly [ConditionClaim, string])[], names: NamesOfConditions): string[] {
  const tokens = new Map<string, string[]>();
  for (const [claim, value] of facts) {
    if (claim.about !== 'agent') continue;
    const provider = providerName(claim, names);
    const word = `${claimName(claim, names)} ${visible(value)}`;
    tokens.set(provider, [...(tokens.get(provider) ?? []), word]);
  }
  return [...tokens].map(([provider, words]) => `a token of ${provider} with ${words.join(' and ')}`);
}

type AgentClaim = Extract<ConditionClaim, { about: 'agent' }>;

function teamName(id: string, { teams }: NamesOfConditions): string {
  return Object.entries(teams).find(([, uuid]) => uuid === id)?.[0] ?? id;
}

function providerOf({ issuer, audience }: AgentClaim, { identityProviders }: NamesOfConditions) {
  return Object.entries(identityProviders).find(([, one]) => one.issuer === issuer && one.audience === audience);
}

function providerName(claim: AgentClaim, names: NamesOfConditions): string {
  return providerOf(claim, names)?.[0] ?? claim.issuer;
}

function claimName(claim: AgentClaim, names: NamesOfConditions): string {
  const declared = Object.entries(providerOf(claim, names)?.[1].claims ?? {});
  const named = declared.find(([name, { at = [name] }]) => JSON.stringify(at) === JSON.stringify(claim.at));
  return named?.[0] ?? claim.at.join('.');
}
