// `npm start -- --shell`: the user's shell, in which the clients work against the sandbox. Leaving it ends the sandbox. It also
// reads commands from a pipe.

import { execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { promisify } from 'node:util';
import { isMatchableClaim, isOptionalClaim } from '../shared/core/policy/claims.ts';
import { needsPipeline } from '../shared/core/policy/conditions.ts';
import type { Policy } from '../shared/core/policy/policy.ts';
import { databasesOf } from '../shared/core/security-rules/generate.ts';
import { type Authority, makeAuthority, makeTrustStore } from './authority.ts';
import { botoFile, clientVariables, type SandboxPlaces } from './client-settings.ts';
import { type Environment, LEDGER } from './environment.ts';
import { firstExample } from './lines.ts';
import type { Playground } from './playground.ts';
import { writeShellCommands } from './shell-commands.ts';
import { openTlsFront, type TlsFront } from './tls-front.ts';

export interface OpenShell {
  /** The exit code of the shell. */
  readonly ended: Promise<number>;
  /** Ends the shell, closes the proxies and removes the files. */
  close(): Promise<void>;
}

/** Prepares the files and variables, prints what there is with `print`, and starts the shell. */
export async function openShell(
  environment: Environment,
  playground: Playground,
  print: (line: string) => void,
): Promise<OpenShell> {
  const folder = mkdtempSync(join(tmpdir(), 'keydesk-shell-'));
  const [credentials, settings] = [join(folder, 'credentials'), join(folder, 'settings')];
  for (const path of [credentials, settings]) mkdirSync(path);
  const tls = await openTls(environment);
  const { policy } = environment;
  const first = firstExample(policy)?.[0] ?? Object.keys(policy.credentials)[0] ?? 'none';
  const places: SandboxPlaces = {
    policyFile: environment.policyFile,
    keydesk: environment.token.url,
    reader: environment.reader.url,
    admin: environment.admin.url,
    buildkite: environment.buildkite.url,
    google: environment.google.url,
    firestore: environment.firestoreHost,
    firestoreTls: tls?.firestore.host,
    googleTls: tls?.google.host,
    credentials,
    credentialFile: join(credentials, `${first}.json`),
    project: databasesOf(policy)[0]?.project ?? LEDGER.project,
    certificates: tls && writeCertificates(join(folder, 'certificates.pem'), tls.authority),
    trustStore: tls?.trustStore,
    settings,
  };
  writeFileSync(join(settings, 'boto'), botoFile(places));
  writeCredentialFiles(policy, places, tls?.token.host);
  writeShellCommands(folder, environment, playground);
  const variables: Record<string, string | undefined> = {
    ...process.env,
    ...clientVariables(places),
    KEYDESK_SANDBOX: folder,
    BUILDKITE_FAKE_REDACTED: join(folder, 'redacted'),
    PATH: `${join(folder, 'bin')}:${process.env.PATH}`,
  };
  // With these, clients send the emulator no token, or use a fake that the sandbox does not have.
  for (const name of ['FIRESTORE_EMULATOR_HOST', 'STORAGE_EMULATOR_HOST', 'CLOUDSDK_AUTH_ACCESS_TOKEN'])
    delete variables[name];
  await promisify(execFile)(join(folder, 'bin', 'start-job'), [], { env: variables });
  for (const line of introduction(policy, first, tls !== undefined)) print(line);

  const child = spawn(...shellCommand(folder, variables));
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
  return {
    ended,
    close: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGHUP');
      await ended.catch(() => {});
      await Promise.all([tls?.firestore, tls?.token, tls?.google].map((front) => front?.close()));
      tls?.authority.remove();
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

interface Tls {
  readonly authority: Authority;
  readonly firestore: TlsFront;
  readonly token: TlsFront;
  readonly google: TlsFront;
  /** Undefined without keytool. */
  readonly trustStore: string | undefined;
}

/** Undefined without openssl. */
async function openTls({ firestoreHost, token, google }: Environment): Promise<Tls | undefined> {
  let authority: Authority;
  try {
    authority = makeAuthority();
  } catch {
    return undefined;
  }
  const [firestore, ofToken, ofGoogle, trustStore] = await Promise.all([
    openTlsFront(firestoreHost, authority),
    openTlsFront(new URL(token.url).host, authority, 'http/1.1'),
    openTlsFront(new URL(google.url).host, authority, 'http/1.1'),
    makeTrustStore(authority).catch(() => undefined),
  ]);
  return { authority, firestore, token: ofToken, google: ofGoogle, trustStore };
}

/** The user's certificate authorities, or else Node's, and the sandbox's. */
function writeCertificates(path: string, { certificateFile }: Authority): string {
  const { SSL_CERT_FILE: file } = process.env;
  const usual = file ? readFileSync(file, 'utf8') : rootCertificates.join('\n');
  writeFileSync(path, `${usual}\n${readFileSync(certificateFile, 'utf8')}`);
  return path;
}

/** @param tokenTls host:port of a TLS proxy of the function token */
function writeCredentialFiles(policy: Policy, { keydesk, credentials }: SandboxPlaces, tokenTls?: string): void {
  const claims = requestedClaims(policy).map((claim) => ` --claim ${claim}`);
  const command = `buildkite-agent oidc request-token --audience ${policy.audience}${claims.join('')} --format gcp`;
  const urls = [['json', keydesk], ...(tokenTls === undefined ? [] : [['https.json', `https://${tokenTls}`]])];
  for (const name of Object.keys(policy.credentials))
    for (const [ending, url] of urls) {
      const file = {
        type: 'external_account',
        universe_domain: 'googleapis.com',
        audience: name,
        subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
        token_url: `${url}/token`,
        token_info_url: `${url}/introspect`,
        credential_source: { executable: { command, timeout_millis: 30_000 } },
      };
      writeFileSync(join(credentials, `${name}.${ending}`), `${JSON.stringify(file, null, 2)}\n`);
    }
}

/** The claims that the policy uses and that a job token has only when the job requests them. */
function requestedClaims({ organization, rules }: Policy): string[] {
  const named = new Set(rules.flatMap(({ match }) => Object.keys(match)));
  if (rules.some(({ conditions }) => needsPipeline(conditions))) named.add('pipeline_id');
  if (organization.id !== undefined) named.add('organization_id');
  return [...named].filter((claim) => isMatchableClaim(claim) && isOptionalClaim(claim)).sort();
}

function shellCommand(folder: string, variables: NodeJS.ProcessEnv): Parameters<typeof spawn> {
  const shell = process.env.SHELL || 'bash';
  const isTerminal = process.stdin.isTTY === true;
  switch (basename(shell)) {
    case 'bash':
      return isTerminal
        ? [shell, ['--rcfile', join(folder, 'bashrc'), '-i'], { env: variables, stdio: 'inherit' }]
        : [shell, [], { env: { ...variables, BASH_ENV: join(folder, 'bashrc') }, stdio: 'inherit' }];
    case 'zsh':
      return [shell, [], { env: { ...variables, ZDOTDIR: folder }, stdio: 'inherit' }];
    default:
      return [shell, [], { env: variables, stdio: 'inherit' }];
  }
}

function introduction(policy: Policy, first: string, hasTls: boolean): string[] {
  const names = Object.keys(policy.credentials);
  return [
    '',
    'This shell works against the sandbox. "exit" ends the shell and the sandbox.',
    '',
    'A job runs. Its BUILDKITE_ variables are set, JOB_TOKEN is its job token, and buildkite-agent requests others.',
    '  start-job [CLAIM=VALUE...]   starts another job. credential=NAME starts one that gets that credential.',
    '                               It removes the logins and the tokens of gcloud and gsutil',
    '  finish-job                   finishes the job, with the webhook that Buildkite sends',
    ...conditionLines(policy),
    '  sweep                        runs the sweep: nothing else does in the sandbox',
    '  step FILE [KEY]              runs a step of a pipeline file with its plugins, as another job with the same claims.',
    "                               The plugin's requests go to the sandbox. All else is as FILE says",
    '  keydesk ...                  the command line of Keydesk, with the policy of the sandbox',
    '',
    '  KEYDESK, FIRESTORE, STORAGE  the URLs',
    `  CREDENTIALS                  a folder with a credential file for each of ${names.join(', ')}`,
    `  GOOGLE_APPLICATION_CREDENTIALS is $CREDENTIALS/${first}.json`,
    '  The variables of gcloud, gsutil, Terraform, Node, Python, Go and Java: docs/CLIENTS.md',
    ...(hasTls ? [] : ['  openssl is missing, so gsutil, Java and Firestore over gRPC do not work here.']),
    '',
    'Things to try:',
    ...thingsToTry(policy).map((line) => `  ${line}`),
    '',
  ];
}

/** For the job that runs: what its rule demands of people and of a machine comes before the credential. */
export function thingsToTry(policy: Policy): string[] {
  const [first = Object.keys(policy.credentials)[0] ?? 'none', example] = firstExample(policy) ?? [];
  const { approval, agent } = example?.conditions ?? {};
  const machine = agent ? ` -H "Keydesk-Actor-Token: $(machine-token ${agent.provider})"` : '';
  return [
    ...(approval ? ['unblock'] : []),
    ...(agent ? [`machine-token ${agent.provider}`] : []),
    `curl -sS -X POST -H "Authorization: Bearer $JOB_TOKEN"${machine} $KEYDESK/token/${first}`,
    // Its credential file has no token of the machine.
    ...(agent ? [] : ['gcloud auth application-default print-access-token']),
    `finish-job; buildkite-agent oidc request-token --audience ${policy.audience}`,
  ];
}

/** The commands for rules that demand an approval or a token of the machine. */
function conditionLines({ rules, identityProviders }: Policy): string[] {
  return [
    ...(rules.some(({ conditions }) => conditions.approval)
      ? [
          '  unblock [by=NAME]            unblocks the step that the job waits for. Bob does unless you say by=alice, who',
          '                               started the build, or by=carol, who is in no team',
        ]
      : []),
    ...(rules.some(({ conditions }) => conditions.approval?.use === 'break-glass')
      ? ['  start-job ... reason=TEXT    states another reason for break-glass access; reason= states none']
      : []),
    ...(Object.keys(identityProviders).length > 0
      ? ['  machine-token [PROVIDER]     prints a token of the machine, for the header Keydesk-Actor-Token']
      : []),
  ];
}
