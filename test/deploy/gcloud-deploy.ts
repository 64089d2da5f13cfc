// deploy/gcloud/deploy.sh run against a stand-in for gcloud and one for the Firebase Rules API, with packages of the example
// policy: what the tests of it share.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { databasesOf, newRulesFile } from '../../shared/core/firestore-rules.ts';
import { parsePolicyText } from '../../shared/policy-text.ts';
import { type Gcloud, startGcloud } from './gcloud-stand-in.ts';
import { startRulesApi } from './rules-api.ts';

const ACCESS_TOKEN = 'token-of-gcloud';
const LOOKING = /^(?:describe|list|get-iam-policy)$/;
const PLACE = ['--project', 'acme-keydesk', '--region', 'europe-west1', '--location', 'eur3'];
const ARCHIVES = ['token', 'webhook', 'sweep'];

export const POLICY = 'examples/policy.yaml';
export const DATABASES = ['acme-staging/(default)', 'acme-production/(default)'];
const STANDING = [
  'keydesk-signer@acme-staging.iam.gserviceaccount.com',
  'keydesk-signer@acme-production.iam.gserviceaccount.com',
  'export@acme-staging.iam.gserviceaccount.com',
  'ci-cache@acme-staging.iam.gserviceaccount.com',
];
export const GROUP = 'keydesk-ci-staging@acme.example';
export const OPERATOR = 'group:keydesk-oncall@acme.example';

/** What exists before Keydesk: the data projects with their databases and accounts, the bucket, the group. */
export async function startAcme(): Promise<Gcloud> {
  const gcloud = await startGcloud();
  for (const name of DATABASES) {
    gcloud.enable(name.split('/')[0] ?? '', 'firestore', 'iam');
    gcloud.make('firestore databases', name);
  }
  for (const email of STANDING) gcloud.addAccount(email, email.split(/[@.]/)[1] ?? '');
  gcloud.make('storage buckets', 'gs://acme-ci-cache');
  gcloud.members.set(GROUP, new Set());
  return gcloud;
}

export type Workplace = Awaited<ReturnType<typeof createWorkplace>>;

export async function createWorkplace() {
  const folder = mkdtempSync(join(tmpdir(), 'gcloud-test-'));
  const rulesApi = await startRulesApi(ACCESS_TOKEN);
  mkdirSync(join(folder, 'bin'));
  const started: Gcloud[] = [];
  const packaged = join(folder, 'packages');

  /** Packages as npm run package leaves them, and rules as npm run rules does. */
  function pack(policyFile: string, contents: Readonly<Record<string, string>> = {}, into = packaged) {
    mkdirSync(into, { recursive: true });
    const bytes = readFileSync(policyFile);
    const parsed = parsePolicyText(bytes.toString('utf8'), policyFile);
    if ('problems' in parsed) throw new Error(parsed.problems.join('\n'));
    const rules = databasesOf(parsed.policy).map((name) => {
      const text = newRulesFile(parsed.policy, name);
      const file = join(into, `${name.project}.rules`);
      writeFileSync(file, text);
      const [generated = ''] = /\/\/ keydesk:begin[\s\S]*\/\/ keydesk:end/.exec(text) ?? [];
      return { name: `${name.project}/${name.database}`, file, sha256: sha256(generated.replace(/^[ \t]+/gm, '')) };
    });
    for (const name of ARCHIVES) writeFileSync(join(into, `${name}.zip`), contents[name] ?? `archive of ${name}`);
    const manifest = {
      version: '0.1.0',
      policy_sha256: sha256(bytes),
      rules_sha256: Object.fromEntries(rules.map(({ name, sha256 }) => [name, sha256])),
      archives: Object.fromEntries(ARCHIVES.map((name) => [name, sha256(readFileSync(join(into, `${name}.zip`)))])),
    };
    writeFileSync(join(into, 'manifest.json'), JSON.stringify(manifest));
    return rules.flatMap(({ name, file }) => ['--rules', `${name}=${file}`]);
  }
  const rules = pack(POLICY);

  let policies = 0;
  /** The options of a deployment of another policy. */
  function withPolicy(text: string): string[] {
    policies += 1;
    const into = join(folder, `other-${policies}`);
    const file = `${into}.yaml`;
    writeFileSync(file, text);
    return [...PLACE, '--policy', file, '--archives', into, ...pack(file, {}, into)];
  }

  async function deploy(
    args: readonly string[],
    { gcloud, input = '', env = {} }: { gcloud?: Gcloud; input?: string; env?: Record<string, string> } = {},
  ) {
    const asked = gcloud ?? (await startAcme());
    if (!started.includes(asked)) started.push(asked);
    writeFileSync(join(folder, 'bin/gcloud'), asked.script);
    chmodSync(join(folder, 'bin/gcloud'), 0o755);
    const seen = asked.calls.length;
    const child = spawn('bash', ['deploy/gcloud/deploy.sh', ...args], {
      env: {
        ...process.env,
        PATH: `${join(folder, 'bin')}:${process.env.PATH}`,
        KEYDESK_FIREBASERULES_URL: rulesApi.url,
        KEYDESK_DEPLOY_PAUSE: '0',
        ...asked.env,
        ...env,
      },
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.setEncoding('utf8').on('data', (chunk) => {
      stderr += chunk;
    });
    // It may stop before it reads.
    child.stdin.on('error', () => {}).end(input);
    const status = await new Promise<number | null>((resolve) => child.on('close', resolve));
    const calls = asked.calls.slice(seen).filter(({ args: [group] }) => group !== 'auth');
    const changes = calls.filter((call) => !call.args.some((word) => LOOKING.test(word))).map((call) => call.args);
    return {
      status,
      stdout,
      stderr,
      gcloud: asked,
      calls: calls.map((call) => call.args),
      changes,
      plan: stdout
        .split('\n')
        .filter((line) => /^ {2}(gcloud|\/\S+\.sh) /.test(line) && !line.includes('versions add')),
    };
  }

  return {
    folder,
    packaged,
    rules,
    rulesApi,
    pack,
    withPolicy,
    deploy,
    stop: async () => {
      await rulesApi.stop();
      for (const gcloud of started) await gcloud.stop();
      rmSync(folder, { recursive: true });
    },
  };
}

/** The options of every deployment. */
export function base({ packaged }: Workplace): string[] {
  return [...PLACE, '--policy', POLICY, '--archives', packaged];
}

/** Those of one that leaves nothing out. */
export function whole(workplace: Workplace): string[] {
  const versions = ['--webhook-tokens-version', '3', '--buildkite-api-token-version', '2'];
  return [...base(workplace), ...versions, ...workplace.rules, '--group', `staging=${GROUP}`, '--operator', OPERATOR];
}

/** Without the rules, which are compared by a command of their own and so are in every plan. */
export function withoutRules(workplace: Workplace): string[] {
  return [...base(workplace), ...DATABASES.flatMap((name) => ['--rules-elsewhere', name])];
}

export function flag(call: readonly string[], name: string): string {
  return call.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3) ?? '';
}

function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}
