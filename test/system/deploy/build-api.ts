// The part of Cloud Run's and Cloud Build's APIs that deploy/build.ts uses, as their references have it. Any other request gets 400.
// Source: cloud.google.com/run/docs/reference/rest/v2/projects.locations.builds/submit,
// cloud.google.com/build/docs/api/reference/rest/v1/operations/get.

import * as z from 'zod';
import { jsonServer } from '../../../sandbox/local-server.ts';

const SUBMIT = /^\/v2\/projects\/([a-z0-9-]+)\/locations\/([a-z0-9-]+)\/builds:submit$/;
const OPERATION = /^\/v1\/(operations\/build\/[a-z0-9-]+\/[a-z0-9]+)$/;
const build = z.strictObject({
  storageSource: z.strictObject({ bucket: z.string(), object: z.string() }),
  imageUri: z.string().regex(/^[a-z0-9-]+-docker\.pkg\.dev\/[a-z0-9-]+\/[a-z0-9-]+\/[a-z]+:[\w.-]{1,128}$/),
  serviceAccount: z.string().regex(/^projects\/[a-z0-9-]+\/serviceAccounts\/[^@/]+@[^@/]+$/),
  buildpackBuild: z.strictObject({
    functionTarget: z.string(),
    baseImage: z.string(),
    enableAutomaticUpdates: z.literal(true),
  }),
});

export type BuildApi = Awaited<ReturnType<typeof startBuildApi>>;

/** @param polls how often a build is looked at before it has ended */
export async function startBuildApi(accessToken: string, polls = 0) {
  const builds: z.output<typeof build>[] = [];
  let left = polls;
  let failure: string | undefined;
  const operation = (name: string) => {
    const done = left === 0;
    left -= done ? 0 : 1;
    return { name, ...(done && { done, ...(failure && { error: { code: 3, message: failure } }) }) };
  };
  const server = await jsonServer('fake build API', ({ method, headers, path, body }) => {
    const refuse = (status: number, message: string) => ({ status, json: { error: { code: status, message } } });
    if (headers.authorization !== `Bearer ${accessToken}`) return refuse(401, 'no credentials');
    const [, project] = SUBMIT.exec(path) ?? [];
    const [, named] = OPERATION.exec(path) ?? [];
    if (method === 'GET' && named) return { status: 200, json: operation(named) };
    if (method !== 'POST' || !project) return refuse(400, `not known: ${method} ${path}`);
    const wanted = build.safeParse(JSON.parse(body));
    if (!wanted.success) return refuse(400, wanted.error.message);
    builds.push(wanted.data);
    return { status: 200, json: { buildOperation: operation(`operations/build/${project}/abc`) } };
  });
  return {
    /** For a script that builds. */
    environment: {
      GOOGLE_CLOUD_RUN_V2_CUSTOM_ENDPOINT: `${server.url}/v2/`,
      GOOGLE_CLOUD_BUILD_CUSTOM_ENDPOINT: `${server.url}/v1/`,
    },
    builds,
    fail: (message: string) => {
      failure = message;
    },
    stop: () => server.close(),
  };
}
