// The Cloud Scheduler job that calls the sweep each minute.
// Source: docs.cloud.google.com/scheduler/docs/reference/rest/v1/projects.locations.jobs.

import * as z from 'zod';
import { shellCommand } from '../../shared/core/shell-quote.ts';
import type { CheckKind, Found } from '../checks/check.ts';
import { READS } from './reads.ts';
import { hostOf, readService, serviceName } from './service.ts';
import { type DoctorTarget, identityOf } from './target.ts';

const EACH_MINUTE = '* * * * *';

const jobShape = z.object({
  state: z.string().default(''),
  schedule: z.string().default(''),
  httpTarget: z
    .object({
      uri: z.string().default(''),
      httpMethod: z.string().default('POST'),
      oidcToken: z
        .object({ serviceAccountEmail: z.string().default(''), audience: z.string().default('') })
        .prefault({}),
    })
    .prefault({}),
  status: z.object({ code: z.number().default(0), message: z.string().default('') }).prefault({}),
  lastAttemptTime: z.string().default(''),
});
type Job = z.output<typeof jobShape>;

type Name =
  | 'scheduler_job_missing'
  | 'scheduler_job_not_enabled'
  | 'schedule_differs'
  | 'scheduler_target_differs'
  | 'scheduler_identity_differs'
  | 'scheduler_job_failed';

const UPDATE = 'gcloud scheduler jobs update http {job} {where}';

export const scheduler: CheckKind<DoctorTarget, Name> = {
  name: 'scheduler',
  looksAt: 'Whether the scheduler job exists, is enabled, and calls the sweep each minute as its own identity.',
  findings: {
    scheduler_job_missing: {
      severity: 'error',
      what: 'The scheduler job {job} does not exist in {project}, {region}.',
      why: 'Nobody calls the sweep: lost webhooks are not found, revocations are not completed, and pooled accounts stay disabled.',
      fix: 'Run terraform apply.',
      undo: 'gcloud scheduler jobs delete {job} {where}',
    },
    scheduler_job_not_enabled: {
      severity: 'error',
      what: 'The scheduler job {job} is in the state {state}.',
      why: 'Nobody calls the sweep: lost webhooks are not found, revocations are not completed, and pooled accounts stay disabled.',
      fix: 'gcloud scheduler jobs resume {job} {where}',
      undo: 'gcloud scheduler jobs pause {job} {where}',
    },
    schedule_differs: {
      severity: 'error',
      what: 'The schedule of {job} is "{found}". It must be "{expected}".',
      why: 'An end of a job that no webhook announced is then found later than documented.',
      fix: `${UPDATE} --schedule={expected}`,
      undo: `${UPDATE} --schedule={found}`,
    },
    scheduler_target_differs: {
      severity: 'error',
      what: 'The scheduler job {job} calls {uri} by {method}. It must call {expected} by POST.',
      why: 'The sweep is not called, and a token of the scheduler goes to somebody else.',
      fix: `${UPDATE} --uri={expected} --http-method=POST --oidc-token-audience={expected}`,
      undo: `${UPDATE} --uri={uri} --http-method={method}`,
    },
    scheduler_identity_differs: {
      severity: 'error',
      what: 'The scheduler job {job} calls as {found}, for the audience {audience}. It must call as {account}.',
      why: 'Cloud Run rejects the calls, or another identity may call the sweep.',
      fix: `${UPDATE} --oidc-service-account-email={account} --oidc-token-audience={expected}`,
      undo: 'Run the same with the former values.',
    },
    scheduler_job_failed: {
      severity: 'error',
      what: 'The last call of {job}, at {time}, failed: {message}.',
      why: 'The sweep may not run.',
      fix: 'gcloud run services logs read {service} {run_where} --limit=20',
      undo: 'Nothing changes.',
    },
  },
  checksOf: (target) => {
    const { project, schedulerRegion: region } = target;
    const job = `${target.prefix}-sweep`;
    const where = { quoted: shellCommand`--project=${project} --location=${region}` };
    return [
      {
        subject: job,
        look: async (google) => {
          const found = await google.find({
            api: 'cloudscheduler.googleapis.com',
            path: `v1/projects/${project}/locations/${region}/jobs/${job}`,
            shape: jobShape,
            ...READS.schedulerJob,
            on: project,
            gcloud: { command: shellCommand`gcloud scheduler jobs describe ${job} ${where}` },
          });
          const facts = { job, project, region, where };
          if (!found) return { found: [{ finding: 'scheduler_job_missing' as const, facts }] };
          const service = await readService(google, target, 'sweep');
          const urls = [service?.status.url ?? '', `https://${hostOf(target, 'sweep')}`].filter((url) => url !== '');
          const judged = judgeJob(target, found, urls);
          return { found: judged.map((one) => ({ ...one, facts: { ...facts, ...one.facts } })) };
        },
      },
    ];
  },
};

/** @param urls of the sweep: Cloud Run gives each service two */
function judgeJob(target: DoctorTarget, job: Job, urls: readonly string[]): Found<Name>[] {
  const { state, schedule, httpTarget, status, lastAttemptTime } = job;
  const { uri, httpMethod, oidcToken } = httpTarget;
  const account = identityOf(target, 'scheduler');
  const expected = urls[0] ?? '';
  const isOwn = (url: string) => urls.includes(url.replace(/\/$/, ''));
  const found: Found<Name>[] = [];
  if (state !== 'ENABLED')
    found.push({ finding: 'scheduler_job_not_enabled', facts: { state: state.toLowerCase() || 'unknown' } });
  if (schedule !== EACH_MINUTE)
    found.push({ finding: 'schedule_differs', facts: { found: schedule, expected: EACH_MINUTE } });
  if (!isOwn(uri) || httpMethod !== 'POST')
    found.push({ finding: 'scheduler_target_differs', facts: { uri, method: httpMethod, expected } });
  const { serviceAccountEmail, audience } = oidcToken;
  if (serviceAccountEmail !== account || (audience !== '' && !isOwn(audience)))
    found.push({
      finding: 'scheduler_identity_differs',
      facts: { found: serviceAccountEmail || 'nobody', audience: audience || 'of its URL', account, expected },
    });
  if (status.code !== 0)
    found.push({
      finding: 'scheduler_job_failed',
      facts: {
        time: lastAttemptTime || 'an unknown time',
        message: status.message || `code ${status.code}`,
        service: serviceName(target, 'sweep'),
        run_where: { quoted: shellCommand`--project=${target.project} --region=${target.region}` },
      },
    });
  return found;
}
