// The subject of a grant: the Buildkite job that holds it. This is the one module that knows which claims of a job a record
// keeps and what they are called. Claims: https://buildkite.com/docs/agent/cli/reference/oidc.

import * as z from 'zod';
import type { JobClaims } from '../policy/claims.ts';

/** A build, as Buildkite's REST API names it. */
export const buildSchema = z.object({
  organization_slug: z.string(),
  pipeline_slug: z.string(),
  build_number: z.number(),
});
export type Build = z.output<typeof buildSchema>;

/** The job at its first issue. A claim that its token did not have is null. */
export const subjectSchema = z.object({
  kind: z.literal('buildkite_job'),
  /** The job's UUID in lower case. */
  id: z.string(),
  organization_slug: z.string(),
  organization_id: z.string().nullable(),
  pipeline_slug: z.string(),
  pipeline_id: z.string().nullable(),
  build_number: z.number(),
  build_branch: z.string(),
  build_tag: z.string().nullable(),
  build_commit: z.string(),
  build_source: z.string().nullable(),
  step_key: z.string().nullable(),
  agent_id: z.string(),
});
export type Subject = z.output<typeof subjectSchema>;

/** @param claims of a verified job token */
export function toSubject(claims: JobClaims): Subject {
  return {
    kind: 'buildkite_job',
    id: claims.job_id,
    organization_slug: claims.organization_slug,
    organization_id: claims.organization_id ?? null,
    pipeline_slug: claims.pipeline_slug,
    pipeline_id: claims.pipeline_id ?? null,
    build_number: claims.build_number,
    build_branch: claims.build_branch,
    build_tag: claims.build_tag ?? null,
    build_commit: claims.build_commit,
    build_source: claims.build_source ?? null,
    step_key: claims.step_key ?? null,
    agent_id: claims.agent_id,
  };
}

/** The subject by Buildkite's names, as audit events and operators' selectors name it. */
export function toJobFields({ kind: _, id, ...claims }: Subject) {
  return { job_id: id, ...claims };
}

export function buildOf({ organization_slug, pipeline_slug, build_number }: Subject): Build {
  return { organization_slug, pipeline_slug, build_number };
}

/** The pipeline's UUID; `organization/pipeline` by their slugs where the job token has no `pipeline_id`. */
export function pipelineKey({ pipeline_id, organization_slug, pipeline_slug }: Subject): string {
  return pipeline_id ?? `${organization_slug}/${pipeline_slug}`;
}

/** Whether `pipeline_id` is known to be another pipeline than the subject's. */
export function isOtherPipeline(subject: Subject, pipeline_id: string | undefined): boolean {
  return subject.pipeline_id !== null && pipeline_id !== undefined && subject.pipeline_id !== pipeline_id;
}

/** For people: `job UUID (pipeline #number)`. */
export function describeSubject({ id, pipeline_slug, build_number }: Subject): string {
  return `job ${id} (${pipeline_slug} #${build_number})`;
}
