// What can be begun at the desk, each in the background: how it is called, and what must be true of its outcome. A
// failure has to name a fault of this history or a deadline; anything else is a defect that was taken for one.

import { endJob } from '../../shared/end-job.ts';
import { handOut } from '../../shared/hand-out.ts';
import { type Killed, throwKillSwitch } from '../../shared/kill-switch.ts';
import { sweep } from '../../shared/sweep.ts';
import { Unavailable } from '../../shared/unavailable.ts';
import type { Desk } from './desk.ts';
import { type GrantRecord, type Named, names } from './stores.ts';

const FORESEEN =
  /injected \d|answered \d|could not be reached|no answer within|answered something unexpected|done too late|no time left|is not (?:dis|en)abled yet|took longer than|is from an account|for lack of time|the sweep goes on/;

interface HandOutOnItsWay {
  readonly job_id: string;
  readonly credential: string;
  /** It answered: nothing of it goes on. One that failed may have left something behind that does. */
  answered: boolean;
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

  constructor(desk: Desk) {
    this.desk = desk;
  }

  handOut(job_id: string, credential: string, lifetime: number | undefined): void {
    const { world, issuing, oracle } = this.desk;
    const onItsWay: HandOutOnItsWay = { job_id, credential, answered: false };
    this.#handOuts.push(onItsWay);
    const endedBefore = this.#tombstone(job_id);
    this.#begin(`hand-out of ${credential} to ${short(job_id)}`, async () => {
      const asked = { jobToken: job_id, credentialName: credential, scopes: [], lifetime };
      const result = await handOut(issuing, asked);
      onItsWay.answered = true;
      if (result.outcome === 'issued') {
        oracle.issued(result.grant_id, result.accessToken, result.expires_at);
        const { accessToken: _, ...told } = result;
        oracle.told(told);
        world.count('issued');
        if (result.grant.issued_count > 1) world.count('renewed');
        if (endedBefore) world.violate('I2', `job ${job_id} had ended before it asked, and got a token`);
        return 'issued';
      }
      oracle.told(result);
      const { reason } = result.refusal;
      world.count(`refused: ${reason}`);
      if (reason === 'job_ended' && !endedBefore) world.count('overtaken by the end');
      return `refused: ${reason}`;
    });
  }

  endJob(job_id: string): void {
    const { ending, google } = this.desk;
    google.finishedJobs.add(job_id);
    this.#begin(`job.finished of ${short(job_id)}`, async () => {
      const pipeline_id = '0184990a-4782-42b5-afc1-16715b10b1f0';
      const ended = await endJob(ending, { job_id, pipeline_id, by: 'job.finished' });
      if (!this.#tombstone(job_id))
        this.desk.world.violate('I2', `the end of ${job_id} was answered and is not on record`);
      return this.#ending(ended);
    });
  }

  /** The job returns one of the tokens it got. */
  giveBack(which: number): void {
    const { world, oracle, revokeEndpoint, google } = this.desk;
    const left = oracle.left[which % oracle.left.length];
    if (!left) return;
    const token = google.tokens.find(({ accessToken }) => accessToken === left.accessToken);
    const before = this.#grant(left.grant);
    const expiries = oracle.expiries.get(left.grant);
    const lived = token !== undefined && left.expires_at > world.now() && oracle.accepted(token);
    this.#begin(`return of ${left.accessToken}`, async () => {
      const answer = await revokeEndpoint({
        method: 'POST',
        path: '/revoke',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: Buffer.from(`token=${left.accessToken}`),
        request_id: 'request',
      });
      oracle.told(answer);
      if (answer.status !== 200) return `answered ${answer.status}`;
      world.count('returned');
      const same = oracle.expiries.get(left.grant) === expiries;
      const after = this.#grant(left.grant);
      if (lived && same && before && after?.revocation === 'expiry' && after.ended_at === null)
        world.violate('I2', `${left.accessToken} was returned and its grant is still renewed`);
      const { revocation, expires_in } = answer.body as { revocation?: string; expires_in?: number };
      const told = revocation === 'expiry' && expires_in !== undefined && expires_in > 0;
      if (lived && same && before && !told && oracle.accepted(token))
        world.violate('I3', `${left.accessToken} was returned, which was answered 200, and is still accepted`);
      return 'answered 200';
    });
  }

  throwSwitch(named: Named, bars: boolean): void {
    const { world, ending, oracle } = this.desk;
    this.#thrown += 1;
    const id = `switch-${this.#thrown}`;
    const act: Act = { id, stands: undefined, lifting: false };
    if (bars) this.acts.push(act);
    const selector = { ...named, ...(named.since_at === undefined ? {} : { since_at: world.now() + named.since_at }) };
    const meant = this.#live().filter((grant) =>
      names(selector, grant, Math.max(grant.issued_at ?? 0, grant.reserved_at)),
    );
    const expiries = new Map(meant.map((grant) => [grant.id, oracle.expiries.get(grant.id)]));
    this.#begin(`${id} thrown at ${JSON.stringify(selector)}${bars ? ', barring' : ''}`, async () => {
      let killed: Killed;
      try {
        killed = await throwKillSwitch(ending, id, { selector, by: 'model', reason: 'model', bars });
      } catch (error) {
        // Recorded, which was not answered, and lifted before it was tried again.
        if (act.lifting && String(error).includes('of one that was lifted')) return 'lifted meanwhile';
        throw error;
      }
      const failed = new Set(killed.failures.map(({ grant_id }) => grant_id));
      for (const { detail } of killed.failures) this.#foreseen(detail);
      const onTheirWay = this.#handOuts.filter(({ answered }) => !answered);
      const excused = (grant: GrantRecord) =>
        failed.has(grant.id) &&
        onTheirWay.some(({ job_id, credential }) => grant.job_id === job_id && grant.credential === credential);
      if (bars && !act.lifting) {
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
      return this.#ending(killed);
    });
  }

  /** Lifts one of the barriers that nobody has lifted yet. */
  lift(which: number): void {
    const standing = this.acts.filter(({ lifting }) => !lifting);
    const act = standing[which % standing.length];
    if (!act) return;
    const stood = act.stands;
    Object.assign(act, { lifting: true, stands: undefined });
    this.desk.oracle.lifted(act.id);
    this.#begin(`${act.id} lifted`, async () => {
      const lifted = await this.desk.ending.killLedger.lift(act.id, 'model');
      if (stood && !lifted) this.desk.world.violate('I6', `${act.id} stood and was not lifted`);
      if (stood) act.stands = false;
      return String(lifted);
    });
  }

  sweep(): void {
    const { world, ending } = this.desk;
    this.#begin('sweep', async () => {
      const swept = await sweep(ending);
      for (const { detail } of swept.failures) this.#foreseen(detail);
      world.count('swept');
      if (swept.woken.length > 0) world.count('sweep woke an account');
      if (swept.revoked.length > 0) world.count('sweep finished a revocation');
      if (swept.expired.length > 0) world.count('sweep expired a grant');
      if (swept.foundFinished.length > 0) world.count('sweep found a job finished');
      if (swept.disabledAgain.length > 0) world.count('sweep disabled an account again');
      return this.#ending(swept);
    });
  }

  #ending({
    unfinished,
    ...ended
  }: {
    unfinished: readonly { detail: string }[];
    revoked: readonly unknown[];
  }): string {
    this.desk.oracle.told({ unfinished, ...ended });
    for (const { detail } of unfinished) this.#foreseen(detail);
    if (unfinished.length > 0) this.desk.world.count('revocation left to the sweep');
    return `${ended.revoked.length} revoked, ${unfinished.length} unfinished`;
  }

  #begin(what: string, work: () => Promise<string>): void {
    const { world } = this.desk;
    world.tell(`begins: ${what}`);
    world.start(
      work().then(
        (outcome) => world.tell(`${what}: ${outcome}`),
        (error: unknown) => {
          world.tell(`${what} failed: ${String(error)}`);
          world.count('failed');
          this.desk.oracle.told(String(error));
          this.#foreseen(String(error));
          if (!Unavailable.is(error)) world.violate('harness', `${what} threw ${String(error)}`);
        },
      ),
    );
  }

  #foreseen(detail: string): void {
    if (!FORESEEN.test(detail)) this.desk.world.violate('harness', `a failure that no fault explains: ${detail}`);
  }

  #tombstone(job_id: string): boolean {
    return (this.desk.oracle.stores().jobs.get(job_id)?.ended_at ?? null) !== null;
  }

  #grant(id: string): GrantRecord | undefined {
    return this.desk.oracle.stores().grants.get(id);
  }

  #live(): GrantRecord[] {
    const grants = [...this.desk.oracle.stores().grants.values()];
    return grants.filter(({ state, ended_at }) => (state === 'issuing' || state === 'active') && ended_at === null);
  }
}

/** Its slot and its number. */
function short(job_id: string): string {
  return `${job_id[0]}/${Number(job_id.slice(-6))}`;
}
