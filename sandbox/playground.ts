// The playground: a server that starts jobs with any claims, unblocks the steps that they wait for and finishes them, and lines of shell
// to paste. It does not check what Keydesk makes of a job, so mistakes can be tried.

import { MATCHABLE_CLAIMS } from '../shared/core/policy/claims.ts';
import { needsBuild } from '../shared/core/policy/conditions.ts';
import { type StartedJob, startExampleJob } from './build-of-job.ts';
import type { Environment } from './environment.ts';
import { type ExampleJob, exampleJobFor } from './example-job.ts';
import { jobEnvironment } from './job-environment.ts';
import { jsonServer, type LocalRequest, type LocalResponse } from './local-server.ts';
import { PERSON_NAMES, personNamed } from './people.ts';
import { CURL, quoted } from './shell-text.ts';

/** Seconds. */
const TOKEN_LIFETIME = '600';
/** What a request may choose for a job. Its ID is its own. */
const CHOICES = [
  'audience',
  'lifetime',
  'credential',
  'reason',
  'organization_slug',
  ...MATCHABLE_CLAIMS.filter((claim) => claim !== 'job_id'),
];

export interface Playground {
  /**
   * POST starts a job: form-encoded claims, `audience` and `lifetime`; `credential=NAME` starts one that gets it, once what its rule
   * demands of people and machines is there. `reason` is the one that its build states for break-glass access; empty for none.
   */
  readonly jobsUrl: string;
  close(): Promise<void>;
}

/** @param defaults a job for which nothing is chosen */
export async function openPlayground(
  environment: Environment,
  defaults: Pick<ExampleJob, 'claims' | 'conditions'> = { claims: {}, conditions: {} },
): Promise<Playground> {
  const { buildkite, policy, people, webhook } = environment;
  const jobs = new Map<string, StartedJob>();

  const start = async ({ body }: LocalRequest): Promise<LocalResponse> => {
    const form = Object.fromEntries(new URLSearchParams(body));
    const { audience, lifetime = TOKEN_LIFETIME, credential, reason, ...claims } = form;
    const unknown = Object.keys(claims).filter((claim) => !CHOICES.includes(claim) && !/^agent_tag:./.test(claim));
    if (unknown.length > 0)
      return refuse(400, `${unknown.join(', ')} cannot be chosen, only ${CHOICES.join(', ')}, agent_tag:NAME`);
    if (!/^\d{1,6}$/.test(lifetime)) return refuse(400, 'lifetime must be a number of seconds');
    const example = credential === undefined ? defaults : exampleJobFor(policy, credential);
    if (!example) return refuse(400, `credential: no rule of the policy grants ${credential}`);
    if (reason !== undefined && !needsBuild(example.conditions))
      return refuse(400, 'reason: the rule of this job asks nothing about its build');
    const chosen = Object.fromEntries(Object.entries(claims).map(toClaim));
    const started = await startExampleJob(environment, example, chosen, reasonOf(reason));
    const { job } = started;
    jobs.set(job.id, started);
    const jobToken = await buildkite.jobToken(job, {
      ...(audience === undefined ? {} : { audience }),
      lifetime: Number(lifetime),
    });
    return text(
      200,
      `JOB=${job.id}`,
      `JOB_TOKEN=${jobToken}`,
      `FINISH=${quoted(`${CURL} -X POST ${server.url}/jobs/${job.id}/finish | sh`)}`,
      ...Object.entries(jobEnvironment(buildkite, job)).map(([name, value]) => `export ${name}=${quoted(value)}`),
    );
  };

  const unblock = ({ build, step }: StartedJob, { body }: LocalRequest): LocalResponse => {
    const { by = 'bob', ...others } = Object.fromEntries(new URLSearchParams(body));
    const person = personNamed(people, by);
    if (!person || Object.keys(others).length > 0)
      return refuse(400, `only by can be chosen, and is one of ${PERSON_NAMES.join(', ')}`);
    if (!build || !step) return refuse(409, 'the job waits for no approval');
    if (step.state === 'unblocked') return refuse(409, 'the step is unblocked already: start another job');
    buildkite.builds.unblock(step, person);
    return webhookLine(buildkite.builds.stepEvent(build, step));
  };

  const webhookLine = (body: string): LocalResponse =>
    text(
      200,
      '# the webhook that Buildkite sends; its signature is valid for five minutes',
      `${CURL} -H ${quoted(`X-Buildkite-Signature: ${buildkite.signature(body)}`)} --data-binary ${quoted(body)} ${webhook.url}/`,
    );

  const server = await jsonServer('playground', (request) => {
    const [, id = '', act] = /^\/jobs\/([^/]+)\/(finish|unblock)$/.exec(request.path) ?? [];
    if (request.method !== 'POST') return refuse(405, 'the method must be POST');
    if (request.path === '/jobs') return start(request);
    if (act === undefined) return refuse(404, 'the paths are /jobs, /jobs/JOB/finish and /jobs/JOB/unblock');
    const started = jobs.get(id);
    if (!started) return refuse(404, `no job ${id} was started here`);
    return act === 'finish' ? webhookLine(buildkite.event(started.job)) : unblock(started, request);
  });
  return { jobsUrl: `${server.url}/jobs`, close: server.close };
}

function reasonOf(reason: string | undefined): Parameters<typeof startExampleJob>[3] {
  if (reason === undefined) return {};
  return { metaData: reason === '' ? {} : { 'break-glass-reason': reason } };
}

/** An empty value leaves the claim out, as if the job had not requested it. */
function toClaim([claim, value]: [string, string]): [string, unknown] {
  if (value === '') return [claim, undefined];
  return [claim, claim === 'build_number' ? Number(value) : value];
}

function text(status: number, ...lines: string[]): LocalResponse {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8' }, text: `${lines.join('\n')}\n` };
}

/** Readable, and harmless when a shell evaluates it. */
function refuse(status: number, problem: string): LocalResponse {
  return text(status, `echo ${quoted(`sandbox: ${problem}`)} >&2`);
}
