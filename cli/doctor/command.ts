// What `keydesk doctor` does without --before-deploy and --live.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { type Clock, systemClock } from '../../shared/runtime/clock.ts';
import { errorMessage } from '../../shared/runtime/errors.ts';
import { createHttpClient } from '../../shared/runtime/http-client.ts';
import { type GivenTokens, givenApiTokens } from '../api-token.ts';
import { createFolderTransport, fileNameOf } from '../checks/folder.ts';
import { createReader, createTransport, type Transport } from '../checks/google.ts';
import { memoize } from '../checks/memoize.ts';
import { createOperatorClient, LOG_IN } from '../operator-client.ts';
import { readPolicy, readText } from '../policy-file.ts';
import { TOKEN_CALL } from '../preflight/api-token.ts';
import { EXIT, fail, note, print, printJson } from '../terminal.ts';
import { FINDING_IDS } from './checks.ts';
import { watchClocks } from './clock.ts';
import { type Deployment, parseDeployment, readDeploymentFile } from './deployment.ts';
import { diagnose, readNumbers } from './diagnose.ts';
import { type Exception, parseExceptions } from './exceptions.ts';
import { countFindings, isHealthy, reportLines, toJson } from './report.ts';
import { doctorTargetOf } from './target.ts';
import { openWebhookAccess, type WebhookAccess } from './webhook.ts';

const PROGRESS_MS = 5_000;

export interface DoctorOptions {
  readonly policy: string;
  readonly project?: string | undefined;
  readonly region?: string | undefined;
  readonly deployment?: string | undefined;
  readonly from?: string | undefined;
  readonly exceptions?: string | undefined;
  readonly archives?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly teamsTokenFile?: string | undefined;
  readonly servicesTokenFile?: string | undefined;
  readonly webhookUrl?: string | undefined;
  readonly json?: true | undefined;
}

export async function runDoctor(options: DoctorOptions): Promise<void> {
  const clock = systemClock;
  const deployment = deploymentOf(options);
  const exceptions = exceptionsIn(options.exceptions, clock.now());
  const about = { archives: archivesIn(options.archives), ...apiTokensOf(options), clock };
  const policy = readPolicy(options.policy);
  const offsets = new Map<string, number>();
  const quotaProject = deployment.project_id;
  const startedAt = clock.now();
  const written: number[] = [];
  const onRead = (writtenAt: number) => {
    written.push(writtenAt);
  };
  const transport = options.from
    ? createFolderTransport(existingFolder(options.from), { quotaProject, onRead })
    : await onlineTransport(clock, offsets, quotaProject);
  const google = createReader(memoize(transport), { quotaProject });
  const unnumbered = doctorTargetOf(policy, deployment, { ...about, numbers: {} });
  const numbers = await readNumbers(google, unnumbered.projects);
  let reported = clock.now();
  const diagnosis = await diagnose({ ...unnumbered, numbers }, google, {
    exceptions,
    exceptionsFile: options.exceptions ?? '',
    offsets,
    webhook: webhookAccessOf(options, policy.policy.organization.slug, clock),
    onResult: (done, planned) => {
      if (clock.now() - reported < PROGRESS_MS) return;
      reported = clock.now();
      note(`${done} of ${planned} checks are done…`);
    },
  });
  const files = options.from === undefined ? undefined : agesOf(written, startedAt);
  const madeAt = Math.min(startedAt, files?.oldest ?? startedAt);
  const { sha256: policySha256 } = policy;
  if (options.json) printJson(toJson(diagnosis, { project: quotaProject, policySha256, madeAt, files }));
  else for (const line of reportLines(diagnosis)) print(line);
  if (!isHealthy(countFindings(diagnosis))) process.exitCode = EXIT.failure;
}

/** Without a file that could be read, nothing is older than this run. */
function agesOf(written: readonly number[], startedAt: number) {
  if (written.length === 0) return { oldest: startedAt, newest: startedAt };
  return { oldest: Math.min(...written), newest: Math.max(...written) };
}

async function onlineTransport(clock: Clock, offsets: Map<string, number>, quotaProject: string): Promise<Transport> {
  const operator = createOperatorClient(clock);
  await operator.authenticate().catch((error) => fail(EXIT.failure, `${errorMessage(error)}. ${LOG_IN}`));
  return createTransport(watchClocks(operator.send, clock, offsets), {
    quotaProject,
    sendUnauthenticated: watchClocks(createHttpClient(clock), clock, offsets),
    // For tests: a server that has each host under a folder.
    base: process.env.KEYDESK_GOOGLE_APIS_URL,
  });
}

/** The file, with the options in place of what it says. */
function deploymentOf({ deployment: file, project, region }: DoctorOptions): Deployment {
  const inFile = file === undefined ? {} : settingsIn(file);
  const parsed = parseDeployment({
    ...inFile,
    ...(project === undefined ? {} : { project_id: project }),
    ...(region === undefined ? {} : { region }),
  });
  if ('deployment' in parsed) return parsed.deployment;
  return fail(
    EXIT.usage,
    [
      ...parsed.problems.map((problem) => `${file ?? 'deployment'}: ${problem}`),
      'Name the deployment with --project and --region, or with --deployment FILE.',
    ].join('\n'),
  );
}

function settingsIn(file: string): Record<string, unknown> {
  try {
    return readDeploymentFile(file);
  } catch (error) {
    return fail(EXIT.usage, errorMessage(error));
  }
}

function exceptionsIn(file: string | undefined, now: number): readonly Exception[] {
  if (file === undefined) return [];
  const parsed = parseExceptions(readText(file), { ids: FINDING_IDS, now });
  if ('exceptions' in parsed) return parsed.exceptions;
  return fail(EXIT.usage, parsed.problems.map((problem) => `${file}: ${problem}`).join('\n'));
}

function existingFolder(folder: string): string {
  return existsSync(folder)
    ? folder
    : fail(EXIT.usage, `${folder} does not exist. --from takes a folder of exported JSON.`);
}

function archivesIn(folder: string | undefined): Record<string, string> | undefined {
  if (folder === undefined) return undefined;
  const file = join(folder, 'manifest.json');
  try {
    return z.object({ archives: z.record(z.string(), z.string()) }).parse(JSON.parse(readFileSync(file, 'utf8')))
      .archives;
  } catch {
    return fail(EXIT.usage, `${file} is not the manifest that keydesk package writes.`);
  }
}

/** The token itself is needed where its scopes are not in the folder. */
function apiTokensOf({ from, ...options }: DoctorOptions): GivenTokens {
  if (from === undefined) return givenApiTokens(options);
  return { apiToken: existsSync(join(from, fileNameOf(TOKEN_CALL))) ? '' : undefined, teamsApiToken: undefined };
}

/** Undefined without a token for it: Buildkite's settings are then not looked at. */
function webhookAccessOf(
  { servicesTokenFile, webhookUrl: url }: DoctorOptions,
  organization: string,
  clock: Clock,
): WebhookAccess | undefined {
  return servicesTokenFile === undefined
    ? undefined
    : openWebhookAccess(servicesTokenFile, { organization, url, clock });
}
