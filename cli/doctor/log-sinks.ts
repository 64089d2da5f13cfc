// The sinks that copy audit logs and Keydesk's lines into the log archive: each exists, sends everything there, and may write.
// Source: docs.cloud.google.com/logging/docs/reference/v2/rest/v2/projects.sinks; docs.cloud.google.com/logging/docs/export/configure_export_v2.

import * as z from 'zod';
import { shellCommand } from '../../shared/core/shell-quote.ts';
import type { CheckKind, Found } from '../checks/check.ts';
import type { Google } from '../checks/google.ts';
import { projectPolicyCall } from './iam/policy.ts';
import { READS } from './reads.ts';
import { type DoctorTarget, logBucketOf } from './target.ts';

/** As deploy/terraform/log-archive.tf has them. */
export const GOOGLE_LINES = 'logName:"/logs/cloudaudit.googleapis.com%2F"';
export const KEYDESK_LINES =
  'jsonPayload.event=~"^(account|api_token|build|deployment|firebase_user|grant|issuer_keys|jobs?|kill_switch|operator|pool|request|startup|sweep|task|teams|token|webhook)[.][a-z_]+$"';

const sinkShape = z.object({
  destination: z.string(),
  filter: z.string().default(''),
  disabled: z.boolean().default(false),
  writerIdentity: z.string().default(''),
  exclusions: z.array(z.object({ name: z.string(), disabled: z.boolean().default(false) })).default([]),
});
type Sink = z.output<typeof sinkShape>;

type Name =
  | 'log_sink_missing'
  | 'log_sink_disabled'
  | 'log_sink_differs'
  | 'log_sink_excludes'
  | 'log_sink_cannot_write';

const APPLY = 'Run terraform apply.';

export const logSinks: CheckKind<DoctorTarget, Name> = {
  name: 'log sinks',
  looksAt:
    'Whether a sink of each project copies its audit logs into the log archive, with exactly the filter of the module.',
  findings: {
    log_sink_missing: {
      severity: 'error',
      what: 'The sink {sink} does not exist in {project}.',
      why: 'Audit logs of the project do not reach the archive. What is not copied when it is written is never copied.',
      fix: APPLY,
      undo: 'gcloud logging sinks delete {sink} --project={project}',
    },
    log_sink_disabled: {
      severity: 'error',
      what: 'The sink {sink} of {project} is disabled.',
      why: 'Audit logs of the project do not reach the archive. What is not copied when it is written is never copied.',
      fix: 'gcloud logging sinks update {sink} --project={project} --no-disabled',
      undo: 'gcloud logging sinks update {sink} --project={project} --disabled',
    },
    log_sink_differs: {
      severity: 'error',
      what: 'The sink {sink} of {project} sends to {found} the entries of the filter: {filter}. It must send to {destination} those of the filter: {expected}',
      why: 'The archive lacks entries, and the audit queries find nothing where something was. A filter can leave out what one person does.',
      fix: APPLY,
      undo: 'gcloud logging sinks update {sink} {found} --project={project} --log-filter={filter}',
    },
    log_sink_excludes: {
      severity: 'error',
      what: 'The sink {sink} of {project} has exclusions: {exclusions}.',
      why: 'Entries that they match do not reach the archive.',
      fix: 'gcloud logging sinks update {sink} --project={project} --remove-exclusions={exclusions}',
      undo: 'gcloud logging sinks update {sink} --project={project} --add-exclusion=name=NAME,filter=FILTER',
    },
    log_sink_cannot_write: {
      severity: 'error',
      what: '{writer}, the identity of the sink {sink} of {project}, lacks roles/logging.bucketWriter on {keydesk}.',
      why: 'Its entries are dropped.',
      fix: APPLY,
      undo: 'Nothing to go back to.',
    },
  },
  checksOf: (target) =>
    (target.deployment.log_archive ? target.projects : []).map((project) => ({
      subject: project,
      look: async (google) => {
        const sink = `${target.prefix}-logs-of-${target.project}`;
        const found = await google.find({
          api: 'logging.googleapis.com',
          path: `v2/projects/${project}/sinks/${sink}`,
          shape: sinkShape,
          ...READS.logSink,
          on: project,
          gcloud: { command: shellCommand`gcloud logging sinks describe ${sink} --project=${project}` },
        });
        const facts = { project, sink, keydesk: target.project };
        if (!found) return { found: [{ finding: 'log_sink_missing' as const, facts }] };
        const judged = [...judgeSink(target, project, found), ...(await judgeWriter(google, target, project, found))];
        return { found: judged.map((one) => ({ ...one, facts: { ...facts, ...one.facts } })) };
      },
    })),
};

/** Any other filter is a finding: an added OR or AND decides about the whole, whatever it begins with. */
function sinkFilter(target: DoctorTarget, project: string): string {
  return project === target.project ? `${GOOGLE_LINES} OR ${KEYDESK_LINES}` : GOOGLE_LINES;
}

function judgeSink(
  target: DoctorTarget,
  project: string,
  { destination, filter, disabled, exclusions }: Sink,
): Found<Name>[] {
  const bucket = `logging.googleapis.com/${logBucketOf(target).name}`;
  const expected = sinkFilter(target, project);
  const active = exclusions.filter((one) => !one.disabled).map(({ name }) => name);
  return [
    ...(disabled ? [{ finding: 'log_sink_disabled' as const, facts: {} }] : []),
    ...(destination === bucket && filter.trim() === expected
      ? []
      : [
          {
            finding: 'log_sink_differs' as const,
            facts: { found: destination, filter: filter || 'none', destination: bucket, expected },
          },
        ]),
    ...(active.length > 0 ? [{ finding: 'log_sink_excludes' as const, facts: { exclusions: active.join(',') } }] : []),
  ];
}

/** A sink in the bucket's own project needs no permission. */
async function judgeWriter(
  google: Google,
  target: DoctorTarget,
  project: string,
  { writerIdentity }: Sink,
): Promise<Found<Name>[]> {
  if (project === target.project) return [];
  const { bindings } = await google.read(projectPolicyCall(target.project));
  const place = logBucketOf(target).name.replace(/^projects\/[^/]+\//, '');
  const expression = `resource.name.endsWith("${place}")`;
  const mayWrite = bindings.some(
    ({ role, members, condition }) =>
      role === 'roles/logging.bucketWriter' &&
      members.includes(writerIdentity) &&
      (condition === undefined || condition.expression === expression),
  );
  return mayWrite ? [] : [{ finding: 'log_sink_cannot_write', facts: { writer: writerIdentity || 'nobody' } }];
}
