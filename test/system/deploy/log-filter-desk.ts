// A desk whose log is watched as Google would: its clock is moved by hand, and each line is kept with the time at which it
// was written.

import type { Job } from '../../../sandbox/buildkite/buildkite.ts';
import { AUDIENCE, openInProcessDesk } from '../../fixtures/in-process-desk.ts';
import { type LogEntry, toLogEntry } from './log-filter-entry.ts';
import type { PlatformPoint } from './monitoring-query.ts';

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;

const account = (name: string, project: string) => `${name}@${project}.iam.gserviceaccount.com`;
const firestore = (project: string, path: string) =>
  `firestore: { project: ${project}, apiKey: web-key, signer: ${account('signer', project)}, allow: [{ path: "${path}/{document}", verbs: [get] }] }`;

/** What the README tells operators to put into their policy for the probe, and a credential of each kind. */
function policyText(project: string, canaryGrants = '[canary]'): string {
  return `
version: 1
organization: { slug: acme-inc, id: f892efa9-103e-4d28-97a1-3b8616a0994d }
audience: ${AUDIENCE}
credentials:
  canary: { environment: monitoring, ttl: 1m, ${firestore(project, 'canary')} }
  canary-denied: { environment: monitoring, ttl: 1m, ${firestore(project, 'canary-denied')} }
  config: { environment: staging, ttl: 15m, ${firestore(project, 'config')} }
  live: { environment: production, ttl: 5m, ${firestore(project, 'live')} }
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
  artifacts:
    environment: staging
    ttl: 10m
    storage:
      pool: [${account('cache-001', project)}, ${account('cache-002', project)}, ${account('cache-003', project)}, ${account('cache-004', project)}]
      bucket: ${project}-artifacts
      role: roles/storage.objectViewer
rules:
  - name: deploy
    job: { pipeline_id: 0184990a-4782-42b5-afc1-16715b10b1f0, build_branch: main }
    grants: [config, live, export, admin, artifacts]
  - name: probe
    job: { pipeline_id: 0184990a-4782-42b5-afc1-16715b10b1f0, step_key: canary }
    grants: ${canaryGrants}
`;
}

export type WatchedDesk = Awaited<ReturnType<typeof openWatchedDesk>>;

export async function openWatchedDesk(canaryGrants?: string) {
  const desk = await openInProcessDesk({ policy: (project) => policyText(project, canaryGrants) });
  const entries: LogEntry[] = [];
  const platform: PlatformPoint[] = [];
  let start = Math.floor(Date.now() / MINUTE) * MINUTE;
  let taken = 0;
  desk.clock.set(start);
  const now = () => desk.clock.now();
  /** Keeps what was written since, as written now. */
  const take = () => {
    for (const line of desk.lines.slice(taken)) entries.push(toLogEntry(line, now()));
    taken = desk.lines.length;
  };
  const take1 = async <T>(work: Promise<T>): Promise<T> => {
    const done = await work;
    take();
    return done;
  };
  const jobToken = (job: Job) => desk.buildkite.jobToken(job);
  return {
    desk,
    entries,
    /** What Google's own metrics have: a situation puts it there. */
    platform,
    now,
    /** Begins to count time anew, and forgets what was seen. */
    begin: () => {
      start = Math.ceil(now() / HOUR) * HOUR + HOUR;
      desk.clock.set(start);
      entries.length = 0;
      platform.length = 0;
    },
    /** Moves the clock to so many milliseconds after the beginning. */
    at: (milliseconds: number) => {
      if (start + milliseconds < now()) throw new Error('time goes one way');
      desk.clock.set(start + milliseconds);
    },
    take,
    startJob: (claims: Record<string, unknown> = {}) => desk.buildkite.startJob(claims),
    ask: async (job: Job, credential: string) => take1(desk.askByPath(await jobToken(job), credential)),
    askWith: (text: string, credential: string) => take1(desk.askByPath(text, credential)),
    finish: (job: Job) => take1(desk.notify(desk.buildkite.event(job))),
    notify: (body: string, options: Parameters<typeof desk.notify>[1]) => take1(desk.notify(body, options)),
    sweep: () => take1(desk.sweep()),
    /** What the probe does, and the webhook of its job's end. */
    canary: async () => {
      const job = desk.buildkite.startJob({ step_key: 'canary', build_branch: 'probe' });
      const text = await jobToken(job);
      await take1(desk.askByPath(`${text.slice(0, -20)}${[...text.slice(-20)].reverse().join('')}`, 'canary'));
      const { json } = await take1(desk.askByPath(text, 'canary'));
      await take1(desk.revoke(json.access_token));
      await take1(desk.introspect(json.access_token));
      await take1(desk.askByPath(text, 'canary-denied'));
      await take1(desk.notify(desk.buildkite.event(job)));
    },
  };
}
