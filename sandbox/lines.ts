// The lines of shell that the sandbox prints for a second terminal: one job from start to end, and some mistakes. For the
// example policy they are written out; for any other they are derived from its rules.

import type { Conditions } from '../shared/core/policy/conditions.ts';
import type { Environment } from './environment.ts';
import { exampleJobFor } from './example-job.ts';
import { PERSON } from './shell-commands.ts';
import { CURL } from './shell-text.ts';

/** `web-release` in examples/policy.yaml. */
const RELEASE_PIPELINE = '0184990b-11f2-4a8e-b0d4-5f7a0c2d9e31';

const MACHINE_HEADER = 'Keydesk-Actor-Token: $MACHINE_TOKEN';

/** Lines for examples/policy.yaml, after the demo. @param jobs where jobs are started */
export function demoLines(environment: Environment, jobs: string): string[] {
  const { firestoreHost, token, google, sweep } = environment;
  const documents = `http://${firestoreHost}/v1/projects/acme-staging/databases/(default)/documents`;
  const start = startLine(jobs);
  const request = requestLine(token.url);
  return [
    '# A job starts. The line sets JOB and JOB_TOKEN. The token is valid for ten minutes. Paste it again for another job.',
    start(),
    '# The job requests a credential and writes a document with it.',
    request('ACCESS_TOKEN', 'staging-config'),
    `${CURL} -g -H "Authorization: Bearer $ACCESS_TOKEN" -X PATCH -d '{"fields":{"replicas":{"integerValue":"5"}}}' "${documents}/config/web"`,
    '# Firestore denies another collection.',
    `${CURL} -g -H "Authorization: Bearer $ACCESS_TOKEN" "${documents}/customers/1"`,
    '# The token of a service account for this job alone. The pool has three accounts, and two are cooling down after the demo.',
    '# So the next job gets a response that says when an account is free.',
    request('ADMIN_TOKEN', 'staging-admin'),
    '# /gate stands for any Google API that accepts the token of a service account.',
    `${CURL} -H "Authorization: Bearer $ADMIN_TOKEN" ${google.url}/gate`,
    '# Whose token is it, and until when is it valid.',
    `${CURL} --data-urlencode "token=$ADMIN_TOKEN" ${token.url}/introspect`,
    '# A token for one folder of a Cloud Storage bucket.',
    request('CACHE_TOKEN', 'staging-cache'),
    `${CURL} -H "Authorization: Bearer $CACHE_TOKEN" -d warm "${google.url}/upload/storage/v1/b/acme-ci-cache/o?uploadType=media&name=warm/page"`,
    ...finishLines(jobs),
    '# The same requests with the same tokens are now refused.',
    `${CURL} -g -H "Authorization: Bearer $ACCESS_TOKEN" "${documents}/config/web"`,
    `${CURL} -H "Authorization: Bearer $ADMIN_TOKEN" ${google.url}/gate`,
    ...sweepLines(sweep.url),
    '# A job of the release pipeline that builds a tag, in the only step that gets production-config.',
    start(
      `pipeline_id=${RELEASE_PIPELINE}`,
      'pipeline_slug=web-release',
      'build_branch=v1.2.3',
      'build_tag=v1.2.3',
      'step_key=deploy-production',
    ),
    request('PRODUCTION_TOKEN', 'production-config'),
    '# Mistakes: another audience, another branch, a claim that was not requested. Request staging-config after each.',
    start('audience=https://other.example'),
    start('build_branch=feature/x'),
    start('pipeline_id='),
  ];
}

/** Lines for the people who operate Keydesk, in a terminal of this folder. */
export function operatorLines({ reader, admin, google }: Environment): string[] {
  return [
    '# What people on call run. The ID token is valid for an hour, and is of a person of the fake Google.',
    `export KEYDESK_READER_URL=${reader.url} KEYDESK_ADMIN_URL=${admin.url}`,
    `export KEYDESK_ID_TOKEN=$(${CURL} ${google.url}/people/${PERSON}/id-token)`,
    'npm run -s keydesk -- status',
    'npm run -s keydesk -- grants list --state all',
    "npm run -s keydesk -- kill --environment staging --reason 'a drill' --dry-run",
  ];
}

/** Lines for any policy: a job that one of its rules grants, and how to choose another. */
export function policyLines(environment: Environment, jobs: string): string[] {
  const { policy, token, sweep } = environment;
  const start = startLine(jobs);
  const [credential, example] = firstExample(policy) ?? [];
  const granted =
    credential === undefined || !example
      ? ['# No rule of the policy grants a credential, so every request is refused.', start()]
      : [
          `# A job that gets ${credential} by the rule: ${plain(example.rule)}. The line sets JOB and JOB_TOKEN.`,
          start(`credential=${credential}`),
          ...requestLines(environment, credential, { jobs, conditions: example.conditions }),
          '# Whose token is it, and until when is it valid.',
          `${CURL} --data-urlencode "token=$ACCESS_TOKEN" ${token.url}/introspect`,
        ];
  return [
    ...granted,
    ...finishLines(jobs),
    ...sweepLines(sweep.url),
    '# A job with claims of your choice. An empty value leaves the claim out.',
    start('build_branch=feature/x', 'step_key=test', 'pipeline_id='),
  ];
}

/** How the job gets the credential, with what the rule demands of a machine and of people. */
function requestLines(
  { token, machines }: Environment,
  credential: string,
  { jobs, conditions: { approval, agent } }: { readonly jobs: string; readonly conditions: Conditions },
): string[] {
  const request = requestLine(token.url, agent && MACHINE_HEADER)('ACCESS_TOKEN', credential);
  return [
    ...(agent
      ? [
          `# A token of the machine, by the identity provider ${agent.provider}. It is valid for five minutes.`,
          `MACHINE_TOKEN=$(${CURL} ${machines.tokenUrlOf(agent.provider)})`,
        ]
      : []),
    '# The job requests the credential.',
    request,
    ...(approval
      ? [
          `# That was refused, because nobody has unblocked the step ${plain(approval.step)} of its build. Bob unblocks it.`,
          `# Bob and Alice are in the team ${approval.by}, and Alice started the build. Carol is in no team. Start another job to try them.`,
          `${CURL} -X POST -d by=bob ${jobs}/$JOB/unblock | sh`,
          '# The same job requests it again.',
          request,
        ]
      : []),
  ];
}

/** The first credential that a rule grants, and a job that gets it. */
export function firstExample(policy: Environment['policy']) {
  for (const credential of Object.keys(policy.credentials)) {
    const example = exampleJobFor(policy, credential);
    if (example) return [credential, example] as const;
  }
  return undefined;
}

function finishLines(jobs: string): string[] {
  return [
    '# The job finishes. Without the pipe into sh, the line prints the webhook of Buildkite. Its signature is valid for five minutes.',
    `${CURL} -X POST ${jobs}/$JOB/finish | sh`,
  ];
}

function sweepLines(url: string): string[] {
  return [
    '# The sweep. Cloud Scheduler calls it each minute in a deployment, and nothing does here.',
    `${CURL} -X POST ${url}/`,
  ];
}

function startLine(jobs: string): (...claims: string[]) => string {
  return (...claims) => `eval "$(${CURL} -X POST ${[jobs, ...claims.map((claim) => `-d ${claim}`)].join(' ')})"`;
}

/** @param header another one, with its name */
function requestLine(tokenUrl: string, header?: string): (variable: string, credential: string) => string {
  const headers = ['Authorization: Bearer $JOB_TOKEN', 'Accept: text/plain', ...(header ? [header] : [])];
  const given = headers.map((one) => `-H "${one}"`).join(' ');
  return (variable, credential) =>
    `${variable}=$(${CURL} -X POST ${given} ${tokenUrl}/token/${credential}) || echo "$${variable}"`;
}

/** Without what a shell could interpret after a `#`, when history expansion is on. */
function plain(text: string): string {
  return text.replaceAll(/[^\w ,.:/-]/g, ' ');
}
