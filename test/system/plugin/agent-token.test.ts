// Steps whose credential needs a token of the machine, on machines of every kind that the plugin knows.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AWS_CLAIMS, AWS_ROLE, type FakeAws, startFakeAws } from '../../../sandbox/fakes/issuers/aws.ts';
import { type FakeGoogleIssuer, startFakeGoogleIssuer } from '../../../sandbox/fakes/issuers/google.ts';
import { type FakeCluster, startFakeCluster } from '../../../sandbox/fakes/issuers/kubernetes.ts';
import { type Clock, systemClock } from '../../../shared/runtime/clock.ts';
import { type InProcessKeydesk, openInProcessKeydesk } from '../../fixtures/in-process-keydesk.ts';
import { AUDIENCE, type Data, everyKindPolicyText } from '../../fixtures/policies.ts';
import { busybox, busyboxTools } from './busybox.ts';
import { recorder, runAStep, SECRET, type StepSetup } from './step.ts';

let keydesk: InProcessKeydesk;
let folder: string;
let aws: FakeAws;
let google: FakeGoogleIssuer;
let cluster: FakeCluster;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'keydesk-agent-token-'));
  let open: InProcessKeydesk | undefined;
  const clock: Clock = { now: () => open?.clock.now() ?? systemClock.now(), random: () => 0, sleep: async () => {} };
  [aws, google, cluster] = await Promise.all([
    startFakeAws({ clock }),
    startFakeGoogleIssuer({ clock }),
    startFakeCluster({ clock }),
  ]);
  open = await openInProcessKeydesk({ policy });
  keydesk = open;
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await keydesk.close();
  for (const fake of [aws, google, cluster]) await fake.close();
});

/** A rule for each kind of machine. */
function policy(project: string): string {
  const data: Data = JSON.parse(everyKindPolicyText(project));
  const [rule] = data.rules;
  const provider = ({ issuer, keysUrl }: { issuer: string; keysUrl: string }, at: readonly string[]) => ({
    ...{ issuer, keys: keysUrl, audience: AUDIENCE, algorithms: ['RS256'] },
    claims: { who: { at, setBy: 'platform' } },
  });
  const rules = [
    ['aws', AWS_ROLE],
    ['gcp', 'acme-build'],
    ['kubernetes', 'system:serviceaccount:buildkite:agents'],
  ].map(([name, who]) => ({ ...rule, name, agent: { provider: name, claims: { who } } }));
  const identityProviders = {
    aws: provider(aws, [AWS_CLAIMS, 'principal_id']),
    gcp: provider(google, ['google', 'compute_engine', 'project_id']),
    kubernetes: provider(cluster, ['sub']),
  };
  return JSON.stringify({ ...data, identityProviders, rules });
}

const credentials = { name: 'staging-export', token: 'EXPORT_TOKEN' };
const environmentOf = () => ({
  AWS_EC2_METADATA_SERVICE_ENDPOINT: aws.metadataUrl,
  AWS_ENDPOINT_URL_STS: aws.stsUrl,
  GCE_METADATA_HOST: google.metadataHost,
});
function tokenFile(): string {
  const file = join(folder, 'projected');
  writeFileSync(file, cluster.token({ audience: AUDIENCE, expirationSeconds: 600 }));
  return file;
}

const MACHINES: readonly (readonly [string, () => NonNullable<StepSetup['uses']>[number]])[] = [
  ['EC2', () => ({ 'agent-token': 'aws' })],
  [
    'EC2, for an audience of its own',
    () => ({ 'agent-token': { from: 'aws', audience: AUDIENCE }, audience: AUDIENCE }),
  ],
  ['Compute Engine', () => ({ 'agent-token': 'gcp' })],
  ['Kubernetes', () => ({ 'agent-token': { file: tokenFile() } })],
  ['another kind, by a command', () => ({ 'agent-token': { command: `cat '${tokenFile()}'` } })],
];

describe.each(MACHINES)('a step on %s', (_, use) => {
  it('gets its credential, and shows no secret', async () => {
    const curl = recorder(folder, 'curl');
    const command = '[ -n "$EXPORT_TOKEN" ] && echo "it has it"';
    const environment = environmentOf();
    const { exitCode, output, raw, leftBehind } = await runAStep(keydesk, {
      ...{ uses: [{ ...use(), credentials }], path: [curl.folder], environment, command },
    });
    expect(output).toContain('it has it');
    expect(exitCode).toBe(0);
    expect(raw).not.toMatch(SECRET);
    expect(curl.calls()).not.toMatch(SECRET);
    // The release sees the access token, which the step exported.
    expect(curl.environments()).not.toMatch(/eyJ[A-Za-z0-9_-]{16,}/);
    expect(curl.calls()).not.toContain('ASIA');
    expect(leftBehind).toEqual([]);
    expect([...aws.unexpected, ...google.unexpected]).toEqual([]);
  });

  it.skipIf(busybox.missing)(busybox.title('gets it with the tools of busybox'), async () => {
    const path = [busyboxTools(folder)];
    const { exitCode, output } = await runAStep(keydesk, {
      ...{ uses: [{ ...use(), credentials }], path, environment: environmentOf() },
    });
    expect(output).toContain('staging-export: in EXPORT_TOKEN (token)');
    expect(exitCode).toBe(0);
  });
});

describe('a step that gets nothing', () => {
  it('without agent-token is pointed to it', async () => {
    const { exitCode, output } = await runAStep(keydesk, { uses: [{ credentials }] });
    expect(exitCode).toBe(1);
    expect(output).toContain('Where the policy demands a token of the machine, set agent-token.');
  });

  it('learns which audience its machine asked for', async () => {
    const agentToken = { from: 'gcp', audience: 'https://other.example' };
    const environment = environmentOf();
    const { output } = await runAStep(keydesk, { uses: [{ credentials, 'agent-token': agentToken }], environment });
    expect(output).toContain('has the audience https://other.example, and this service accepts');
    expect(output).toContain('and was requested for the audience https://other.example.');
  });

  it.each<[string, () => void, string]>([
    [
      'when the account has not enabled it',
      () => {
        aws.enabled = false;
      },
      'STS returned no token (403 OutboundWebIdentityFederationDisabledException)',
    ],
    [
      'when the instance has no role',
      () => {
        aws.hasRole = false;
      },
      'give the instance a role, by an instance profile',
    ],
  ])('on EC2 %s', async (_, change, said) => {
    change();
    const { exitCode, output } = await runAStep(keydesk, {
      ...{ uses: [{ credentials, 'agent-token': 'aws' }], environment: environmentOf() },
    });
    aws.enabled = true;
    aws.hasRole = true;
    expect(exitCode).toBe(1);
    expect(output).toContain(said);
  });
});
