// What a case says of its job beyond claims: the teams of its pipeline, who started the build and who approved it, the machine. They
// become what the ledger and the identity providers would say, and the conditions of rules are judged by that. What a case does not say
// is not so: nobody approved, no team has access, the request has no token of a machine.

import { meantOrKnown } from '../closest-name.ts';
import { emptyBuildRecord } from '../conditions/build-record.ts';
import type { Facts } from '../conditions/judge.ts';
import type { TeamRecord } from '../conditions/team-record.ts';
import type { JobClaims } from '../policy/claims.ts';
import type { TeamAccess } from '../policy/conditions.ts';
import type { Policy } from '../policy/policy.ts';
import type { PolicyProblem } from '../policy/problems.ts';
import { unknownName, unknownNames } from './names.ts';
import type { WrittenConditions } from './test-file.ts';

type Path = PolicyProblem['path'];

/** The time of a case. */
export const CASE_TIME = Date.UTC(2026, 0, 1);
const CREATOR = person(0);

function person(number: number): string {
  return `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
}

/** The facts by which the conditions of rules are judged at {@link CASE_TIME}. */
export function toFacts(
  { team, created_by, approved, reason, agent }: WrittenConditions,
  claims: JobClaims,
  policy: Policy,
): Facts {
  const { pipeline_id = '', build_number, build_id = null } = claims;
  const members = new Map<string, Set<string>>();
  const join = (who: string, teams: readonly string[]) => {
    for (const name of teams) members.set(name, (members.get(name) ?? new Set()).add(who));
  };
  join(CREATOR, created_by?.team ?? []);
  const unblocks = approved.map(({ step, by, ago = 0, approver }, index) => {
    const who = approver === 'creator' ? CREATOR : person(index + 1);
    join(who, by);
    return {
      ...{ job_id: person(index + 1), step_key: step, step_id: null },
      ...{ unblocked_by: who, unblocked_at: CASE_TIME - ago * 1000 },
    };
  });
  const teams = Object.entries(policy.teams).map(([name, id]) => {
    const access = team.find((one) => one.name === name)?.access;
    return [
      id,
      toRecord([...(members.get(name) ?? [])], access === undefined ? {} : { [pipeline_id]: access }),
    ] as const;
  });
  const build = emptyBuildRecord({ pipeline_id, build_number }, CASE_TIME);
  return {
    build: { ...build, build_id, creator_known: true, creator: CREATOR, reason: reason ?? null, unblocks },
    teams: new Map(teams),
    agent,
  };
}

function toRecord(members: string[], pipelines: Record<string, TeamAccess>): TeamRecord {
  return {
    members,
    pipelines,
    read_at: CASE_TIME,
    read_again: false,
    failure: null,
    failed_at: null,
    delete_at: CASE_TIME,
  };
}

/** Names that the policy does not declare. */
export function factProblems(
  { team, created_by, approved, agent }: WrittenConditions,
  path: Path,
  { teams, identityProviders, rules }: Policy,
): PolicyProblem[] {
  const known = Object.keys(teams);
  const demanded = [...new Set(rules.flatMap(({ conditions: { approval } }) => approval?.step ?? []))];
  const ofTeams = (names: readonly string[], where: Path) =>
    unknownNames(names, known, { noun: 'a team', path: where });
  const steps = approved.map(({ step }) => step);
  return [
    ...team.flatMap(({ name }, index) =>
      known.includes(name)
        ? []
        : [{ path: [...path, 'team', index, 'name'], message: unknownName(name, known, 'a team') }],
    ),
    ...ofTeams(created_by?.team ?? [], [...path, 'created_by', 'team']),
    ...approved.flatMap(({ by }, index) => ofTeams(by, [...path, 'approved', index, 'by'])),
    ...steps.flatMap((step, index) =>
      steps.indexOf(step) < index
        ? [{ path: [...path, 'approved', index, 'step'], message: `"${step}" is approved twice. Keep one of the two` }]
        : demanded.includes(step)
          ? []
          : [
              {
                path: [...path, 'approved', index, 'step'],
                message:
                  demanded.length === 0
                    ? 'No rule has an approval. Remove approved'
                    : `No rule has an approval of the step "${step}". ${meantOrKnown(step, demanded)}`,
              },
            ],
    ),
    ...(agent ? agentProblems(agent, [...path, 'agent'], identityProviders) : []),
  ];
}

function agentProblems(
  { provider, claims }: NonNullable<WrittenConditions['agent']>,
  path: Path,
  providers: Policy['identityProviders'],
): PolicyProblem[] {
  const declared = Object.hasOwn(providers, provider) ? providers[provider] : undefined;
  if (!declared)
    return [
      { path: [...path, 'provider'], message: unknownName(provider, Object.keys(providers), 'an identity provider') },
    ];
  const known = Object.keys(declared.claims);
  const unknown = Object.keys(claims).filter((claim) => !known.includes(claim));
  const missing = known.filter((claim) => !Object.hasOwn(claims, claim));
  return [
    ...unknown.map((claim) => ({
      path: [...path, 'claims', claim],
      message: unknownName(claim, known, `a claim of ${provider}`),
      at: 'key' as const,
    })),
    ...(missing.length > 0 && unknown.length === 0
      ? [
          {
            path: [...path, 'claims'],
            message: `lacks ${missing.join(', ')}. Keydesk accepts no token of ${provider} without`,
          },
        ]
      : []),
  ];
}
