// What all scenes of `npm start -- --approvals` do: start a job that a rule could grant a credential, request it, and say what happened.

import { type StartedJob, startExampleJob, unblock } from '../build-of-job.ts';
import { type CurlResponse, curl, parse } from '../curl.ts';
import type { Environment } from '../environment.ts';
import { exampleJobFor } from '../example-job.ts';
import type { FakeBuild, FakeUser } from '../fakes/buildkite/builds.ts';
import type { Steps } from '../steps.ts';

export const UNBLOCKED_SHOWN = 'curl -H "X-Buildkite-Signature: $SIGNATURE" -d @job.activated $WEBHOOK/';

export class Play {
  readonly environment: Environment;
  readonly report: Steps['report'];

  constructor(environment: Environment, { report }: Steps) {
    this.environment = environment;
    this.report = report;
  }

  /** Starts a job that fits the claims of a rule for the credential, in a build that Alice started where the rule asks about it. */
  start(
    credential: string,
    chosen: Readonly<Record<string, unknown>> = {},
    options: Partial<Pick<FakeBuild, 'metaData'>> = {},
  ): Promise<StartedJob> {
    const example = exampleJobFor(this.environment.policy, credential);
    if (!example) throw new Error(`no rule grants ${credential}`);
    return startExampleJob(this.environment, example, chosen, options);
  }

  /** The response to the job's request. @param machineToken of the machine on which it runs */
  async request({ job }: StartedJob, credential: string, machineToken?: string): Promise<CurlResponse> {
    const { buildkite, token } = this.environment;
    const headers = [
      `Authorization: Bearer ${await buildkite.jobToken(job)}`,
      ...(machineToken === undefined ? [] : [`Keydesk-Actor-Token: ${machineToken}`]),
    ];
    return curl('-X', 'POST', ...headers.flatMap((header) => ['-H', header]), `${token.url}/token/${credential}`);
  }

  /** The person unblocks the step that the job waits for, and Buildkite's webhook arrives. */
  approve({ build, step }: StartedJob, by: FakeUser): Promise<CurlResponse> {
    if (!build || !step) throw new Error('the job waits for no step');
    return unblock(this.environment, { build, step }, by);
  }
}

export function requestShown(credential: string, ...headers: string[]): string {
  const given = ['Authorization: Bearer $JOB_TOKEN', ...headers].map((header) => `-H "${header}"`).join(' ');
  return `curl -X POST ${given} $KEYDESK/token/${credential}`;
}

export function isRefused({ status, body }: CurlResponse, error: string): Readonly<Record<string, boolean>> {
  return { 'status 400': status === 400, [error]: parse(body).error === error };
}

/** Nobody has unblocked the step yet. */
export function isPending(response: CurlResponse, step: string): Readonly<Record<string, boolean>> {
  return {
    ...isRefused(response, 'authorization_pending'),
    'the name of the step': parse(response.body).step === step,
  };
}

export function isGranted({ status, body }: CurlResponse): Readonly<Record<string, boolean>> {
  const { access_token } = parse(body);
  return { 'status 200': status === 200, 'an access token': typeof access_token === 'string' };
}
