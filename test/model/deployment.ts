// Keydesk in one run of the model: composed as it is deployed, over Firestore in memory and a Google in process. Every
// round trip is a turn of the scheduler before it and one after it, and may go wrong as faults say.

import { createHash } from 'node:crypto';
import { namedTeams } from '../../shared/core/policy/named-teams.ts';
import { type Around, createMemoryFirestore } from '../fixtures/memory-firestore.ts';
import { Google } from './google.ts';
import { composeKeydesk, type Keydesk } from './keydesk.ts';
import { Oracle } from './oracle.ts';
import { ConditionJudge } from './people/judge.ts';
import { jobId, type Setting } from './setting.ts';
import type { World } from './world.ts';

/** Where jobs run, one after the other. */
export const SLOTS = 8;

/** A failure of Firestore, as its client throws it: whether it took effect is not known. */
export interface DatabaseFault {
  /** google.rpc.Code */
  readonly code: 4 | 10 | 14;
  readonly effect: boolean;
}

/** The ledger, and where the grant documents are that security rules read. */
type Database = 'ledger' | 'documents';

class InjectedError extends Error {
  readonly code: number;
  constructor(code: number) {
    super(`injected ${code}`);
    this.code = code;
  }
}

export class Deployment {
  readonly world: World;
  readonly google: Google;
  readonly oracle: Oracle;
  /** Undefined where no rule of the policy has conditions. */
  readonly judge: ConditionJudge | undefined;
  readonly keydesk: Keydesk;
  readonly faults = new Map<Database, { fault: DatabaseFault; left: number }>();
  readonly #jobs: string[] = Array.from({ length: SLOTS }, (_, slot) => jobId(slot, 0));
  #serial = 0;

  /** @param alter puts a defect into what Keydesk is composed of */
  constructor(
    world: World,
    { policy, accounts }: Setting,
    alter: (keydesk: Keydesk) => Keydesk = (keydesk) => keydesk,
  ) {
    this.world = world;
    this.google = new Google(world, accounts);
    const ledger = createMemoryFirestore({ around: this.#aroundIn('ledger') });
    const opened = createMemoryFirestore({ around: this.#aroundIn('documents') });
    this.oracle = new Oracle(world, this.google, () => ({ ledger: ledger.dump(), opened: opened.dump() }));
    const isConditional = policy.policy.rules.some(({ conditions }) => Object.keys(conditions).length > 0);
    this.judge = isConditional ? new ConditionJudge(world, this.google.people) : undefined;
    const { sendRequest } = this.google;
    const keydesk = composeKeydesk({
      clockOf: (identity) => world.clockOf(identity),
      policy,
      openDatabase: ({ project }) => (project === 'acme-model' ? opened : ledger).firestore,
      sendRequest,
      sendAs: (identity) => this.google.sendAs(identity),
      callsBuildkite: true,
    });
    this.keydesk = alter(keydesk);
  }

  /** Records which teams the policy names, as `token` does when it starts. */
  async start(): Promise<void> {
    const { policy, deploymentLedger } = this.keydesk.tokenDeps;
    const instance = { version: 'model', revision: null, started_at: this.world.now() };
    const teams = namedTeams(policy.policy);
    // The text of a policy has nothing to do with histories, and its SHA-256 is checked.
    const text = 'policy';
    const sha256 = createHash('sha256').update(text).digest('hex');
    this.world.start(deploymentLedger.recordToken(instance, { sha256, text, teams }));
    await this.world.settle();
  }

  /** The job that runs in a slot or ran there last; `next` begins another where that one has finished. */
  jobIn(slot: number, next: boolean): string {
    const job_id = this.#jobs[slot] ?? '';
    if (!next || !this.google.finishedJobs.has(job_id)) return job_id;
    this.#serial += 1;
    const successor = jobId(slot, this.#serial);
    this.#jobs[slot] = successor;
    return successor;
  }

  #aroundIn(database: Database): Around {
    return async (call, perform) => {
      const name = `${call.kind} ${call.paths.map((path) => path.slice(0, 24)).join(' ')}`;
      const { world } = this;
      await world.turn(name);
      const fault = this.#takeFault(database);
      if (fault) world.tell(`${name} goes wrong: ${JSON.stringify(fault)}`);
      if (fault && !fault.effect) {
        await world.turn(`failure of ${name}`);
        throw new InjectedError(fault.code);
      }
      let failure: unknown;
      let result: ReturnType<typeof perform> | undefined;
      try {
        result = perform();
        if (call.kind === 'write') this.oracle.observe();
      } catch (error) {
        world.count('lost race');
        failure = error;
      }
      await world.turn(`answer to ${name}`);
      if (fault) throw new InjectedError(fault.code);
      if (failure !== undefined) throw failure;
      return result as ReturnType<typeof perform>;
    };
  }

  #takeFault(database: Database): DatabaseFault | undefined {
    const found = this.faults.get(database);
    if (!found) return undefined;
    found.left -= 1;
    if (found.left <= 0) this.faults.delete(database);
    this.world.count(`fault: ${database} ${found.fault.code}`);
    return found.fault;
  }
}
