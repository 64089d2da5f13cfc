// For playing on by hand: lines to copy and paste, and a server of its own that starts as many jobs as one likes, with
// claims one chooses, and ends them. Refuses to know what the desk makes of a job: mistakes are the point.

import { MATCHABLE_CLAIMS } from '../shared/core/policy/claims.ts';
import type { Environment } from './environment.ts';
import type { Job } from './fakes/buildkite/buildkite.ts';
import { jsonServer, type LocalRequest, type LocalResponse } from './local-server.ts';

/** Seconds. */
const TOKEN_LIFETIME = '600';
/** What a job may be given; its id is its own. */
const CHOICES = [
  'audience',
  'lifetime',
  'organization_slug',
  ...MATCHABLE_CLAIMS.filter((claim) => claim !== 'job_id'),
];
/** `web-release` in examples/policy.yaml. */
const RELEASE_PIPELINE = '0184990b-11f2-4a8e-b0d4-5f7a0c2d9e31';
const CURL = 'curl -sS --fail-with-body';

export interface Playground {
  readonly url: string;
  readonly lines: readonly string[];
  close(): Promise<void>;
}

export async function openPlayground(environment: Environment): Promise<Playground> {
  const { buildkite } = environment;
  const jobs = new Map<string, Job>();

  const start = async ({ body }: LocalRequest): Promise<LocalResponse> => {
    const { audience, lifetime = TOKEN_LIFETIME, ...claims } = Object.fromEntries(new URLSearchParams(body));
    const unknown = Object.keys(claims).filter((claim) => !CHOICES.includes(claim) && !/^agent_tag:./.test(claim));
    if (unknown.length > 0)
      return refuse(400, `${unknown.join(', ')} cannot be chosen, only ${CHOICES.join(', ')}, agent_tag:NAME`);
    if (!/^\d{1,6}$/.test(lifetime)) return refuse(400, 'lifetime is a number of seconds');
    const job = buildkite.startJob(Object.fromEntries(Object.entries(claims).map(toClaim)));
    jobs.set(job.id, job);
    const jobToken = await buildkite.jobToken(job, {
      ...(audience === undefined ? {} : { audience }),
      lifetime: Number(lifetime),
    });
    return text(
      200,
      `JOB=${job.id}`,
      `JOB_TOKEN=${jobToken}`,
      `FINISH=${quoted(`${CURL} -X POST ${server.url}/jobs/${job.id}/finish | sh`)}`,
    );
  };

  const finish = (id: string): LocalResponse => {
    const job = jobs.get(id);
    if (!job) return refuse(404, `no job ${id} was started here`);
    const body = buildkite.event(job);
    return text(
      200,
      '# what Buildkite sends; the signature is good for five minutes',
      `${CURL} -H ${quoted(`X-Buildkite-Signature: ${buildkite.signature(body)}`)} --data-binary ${quoted(body)} ${environment.webhook.url}/`,
    );
  };

  const server = await jsonServer('playground', (request) => {
    const id = /^\/jobs\/([^/]+)\/finish$/.exec(request.path)?.[1];
    if (request.method !== 'POST') return refuse(405, 'only POST is answered');
    if (id !== undefined) return finish(id);
    return request.path === '/jobs' ? start(request) : refuse(404, 'POST /jobs or /jobs/JOB/finish');
  });
  return { url: server.url, lines: linesFor(environment, `${server.url}/jobs`), close: server.close };
}

/** An empty value leaves the claim out, as if the job had not asked for it. */
function toClaim([claim, value]: [string, string]): [string, unknown] {
  if (value === '') return [claim, undefined];
  return [claim, claim === 'build_number' ? Number(value) : value];
}

function linesFor({ firestoreHost, token, google, sweep }: Environment, jobs: string): string[] {
  const documents = `http://${firestoreHost}/v1/projects/acme-staging/databases/(default)/documents`;
  const start = (...claims: string[]) =>
    `eval "$(${CURL} -X POST ${[jobs, ...claims.map((claim) => `-d ${claim}`)].join(' ')})"`;
  const take = (variable: string, credential: string) =>
    `${variable}=$(${CURL} -X POST -H "Authorization: Bearer $JOB_TOKEN" -H "Accept: text/plain" ${token.url}/token/${credential}) || echo "$${variable}"`;
  return [
    '# A job starts. This sets JOB and JOB_TOKEN, which lives ten minutes. Paste it again for another job.',
    start(),
    take('ACCESS_TOKEN', 'staging-config'),
    `${CURL} -g -H "Authorization: Bearer $ACCESS_TOKEN" -X PATCH -d '{"fields":{"replicas":{"integerValue":"5"}}}' "${documents}/config/web"`,
    '# Another collection is refused.',
    `${CURL} -g -H "Authorization: Bearer $ACCESS_TOKEN" "${documents}/customers/1"`,
    '# An account of its own. There are three, and two rest since the story: the next job is told when to come again.',
    take('ADMIN_TOKEN', 'staging-admin'),
    '# /gate stands for any Google API that takes the token of a service account.',
    `${CURL} -H "Authorization: Bearer $ADMIN_TOKEN" ${google.url}/gate`,
    `${CURL} --data-urlencode "token=$ADMIN_TOKEN" ${token.url}/introspect`,
    take('CACHE_TOKEN', 'staging-cache'),
    `${CURL} -H "Authorization: Bearer $CACHE_TOKEN" -d warm "${google.url}/upload/storage/v1/b/acme-ci-cache/o?uploadType=media&name=warm/page"`,
    '# The job finishes. Leave out the pipe into sh to see what Buildkite sends: a signature is good for five minutes.',
    `${CURL} -X POST ${jobs}/$JOB/finish | sh`,
    '# The same calls with the same tokens are refused.',
    `${CURL} -g -H "Authorization: Bearer $ACCESS_TOKEN" "${documents}/config/web"`,
    `${CURL} -H "Authorization: Bearer $ADMIN_TOKEN" ${google.url}/gate`,
    '# What the scheduler calls each minute.',
    `${CURL} -X POST ${sweep.url}/`,
    '# A job of the release pipeline on a tag, in the one step that gets production-config.',
    start(
      `pipeline_id=${RELEASE_PIPELINE}`,
      'pipeline_slug=web-release',
      'build_branch=v1.2.3',
      'build_tag=v1.2.3',
      'step_key=deploy-production',
    ),
    take('PRODUCTION_TOKEN', 'production-config'),
    '# Mistakes: another audience, another branch, a claim that was not asked for. Ask for staging-config after each.',
    start('audience=https://other.example'),
    start('build_branch=feature/x'),
    start('pipeline_id='),
  ];
}

function text(status: number, ...lines: string[]): LocalResponse {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8' }, text: `${lines.join('\n')}\n` };
}

/** Text for eyes, and harmless where an answer is run by a shell. */
function refuse(status: number, problem: string): LocalResponse {
  return text(status, `echo ${quoted(`playground: ${problem}`)} >&2`);
}

function quoted(value: string): string {
  return `'${value.replaceAll("'", "'\\''")}'`;
}
