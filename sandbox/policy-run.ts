// `npm start -- --policy FILE --once`: issues each credential of a policy once, to an example job of a rule that grants it. What the rule
// demands beyond claims happens first: Alice starts the build, Bob approves it, and the machine has a token.

import type { Conditions } from '../shared/core/policy/conditions.ts';
import { startExampleJob, unblock } from './build-of-job.ts';
import { curl, parse } from './curl.ts';
import type { Environment } from './environment.ts';
import { type ExampleClaims, type ExampleJob, exampleJobFor } from './example-job.ts';

export interface IssuedOnce {
  readonly credential: string;
  /** `ungranted`: no rule of the policy grants it, or no job can meet the rule. */
  readonly outcome: 'issued' | 'failed' | 'ungranted';
  /** For people. */
  readonly lines: readonly string[];
}

/** Requests every credential; calls `onResult` after each. @returns whether all credentials that a rule grants were issued */
export async function issueEach(environment: Environment, onResult: (result: IssuedOnce) => void): Promise<boolean> {
  let succeeded = true;
  for (const credential of Object.keys(environment.policy.credentials)) {
    const result = await issueOnce(environment, credential);
    succeeded &&= result.outcome !== 'failed';
    onResult(result);
  }
  return succeeded;
}

async function issueOnce(environment: Environment, credential: string): Promise<IssuedOnce> {
  const example = exampleJobFor(environment.policy, credential);
  if (!example) return { credential, outcome: 'ungranted', lines: ['no rule of the policy grants it to a job'] };
  const { rule, claims, conditions } = example;
  const response = await requestAs(environment, credential, example);
  const body = parse(response.body);
  const about = [`by the rule "${rule}", to a job with ${describe(claims)}`, ...describeConditions(conditions)];
  if (response.status !== 200)
    return { credential, outcome: 'failed', lines: [...about, `${response.status} ${response.body}`] };
  return {
    credential,
    outcome: 'issued',
    lines: [...about, `valid for ${body.expires_in} s, revocation ${body.revocation}`],
  };
}

async function requestAs(environment: Environment, credential: string, example: ExampleJob) {
  const { buildkite, token, people, machines } = environment;
  const { job, build, step } = await startExampleJob(environment, example);
  if (build && step) await unblock(environment, { build, step }, people.bob);
  const headers = [`Authorization: Bearer ${await buildkite.jobToken(job)}`];
  const { agent } = example.conditions;
  if (agent) headers.push(`Keydesk-Actor-Token: ${(await curl(machines.tokenUrlOf(agent.provider))).body}`);
  const args = headers.flatMap((header) => ['-H', header]);
  return curl('-X', 'POST', ...args, `${token.url}/token/${credential}`);
}

function describe(claims: ExampleClaims): string {
  return Object.entries(claims)
    .map(([claim, value]) => `${claim}=${value}`)
    .join(' ');
}

function describeConditions({ team, created_by, approval, agent }: Conditions): string[] {
  return [
    ...(team ? [`of a pipeline of the team ${team.name}, which has ${team.access}`] : []),
    ...(created_by ? [`of a build that Alice of the team ${created_by.team} started`] : []),
    ...(approval ? [`after Bob of the team ${approval.by} had unblocked the step ${approval.step}`] : []),
    ...(agent ? [`on a machine with a token of the identity provider ${agent.provider}`] : []),
  ];
}
