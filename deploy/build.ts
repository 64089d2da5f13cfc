// Builds the image of a function from its archive by Cloud Run's API, as `gcloud run deploy --function` does: Cloud Build runs Google's
// buildpacks, with functions-framework as the entry. Terraform's resource of a service has no such step. Safe to repeat.
// Source: cloud.google.com/run/docs/reference/rest/v2/projects.locations.builds/submit; to poll the build,
// cloud.google.com/build/docs/api/reference/rest/v1/operations/get.

import { parseArgs } from 'node:util';
import * as z from 'zod';
import { systemClock } from '../shared/runtime/clock.ts';
import { errorMessage } from '../shared/runtime/errors.ts';
import { createHttpClient, type JsonResponse } from '../shared/runtime/http-client.ts';
import { messageOf, operatorToken } from './operator-token.ts';

const USAGE = `usage: deploy/build.sh --project=ID --region=REGION --target=FUNCTION --source=gs://BUCKET/OBJECT --image=IMAGE
                       --base-image=IMAGE --service-account=EMAIL
  --target           the function in the archive: token, webhook or sweep
  --source           the archive
  --image            the image that is built, with its tag
  --base-image       Google's image under it, which Cloud Run keeps up to date
  --service-account  the account that builds
  --poll-ms          time between two looks at the build; 5000 by default`;
const OPTIONS = ['project', 'region', 'target', 'source', 'image', 'base-image', 'service-account'] as const;
const PATIENCE_MS = 20 * 60_000;

const operation = z.object({
  name: z.string(),
  done: z.boolean().default(false),
  error: z.object({ message: z.string() }).optional(),
  metadata: z.object({ build: z.object({ logUrl: z.string().optional() }).optional() }).optional(),
});
const submitted = z.object({ buildOperation: operation, baseImageWarning: z.string().optional() });

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
const { buildOperation, baseImageWarning } = submitted.parse(response.json);
if (baseImageWarning) console.error(`build.sh: ${settings.target}: ${baseImageWarning}`);
const logs = buildOperation.metadata?.build?.logUrl ?? 'Cloud Build, History';
console.log(`${settings.target}: building ${settings.image}. Log: ${logs}`);

const until = systemClock.now() + PATIENCE_MS;
let current = buildOperation;
while (!current.done) {
  if (systemClock.now() > until) fail(`${settings.target}: the build has not ended after 20 minutes. Log: ${logs}`);
  await systemClock.sleep(pollMs);
  current = operation.parse((await call(`${cloudBuild}${buildOperation.name}`)).json);
}
if (current.error) fail(`${settings.target}: the build failed: ${current.error.message}. Log: ${logs}`);
console.log(`${settings.target}: built ${settings.image}`);

async function call(url: string, json?: unknown): Promise<JsonResponse> {
  const pending = request({
    dependency: 'build',
    url,
    headers: { authorization: `Bearer ${accessToken}`, 'x-goog-user-project': project },
    deadlineMs: 30_000,
    ...(json !== undefined && { method: 'POST', json }),
  });
  const answer = await pending.catch((error: unknown) => fail(errorMessage(error)));
  if (answer.status === 200) return answer;
  const said = messageOf(answer);
  return fail(`${new URL(url).pathname} returned ${answer.status}${said && `: ${said}`}`);
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
