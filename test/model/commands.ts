// The moves of a history, drawn from small pools so that they collide. Most begin something and do not wait for it.

import * as fc from 'fast-check';
import { type DatabaseFault, SLOTS } from './deployment.ts';
import { CALLS, type Call, type Fault } from './google.ts';
import { type Model, Move, type Real } from './move.ts';
import {
  accesses,
  approvals,
  deliveries,
  directories,
  keptTokens,
  killsByApprover,
  memberships,
  refreshes,
  requests,
  starts,
  unblocks,
} from './people/moves.ts';
import { CREDENTIALS, SCARCE, SWAPPED } from './setting.ts';
import type { Named } from './stores.ts';

/** Half of the slots where they are to collide, all of them where it is the accounts that are. */
const few = fc.nat({ max: SLOTS / 2 - 1 });
const two = fc.nat({ max: 1 });
const all = fc.nat({ max: SLOTS - 1 });
const nth = fc.nat({ max: 20 });
const credential = fc.constantFrom('admin', 'admin', ...CREDENTIALS);

/** `next`: of a new job, where the slot's has finished. */
const issues = (slot: fc.Arbitrary<number>, credential: fc.Arbitrary<string>, lifetimes: (number | undefined)[]) =>
  fc
    .record({
      slot,
      next: fc.constantFrom(true, true, false),
      credential,
      lifetime: fc.constantFrom(...lifetimes),
      times: fc.constantFrom(1, 1, 2),
    })
    .map(
      ({ slot, next, credential, lifetime, times }) =>
        new Move(
          `issue(${slot}${next ? ', next' : ''}, ${credential}, ${lifetime}, x${times})`,
          ({ deployment, operations }) => {
            const job_id = deployment.jobIn(slot, next);
            for (let time = 0; time < times; time += 1) void operations.issueToken(job_id, credential, { lifetime });
          },
        ),
    );

/** A job that asks again as soon as it is answered, twice at a time; each request differs, so that none shares another's token. */
const renewals = (slot: fc.Arbitrary<number>, credential: fc.Arbitrary<string>) =>
  fc.record({ slot, credential, times: fc.integer({ min: 3, max: 8 }) }).map(
    ({ slot, credential, times }) =>
      new Move(`renew(${slot}, ${credential}, x${times})`, ({ deployment, operations }) => {
        const job_id = deployment.jobIn(slot, true);
        for (const lifetime of [300, 600])
          deployment.world.start(
            (async () => {
              for (let time = 0; time < times; time += 1)
                await operations.issueToken(job_id, credential, { lifetime: lifetime + time });
            })(),
          );
      }),
  );

const policies = fc.constantFrom(SCARCE, SWAPPED).map(
  (setting) =>
    new Move(`policy(${setting === SCARCE ? 'first' : 'swapped'})`, ({ deployment }) => {
      Object.assign(deployment.keydesk.tokenDeps, { policy: setting.policy });
      deployment.world.count('policy changed');
    }),
);

/** `times` 0: the message is lost. */
const finishes = (slot: fc.Arbitrary<number>) =>
  fc.record({ slot, times: fc.constantFrom(0, 1, 1, 1, 2) }).map(
    ({ slot, times }) =>
      new Move(`finish(${slot}, x${times})`, ({ deployment, operations }) => {
        const job_id = deployment.jobIn(slot, false);
        deployment.google.finishedJobs.add(job_id);
        for (let time = 0; time < times; time += 1) void operations.endJob(job_id);
      }),
  );

const releases = nth.map((which) => new Move(`release(${which})`, ({ operations }) => operations.releaseToken(which)));

const selector: fc.Arbitrary<Named & { readonly slot?: number }> = fc.oneof(
  few.map((slot) => ({ slot })),
  fc.constantFrom(...CREDENTIALS).map((name) => ({ credential: name })),
  fc.constantFrom('deploy', 'release').map((pipeline_slug) => ({ pipeline_slug })),
  fc.constantFrom('main', 'topic').map((build_branch) => ({ build_branch })),
  fc.record({ environment: fc.constantFrom('staging', 'production'), credential: fc.constantFrom(...CREDENTIALS) }),
  // Relative to when it is thrown.
  fc.constantFrom(0, -30_000, -600_000).map((issued_since) => ({ issued_since })),
);
const kills = fc.record({ selector, bars: fc.boolean() }).map(
  ({ selector: { slot, ...named }, bars }) =>
    new Move(`kill(${JSON.stringify({ slot, ...named })}, bars: ${bars})`, ({ deployment, operations }) => {
      const ofJob = slot === undefined ? {} : { job_id: deployment.jobIn(slot, false) };
      operations.activateKillSwitch({ ...named, ...ofJob }, bars);
    }),
);
const deactivations = nth.map(
  (which) => new Move(`remove(${which})`, ({ operations }) => operations.deactivateKillSwitch(which)),
);

const sweeps = fc.record({ times: fc.constantFrom(1, 1, 2), waits: fc.boolean() }).map(
  ({ times, waits }) =>
    new Move(`sweep(x${times}${waits ? ', waits' : ''})`, async ({ deployment, operations }) => {
      for (let time = 0; time < times; time += 1) void operations.sweep();
      if (waits) await deployment.world.settle();
    }),
);

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const short = fc.integer({ min: 1, max: 30 }).map((seconds) => seconds * SECOND);
const margins = fc.constantFrom(59, 60, 61, 79, 80, 81, 120, 140, 141, 300, 301).map((seconds) => seconds * SECOND);
const long = fc.constantFrom(6, 10, 16, 18, 25, 61, 240).map((minutes) => minutes * MINUTE);
/** Most of what is in flight at a long jump runs into its deadline. */
const jumps = fc.record({ time: fc.oneof(short, margins, long), waits: fc.constantFrom(true, true, false) }).map(
  ({ time, waits }) =>
    new Move(`pass(${time / SECOND} s${waits ? ', waits' : ''})`, async ({ deployment }) => {
      if (waits) await deployment.world.settle();
      await deployment.world.pass(time);
    }),
);

const fault: fc.Arbitrary<Fault> = fc.record({
  response: fc.constantFrom('500' as const, '429' as const, '403' as const, 'garbage' as const, 'network' as const),
  effect: fc.oneof(
    fc.constantFrom('none' as const, 'now' as const),
    fc.integer({ min: 1, max: 30 }).map((seconds) => ({ late: seconds * SECOND })),
  ),
});
const ofAccounts = fc.constantFrom<Call>('mint', 'disable', 'enable', 'enable', 'readAccount');
const upstreamFaults = (call: fc.Arbitrary<Call>) =>
  fc.record({ call, fault, left: fc.integer({ min: 1, max: 4 }) }).map(
    ({ call, fault, left }) =>
      new Move(`fault(${call}, ${JSON.stringify(fault)}, x${left})`, ({ deployment }) => {
        deployment.google.faults.set(call, { fault, left });
      }),
  );

/** IAM answers that an account is changed, and it is so only later. */
const lags = fc
  .record({ call: fc.constantFrom<Call>('disable', 'enable'), late: short, left: fc.integer({ min: 1, max: 4 }) })
  .map(
    ({ call, late, left }) =>
      new Move(`lags(${call}, ${late / SECOND} s, x${left})`, ({ deployment }) => {
        deployment.google.faults.set(call, { fault: { response: 'done', effect: { late } }, left });
      }),
  );

const ledgerFault: fc.Arbitrary<DatabaseFault> = fc.constantFrom(
  { code: 14, effect: false },
  { code: 14, effect: true },
  { code: 10, effect: true },
  { code: 4, effect: true },
);
const faultsIn = (database: 'ledger' | 'documents') =>
  fc.record({ fault: ledgerFault, left: fc.integer({ min: 1, max: 3 }) }).map(
    ({ fault, left }) =>
      new Move(`faultIn(${database}, ${JSON.stringify(fault)}, x${left})`, ({ deployment }) => {
        deployment.faults.set(database, { fault, left });
      }),
  );
const ledgerFaults = faultsIn('ledger');
/** Of the grant documents, in their own database. */
const documentFaults = faultsIn('documents');

const operators = fc.constantFrom(...(SCARCE.pools.get('admin') ?? [])).map(
  (email) =>
    new Move(`operatorDisables(${email.slice(0, 8)})`, ({ deployment }) => {
      deployment.google.disableByHand(email);
    }),
);

const waits = fc.constant('settle').map((name) => new Move(`${name}()`, ({ deployment }) => deployment.world.settle()));

/** The cooldown of an account is over, and it is enabled by a request that is carried out some time after it was given up. */
const lateEnablings = fc
  .record({
    slot: all,
    response: fc.constantFrom('500' as const, 'network' as const),
    late: fc.integer({ min: 5, max: 30 }),
    times: fc.constantFrom(1, 2),
    goesOn: fc.boolean(),
  })
  .map(
    ({ slot, response, late, times, goesOn }) =>
      new Move(
        `enables late(${slot}, ${response}, ${late} s, x${times}, ${goesOn})`,
        async ({ deployment, operations }) => {
          const { world, google } = deployment;
          const one = deployment.jobIn(slot, true);
          void operations.issueToken(one, 'admin', { lifetime: 60 });
          await world.settle();
          void operations.endJob(one);
          await world.settle();
          await world.pass(141 * SECOND);
          google.faults.set('enable', { fault: { response, effect: { late: late * SECOND } }, left: 1 });
          for (let time = 0; time < times; time += 1) void operations.sweep();
          if (!goesOn) return;
          await world.settle();
          const next = deployment.jobIn(slot, true);
          void operations.issueToken(next, 'admin', { lifetime: 60 });
          await world.settle();
          void operations.endJob(next);
        },
      ),
  );

/** A job ends when the cooldown of its account is almost over, and the request to disable it is carried out after that. */
const lateDisablings = fc
  .record({ slot: all, held: fc.integer({ min: 120, max: 139 }), late: fc.integer({ min: 10, max: 30 }) })
  .map(
    ({ slot, held, late }) =>
      new Move(`disables late(${slot}, after ${held} s, ${late} s)`, async ({ deployment, operations }) => {
        const job_id = deployment.jobIn(slot, true);
        void operations.issueToken(job_id, 'admin', { lifetime: 60 });
        await deployment.world.settle();
        await deployment.world.pass(held * SECOND);
        const fault: Fault = { response: 'network', effect: { late: late * SECOND } };
        deployment.google.faults.set('disable', { fault, left: 1 });
        void operations.endJob(job_id);
        await deployment.world.settle();
        await deployment.world.pass((141 - held) * SECOND);
        void operations.sweep();
      }),
  );

/** Google refuses one of three mints for one job, and gives the others before or after. */
const refusedMints = all.map(
  (slot) =>
    new Move(`refused mint(${slot})`, async ({ deployment, operations }) => {
      await deployment.world.settle();
      deployment.google.faults.set('mint', { fault: { response: '403', effect: 'none' }, left: 1 });
      const job_id = deployment.jobIn(slot, true);
      for (let time = 0; time < 3; time += 1) void operations.issueToken(job_id, 'admin', { lifetime: 60 });
    }),
);

/** What the job held has expired; it asks again and ends. */
const reissues = fc.record({ slot: two, credential: fc.constantFrom(...CREDENTIALS) }).map(
  ({ slot, credential }) =>
    new Move(`comes back and ends(${slot}, ${credential})`, async ({ deployment, operations }) => {
      await deployment.world.settle();
      await deployment.world.pass(16 * MINUTE);
      void operations.sweep();
      await deployment.world.settle();
      const job_id = deployment.jobIn(slot, false);
      void operations.issueToken(job_id, credential, { lifetime: 60 });
      void operations.endJob(job_id);
    }),
);

/** Buildkite fails for the job of a slot, and so for the list of its build, until it is repaired. */
const failingLookups = fc.record({ slot: all, fails: fc.constantFrom(true, true, false) }).map(
  ({ slot, fails }) =>
    new Move(`lookup(${slot}, ${fails ? 'fails' : 'works'})`, ({ deployment }) => {
      const { failingJobs } = deployment.google;
      if (fails) failingJobs.add(deployment.jobIn(slot, false));
      else failingJobs.delete(deployment.jobIn(slot, false));
    }),
);

/** Weights are by repetition. */
const everything = [
  failingLookups,
  releases,
  kills,
  deactivations,
  sweeps,
  sweeps,
  sweeps,
  jumps,
  jumps,
  jumps,
  waits,
  ledgerFaults,
  operators,
]
  .concat(Array(6).fill(issues(few, credential, [undefined, 60, 120, 300, 900])))
  .concat(Array(2).fill(finishes(few)))
  .concat(Array(2).fill(upstreamFaults(fc.oneof(fc.constantFrom<Call>(...CALLS), ofAccounts))))
  .concat([policies, renewals(few, credential)]);
const pool = [releases, sweeps, sweeps, sweeps, jumps, jumps, jumps, waits, waits, ledgerFaults, operators]
  .concat(Array(6).fill(issues(all, fc.constant('admin'), [60, 60, 120, undefined])))
  .concat(Array(3).fill(finishes(all)))
  .concat([upstreamFaults(ofAccounts), upstreamFaults(ofAccounts), refusedMints, refusedMints, lags])
  .concat([
    lateEnablings,
    lateEnablings,
    lateDisablings,
    policies,
    issues(all, fc.constant('export'), [60, undefined]),
  ]);
const races = [
  releases,
  releases,
  kills,
  kills,
  kills,
  deactivations,
  deactivations,
  sweeps,
  sweeps,
  jumps,
  jumps,
  waits,
  operators,
]
  .concat(Array(6).fill(issues(two, fc.constantFrom('config', ...CREDENTIALS), [60, 60, undefined])))
  .concat(Array(3).fill(finishes(two)))
  .concat([
    ledgerFaults,
    documentFaults,
    documentFaults,
    reissues,
    reissues,
    renewals(two, fc.constantFrom(...CREDENTIALS)),
    upstreamFaults(fc.constantFrom('mint', 'disable')),
  ]);

const people = [
  sweeps,
  jumps,
  waits,
  ledgerFaults,
  memberships,
  memberships,
  accesses,
  directories,
  killsByApprover,
  kills,
  deactivations,
  releases,
  starts,
  starts,
  finishes(few),
  upstreamFaults(fc.constantFrom<Call>('readBuild', 'readTeam', 'readKeys', 'mint')),
  keptTokens,
]
  .concat(Array(5).fill(requests))
  .concat(Array(4).fill(unblocks))
  .concat(Array(3).fill(approvals))
  .concat([deliveries, deliveries])
  .concat(Array(7).fill(refreshes));

/**
 * Which moves there are: all of them; those around the pool, with more jobs that follow each other on its accounts;
 * mostly requests of few jobs against what ends or blocks them; or those about people and machines, by a policy whose rules have conditions.
 */
export const FOCUSES = { everything, pool, races, people };
export type Focus = keyof typeof FOCUSES;

/** @param replayPath of a history that was found and shrunk */
export function moves(
  focus: Focus,
  replayPath: string | undefined,
): fc.Arbitrary<Iterable<fc.AsyncCommand<Model, Real>>> {
  return fc.commands(FOCUSES[focus], { maxCommands: 50, size: 'max', ...(replayPath ? { replayPath } : {}) });
}
