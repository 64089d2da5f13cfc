// Builds the image of a function from its archive by Cloud Run's API, as `gcloud run deploy --function` does: Cloud Build runs Google's
// buildpacks, with functions-framework as the entry. Terraform's resource of a service has no such step. Safe to repeat.
// Source: cloud.google.com/run/docs/reference/rest/v2/projects.locations.builds/submit; to poll the build,
// cloud.google.com/build/docs/api/reference/rest/v1/projects.locations.operations/get, and command_lib/run/sourcedeploys/deployer.py of gcloud 528.

import { parseArgs } from 'node:util';
import * as z from 'zod';
import { systemClock } from '../shared/runtime/clock.ts';
import { errorMessage } from '../shared/runtime/errors.ts';
import { createHttpClient, type JsonResponse } from '../shared/runtime/http-client.ts';
import { messageOf, operatorToken } from './operator-token.ts';

const USAGE = `usage: deploy/build.sh --project=ID --region=REGION --target=FUNCTION --source=gs://BUCKET/OBJECT --image=IMAGE
                       --base-image=IMAGE --service-account=EMAIL
  --region           where Cloud Build builds; the image may be in another region
  --target           the function in the archive: token, webhook or sweep
  --source           the archive
  --image            the image that is built, with its tag
  --base-image       Google's image under it, which Cloud Run keeps up to date
  --service-account  the account that builds
  --poll-ms          time between two looks at the build; 5000 by default`;
const OPTIONS = ['project', 'region', 'target', 'source', 'image', 'base-image', 'service-account'] as const;
const PATIENCE_MS = 20 * 60_000;

const build = z.object({ name: z.string(), projectId: z.string(), id: z.string(), logUrl: z.string() }).partial();
const operation = z.object({
  name: z.string(),
  done: z.boolean().default(false),
  error: z.object({ message: z.string() }).optional(),
  metadata: z.object({ build: build.optional() }).optional(),
});
type Operation = z.output<typeof operation>;
const submitted = z.object({
  buildOperation: operation,
  baseImageUri: z.string().optional(),
  baseImageWarning: z.string().optional(),
});

const { settings, pollMs } = readArguments();
const [, bucket, object] = /^gs:\/\/([^/]+)\/(.+)$/.exec(settings.source) ?? [];
if (!bucket || !object) fail(`--source must be gs://BUCKET/OBJECT\n${USAGE}`, 2);
// The variables by which Terraform's provider of Google finds these APIs elsewhere.
const run = process.env.GOOGLE_CLOUD_RUN_V2_CUSTOM_ENDPOINT ?? 'https://run.googleapis.com/v2/';
const cloudBuild = process.env.GOOGLE_CLOUD_BUILD_CUSTOM_ENDPOINT ?? 'https://cloudbuild.googleapis.com/v1/';
const accessToken = operatorToken(fail);
const request = createHttpClient(systemClock);

const { project, region } = settings;
const response = await call(`${run}projects/${project}/locations/${region}/builds:submit`, {
  storageSource: { bucket, object },
  imageUri: settings.image,
  serviceAccount: `projects/${project}/serviceAccounts/${settings['service-account']}`,
  buildpackBuild: {
    functionTarget: settings.target,
    baseImage: settings['base-image'],
    enableAutomaticUpdates: true,
  },
});
const { buildOperation, baseImageUri, baseImageWarning } = submitted.parse(response.json);
if (baseImageWarning) console.error(`build.sh: ${settings.target}: ${baseImageWarning}`);
// Cloud Run puts the image of --base-image under the built one. Another base than the one of the build may lack what the build expects.
if (baseImageUri && imageName(baseImageUri) !== imageName(settings['base-image']))
  fail(`${settings.target}: Cloud Run builds on another base image: set base_image to ${baseImageUri}`);
const logs = buildOperation.metadata?.build?.logUrl ?? 'Cloud Build, History';
console.log(`${settings.target}: building ${settings.image}. Log: ${logs}`);

const until = systemClock.now() + PATIENCE_MS;
let names = operationNames(buildOperation);
let current = buildOperation;
let problem = '';
while (!current.done) {
  if (systemClock.now() > until)
    fail(`${settings.target}: the build has not ended after 20 minutes${problem && ` (${problem})`}. Log: ${logs}`);
  await systemClock.sleep(pollMs);
  current = (await poll()) ?? current;
}
if (current.error) fail(`${settings.target}: the build failed: ${current.error.message}. Log: ${logs}`);
console.log(`${settings.target}: built ${settings.image}`);

/** Without the region of its registry, tag and digest: `google-24/runtimes/nodejs24`. */
function imageName(image: string): string {
  return image.replace(/^[^/]+\/[^/]+\//, '').replace(/[:@].*$/, '');
}

/**
 * The names under which Cloud Build may know the operation, in the order in which to try them. gcloud uses the first, and never the operation's
 * own name.
 */
function operationNames({ name, metadata }: Operation): readonly string[] {
  const { name: buildName = '', projectId, id } = metadata?.build ?? {};
  const [, location] = /^projects\/[^/]+\/locations\/([^/]+)\/builds\/[^/]+$/.exec(buildName) ?? [];
  return location && projectId && id ? [`projects/${projectId}/locations/${location}/operations/${id}`, name] : [name];
}

/** The operation as it is now. Undefined when Google could not say: the build goes on, so the next poll may succeed. */
async function poll(): Promise<Operation | undefined> {
  const [name = '', ...others] = names;
  const url = `${cloudBuild}${name}`;
  const answer = await send(url).catch((error: unknown) => errorMessage(error));
  if (typeof answer === 'string') {
    problem = answer;
    return undefined;
  }
  if (answer.status === 404 && others.length > 0) {
    names = others;
    return undefined;
  }
  if (answer.status === 429 || answer.status >= 500) {
    problem = refusal(url, answer);
    return undefined;
  }
  return answer.status === 200 ? operation.parse(answer.json) : fail(refusal(url, answer));
}

async function call(url: string, json: unknown): Promise<JsonResponse> {
  const answer = await send(url, json).catch((error: unknown) => fail(errorMessage(error)));
  return answer.status === 200 ? answer : fail(refusal(url, answer));
}

function send(url: string, json?: unknown): Promise<JsonResponse> {
  return request({
    dependency: 'build',
    url,
    headers: { authorization: `Bearer ${accessToken}`, 'x-goog-user-project': project },
    deadlineMs: 30_000,
    ...(json !== undefined && { method: 'POST', json }),
  });
}

function refusal(url: string, answer: JsonResponse): string {
  const said = messageOf(answer);
  return `${new URL(url).pathname} returned ${answer.status}${said && `: ${said}`}`;
}

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        help: { type: 'boolean' },
        'poll-ms': { type: 'string', default: '5000' },
        ...Object.fromEntries(OPTIONS.map((name) => [name, { type: 'string' as const }])),
      },
    });
    const { help, 'poll-ms': pollMs, ...rest } = values;
    if (help) {
      console.log(USAGE);
      process.exit(0);
    }
    return {
      settings: z.record(z.enum(OPTIONS), z.string().min(1)).parse(rest),
      pollMs: z.coerce.number().positive().parse(pollMs),
    };
  } catch (error) {
    return fail(`${error instanceof z.ZodError ? 'an option is missing' : errorMessage(error)}\n${USAGE}`, 2);
  }
}

function fail(message: string, code = 1): never {
  console.error(`build.sh: ${message}`);
  process.exit(code);
}
