import { createApiTokenDescriber } from '../../../shared/buildkite/api-token.ts';
import { createBuildkiteJobs } from '../../../shared/buildkite/job-state.ts';
import { createRestApi } from '../../../shared/buildkite/rest-api.ts';
import { LookupError } from '../../../shared/operations/lookup-error.ts';
import type { JobState } from '../../../shared/operations/ports.ts';
import { membersOf, parseJson } from '../independent/json.ts';
import { CLOCK, respondingWith } from '../independent/setting.ts';
import { demand, type Target } from '../target.ts';

const JOB = '0184990a-477b-4fa8-9968-496074483cee';
const API_TOKEN = 'bkua_secretsecretsecret';
const BUILD = { organization_slug: 'acme-inc', pipeline_slug: 'web', build_number: 42 };
const finished = {
  id: JOB,
  state: 'passed',
  finished_at: '2026-11-24T09:59:00Z',
  agent: { connection_state: 'connected' },
};

export const target: Target = {
  claim:
    "The status and the body of a response of Buildkite's REST API: a job counts as finished only if Buildkite says so of this job, and every unexpected response is a failed lookup that does not repeat the API token.",
  files: [
    'shared/buildkite/rest-api.ts',
    'shared/buildkite/job-state.ts',
    'shared/buildkite/api-token.ts',
    'shared/operations/lookup-error.ts',
  ],
  seeds: [
    `200\n${JSON.stringify(finished)}`,
    `200\n${JSON.stringify({ ...finished, state: 'running', finished_at: null, agent: { connection_state: 'lost' } })}`,
    `200\n${JSON.stringify({ ...finished, state: 'something_new' })}`,
    `200\n${JSON.stringify({ items: [finished, { id: 'B' }, 7], links: { next: 'https://api.buildkite.com/v2/x?after=abc' } })}`,
    `200\n${JSON.stringify({ items: [], links: { next: '/x?before=1' } })}`,
    `200\n${JSON.stringify({ scopes: ['read_builds'], expires_at: '2026-12-01 06:07:42 UTC' })}`,
    `200\n${JSON.stringify({ scopes: [], expires_at: null })}`,
    '404\n{}',
    '429\n{"reset":5}',
    '401\nnull',
  ],
  run: async (input) => {
    const [written = '', ...lines] = input.toString('utf8').split('\n');
    const status = Number(written) || 0;
    const json = parseJson(lines.join('\n'));
    const sendRequest = respondingWith(status, json);
    const api = createRestApi({ sendRequest, apiUrl: 'https://api.buildkite.com', apiToken: API_TOKEN, clock: CLOCK });
    const jobs = createBuildkiteJobs(api);
    const job = await outcomeOf(() => jobs.job(BUILD.organization_slug, JOB));
    if (job) demandState(job.value, status === 200 ? json : undefined, status);
    const page = await outcomeOf(() => jobs.page(BUILD, undefined));
    for (const [id, state] of page?.value?.jobs ?? []) {
      const { items } = json as { items: unknown[] };
      const item = items.findLast((one) => String(membersOf(one).id).toLowerCase() === id);
      demand(id === id.toLowerCase() && item !== undefined, 'a job of a page is in the page');
      if (state) demandState(state, item, status);
    }
    const next = page?.value?.next;
    demand(next === undefined || next !== '', 'a cursor is text');
    const token = await outcomeOf(createApiTokenDescriber(api));
    const expiry = token?.value.expires_at;
    demand(expiry == null || Number.isFinite(expiry), 'the expiry of the API token is a time');
  },
};

async function outcomeOf<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!LookupError.is(error)) throw error;
    demand(!error.message.includes(API_TOKEN) && error.message.length < 300, 'a failure is short and has no secret');
    return undefined;
  }
}

function demandState({ outcome, finished_at }: JobState, json: unknown, status: number): void {
  demand(outcome !== 'unknown' || status === 404, 'a job is unknown by 404 alone');
  if (outcome === 'unknown') return;
  const { state, finished_at: at, agent } = membersOf(json);
  demand(finished_at === undefined || Number.isFinite(finished_at), 'a job finished at a time');
  const isKnown = ['passed', 'failed', 'finished', 'canceled', 'timed_out', 'expired', 'skipped', 'broken'];
  const isRunning =
    /^(pending|waiting|limiting|limited|platform_limiting|platform_limited|scheduled|reserved|assigned|accepted|running|canceling|timing_out)$/;
  const hasEnded = isKnown.includes(String(state)) || (!!at && !isRunning.test(String(state)));
  const isLost = membersOf(agent).connection_state === 'lost';
  demand((outcome === 'finished') === (hasEnded || isLost), 'it has finished if and only if Buildkite says so');
}
