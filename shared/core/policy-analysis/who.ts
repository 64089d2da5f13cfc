// Who can get a credential, or what opens something: for each credential its rules, with what they demand of a job and an example.

import type { Conditions } from '../policy/conditions.ts';
import type { Policy, WrittenPolicy } from '../policy/policy.ts';
import { orCannotTell } from './change.ts';
import { commonPlaces } from './common-places.ts';
import { ALL_JOBS, type Demands, demandsOf, type ExampleJob, exampleJob, meeting } from './jobs.ts';
import { type Opening, openingOf } from './openings.ts';
import type { Question } from './questions.ts';
import { TextFinder } from './texts.ts';
import { demandsOfRule } from './what.ts';
import { WorkTogether } from './work.ts';

export interface RuleAccess {
  readonly rule: string;
  /** Without those of the organization, which every job meets. */
  readonly demands: Demands;
  /** What it demands beyond claims. */
  readonly conditions: Conditions;
  /** A job that the rule matches; undefined when there is none. */
  readonly example: ExampleJob | 'cannot tell' | undefined;
}

export interface CredentialAccess {
  readonly credential: string;
  readonly opening: Opening;
  readonly rules: readonly RuleAccess[];
}

/**
 * Credentials that open what the question is about, or may open it, in the order of the policy. Of an environment, also those of other
 * environments that open a place of it.
 */
export function whoGets(policy: Policy, written: WrittenPolicy, question: Question): CredentialAccess[] {
  const finder = new TextFinder();
  const work = new WorkTogether();
  const newTools = () => ({ finder, work: work.next() });
  return Object.entries(policy.credentials).flatMap(([name, credential]) => {
    const opening =
      openingOf(name, credential, written.databases, question, newTools) ?? inOtherEnvironment(name, written, question);
    if (!opening) return [];
    const rules = policy.rules
      .filter(({ grants }) => grants.includes(name))
      .map((rule) => ({
        rule: rule.name,
        demands: demandsOf(rule.match),
        conditions: rule.conditions,
        example: orCannotTell(() => exampleJob(meeting(ALL_JOBS, demandsOfRule(policy, rule)), newTools())),
      }));
    return [{ credential: name, opening, rules }];
  });
}

function inOtherEnvironment(name: string, written: WrittenPolicy, question: Question): Opening | undefined {
  if (question.about !== 'environment') return undefined;
  const places = commonPlaces(name, question.environment, written);
  return places.length > 0 ? { opens: 'same place', places } : undefined;
}
