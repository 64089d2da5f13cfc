// Lines to copy and paste, for playing on by hand with a job that runs.

import type { Desk } from './desk.ts';

export async function playground(desk: Desk): Promise<string[]> {
  const job = desk.buildkite.startJob();
  const jobToken = await desk.buildkite.jobToken(job, { lifetime: 600 });
  const body = desk.buildkite.event(job);
  const signature = desk.buildkite.signature(body);
  const documents = `http://${desk.firestoreHost}/v1/projects/acme-staging/databases/(default)/documents`;
  return [
    `JOB_TOKEN=${jobToken}`,
    `ACCESS_TOKEN=$(curl -fsS -X POST -H "Authorization: Bearer $JOB_TOKEN" -H "Accept: text/plain" ${desk.token.url}/token/staging-config)`,
    `curl -g -H "Authorization: Bearer $ACCESS_TOKEN" -X PATCH -d '{"fields":{"replicas":{"integerValue":"5"}}}' "${documents}/config/web"`,
    `curl -g -H "Authorization: Bearer $ACCESS_TOKEN" "${documents}/customers/1"`,
    `ADMIN_TOKEN=$(curl -fsS -X POST -H "Authorization: Bearer $JOB_TOKEN" -H "Accept: text/plain" ${desk.token.url}/token/staging-admin)`,
    `curl -H "Authorization: Bearer $ADMIN_TOKEN" ${desk.google.url}/gate`,
    `curl --data-urlencode "token=$ADMIN_TOKEN" ${desk.token.url}/introspect`,
    `curl -X POST -H "Authorization: Bearer $JOB_TOKEN" ${desk.token.url}/token/staging-export`,
    `CACHE_TOKEN=$(curl -fsS -X POST -H "Authorization: Bearer $JOB_TOKEN" -H "Accept: text/plain" ${desk.token.url}/token/staging-cache)`,
    `curl -H "Authorization: Bearer $CACHE_TOKEN" -d warm "${desk.google.url}/upload/storage/v1/b/acme-ci-cache/o?uploadType=media&name=warm/page"`,
    `curl -H "Authorization: Bearer $CACHE_TOKEN" "${desk.google.url}/storage/v1/b/acme-ci-cache/o?prefix=warm/"`,
    '# the job finishes (the signature is good for five minutes):',
    `curl -H 'X-Buildkite-Signature: ${signature}' --data-binary '${body}' ${desk.webhook.url}/`,
    `curl -g -H "Authorization: Bearer $ACCESS_TOKEN" "${documents}/config/web"`,
    `curl -H "Authorization: Bearer $ADMIN_TOKEN" ${desk.google.url}/gate`,
    '# what the scheduler calls each minute:',
    `curl -X POST ${desk.sweep.url}/`,
  ];
}
