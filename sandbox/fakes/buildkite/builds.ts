// Builds with block steps: who started them, who unblocked which step, and what the REST API and webhooks say of that. Buildkite
// documents no response for a step that is unblocked already; the one here is a guess. Refuses what the documentation does not know.
// Who may unblock a step is not here: write access to the pipeline, or `allowed_teams` of the step. Keydesk does not rely on it.
// Sources: buildkite.com/docs/apis/rest-api/builds (get a build), /jobs (unblock a job), /docs/apis/webhooks/pipelines.

import { randomUUID } from 'node:crypto';
import * as z from 'zod';
import { parseJson } from '../../../shared/core/json.ts';
import type { LocalReply, LocalRequest, LocalResponse } from '../../local-server.ts';
import { buildEventBody, type Names, toManualJob } from './build-json.ts';
import type { ListedJob } from './jobs-of-build.ts';

export interface FakeUser {
  readonly id: string;
  readonly name: string;
}

export interface FakeBlockStep {
  /** Of its job. */
  readonly id: string;
  /** The same for all retries; null where the API shows none. */
  readonly step_id: string | null;
  readonly key: string | null;
  state: 'blocked' | 'unblocked';
  unblocked_by: FakeUser | null;
  /** Milliseconds since the epoch. */
  unblocked_at: number | null;
  retried: boolean;
}

export interface FakeBuild {
  readonly id: string;
  readonly number: number;
  readonly pipeline: { readonly slug: string; readonly id: string };
  readonly source: string;
  readonly creator: FakeUser | null;
  readonly metaData: Record<string, string>;
  readonly blockSteps: FakeBlockStep[];
  canceled: boolean;
}

export interface FakeBuilds {
  readonly all: FakeBuild[];
  /** The members of the organization. */
  readonly people: FakeUser[];
  /** Of the pipeline `app`, in the UI, by nobody known, unless it is said. */
  start(options?: Partial<Pick<FakeBuild, 'pipeline' | 'number' | 'source' | 'creator' | 'metaData'>>): FakeBuild;
  /** The claims by which a job is one of the build. */
  claimsOf(build: FakeBuild): Readonly<Record<string, unknown>>;
  addBlockStep(build: FakeBuild, key: string | null, options?: { readonly step_id?: string | null }): FakeBlockStep;
  /** By a person in the UI, or by nobody whom Buildkite names. */
  unblock(step: FakeBlockStep, by: FakeUser | null): void;
  /** Its next job, which is blocked. */
  retry(build: FakeBuild, step: FakeBlockStep): FakeBlockStep;
  /** The body of `build.scheduled`, or of another event about the build. */
  event(build: FakeBuild, event?: string): string;
  /** The body of `job.activated`, or of another event about a block step. */
  stepEvent(build: FakeBuild, step: FakeBlockStep, event?: string): string;
  /** The API token of a person: its scopes are read_builds and write_builds. */
  apiTokenOf(user: FakeUser): string;
  /** Runs before a build is shown; what it returns is sent instead. */
  before: ((build: ShownBuild) => LocalReply | undefined) | undefined;
  /** Takes the body of each event that Buildkite sends by itself. */
  onEvent: ((event: string, body: string) => void) | undefined;
  /** @returns whose API token the request has */
  ownerOf(request: LocalRequest): FakeUser | undefined;
  /** @param path below the organization @returns undefined for another path */
  handle(request: LocalRequest, path: string, caller: Caller): LocalReply | undefined;
}

/** A request to show a build. */
interface ShownBuild {
  /** Its slug. */
  readonly pipeline: string;
  readonly number: number;
  readonly query: URLSearchParams;
}

interface Caller {
  readonly scopes: readonly string[];
  /** Undefined for a machine. */
  readonly user: FakeUser | undefined;
}

const BUILD = /^pipelines\/([^/]+)\/builds\/([1-9][0-9]*)$/;
const UNBLOCK = /^(?:pipelines\/([^/]+)\/builds\/([1-9][0-9]*)\/)?jobs\/([0-9a-f-]{36})\/unblock$/;
const SWITCHES = ['exclude_jobs', 'exclude_pipeline', 'include_retried_jobs', 'include_test_engine'];
const STATES = 'job_states[]';
/** `finished` is none: `passed` and `failed` stand for it. Source: buildkite.com/docs/apis/rest-api/jobs (list jobs of a build). */
const JOB_STATES = [
  ...[
    'pending',
    'waiting',
    'waiting_failed',
    'blocked',
    'blocked_failed',
    'unblocked',
    'unblocked_failed',
    'scheduled',
  ],
  ...[
    'assigned',
    'accepted',
    'running',
    'passed',
    'failed',
    'timed_out',
    'timing_out',
    'canceled',
    'canceling',
    'skipped',
  ],
  ...['broken', 'expired', 'limited'],
];
const unblockSchema = z.strictObject({
  unblocker: z.string().optional(),
  fields: z.record(z.string(), z.string()).optional(),
});

/** @param options.jobsOf the other jobs of a build, by the slug of its pipeline and its number */
export function createBuilds(options: {
  readonly names: () => Names;
  readonly pipeline: FakeBuild['pipeline'];
  readonly people: FakeUser[];
  readonly jobsOf: (pipeline: string, number: number) => readonly ListedJob[];
  readonly now: () => number;
}): FakeBuilds {
  const { names, pipeline: app, people, jobsOf, now } = options;
  const all: FakeBuild[] = [];
  const owners = new Map<string, FakeUser>();

  const show = (slug: string, number: number, query: URLSearchParams): LocalReply => {
    const unknown = [...query].filter(([name, value]) => !isParameter(name, value));
    if (unknown.length > 0) return refuse(`unknown parameter: ${unknown.map((one) => one.join('=')).join(', ')}`);
    const instead = builds.before?.({ pipeline: slug, number, query });
    if (instead) return instead;
    const build = all.find((one) => one.pipeline.slug === slug && one.number === number);
    if (!build) return { status: 404, json: { message: 'No build found' } };
    const isOn = (name: string) => query.get(name) === 'true';
    const states = query.getAll(STATES);
    const steps = build.blockSteps.filter(({ retried }) => !retried || isOn('include_retried_jobs'));
    const jobs = [...jobsOf(slug, number), ...steps.map((step) => toManualJob(names(), build, step))];
    const shown = jobs.filter(({ state }) => states.length === 0 || states.includes(state));
    const { pipeline, build: json } = buildEventBody(names(), '', build);
    const counts = Object.groupBy(jobs, ({ state }) => state);
    const numbers = Object.entries(counts).map(([state, counted = []]) => [state, counted.length]);
    return {
      status: 200,
      json: {
        ...json,
        job_state_counts: { total: jobs.length, states: Object.fromEntries(numbers) },
        ...(isOn('exclude_jobs') ? {} : { jobs: shown }),
        ...(isOn('exclude_pipeline') ? {} : { pipeline }),
      },
    };
  };

  const unblockByApi = (request: LocalRequest, found: RegExpExecArray, { scopes, user }: Caller): LocalReply => {
    if (!scopes.includes('write_builds') || !user) return { status: 403, json: { message: 'Forbidden' } };
    const [, slug, number, id] = found;
    const build = all.find(({ blockSteps }) => blockSteps.some((step) => step.id === id));
    const step = build?.blockSteps.find((one) => one.id === id);
    const isOfPath = slug === undefined || (build?.pipeline.slug === slug && String(build.number) === number);
    if (!build || !step || !isOfPath) {
      const isJob = all.some((one) => jobsOf(one.pipeline.slug, one.number).some((job) => job.id === id));
      return isJob
        ? { status: 400, json: { message: 'This job type cannot be unblocked' } }
        : { status: 404, json: { message: 'No job found' } };
    }
    const parsed = unblockSchema.safeParse(request.body === '' ? {} : parseJson(request.body));
    if (!parsed.success) return refuse('the body has a property that is not documented');
    if (build.canceled) return refuse('Jobs from canceled builds cannot be unblocked');
    const { unblocker = user.id } = parsed.data;
    const by = people.find((one) => one.id === unblocker);
    if (!by) return refuse('Unblocker is not a valid user id for this organization');
    if (step.state === 'unblocked') return refuse('This job has already been unblocked');
    builds.unblock(step, by);
    return { status: 200, json: toManualJob(names(), build, step) };
  };

  const builds: FakeBuilds = {
    all,
    people,
    before: undefined,
    onEvent: undefined,
    start: ({ pipeline = app, number, source = 'ui', creator = null, metaData = {} } = {}) => {
      const last = Math.max(0, ...all.filter((one) => one.pipeline.id === pipeline.id).map((one) => one.number));
      const common = { id: randomUUID(), pipeline, source, creator, metaData, canceled: false };
      const build: FakeBuild = { ...common, number: number ?? last + 1, blockSteps: [] };
      all.push(build);
      builds.onEvent?.('build.scheduled', builds.event(build));
      return build;
    },
    claimsOf: ({ id, number, pipeline, source }) => ({
      ...{ build_id: id, build_number: number, build_source: source },
      ...{ pipeline_slug: pipeline.slug, pipeline_id: pipeline.id },
    }),
    addBlockStep: ({ blockSteps }, key, { step_id = randomUUID() } = {}) => {
      const step = newStep(key, step_id);
      blockSteps.push(step);
      return step;
    },
    unblock: (step, by) => {
      if (step.state === 'unblocked') throw new Error('a step is unblocked once');
      Object.assign(step, { state: 'unblocked', unblocked_by: by, unblocked_at: now() });
      const build = all.find(({ blockSteps }) => blockSteps.includes(step));
      if (build) builds.onEvent?.('job.activated', builds.stepEvent(build, step));
    },
    retry: ({ blockSteps }, step) => {
      if (step.retried) throw new Error('a job is retried once');
      step.retried = true;
      const next = newStep(step.key, step.step_id);
      blockSteps.push(next);
      return next;
    },
    event: (build, event = 'build.scheduled') => JSON.stringify(buildEventBody(names(), event, build)),
    stepEvent: (build, step, event = 'job.activated') =>
      JSON.stringify({ ...buildEventBody(names(), event, build), job: toManualJob(names(), build, step) }),
    apiTokenOf: (user) => {
      const apiToken = `sandbox-api-token-of-${user.id}`;
      owners.set(apiToken, user);
      return apiToken;
    },
    ownerOf: ({ headers }) => owners.get(String(headers.authorization).replace(/^Bearer /, '')),
    handle: (request, path, caller) => {
      const [, slug, number] = BUILD.exec(path) ?? [];
      if (slug !== undefined && request.method === 'GET')
        return caller.scopes.includes('read_builds')
          ? show(decodeURIComponent(slug), Number(number), request.query)
          : { status: 403, json: { message: 'Forbidden' } };
      const found = request.method === 'PUT' ? UNBLOCK.exec(path) : null;
      return found ? unblockByApi(request, found, caller) : undefined;
    },
  };
  return builds;
}

function isParameter(name: string, value: string): boolean {
  return SWITCHES.includes(name) ? ['true', 'false'].includes(value) : name === STATES && JOB_STATES.includes(value);
}

function newStep(key: string | null, step_id: string | null): FakeBlockStep {
  const id = randomUUID();
  return { id, step_id, key, state: 'blocked', unblocked_by: null, unblocked_at: null, retried: false };
}

function refuse(message: string): LocalResponse {
  return { status: 422, json: { message } };
}
