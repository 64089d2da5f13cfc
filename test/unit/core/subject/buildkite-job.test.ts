import { describe, expect, it } from 'vitest';
import {
  buildOf,
  describeSubject,
  isOtherPipeline,
  pipelineKey,
  subjectSchema,
  toJobFields,
  toSubject,
} from '../../../../shared/core/subject/buildkite-job.ts';
import { claims, subject } from '../../../fixtures/grants.ts';
import { jobClaims } from '../../../fixtures/job-claims.ts';

describe('the subject of a grant', () => {
  it('keeps the claims under their names, and null for each that the token did not have', () => {
    const bare = jobClaims();
    expect(toJobFields(subjectSchema.parse(toSubject(claims)))).toEqual({
      ...{ job_id: claims.job_id, organization_slug: 'acme-inc', organization_id: claims.organization_id },
      ...{ pipeline_slug: 'app', pipeline_id: claims.pipeline_id, build_number: 42, build_branch: 'main' },
      ...{ build_tag: null, build_commit: claims.build_commit, build_source: 'webhook', step_key: 'deploy' },
      agent_id: claims.agent_id,
    });
    expect(Object.entries(toSubject(bare)).filter(([, value]) => value === null)).toEqual(
      ['organization_id', 'pipeline_id', 'build_tag', 'build_source', 'step_key'].map((name) => [name, null]),
    );
  });

  it('names its build, and is described by it', () => {
    expect(buildOf(subject)).toEqual({ organization_slug: 'acme-inc', pipeline_slug: 'app', build_number: 42 });
    expect(describeSubject(subject)).toBe(`job ${claims.job_id} (app #42)`);
  });

  it('knows its pipeline by the UUID, and by the slugs where the token has none', () => {
    expect(pipelineKey(subject)).toBe(claims.pipeline_id);
    expect(pipelineKey({ ...subject, pipeline_id: null })).toBe('acme-inc/app');
  });

  it('is of another pipeline only where both are known and differ', () => {
    expect(isOtherPipeline(subject, 'another')).toBe(true);
    expect(isOtherPipeline(subject, claims.pipeline_id)).toBe(false);
    expect(isOtherPipeline(subject, undefined)).toBe(false);
    expect(isOtherPipeline({ ...subject, pipeline_id: null }, 'another')).toBe(false);
  });
});
