// The part of Cloud Run's and Cloud Build's APIs that deploy/build.ts uses, as their references have it. Any other request gets 400.
// Source: cloud.google.com/run/docs/reference/rest/v2/projects.locations.builds/submit,
// cloud.google.com/build/docs/api/reference/rest/v1/operations/get and projects.locations.operations/get.

import * as z from 'zod';
import { jsonServer, type LocalReply } from '../../../sandbox/local-server.ts';

const SUBMIT = /^\/v2\/projects\/([a-z0-9-]+)\/locations\/([a-z0-9-]+)\/builds:submit$/;
const ID = '0f3a8c1e-5b7d-4c29-9e60-2d4f6a8b1c3d';
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

interface Settings {
  /** How often a build is looked at before it has ended; 0 by default. */
  readonly polls?: number;
  /** Under which names Cloud Build knows an operation; both by default. */
  readonly names?: 'location' | 'own' | 'both' | 'none';
  /** Whether the operation says which build it is about. */
  readonly metadata?: boolean;
  /** What the first polls get in place of the operation. */
  readonly faults?: readonly LocalReply[];
  /** The base image of the build, where it differs from the requested one. */
  readonly baseImageUri?: string;
  readonly baseImageWarning?: string;
  /** The build's error. */
  readonly failure?: string;
}

export async function startBuildApi(accessToken: string, settings: Settings = {}) {
  const { names = 'both', metadata = true, faults = [], failure, ...answer } = settings;
  const builds: (z.output<typeof build> & { readonly region: string })[] = [];
  const polled: string[] = [];
  const known = new Set<string>();
  let left = settings.polls ?? 0;
  const refuse = (status: number, message: string) => ({ status, json: { error: { code: status, message } } });
  const operation = (name: string, done: boolean) => {
    const [, project = '', region = ''] = /^projects\/([^/]+)\/locations\/([^/]+)\//.exec([...known][0] ?? '') ?? [];
    const about = {
      name: `projects/123456789012/locations/${region}/builds/${ID}`,
      projectId: project,
      id: ID,
      logUrl: `https://console.example/builds/${ID}`,
    };
    return { name, ...(metadata && { metadata: { build: about } }), ...(done && { done, ...ended() }) };
  };
  const ended = () => (failure ? { error: { code: 3, message: failure } } : { response: {} });
  const server = await jsonServer('fake build API', ({ method, headers, path, body }) => {
    if (headers.authorization !== `Bearer ${accessToken}`) return refuse(401, 'no credentials');
    const [, project, region] = SUBMIT.exec(path) ?? [];
    if (headers['x-goog-user-project'] === undefined) return refuse(403, 'no quota project');
    const name = path.replace(/^\/v1\//, '');
    if (method === 'GET' && /^(operations\/.+|projects\/[^/]+\/locations\/[^/]+\/operations\/[^/]+)$/.test(name)) {
      polled.push(name);
      if (!isServed(name)) return refuse(404, 'Requested entity was not found.');
      const fault = faults[polled.filter(isServed).length - 1];
      if (fault) return fault;
      left -= 1;
      return { status: 200, json: operation(name, left < 0) };
    }
    if (method !== 'POST' || !project || !region) return refuse(400, `not known: ${method} ${path}`);
    const wanted = build.safeParse(JSON.parse(body));
    if (!wanted.success) return refuse(400, wanted.error.message);
    builds.push({ ...wanted.data, region });
    known.add(`projects/${project}/locations/${region}/operations/${ID}`);
    const own = `operations/build/${project}/${Buffer.from(ID).toString('base64')}`;
    known.add(own);
    const { baseImageUri = wanted.data.buildpackBuild.baseImage, baseImageWarning } = answer;
    return { status: 200, json: { buildOperation: operation(own, false), baseImageUri, baseImageWarning } };
  });
  const isServed = (name: string) => {
    const kind = name.startsWith('operations/') ? 'own' : 'location';
    return known.has(name) && (names === 'both' || names === kind);
  };
  return {
    /** For a script that builds. */
    environment: {
      GOOGLE_CLOUD_RUN_V2_CUSTOM_ENDPOINT: `${server.url}/v2/`,
      GOOGLE_CLOUD_BUILD_CUSTOM_ENDPOINT: `${server.url}/v1/`,
    },
    builds,
    /** Names of operations that were requested. */
    polled,
    stop: () => server.close(),
  };
}
