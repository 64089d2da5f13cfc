// The bounds of the searches. Within each, every order of steps is tried.

import type { Bounds } from './model.ts';

const FAST = 45_000;
/** A job's account, and two sweeps that may run at once. */
const TWO_SWEEPS = { jobs: 1, credentials: ['admin'], pool: 1, sweeps: 2, processes: 2 } as const;

/** For `npm run states`. */
export const LARGE: readonly Bounds[] = [
  {
    name: 'two jobs, one account',
    jobs: 2,
    credentials: ['admin'],
    pool: 1,
    sweeps: 1,
    processes: 2,
    budget: { requests: 2, webhooks: 1, freezes: 1 },
  },
  {
    name: 'two jobs, one account, cut off',
    jobs: 2,
    credentials: ['admin'],
    pool: 1,
    sweeps: 1,
    processes: 2,
    budget: { requests: 2, webhooks: 1, crashes: 1, freezes: 0 },
  },
  {
    name: 'a duplicate webhook and two sweeps',
    jobs: 1,
    credentials: ['admin'],
    pool: 1,
    sweeps: 2,
    processes: 3,
    budget: { requests: 1, webhooks: 2, crashes: 1, freezes: 0 },
  },
  {
    name: 'two credentials of a job',
    jobs: 1,
    credentials: ['admin', 'config'],
    pool: 1,
    sweeps: 1,
    processes: 2,
    budget: { requests: 2, webhooks: 1, freezes: 1 },
  },
  {
    name: 'two requests at once, an end and a release',
    jobs: 1,
    credentials: ['config'],
    pool: 0,
    sweeps: 1,
    processes: 3,
    budget: { requests: 2, webhooks: 1, releases: 1, freezes: 0 },
  },
  {
    name: 'the kill switch against two requests',
    jobs: 1,
    credentials: ['config'],
    pool: 0,
    sweeps: 1,
    processes: 3,
    budget: { requests: 2, kills: 1, freezes: 1 },
  },
  {
    name: 'renewals',
    jobs: 1,
    credentials: ['admin'],
    pool: 1,
    sweeps: 1,
    processes: 2,
    budget: { requests: 2, webhooks: 1, crashes: 1, waits: 1, freezes: 1 },
  },
  {
    name: 'accounts from which Google does not mint',
    jobs: 1,
    credentials: ['admin'],
    pool: 2,
    sweeps: 1,
    processes: 2,
    budget: { requests: 2, webhooks: 1, faults: 2, freezes: 0 },
  },
  {
    name: 'a slow webhook and fast sweeps, with lost responses',
    ...TWO_SWEEPS,
    skews: { webhook: [-FAST], sweep: [FAST] },
    budget: { requests: 1, webhooks: 1, faults: 1, freezes: 2 },
  },
  {
    name: 'a fast token function and slow sweeps, with looks at accounts',
    jobs: 1,
    credentials: ['admin'],
    pool: 1,
    sweeps: 1,
    processes: 2,
    rechecks: true,
    skews: { token: [FAST], sweep: [-FAST] },
    budget: { requests: 1, webhooks: 1, faults: 1, freezes: 0 },
  },
  {
    name: 'two sweeps whose clocks differ, with looks at accounts',
    ...TWO_SWEEPS,
    rechecks: true,
    skews: { sweep: [FAST, -FAST] },
    budget: { requests: 1, webhooks: 1, faults: 1, freezes: 1 },
  },
  {
    name: 'the same with two lost or old responses',
    ...TWO_SWEEPS,
    rechecks: true,
    skews: { sweep: [FAST, -FAST] },
    budget: { requests: 1, webhooks: 1, faults: 2, freezes: 0 },
  },
  {
    name: 'instances of each function whose clocks differ',
    ...TWO_SWEEPS,
    skews: { token: [FAST, -FAST], webhook: [FAST, -FAST], sweep: [FAST, -FAST] },
    budget: { requests: 1, webhooks: 1, faults: 1, freezes: 1 },
  },
  {
    name: 'the same with looks at accounts',
    ...TWO_SWEEPS,
    rechecks: true,
    skews: { token: [FAST, -FAST], webhook: [FAST, -FAST], sweep: [FAST, -FAST] },
    budget: { requests: 1, webhooks: 1, freezes: 2 },
  },
];

/** For `npm run check`: seconds. */
export const SMALL: readonly Bounds[] = [
  {
    name: 'looks at an account by two sweeps whose clocks differ',
    ...TWO_SWEEPS,
    rechecks: true,
    skews: { sweep: [FAST, -FAST] },
    budget: { requests: 1, webhooks: 1, freezes: 1 },
  },
  {
    name: 'one account from job to job',
    jobs: 2,
    credentials: ['admin'],
    pool: 1,
    sweeps: 1,
    processes: 1,
    budget: { requests: 2, webhooks: 1, faults: 1, freezes: 0 },
  },
  {
    name: 'an end against a request',
    jobs: 1,
    credentials: ['admin'],
    pool: 1,
    sweeps: 1,
    processes: 2,
    budget: { requests: 1, webhooks: 1, freezes: 1 },
  },
  {
    name: 'an end against two requests, where rules judge',
    jobs: 1,
    credentials: ['config'],
    pool: 0,
    sweeps: 0,
    processes: 2,
    budget: { requests: 2, webhooks: 1, freezes: 1 },
  },
  {
    name: 'the kill switch against a request',
    jobs: 1,
    credentials: ['config'],
    pool: 0,
    sweeps: 1,
    processes: 2,
    budget: { requests: 1, kills: 1, crashes: 1 },
  },
];
