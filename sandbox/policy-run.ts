// `npm start -- --policy FILE --once`: issues each credential of a policy once, to an example job of a rule that grants it.

import { curl, parse } from './curl.ts';
import type { Environment } from './environment.ts';
import { type ExampleClaims, exampleJobFor } from './example-job.ts';

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

async function issueOnce({ policy, buildkite, token }: Environment, credential: string): Promise<IssuedOnce> {
  const example = exampleJobFor(policy, credential);
  if (!example) return { credential, outcome: 'ungranted', lines: ['no rule of the policy grants it to a job'] };
  const job = buildkite.startJob(example.claims);
  const authorization = `Authorization: Bearer ${await buildkite.jobToken(job)}`;
  const response = await curl('-X', 'POST', '-H', authorization, `${token.url}/token/${credential}`);
  const body = parse(response.body);
  const about = [`by the rule "${example.rule}", to a job with ${describe(example.claims)}`];
  if (response.status !== 200)
    return { credential, outcome: 'failed', lines: [...about, `${response.status} ${response.body}`] };
  return {
    credential,
    outcome: 'issued',
    lines: [...about, `valid for ${body.expires_in} s, revocation ${body.revocation}`],
  };
}

function describe(claims: ExampleClaims): string {
  return Object.entries(claims)
    .map(([claim, value]) => `${claim}=${value}`)
    .join(' ');
}
