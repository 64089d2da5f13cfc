// The handlers over HTTP, with a clock that the test moves. Every log line is kept as the entry that Cloud Logging makes of
// it at that moment.

import type { Job } from '../../../sandbox/fakes/buildkite/job.ts';
import { openInProcessKeydesk } from '../../fixtures/in-process-keydesk.ts';
import { AUDIENCE } from '../../fixtures/policies.ts';
import { TEAM } from '../../http/recorded-requests/requests.ts';
import { type LogEntry, toLogEntry } from './log-filter-entry.ts';

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;

const account = (name: string, project: string) => `${name}@${project}.iam.gserviceaccount.com`;
const firestore = (path: string) =>
  `firestore: { database: data, allow: [{ path: "${path}/{document}", verbs: [get] }] }`;

/** A credential of each kind, and the two of the probe. Branch `mistake` has what no policy should grant. */
function policyText(project: string, canaryGrants: string): string {
  return `
version: 1
organization: { slug: acme-inc, id: f892efa9-103e-4d28-97a1-3b8616a0994d }
audience: ${AUDIENCE}
environments: { monitoring: {}, staging: {}, production: {} }
databases: { data: { project: ${project}, apiKey: web-key, signer: ${account('signer', project)} } }
credentials:
  canary: { environment: monitoring, ttl: 1m, ${firestore('canary')} }
  canary-denied: { environment: monitoring, ttl: 1m, ${firestore('canary-denied')} }
  config: { environment: staging, ttl: 15m, ${firestore('config')} }
  # Its user is changed, and the Auth emulator is one for all files.
  config-${project}: { environment: staging, ttl: 15m, ${firestore('config')} }
  live: { environment: production, ttl: 5m, ${firestore('live')} }
  emergency: { environment: production, ttl: 5m, ${firestore('live')} }
  export:
    environment: staging
    ttl: 10m
    serviceAccount: { email: ${account('export', project)}, scopes: [https://www.googleapis.com/auth/datastore] }
  admin:
    environment: staging
    ttl: 15m
    serviceAccount:
      pool: [${account('ci-001', project)}, ${account('ci-002', project)}, ${account('ci-003', project)}]
      scopes: [https://www.googleapis.com/auth/cloud-platform]
  wide:
    environment: staging
    ttl: 15m
    serviceAccount:
      pool: [${[4, 5, 6, 7].map((nth) => account(`ci-00${nth}`, project)).join(', ')}]
      scopes: [https://www.googleapis.com/auth/cloud-platform]
teams: { platform: ${TEAM} }
identityProviders:
  agents:
    issuer: https://issuer.example
    keys: https://issuer.example/jwks
    audience: ${AUDIENCE}
    algorithms: [RS256]
    claims: { sub: { setBy: platform } }
rules:
  - name: deploy
    match: { pipeline_id: 0184990a-4782-42b5-afc1-16715b10b1f0, build_branch: main }
    grants: [config, config-${project}, live, export, admin, wide]
  - name: probe
    match: { pipeline_id: 0184990a-4782-42b5-afc1-16715b10b1f0, step_key: canary }
    grants: ${canaryGrants}
  - name: repair
    match: { pipeline_id: 0184990a-4782-42b5-afc1-16715b10b1f0, build_branch: repair }
    approval: { step: approve, by: platform, within: 1h, not: creator, use: break-glass }
    grants: [emergency]
  - name: machine
    match: { pipeline_id: 0184990a-4782-42b5-afc1-16715b10b1f0, build_branch: machine }
    agent: { provider: agents, claims: { sub: agent } }
    grants: [live]
  - name: mistake
    match: { pipeline_id: 0184990a-4782-42b5-afc1-16715b10b1f0, build_branch: mistake }
    grants: [canary-denied]
`;
}

export type WatchedKeydesk = Awaited<ReturnType<typeof openWatchedKeydesk>>;

export async function openWatchedKeydesk(canaryGrants = '[canary]') {
  const keydesk = await openInProcessKeydesk({
    policy: (project) => policyText(project, canaryGrants),
    records: true,
  });
  const entries: LogEntry[] = [];
  const { clock } = keydesk;
  const start = clock.now();
  let kept = 0;
  const keep = async <T>(work: Promise<T>): Promise<T> => {
    const done = await work;
    entries.push(...keydesk.lines.slice(kept).map((line) => toLogEntry(line, clock.now())));
    kept = keydesk.lines.length;
    return done;
  };
  const requestWith = (jobToken: string, credential: string) => keep(keydesk.requestByPath(jobToken, credential));
  return {
    keydesk,
    entries,
    /** Moves the clock to this many milliseconds after the start. */
    at: (milliseconds: number) => clock.set(start + milliseconds),
    advance: (milliseconds: number) => clock.advance(milliseconds),
    now: clock.now,
    requestWith,
    requestToken: async (job: Job, credential: string) =>
      requestWith(await keydesk.buildkite.jobToken(job), credential),
    finish: (job: Job) => keep(keydesk.notify(keydesk.buildkite.event(job))),
    notify: (body: string, options: Parameters<typeof keydesk.notify>[1]) => keep(keydesk.notify(body, options)),
    call: (url: string, init?: RequestInit) => keep(keydesk.call(url, init)),
    requestWithForm: (jobToken: string, credential: string, more: Record<string, string>) =>
      keep(keydesk.requestByForm(jobToken, credential, more)),
    revoke: (accessToken: string) => keep(keydesk.revoke(accessToken)),
    sweep: () => keep(keydesk.sweep()),
  };
}
