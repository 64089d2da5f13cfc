// The moves of histories about people and machines: requests with and without the token of a machine, builds that somebody starts,
// block steps that somebody unblocks, webhooks of both that arrive, get lost, repeat or overtake each other, and teams that change.

import * as fc from 'fast-check';
import { Move, type Real } from '../move.ts';
import { CREDENTIALS } from '../setting.ts';
import type { Webhook } from './buildkite.ts';
import { DEFECTS, type MachineToken, machineToken } from './machines.ts';
import { LEVELS, PEOPLE, PERSONS, PROVIDER_NAMES, STEPS, TEAM_NAMES } from './rules.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
/** Builds of both pipelines, and builds of equal numbers. */
const slot = fc.nat({ max: 3 });
const nth = fc.nat({ max: 20 });
const person = fc.constantFrom(...PERSONS);
/** Null: a bot, or nobody whom Buildkite names. */
const anybody = fc.constantFrom(...PERSONS, ...PERSONS, null);
const step = fc.constantFrom(...STEPS);
/** How often a webhook arrives at once. Where it does not, it is lost or late. */
const arrivals = fc.constantFrom('lost', 'late', 'once', 'once', 'twice');

const machine = fc.oneof(
  { weight: 4, arbitrary: fc.constant(undefined) },
  {
    weight: 8,
    arbitrary: fc.record({ provider: fc.constantFrom(...PROVIDER_NAMES), defect: fc.constant('none' as const) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      provider: fc.constantFrom(...PROVIDER_NAMES),
      defect: fc.constantFrom('expired' as const, ...DEFECTS),
    }),
  },
);

function send({ deployment, operations }: Real, webhook: Webhook, arrival: string): void {
  const { world, google } = deployment;
  world.count(`webhook: ${arrival}`);
  if (arrival === 'late') google.people.undelivered.push(webhook);
  if (arrival === 'once' || arrival === 'twice') void operations.deliver(webhook);
  if (arrival === 'twice') void operations.deliver(webhook);
}

/** The token of the machine is fetched for the request. */
export const requests = fc
  .record({
    slot,
    next: fc.constantFrom(true, true, false),
    credential: fc.constantFrom('config', 'config', 'cache', ...CREDENTIALS),
    machine,
    times: fc.constantFrom(1, 1, 2),
  })
  .map(
    ({ slot, next, credential, machine, times }) =>
      new Move(
        `request(${slot}${next ? ', next' : ''}, ${credential}, ${JSON.stringify(machine)}, x${times})`,
        ({ deployment, operations }) => {
          const job_id = deployment.jobIn(slot, next);
          const token = machine && machineToken(machine.provider, machine.defect, deployment.world.now());
          for (let time = 0; time < times; time += 1)
            void operations.issueToken(job_id, credential, { machine: token, lifetime: 60 + 60 * time });
        },
      ),
  );

/** A token of a machine is kept, and used until it has expired and after that. */
export const keptTokens = fc
  .record({ slot, provider: fc.constantFrom(...PROVIDER_NAMES), minutes: fc.nat({ max: 7 }) })
  .map(
    ({ slot, provider, minutes }) =>
      new Move(`token kept(${slot}, ${provider}, ${minutes} min)`, async ({ deployment, operations }) => {
        const { world } = deployment;
        const machine: MachineToken = machineToken(provider, 'none', world.now());
        await world.settle();
        await world.pass(minutes * MINUTE);
        void operations.issueToken(deployment.jobIn(slot, true), 'cache', { machine });
      }),
  );

export const starts = fc.record({ slot, arrival: arrivals }).map(
  ({ slot, arrival }) =>
    new Move(`started(${slot}, ${arrival})`, (real) => {
      const { people } = real.deployment.google;
      send(real, people.started(people.buildOf(real.deployment.jobIn(slot, true))), arrival);
    }),
);

/** `other`: of another step with the same key. */
export const unblocks = fc
  .record({
    slot,
    step,
    by: anybody,
    other: fc.integer({ min: 0, max: 9 }).map((drawn) => drawn === 9),
    arrival: arrivals,
  })
  .map(
    ({ slot, step, by, other, arrival }) =>
      new Move(`unblock(${slot}, ${step}, ${by}${other ? ', other step' : ''}, ${arrival})`, (real) => {
        const { people } = real.deployment.google;
        send(real, people.unblock(people.buildOf(real.deployment.jobIn(slot, true)), step, by, other), arrival);
      }),
  );

/** One of the webhooks that are late arrives, or all of them, the latest first. */
export const deliveries = fc.record({ which: nth, all: fc.boolean() }).map(
  ({ which, all }) =>
    new Move(`deliver(${all ? 'all' : which})`, ({ deployment, operations }) => {
      const { undelivered } = deployment.google.people;
      const arriving = all ? undelivered.splice(0).reverse() : undelivered.splice(which % (undelivered.length || 1), 1);
      for (const webhook of arriving) void operations.deliver(webhook);
    }),
);

export const memberships = fc
  .record({ person, team: fc.constantFrom(...TEAM_NAMES), joins: fc.constantFrom(true, true, false) })
  .map(
    ({ person, team, joins }) =>
      new Move(`${person} ${joins ? 'joins' : 'leaves'} ${team}`, ({ deployment }) => {
        const { members } = deployment.google.people;
        deployment.world.tell(`${person} ${joins ? 'joins' : 'leaves'} ${team}`);
        if (joins) members[team].add(person);
        else members[team].delete(person);
      }),
  );

/** Null: the pipeline does not belong to the team any more. */
export const accesses = fc
  .record({ slug: fc.constantFrom('deploy' as const, 'release' as const), level: fc.constantFrom(...LEVELS, null) })
  .map(
    ({ slug, level }) =>
      new Move(`access(${slug}, ${level})`, ({ deployment }) => {
        const { access } = deployment.google.people;
        deployment.world.tell(`platform has the access ${level} to ${slug}`);
        if (level === null) access.platform.delete(slug);
        else access.platform.set(slug, level);
      }),
  );

/** Undefined: it works again. */
export const directories = fc
  .constantFrom(...Array<undefined>(6).fill(undefined), 403 as const, 404 as const, 429 as const, 500 as const)
  .map(
    (status) =>
      new Move(`directory(${status ?? 'works'})`, ({ deployment }) => {
        deployment.google.people.directoryFails = status;
      }),
  );

export const killsByApprover = fc.record({ person, bars: fc.boolean() }).map(
  ({ person, bars }) =>
    new Move(`kill(approved by ${person}, bars: ${bars})`, ({ operations }) => {
      operations.activateKillSwitch({ approved_by: PEOPLE[person] }, bars);
    }),
);

/** Time in which the copies of teams grow old, with sweeps that read them again or without. */
export const refreshes = fc
  .record({ minutes: fc.constantFrom(0, 0, 1, 5, 9, 10, 11), sweeps: fc.constantFrom(true, true, false) })
  .map(
    ({ minutes, sweeps }) =>
      new Move(`teams are ${minutes} min older${sweeps ? ', sweep' : ''}`, async ({ deployment, operations }) => {
        await deployment.world.settle();
        await deployment.world.pass(minutes * MINUTE);
        if (!sweeps) return;
        void operations.sweep();
        await deployment.world.settle();
      }),
  );

/** Two steps have the same key. */
const oneOrTwo = fc.integer({ min: 0, max: 9 }).map((drawn) => (drawn === 9 ? 2 : 1));
/** A job requests what needs an approval, somebody unblocks the step, and the job requests it again. */
export const approvals = fc
  .record({ slot, step, by: anybody, arrival: arrivals, sweeps: fc.boolean(), steps: oneOrTwo })
  .map(
    ({ slot, step, by, arrival, sweeps, steps }) =>
      new Move(
        `approval(${slot}, ${step}, ${by}, ${arrival}, ${steps} steps${sweeps ? ', sweep' : ''})`,
        async (real) => {
          const { deployment, operations } = real;
          const { people } = deployment.google;
          const job_id = deployment.jobIn(slot, true);
          const credential = step === 'approve' ? 'admin' : 'export';
          void operations.issueToken(job_id, credential);
          await deployment.world.settle();
          for (let time = 0; time < steps; time += 1)
            send(real, people.unblock(people.buildOf(job_id), step, by, time > 0), arrival);
          await deployment.world.settle();
          if (sweeps) {
            await deployment.world.pass(MINUTE);
            void operations.sweep();
            await deployment.world.settle();
          }
          void operations.issueToken(job_id, credential);
        },
      ),
  );
