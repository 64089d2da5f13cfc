// The people of the sandbox's Buildkite, and the teams that a policy names. Alice starts builds and Bob approves them: both are in every
// team. Carol is in none.

import { includesAccess } from '../shared/core/policy/conditions.ts';
import type { Policy } from '../shared/core/policy/policy.ts';
import { type Rule, UUID } from '../shared/core/policy/rule.ts';
import { exampleClaimsFor } from './example-job.ts';
import type { FakeBuildkite } from './fakes/buildkite/buildkite.ts';
import { APP } from './fakes/buildkite/job.ts';
import type { FakePerson } from './fakes/buildkite/teams.ts';

const PEOPLE = { alice: 'Alice', bob: 'Bob', carol: 'Carol' } as const;
type PersonName = keyof typeof PEOPLE;
export type People = Readonly<Record<PersonName, FakePerson>>;
export const PERSON_NAMES: readonly string[] = Object.keys(PEOPLE);

/** Creates the people and the teams. Each team has the pipelines by which jobs can meet the rules that name it. */
export function createPeople({ teams }: Pick<FakeBuildkite, 'teams'>, policy: Policy): People {
  const create = (name: PersonName) => teams.createPerson(PEOPLE[name]);
  const people: People = { alice: create('alice'), bob: create('bob'), carol: create('carol') };
  for (const [name, id] of Object.entries(policy.teams)) {
    const team = teams.createTeam(name, { id });
    for (const member of [people.alice, people.bob]) teams.join(team, member);
    for (const rule of policy.rules) {
      const { team: condition } = rule.conditions;
      if (condition?.name !== name) continue;
      for (const pipeline of pipelinesOf(policy, rule)) {
        const before = team.pipelines.get(pipeline);
        if (!before || !includesAccess(before, condition.access)) team.pipelines.set(pipeline, condition.access);
      }
    }
  }
  return people;
}

/** The person of this name; undefined for another name. */
export function personNamed(people: People, name: string): FakePerson | undefined {
  return Object.entries(people).find(([known]) => known === name)?.[1];
}

/** UUIDs of pipelines that the rule matches: those that it names, and the one of its example. */
function pipelinesOf(policy: Policy, rule: Rule): string[] {
  const named = rule.match.pipeline_id?.filter((pattern) => UUID.test(pattern)) ?? [];
  return [...named, String(exampleClaimsFor(policy, rule)?.pipeline_id ?? APP.id)];
}
