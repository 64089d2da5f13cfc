// Every next state: what may begin, go on, be cut off, or come late, and the time that may pass.

import { grantId } from '../../../shared/core/grant/id.ts';
import { enable, enabledWrongly, enableSteps, recheckSteps, reclaimSteps } from './accounts.ts';
import {
  changeGrantSteps,
  disable,
  disabledWrongly,
  endJobSteps,
  grantName,
  killSteps,
  revokeSteps,
  short,
} from './end.ts';
import { nextInstant } from './instants.ts';
import { issueSteps } from './issue.ts';
import { jobName, type Model, nowOf, TTL_MS } from './model.ts';
import type { Outcome, Process } from './process.ts';
import { settle } from './settle.ts';
import type { Budget, State } from './state.ts';
import { sweepStarts } from './sweep.ts';

/** A state that follows another, and what this step itself shows to be wrong. */
export interface Step {
  readonly label: string;
  readonly state: State;
  readonly violations: readonly string[];
}

function stepsOf(model: Model, process: Process, state: State): Outcome[] {
  switch (process.kind) {
    case 'issue':
      return issueSteps(model, state, process);
    case 'end job':
      return endJobSteps(model, state, process);
    case 'change grant':
      return changeGrantSteps(model, state, process);
    case 'revoke':
      return revokeSteps(model, state, process);
    case 'enable':
      return enableSteps(model, state, process);
    case 'reclaim':
      return reclaimSteps(model, state, process);
    case 'recheck':
      return recheckSteps(model, state, process);
    case 'kill':
      return killSteps(model, state, process);
  }
}

/** All states that may follow. */
export function successors(model: Model, state: State): Step[] {
  const steps = [
    ...state.processes.flatMap((_, at) => proceed(model, state, at)),
    ...crashes(state),
    ...lateCalls(state),
    ...starts(model, state),
    ...passTime(model, state),
  ];
  return steps.map((step) => ({ ...step, state: settle(model, step.state) }));
}

/** The next step of the process at this place, in each of its outcomes. */
export function proceed(model: Model, state: State, at: number): Step[] {
  const process = state.processes[at];
  if (!process) throw new Error('no such process');
  const others = state.processes.filter((_, other) => other !== at);
  let outcomes: Outcome[];
  try {
    outcomes = stepsOf(model, process, state);
  } catch (error) {
    // The ledger refuses to write a step that no state machine has, or what cannot be came about.
    const text = error instanceof Error ? error.message : String(error);
    return [{ label: `${process.kind} fails`, state, violations: [`STATES: ${text}`] }];
  }
  return outcomes.flatMap(({ label, state: after, next, fault, violations = [] }) => {
    if (fault && state.budget.faults === 0) return [];
    const budget = fault ? spend(after.budget, 'faults') : after.budget;
    return [{ label, state: { ...after, budget, processes: [...others, ...next] }, violations }];
  });
}

function spend(budget: Budget, what: keyof Budget): Budget {
  return { ...budget, [what]: budget[what] - 1 };
}

function crashes(state: State): Step[] {
  if (state.budget.crashes === 0) return [];
  return state.processes.map((process, at) => {
    const processes = state.processes.filter((_, other) => other !== at);
    const killing = 'killing' in process ? null : state.killing;
    const label = `${process.party} is cut off before its next step (${process.kind}${'at' in process ? `: ${process.at}` : ''})`;
    return { label, state: { ...state, processes, killing, budget: spend(state.budget, 'crashes') }, violations: [] };
  });
}

function lateCalls(state: State): Step[] {
  return state.late.map(({ call, account }, at) => {
    const late = state.late.filter((_, other) => other !== at);
    return call === 'disable'
      ? {
          label: `Google disables ${short(account)} late`,
          state: { ...disable(state, account), late },
          violations: disabledWrongly(state, account),
        }
      : {
          label: `Google enables ${short(account)} late`,
          state: { ...enable(state, account), late },
          violations: enabledWrongly(state, account),
        };
  });
}

/** What people, jobs, Buildkite and Cloud Scheduler may begin. */
function starts(model: Model, state: State): Step[] {
  const { bounds, jobs } = model;
  const steps: Step[] = [];
  // The first step is taken at once: before it, a process knows nothing.
  const begin = (what: string, process: Process, counted?: keyof Budget) => {
    const label = model.instancesOf(process.party).length > 1 ? `${what} (clock ${process.skew / 1000} s)` : what;
    const budget = counted ? spend(state.budget, counted) : state.budget;
    const begun = { ...state, processes: [...state.processes, process], budget };
    for (const step of proceed(model, begun, state.processes.length))
      steps.push({ ...step, label: `${label}. ${step.label}` });
  };
  for (const job of jobs) {
    if (!state.finished.includes(job))
      steps.push({
        label: `${jobName(model, job)} finishes at Buildkite`,
        state: { ...state, finished: [...state.finished, job].sort() },
        violations: [],
      });
  }
  if (state.processes.length >= bounds.processes) return steps;
  for (const job of jobs) beginForJob(model, state, job, begin);
  for (const [grant, { record }] of Object.entries(state.grants)) {
    if (record.tokens.length === 0) continue;
    const released = { kind: 'change grant', grant, to: 'ended', cause: { by: 'released' }, at: 'read' } as const;
    for (const instance of state.budget.releases > 0 ? model.instancesOf('token') : [])
      begin(`${grantName(model, record)} is released`, { ...released, ...instance, lostRaces: 0 }, 'releases');
  }
  if (state.processes.filter(({ party }) => party === 'sweep').length < bounds.sweeps)
    for (const process of sweepStarts(model, state)) begin('a sweep begins', process);
  return steps;
}

/** Requests, webhooks and acts of operators that concern the job. */
function beginForJob(
  model: Model,
  state: State,
  job: string,
  begin: (label: string, process: Process, what: keyof Budget) => void,
): void {
  const name = jobName(model, job);
  const { requests, webhooks, kills } = state.budget;
  const ended = (state.jobs[job]?.record.ended_at ?? null) !== null;
  for (const credential of requests > 0 ? model.bounds.credentials : []) {
    const request = model.requestFor(job, credential);
    const issue = { kind: 'issue', job, credential, grant: grantId(job, credential), at: 'prepare' } as const;
    for (const instance of model.instancesOf('token')) {
      const blocked = model.transitions.blockedNow(state.blocks, request, nowOf(state, instance)) !== undefined;
      const process = { ...issue, ...instance, begun: { ended, blocked }, excluded: [] };
      begin(`${name} requests ${credential}`, process, 'requests');
    }
  }
  const end = { kind: 'end job', job, at: 'job', begunAt: state.now, lostRaces: 0, by: 'job.finished' } as const;
  for (const instance of webhooks > 0 && state.finished.includes(job) ? model.instancesOf('webhook') : [])
    begin(`the webhook reports ${name}`, { ...end, ...instance }, 'webhooks');
  for (const instance of kills > 0 ? model.instancesOf('admin') : [])
    begin(`an operator ends ${name}, with a block`, { kind: 'kill', ...instance, job, at: 'block' }, 'kills');
}

/** The time until something falls due; with the budget, half a lifetime before that. */
function passTime(model: Model, state: State): Step[] {
  const { budget, processes, tokens, now } = state;
  const isFrozen = processes.length > 0;
  if (isFrozen && budget.freezes === 0) return [];
  const passing = isFrozen ? { ...state, budget: spend(budget, 'freezes') } : state;
  const next = nextInstant(model, state);
  const steps = next === undefined ? [] : [passUntil(passing, next)];
  const waited = now + TTL_MS / 2;
  if (budget.waits > 0 && (next === undefined || waited < next) && tokens.length > 0)
    steps.push(passUntil({ ...passing, budget: spend(passing.budget, 'waits') }, waited));
  return steps;
}

export function passUntil(state: State, now: number): Step {
  const passed: State = { ...state, now };
  const documentOf = (grant: string) => state.documents[grant]?.record;
  const tokens = state.tokens.filter(({ end, account, grant }) => {
    if (account !== undefined) return end > now;
    const document = documentOf(grant);
    return end > now && document?.state === 'active' && document.expires_at > now;
  });
  const late = state.late.filter(({ until }) => until > now);
  const seconds = ((now - state.now) / 1000).toFixed(0);
  return { label: `${seconds} s pass`, state: { ...passed, tokens, late }, violations: [] };
}
