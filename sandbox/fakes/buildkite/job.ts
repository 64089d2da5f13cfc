// A job of the fake Buildkite, and the claims that its tokens have unless it was started with others.

export interface Job {
  readonly id: string;
  readonly claims: Readonly<Record<string, unknown>>;
  /** The token with which its agent, and no other, may request its job tokens while it runs. */
  readonly agentToken: string;
  state: 'running' | 'passed' | 'failed' | 'canceled';
  /** Whether Buildkite has received nothing from its agent for minutes. */
  agentLost: boolean;
  /** Milliseconds; undefined for the time of each request. */
  finishedAt?: number;
}

export interface Organization {
  readonly slug: string;
  readonly id: string;
}

export const ACME: Organization = { slug: 'acme-inc', id: 'f892efa9-103e-4d28-97a1-3b8616a0994d' };
/** The pipeline of jobs and builds that name no other. */
export const APP = { slug: 'app', id: '0184990a-4782-42b5-afc1-16715b10b1f0' };

export function claimsOfJob(organization: Organization, job: Job) {
  return {
    organization_slug: organization.slug,
    organization_id: organization.id,
    pipeline_slug: APP.slug,
    pipeline_id: APP.id,
    build_number: 42,
    build_branch: 'main',
    build_tag: null,
    build_commit: '9f3182061f1e2cca4702c368cbc039b7dc9d4485',
    step_key: 'deploy',
    agent_id: '0184990a-4782-42b5-afc1-16715b10b8ff',
    build_source: 'webhook',
    runner_environment: 'self-hosted',
    ...job.claims,
    job_id: job.id,
  };
}
