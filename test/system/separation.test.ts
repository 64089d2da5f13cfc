// Each function's code can do its own task only: what mints cannot enable, what takes webhooks cannot mint. Looked for in
// the artefact that is deployed, and tried at the local Google, which gives each function an identity of its own.

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createSweepDeps } from '../../functions/sweep/dependencies.ts';
import { createTokenDeps } from '../../functions/token/dependencies.ts';
import { createWebhookDeps } from '../../functions/webhook/dependencies.ts';
import { PERMISSIONS } from '../../sandbox/fakes/google/call.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { createAdminDeps } from '../../shared/wiring/admin.ts';
import { createRevocationDeps } from '../../shared/wiring/revocation.ts';
import { type InProcessKeydesk, openInProcessKeydesk } from '../fixtures/in-process-keydesk.ts';

const bundle = (name: string) => readFileSync(new URL(`../../dist/${name}.cjs`, import.meta.url), 'utf8');

/** By the names under which Keydesk's own calls fail: Google's library holds more than is used of it. */
const MINTING = ['iamcredentials generateAccessToken', 'identitytoolkit signInWithCustomToken'];
const ENABLING = ['iam serviceAccounts.enable'];
const DISABLING = ['iam serviceAccounts.disable'];
const ASKING_BUILDKITE = ['per_page'];

/** What the code of each bundle must and must not hold; a function is its own bundle and those that it loads. */
const BUNDLES = {
  token: { has: [], lacks: [...MINTING, ...ENABLING, ...DISABLING, ...ASKING_BUILDKITE] },
  'token-dependencies': { has: MINTING, lacks: [...ENABLING, ...DISABLING, ...ASKING_BUILDKITE] },
  webhook: { has: [], lacks: [...MINTING, ...ENABLING, ...DISABLING, ...ASKING_BUILDKITE] },
  'webhook-dependencies': { has: DISABLING, lacks: [...MINTING, ...ENABLING, ...ASKING_BUILDKITE] },
  revocation: { has: DISABLING, lacks: [...MINTING, ...ENABLING, ...ASKING_BUILDKITE] },
  sweep: { has: [], lacks: [...MINTING, ...ENABLING, ...DISABLING, ...ASKING_BUILDKITE] },
  reader: { has: [], lacks: [...MINTING, ...ENABLING, ...DISABLING, ...ASKING_BUILDKITE] },
  'reader-dependencies': { has: [], lacks: [...MINTING, ...ENABLING, ...DISABLING, ...ASKING_BUILDKITE] },
  admin: { has: [], lacks: [...MINTING, ...ENABLING, ...DISABLING, ...ASKING_BUILDKITE] },
  'admin-dependencies': { has: DISABLING, lacks: [...MINTING, ...ENABLING, ...ASKING_BUILDKITE] },
  'sweep-dependencies': { has: [...ENABLING, ...DISABLING, ...ASKING_BUILDKITE], lacks: MINTING },
};

describe('the artefact', () => {
  it.each(Object.entries(BUNDLES))('%s.cjs holds its own task and no other', (name, { has, lacks }) => {
    const code = bundle(name);
    for (const part of has) expect(code.includes(part), `${name}.cjs has ${part}`).toBe(true);
    for (const part of lacks) expect(code.includes(part), `${name}.cjs has ${part}`).toBe(false);
  });

  it.each([
    ['token', ['token-dependencies', 'revocation']],
    ['webhook', ['webhook-dependencies']],
    ['sweep', ['sweep-dependencies']],
    ['reader', ['reader-dependencies']],
    ['admin', ['admin-dependencies']],
  ])('%s.cjs loads nothing but %j', (name, parts) => {
    const loaded = [...bundle(name).matchAll(/import\("\.\/([\w-]+)\.cjs"\)|require\("\.\/([\w-]+)\.cjs"\)/g)];
    expect([...new Set(loaded.map(([, imported, required]) => imported ?? required))].sort()).toEqual(parts.sort());
  });
});

describe('the clients of a function', () => {
  let keydesk: InProcessKeydesk;
  beforeAll(async () => {
    keydesk = await openInProcessKeydesk();
  });
  afterAll(() => keydesk.close());
  const parts = () => ({ settings: keydesk.settings, emulatorHost: inject('firestoreHost'), clock: systemClock });

  it('of token mint, and can neither disable nor enable', () => {
    expect(Object.keys(createTokenDeps({ ...parts(), audit: () => {} })).sort()).toEqual([
      'conditionLedger',
      'deploymentLedger',
      'issuesInProgress',
      'ledger',
      'mint',
      'openGrantDocument',
      'prepareMint',
      'warmUp',
    ]);
    expect(Object.keys(createTokenDeps({ ...parts(), audit: () => {} }).ledger).sort()).toEqual([
      'activate',
      'checkBlocks',
      'prepare',
    ]);
  });

  it('of webhook, of a release and of the kill switch end, and can neither mint nor enable', () => {
    const ending = [
      ...['clock', 'closeGrantDocument', 'deploymentLedger', 'disableAccount', 'ledger', 'lookUpToken', 'warmUp'],
    ];
    expect(Object.keys(createRevocationDeps(parts())).sort()).toEqual(ending);
    expect(Object.keys(createRevocationDeps(parts()).ledger).sort()).toEqual([
      'confirmRevoked',
      'endGrant',
      'endJob',
      'expire',
    ]);
    expect(Object.keys(createWebhookDeps(parts())).sort()).toEqual([...ending, 'buildLedger'].sort());
    expect(Object.keys(createAdminDeps(parts())).sort()).toEqual(
      [...ending, 'killSwitchLedger', 'readerLedger', 'replayLedger'].sort(),
    );
  });

  it('of sweep end and enable, and cannot mint', () => {
    expect(Object.keys(createSweepDeps(parts())).sort()).toEqual([
      'buildLedger',
      'buildkiteBuilds',
      'buildkiteJobs',
      'buildkiteTeams',
      'clock',
      'closeGrantDocument',
      'deploymentLedger',
      'describeApiToken',
      'describeTeamsApiToken',
      'disableAccount',
      'enableAccount',
      'getAccountState',
      'jobCheckLedger',
      'ledger',
      'sweepLedger',
      'teamLedger',
      'warmUp',
    ]);
  });

  it('are refused by IAM what is not their task', async () => {
    const may = {
      token: ['disable', 'get', 'generateAccessToken', 'signJwt'],
      webhook: ['disable', 'get'],
      sweep: ['disable', 'enable', 'get'],
      reader: [],
      admin: ['disable', 'get'],
    };
    const email = `ci-001@${keydesk.project}.iam.gserviceaccount.com`;
    const bodies = {
      generateAccessToken: { scope: ['https://www.googleapis.com/auth/datastore'], lifetime: '60s' },
      signJwt: { payload: '{}' },
    };
    for (const identity of ['token', 'webhook', 'sweep', 'reader', 'admin'] as const) {
      const accessToken = await identityToken(keydesk.google.metadataHosts[identity]);
      const allowed: string[] = [];
      for (const method of Object.keys(PERMISSIONS) as (keyof typeof PERMISSIONS)[]) {
        const minting = method === 'generateAccessToken' || method === 'signJwt';
        const url = `${keydesk.google.url}/v1/projects/${minting ? '-' : keydesk.project}/serviceAccounts/${email}`;
        const response = await fetch(method === 'get' ? url : `${url}:${method}`, {
          method: method === 'get' ? 'GET' : 'POST',
          headers: { authorization: `Bearer ${accessToken}`, 'content-type': 'application/json' },
          ...(minting ? { body: JSON.stringify(bodies[method]) } : {}),
        });
        await response.body?.cancel();
        if (response.status !== 403) allowed.push(method);
      }
      expect(allowed.sort(), identity).toEqual([...may[identity]].sort());
    }
  });
});

async function identityToken(metadataHost: string): Promise<string> {
  const url = `http://${metadataHost}/computeMetadata/v1/instance/service-accounts/default/token`;
  const response = await fetch(url, { headers: { 'metadata-flavor': 'Google' } });
  return ((await response.json()) as { access_token: string }).access_token;
}
