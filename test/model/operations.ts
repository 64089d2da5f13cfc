// What can be begun at the desk, each in the background: how it is called, and what must be true of its outcome. A
// failure has to name a fault of this history or a deadline; anything else is a defect that was taken for one.

import { endJob, type JobEnding } from '../../shared/operations/end-job.ts';
import { type HandOut, handOut } from '../../shared/operations/issue-token.ts';
import { type Killed, throwKillSwitch } from '../../shared/operations/kill-switch.ts';
import { type Swept, sweep } from '../../shared/operations/sweep.ts';
import { Unavailable } from '../../shared/runtime/errors.ts';
import type { Desk } from './deployment.ts';
import { revokeEndpoint } from './keydesk.ts';
import { PIPELINE_ID, short } from './setting.ts';
import { type GrantRecord, type Named, names } from './stores.ts';

const FORESEEN =
  /injected \d|answered \d|could not be reached|not asked: its time was up|no answer within|answered something unexpected|done too late|no time left|is not (?:dis|en)abled yet|took longer than|is from an account|for lack of time|the sweep goes on/;

interface HandOutOnItsWay {
  readonly job_id: string;
  readonly credential: string;
  /** It answered: nothing of it goes on. One that failed may have left something behind that does. */
  answered: boolean;
  /** Tells the oracle that nothing of it goes on. */
  readonly over: () => void;
}

/** One act of the kill switch that bars. */
interface Act {
  readonly id: string;
  /** Undefined while that is not known, or is being changed. */
  stands: boolean | undefined;
  lifting: boolean;
}

export class Operations {
  readonly desk: Desk;
  readonly acts: Act[] = [];
  #thrown = 0;
  readonly #handOuts: HandOutOnItsWay[] = [];
  readonly #revoke: ReturnType<typeof revokeEndpoint>;

  constructor(desk: Desk) {
    this.desk = desk;
    this.#revoke = revokeEndpoint(desk.keydesk);
    desk.world.onSettled = () => {
      for (const { over } of this.#handOuts.splice(0)) over();
    };
  }

  /** Comes to undefined when it failed, as all of these do. */
  handOut(job_id: string, credential: string, lifetime: number | undefined): Promise<HandOut | undefined> {
    const { world, keydesk, oracle, google } = this.desk;
    const onItsWay: HandOutOnItsWay = { job_id, credential, answered: false, over: oracle.asked(job_id) };
    this.#handOuts.push(onItsWay);
    const endedBefore = oracle.ended(job_id);
    google.jobs.add(job_id);
    return this.#begin<HandOut>(`hand-out of ${credential} to ${short(job_id)}`, async () => {
      const asked = { jobToken: job_id, credentialName: credential, scopes: [], lifetime };
      const result = await handOut(keydesk.issuing, asked, 'request');
      onItsWay.answered = true;
      onItsWay.over();
      if (result.outcome === 'issued') {
        oracle.issued(result.grant_id, result.accessToken, result.expires_at);
        const { accessToken: _, ...told } = result;
        oracle.told(told);
        world.count('issued');
        if (result.grant.tokens_issued > 1) world.count('renewed');
        if (endedBefore) world.violate('I2', `job ${job_id} had ended before it asked, and got a token`);
        return [result, 'issued'];
      }
      oracle.told(result);
      const { reason } = result.refusal;
      world.count(`refused: ${reason}`);
      if (reason === 'job_ended' && !endedBefore) world.count('overtaken by the end');
      return [result, `refused: ${reason}`];
    });
  }

  endJob(job_id: string): Promise<JobEnding | undefined> {
    const { keydesk, google, oracle, world } = this.desk;
    google.finishedJobs.add(job_id);
    return this.#begin(`job.finished of ${short(job_id)}`, async () => {
      const ended = await endJob(keydesk.webhook, { job_id, pipeline_id: PIPELINE_ID, by: 'job.finished' });
      if (!oracle.ended(job_id)) world.violate('I2', `the end of ${job_id} was answered and is not on record`);
      return [ended, this.#ending(ended)];
    });
  }

  /** The job returns one of the tokens it got. */
  giveBack(which: number): void {
    const { world, oracle, google } = this.desk;
    const left = oracle.left[which % oracle.left.length];
    if (!left) return;
    const token = google.token(left.accessToken);
    const before = this.#grant(left.grant);
    const expiries = oracle.expiries.get(left.grant);
    const lived = token !== undefined && left.expires_at > world.now() && oracle.accepted(token);
    void this.#begin(`return of ${left.accessToken}`, async () => {
      const answer = await this.#revoke(left.accessToken);
      oracle.told(answer);
      if (answer.status !== 200) return [answer, `answered ${answer.status}`];
      world.count('returned');
      const same = oracle.expiries.get(left.grant) === expiries;
      const after = this.#grant(left.grant);
      if (lived && same && before && after?.revocation === 'expiry' && after.ended_at === null)
        world.violate('I2', `${left.accessToken} was returned and its grant is still renewed`);
      const { revocation, expires_in } = answer.body as { revocation?: string; expires_in?: number };
      const told = revocation === 'expiry' && expires_in !== undefined && expires_in > 0;
      if (lived && same && before && !told && oracle.accepted(token))
        world.violate('I3', `${left.accessToken} was returned, which was answered 200, and is still accepted`);
      return [answer, 'answered 200'];
    });
  }

  throwSwitch(named: Named, blocks_new: boolean): void {
    const { world, keydesk, oracle } = this.desk;
    this.#thrown += 1;
    const id = `switch-${this.#thrown}`;
    const act: Act = { id, stands: undefined, lifting: false };
    if (blocks_new) this.acts.push(act);
    const selector = {
      ...named,
      ...(named.issued_since === undefined ? {} : { issued_since: world.now() + named.issued_since }),
    };
    const meant = this.#live().filter((grant) =>
      names(selector, grant, Math.max(grant.issued_at ?? 0, grant.requested_at)),
    );
    const expiries = new Map(meant.map((grant) => [grant.id, oracle.expiries.get(grant.id)]));
    void this.#begin(`${id} thrown at ${JSON.stringify(selector)}${blocks_new ? ', barring' : ''}`, async () => {
      let killed: Killed;
      try {
        killed = await throwKillSwitch(keydesk.killing, id, { selector, actor: 'model', reason: 'model', blocks_new });
      } catch (error) {
        // Recorded, which was not answered, and lifted before it was tried again.
        if (act.lifting && String(error).includes('of one that was lifted')) return [undefined, 'lifted meanwhile'];
        throw error;
      }
      const failed = new Set(killed.failures.map(({ grant_id }) => grant_id));
      for (const { error } of killed.failures) this.#foreseen(error);
      const onTheirWay = this.#handOuts.filter(({ answered }) => !answered);
      const excused = (grant: GrantRecord) =>
        failed.has(grant.id) &&
        onTheirWay.some(({ job_id, credential }) => grant.job_id === job_id && grant.credential === credential);
      if (blocks_new && !act.lifting) {
        act.stands = true;
        oracle.raised({ id, named: selector, excused });
      }
      for (const { id: grant } of meant) {
        const after = this.#grant(grant);
        const still = after?.state === 'issuing' || after?.state === 'active';
        if (
          still &&
          after.ended_at === null &&
          !failed.has(grant) &&
          oracle.expiries.get(grant) === expiries.get(grant)
        )
          world.violate('I2', `${id} was thrown and the grant ${grant} that it meant is ${after.state}`);
        if (after?.ended_by === 'kill_switch') world.count('killed');
      }
      return [killed, this.#ending(killed)];
    });
  }

  /** Lifts one of the blocks that nobody has lifted yet. */
  lift(which: number): void {
    const standing = this.acts.filter(({ lifting }) => !lifting);
    const act = standing[which % standing.length];
    if (!act) return;
    const stood = act.stands;
    Object.assign(act, { lifting: true, stands: undefined });
    this.desk.oracle.lifted(act.id);
    void this.#begin(`${act.id} lifted`, async () => {
      const lifted = await this.desk.keydesk.killing.killLedger.lift(act.id, 'model');
      if (stood && !lifted) this.desk.world.violate('I6', `${act.id} stood and was not lifted`);
      if (stood) act.stands = false;
      return [lifted, String(lifted)];
    });
  }

  sweep(): Promise<Swept | undefined> {
    const { world, keydesk } = this.desk;
    return this.#begin('sweep', async () => {
      const swept = await sweep(keydesk.sweeping);
      for (const { error } of swept.failures) this.#foreseen(error);
      world.count('swept');
      if (swept.woken.length > 0) world.count('sweep woke an account');
      if (swept.revoked.length > 0) world.count('sweep finished a revocation');
      if (swept.expired.length > 0) world.count('sweep expired a grant');
      if (swept.foundFinished.length > 0) world.count('sweep found a job finished');
      if (swept.disabledAgain.length > 0) world.count('sweep disabled an account again');
      return [swept, this.#ending(swept)];
    });
  }

  #ending({ unfinished, ...ended }: { unfinished: readonly { error: string }[]; revoked: readonly unknown[] }): string {
    this.desk.oracle.told({ unfinished, ...ended });
    for (const { error } of unfinished) this.#foreseen(error);
    if (unfinished.length > 0) this.desk.world.count('revocation left to the sweep');
    return `${ended.revoked.length} revoked, ${unfinished.length} unfinished`;
  }

  /** @param work comes to its outcome, and what is to be told of that */
  #begin<T>(what: string, work: () => Promise<[outcome: T, told: string]>): Promise<T | undefined> {
    const { world } = this.desk;
    world.tell(`begins: ${what}`);
    const working = work().then(
      ([outcome, told]) => {
        world.tell(`${what}: ${told}`);
        return outcome;
      },
      (error: unknown) => {
        world.tell(`${what} failed: ${String(error)}`);
        world.count('failed');
        this.desk.oracle.told(String(error));
        this.#foreseen(String(error));
        if (!Unavailable.is(error)) world.violate('harness', `${what} threw ${String(error)}`);
        return undefined;
      },
    );
    world.start(working);
    return working;
  }

  #foreseen(detail: string): void {
    if (!FORESEEN.test(detail)) this.desk.world.violate('harness', `a failure that no fault explains: ${detail}`);
  }

  #grant(id: string): GrantRecord | undefined {
    return this.desk.oracle.stores.grants.get(id);
  }

  #live(): GrantRecord[] {
    const grants = [...this.desk.oracle.stores.grants.values()];
    return grants.filter(({ state, ended_at }) => (state === 'issuing' || state === 'active') && ended_at === null);
  }
}
