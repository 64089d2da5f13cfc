// The claims of a verified job token with nothing in them that a job has to ask for, for tests that need no token.

import { randomUUID } from 'node:crypto';
import type { JobClaims } from '../shared/core/claims.ts';

export function jobClaims(known: Partial<JobClaims> = {}): JobClaims {
  return {
    organization_slug: 'acme-inc',
    organization_id: undefined,
    pipeline_slug: 'app',
    pipeline_id: undefined,
    build_id: undefined,
    build_number: 1,
    build_branch: 'main',
    build_tag: undefined,
    build_commit: 'HEAD',
    build_source: undefined,
    step_key: undefined,
    job_id: randomUUID(),
    agent_id: randomUUID(),
    runner_environment: undefined,
    cluster_id: undefined,
    cluster_name: undefined,
    queue_id: undefined,
    queue_key: undefined,
    agentTags: new Map(),
    ...known,
  };
}
